/**
 * The yardstick for a step: a bare Node process that starts `/bin/sh -ec true` so many times, two at a time.
 * Prints the milliseconds it took, without its own start.
 *
 *   node test/bench/spawn-loop.ts [steps] [concurrency]
 */

import { spawn } from "node:child_process";

const steps = Number(process.argv[2] ?? 1_000);
const concurrency = Number(process.argv[3] ?? 2);

function one(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-ec", "true"]);
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

let started = 0;
async function lane(): Promise<void> {
  while (started < steps) {
    started += 1;
    await one();
  }
}

const start = performance.now();
await Promise.all(Array.from({ length: concurrency }, lane));
console.log((performance.now() - start).toFixed(1));
