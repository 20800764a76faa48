/**
 * Runs worlds with one mistake planted, until a checker finds it.
 *
 *   node simulations/planted.ts                               every planting
 *   node simulations/planted.ts "one vote is a majority"      that one
 *   node simulations/planted.ts --find                        searches on past a seed where another checker is first,
 *                                                             and from seed 1 when the budget is used up
 *   node simulations/planted.ts --find --keep                 and writes where each is caught into the table
 *   node simulations/planted.ts --only=linearizability        with this checker alone, whoever else would be first
 *
 * Exit codes: 0 each was caught by a checker that it is for, 1 one survived or something else caught it, 3 it could not
 * be planted. Planted by a hook in Node's module loader, in this process alone.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { endWith, wordsOf } from "./command-words.ts";
import type { FaultKind } from "./faults.ts";
import type { Schedule } from "./schedule.ts";
import { compiledOnce } from "./tasks.ts";

type PlantingEdit = {
  /** From the root of the project. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
};

export type Planting = {
  readonly name: string;
  readonly edits: readonly PlantingEdit[];
  /** Any of these checkers may be the first to see it. */
  readonly caughtBy: readonly string[];
  /** Where it was caught last: the search begins there. It moves with every change of what peers say. */
  readonly firstSeed: number;
  readonly seedsMax: number;
  /** Only seeds so far apart: one world in eight is about what it takes. */
  readonly every?: number;
  /** Only these faults, and worlds about nothing else: nothing but them shows it. */
  readonly kinds?: readonly FaultKind[];
  /** The schedule of this file of `kept/`, with one seed after the other: what it takes is rare in any other world. */
  readonly base?: string;
  /** In worlds that are beyond the design. */
  readonly beyond?: boolean;
};

const root = new URL("../", import.meta.url);
const usage =
  "Usage: planted.ts [NAME of a planting; all of them without] [--find [--keep]] [--only=CHECKER, alone].";

/** A search gives up after so many seeds beyond the budget. */
const searchedMax = 4_000;
const only = process.argv.find((word) => word.startsWith("--only="))?.slice("--only=".length);
const tables = [
  "plantings.ts",
  "schedule-plantings.ts",
  "scheduling-plantings.ts",
  "fault-plantings.ts",
  "gate-plantings.ts",
  "false-home-plantings.ts",
  "release-plantings.ts",
  "disturbance-plantings.ts",
  "configuration-plantings.ts",
  "retirement-plantings.ts",
  "log-plantings.ts",
  "repair-plantings.ts",
];

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<void> {
  const { positionals } = wordsOf(usage, {
    allowPositionals: true,
    options: { find: { type: "boolean" }, keep: { type: "boolean" }, only: { type: "string" } },
  });
  const options = words.filter((word) => word.startsWith("--"));
  const [name] = positionals;
  const { plantings } = await import("./plantings.ts");
  if (name === undefined) {
    const { caught, survived } = await plantEach(plantings, options);
    console.log(`${caught.length} plantings were caught, ${survived.length} were not.`);
    process.exitCode = survived.length > 0 ? 1 : 0;
    return;
  }
  const planting = plantings.find((candidate) => candidate.name === name);
  if (planting === undefined) return endWith(usage, `There is no planting "${name}"`);
  const planted = plant(planting.edits);
  await import("./world.ts");
  await import("./checkers/all.ts");
  const notFound = planting.edits.filter((edit) => !planted.has(edit));
  if (notFound.length > 0) {
    console.log(`${name}: not planted, the text is not there exactly once: ${notFound[0]?.find ?? ""}`);
    process.exitCode = 3;
    return;
  }
  process.exitCode = options.includes("--find")
    ? await find(planting, options.includes("--keep"))
    : await look(planting);
}

/** Each in a process of its own, as many at a time as there are cores. Prints what each says, whole. */
async function plantEach(
  plantings: readonly Planting[],
  options: readonly string[],
): Promise<{ readonly caught: readonly string[]; readonly survived: readonly string[] }> {
  const waiting = [...plantings];
  const caught: string[] = [];
  const survived: string[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const words = [fileURLToPath(import.meta.url), next.name, ...options];
      const isCaught = await new Promise<boolean>((resolve) => {
        execFile(process.execPath, words, { env: compiledOnce }, (failure, stdout, stderr) => {
          process.stdout.write(`${stdout}${stderr}`);
          resolve(failure === null);
        });
      });
      (isCaught ? caught : survived).push(next.name);
    }
  };
  // Those that write into the table do so one after the other.
  const atOnce = options.includes("--keep") ? 1 : availableParallelism();
  await Promise.all(Array.from({ length: atOnce }, work));
  return { caught, survived };
}

