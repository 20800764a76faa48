/** Processes of this machine as the kernel lists them, for whoever must stop, end or count all that one has started. */

import { readdirSync, readFileSync } from "node:fs";

const ticksPerSecond = 100;

/** The process and everything that it and its children have started and that still lives, parents first. */
export function treeOf(pid: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const each of allProcesses()) {
    const parent = parentOf(each);
    if (parent === null) continue;
    const known = children.get(parent);
    if (known === undefined) children.set(parent, [each]);
    else known.push(each);
  }
  const tree = [pid];
  for (const each of tree) tree.push(...(children.get(each) ?? []));
  return tree;
}

/** Living processes whose environment mentions the text; never this process itself. */
export function processesThatName(text: string): readonly number[] {
  return allProcesses().filter((pid) => {
    if (pid === process.pid || parentOf(pid) === null) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(text);
    } catch {
      return false;
    }
  });
}

/** Signals each; one that has ended meanwhile needs no signal. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

/** In words, for a person. */
export function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state, , , , , , , , , , , user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const waits = readFileSync(`/proc/${pid}/wchan`, "latin1");
    return `process ${pid} is ${state}, in ${waits}, after ${(Number(user) + Number(system)) / ticksPerSecond} CPU-seconds`;
  } catch {
    return `process ${pid} is gone`;
  }
}

function allProcesses(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .map(Number);
}

/** Null for one that has ended, collected or not. */
function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const [state = "Z", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? null : Number(parent);
  } catch {
    return null;
  }
}
