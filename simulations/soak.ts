/**
 * Everything that looks for broken promises, on every core, for as long as asked.
 *
 *   node simulations/soak.ts --minutes 30 [--only kept,mutants,fuzz,seeds,libp2p,day,chaos] [--first SEED] [--found FOLDER]
 *   node simulations/soak.ts --minutes 60 --only chaos --calm   real processes and no faults: what they keep in memory
 *   node simulations/soak.ts --minutes 60 --only day            a day of a hundred peers, as much of it as there is time for
 *   node simulations/soak.ts --minutes 10 --only libp2p         real libp2p in virtual time, and mistakes planted in its adapter
 *   node simulations/soak.ts --ci               what each change must pass: a minute of seeds, in a few minutes
 *   node simulations/soak.ts SEED [COUNT]       so many worlds from this seed on, in one process
 *   node simulations/soak.ts SEED trace         one of them, line by line
 *
 * Without `--only` it is all of it, but for what takes long: real libp2p and made-up bytes with `--minutes` alone, days from an hour on.
 *
 * The last line is "N passed, N failed". Exit codes: 0 every promise held, 1 one was broken, 3 something could not be run.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endWith, wordsOf } from "./command-words.ts";
import { readKept } from "./kept.ts";
import { runSeeds, seedOf } from "./seeds.ts";
import { seedWords, summaryOf } from "./summary.ts";
import { type Kind, kinds, runTask, type Task, type TaskEnd } from "./tasks.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const usage =
  `Usage: soak.ts (--minutes N | --ci) [--only some of ${kinds.join(",")}] [--first SEED] [--found FOLDER] [--calm], ` +
  "or soak.ts SEED [COUNT | trace].";

/** What each change must pass, on any number of cores. */
const ciSeedSeconds = 64;
const ciChaosSeconds = 60;
/** From so many minutes on a day is in it without being asked for. */
const longMinutes = 60;
/** More than any of them takes on a machine that is several times slower or busy. */
const taskSecondsMax = 900;
/** In a minute of a soak: hours of a day, and worlds of real libp2p. */
const dayHoursEach = 0.4;
const libp2pWorldsEach = 10;
const fuzzInputs = 1_000_000;

const { values, positionals } = wordsOf(usage, {
  allowPositionals: true,
  options: {
    minutes: { type: "string" },
    ci: { type: "boolean", default: false },
    only: { type: "string" },
    first: { type: "string" },
    found: { type: "string", default: join(folder, "found") },
    calm: { type: "boolean", default: false },
  },
});

// Ends what was started, by way of the listeners for "exit".
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

process.exitCode = await main();

async function main(): Promise<number> {
  const [seed, count = "1000"] = positionals;
  if (seed !== undefined && count === "trace")
    return (
      spawnSync(process.execPath, [join(folder, "replay.ts"), seed, "--trace"], { stdio: "inherit" })
        .status ?? 3
    );
  if (seed !== undefined) {
    const some = { first: Number(seed), every: 1, countMax: Number(count), cpuSecondsMax: Infinity };
    const totals = await runSeeds({ ...some, found: values.found });
    console.log(seedWords([totals]));
    return totals.violations > 0 ? 1 : 0;
  }
  const minutes = values.ci ? null : Number(values.minutes);
  if (Number.isNaN(minutes)) return endWith(usage, "It was not said for how long");
  const asked = values.only?.split(",") ?? kinds.filter((kind) => isUsual(kind, minutes));
  const only = asked.filter((kind): kind is Kind => (kinds as readonly string[]).includes(kind));
  const unknown = asked.find((kind) => !only.some((one) => one === kind));
  if (unknown !== undefined) return endWith(usage, `There is no kind "${unknown}"`);
  return await soak(only, minutes);
}

function isUsual(kind: Kind, minutes: number | null): boolean {
  if (kind === "libp2p" || kind === "fuzz") return minutes !== null;
  return kind !== "day" || (minutes ?? 0) >= longMinutes;
}

