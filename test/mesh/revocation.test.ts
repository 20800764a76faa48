/** A machine and a person who are no members any more: what they hold is given to others, and what they say counts no more. */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 1,
    workers: [
      ["--label", "first"],
      ["--label", "second"],
    ],
  });
});
afterAll(() => mesh?.end());

const control = (): MeshNode => {
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  return only;
};
const node = (): readonly string[] => ["--node", control().folder];

it("takes a step from a worker that is revoked, gives it to another, and has no link with it any more", async () => {
  // The first attempt never ends by itself.
  const once = `mkdir ${join(mesh.folder, "first")} 2>/dev/null && exec sleep 600; true`;
  const repository = mesh.repository("long", `  a:\n    run: ${once}\n    retry: { max: 3, on: [lost] }\n`);
  const run = await mesh.submit(repository, control());
  const watch = control().watch(run);
  const started = (await watch.event("attempt-started")) as unknown as { worker: string };
  const { stdout } = await mesh.succeed(["revoke", started.worker, "--because", "stolen", ...node()]);
  expect(stdout).toContain("is revoked");
  expect(await watch.closed()).toBe("passed");
  const peers = await eventually(
    "the revoked worker is gone",
    async () =>
      JSON.parse((await mesh.succeed(["peers", "--json", ...node()])).stdout) as {
        peers: { peer: string; state: string }[];
      },
    ({ peers: all }) => all.every(({ peer, state }) => peer !== started.worker || state === "unlinked"),
  );
  expect(peers.peers.length).toBeGreaterThan(0);
  expect((await mesh.succeed(["revoke", ...node()])).stdout).toContain(`${started.worker}  `);
});

it("takes no submission of a person who is revoked, and nobody but the owner revokes", async () => {
  const code = await mesh.invite(control(), ["--role", "person"]);
  await mesh.succeed(["join", code], { home: "eve" });
  const repository = mesh.repository("eves", "  a:\n    run: 'true'\n");
  await mesh.succeed(["submit", ...node()], { home: "eve", folder: repository });
  const { peer } = openIdentity(join(mesh.folder, "eve", "person.key"));
  const own = join(mesh.folder, "eve", "person.key");
  const refused = await mesh.otto(["revoke", peer, "--owner-key", own, ...node()], { home: "eve" });
  expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("does not own") as string });
  await mesh.succeed(["revoke", peer, ...node()]);
  const after = await mesh.otto(["submit", ...node()], { home: "eve", folder: repository });
  expect(after).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("was revoked by the owner") as string,
  });
});

it("does not revoke a control peer that votes", async () => {
  const refused = await mesh.otto(["revoke", "control-1", ...node()]);
  expect(refused).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("otto control remove") as string,
  });
});
