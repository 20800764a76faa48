/** Programs that a soak runs, each in a process of its own; what one says is printed whole when it is over. */

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { SeedTotals } from "./seeds.ts";

/** In the order in which they are told of. */
export const kinds = ["kept", "mutants", "fuzz", "libp2p", "day", "seeds", "chaos"] as const;
export type Kind = (typeof kinds)[number];

export type Task = {
  readonly kind: Kind;
  readonly name: string;
  /** Beside this file. */
  readonly program: string;
  readonly words: readonly string[];
  /** Then it is ended, with all that it has started: what hangs is a failure, and says how far it had come. */
  readonly secondsMax: number;
};

export type TaskEnd = {
  readonly task: Task;
  /** The exit code; 3 for a process that was ended from outside. */
  readonly code: number;
  readonly seconds: number;
  /** All that it printed. */
  readonly words: string;
  /** What seeds came to; null for everything else. */
  readonly totals: SeedTotals | null;
};

/**
 * The environment of a process of which there are many like it: what Node has compiled of a file is kept for the next one. A
 * file that is edited as it is loaded is another one.
 */
export const compiledOnce = {
  ...process.env,
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../node_modules/.cache/compiled", import.meta.url)),
};

export function runTask(task: Task): Promise<TaskEnd> {
  const program = fileURLToPath(new URL(task.program, import.meta.url));
  const beganMs = performance.now();
  // A group of its own, which can be ended whole.
  const child = spawn(process.execPath, [program, ...task.words], {
    detached: true,
    // Chaos has processes of its own, whose memory it watches.
    env: task.kind === "chaos" ? process.env : compiledOnce,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const endGroup = (signal: NodeJS.Signals): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, signal);
  };
  const endWithUs = (): void => endGroup("SIGTERM");
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    endGroup("SIGKILL");
  }, task.secondsMax * 1_000);
  process.once("exit", endWithUs);
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (text: string) => void (said[stream] += text));
  return new Promise((resolve) => {
    // Nobody has its outputs open any more, and so nobody of its group lives on who writes to them.
    child.once("close", (code) => {
      clearTimeout(timer);
      process.off("exit", endWithUs);
      const { stdout, stderr } = said;
      const totals = task.kind === "seeds" ? totalsIn(stdout) : null;
      const words = `${totals === null ? stdout : stdout.slice(0, stdout.lastIndexOf("{"))}${stderr}`.trim();
      if (words !== "") process.stdout.write(`${task.kind}: ${words}\n`);
      if (isLate) process.stdout.write(`${task.kind}: ${task.name} was ended after ${task.secondsMax} s\n`);
      resolve({ task, code: code ?? 3, seconds: (performance.now() - beganMs) / 1_000, words, totals });
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
