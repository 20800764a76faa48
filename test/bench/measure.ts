/** What every part of the benchmark shares: processes that are timed, folders that go away, medians, rows. */

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const projectFolder = resolve(import.meta.dirname, "../..");
const otto = join(projectFolder, "cli", "otto");

/** One line of the table. A target is "at most" or "at least" a value of the row's own unit. */
export type Row = {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The same as a multiple of something measured in the same run, such as `4.8x node -e 0`. */
  readonly ratio?: { readonly value: number; readonly of: string };
  /** What the issue asks for; of the ratio where there is one, else of the value. */
  readonly target?: { readonly most: number } | { readonly least: number };
};

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that so many of a hundred are at most; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.max(0, Math.ceil((sorted.length * share) / 100) - 1)] ?? 0;
}

export type Finished = { readonly tookMs: number; readonly output: string };

/** So many clients, each with one request outstanding for so many things. */
export type Shape = { readonly clients: number; readonly batch: number };

/** Things a second, and how long a request took. */
export type Measurement = { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };

/** Around a process that is killed: how long the load runs before and after, and how long is looked for a gap. */
export const steadyMs = 1_500;
export const watchedMs = 4_000;
/** How long a client rests after each success, so that it is no saturated machine that is measured. */
export const gapRestMs = 20;

/** The longest time without a success, from a moment on. */
export class LongestGap {
  #lastMs = performance.now();
  #longestMs = 0;

  begin(): void {
    this.#lastMs = performance.now();
    this.#longestMs = 0;
  }

  mark(): void {
    const nowMs = performance.now();
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }

  /** One that has not ended counts as far as it has come. */
  get longestMs(): number {
    return Math.max(this.#longestMs, performance.now() - this.#lastMs);
  }
}

/** Runs a command to its end. Throws with what it wrote when it fails. */
export function runToEnd(
  words: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Finished> {
  const [file, ...rest] = words;
  const start = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    const chunks: Buffer[] = [];
    const errors: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      const tookMs = performance.now() - start;
      const output = Buffer.concat(chunks).toString();
      if (code === 0) return resolve({ tookMs, output });
      reject(
        new Error(`${words.join(" ")} ended with ${code}:\n${output}${Buffer.concat(errors).toString()}`),
      );
    });
  });
}

/** The same with nothing kept of what it says, and the processor time that it and its children took in user mode. */
export async function runForTimes(
  words: readonly [string, ...string[]],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<{ readonly tookMs: number; readonly userMs: number }> {
  const { tookMs, output } = await runToEnd(
    ["/bin/sh", "-c", '"$@" > /dev/null || exit; times', "sh", ...words],
    options,
  );
  // The second line is of the shell's children: minutes and seconds, in user mode and in the system.
  const [, minutes, seconds] = /\n(\d+)m([\d.,]+)s/u.exec(output) ?? [];
  return { tookMs, userMs: (Number(minutes) * 60 + Number(seconds?.replace(",", "."))) * 1_000 };
}

/** This machine's Otto with a home of its own, in a folder that is removed at the end. */
export class Bed {
  readonly folder = mkdtempSync(join(tmpdir(), "otto-bench-"));
  readonly home = join(this.folder, "home");

  constructor() {
    process.once("exit", this.#kill);
  }

  /** For an end that was not planned: the processes that `otto run` keeps warm are killed. */
  readonly #kill = (): void => {
    for (const role of ["worker", "control"]) {
      try {
        const running = readFileSync(join(this.home, "local", role, "running.json"), "utf8");
        process.kill((JSON.parse(running) as { pid: number }).pid, "SIGKILL");
      } catch {
        // It was not started, or has gone.
        continue;
      }
    }
    rmSync(this.folder, { recursive: true, force: true });
  };

  get environment(): NodeJS.ProcessEnv {
    const { OTTO_NODE: _, ...rest } = process.env;
    return { ...rest, OTTO_HOME: this.home, NO_COLOR: "1" };
  }

  otto(cwd: string, ...words: string[]): Promise<Finished> {
    return runToEnd([otto, ...words], { cwd, env: this.environment });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#kill);
    await this.otto(this.folder, "down");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The Otto launcher, for processes that stay. */
export const ottoProgram = otto;

/** Takes turns: every round measures each thing once, so that a noisy minute touches all of them. */
export async function inRounds(
  rounds: number,
  things: Readonly<Record<string, () => Promise<number>>>,
): Promise<(name: string) => number> {
  const measured = new Map<string, number[]>();
  for (let round = 0; round < rounds; round += 1)
    for (const [name, measure] of Object.entries(things))
      measured.set(name, [...(measured.get(name) ?? []), await measure()]);
  return (name) => median(measured.get(name) ?? []);
}
