/**
 * The benchmark: `npm run bench`, or a part of it: `npm run bench -- commands planning steps claims gap memory
 * hostile detection gossip repair broker masker certificates simulator bounds
 * messages status`.
 *
 * Builds Otto, measures what people run (the bundle, through its launcher), takes turns with its yardsticks in the same
 * run, prints medians and ratios beside the targets, and writes them to `bench.json`. It never fails on slowness.
 */

import { writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { benchBroker } from "./broker.ts";
import { benchBounds, benchMessages } from "./bounds.ts";
import { benchCertificates } from "./certificates.ts";
import { benchClaims, benchGap } from "./claims.ts";
import { benchCommands } from "./commands.ts";
import { benchDetection } from "./detection.ts";
import { benchGossip } from "./gossip.ts";
import { projectFolder, type Row, runToEnd } from "./measure.ts";
import { benchHostile } from "./hostile.ts";
import { benchMasker } from "./masker.ts";
import { benchMemory } from "./memory.ts";
import { benchPlanning } from "./planning.ts";
import { benchRepair } from "./repair.ts";
import { benchSandbox } from "./sandbox.ts";
import { benchSimulator } from "./simulator.ts";
import { benchStatus } from "./status.ts";
import { benchSteps } from "./steps.ts";

const parts = {
  commands: benchCommands,
  planning: benchPlanning,
  steps: benchSteps,
  claims: benchClaims,
  gap: benchGap,
  memory: benchMemory,
  hostile: benchHostile,
  detection: benchDetection,
  bounds: benchBounds,
  messages: benchMessages,
  status: benchStatus,
  gossip: benchGossip,
  repair: benchRepair,
  broker: benchBroker,
  masker: benchMasker,
  sandbox: benchSandbox,
  certificates: benchCertificates,
  simulator: benchSimulator,
} as const;

type Part = keyof typeof parts;

function isPart(word: string): word is Part {
  return Object.hasOwn(parts, word);
}

/** Null where a row has no target. */
function isMet({ value, ratio, target }: Row): boolean | null {
  if (target === undefined) return null;
  const measured = ratio?.value ?? value;
  return "most" in target ? measured <= target.most : measured >= target.least;
}

function lineOf(row: Row): string {
  const { name, value, unit, ratio, target } = row;
  const number = value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2);
  const times = ratio === undefined ? "" : `${ratio.value.toFixed(2)}x ${ratio.of}`;
  const met = isMet(row) === true ? "met" : "not met";
  const wanted =
    target === undefined
      ? ""
      : "most" in target
        ? `at most ${target.most}: ${met}`
        : `at least ${target.least}: ${met}`;
  return `${name.padEnd(42)} ${number.padStart(9)} ${unit.padEnd(12)} ${times.padEnd(20)} ${wanted}`.trimEnd();
}

/** One part that cannot be measured here leaves the others to be. */
async function rowsOf(part: Part): Promise<Row[]> {
  try {
    return await parts[part]();
  } catch (error) {
    console.log(`${part}: not measured: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

// Ends what was started, by way of the listeners for "exit".
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const words = process.argv.slice(2);
const unknown = words.find((word) => !isPart(word));
if (unknown !== undefined) {
  console.error(`There is no part "${unknown}"; the parts are: ${Object.keys(parts).join(", ")}.`);
  process.exit(2);
}
const chosen = words.length === 0 ? (Object.keys(parts) as Part[]) : words.filter(isPart);

await runToEnd(["npm", "run", "--silent", "build"], { cwd: projectFolder });
const machine = {
  processor: cpus()[0]?.model ?? "",
  cores: cpus().length,
  memoryBytes: totalmem(),
  system: `${process.platform} ${process.arch}`,
  node: process.version,
};
console.log(`${machine.cores} x ${machine.processor}, Node ${machine.node}\n`);
const results: Record<string, readonly (Row & { readonly met: boolean | null })[]> = {};
/** Of the last minute, before and after each part: what else the machine was doing. */
const loads: Record<string, { readonly before: number; readonly after: number }> = {};
for (const part of chosen) {
  const [before = 0] = loadavg();
  const rows = await rowsOf(part);
  const [after = 0] = loadavg();
  loads[part] = { before, after };
  results[part] = rows.map((row) => ({ ...row, met: isMet(row) }));
  console.log(rows.map(lineOf).join("\n"));
  console.log(`(${part}: load ${before.toFixed(2)} before, ${after.toFixed(2)} after)\n`);
}
const report = { takenAt: new Date().toISOString(), machine, loads, results };
writeFileSync(join(projectFolder, "bench.json"), `${JSON.stringify(report, null, 2)}\n`);
