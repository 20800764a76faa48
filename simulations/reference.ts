/**
 * The reference workload: what the speed of worlds is measured on, and how it grows with the mesh.
 *
 * A domain in the middle of its day: runs of ten steps, one for each worker in twenty seconds, and something goes wrong
 * every few seconds: to links, processes and disks; nobody lies, and nobody is lost for good. The prototype was measured
 * with ten steps in all, which is `runs: 1`: most of that is what peers say to each other while nothing is to be done.
 */

import type { FaultKind } from "./faults.ts";
import { faultsOver } from "./mixes.ts";
import type { PeerName } from "./observation.ts";
import { Chance } from "./random.ts";
import type { Schedule, ScheduledPeer, ScheduledRun } from "./schedule.ts";
import { randomPlan } from "./workload.ts";

const stepsPerRun = 10;
const runEveryUs = 20_000_000;
const faultEveryUs = 3_000_000;

const kinds: readonly FaultKind[] = [
  "partition",
  "link-down",
  "one-way",
  "loss",
  "clog",
  "slow-network",
  "crash",
  "fuse",
  "pause",
  "stop",
  "suspend",
  "slow-disk",
];

export type ReferenceSize = {
  readonly seed: number;
  readonly controls: number;
  readonly workers: number;
  /** How long faults last and runs are submitted; then everything is healed and comes to its end. */
  readonly seconds: number;
  /** By default one for each worker in twenty seconds. */
  readonly runs?: number;
};

export function referenceSchedule({ seed, controls, workers, seconds, ...size }: ReferenceSize): Schedule {
  const chance = new Chance(seed, "reference");
  const overUs = seconds * 1_000_000;
  const names = { controls: range("control", controls), workers: range("worker", workers) };
  const everybody = [...names.controls, ...names.workers];
  const runs: ScheduledRun[] = [];
  const runCount = size.runs ?? Math.ceil((workers * overUs) / runEveryUs);
  for (let run = 0; run < runCount; run += 1) {
    const nonce = `reference${seed}-${run}`;
    const plan = randomPlan(chance, { nonce, steps: stepsPerRun });
    runs.push({
      nonce,
      plan,
      at: chance.pick(everybody),
      submitUs: chance.integer(overUs),
      cancelUs: null,
      answers: [],
    });
  }
  return {
    otto: "schedule/1",
    seed,
    peers: everybody.map((name, index) => ({
      ...peerOf(chance, name, index < controls ? "control" : "worker"),
      startUs: chance.integer(300_000),
    })),
    leaseMs: 6_000,
    delayUs: [500, 5_000],
    links: [],
    clocksAreSet: false,
    steps: { failed: 5, timedOut: 1, durationMsMax: 2_000 },
    runs,
    orders: null,
    faults: faultsOver(chance, names, {
      overUs,
      count: Math.floor(overUs / faultEveryUs),
      of: kinds,
    }),
    fates: [],
    overUs,
    lost: [],
  };
}

function peerOf(chance: Chance, name: PeerName, role: ScheduledPeer["role"]): Omit<ScheduledPeer, "startUs"> {
  return { name, role, labels: ["gpu"], slots: 2, fastPpm: chance.between(-5_000, 5_000) };
}

function range(name: string, count: number): PeerName[] {
  return Array.from({ length: count }, (_, index) => `${name}${index}`);
}
