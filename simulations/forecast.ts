/**
 * What faults would do to a run: the same plan in many worlds, each once undisturbed and once with the scenario in it.
 *
 *   undisturbed:  submitted ──────────── closed                        how long it takes when nothing is wrong
 *   disturbed:    submitted ──── fault ═══════════════ healed ── closed
 *                                        └ closed in here: it finishes though the fault goes on
 *                                                           └ closed only now: it stalls while the fault lasts
 */

import type { Plan } from "../protocol/plan.ts";
import { allCheckers } from "./checkers/all.ts";
import { calmWorld, type Mesh } from "./mesh.ts";
import type { Checker, Observation, Violation } from "./observation.ts";
import { hashBetween } from "./random.ts";
import { type Scenario, upgradesLastUs, type Window, withScenario } from "./scenarios.ts";
import type { Schedule } from "./schedule.ts";
import { runWorld } from "./world.ts";

/** How one run came out. */
export type Fate = {
  readonly seed: number;
  readonly end:
    | "finished"
    /** It went on only when the fault was over. */
    | "stalled"
    /** It ended as failed, or cancelled, which it did not undisturbed. */
    | "failed"
    /** It had not ended long after the fault was over. */
    | "open";
  /** From the moment that it was submitted; null when it never ended. */
  readonly tookMs: number | null;
  readonly undisturbedMs: number;
  /** Steps that ended because their worker was lost, and were not tried again. */
  readonly lostSteps: number;
  readonly violation: Violation | null;
  /** The disturbed world, to run it again. */
  readonly schedule: Schedule;
};

type Ended = {
  readonly outcome: string | null;
  readonly tookMs: number | null;
  readonly lostSteps: number;
  readonly violation: Violation | null;
};

/** Shortest time that a fault lasts: longer than leases and elections, so that what survives shows it. */
const faultMsMin = 60_000;

/** The undisturbed world of a seed is asked for by every scenario, and run once. */
export type Undisturbed = Map<number, Ended>;

export async function fateOf(
  mesh: Mesh,
  plan: Plan,
  seed: number,
  scenario: Scenario,
  undisturbed: Undisturbed,
): Promise<Fate> {
  const world = calmWorld(mesh, plan, seed);
  const calm = world.schedule;
  const before = undisturbed.get(seed) ?? (await endOf(calm));
  undisturbed.set(seed, before);
  const undisturbedMs = before.tookMs ?? 0;
  if (before.tookMs === null || before.violation !== null)
    return { seed, end: "open", undisturbedMs, ...before, schedule: calm };
  const window = windowOf(mesh, scenario, calm, undisturbedMs);
  const schedule = withScenario(world, scenario, window);
  const after = await endOf(schedule);
  return { seed, undisturbedMs, ...after, end: judge(after, before, window, submitUsOf(calm)), schedule };
}

function judge({ outcome, tookMs }: Ended, before: Ended, window: Window, submitUs: number): Fate["end"] {
  if (outcome === null || tookMs === null) return "open";
  if (outcome !== before.outcome) return "failed";
  return submitUs + tookMs * 1_000 > window.fromUs + window.lastsUs ? "stalled" : "finished";
}

/** A fault begins at any moment of the run, and lasts until the run would have ended twice. */
function windowOf(mesh: Mesh, { name }: Scenario, calm: Schedule, undisturbedMs: number): Window {
  const part = hashBetween(2, 95, calm.seed, name, "begins") / 100;
  const begins = name === "slow-worker" || name === "flaky-network" ? 0 : part;
  const fromUs = submitUsOf(calm) + 1_000_000 + Math.round(undisturbedMs * 1_000 * begins);
  const longMs = 2 * undisturbedMs + faultMsMin + 3 * mesh.leaseMs;
  // A slow worker is slow for as long as it takes.
  const lastsMs = name === "slow-worker" ? longMs * 20 : longMs;
  const upgradesUs = name === "rolling-upgrade" ? upgradesLastUs(calm.peers.length) : 0;
  return { fromUs, lastsUs: Math.max(Math.round(lastsMs * 1_000), upgradesUs) };
}

function submitUsOf({ runs }: Schedule): number {
  return runs[0]?.submitUs ?? 0;
}

/** Runs a world until its run is closed. */
async function endOf(schedule: Schedule): Promise<Ended> {
  const seen = new Seen();
  const { violation } = await runWorld({
    schedule,
    // How often a message is repeated is asked elsewhere; an outage of many leases is far beyond what it allows for.
    checkers: [...allCheckers().filter(({ name }) => name !== "storms"), seen],
    encoded: false,
    done: () => seen.closedUs !== null,
  });
  const { outcome, closedUs, lostSteps } = seen;
  const tookMs = closedUs === null ? null : Math.round((closedUs - submitUsOf(schedule)) / 1_000);
  // That a run is not over in time is an answer here, and no broken promise.
  const broken = violation?.checker === "progress" ? null : violation;
  return { outcome, tookMs, lostSteps: lostSteps.size, violation: broken };
}

class Seen implements Checker {
  readonly name = "seen";
  readonly lostSteps = new Set<string>();
  outcome: string | null = null;
  closedUs: number | null = null;

  observe(observation: Observation): void {
    if (observation.kind !== "recorded") return;
    for (const event of observation.events) {
      if (
        event.kind === "attempt-ended" &&
        event.final &&
        (event.cause === "lost" || event.cause === "released")
      )
        this.lostSteps.add(event.step);
      if (event.kind !== "run-closed" || this.closedUs !== null) continue;
      this.outcome = event.outcome;
      this.closedUs = observation.atUs;
    }
  }

  finish(): void {
    // What must be so in the end is asked by others.
  }
}

/** A distribution, in parts of all runs. */
export type Distribution = {
  readonly runs: number;
  readonly finished: number;
  readonly stalled: number;
  readonly failed: number;
  readonly open: number;
  readonly runsThatLostSteps: number;
  /** Of the runs that ended, whatever the fault did; null when none did. */
  readonly tookMs: Quantiles | null;
  readonly undisturbedMs: Quantiles | null;
};

type Quantiles = {
  /** The middle one; of one run it is that run. */
  readonly p50: number;
  /** Null for fewer than twenty: see `quantiles`. */
  readonly p95: number | null;
  readonly slowest: number;
};

export function distributionOf(fates: readonly Fate[]): Distribution {
  const count = (end: Fate["end"]): number => fates.filter((fate) => fate.end === end).length;
  return {
    runs: fates.length,
    finished: count("finished"),
    stalled: count("stalled"),
    failed: count("failed"),
    open: count("open"),
    runsThatLostSteps: fates.filter(({ lostSteps }) => lostSteps > 0).length,
    tookMs: quantiles(fates.flatMap(({ tookMs }) => (tookMs === null ? [] : [tookMs]))),
    undisturbedMs: quantiles(fates.map(({ undisturbedMs }) => undisturbedMs)),
  };
}

/** One in twenty is later than the 95th percentile: of fewer runs than twenty nobody can be that one, and only the slowest is told. */
const runsForP95 = 20;

function quantiles(values: readonly number[]): Quantiles | null {
  const sorted = values.toSorted((left, right) => left - right);
  const slowest = sorted.at(-1);
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
  if (slowest === undefined) return null;
  return { p50: at(0.5), p95: sorted.length < runsForP95 ? null : at(0.95), slowest };
}
