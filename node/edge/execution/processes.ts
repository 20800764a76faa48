/**
 * Finding and ending the processes of steps, also those that left their process group.
 *
 * Every process of an attempt carries a marker in its environment, `OTTO_EXECUTION`, which its children inherit
 * whatever session or group they make for themselves. A sweep over `/proc` finds it. A sweep costs milliseconds,
 * so `Orphans` first asks a cheaper question: a process whose parents are all gone has been adopted by init or by
 * the nearest sub-reaper, which is one of our own ancestors, and the kernel lists the children of a process in one
 * small file.
 *
 * Limits: on systems without `/proc` only process groups are ended; a process that clears its environment *and*
 * closes every descriptor *and* leaves its group is not found. A sandbox (S2) has no such hole.
 */

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const markerName = "OTTO_EXECUTION";

/**
 * The marker of one attempt. Markers nest: a mesh that was started by a step is part of that step, so the
 * marker inherited from outside stays in front.
 */
function attemptMarker(executor: string, serial: number | null): string {
  return serial === null ? `/${executor}:` : `/${executor}:${serial}/`;
}

/** The environment entry for an attempt. */
export function markerVariable(executor: string, serial: number): Record<string, string> {
  return { [markerName]: `${process.env[markerName] ?? ""}${attemptMarker(executor, serial)}` };
}

/** The serial of the attempt that the process belongs to, or null when it is none of the executor's. */
function serialOf(pid: number, executor: string): number | null {
  const environment = environmentOf(pid);
  const marker = attemptMarker(executor, null);
  const at = environment.indexOf(marker);
  if (at < 0) return null;
  return Number.parseInt(environment.slice(at + marker.length, at + marker.length + 16), 10);
}

export type Belonging = {
  readonly executor: string;
  /** Whether an attempt of this number is meant. */
  readonly serial: (serial: number) => boolean;
  /** Process groups that are meant, by their leader's process id. */
  readonly groups: readonly number[];
  /** A pipe: every process that holds it open is meant. */
  readonly pipe: string | null;
};

/** Every living process that belongs; the caller itself never does. Empty where there is no `/proc`. */
export function findProcesses(wanted: Belonging): readonly number[] {
  return allProcesses().filter((pid) => {
    if (pid === process.pid) return false;
    const serial = serialOf(pid, wanted.executor);
    if (serial !== null && wanted.serial(serial)) return true;
    if (wanted.groups.length > 0) {
      const status = statusOf(pid);
      if (status !== null && isLiving(status) && wanted.groups.includes(status.group)) return true;
    }
    return wanted.pipe !== null && holdsOpen(pid, wanted.pipe);
  });
}

/**
 * The groups that still have a living member. One whose dead nobody has collected yet (an init that is slow at it,
 * or does not do it at all, as in many containers) still takes signals, and is not alive.
 */
export function livingGroups(groups: readonly number[]): number[] {
  const reachable = groups.filter((group) => signalProcess(-group, 0));
  if (reachable.length === 0 || process.platform !== "linux") return reachable;
  const living = new Set<number>();
  for (const pid of allProcesses()) {
    const status = statusOf(pid);
    if (status !== null && isLiving(status)) living.add(status.group);
  }
  return reachable.filter((group) => living.has(group));
}

/** Sends a signal; says whether there was a process (or, for a negative id, a group) to receive it. */
export function signalProcess(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    // A process of another user is there, and beyond our reach.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether a process lives, or any thread of it. One that has ended and that nobody has collected yet does not. */
export function isAlive(pid: number): boolean {
  if (!signalProcess(pid, 0)) return false;
  const status = statusOf(pid);
  return status === null ? process.platform !== "linux" : isLiving(status);
}

/** Kills every process that carries the executor's marker and waits until none is left. */
export async function killAll(executor: string): Promise<number> {
  const wanted: Belonging = { executor, serial: () => true, groups: [], pipe: null };
  const killed = new Set<number>();
  for (let round = 0; round < 100; round += 1) {
    const found = findProcesses(wanted);
    if (found.length === 0) break;
    for (const pid of found) {
      killed.add(pid);
      signalProcess(pid, "SIGKILL");
    }
    await new Promise<void>((resolve) => {
      setTimeout(resolve, Math.min(2 ** round, 100));
    });
  }
  return killed.size;
}

/** The processes that our ancestors have adopted: where a step's orphans end up. */
export class Orphans {
  readonly #executor: string;
  readonly #files: readonly string[];
  /** False where the kernel does not list children: then only a sweep can tell. */
  readonly canTell: boolean;
  #known = new Set<number>();

  constructor(executor: string) {
    this.#executor = executor;
    this.#files = ancestors().map((pid) => `/proc/${pid}/task/${pid}/children`);
    // Every ancestor has a child that leads to us, so an empty list is a list that does not work.
    this.canTell = this.#files.every((file) => readText(file) !== "");
    this.belongingTo(() => true);
  }

  /** Adopted processes of the attempts that are asked for. Others of ours stay unknown and are asked about again. */
  belongingTo(serial: (serial: number) => boolean): readonly number[] {
    const found: number[] = [];
    const known = new Set<number>();
    for (const file of this.#files) {
      for (const word of readText(file).split(" ")) {
        if (word === "") continue;
        const pid = Number(word);
        if (this.#known.has(pid)) {
          known.add(pid);
          continue;
        }
        const owner = serialOf(pid, this.#executor);
        if (owner === null) known.add(pid);
        else if (serial(owner)) found.push(pid);
      }
    }
    this.#known = known;
    return found;
  }
}

function ancestors(): readonly number[] {
  const found: number[] = [];
  for (let pid = process.ppid; pid > 0 && found.length < 64;) {
    found.push(pid);
    const status = statusOf(pid);
    if (status === null) break;
    pid = status.parent;
  }
  return found;
}

function allProcesses(): readonly number[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid));
}

function environmentOf(pid: number): string {
  return readText(`/proc/${pid}/environ`);
}

type Status = {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly threads: number;
};

function statusOf(pid: number): Status | null {
  const text = readText(`/proc/${pid}/stat`);
  // The name of the program is in brackets and may itself hold brackets and spaces.
  const words = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (words.length < 3) return null;
  const [state = "", parent, group] = words;
  return { state, parent: Number(parent), group: Number(group), threads: Number(words[17]) };
}

/** The first thread may end before the others, which hold files, ports and memory until they have ended, too. */
function isLiving({ state, threads }: Status): boolean {
  return (state !== "Z" && state !== "X") || threads > 1;
}

function holdsOpen(pid: number, path: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((name) => linkTarget(`${folder}/${name}`) === path);
  } catch (error) {
    return notReadable(error);
  }
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch (error) {
    notReadable(error);
    return null;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    notReadable(error);
    return "";
  }
}

/** A process ends while it is looked at, or is not ours to look at: then it is none of ours. */
function notReadable(error: unknown): false {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "EACCES" || code === "ESRCH" || code === "EPERM" || code === "EINVAL") {
    return false;
  }
  throw error;
}

/** The name that marks every process of this folder's steps, the same after a restart. */
export function identityOf(folder: string): string {
  const file = join(folder, "identity");
  if (existsSync(file)) {
    const identity = readFileSync(file, "utf8").trim();
    if (/^[0-9a-f]{16}$/.test(identity)) return identity;
  }
  const identity = randomBytes(8).toString("hex");
  writeFileSync(file, `${identity}\n`);
  return identity;
}
