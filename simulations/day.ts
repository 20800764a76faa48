/**
 * A day of a large mesh: workers come and go, control peers are started anew, people submit runs and standing orders fire,
 * one hour like the other. What a process holds may follow what it has to do; it may not follow the time that went by.
 *
 *   node simulations/day.ts [hours] [peers] [seed]
 *
 * Exit codes: 0 nothing grew, 1 something did.
 */

import { fileURLToPath } from "node:url";
import { limits } from "../protocol/limits.ts";
import { endWith, wordsOf } from "./command-words.ts";
import type { Fault } from "./faults.ts";
import type { PeerName } from "./observation.ts";
import type { Peer } from "./peer.ts";
import { Chance } from "./random.ts";
import type { Schedule, ScheduledRun } from "./schedule.ts";
import { type Sizes, sizesOf } from "./sizes.ts";
import { randomOrderedPlan, randomPlan } from "./workload.ts";
import { runWorld } from "./world.ts";

const controls = 5;
const minuteUs = 60_000_000;
/** The last part of each hour in which nothing is submitted or breaks: what is left over then is looked at. */
const quiet = 0.4;
const stepsPerRun = 5;

export type DayOptions = {
  readonly seed: number;
  readonly hours: number;
  /** How long an hour of this day is: a short one has short hours. */
  readonly minutesPerHour: number;
  /** Five of them control peers. */
  readonly peers: number;
  readonly runsPerHour: number;
};

export type DayResult = {
  readonly verdict: string;
  /** Collections that grew with time, in words. */
  readonly grown: readonly string[];
  /** The largest size that any peer of a role had at the end of each hour, by role and path. */
  readonly sizes: ReadonlyMap<string, readonly number[]>;
  readonly messages: number;
  readonly nodeHours: number;
};

export async function runDay(options: DayOptions): Promise<DayResult> {
  const sizes = new Map<string, number[]>();
  let samples = 0;
  const take = (peers: readonly Peer[]): void => {
    for (const [path, size] of largest(peers)) {
      const before = sizes.get(path) ?? Array.from({ length: samples }, () => 0);
      sizes.set(path, [...before, size]);
    }
    samples += 1;
  };
  const result = await runWorld({
    schedule: daySchedule(options),
    checkers: [],
    encoded: false,
    happeningsMax: Number.MAX_SAFE_INTEGER,
    sample: { everyUs: options.minutesPerHour * minuteUs, take },
  });
  const whole = new Map(
    [...sizes].map(([path, seen]) => [path, [...seen, ...Array<number>(samples - seen.length).fill(0)]]),
  );
  const grown = [...whole]
    .filter(([path, seen]) => growsIn(seen) && !isKnown(path, seen))
    .map(([path, seen]) => `${path}: ${seen.join(" ")}`);
  const nodeHours = (result.virtualUs * result.peers) / (60 * minuteUs);
  const verdict = result.violation?.message ?? result.verdict;
  return { verdict, grown, sizes: whole, messages: result.messages, nodeHours };
}

/** What is known to follow the time: where its path has this in it, and up to what size. */
const known: readonly (readonly [part: string, most: number])[] = [
  /** Full only after longer than a day. */
  ["control #reign.#accepted.#", limits.leasesRememberedMax],
  ["worker #begun.#", limits.leasesRememberedMax],
  ["worker #bundles[].manifest.plan.steps", limits.bundlesKeptMax * stepsPerRun],
  ["control #submissions.backlog.#archived", limits.openRunsMax],
  /** One for each process that was ever home. */
  ["history.#heads", Infinity],
  ["history.#tree", Infinity],
];

function isKnown(path: string, seen: readonly number[]): boolean {
  const found = known.find(([part]) => path.includes(part));
  return found !== undefined && seen.every((size) => size <= found[1]);
}

/** The first hour is left out: what is filled up to its bound, or once, is full by then. */
const hoursUntilFull = 1;
/** So much is no growth, whatever its direction: a run more or less that is open, a worker more that is there. */
const noise = 3;

/**
 * True when the slope in the middle of all pairs of hours is upwards, by more than noise, and more pairs rise than chance explains.
 *
 * @source H. B. Mann, "Nonparametric tests against trend", Econometrica 13, 1945; P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968.
 */
export function growsIn(sizes: readonly number[]): boolean {
  const seen = sizes.slice(hoursUntilFull);
  if (seen.length < 2) return false;
  const slopes: number[] = [];
  let rising = 0;
  for (const [from, one] of seen.entries())
    for (const [further, other] of seen.slice(from + 1).entries()) {
      slopes.push((other - one) / (further + 1));
      rising += Math.sign(other - one);
    }
  const over = middle(slopes) * (seen.length - 1);
  if (over <= Math.max(noise, 0.1 * middle(seen))) return false;
  // What swings without growing has a slope, too: one that chance alone would show once in a hundred tables is none.
  const { length } = seen;
  const deviation = Math.sqrt((length * (length - 1) * (2 * length + 5)) / 18);
  return rising - 1 > 2.33 * deviation;
}

