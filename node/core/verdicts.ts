/**
 * External verdicts that gates ask for: something outside is asked over HTTP, again and again while a gate waits for it. Every
 * control peer asks for itself; what it has heard holds for a minute.
 */

import type { Gate } from "../../planner/policy/judge.ts";
import { limits } from "../../protocol/limits.ts";
import type { Now, PollRequest } from "./effects.ts";
import type { Polled } from "./settlements.ts";

type Heard = { readonly holds: boolean; readonly atMs: number };

export class Verdicts {
  readonly #poll: (request: PollRequest) => void;
  readonly #heard = new Map<string, Heard>();
  /** When each was asked for last, monotonic. */
  readonly #asked = new Map<string, number>();

  constructor(poll: (request: PollRequest) => void) {
    this.#poll = poll;
  }

  /** Names of those that hold now as far as was heard; the others are asked for. */
  holding(
    place: { readonly run: string; readonly index: number },
    gate: Gate,
    now: Now,
  ): ReadonlySet<string> {
    const holding = new Set<string>();
    for (const { name, url, until } of gate.verdicts) {
      // What was said before a step says nothing of what it has done.
      const verdictOf = gate.phase === "before" ? name : `after/${name}`;
      const key = keyOf({ ...place, verdictOf });
      const heard = this.#heard.get(key);
      const isFresh = heard !== undefined && now.monotonicMs - heard.atMs < limits.verdictMs;
      if (isFresh && heard.holds) {
        holding.add(name);
        continue;
      }
      if (now.monotonicMs - (this.#asked.get(key) ?? -Infinity) < limits.verdictEveryMs) continue;
      this.#asked.set(key, now.monotonicMs);
      this.#poll({ ...place, url, until, fails: null, verdictOf });
    }
    return holding;
  }

  polled(polled: Polled, { monotonicMs: atMs }: Now): void {
    this.#forgetOld(atMs);
    this.#heard.set(keyOf(polled), { holds: polled.verdict === "passed", atMs });
  }

  #forgetOld(nowMs: number): void {
    for (const [key, atMs] of this.#asked)
      if (nowMs - atMs > 2 * limits.verdictMs) {
        this.#asked.delete(key);
        this.#heard.delete(key);
      }
  }
}

function keyOf({ run, index, verdictOf }: Pick<Polled, "run" | "index" | "verdictOf">): string {
  return `${run}/${index}/${verdictOf ?? ""}`;
}
