/**
 * One attempt on the runner's side: its commands one by one, its output, its end.
 *
 * Promises: `ended` is called once, when no process of the attempt is left; all of its output was handed over
 * before. What a command leaves running (a server for the next command) lives until the attempt ends, not longer.
 *
 *   running --last command ended----------------------------> clearing --nothing is left--> ended
 *      |                                                         ^
 *      +--stop, time-out: SIGTERM--> stopping --grace is over----+  (SIGKILL, until nothing is left)
 *      +--the log cannot be written------------------------------+
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fchownSync } from "node:fs";
import { type Server, Socket } from "node:net";
import { assert } from "../../../protocol/errors.ts";
import { Masker, maskOf } from "../../../protocol/credentials/masker.ts";
import { limits } from "../../../protocol/limits.ts";
import type { CommandReport } from "../../../protocol/report.ts";
import { machineMs } from "../clock.ts";
import { AttemptLog } from "./attempt-log.ts";
import type { OutputPipe } from "./pipes.ts";
import { findProcesses, livingGroups, markerVariable, type Orphans, signalProcess } from "./processes.ts";
import type { RunnerEnd, RunnerResult, RunnerTask, SandboxTask } from "./runner-messages.ts";
import { SandboxedShell } from "./sandbox/sandboxed-shell.ts";
import { StepUsage } from "./step-usage.ts";
import { killUser, type SlotUser } from "./sandbox/slot-users.ts";

/** Output is collected for this long before it is written and sent. */
const outputDelayMs = 4;
/** How often a stopping attempt is looked at, and how the looking slows down while something refuses to die. */
const lookMsMin = 5;
const lookMsMax = 200;
/** The descriptor that every command inherits, so that the pipe tells whether something still lives. */
const lifelineDescriptor = 9;

export type AttemptSurroundings = {
  readonly executor: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly orphans: Orphans;
  output(serial: number, offset: number, bytes: Buffer): void;
  /** True while the worker does not keep up: then no more is read from the step. */
  isCongested(): boolean;
  /** A listener in the attempt's sandbox, for the worker. */
  listens(serial: number, port: number, server: Server, given: () => void): void;
  /** The pipe is given back when nobody holds it open any more. */
  ended(result: RunnerResult, pipe: OutputPipe | null): void;
};

type State = "running" | "stopping" | "clearing" | "ended";

export class RunningAttempt {
  readonly #task: RunnerTask;
  readonly #surroundings: AttemptSurroundings;
  readonly #pipe: OutputPipe;
  readonly #log: AttemptLog;
  readonly #masker: Masker | null;
  readonly #startedAt = performance.now();
  readonly #commands: CommandReport[] = [];
  readonly #environment: Record<string, string>;
  /** Process groups that may have members, by their leader. */
  #groups: number[] = [];
  /** Runs the commands of an attempt that has a sandbox. */
  #shell: SandboxedShell | null = null;
  #state: State = "running";
  #end: RunnerEnd = { kind: "passed" };
  #current: { readonly startedMs: number; readonly logOffset: number } | null = null;
  #socket: Socket | null = null;
  #collected: Buffer[] = [];
  #collectedBytes = 0;
  #timeoutTimer: NodeJS.Timeout | null = null;
  #deadlineTimer: NodeJS.Timeout | null = null;
  #outputTimer: NodeJS.Timeout | null = null;
  #lookTimer: NodeJS.Timeout | null = null;
  readonly #usage: StepUsage;
  #usageTimer: NodeJS.Timeout | null = null;
  #killAtMs = Number.POSITIVE_INFINITY;

