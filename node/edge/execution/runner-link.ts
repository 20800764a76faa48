/**
 * The worker's end of its runner: starts it, speaks with it, and replaces it when it dies.
 *
 * Promises: every task is answered once. When the runner dies, the processes it leaves are killed before its tasks
 * are answered with `null`, and another runner takes its place.
 */

import { type ChildProcess, spawn } from "node:child_process";
import type { Server, Socket } from "node:net";
import { join } from "node:path";
import { OttoError } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import { programPath } from "../programs.ts";
import { Channel } from "./channel.ts";
import { killAll } from "./processes.ts";
import type { DoorMessage, FromRunner, RunnerResult, RunnerTask, ToRunner } from "./runner-messages.ts";

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
  /** A listener in the task's sandbox; it is the taker's to close. */
  readonly listens: (port: number, server: Server) => void;
  readonly answer: (result: RunnerResult | null) => void;
};

type RunOptions = Omit<Waiting, "answer"> & {
  readonly signal: AbortSignal;
  /** Asked when the task is handed over: its deadline by then. */
  readonly deadlineMs?: () => number | null;
};

type Life = {
  readonly child: ChildProcess;
  readonly channel: Channel;
  readonly ready: Promise<boolean>;
  /** Tasks that this runner was given. */
  readonly waiting: Map<number, Waiting>;
  /** Resolves when this runner is gone and another has taken its place, or none will. */
  readonly replaced: Promise<void>;
  isGone: boolean;
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

  /**
   * Runs the task, until it is done or stopped by `stop` or the signal. The answer is null when the runner died under
   * it, or could not be started; nothing of the task runs any more then.
   */
  async run(task: Omit<RunnerTask, "deadlineMs">, options: RunOptions): Promise<RunnerResult | null> {
    if (this.#life.isGone) await this.#life.replaced;
    const life = this.#life;
    if (life.isGone) return null;
    return new Promise((answer) => {
      life.waiting.set(task.serial, { output: options.output, listens: options.listens, answer });
      const deadlineMs = options.deadlineMs?.() ?? null;
      life.channel.send({ kind: "run", task: { ...task, deadlineMs } } satisfies ToRunner);
      if (options.signal.aborted) this.stop(task.serial);
    });
  }

  stop(serial: number): void {
    this.#life.channel.send({ kind: "stop", serial } satisfies ToRunner);
  }

  /** The runner holds to it by itself. */
  setDeadline(serial: number, deadlineMs: number): void {
    this.#life.channel.send({ kind: "deadline", serial, deadlineMs } satisfies ToRunner);
  }

  /** Ends the runner and everything that it runs. One that does not answer is killed. */
  async close(): Promise<void> {
    this.#closing = true;
    const { channel, child } = this.#life;
    channel.send({ kind: "close" } satisfies ToRunner);
    const timer = setTimeout(() => child.kill("SIGKILL"), 2 * limits.killGraceMs);
    await Promise.all(this.#exits);
    clearTimeout(timer);
  }

  #begin(): Life {
    this.#lives += 1;
    const child = spawn(process.execPath, [...runnerFlags, programPath("runner")], {
      stdio: ["ignore", "ignore", "inherit", "pipe", "ipc"],
      // In a session of its own: a terminal's Ctrl-C is for the command line, which then asks for the end.
      detached: true,
      env: runnerEnvironment(),
    });
    const waiting = new Map<number, Waiting>();
    let isReady = false;
    const { promise: ready, resolve: setReady } = Promise.withResolvers<boolean>();
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
    child.on("message", (told, handle) => {
      const { serial, port } = told as DoorMessage;
      const server = handle as Server;
      const task = waiting.get(serial);
      if (task === undefined) server.close();
      else task.listens(port, server);
    });
    const replaced = Promise.withResolvers<void>();
    const life: Life = { child, channel, ready, waiting, replaced: replaced.promise, isGone: false };
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    const exit = exited.then(async () => {
      setReady(false);
      life.isGone = true;
      await this.#died(life, isReady);
      replaced.resolve();
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
    return life;
  }

  async #died(life: Life, wasReady: boolean): Promise<void> {
    await killAll(this.#options.executor);
    for (const task of life.waiting.values()) task.answer(null);
    life.waiting.clear();
    if (!wasReady && !this.#closing) {
      // Whatever keeps it from starting is not gone at once: do not spin.
      await new Promise<void>((resolve) => {
        setTimeout(resolve, restartMs);
      });
    }
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