async function soak(only: readonly Kind[], minutes: number | null): Promise<number> {
  const cores = availableParallelism();
  const beganMs = performance.now();
  const leftSeconds = (): number => Math.max(1, (minutes ?? 0) * 60 - (performance.now() - beganMs) / 1_000);
  const ends: TaskEnd[] = [];
  const waiting = [
    ...(only.includes("kept") ? keptTasks() : []),
    ...(only.includes("mutants") ? await mutantTasks() : []),
    ...(only.includes("fuzz") ? [fuzzTask()] : []),
    ...(only.includes("libp2p") ? await libp2pTasks(minutes ?? 1) : []),
    ...(only.includes("day") ? [dayTask(minutes ?? 1)] : []),
  ];
  const first = firstSeed();
  // In CI the seeds' time is in all; else they take what time there is when all else is over, less chaos's share.
  const chaosShare = only.length === 1 ? 1 : 1 / 4;
  const chaosSeconds = !only.includes("chaos")
    ? 0
    : minutes === null
      ? ciChaosSeconds
      : minutes * 60 * chaosShare;
  const seedsTask = (core: number): Task => {
    const seconds = minutes === null ? ciSeedSeconds / cores : Math.max(1, leftSeconds() - chaosSeconds);
    const words = [
      "--first",
      String(first + core),
      "--every",
      String(cores),
      "--cpu-seconds",
      seconds.toFixed(0),
    ];
    return {
      kind: "seeds",
      name: `seeds on core ${core + 1}`,
      program: "seeds.ts",
      words: [...words, "--found", values.found],
      secondsMax: 10 * seconds + taskSecondsMax,
    };
  };
  if (only.includes("seeds")) console.log(`First seed: ${first}`);
  const work = async (_: unknown, core: number): Promise<void> => {
    if (minutes === null && only.includes("seeds")) ends.push(await runTask(seedsTask(core)));
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      ends.push(await runTask(next));
    if (minutes !== null && only.includes("seeds")) ends.push(await runTask(seedsTask(core)));
  };
  await Promise.all(Array.from({ length: cores }, work));
  // Alone: a machine that is busy is slow in ways that look like faults.
  if (chaosSeconds > 0) for (const task of chaosTasks(chaosSeconds)) ends.push(await runTask(task));
  const { lines, code } = summaryOf(ends, (performance.now() - beganMs) / 1_000);
  console.log(lines.join("\n"));
  return code;
}

/** In CI of the version alone: a commit is judged alike wherever and however often it is. */
function firstSeed(): number {
  if (values.first !== undefined) return Number(values.first);
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD"], { cwd: folder, encoding: "utf8" });
  const version = (stdout ?? "").trim();
  return seedOf(version, values.ci && version !== "" ? null : new Date().toISOString());
}

/** Each as it is, and with the mistake planted that it showed. */
function keptTasks(): Task[] {
  const files = readdirSync(join(folder, "kept")).filter((name) => name.endsWith(".json"));
  return files.toSorted().flatMap((name): Task[] => {
    const file = join(folder, "kept", name);
    const read = readKept(readFileSync(file, "utf8"));
    const task = { kind: "kept", program: "replay.ts", secondsMax: taskSecondsMax } as const;
    const planted = { ...task, name: `${name}, planted`, words: [file, "--planted"] };
    return [{ ...task, name, words: [file] }, ...(read.ok && read.value.planted !== null ? [planted] : [])];
  });
}

async function mutantTasks(): Promise<Task[]> {
  const { plantings } = await import("./plantings.ts");
  const task = { kind: "mutants", program: "planted.ts", secondsMax: taskSecondsMax } as const;
  return plantings.map(({ name }) => ({ ...task, name, words: [name] }));
}

/** Worlds from the first seed on, and each mistake of the adapter. */
async function libp2pTasks(minutes: number): Promise<Task[]> {
  const { adapterPlantings } = await import("./libp2p/plantings.ts");
  const worlds = Math.max(2, Math.round(minutes * libp2pWorldsEach));
  const secondsMax = 10 * minutes * 60 + taskSecondsMax;
  const task = { kind: "libp2p", program: "libp2p/run.ts", secondsMax } as const;
  return [
    { ...task, name: `${worlds} worlds`, words: [String(firstSeed() % 1_000_000), String(worlds)] },
    ...adapterPlantings.map(({ name }): Task => ({ ...task, name, words: ["planted", name] })),
  ];
}

/** A million inputs for each decoder of what a peer or a file says. */
function fuzzTask(): Task {
  const words = [String(fuzzInputs), String(firstSeed() % 1_000_000)];
  return {
    kind: "fuzz",
    name: `${fuzzInputs} inputs a decoder`,
    program: "fuzz.ts",
    words,
    secondsMax: 3_600,
  };
}

/** At least as many hours as it takes to see that something grows. */
function dayTask(minutes: number): Task {
  const hours = Math.min(24, Math.max(4, Math.round(minutes * dayHoursEach)));
  const words = [String(hours), "100", String(firstSeed())];
  const secondsMax = 10 * minutes * 60 + taskSecondsMax;
  return { kind: "day", name: `${hours} hours of 100 peers`, program: "day.ts", words, secondsMax };
}

function chaosTasks(seconds: number): Task[] {
  const program = "chaos/chaos.ts";
  if (!existsSync(join(folder, program))) return [];
  // In rounds with the same processes: what grows from one to the next is seen.
  const words = [
    "--seconds",
    "60",
    "--minutes",
    (seconds / 60).toFixed(2),
    ...(values.calm ? ["--calm"] : []),
  ];
  // It gives up by itself before, and says what it waited for.
  const secondsMax = 10 * seconds + taskSecondsMax;
  return [{ kind: "chaos", name: `chaos for ${seconds.toFixed(0)} s`, program, words, secondsMax }];
}
