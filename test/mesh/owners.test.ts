/** A domain that three people own, of whom it takes two: what one of them alone says changes nothing. */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

const mesh = new Mesh();
let first: MeshNode;
let spare: MeshNode;
const [ada, ben, cyd, eve] = ["ada", "ben", "cyd", "eve"].map((name) => join(mesh.folder, `${name}.key`)) as [
  string,
  string,
  string,
  string,
];
const node = (): string[] => ["--node", first.folder];

beforeAll(async () => {
  const { stdout: third } = await mesh.succeed(["domain", "key", cyd]);
  await mesh.succeed(["domain", "key", eve]);
  const words = ["--owner-key", ada, "--owner-key", ben, "--owner", third.trim(), "--threshold", "2"];
  const data = join(mesh.folder, "first");
  const founded = ["--data", data, "--listen", await freeAddress(), "--name", "first", "--no-start"];
  const { stdout } = await mesh.succeed(["domain", "init", "ops", ...words, ...founded]);
  expect(stdout).toContain("It takes 2 of 3 owners to change domain ops.");
  first = await mesh.up("first");
  // From now on each has theirs.
  for (const key of [ada, ben]) renameSync(key, `${key}.away`);
  const code = await mesh.invite(first, ["--role", "control"]);
  spare = await mesh.join("spare", code, ["--name", "spare", "--listen", await freeAddress()]);
});
afterAll(() => mesh.end());

/** The file that a command has written for the other owners, with this one's signature. */
async function begun(words: readonly string[], key: string): Promise<string> {
  const ended = await mesh.otto([...words, ...node(), "--owner-key", key]);
  expect(ended).toMatchObject({ code: 3, stdout: "" });
  expect(ended.stderr).toContain("It takes 2 of the 3 owners of domain ops, and 1 signed.");
  expect(ended.stderr).toContain("Nothing was changed.");
  const [, file = ""] = /is in (\S+)\.\n/u.exec(ended.stderr) ?? [];
  return join(mesh.folder, "empty", file);
}

it("says who owns it, and of how many it takes the word", async () => {
  const { stdout } = await mesh.succeed(["domain", "show", ...node()]);
  expect(stdout).toContain("  owners         2 of 3\n");
});

it("takes another control peer when two have signed, one after the other", async () => {
  const file = await begun(["control", "add", "spare"], `${ada}.away`);
  const shown = await mesh.succeed(["domain", "sign", file, "--show", ...node()]);
  expect(shown.stdout).toContain(`its control peers are to be\n  ${first.peer}`);
  expect(shown.stdout).toContain(`  ${spare.peer}  `);
  expect(shown.stdout.match(/^ {2}signed /gmu)).toHaveLength(1);
  const again = await mesh.otto(["domain", "sign", file, ...node(), "--owner-key", `${ada}.away`]);
  expect(again.stderr).toMatch(/has signed it already\.\nNothing was signed or changed\./u);
  const stranger = await mesh.otto(["domain", "sign", file, ...node(), "--owner-key", eve]);
  expect(stranger.stderr).toContain("is none of the domain's owners.");
  const signed = await mesh.succeed(["domain", "sign", file, ...node(), "--owner-key", cyd]);
  expect(signed.stdout).toContain("Signed by as many as it takes: the domain has taken it.");
  expect(existsSync(file)).toBe(false);
  const { stdout } = await mesh.succeed(["control", "ls", ...node()]);
  expect(stdout).toContain("configuration 2: 2 control peers");
});

it("takes a policy from two at once, and none from one, nor from two signatures of one", async () => {
  const policy = join(mesh.folder, "policy.yaml");
  const people = `people: { ada: ${first.peer} }`;
  writeFileSync(policy, `otto-policy: 1\n${people}\nteams: { release: [ada] }\n`);
  const file = await begun(["policy", "set", policy], cyd);
  const written = JSON.parse(readFileSync(file, "utf8")) as { signed: Record<string, string> };
  const [signature = ""] = Object.values(written.signed);
  const peer = (await mesh.succeed(["domain", "key", `${ben}.away`])).stdout.trim();
  const forged = { ...written, signed: { ...written.signed, [peer]: signature } };
  writeFileSync(`${file}.forged`, JSON.stringify(forged));
  const refused = await mesh.otto(["domain", "sign", `${file}.forged`, ...node()]);
  expect(refused.stderr).toContain("does not fit: it was changed since.");
  const none = await mesh.otto(["domain", "sign", file, ...node()]);
  expect(none.stderr).toContain("It is not said with which key to sign.");
  expect((await mesh.succeed(["policy", "show", ...node()])).stdout).toContain("No policy");
  const keys = ["--owner-key", `${ben}.away`, "--owner-key", cyd];
  await mesh.succeed(["policy", "set", policy, ...node(), ...keys]);
  expect((await mesh.succeed(["policy", "show", ...node()])).stdout).toContain("release: [ada]");
});
