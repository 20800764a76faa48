/**
 * A hash tree over logs: two peers that have the same see it by one hash, whatever number of logs there ever was, and
 * two that differ find where in a few small messages.
 *
 * A region is all logs whose id begins with a prefix. One of at most `limits.logsListedMax` logs is told log by log, a
 * larger one by the hashes of its sixteen parts. The hash of a region depends on nothing but what is in it, so
 * peers need not have grown their trees in the same order.
 */

import { limits } from "./limits.ts";
import { compareText, encodeValue, sha256Hex } from "./values.ts";

/** How far a log is known: the hash of its newest entry with its place, or that it is frozen. */
export type LogState = { readonly seq: number; readonly hash: string } | "frozen";

type Node = {
  count: number;
  /** Null until somebody asks. */
  hash: string | null;
  /** Of a leaf: a region that is told log by log. */
  logs: Map<string, LogState> | null;
  readonly parts: Map<string, Node>;
};

const digits = "0123456789abcdef".split("");

export class LogTree {
  readonly #root = newNode();

  /** @param log its id, in hex. */
  set(log: string, state: LogState): void {
    const isNew = this.get(log) === undefined;
    let node = this.#root;
    for (let depth = 0; ; depth += 1) {
      node.hash = null;
      if (isNew) node.count += 1;
      if (node.logs !== null) break;
      node = partOf(node, log.charAt(depth));
    }
    node.logs.set(log, state);
    this.#split(node, log);
  }

  delete(log: string): void {
    if (this.get(log) === undefined) return;
    let node = this.#root;
    let joined: Node | null = null;
    for (let depth = 0; ; depth += 1) {
      node.hash = null;
      node.count -= 1;
      if (node.logs !== null) break;
      if (joined === null && node.count <= limits.logsListedMax) joined = node;
      node = partOf(node, log.charAt(depth));
    }
    node.logs.delete(log);
    if (joined === null) return;
    const left = new Map<string, LogState>();
    for (const [one, state] of logsIn(joined)) left.set(one, state);
    joined.parts.clear();
    joined.logs = left;
  }

  get(log: string): LogState | undefined {
    let node = this.#root;
    for (let depth = 0; node.logs === null; depth += 1) {
      const part = node.parts.get(log.charAt(depth));
      if (part === undefined) return undefined;
      node = part;
    }
    return node.logs.get(log);
  }

  /** True when a region is told log by log. */
  isListed(prefix: string): boolean {
    const node = this.#at(prefix);
    return node === null || node.logs !== null;
  }

  /** The logs of a region, in the order of their ids. */
  list(prefix: string): [log: string, state: LogState][] {
    const node = this.#at(prefix);
    if (node === null) return [];
    return [...logsIn(node)]
      .filter(([log]) => log.startsWith(prefix))
      .sort(([left], [right]) => compareText(left, right));
  }

  /** Equal for equal regions; empty for one without a log. */
  hash(prefix: string): string {
    const node = this.#at(prefix);
    if (node === null) return "";
    // Below a leaf there are only parts of its list.
    return node.logs === null || [...node.logs.keys()].every((log) => log.startsWith(prefix))
      ? hashOf(node)
      : hashOfList(this.list(prefix));
  }

  /** The hashes of the parts of a region that are not empty, by the digit that follows the prefix. */
  parts(prefix: string): Record<string, string> {
    const parts: Record<string, string> = {};
    for (const digit of digits) {
      const hash = this.hash(prefix + digit);
      if (hash !== "") parts[digit] = hash;
    }
    return parts;
  }

  /** The node of the region, or the leaf that the region is a part of. */
  #at(prefix: string): Node | null {
    let node = this.#root;
    for (const digit of prefix) {
      if (node.logs !== null) return node;
      const part = node.parts.get(digit);
      if (part === undefined) return null;
      node = part;
    }
    return node;
  }

  /** A leaf that has become too long to be told log by log. */
  #split(leaf: Node, log: string): void {
    let node = leaf;
    for (let depth = depthOf(this.#root, leaf, log); node.logs !== null; depth += 1) {
      if (node.count <= limits.logsListedMax) return;
      const { logs } = node;
      node.logs = null;
      for (const [one, state] of logs) {
        const part = partOf(node, one.charAt(depth));
        part.count += 1;
        part.logs?.set(one, state);
      }
      node = partOf(node, log.charAt(depth));
    }
  }
}

function newNode(): Node {
  return { count: 0, hash: null, logs: new Map(), parts: new Map() };
}

function partOf(node: Node, digit: string): Node {
  const known = node.parts.get(digit);
  if (known !== undefined) return known;
  const made = newNode();
  node.parts.set(digit, made);
  return made;
}

function depthOf(root: Node, leaf: Node, log: string): number {
  let depth = 0;
  for (let node = root; node !== leaf; depth += 1) node = partOf(node, log.charAt(depth));
  return depth;
}

function* logsIn(node: Node): Generator<[string, LogState]> {
  if (node.logs !== null) yield* node.logs;
  else for (const part of node.parts.values()) yield* logsIn(part);
}

function hashOf(node: Node): string {
  if (node.count === 0) return "";
  node.hash ??=
    node.logs === null
      ? digestOf(digits.map((digit) => (node.parts.has(digit) ? hashOf(partOf(node, digit)) : "")))
      : hashOfList([...node.logs]);
  return node.hash;
}

function hashOfList(logs: readonly [string, LogState][]): string {
  if (logs.length === 0) return "";
  const sorted = logs.toSorted(([left], [right]) => compareText(left, right));
  return digestOf(sorted.map(([log, state]) => (state === "frozen" ? [log] : [log, state.seq, state.hash])));
}

/** Half of a hash: nobody who could find two alike would hide more by it than entries of its own. */
function digestOf(value: unknown): string {
  return sha256Hex(encodeValue(value)).slice(0, 32);
}
