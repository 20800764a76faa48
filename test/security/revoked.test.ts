/**
 * As a worker and a person whom the domain has thrown out, with keys and certificates that are still good on paper: from that
 * moment on they hold no step, no link, and no right.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import { eventually } from "../mesh/program.ts";

let mesh: Mesh;

function control(index = 0): MeshNode {
  const found = mesh.controls[index];
  if (found === undefined) throw new Error("The mesh has no such control peer.");
  return found;
}

const node = (): readonly string[] => ["--node", control().folder];

/** A new person of the domain: the folder of its key and certificates, and its key. */
async function joined(home: string): Promise<string> {
  const code = await mesh.invite(control(), ["--role", "person"]);
  await mesh.succeed(["join", code], { home });
  return openIdentity(join(mesh.folder, home, "person.key")).peer;
}

async function revokedBy(at: MeshNode): Promise<readonly string[]> {
  return (await at.peers()).node.revoked.map(({ peer }) => peer);
}

beforeAll(async () => {
  // No lease runs out while a test looks on.
  mesh = await Mesh.found({
    controls: 3,
    workers: [
      ["--slots", "1"],
      ["--slots", "1"],
    ],
    leaseSeconds: 3_600,
  });
});
afterAll(() => mesh?.end());

describe("a revoked worker", () => {
  it("loses the step that it runs, which passes elsewhere, and has no link any more", async () => {
    const gate = mesh.gate();
    const step = `if [ $OTTO_ATTEMPT = 1 ]; then read -r _ < ${gate.path}; fi`;
    const run = await mesh.submit(mesh.repository("held", `  one:\n    run: "${step}"\n`), control());
    const watch = control().watch(run);
    const { worker } = await watch.event("attempt-started");
    const thrown = mesh.workers.find(({ peer }) => peer === worker);
    const other = mesh.workers.find(({ peer }) => peer !== worker);
    if (thrown === undefined || other === undefined) throw new Error(`No worker is ${worker}.`);
    const words = ["revoke", thrown.name, "--because", "its disk was stolen"];
    const { stdout } = await mesh.succeed([...words, ...node()]);
    expect(stdout).toBe(`${thrown.name} (${thrown.peer}) is none of domain dev any more.\n`);
    expect(await watch.closed()).toBe("passed");
    const ended = watch.events.filter((event) => event.kind === "attempt-ended");
    expect(ended.map((event) => event.worker)).toEqual([thrown.peer, other.peer]);
    expect(ended.map((event) => event.cause)).toEqual(["lost", "finished"]);
    for (const one of mesh.controls)
      await eventually(
        `${one.name} has no link to it`,
        async () => (await one.peers()).peers.map(({ peer }) => peer),
        (peers) => !peers.includes(thrown.peer),
      );
    await eventually(
      "it has no link at all",
      () => thrown.peers(),
      ({ peers }) => peers.every(({ state }) => state !== "linked"),
    );
    const seen = await mesh.succeed(["peers", ...node()]);
    expect(seen.stdout).toMatch(new RegExp(`Revoked at .*${thrown.peer}\\): its disk was stolen`, "u"));
    gate.open();
  });

  it("is still none of it when it and the control peers have been started again", async () => {
    const [thrown] = mesh.workers.filter(({ peer }) => peer !== undefined);
    const gone = await revokedBy(control());
    const worker = mesh.workers.find(({ peer }) => gone.includes(peer)) ?? thrown;
    if (worker === undefined) throw new Error("No worker was revoked.");
    await control(1).kill();
    await control(1).restart();
    expect(await revokedBy(control(1))).toEqual(gone);
    await worker.kill();
    await worker.restart();
    await eventually(
      "it was turned away",
      async () => (await worker.peers()).peers.filter(({ state }) => state === "linked"),
      (linked) => linked.length === 0,
    );
    expect((await control(1).peers()).peers.map(({ peer }) => peer)).not.toContain(worker.peer);
  });
});

describe("a revoked person", () => {
  it("submits nothing more and asks nothing more, from the moment when one who may has said so", async () => {
    const [mia, eve] = [await joined("mia"), await joined("eve")];
    const repository = mesh.repository("eves", `  one:\n    run: 'true'\n`);
    const peer = ["--peer", control().address];
    await mesh.succeed(["submit", ...peer], { folder: repository, home: "eve" });
    const early = await mesh.otto(["revoke", eve, ...peer], { home: "mia" });
    expect(early.code).toBe(3);
    expect(early.stderr).toContain("the domain's policy does not let its signer revoke");
    const policy = join(mesh.folder, "policy.yaml");
    writeFileSync(policy, `otto-policy: 1\npeople: { mia: ${mia}, eve: ${eve} }\nrevoke: [mia]\n`);
    await mesh.succeed(["policy", "set", policy, ...node()]);
    const key = join(mesh.folder, "eve", "person.key");
    const owner = await mesh.otto(["revoke", mia, "--owner-key", key, ...node()], { home: "eve" });
    expect(owner).toMatchObject({ code: 3, stderr: expect.stringContaining("does not own") as string });
    const own = await mesh.otto(["revoke", "mia", ...peer], { home: "eve" });
    expect(own.stderr).toContain("the domain's policy does not let its signer revoke");
    await mesh.succeed(["revoke", "eve", ...peer], { home: "mia" });
    for (const one of mesh.controls) {
      await eventually(
        `${one.name} has heard of it`,
        () => revokedBy(one),
        (all) => all.includes(eve),
      );
      const refused = await mesh.otto(["submit", "--peer", one.address], { folder: repository, home: "eve" });
      expect(refused.code).not.toBe(0);
      const asked = await mesh.otto(["status", "--peer", one.address], { home: "eve" });
      expect(asked.code).not.toBe(0);
    }
    const here = await mesh.otto(["submit", ...node()], { folder: repository, home: "eve" });
    expect(here).toMatchObject({ code: 3, stderr: expect.stringContaining("revoked") as string });
    expect((await mesh.succeed(["revoke", ...node()])).stdout).toContain(`eve (${eve})`);
    const again = await mesh.otto(["revoke", "eve", ...node()]);
    expect(again.stderr).toContain("that peer is revoked already");
  });

  it("does not come back with a new invite and the old key", async () => {
    const code = await mesh.invite(control(), ["--role", "person"]);
    expect((await mesh.otto(["join", code], { home: "eve" })).code).not.toBe(0);
  });
});

it("a control peer is not revoked while the charter names it", async () => {
  const refused = await mesh.otto(["revoke", "control-2", ...node()]);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain("otto control replace");
});

it("a worker was told who is revoked, and knows it with no control peer left to ask", async () => {
  const gone = await revokedBy(control());
  const worker = mesh.workers.find(({ peer }) => !gone.includes(peer));
  if (worker === undefined) throw new Error("Every worker was revoked.");
  await Promise.all(mesh.controls.map((one) => one.kill()));
  await eventually(
    "it answers by itself",
    () => worker.peers(),
    ({ peers }) => peers.every(({ state }) => state !== "linked"),
  );
  expect([...(await revokedBy(worker))].sort()).toEqual([...gone].sort());
});
