/**
 * A schedule in a mesh of three control peers, as real processes: each slot becomes one run through the death of the home,
 * clocks that differ, and an outage of all. So that nobody waits for a minute to end, the wall clocks of the control
 * peers are set ahead: a module that is loaded before Otto's own code adds to what the machine's clock says.
 */

import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { askFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import type { RunSummary, ScheduleSeen } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import { eventually } from "./program.ts";

const clockAhead = join(import.meta.dirname, "clock-ahead-fixture.ts");
const minute = limits.minuteMs;
/** What the clocks of the three differ by. */
const skews = [0, 700, -700];

let mesh: Mesh;
let repository = "";

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [["--slots", "2"]] });
  repository = mesh.repository("nightly", "", {
    "otto.yaml": `otto: 1
pipeline: nightly
triggers: [{ schedule: "* * * * *" }]
steps: { a: { run: "true", when: 'trigger == "schedule"' } }
`,
  });
});
afterAll(() => mesh?.end());

/** How far ahead a clock is on which the next minute but `minutes` begins in so many milliseconds. */
function aheadOf(beginsInMs: number, minutes = 0): number {
  return minute - (Date.now() % minute) - beginsInMs + minutes * minute;
}

async function restart(node: MeshNode, aheadMs: number): Promise<void> {
  const skewMs = skews[mesh.controls.indexOf(node)] ?? 0;
  const environment = { NODE_OPTIONS: `--import=${clockAhead}`, CLOCK_AHEAD_MS: `${aheadMs + skewMs}` };
  await node.restart({ environment });
}

async function schedule(node: MeshNode): Promise<ScheduleSeen> {
  const channel = await connectLocally(new DataFolder(node.folder).socket);
  const { schedules } = await askFor(channel, { call: "schedules", certificate: null }, "schedules");
  const [only] = schedules;
  if (only === undefined || schedules.length > 1) throw new Error(`There are ${schedules.length} schedules.`);
  return only;
}

async function runs(node: MeshNode): Promise<readonly RunSummary[]> {
  const channel = await connectLocally(new DataFolder(node.folder).socket);
  return (await askFor(channel, { call: "status", certificate: null }, "runs")).runs;
}

/** Slots that have become runs, by the register: all that are settled but those that were missed and not made up for. */
function firedIn({ sinceMs, settledMs }: ScheduleSeen): number {
  return Math.floor(settledMs / minute) - Math.floor(sinceMs / minute);
}

it("starts each slot once though the home dies as it begins, and says what was missed when all were down", async () => {
  const [first] = mesh.controls;
  if (first === undefined) throw new Error("The mesh has no control peer.");
  const added = await mesh.succeed(["schedule", "add", "--json", "--node", mesh.workers[0]?.folder ?? ""], {
    folder: repository,
  });
  expect(JSON.parse(added.stdout)).toMatchObject({ otto: "scheduled/1", isSet: true });

  await Promise.all(mesh.controls.map((node) => node.kill()));
  const aheadMs = aheadOf(6_000);
  await Promise.all(mesh.controls.map((node) => restart(node, aheadMs)));
  const home = await mesh.home();
  await home.kill();
  const others = mesh.controls.filter((node) => node !== home);
  const [other = home] = others;
  await mesh.home(others);
  const before = await schedule(other);
  await eventually(
    "a slot has begun",
    () => schedule(other),
    ({ settledMs }) => settledMs > before.sinceMs,
  );
  await restart(home, aheadMs);
  await mesh.home();
  const passed = await eventually(
    "the run of the slot has passed, as those tell who were there",
    () => Promise.all(others.map(runs)),
    (all) => all.every((some) => some.length > 0 && some.every(({ state }) => state === "passed")),
  );
  const now = await schedule(first);
  for (const some of passed)
    expect(some.map(({ pipeline }) => pipeline)).toEqual(Array(firedIn(now)).fill("nightly"));
  expect(now.missed).toBeNull();

  await Promise.all(mesh.controls.map((node) => node.kill()));
  const later = aheadOf(minute - 20_000, 5);
  await Promise.all(mesh.controls.map((node) => restart(node, later)));
  await mesh.home();
  const made = await eventually(
    "what was missed is told",
    () => schedule(first),
    ({ missed }) => missed !== null,
  );
  expect(made.missed?.count).toBeGreaterThanOrEqual(3);
  const told = await mesh.succeed(["status", "--node", first.folder]);
  expect(told.stdout).toMatch(
    /nightly missed \d slots \(.*\), when no control peer was there to start it; the run of/u,
  );
  const one = await eventually(
    "one run has made up for it",
    () => runs(first),
    (some) => some.every(({ state }) => state === "passed") && some.length > firedIn(now),
  );
  expect(one).toHaveLength(firedIn(now) + 1);

  await mesh.succeed(["schedule", "rm", "nightly", "--node", first.folder]);
  expect((await mesh.succeed(["schedule", "ls", "--node", first.folder])).stdout).toContain("No schedules.");
  const gone = await mesh.otto(["schedule", "rm", "nightly", "--node", first.folder]);
  expect(gone).toMatchObject({ code: 2 });
  expect(gone.stderr).toContain("Code: OTTO_NO_SUCH_SCHEDULE");
});
