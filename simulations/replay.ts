/**
 * One world again: of a file that was kept or found, or of a seed.
 *
 *   node simulations/replay.ts FILE|SEED                  its verdict; of a kept file, whether it is the one expected
 *   node simulations/replay.ts FILE|SEED --trace          line by line
 *   node simulations/replay.ts FILE|SEED --shrink FILE    and, if it breaks a promise, made small and written
 *   node simulations/replay.ts FILE|SEED --report HTML    and written as a page: a lane for each peer over virtual time
 *   node simulations/replay.ts FILE --planted             with the mistake planted that the kept file names
 *   node simulations/replay.ts SEED --planted NAME        with this one
 *
 * Exit codes: 0 as expected (every promise held, where nothing is expected), 1 not so, 2 undecided, 3 it could not be run.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { endWith, wordsOf } from "./command-words.ts";
import { simulatedKeys } from "./keys.ts";
import { type Kept, keptText, readKept } from "./kept.ts";
import { narrate } from "./narration.ts";
import type { Observation } from "./observation.ts";
import { plant, type Planting } from "./planted.ts";
import type { WorldResult } from "./world.ts";

const usage =
  "Usage: replay.ts (FILE | SEED) [--trace] [--shrink FILE] [--report HTML] [--planted [NAME, of a seed]].";
const { values, positionals } = wordsOf(usage, {
  allowPositionals: true,
  options: {
    trace: { type: "boolean", default: false },
    shrink: { type: "string" },
    report: { type: "string" },
    planted: { type: "boolean", default: false },
  },
});

process.exitCode = await main(positionals);

async function main([what, mistake]: readonly string[]): Promise<number> {
  if (what === undefined) return endWith(usage, "It was not said which world");
  const kept = /^\d+$/u.test(what ?? "") ? Number(what) : keptIn(what ?? "");
  if (typeof kept === "string") return say(3, kept);
  const planting = values.planted ? await plantingOf(kept, mistake) : null;
  if (typeof planting === "string") return say(3, planting);
  // Loaded now, so that what is planted is in it.
  const { scheduleOf } = await import("./generate.ts");
  const { runWorld } = await import("./world.ts");
  const { allCheckers } = await import("./checkers/all.ts");
  const schedule = typeof kept === "number" ? scheduleOf(kept) : kept.schedule;
  const result = await runWorld({ schedule, checkers: allCheckers(), encoded: false, ...tracing() });
  if (values.shrink !== undefined && result.violation !== null) await shrinkTo(values.shrink, result);
  if (values.report !== undefined) {
    const { reportOf } = await import("./report.ts");
    const words = [what ?? "", ...(mistake === undefined ? [] : [JSON.stringify(mistake)])];
    const replay = `node simulations/replay.ts ${words.join(" ")}${values.planted ? " --planted" : ""} --trace`;
    const { html } = await reportOf(schedule, { title: `seed ${schedule.seed}`, replay });
    writeFileSync(values.report, html);
  }
  const expected =
    planting === null ? (typeof kept === "number" ? "passed" : kept.expected) : planting.expected;
  return judge(result, expected);
}

function keptIn(file: string): Kept | string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  const read = readKept(text);
  return read.ok ? read.value : `${file} is no schedule: ${read.problem}`;
}

/** Plants it; must come before anything that is planted in is loaded. */
async function plantingOf(
  kept: Kept | number,
  mistake: string | undefined,
): Promise<{ readonly expected: string } | string> {
  const named = typeof kept === "number" ? null : kept.planted;
  const name = mistake ?? named?.name;
  if (name === undefined) return "Nothing is said of a mistake: name one after --planted.";
  const { plantings } = await import("./plantings.ts");
  const planting: Planting | undefined = plantings.find((candidate) => candidate.name === name);
  if (planting === undefined) return `There is no planting "${name}".`;
  plant(planting.edits);
  return { expected: named?.expected ?? planting.caughtBy.join(" or ") };
}

function judge({ verdict, violation, happened, virtualUs }: WorldResult, expected: string): number {
  const seconds = (virtualUs / 1_000_000).toFixed(1);
  const found = violation?.checker ?? verdict;
  console.log(violation?.message ?? `${verdict} after ${seconds} virtual seconds, ${happened} happenings`);
  if (expected.split(" or ").includes(found)) return 0;
  return verdict === "undecided" ? say(2, "Undecided.") : say(1, `Expected was: ${expected}.`);
}

async function shrinkTo(file: string, { schedule }: WorldResult): Promise<void> {
  const { shrink } = await import("./shrink.ts");
  const shrunk = await shrink(schedule);
  if (shrunk === null) return;
  writeFileSync(file, keptText(shrunk.schedule));
  const { peers, runs, faults, fates } = shrunk.schedule;
  const steps = runs.reduce((sum, { plan }) => sum + plan.steps.length, 0);
  console.log(
    `${shrunk.violation.message}\n${shrunk.tried} worlds tried${shrunk.complete ? "" : ", no time for more"}: ${faults.length} of ` +
      `${schedule.faults.length} faults, ${fates.length} messages, ${peers.length} of ${schedule.peers.length} peers, ${runs.length} runs, ${steps} steps`,
  );
}

function tracing(): { readonly trace?: (observation: Observation) => void } {
  if (!values.trace) return {};
  const names = new Map<string, string>();
  for (const role of ["control", "worker"])
    for (let index = 0; index < 9; index += 1)
      names.set(simulatedKeys(`${role}${index}`).peer, `${role}${index}`);
  return {
    trace: (observation) => {
      const line = narrate(observation, (id) => names.get(id) ?? id);
      if (line !== null && observation.kind !== "received") console.log(line);
    },
  };
}

function say(code: number, words: string): number {
  console.log(words);
  return code;
}
