/**
 * What a running step takes of the machine, looked at now and then: processes with their threads, memory, open files, disk.
 *
 * The kernel's own limits (`sandbox/isolation.ts`) are walls that a step runs into and may live on at; what is looked at here ends
 * it with a sentence. A step that is over before the first look costs nothing.
 *
 * Limits: what grows within one look is seen at the next. Memory that is in no process, such as a file without a name that is held
 * open, is not seen, nor is what was swapped out. A process that has left its parents and its group counts only at S2.
 */

import { spawn } from "node:child_process";
import { readdirSync, readFileSync, statfsSync, statSync } from "node:fs";
import { limits } from "../../../protocol/limits.ts";

export type StepBounds = {
  /** Processes and their threads. */
  readonly tasksMax: number;
  /** Of all processes together. */
  readonly openFilesMax: number;
  readonly memoryBytesMax: number;
  /** In the folders of the step. */
  readonly diskBytesMax: number;
};

type Seen = {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly tasks: number;
  readonly pages: number;
};

/** On all systems where it is looked at. */
const pageBytes = 4_096;
/** Measuring a folder takes long: it is done when the disk has lost as much as would be too much, and at every so many looks. */
const looksPerMeasure = 40;

export class StepUsage {
  readonly #bounds: StepBounds;
  readonly #folders: readonly string[];
  readonly #freeAtFirst: number;
  #looks = 0;
  #isMeasuring = false;
  #diskBytes = 0;

  constructor(bounds: StepBounds, folders: readonly string[]) {
    this.#bounds = bounds;
    this.#folders = folders;
    this.#freeAtFirst = freeBytes(folders);
  }

  /**
   * What the step has too much of, as a clause; null: it is within its bounds.
   *
   * @param roots its first processes, which lead their groups.
   */
  look(roots: readonly number[]): string | null {
    if (process.platform !== "linux") return null;
    this.#looks += 1;
    const { tasksMax, openFilesMax, memoryBytesMax, diskBytesMax } = this.#bounds;
    this.#measure();
    if (this.#diskBytes > diskBytesMax) return `it had more than ${amount(diskBytesMax)} in its folders`;
    const found = belonging(roots);
    let [tasks, pages, files] = [0, 0, 0];
    for (const { pid, tasks: own, pages: held } of found) {
      tasks += own;
      pages += held;
      files += openFiles(pid);
    }
    if (tasks > tasksMax) return `it had more than ${tasksMax} processes and threads at once`;
    if (files > openFilesMax) return `it had more than ${openFilesMax} files open at once`;
    // Pages that several processes share were counted for each of them: only the kernel can divide them.
    if (pages * pageBytes > memoryBytesMax && proportionalBytes(found) > memoryBytesMax)
      return `it took more than ${amount(memoryBytesMax)} of memory`;
    return null;
  }

  #measure(): void {
    const lost = this.#freeAtFirst - freeBytes(this.#folders);
    if (this.#isMeasuring || (lost < this.#bounds.diskBytesMax && this.#looks % looksPerMeasure !== 0))
      return;
    this.#isMeasuring = true;
    const stdio: ("ignore" | "pipe")[] = ["ignore", "pipe", "ignore", "ignore", "ignore"];
    const child = spawn("du", ["-skx", "--", ...this.#folders], { stdio });
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (more: string) => (text += more));
    child.once("error", () => (this.#isMeasuring = false));
    child.once("close", () => {
      this.#isMeasuring = false;
      this.#diskBytes = 0;
      for (const [, kibibytes] of text.matchAll(/^(\d+)\t/gmu)) this.#diskBytes += Number(kibibytes) * 1_024;
    });
  }
}

/** Of how much a step may take of this machine, where nothing else is said. */
export function usualBounds(folder: string, memoryBytes: number): StepBounds {
  return {
    tasksMax: limits.stepTasksMax,
    openFilesMax: limits.stepOpenFilesMax,
    memoryBytesMax: Math.floor((memoryBytes * limits.stepMemoryPercentMax) / 100),
    diskBytesMax: Math.floor((freeBytes([folder]) * limits.stepDiskPercentMax) / 100),
  };
}

/** The processes, all that descend from them, and all that are in the groups that they lead. */
function belonging(roots: readonly number[]): readonly Seen[] {
  const wanted = new Set(roots);
  const all = processes();
  const children = Map.groupBy(all, ({ parent }) => parent);
  const left = all.filter(({ pid, group }) => wanted.has(pid) || wanted.has(group));
  const found = new Map<number, Seen>();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (found.has(next.pid)) continue;
    found.set(next.pid, next);
    left.push(...(children.get(next.pid) ?? []));
  }
  return [...found.values()];
}

function processes(): readonly Seen[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid)) return [];
    const text = readText(`/proc/${pid}/stat`);
    const words = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const at = (index: number): number => Number(words[index]);
    return words.length < 22 ? [] : [{ pid, parent: at(1), group: at(2), tasks: at(17), pages: at(21) }];
  });
}

/** As the size of the folder says; 0 where the kernel is too old for that. */
function openFiles(pid: number): number {
  return statSync(`/proc/${pid}/fd`, { throwIfNoEntry: false })?.size ?? 0;
}

function proportionalBytes(found: readonly Seen[]): number {
  return found.reduce((sum, { pid, pages }) => {
    const kibibytes = /^Pss:\s+(\d+)/mu.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + (kibibytes === undefined ? pages * pageBytes : Number(kibibytes) * 1_024);
  }, 0);
}

function freeBytes([folder]: readonly string[]): number {
  if (folder === undefined) return 0;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // It has ended since, or is not ours to look at.
    return "";
  }
}

function amount(bytes: number): string {
  const [unit, size] = bytes >= 10 * 1024 ** 3 ? ["GiB", 1024 ** 3] : ["MiB", 1024 ** 2];
  return `${Math.floor(bytes / size)} ${unit}`;
}
