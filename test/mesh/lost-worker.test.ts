/** Workers that vanish, freeze or are asked to stop: the step goes elsewhere, and one result counts. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";
import type { Watch } from "./watch.ts";

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 1,
    workers: [
      ["--slots", "1"],
      ["--slots", "1"],
    ],
  });
});
afterAll(() => mesh?.end());

/** Submits one step and waits until its first attempt runs: the watch, its worker, and the other one. */
async function caught(
  name: string,
  step: string,
  more = "",
): Promise<{ run: string; watch: Watch; first: MeshNode; second: MeshNode }> {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  const run = await mesh.submit(mesh.repository(name, `  one:\n    run: "${step}"\n${more}`), control);
  const watch = control.watch(run);
  const { worker } = await watch.event("attempt-started");
  const first = mesh.workers.find(({ peer }) => peer === worker);
  const second = mesh.workers.find(({ peer }) => peer !== worker);
  if (first === undefined || second === undefined) throw new Error(`No worker is ${worker}.`);
  return { run, watch, first, second };
}

const mine = (attempt: number) => (event: { readonly attempt: number }) => event.attempt === attempt;

it("kill -9 of a worker: attempt 1 is lost, attempt 2 counts once, no process of the step is left", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const step = `sleep 600 & echo $OTTO_ATTEMPT $$ > ${mailbox.path}; read -r _ < ${gate.path}`;
  const { run, watch, first, second } = await caught("killed", step);
  await mailbox.line(/^1 /u);
  expect(first.stepProcesses.length).toBeGreaterThan(1);
  await first.kill();
  await first.stepsAreGone();
  await mailbox.line(/^2 /u);
  gate.open();
  expect(await watch.closed()).toBe("passed");
  expect(await watch.event("attempt-ended", mine(1))).toMatchObject({ cause: "lost", final: false });
  const ended = watch.events.filter((event) => event.kind === "attempt-ended");
  expect(ended).toHaveLength(2);
  expect(ended[1]).toMatchObject({ attempt: 2, cause: "finished", final: true, worker: second.peer });
  const { stdout } = await mesh.succeed(["status", run, "--node", second.folder]);
  expect(stdout).toContain("lost: nothing was heard of its worker in time");
  await first.restart();
});

it("SIGSTOP past the lease, the step still running: it is killed when its worker learns of attempt 2", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const { watch, first } = await caught(
    "frozen",
    `echo $OTTO_ATTEMPT $$ > ${mailbox.path}; read -r _ < ${gate.path}`,
  );
  await mailbox.line(/^1 /u);
  first.pause();
  await watch.event("attempt-ended", mine(1));
  await mailbox.line(/^2 /u);
  expect(first.stepProcesses).not.toEqual([]);
  first.resume();
  expect(await watch.event("result-refused")).toMatchObject({ attempt: 1, outcome: "cancelled" });
  await first.stepsAreGone();
  gate.open();
  expect(await watch.closed()).toBe("passed");
  expect(await watch.event("attempt-ended", mine(2))).toMatchObject({ cause: "finished", final: true });
});

it("SIGSTOP past the lease, a step with a lock: it is ended in time all the same, and attempt 2 runs alone", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const step = `echo $OTTO_ATTEMPT $$ > ${mailbox.path}; read -r _ < ${gate.path}`;
  const { watch, first } = await caught("locked", step, "    lock: one\n");
  await mailbox.line(/^1 /u);
  first.pause();
  await first.stepsAreGone();
  expect(watch.events.filter(({ kind }) => kind === "attempt-started")).toHaveLength(1);
  await mailbox.line(/^2 /u);
  first.resume();
  gate.open();
  expect(await watch.closed()).toBe("passed");
  expect(await watch.event("attempt-ended", mine(1))).toMatchObject({ cause: "lost" });
  expect(await watch.event("attempt-ended", mine(2))).toMatchObject({ cause: "finished", final: true });
});

it("SIGSTOP past the lease, the step ended meanwhile: its late result is refused and recorded", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const { run, watch, first, second } = await caught(
    "late",
    `echo $OTTO_ATTEMPT $$ > ${mailbox.path}; read -r _ < ${gate.path}`,
  );
  await mailbox.line(/^1 /u);
  first.pause();
  gate.open();
  await first.stepsAreGone();
  await mailbox.line(/^2 /u);
  first.resume();
  expect(await watch.event("result-refused")).toMatchObject({
    attempt: 1,
    outcome: "passed",
    worker: first.peer,
  });
  gate.open();
  expect(await watch.closed()).toBe("passed");
  const ended = watch.events.filter((event) => event.kind === "attempt-ended");
  expect(ended.map(({ attempt, cause }) => [attempt, cause])).toEqual([
    [1, "lost"],
    [2, "finished"],
  ]);
  const { stdout } = await mesh.succeed(["status", run, "--node", second.folder]);
  expect(stdout).toContain("a late result (passed) was refused");
});

it("SIGTERM of a worker: it gives its step back and another runs it", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const { watch, first, second } = await caught(
    "stopped",
    `echo $OTTO_ATTEMPT $$ > ${mailbox.path}; read -r _ < ${gate.path}`,
  );
  await mailbox.line(/^1 /u);
  first.program.signal("SIGTERM");
  expect(await first.program.ended).toMatchObject({ code: 0, stderr: "" });
  expect(first.stepProcesses).toEqual([]);
  expect(await watch.event("attempt-ended", mine(1))).toMatchObject({ cause: "released", final: false });
  await mailbox.line(/^2 /u);
  gate.open();
  expect(await watch.closed()).toBe("passed");
  expect(await watch.event("attempt-ended", mine(2))).toMatchObject({
    worker: second.peer,
    cause: "finished",
  });
  const links = async (): Promise<number> => (await mesh.controls[0]?.peers())?.peers.length ?? 0;
  await eventually("the stopped worker is no longer linked", links, (count) => count === 2);
  await first.restart();
});
