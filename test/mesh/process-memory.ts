/** What root on a machine can read: the memory of a process, and of all that it has started. */

import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { isLiving } from "./step-processes.ts";

const chunkBytes = 4 << 20;

/** The process and its descendants, as far as they live. */
export function treeOf(root: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/u.test(entry))) {
    const parent = parentOf(Number(name));
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree.filter((pid) => isLiving(pid));
}

/** How many bytes of the process could be read, and which of these are in them. */
export function searched(
  pid: number,
  needles: readonly string[],
): { readonly bytes: number; readonly found: readonly string[] } {
  const found = new Set<string>();
  const longest = Math.max(...needles.map(({ length }) => length));
  const memory = openSync(`/proc/${pid}/mem`, "r");
  let bytes = 0;
  try {
    for (const [from, to] of writable(pid))
      for (let at = from; at < to; at += chunkBytes) {
        // A needle may lie over the border of two chunks.
        const chunk = Buffer.alloc(Math.min(chunkBytes + longest, to - at));
        const read = readAt(memory, chunk, at);
        if (read === 0) break;
        bytes += Math.min(read, chunkBytes);
        for (const needle of needles) if (chunk.subarray(0, read).includes(needle)) found.add(needle);
      }
  } finally {
    closeSync(memory);
  }
  return { bytes, found: [...found] };
}

/** Ranges that the process can write: nothing comes to be in any other. */
function writable(pid: number): readonly (readonly [number, number])[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [, from = "", to = ""] = /^([0-9a-f]+)-([0-9a-f]+) rw../u.exec(line) ?? [];
      return from === "" || /\[v(?:var|syscall|var_vclock)\]/u.test(line)
        ? []
        : [[Number.parseInt(from, 16), Number.parseInt(to, 16)] as const];
    });
}

/** Zero where the range is gone by now. */
function readAt(memory: number, chunk: Buffer, at: number): number {
  try {
    return readSync(memory, chunk, 0, chunk.length, at);
  } catch {
    return 0;
  }
}

function parentOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return null;
  }
}