function middle(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

function largest(peers: readonly Peer[]): Map<string, number> {
  const sizes = new Map<string, number>();
  const keep = (path: string, found: Sizes): void => {
    for (const [name, size] of found) {
      const at = `${path} ${name}`;
      sizes.set(at, Math.max(size, sizes.get(at) ?? 0));
    }
  };
  for (const { traits, parts } of peers) {
    if (parts === null) continue;
    keep(traits.role, sizesOf(parts.core));
    keep(`${traits.role}'s loop`, sizesOf(parts.loop));
  }
  return sizes;
}

function daySchedule({ seed, hours, minutesPerHour, peers, runsPerHour }: DayOptions): Schedule {
  const hourUs = minutesPerHour * minuteUs;
  const awayUsMax = 0.1 * hourUs;
  const chance = new Chance(seed, "day");
  const names = {
    controls: range("control", controls),
    workers: range("worker", peers - controls),
  };
  const everybody = [...names.controls, ...names.workers];
  const busyUs = (1 - quiet) * hourUs;
  const faults: Fault[] = [];
  const runs: ScheduledRun[] = [];
  for (let hour = 0; hour < hours; hour += 1) {
    const at = (): number => hour * hourUs + chance.integer(busyUs);
    for (let run = 0; run < runsPerHour; run += 1) {
      const nonce = `day${seed}-${hour}-${run}`;
      const plan = randomPlan(chance, { nonce, steps: stepsPerRun });
      const peer = chance.pick(everybody);
      const submitUs = at();
      const validForMs = Math.floor(hourUs / 2_000);
      const cancelUs = chance.percent(5) ? submitUs + chance.integer(20_000_000) : null;
      runs.push({ nonce, plan, at: peer, submitUs, validForMs, cancelUs, answers: [] });
    }
    for (const peer of names.workers) faults.push(absence(chance, peer, at(), awayUsMax));
    for (const peer of names.controls) faults.push(absence(chance, peer, at(), awayUsMax));
    faults.push({ atUs: at(), lastsUs: 8_000_000, kind: "link-down", between: ["control0", "control1"] });
  }
  const slots = [{ cron: "*/10 * * * *", missed: "latest" }] as const;
  const plan = randomOrderedPlan(chance, "nightly");
  return {
    otto: "schedule/1",
    seed,
    peers: everybody.map((name, index) => ({
      name,
      role: index < controls ? "control" : "worker",
      labels: ["gpu"],
      slots: 2,
      fastPpm: chance.between(-50, 50),
      startUs: chance.integer(300_000),
    })),
    leaseMs: 30_000,
    delayUs: [500, 30_000],
    links: [],
    clocksAreSet: false,
    steps: { failed: 5, timedOut: 1, durationMsMax: 20_000 },
    runs,
    orders: {
      given: [{ nonce: `day${seed}`, plan, at: "control0", giveUs: minuteUs, revision: 1, slots }],
      removed: [],
    },
    faults: faults.toSorted((left, right) => left.atUs - right.atUs),
    fates: [],
    overUs: hours * hourUs,
    lost: [],
  };
}

/** The process is killed, or asked to stop, and is away for a while. */
function absence(chance: Chance, peer: PeerName, atUs: number, awayUsMax: number): Fault {
  const lastsUs = chance.between(1_000_000, awayUsMax);
  return { atUs, lastsUs, kind: peer.startsWith("worker") && chance.percent(50) ? "stop" : "crash", peer };
}

function range(name: string, count: number): PeerName[] {
  return Array.from({ length: count }, (_, index) => `${name}${index}`);
}

async function main(hours: number, peers: number, seed: number): Promise<void> {
  const before = process.cpuUsage();
  const { verdict, grown, sizes, messages, nodeHours } = await runDay({
    seed,
    hours,
    minutesPerHour: 60,
    peers,
    runsPerHour: 60,
  });
  const { user, system } = process.cpuUsage(before);
  for (const [path, seen] of [...sizes].toSorted()) console.log(`${path}: ${seen.join(" ")}`);
  console.log(
    `${verdict}; ${nodeHours.toFixed(0)} node-hours, ${messages} messages, ${Math.round((user + system) / 1_000_000)} s of processor time`,
  );
  console.log(grown.length === 0 ? "nothing grew" : `grew:\n${grown.join("\n")}`);
  process.exitCode = grown.length === 0 && verdict === "passed" ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const usage = "Usage: day.ts [HOURS] [PEERS] [SEED]; 24, 100 and 1 unless they are said.";
  const { positionals } = wordsOf(usage, { allowPositionals: true, options: {} });
  const [hours = 24, peers = 100, seed = 1] = positionals.map(Number);
  if ([hours, peers, seed].some(Number.isNaN)) endWith(usage, "One of these is no number");
  await main(hours, peers, seed);
}
