/** A domain that can decide nothing now: what is said to whoever submits there, and what becomes of the run. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;
let repository: string;
let left: MeshNode;
let away: readonly MeshNode[];

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [["--slots", "1"]] });
  const [first, ...others] = mesh.controls;
  if (first === undefined) throw new Error("The mesh has no control peer.");
  await first.program.said(/Domain dev is complete/u);
  left = first;
  away = others;
  repository = mesh.repository("kept", "  one:\n    run: 'true'\n");
  for (const one of away) await one.kill();
  const states = async (): Promise<readonly string[]> =>
    (await left.peers()).peers.filter(({ role }) => role === "control").map(({ state }) => state);
  await eventually("the others are seen to be gone", states, (all) => !all.includes("linked"));
});
afterAll(() => mesh?.end());

const alone =
  "otto: Nothing can be decided now: fewer than a majority of the control peers are reachable (1 of 3; it takes 2).\n";

it("one Ctrl-C or SIGTERM is enough to leave a run that is watched there, and the state of the run is said", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const words = ["submit", "--watch", "--node", left.folder];
    const program = mesh.start(words, { folder: repository });
    const [, run = ""] = await program.said(/\(run (\w+)\)/u);
    program.signal(signal);
    const ended = await program.ended;
    expect(ended).toMatchObject({ code: 5, signal: null });
    expect(ended.stderr.startsWith(alone), ended.stderr).toBe(true);
    expect(ended.stderr).toContain(
      `otto: Run ${run} could not be cancelled. Nothing can be decided now: fewer than a majority`,
    );
    expect(ended.stderr).toContain("It is kept where it was submitted, and may still begin.");
    expect(ended.stderr).toContain(
      `Next: When a majority is back: otto cancel ${run} --node ${left.folder}\nCode: OTTO_UNREACHABLE`,
    );
  }
});

it("a submission is kept, says that nothing can be decided and what to do, and runs when a majority is back", async () => {
  const submitted = await mesh.succeed(["submit", "--node", left.folder], { folder: repository });
  const [, run = ""] = /^Submitted run (\w+)/u.exec(submitted.stdout) ?? [];
  expect(submitted.stderr.startsWith(alone), submitted.stderr).toBe(true);
  expect(submitted.stderr).toContain(
    `Run ${run} is kept by the peer that was asked, and is admitted when a majority is back within 1 d;`,
  );
  expect(submitted.stderr).toContain(`Next: Start the control peers that are missing: \`otto peers --node `);
  await away[0]?.restart();
  await eventually(
    "the run has passed",
    async () => (await mesh.status(run, left)).state,
    (state) => state === "passed",
  );
  const again = await mesh.succeed(["submit", "--watch", "--node", left.folder], { folder: repository });
  expect(again.stderr).toBe("");
});

it("a worker that reaches no control peer says so, and keeps the run", async () => {
  const [worker] = mesh.workers;
  if (worker === undefined) throw new Error("The mesh has no worker.");
  for (const control of [left, away[0]]) await control?.kill();
  const isAlone = async (): Promise<boolean> =>
    (await worker.peers()).peers.every(({ state }) => state !== "linked");
  await eventually("the worker is alone", isAlone, (is) => is);
  const submitted = await mesh.succeed(["submit", "--node", worker.folder], { folder: repository });
  expect(submitted.stderr).toContain("no control peer is reachable from the node that was asked.\nRun ");
});
