/**
 * Which telling of a fact a view keeps when it was told more than once.
 *
 * Each choice is the greater by a total order over what the tellings say, so it is the same whatever came
 * first and however often: keeping is commutative, associative and idempotent (a join).
 */

import type { AttemptEnded, AttemptStarted, Event, ResultRefused } from "../../protocol/events.ts";

/** The telling with the earliest time. */
export function earlier<Fact extends Event>(kept: Fact | null, told: Fact): Fact {
  return kept === null ? told : greater(kept, told, (fact) => [-fact.timeMs]);
}

/** The grant with the newest token; of one grant the earliest telling. */
export function betterStarted(kept: AttemptStarted | null, told: AttemptStarted): AttemptStarted {
  return kept === null ? told : greater(kept, told, (fact) => [fact.token, -fact.timeMs]);
}

/** A final end before one that is not, an end with its report before one without, then as for a start. */
export function betterEnded(kept: AttemptEnded | null, told: AttemptEnded): AttemptEnded {
  if (kept === null) return told;
  return greater(kept, told, (fact) => [
    Number(fact.final),
    Number(fact.report !== null),
    fact.token,
    -fact.timeMs,
  ]);
}

/** Adds a refused result unless it is known; ordered by token, then worker by code unit. */
export function withRefused(kept: readonly ResultRefused[], told: ResultRefused): readonly ResultRefused[] {
  const same = (fact: ResultRefused) =>
    fact.token === told.token && fact.worker === told.worker && fact.outcome === told.outcome;
  const known = kept.find(same);
  const best = earlier(known ?? null, told);
  if (best === known) return kept;
  return [...kept.filter((fact) => !same(fact)), best].sort(
    (a, b) => a.token - b.token || byCodeUnit(a.worker, b.worker) || byCodeUnit(a.outcome, b.outcome),
  );
}

function greater<Fact extends Event>(a: Fact, b: Fact, rank: (fact: Fact) => readonly number[]): Fact {
  const ranksOfB = rank(b);
  for (const [index, rankOfA] of rank(a).entries()) {
    const difference = rankOfA - (ranksOfB[index] ?? 0);
    if (difference !== 0) return difference > 0 ? a : b;
  }
  // Reached only by two tellings of one moment, nearly always equal ones: any fixed choice between them serves.
  return JSON.stringify(a) >= JSON.stringify(b) ? a : b;
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
