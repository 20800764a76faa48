/** Control peers that vanish: another takes over, nothing accepted is lost, and without a majority nothing is granted. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { reofferAfterMs } from "../../node/core/leases.ts";
import type { Event } from "../../protocol/events.ts";
import { Mesh, type MeshNode, type RunStatus } from "./mesh.ts";
import { eventually } from "./program.ts";

const leaseSeconds = 2;
const leaseOverMs = reofferAfterMs(leaseSeconds * 1_000);

let mesh: Mesh;

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 3,
    workers: [
      ["--slots", "2"],
      ["--slots", "2"],
    ],
  });
});
afterAll(() => mesh?.end());

type Ended = Extract<Event, { kind: "attempt-ended" }>;

/** What was accepted of each step: the attempt that decided, and under which token. */
function accepted(events: readonly Event[]): Map<string, string> {
  const finals = events.filter((event): event is Ended => event.kind === "attempt-ended" && event.final);
  return new Map(finals.map(({ step, attempt, token, worker }) => [step, `${attempt}/${token}/${worker}`]));
}

function others(node: MeshNode): readonly MeshNode[] {
  return mesh.controls.filter((control) => control !== node);
}

it("kill -9 of the home under load: every run finishes, what was accepted stays, and the killed one converges", async () => {
  await mesh.controls[0]?.program.said(/Domain dev is complete: all of its 3 control peers/u);
  const home = await mesh.home();
  const [near, far] = others(home);
  if (near === undefined || far === undefined)
    throw new Error("The mesh has fewer than three control peers.");
  const gate = mesh.gate();
  const cells = Array.from({ length: 60 }, (_, cell) => cell).join(", ");
  const step = `  short:\n    matrix: { cell: [${cells}] }\n    run: "read -r _ < ${gate.path}"\n`;
  const long = mesh.repository("long", step);
  const chain = mesh.repository(
    "chain",
    "  a:\n    run: 'true'\n  b:\n    needs: a\n    run: 'true'\n  c:\n    needs: b\n    run: 'true'\n",
  );
  const run = await mesh.submit(long, near);
  const before = home.watch(run);
  gate.open(20);
  const many = (count: number): boolean => count >= 20;
  await eventually("twenty steps are accepted", () => accepted(before.events).size, many);
  // In the middle of it, with results on their way and more runs coming in, the home dies.
  const more = [far, near, mesh.workers[0] ?? far].map((node) => mesh.submit(chain, node));
  await Promise.race(more);
  gate.open(20);
  await home.kill();
  const toldBefore = accepted(before.events);
  gate.open(100);
  const runs = [run, ...(await Promise.all(more))];
  for (const each of runs) expect(await near.watch(each).closed()).toBe("passed");
  const later = near.watch(run);
  await later.closed();
  const toldAfter = accepted(later.events);
  expect(toldAfter.size).toBe(60);
  for (const [step, attempt] of toldBefore) expect([step, toldAfter.get(step)]).toEqual([step, attempt]);
  expect((await mesh.home(others(home))).peer).not.toBe(home.peer);

  await home.restart();
  for (const each of runs) {
    const told = await mesh.status(each, near);
    const same = (status: RunStatus): boolean => JSON.stringify(status) === JSON.stringify(told);
    await eventually(`the restarted peer tells the same of ${each}`, () => mesh.status(each, home), same);
  }
});

it("two of three gone: nothing is granted, a running step goes on, and its result counts when one returns", async () => {
  const home = await mesh.home();
  const [first, second] = others(home);
  if (first === undefined || second === undefined)
    throw new Error("The mesh has fewer than three control peers.");
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const slow = `echo $OTTO_STEP > ${mailbox.path}; read -r _ < ${gate.path}; echo ended > ${mailbox.path}`;
  const running = await mesh.submit(mesh.repository("running", `  slow:\n    run: "${slow}"\n`), home);
  await mailbox.line(/slow/u);
  await Promise.all([first.kill(), second.kill()]);
  const waiting = await mesh.submit(
    mesh.repository("waiting", `  next:\n    run: echo next > ${mailbox.path}\n`),
    home,
  );
  // Longer than a lease and its grace: the time after which a majority would have offered the step again.
  const links = async (): Promise<number> =>
    (await home.peers()).peers.filter(({ state }) => state === "linked").length;
  await eventually("the home has lost the two", links, (count) => count === 2);
  const { stdout: alone } = await mesh.succeed(["peers", "--node", home.folder]);
  expect(alone).toContain("Only 1 of 3 control peers can be reached from here: nothing new is decided");
  await sleep(leaseOverMs);
  gate.open();
  await mailbox.line(/ended/u);
  expect((await mesh.status(running, home)).steps).toMatchObject([
    { name: "slow", state: "running", attempt: 1 },
  ]);
  expect((await mesh.status(waiting, home)).state).toBe("waiting");
  expect(mailbox.lines).toEqual(["slow", "ended"]);
  const unwanted = await mesh.submit(mesh.repository("unwanted", "  never:\n    run: 'true'\n"), home);
  const cancelled = await mesh.otto(["cancel", unwanted, "--node", home.folder]);
  expect(cancelled.code).toBe(5);
  expect(cancelled.stderr).toContain("no more than half of its control peers can be reached");

  await first.restart();
  for (const run of [running, waiting]) {
    const watch = home.watch(run);
    expect(await watch.closed()).toBe("passed");
    const ended = watch.events.filter((event) => event.kind === "attempt-ended");
    expect(ended.map(({ attempt, cause }) => [attempt, cause])).toEqual([[1, "finished"]]);
  }
  // "It may still be decided": the cancelling may have been dropped with the reign that it was asked of.
  expect(await home.watch(unwanted).closed()).toMatch(/^(cancelled|passed)$/u);
  await second.restart();
});
