/**
 * The order of a graph whose edges say "needs".
 */

import { assert, failure, type Result, success } from "../protocol/errors.ts";
import { compareText } from "../protocol/values.ts";

export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * Orders names so that each follows everything it needs. Among names that are ready at once the smaller by code
 * unit comes first, never by locale: two peers must reach the same bytes.
 *
 * @param graph every name with what it needs; each need is a name of the graph and stands there once.
 * @returns each name once, or the names that are in a cycle or wait for one.
 * @source A. B. Kahn, "Topological sorting of large networks", CACM 5(11), 1962.
 */
export function orderOf(graph: Graph): Result<readonly string[], ReadonlySet<string>> {
  const names = [...graph.keys()].sort(compareText);
  const rankOf = new Map(names.map((name, rank) => [name, rank]));
  const missing = names.map((name) => graph.get(name)?.length ?? 0);
  const dependents: number[][] = names.map(() => []);
  for (const [rank, name] of names.entries()) {
    for (const need of graph.get(name) ?? []) {
      const needed = rankOf.get(need);
      assert(needed !== undefined, "a graph names only its own members");
      dependents[needed]?.push(rank);
    }
  }
  const ready = new RankHeap();
  for (const [rank, count] of missing.entries()) if (count === 0) ready.push(rank);
  const order: string[] = [];
  for (let rank = ready.pop(); rank !== undefined; rank = ready.pop()) {
    order.push(names[rank] ?? "");
    for (const dependent of dependents[rank] ?? []) {
      missing[dependent] = (missing[dependent] ?? 0) - 1;
      if (missing[dependent] === 0) ready.push(dependent);
    }
  }
  if (order.length === names.length) return success(order);
  return failure(new Set(names.filter((_, rank) => (missing[rank] ?? 0) > 0)));
}

/** True when nothing of the graph needs itself, not even through others: the same question without an order. */
function isAcyclic(graph: Graph): boolean {
  const missing = new Map<string, number>();
  const dependents = new Map<string, string[]>();
  const ready: string[] = [];
  for (const [name, needs] of graph) {
    missing.set(name, needs.length);
    if (needs.length === 0) ready.push(name);
    for (const need of needs) {
      const others = dependents.get(need);
      if (others === undefined) dependents.set(need, [name]);
      else others.push(name);
    }
  }
  // The list grows while it is walked.
  for (const name of ready) {
    for (const dependent of dependents.get(name) ?? []) {
      const left = (missing.get(dependent) ?? 0) - 1;
      missing.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  }
  return ready.length === graph.size;
}

/**
 * Cycles that share no member, each as the names in the order they need each other, from the member whose name is the
 * smallest by code unit. Every cycle of the graph has a member in one of them; at most `countMax`.
 */
export function cyclesOf(graph: Graph, countMax: number): readonly (readonly string[])[] {
  const cycles: (readonly string[])[] = [];
  // Most graphs have none, and need no order here.
  if (isAcyclic(graph)) return cycles;
  let rest: Graph = new Map([...graph].sort(([left], [right]) => compareText(left, right)));
  while (cycles.length < countMax) {
    const order = orderOf(rest);
    if (order.ok) break;
    const cycle = cycleAmong(rest, order.problem);
    cycles.push(cycle);
    const gone = new Set(cycle);
    rest = new Map(
      [...rest]
        .filter(([name]) => !gone.has(name))
        .map(([name, needs]) => [name, needs.filter((need) => !gone.has(need))]),
    );
  }
  return cycles;
}

/** Every stuck name needs another stuck name, so walking from need to need must come back to where it was. */
function cycleAmong(graph: Graph, stuck: ReadonlySet<string>): readonly string[] {
  const position = new Map<string, number>();
  const path: string[] = [];
  let at = [...graph.keys()].find((name) => stuck.has(name));
  while (at !== undefined && !position.has(at)) {
    position.set(at, path.length);
    path.push(at);
    at = graph.get(at)?.find((need) => stuck.has(need));
  }
  assert(at !== undefined, "a stuck name needs a stuck name");
  const cycle = path.slice(position.get(at));
  const members = new Set(cycle);
  const first = cycle.indexOf([...graph.keys()].find((name) => members.has(name)) ?? "");
  return [...cycle.slice(first), ...cycle.slice(0, first)];
}

/** A binary heap of small integers, the smallest first. */
class RankHeap {
  readonly #ranks: number[] = [];

  push(rank: number): void {
    const ranks = this.#ranks;
    let at = ranks.push(rank) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = ranks[parent] ?? 0;
      if (above <= rank) break;
      ranks[at] = above;
      at = parent;
    }
    ranks[at] = rank;
  }

  pop(): number | undefined {
    const ranks = this.#ranks;
    const smallest = ranks[0];
    const last = ranks.pop();
    if (last === undefined || ranks.length === 0) return smallest;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= ranks.length) break;
      if (child + 1 < ranks.length && (ranks[child + 1] ?? 0) < (ranks[child] ?? 0)) child += 1;
      const below = ranks[child] ?? 0;
      if (below >= last) break;
      ranks[at] = below;
      at = child;
    }
    ranks[at] = last;
    return smallest;
  }
}
