/** Programs that a soak runs, each in a process of its own; what one says is printed whole when it is over. */

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SeedTotals } from "./seeds.ts";

export type Task = {
  readonly kind: string;
  readonly name: string;
  /** Beside this file. */
  readonly program: string;
  readonly words: readonly string[];
};

export type TaskEnd = {
  readonly task: Task;
  /** The exit code; 3 for a process that was ended from outside. */
  readonly code: number;
  readonly seconds: number;
  /** What seeds came to; null for everything else. */
  readonly totals: SeedTotals | null;
};

const outputBytesMax = 64 * 1024 * 1024;

export function runTask(task: Task): Promise<TaskEnd> {
  const program = fileURLToPath(new URL(task.program, import.meta.url));
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const options = { maxBuffer: outputBytesMax };
    execFile(process.execPath, [program, ...task.words], options, (failure, stdout, stderr) => {
      const totals = task.kind === "seeds" ? totalsIn(stdout) : null;
      const said = `${totals === null ? stdout : stdout.slice(0, stdout.lastIndexOf("{"))}${stderr}`;
      const code = failure === null ? 0 : typeof failure.code === "number" ? failure.code : 3;
      if (said.trim() !== "") process.stdout.write(`${task.kind}: ${said.trimEnd()}\n`);
      resolve({ task, code, seconds: (performance.now() - beganMs) / 1_000, totals });
    });
  });
}

function totalsIn(said: string): SeedTotals | null {
  try {
    return JSON.parse(said.slice(said.lastIndexOf("{"))) as SeedTotals;
  } catch {
    return null;
  }
}
