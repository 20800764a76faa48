/**
 * The worker's end of its runner: starts it, speaks with it, and replaces it when it dies.
 *
 * Promises: every task is answered once. When the runner dies, the processes it leaves are killed before its tasks
 * are answered with `null`, and another runner takes its place.
 */

import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { join } from "node:path";
import { OttoError } from "../../../protocol/errors.ts";
import { programPath } from "../programs.ts";
import { Channel } from "./channel.ts";
import { killAll } from "./processes.ts";
import type { FromRunner, RunnerResult, RunnerTask, ToRunner } from "./runner-messages.ts";

/** A small heap: forking costs time in proportion to the memory of the process that forks. */
const runnerFlags = ["--max-semi-space-size=1", "--max-old-space-size=128", "--no-warnings"];
/** A runner that dies before it was ready is not started again sooner than this. */
const restartMs = 1_000;

export type RunnerLinkOptions = {
  readonly folder: string;
  readonly executor: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly slots: number;
};

type Waiting = {
  readonly output: (offset: number, bytes: Buffer) => void;
  readonly answer: (result: RunnerResult | null) => void;
};

type Life = {
  readonly child: ChildProcess;
  readonly channel: Channel;
  readonly ready: Promise<boolean>;
  /** Tasks that this runner was given. */
  readonly waiting: Map<number, Waiting>;
};

export class RunnerLink {
  readonly #options: RunnerLinkOptions;
  #life: Life;
  #lives = 0;
  #closing = false;
  readonly #exits = new Set<Promise<void>>();

  private constructor(options: RunnerLinkOptions) {
    this.#options = options;
    this.#life = this.#begin();
  }

  /** Starts the first runner. Throws `OTTO_START_FAILED` when it does not come up. */
  static async start(options: RunnerLinkOptions): Promise<RunnerLink> {
    const link = new RunnerLink(options);
    if (!(await link.#life.ready)) {
      await link.close();
      throw new OttoError("OTTO_START_FAILED", {
        what: "The process that starts steps did not come up.",
        state: "No step can run here.",
        next: `Look at what it said above, and at the folder ${options.folder}.`,
      });
    }
    return link;
  }

  get pid(): number | undefined {
    return this.#life.child.pid;
  }

  /** Runs the task. The answer is null when the runner died under it; nothing of it runs any more then. */
  async run(task: RunnerTask, output: (offset: number, bytes: Buffer) => void): Promise<RunnerResult | null> {
    const life = this.#life;
    return new Promise((answer) => {
      life.waiting.set(task.serial, { output, answer });
      life.channel.send({ kind: "run", task } satisfies ToRunner);
    });
  }

  stop(serial: number): void {
    this.#life.channel.send({ kind: "stop", serial } satisfies ToRunner);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#life.channel.send({ kind: "close" } satisfies ToRunner);
    await Promise.all(this.#exits);
  }

  #begin(): Life {
    this.#lives += 1;
    const child = spawn(process.execPath, [...runnerFlags, programPath("runner")], {
      stdio: ["ignore", "ignore", "inherit", "pipe"],
      // In a session of its own: a terminal's Ctrl-C is for the command line, which then asks for the end.
      detached: true,
      env: runnerEnvironment(),
    });
    const waiting = new Map<number, Waiting>();
    let isReady = false;
    let setReady = (_ready: boolean): void => undefined;
    const ready = new Promise<boolean>((resolve) => {
      setReady = resolve;
    });
    const channel = new Channel(child.stdio[3] as Socket, {
      message: (value) => {
        const message = value as FromRunner;
        if (message.kind === "ready") {
          isReady = true;
          return setReady(true);
        }
        const task = waiting.get(message.result.serial);
        waiting.delete(message.result.serial);
        task?.answer(message.result);
      },
      output: (serial, offset, bytes) => waiting.get(serial)?.output(offset, bytes),
      closed: () => undefined,
      drained: () => undefined,
    });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const exit = exited.then(async () => {
      setReady(false);
      await this.#died(waiting, isReady);
      this.#exits.delete(exit);
    });
    this.#exits.add(exit);
    const { folder, executor, environment, slots } = this.#options;
    channel.send({
      kind: "configure",
      folder: join(folder, "pipes", `${process.pid}-${this.#lives}`),
      marker: executor,
      environment,
      slots,
    } satisfies ToRunner);
    return { child, channel, ready, waiting };
  }

  async #died(waiting: Map<number, Waiting>, wasReady: boolean): Promise<void> {
    // The new one first, so that what is asked for from now on goes to it, and only what the dead one ran is killed.
    if (waiting.size > 0 || !this.#closing) await killAll(this.#options.executor);
    if (!this.#closing) {
      if (wasReady) this.#life = this.#begin();
      else setTimeout(() => this.#restart(), restartMs).unref();
    }
    for (const task of waiting.values()) task.answer(null);
    waiting.clear();
  }

  #restart(): void {
    if (!this.#closing) this.#life = this.#begin();
  }
}

function runnerEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of ["PATH", "OTTO_EXECUTION", "NODE_COMPILE_CACHE"]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
