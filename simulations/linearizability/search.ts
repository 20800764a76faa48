/**
 * Is there an order of the operations on one register in which each fits the state that the ones before it made, and
 * none comes before another that had returned when it was called?
 *
 * First the chain: a change under a token that another change used up cannot be put anywhere, whatever the times. Then
 * the search: of the operations that may be next each is tried, and what was tried is remembered by the operations
 * that are placed and the state that they made. Pending operations may be placed or left out.
 *
 * @source J. Wing, C. Gong, "Testing and verifying concurrent objects", JPDC 17, 1993; G. Lowe, "Testing for
 * linearizability", CCPE 29(4), 2017: the memory of what was tried.
 */

import { apply } from "./model.ts";
import type { Operation } from "./operation.ts";

/** More operations on one register, or more places and states, are not searched. */
const operationsMax = 1_000;
const triedMax = 20_000;

export type Verdict =
  | { readonly kind: "linearizable" }
  /** `placed`: the longest order that was found, of which nothing can be made. */
  | { readonly kind: "violated"; readonly why: string; readonly placed: readonly Operation[] }
  | { readonly kind: "unknown"; readonly why: string };

export function linearizable(operations: readonly Operation[]): Verdict {
  if (operations.length > operationsMax)
    return { kind: "unknown", why: `${operations.length} operations on one register` };
  const broken = brokenChain(operations);
  if (broken !== null) return { kind: "violated", why: broken, placed: [] };
  return search(operations.toSorted((left, right) => left.call - right.call));
}

/** Two changes that have returned and use up the same token, in words; or null. */
function brokenChain(operations: readonly Operation[]): string | null {
  const made = new Map<string, string>();
  for (const { input, return: returned, register } of operations) {
    const step = returned === null ? null : chained(input);
    if (step === null) continue;
    const text = JSON.stringify(input);
    const before = made.get(step) ?? text;
    if (before !== text) return `${register}: ${before} and ${text}`;
    made.set(step, text);
  }
  return null;
}

/** What a change uses up: a token can be leased once, and ended once. */
function chained(input: Operation["input"]): string | null {
  if (input.kind === "claim") return `leased ${input.token}`;
  if (input.kind === "finish" || input.kind === "expire") return `ended ${input.token}`;
  return null;
}

type Node = {
  readonly state: string;
  /** Of the operations in the order of their calls: all before `first` are placed, and those in `beyond`. */
  readonly first: number;
  readonly beyond: readonly number[];
  readonly placed: Placed | null;
  readonly count: number;
};

type Placed = { readonly operation: Operation; readonly before: Placed | null };

function search(ordered: readonly Operation[]): Verdict {
  const finished = ordered.filter((operation) => operation.return !== null).length;
  const tried = new Set<string>();
  const start: Node = { state: "", first: 0, beyond: [], placed: null, count: 0 };
  const work: Node[] = [start];
  let longest = start;
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (node.count === finished) return { kind: "linearizable" };
    if (node.count > longest.count) longest = node;
    const next = successors(node, ordered);
    // The earliest is tried first: it is taken from the end.
    for (const one of next.toReversed()) {
      const key = `${one.first} ${one.beyond.join()} ${one.state}`;
      if (tried.has(key)) continue;
      tried.add(key);
      work.push(one);
    }
    if (tried.size > triedMax) return { kind: "unknown", why: `more than ${triedMax} orders were tried` };
  }
  const [stuck] = successorsOf(longest, ordered);
  const why = stuck === undefined ? "no order fits" : `nothing fits before ${JSON.stringify(stuck.input)}`;
  return { kind: "violated", why: `${ordered[0]?.register ?? ""}: ${why}`, placed: listed(longest.placed) };
}

function listed(placed: Placed | null): Operation[] {
  const list: Operation[] = [];
  for (let one = placed; one !== null; one = one.before) list.push(one.operation);
  return list.toReversed();
}

/** Operations that are not placed and were called before any other of these returned. */
function successorsOf({ first, beyond }: Node, ordered: readonly Operation[]): Operation[] {
  const open: Operation[] = [];
  let deadline = Infinity;
  for (let index = first; index < ordered.length; index += 1) {
    const operation = ordered[index];
    if (operation === undefined || operation.call > deadline) break;
    if (beyond.includes(index)) continue;
    deadline = Math.min(deadline, operation.return ?? Infinity);
    open.push(operation);
  }
  // One that was called and answered at once may be the one that returns first.
  return open.filter(({ call }) => call <= deadline);
}

function successors(node: Node, ordered: readonly Operation[]): Node[] {
  return successorsOf(node, ordered).flatMap((operation) => {
    const state = apply(operation.register, node.state, operation.input);
    if (state === null) return [];
    const index = ordered.indexOf(operation, node.first);
    const beyond = new Set([...node.beyond, index]);
    let { first } = node;
    for (; beyond.has(first); first += 1) beyond.delete(first);
    const count = node.count + (operation.return === null ? 0 : 1);
    const placed = { operation, before: node.placed };
    return [{ state, first, beyond: [...beyond].sort((a, b) => a - b), placed, count }];
  });
}
