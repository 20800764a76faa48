/**
 * Otto's real command line as a process of its own, for tests: what it says is waited for, never slept for, and
 * whatever was started is killed by its process id at the end, also when a test failed.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { ottoProgram } from "../built-otto.ts";

/** The longest that anything in these tests may take; a wait that lasts longer is a failure with words. */
export const patienceMs = Number(process.env["OTTO_TEST_PATIENCE_MS"] ?? 40_000);

export type Ended = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Surroundings = {
  /** Environment variables besides the few that every program needs. */
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
};

const alive = new Set<Program>();
process.on("exit", () => {
  for (const program of alive) program.signal("SIGKILL");
});

export class Program {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #words: string;
  #stdout = "";
  #stderr = "";
  #end: Ended | null = null;
  #listeners = new Set<() => void>();

  /** @param command what to start instead of `otto`: a wrapper that ends by starting it with the words given. */
  constructor(words: readonly string[], surroundings: Surroundings, command: readonly string[] = []) {
    const { environment, folder } = surroundings;
    this.#words = `otto ${words.join(" ")}`;
    const [file = "", ...rest] = [
      ...command,
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      ottoProgram,
      ...words,
    ];
    const { PATH = "", OTTO_EXECUTION } = process.env;
    // The marker stays: a pipeline that runs these tests finds what they started.
    const marker = OTTO_EXECUTION === undefined ? {} : { OTTO_EXECUTION };
    this.#child = spawn(file, rest, {
      cwd: folder,
      env: { PATH, LANG: "C.UTF-8", ...marker, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    alive.add(this);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#tell();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#tell();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => (this.#stderr += String(error)));
      this.#child.once("close", (code, signal) => {
        alive.delete(this);
        this.#end = { code, signal, stdout: this.#stdout, stderr: this.#stderr };
        resolve(this.#end);
        this.#tell();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isOver(): boolean {
    return this.#end !== null;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Kills it and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Resolves when it has written this to its standard output or error; fails when it ends or takes too long. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        clearTimeout(timer);
        this.#listeners.delete(look);
        finish();
      };
      const look = (): void => {
        const found = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
        if (found !== null) return done(() => resolve(found));
        if (this.#end !== null) done(() => reject(this.#silent(pattern, "it ended")));
      };
      const timer = setTimeout(
        () => done(() => reject(this.#silent(pattern, `${patienceMs} ms passed`))),
        patienceMs,
      );
      this.#listeners.add(look);
      look();
    });
  }

  #silent(pattern: RegExp, why: string): Error {
    return new Error(
      `\`${this.#words}\` did not say ${String(pattern)} before ${why}.\n` +
        `--- stdout\n${this.#stdout}\n--- stderr\n${this.#stderr}`,
    );
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Asks again and again, for what gives no signal (a process that dies, a link that comes up). */
export async function eventually<Value>(
  what: string,
  look: () => Promise<Value> | Value,
  isSo: (value: Value) => boolean,
): Promise<Value> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const value = await look();
    if (isSo(value)) return value;
    if (performance.now() > deadline)
      throw new Error(`Not so within ${patienceMs} ms: ${what}. Last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}
