/**
 * Worlds of one seed after another, in this process, until a share of a processor's time is used up. What breaks a promise
 * is made small and kept.
 *
 *   node simulations/seeds.ts --first SEED [--every 1] [--cpu-seconds N | --count N] [--found FOLDER]
 *
 * The last line is what it came to, as JSON. Exit codes: 0 every promise held, 1 one was broken.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { allCheckers } from "./checkers/all.ts";
import { wordsOf } from "./command-words.ts";
import { keptText } from "./kept.ts";
import { hashOf } from "./random.ts";
import { faultKindsOf } from "./schedule.ts";
import { shrink } from "./shrink.ts";
import { runWorld, type WorldResult } from "./world.ts";

/** What was found is made small only so often: one mistake breaks many worlds. */
const shrunkMax = 3;

export type SeedTotals = {
  readonly seeds: number;
  readonly violations: number;
  readonly messages: number;
  readonly nodeHours: number;
  readonly cpuSeconds: number;
};

export type SeedOptions = {
  readonly first: number;
  /** Only each so many-th seed: others run the rest. */
  readonly every: number;
  /** Ends with the first world after so much time of a processor. */
  readonly cpuSecondsMax: number;
  readonly countMax: number;
  /** A folder for what was found; null: it is told and not made small. */
  readonly found: string | null;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const usage =
    "Usage: seeds.ts --first SEED [--every N] (--cpu-seconds N | --count N) [--found FOLDER to keep what is found].";
  const { values } = wordsOf(usage, {
    options: {
      first: { type: "string", default: "1" },
      every: { type: "string", default: "1" },
      "cpu-seconds": { type: "string" },
      count: { type: "string" },
      found: { type: "string" },
    },
  });
  const totals = await runSeeds({
    first: Number(values.first),
    every: Number(values.every),
    cpuSecondsMax: Number(values["cpu-seconds"] ?? Infinity),
    countMax: Number(values.count ?? Infinity),
    found: values.found ?? null,
  });
  console.log(JSON.stringify(totals));
  process.exitCode = totals.violations > 0 ? 1 : 0;
}

/** A seed that nobody has tried: of this version of the code and of this moment, or of the version alone. */
export function seedOf(version: string, moment: string | null): number {
  return 1_000_000 + (hashOf(version, moment ?? "") % 1_000_000_000);
}

export async function runSeeds(options: SeedOptions): Promise<SeedTotals> {
  const cpuAtStart = process.cpuUsage();
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage(cpuAtStart);
    return (user + system) / 1_000_000;
  };
  let violations = 0;
  let messages = 0;
  let peerUs = 0;
  let seeds = 0;
  // The time of making things small is not counted among that of the seeds.
  let shrinkingSeconds = 0;
  const spentSeconds = (): number => cpuSeconds() - shrinkingSeconds;
  for (; seeds < options.countMax && spentSeconds() < options.cpuSecondsMax; seeds += 1) {
    const seed = options.first + seeds * options.every;
    const result = await runWorld({ seed, checkers: allCheckers(), encoded: seed % 8 === 0 });
    messages += result.messages;
    peerUs += result.virtualUs * result.peers;
    if (result.violation === null) continue;
    violations += 1;
    tell(result);
    const beganSeconds = cpuSeconds();
    if (options.found !== null && violations <= shrunkMax) await keep(options.found, result);
    shrinkingSeconds += cpuSeconds() - beganSeconds;
  }
  return { seeds, violations, messages, nodeHours: peerUs / 3_600_000_000, cpuSeconds: spentSeconds() };
}

function tell({ seed, violation, schedule }: WorldResult): void {
  const lost = schedule.lost.length > 0 ? `, lost ${schedule.lost.join(" ")}` : "";
  console.log(
    `seed ${seed} (${faultKindsOf(schedule).join(" ") || "no faults"}${lost}): ${violation?.message ?? ""}`,
  );
  console.log(`  again: node simulations/replay.ts ${seed} --trace`);
}

async function keep(folder: string, { seed, schedule }: WorldResult): Promise<void> {
  const shrunk = await shrink(schedule);
  if (shrunk === null) return;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `seed-${seed}.json`);
  writeFileSync(file, keptText(shrunk.schedule));
  const { faults, peers } = shrunk.schedule;
  const left = `${faults.length} of ${schedule.faults.length} faults and ${peers.length} of ${schedule.peers.length} peers are left`;
  console.log(`  made small: node simulations/replay.ts ${relative("", file)} --trace (${left})`);
}
