/**
 * Two domains in one mesh: a plan of dev has a step in production, which is ops's. Dev releases it, ops judges it by its own policy
 * and runs it on its own workers, and neither trusts a single server of the other.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openIdentity } from "../../node/edge/identity.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let dev: Mesh;
let ops: Mesh;
let repository: string;

function first(mesh: Mesh): MeshNode {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  return control;
}

const node = (mesh: Mesh): readonly string[] => ["--node", first(mesh).folder];

async function trusts(mesh: Mesh, other: Mesh): Promise<void> {
  const { stdout } = await other.succeed(["domain", "card", ...node(other)]);
  await mesh.succeed(["domain", "trust", stdout.trim(), ...node(mesh)]);
}

async function personJoins(mesh: Mesh, home: string): Promise<string> {
  const code = await mesh.invite(first(mesh), ["--role", "person"]);
  await mesh.succeed(["join", code], { home });
  return openIdentity(join(mesh.folder, home, "person.key")).peer;
}

const gates = async (): Promise<readonly { run: string; missing: readonly string[] }[]> => {
  const { stdout } = await ops.succeed(["gate", "ls", "--json", ...node(ops)]);
  return stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { run: string; missing: readonly string[] });
};

beforeAll(async () => {
  [dev, ops] = await Promise.all([
    Mesh.found({ controls: 1, workers: [[]] }),
    Mesh.found({ controls: 1, workers: [[]], domain: "ops" }),
  ]);
  const mia = await personJoins(ops, "mia");
  const policy = join(ops.folder, "policy.yaml");
  writeFileSync(
    policy,
    `otto-policy: 1
people: { mia: ${mia} }
environments:
  production: { refs: [main, master], approve: { count: 1, by: [mia] }, checks: [build] }
`,
  );
  await ops.succeed(["policy", "set", policy, ...node(ops)]);
  repository = dev.repository(
    "both",
    `  build:
    run: echo one > out
    outputs: { out: out }
  deploy:
    environment: production
    inputs: { out: build.out }
    run: cat out && echo live > state
    outputs: { state: state }
  after:
    inputs: { state: deploy.state }
    run: cat state
environments: { production: { domain: ops } }
`,
  );
});
afterAll(async () => {
  await dev?.end();
  await ops?.end();
});

describe("a step in another domain's environment", () => {
  it("is refused while that domain is not known", async () => {
    const refused = await dev.otto(["submit", ...node(dev)], { folder: repository });
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain("does not know");
  });

  it("is refused by a domain that does not trust the one that releases it", async () => {
    await trusts(dev, ops);
    const run = await dev.submit(repository, first(dev));
    const watch = first(dev).watch(run);
    const waiting = await watch.event("step-waiting");
    expect(waiting).toMatchObject({ step: "deploy" });
    expect(await gates()).toEqual([]);
    await dev.succeed(["cancel", run, ...node(dev)]);
    expect(await watch.closed()).toBe("cancelled");
  });

  it("is run there once its gate is open, and what it made comes back", async () => {
    await trusts(ops, dev);
    const run = await dev.submit(repository, first(dev));
    const watch = first(dev).watch(run);
    const [gate] = await eventually("the gate of ops is closed", gates, (all) => all.length > 0);
    expect(gate?.missing).toEqual(["0 of 1 approvals of mia"]);
    await ops.succeed(["approve", gate?.run ?? "", ...node(ops)], { home: "mia" });
    expect(await watch.closed()).toBe("passed");
    expect(watch.output("after")).toBe("live\n");
    const verified = await dev.succeed(["verify", run, ...node(dev)]);
    expect(verified.stdout).toContain("kept to its plan");
    const there = await ops.succeed(["verify", gate?.run ?? "", ...node(ops)]);
    expect(there.stdout).toContain("kept to its plan");
    const logs = await ops.succeed(["logs", gate?.run ?? "", "deploy", ...node(ops)]);
    expect(logs.stdout).toContain("one\n");
  });

  it("is refused by that domain's policy, and the run here says why", async () => {
    const branch = dev.repository(
      "branch",
      `  deploy:
    environment: production
    run: 'true'
environments: { production: { domain: ops } }
`,
    );
    const run = await dev.submit(branch, first(dev));
    const watch = first(dev).watch(run);
    expect(await watch.closed()).toBe("failed");
    expect(await watch.event("step-settled")).toMatchObject({
      outcome: "failed",
      detail: expect.stringContaining("needs no step that is called build") as string,
    });
  });
});
