/**
 * The runner: a slim process between a worker and its steps.
 *
 * Starting a process costs time in proportion to the memory of the one that starts it, so a worker (with its
 * network and storage) has its steps started by this program, which imports next to nothing. It runs what it is
 * told, reports, and decides nothing. When its channel closes, the worker is gone: it kills everything and exits.
 *
 * Its other half is `runner-link.ts`.
 */

import { closeSync, readdirSync, readFileSync } from "node:fs";
import { type Server, Socket } from "node:net";
import { unreachable } from "../../../protocol/errors.ts";
import { Channel } from "./channel.ts";
import { Pipes } from "./pipes.ts";
import { findProcesses, Orphans, signalProcess } from "./processes.ts";
import { type AttemptSurroundings, RunningAttempt } from "./running-attempt.ts";
import type { DoorMessage, FromRunner, RunnerResult, RunnerTask, ToRunner } from "./runner-messages.ts";

const channelDescriptor = 3;
/** Node's own channel to the worker, by which listeners go. */
const doorDescriptor = 4;
/** `O_CLOEXEC` as Linux writes it; Node has no name for it. */
const closeOnExec = 0o2000000;
/** So much may wait for the worker before steps are made to wait. */
const backlogBytesMax = 1024 * 1024;
/** How long after the end of an attempt the second, thorough look for its processes comes at the latest. */
const sweepMs = 1_000;

closeInherited();
const attempts = new Map<number, RunningAttempt>();
let surroundings: AttemptSurroundings | null = null;
let pipes: Pipes | null = null;
let sweepTimer: NodeJS.Timeout | null = null;
let closing = false;

const channel = new Channel(new Socket({ fd: channelDescriptor }), {
  message: (value) => receive(value as ToRunner),
  output: () => undefined,
  drained: () => {
    for (const attempt of attempts.values()) attempt.resume();
  },
  closed: abandon,
});

// A terminal sends its signals to everyone; only the worker decides when the steps end.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.on("SIGHUP", () => undefined);

/**
 * Whatever opened descriptors in the process that started the worker, and forgot to keep them from its children: no step
 * gets one. Node's own are marked as not to be inherited.
 */
function closeInherited(): void {
  if (process.platform !== "linux") return;
  for (const name of readdirSync("/proc/self/fd")) {
    const descriptor = Number(name);
    if (descriptor > doorDescriptor && isInherited(descriptor)) closeSync(descriptor);
  }
}

function isInherited(descriptor: number): boolean {
  try {
    const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, "latin1"));
    return flags !== null && (Number.parseInt(flags[1] ?? "", 8) & closeOnExec) === 0;
  } catch {
    // The one that listed the folder is closed by now.
    return false;
  }
}

function receive(message: ToRunner): void {
  switch (message.kind) {
    case "configure":
      return configure(message);
    case "run":
      return run(message.task);
    case "stop":
      return attempts.get(message.serial)?.cancel();
    case "deadline":
      return attempts.get(message.serial)?.setDeadline(message.deadlineMs);
    case "close":
      closing = true;
      for (const attempt of attempts.values()) attempt.cancel();
      return exitWhenIdle();
    default:
      return unreachable(message);
  }
}

function configure(message: ToRunner & { kind: "configure" }): void {
  const executor = message.marker;
  pipes = new Pipes(message.folder, message.slots + 2);
  surroundings = {
    executor,
    environment: message.environment,
    orphans: new Orphans(executor),
    output: (serial, offset, bytes) => channel.sendOutput(serial, offset, bytes),
    listens: giveAway,
    isCongested: () => channel.backlogBytes > backlogBytesMax,
    ended: (result, pipe) => {
      attempts.delete(result.serial);
      if (pipe !== null) pipes?.giveBack(pipe);
      send({ kind: "ended", result });
      sweepTimer ??= setTimeout(sweep, sweepMs);
      exitWhenIdle();
    },
  };
  send({ kind: "ready" });
}

function run(task: RunnerTask): void {
  if (surroundings === null || pipes === null) throw new Error("Bug: a task before the configuration");
  let attempt: RunningAttempt;
  try {
    attempt = new RunningAttempt(task, pipes.take(), surroundings);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return send({
      kind: "ended",
      result: notStarted(task.serial, `The step could not be started: ${reason}.`),
    });
  }
  attempts.set(task.serial, attempt);
  attempt.start();
}

/** The worker gets the listener itself; what connects until it accepts is kept waiting by the kernel. */
function giveAway(serial: number, port: number, server: Server, given: () => void): void {
  process.send?.({ serial, port } satisfies DoorMessage, server, {}, () => {
    server.close();
    given();
  });
}

function notStarted(serial: number, problem: string): RunnerResult {
  const end = { kind: "broken", problem } as const;
  return { serial, end, durationMs: 0, commands: [], logBytes: 0, logDroppedBytes: 0, logDigest: null };
}

function send(message: FromRunner): void {
  channel.send(message);
}

/** What the quick look at an attempt's end has missed is found here, and killed. */
function sweep(): void {
  sweepTimer = null;
  if (surroundings === null) return;
  const ended = (serial: number): boolean => !attempts.has(serial);
  const left = findProcesses({ executor: surroundings.executor, serial: ended, groups: [], pipe: null });
  for (const pid of left) signalProcess(pid, "SIGKILL");
}

function exitWhenIdle(): void {
  if (!closing || attempts.size > 0) return;
  sweep();
  channel.close();
}

/** The channel is closed: nothing may outlive the worker. */
function abandon(): void {
  closing = true;
  for (const attempt of attempts.values()) attempt.abandon();
  lastSweep(0);
}

function lastSweep(round: number): void {
  sweep();
  // The rounds catch what was being started while the first one looked.
  if (round >= 2 && attempts.size === 0) process.exit(0);
  setTimeout(() => lastSweep(round + 1), attempts.size === 0 ? 5 : 20);
}
