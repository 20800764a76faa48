/** A domain is founded with its key elsewhere than its peers' keys, and says who it is. */

import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import { Mesh } from "./mesh.ts";

const mesh = new Mesh();
afterAll(() => mesh.end());

it("is founded with the owner's key in a file of its own, which is taken away once the domain is complete", async () => {
  const key = join(mesh.folder, "ops.key");
  const data = join(mesh.folder, "first");
  const words = ["--owner-key", key, "--data", data, "--listen", await freeAddress(), "--name", "first"];
  const { stdout } = await mesh.succeed(["domain", "init", "ops", ...words, "--no-start"]);
  expect(stdout).toContain(`The key of domain ops is ${key}.`);
  expect(existsSync(key)).toBe(true);
  expect(existsSync(join(data, "owner.key"))).toBe(false);
  const again = await mesh.otto(["domain", "init", "ops", ...words, "--no-start"]);
  expect(again.code).not.toBe(0);
  const first = await mesh.up("first");
  renameSync(key, `${key}.offline`);
  const worker = await mesh.join("worker", await mesh.invite(first), ["--name", "worker"]);
  const shown = await mesh.succeed(["domain", "show", "--node", first.folder]);
  expect(shown.stdout).toMatch(/^Domain ops\n {2}id {13}[0-9a-f]{32}\n {2}owner {10}12D3Koo\w+\n/u);
  expect(shown.stdout).toMatch(new RegExp(`\\d{4}-\\d\\d-\\d\\d  worker   ${worker.peer}  worker`, "u"));
  const refused = await mesh.otto(["revoke", "worker", "--node", first.folder, "--owner-key", key]);
  expect(refused.stderr).toContain("the owner's key is not here");
  await mesh.succeed(["revoke", "worker", "--node", first.folder, "--owner-key", `${key}.offline`]);
});