  constructor(task: RunnerTask, pipe: OutputPipe, surroundings: AttemptSurroundings) {
    this.#task = task;
    this.#pipe = pipe;
    this.#surroundings = surroundings;
    this.#log = new AttemptLog(task.logFile);
    this.#masker = maskerOf(task);
    this.#usage = new StepUsage(task.bounds, task.folders);
    this.#environment = {
      ...surroundings.environment,
      ...task.environment,
      ...markerVariable(surroundings.executor, task.serial),
    };
  }

  start(): void {
    this.#timeoutTimer = setTimeout(() => this.#stop({ kind: "timed-out" }), this.#task.timeoutMs);
    this.#outputTimer = setTimeout(() => this.#readAlong(), outputDelayMs);
    this.#usageTimer = setInterval(() => this.#bound(), limits.stepLookMs);
    if (this.#task.deadlineMs !== null) this.setDeadline(this.#task.deadlineMs);
    if (this.#task.preamble !== "") this.#emit(Buffer.from(this.#task.preamble));
    if (this.#state === "running") this.#startNext();
  }

  /** Ends everything: asked first, then killed. */
  cancel(): void {
    this.#stop({ kind: "cancelled" });
  }

  /** It is cancelled then, whether the worker is awake or not, unless a later time is told first. */
  setDeadline(deadlineMs: number): void {
    if (this.#deadlineTimer !== null) clearTimeout(this.#deadlineTimer);
    const leftMs = deadlineMs - machineMs();
    if (leftMs <= 0) return this.cancel();
    this.#deadlineTimer = setTimeout(() => this.setDeadline(deadlineMs), Math.ceil(leftMs));
  }

  /** Ends everything at once: the worker is gone, nobody will hear of it. */
  abandon(): void {
    if (this.#state === "running" || this.#state === "stopping") this.#clear({ kind: "cancelled" });
  }

  /** To be called when the worker has caught up. */
  resume(): void {
    this.#socket?.resume();
  }

  #startNext(): void {
    const command = this.#task.commands[this.#commands.length];
    if (command === undefined) return this.#clear({ kind: "passed" });
    this.#current = { startedMs: this.#elapsedMs(), logOffset: this.#log.bytes + (this.#masker?.held ?? 0) };
    try {
      if (this.#task.confinement?.kind === "sandbox") {
        this.#shell ??= this.#enter(this.#task.confinement);
        return this.#shell.next();
      }
      const child = this.#spawn(command);
      child.on("exit", (code, signal) => this.#commandEnded(code, signal));
      child.on("error", (error) => this.#notStarted(error));
      if (child.pid !== undefined) this.#groups.push(child.pid);
    } catch (error) {
      this.#notStarted(error);
    }
  }

  #spawn(command: string): ChildProcess {
    const { confinement } = this.#task;
    const output = this.#pipe.writer;
    const none = "ignore";
    const stdio = [none, output, output, none, none, none, none, none, none];
    stdio[lifelineDescriptor] = output;
    const own = confinement?.kind === "user" ? confinement : null;
    this.#giveOutputTo(own?.user ?? null);
    const words = ["/bin/sh", "-e", "-c", command];
    const [program = "", ...rest] = own === null ? words : [...own.inner, ...words];
    return spawn(program, rest, {
      cwd: this.#task.workspace,
      env: this.#environment,
      detached: true,
      stdio: stdio as ("ignore" | number)[],
      ...(own === null ? {} : { uid: own.user.id, gid: own.user.id }),
    });
  }

  #enter(sandbox: SandboxTask): SandboxedShell {
    const { commands } = this.#task;
    this.#giveOutputTo(sandbox.user);
    return new SandboxedShell(
      sandbox,
      { commands, environment: this.#environment, output: this.#pipe.writer },
      {
        commandEnded: (code, signal) => this.#commandEnded(code, signal),
        notStarted: (problem) => this.#notStarted(problem),
        gone: () => this.#sandboxGone(),
        listens: (port, server, given) => this.#surroundings.listens(this.#task.serial, port, server, given),
      },
    );
  }

  #sandboxGone(): void {
    if (this.#state === "running") return this.#clear({ kind: "broken", problem: "The sandbox has ended." });
    if (this.#state !== "clearing") return;
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    this.#clearing(lookMsMin);
  }

  /** A script that writes to `/dev/stderr` opens the pipe anew, and must be allowed to. */
  #giveOutputTo(user: SlotUser | null): void {
    if (user !== null) fchownSync(this.#pipe.writer, user.id, user.id);
  }

  #notStarted(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#record({ kind: "not-started", problem: reason });
    if (this.#state === "running") {
      this.#clear({ kind: "broken", problem: `A command could not be started: ${reason}.` });
    }
  }

  #commandEnded(code: number | null, signal: string | null): void {
    this.#take();
    // A group without members can get none any more, and its number may be given to a stranger.
    this.#groups = this.#groups.filter((group) => signalProcess(-group, 0));
    if (this.#state !== "running") {
      // An attempt that broke in the middle has no kind of its own for its last command: it was killed.
      if (this.#end.kind === "timed-out" || this.#end.kind === "cancelled") this.#record(this.#end);
      else this.#record({ kind: "signal", signal: signal ?? "SIGKILL" });
      if (this.#state === "stopping") this.#look(lookMsMin);
      return;
    }
    this.#record(signal === null ? { kind: "exit", code: code ?? -1 } : { kind: "signal", signal });
    if (code === 0) return this.#startNext();
    // It may have failed at a wall.
    this.#bound();
    this.#clear({ kind: "failed" });
  }

  /** Ends the attempt when it takes too much of the machine. */
  #bound(): void {
    const inside = this.#shell?.inside ?? null;
    const problem = this.#usage.look(inside === null ? this.#groups : [inside]);
    if (problem !== null && this.#state === "running") this.#clear({ kind: "limited", problem });
  }

  #record(end: CommandReport["end"]): void {
    if (this.#current === null) return;
    const { startedMs, logOffset } = this.#current;
    this.#commands.push({ startedMs, durationMs: this.#elapsedMs() - startedMs, logOffset, end });
    this.#current = null;
  }

  #stop(end: RunnerEnd): void {
    if (this.#state !== "running") return;
    this.#state = "stopping";
    this.#end = end;
    this.#killAtMs = performance.now() + this.#task.graceMs;
    this.#shell?.terminate();
    for (const group of this.#groups) signalProcess(-group, "SIGTERM");
    this.#look(lookMsMin);
  }

  /** Looks whether a stopping attempt has obeyed, and kills what has not when its grace is over. */
  #look(afterMs: number): void {
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    this.#lookTimer = setTimeout(() => {
      this.#groups = livingGroups(this.#groups);
      const obeyed = this.#current === null && this.#groups.length === 0;
      if (obeyed || performance.now() >= this.#killAtMs) this.#clear(this.#end);
      else this.#look(Math.min(afterMs * 2, lookMsMax));
    }, afterMs);
  }

  /** Nothing more may run: kills what is left, and ends when it is gone. */
  #clear(end: RunnerEnd): void {
    if (this.#state === "clearing" || this.#state === "ended") return;
    this.#state = "clearing";
    this.#end = end;
    if (this.#timeoutTimer !== null) clearTimeout(this.#timeoutTimer);
    if (this.#deadlineTimer !== null) clearTimeout(this.#deadlineTimer);
    if (this.#usageTimer !== null) clearInterval(this.#usageTimer);
    if (this.#lookTimer !== null) clearTimeout(this.#lookTimer);
    this.#killAtMs = performance.now() + limits.killGraceMs;
    this.#clearing(lookMsMin);
  }

  #clearing(afterMs: number): void {
    let alive = this.#current !== null;
    for (const group of this.#groups) alive = signalProcess(-group, "SIGKILL") || alive;
    const { confinement } = this.#task;
    // They are killed, and may take a moment to be gone.
    const own = confinement?.kind === "user" ? killUser(confinement.user) : "none";
    const hadOwn = own === "living" || (own === "crowded" && performance.now() <= this.#killAtMs);
    alive = hadOwn || alive;
    if (this.#killSandbox(afterMs) && afterMs < lookMsMax) {
      // The kernel ends all of it, and says when: to look through the machine's processes meanwhile only takes time.
      this.#lookTimer = setTimeout(() => this.#clearing(afterMs * 2), afterMs * 2);
      return;
    }
    alive = this.#shell?.isGone === false || alive;
    this.#pipe.closeWriter();
    const atEnd = this.#drain();
    const { orphans, executor } = this.#surroundings;
    const mine = (serial: number): boolean => serial === this.#task.serial;
    const suspicious = alive || !atEnd || orphans.belongingTo(mine).length > 0;
    if (!suspicious) return this.#finish(true);

    const pipe = atEnd ? null : this.#pipe.path;
    const left = findProcesses({ executor, serial: mine, groups: this.#groups, pipe });
    for (const pid of left) signalProcess(pid, "SIGKILL");
    const isOver = left.length === 0 && !hadOwn && this.#current === null && this.#shell?.isGone !== false;
    if (isOver && (atEnd || process.platform === "linux")) {
      return this.#finish(atEnd);
    }
    if (performance.now() > this.#killAtMs) {
      this.#record({ kind: "signal", signal: "SIGKILL" });
      this.#end = { kind: "broken", problem: `Processes could not be ended: ${left.join(", ")}.` };
      return this.#finish(false);
    }
    this.#lookTimer = setTimeout(() => this.#clearing(Math.min(afterMs * 2, lookMsMax)), afterMs);
  }

  /** Says whether it is still there. */
  #killSandbox(afterMs: number): boolean {
    if (this.#shell === null || this.#shell.isGone) return false;
    this.#shell.kill();
    if (afterMs >= lookMsMax) this.#shell.killOutside();
    return true;
  }

  #finish(atEnd: boolean): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#take();
    if (this.#masker !== null) this.#keep(this.#masker.end());
    if (this.#outputTimer !== null) clearTimeout(this.#outputTimer);
    if (this.#socket === null) this.#pipe.closeReader();
    else this.#socket.destroy();
    const result: RunnerResult = {
      serial: this.#task.serial,
      end: this.#end,
      durationMs: this.#elapsedMs(),
      commands: this.#commands,
      logBytes: this.#log.bytes,
      logDroppedBytes: this.#log.droppedBytes,
      logDigest: this.#log.finish(),
    };
    this.#surroundings.ended(result, atEnd ? this.#pipe : null);
  }

  /** From now on output is taken when it comes. Most commands have ended before it comes to this. */
  #readAlong(): void {
    this.#outputTimer = null;
    const socket = new Socket({ fd: this.#pipe.reader, readable: true, writable: false });
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#collect(bytes);
      if (this.#surroundings.isCongested()) socket.pause();
    });
    // The end of the pipe is looked for by draining it; an error of the pipe is the end of it too.
    socket.on("error", () => socket.destroy());
  }

  #collect(bytes: Buffer): void {
    this.#collected.push(bytes);
    this.#collectedBytes += bytes.length;
    if (this.#collectedBytes >= limits.logChunkBytesMax) this.#flush();
    else this.#outputTimer ??= setTimeout(() => this.#flush(), outputDelayMs);
  }

  #flush(): void {
    if (this.#outputTimer !== null && this.#socket !== null) {
      clearTimeout(this.#outputTimer);
      this.#outputTimer = null;
    }
    if (this.#collectedBytes === 0) return;
    const bytes = this.#collected.length === 1 ? this.#collected[0] : Buffer.concat(this.#collected);
    this.#collected = [];
    this.#collectedBytes = 0;
    if (bytes !== undefined) this.#emit(bytes);
  }

  /** No byte of a step gets any further unmasked. */
  #emit(bytes: Buffer): void {
    this.#keep(this.#masker === null ? bytes : this.#masker.push(bytes));
  }

  #keep(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += limits.logChunkBytesMax) {
      if (this.#end.kind === "broken") return;
      const chunk = bytes.subarray(at, at + limits.logChunkBytesMax);
      const offset = this.#log.bytes;
      try {
        const kept = this.#log.append(chunk);
        if (kept.length > 0) this.#surroundings.output(this.#task.serial, offset, kept);
      } catch (error) {
        this.#clear({ kind: "broken", problem: logProblem(error, this.#task.logFile) });
        this.#end = { kind: "broken", problem: logProblem(error, this.#task.logFile) };
      }
    }
  }

  /** Everything that the step has written until now is in the log afterwards. */
  #take(): void {
    this.#drain();
    this.#flush();
  }

  #drain(): boolean {
    if (this.#socket?.destroyed === true) return true;
    return this.#pipe.drain((bytes) => {
      this.#collected.push(bytes);
      this.#collectedBytes += bytes.length;
    });
  }

  #elapsedMs(): number {
    return Math.round(performance.now() - this.#startedAt);
  }
}

function maskerOf({ secrets }: RunnerTask): Masker | null {
  if (secrets.length === 0) return null;
  const mask = maskOf(secrets.map((secret) => Buffer.from(secret, "base64")));
  assert(mask.ok, "the worker does not start a step whose secrets cannot be masked");
  return new Masker(mask.value);
}

function logProblem(error: unknown, path: string): string {
  const code = (error as NodeJS.ErrnoException).code;
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG") {
    return `The disk that holds ${folder} is full: the log could not be written. Free some space there, then try again.`;
  }
  return `The log could not be written to ${folder}: ${String(error)}. Look at that folder, then try again.`;
}