/** Within the budget, and the first who sees it must be one of those that it is for. @returns the exit code. */
async function look(planting: Planting): Promise<number> {
  const { name, firstSeed, seedsMax, every = 1, caughtBy } = planting;
  for (let tried = 0; tried < seedsMax; tried += 1) {
    const seed = firstSeed + tried * every;
    const violation = await violationIn(seed, planting);
    if (violation === null) continue;
    console.log(`${name}: seed ${seed}, ${violation.message.slice(0, 300)}`);
    return caughtBy.includes(violation.checker) || violation.checker === only ? 0 : 1;
  }
  console.log(`${name}: survived ${seedsMax} seeds`);
  return 1;
}

/** Goes on until one of those that it is for is the first to see it. @returns the exit code. */
async function find(planting: Planting, keeps: boolean): Promise<number> {
  const { name, firstSeed, seedsMax, every = 1, caughtBy } = planting;
  for (let tried = 0; tried < seedsMax + searchedMax; tried += 1) {
    const fromOne = (firstSeed % every) + (tried - seedsMax) * every;
    const seed = tried < seedsMax ? firstSeed + tried * every : fromOne;
    const violation = await violationIn(seed, planting);
    if (violation === null) continue;
    const isExpected = caughtBy.includes(violation.checker);
    console.log(
      `${name}: seed ${seed}${isExpected ? "" : " by another"}, ${violation.message.slice(0, 300)}`,
    );
    if (!isExpected) continue;
    if (keeps) keep(name, seed);
    return 0;
  }
  console.log(`${name}: survived ${seedsMax + searchedMax} seeds`);
  return 1;
}

async function violationIn(
  seed: number,
  { kinds, base, beyond }: Planting,
): Promise<{ checker: string; message: string } | null> {
  const { runWorld } = await import("./world.ts");
  const { allCheckers, checkersBeyond } = await import("./checkers/all.ts");
  const { patienceBeyondUs, scheduleBeyond } = await import("./generate.ts");
  const checkers = (beyond === true ? checkersBeyond() : allCheckers()).filter(
    ({ name }) => only === undefined || name === only,
  );
  const world =
    beyond === true
      ? { schedule: scheduleBeyond(seed), patienceUs: patienceBeyondUs }
      : base !== undefined
        ? { schedule: { ...(await scheduleIn(base)), seed } }
        : { seed, ...(kinds === undefined ? {} : { kinds }) };
  const { violation } = await runWorld({ ...world, checkers, encoded: false });
  return violation;
}

async function scheduleIn(base: string): Promise<Schedule> {
  const { readKept } = await import("./kept.ts");
  const read = readKept(readFileSync(new URL(`kept/${base}`, import.meta.url), "utf8"));
  if (!read.ok) throw new Error(`${base} ${read.problem}`);
  return read.value.schedule;
}

/** Writes the seed into the table, as the planting's first. */
function keep(name: string, seed: number): void {
  for (const table of tables) {
    const file = new URL(table, import.meta.url);
    const text = readFileSync(file, "utf8");
    const at = text.indexOf(`name: ${JSON.stringify(name)},`);
    if (at === -1) continue;
    const written = String(seed).replace(/\B(?=(\d{3})+$)/gu, "_");
    // Its own entry and no other: one whose first seed is what many share gets one of its own behind that.
    const next = text.indexOf("name: ", at + 1);
    const [entry, rest] = next === -1 ? [text.slice(at), ""] : [text.slice(at, next), text.slice(next)];
    const own = /firstSeed: [\d_]+,/u;
    const kept = own.test(entry)
      ? entry.replace(own, `firstSeed: ${written},`)
      : entry.replace(/\.\.\.\w+,/u, `$&\n    firstSeed: ${written},`);
    writeFileSync(file, text.slice(0, at) + kept + rest);
  }
}

/** Edits the sources named as they are loaded. Returns the edits that were made, filled as modules load. */
export function plant(edits: readonly PlantingEdit[]): ReadonlySet<PlantingEdit> {
  const made = new Set<PlantingEdit>();
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context);
      const own = edits.filter(({ file }) => url === new URL(file, root).href);
      if (own.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
      let source =
        typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
      for (const edit of own) {
        if (source.split(edit.find).length !== 2) continue;
        source = source.replace(edit.find, () => edit.replace);
        made.add(edit);
      }
      return { ...loaded, source };
    },
  });
  return made;
}
