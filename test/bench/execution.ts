/**
 * What it costs to run no-op steps through the executor and its runner, beside a bare loop of `spawn` in this very
 * process: both at the same concurrency, taken in turns in one run, medians printed.
 *
 *   node test/bench/execution.ts [steps] [rounds]
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBlobs } from "../../node/edge/blobs.ts";
import { startExecutor } from "../../node/edge/execution/executor.ts";
import { limits } from "../../protocol/limits.ts";
import type { StepReport } from "../../protocol/report.ts";
import { assignmentOf } from "../contracts/witness.ts";
import { encodeTree } from "../../protocol/tree.ts";

const steps = Number(process.argv[2] ?? 1_000);
const rounds = Number(process.argv[3] ?? 5);
const concurrency = 2;

async function atConcurrency(one: (index: number) => Promise<void>): Promise<number> {
  const start = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < steps) {
      next += 1;
      await one(next);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return (performance.now() - start) / steps;
}

async function bareSpawn(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-ec", "true"]);
    child.on("error", reject);
    child.on("close", () => resolve());
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0;
}

const folder = mkdtempSync(join(tmpdir(), "otto-bench-"));
const blobs = await openBlobs(join(folder, "blobs"));
const tree = await blobs.writeBytes(encodeTree([]));
const waiting = new Map<string, (report: StepReport) => void>();
const executor = await startExecutor({
  folder: join(folder, "execution"),
  blobs,
  fetch: async () => undefined,
  passVariables: {},
  slots: concurrency,
  graceMs: limits.killGraceMs,
  observer: {
    output: () => undefined,
    ended: (id, report) => {
      waiting.get(id)?.(report);
      waiting.delete(id);
    },
  },
});
let started = 0;

async function oneStep(): Promise<void> {
  started += 1;
  const id = String(started);
  const report = await new Promise<StepReport>((resolve) => {
    waiting.set(id, resolve);
    executor.start(assignmentOf(tree, ["true"], { id, run: "bench", step: "no-op" }));
  });
  if (report.outcome !== "passed") throw new Error(report.problem);
}

const bare: number[] = [];
const through: number[] = [];
for (let round = 0; round < rounds; round += 1) {
  bare.push(await atConcurrency(bareSpawn));
  through.push(await atConcurrency(oneStep));
}
await executor.close();
rmSync(folder, { recursive: true });
const ratio = median(through) / median(bare);
console.log(`spawn loop    ${median(bare).toFixed(2)} ms a step`);
console.log(`executor      ${median(through).toFixed(2)} ms a step`);
console.log(`ratio         ${ratio.toFixed(2)}`);
