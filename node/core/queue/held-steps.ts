/**
 * Steps that were passed to nobody yet because a worker who has their caches at hand may ask soon. Each waits once, for
 * `limits.warmWaitMs` at most, and no more of them than those workers could run at once: a cache is worth a moment,
 * never an idle fleet.
 */

import { limits } from "../../../protocol/limits.ts";
import { Fifo } from "./fifo.ts";
import type { Entry, Line } from "./shelf.ts";

export type HeldStep = {
  readonly entry: Entry;
  readonly line: Line;
  readonly untilMs: number;
  isOver: boolean;
};

export class HeldSteps {
  readonly #all = new Fifo<HeldStep>();
  readonly #byCache = new Map<string, Fifo<HeldStep>>();
  /** How many wait for the holders of each cache. */
  readonly #counts = new Map<string, number>();

  countFor(cache: string): number {
    return this.#counts.get(cache) ?? 0;
  }

  hold(entry: Entry, line: Line, nowMs: number): void {
    const held = { entry, line, untilMs: nowMs + limits.warmWaitMs, isOver: false };
    line.remove(entry);
    line.level.shelf.held += 1;
    this.#all.push(held);
    for (const cache of entry.demand.caches) {
      const bucket = this.#byCache.get(cache) ?? new Fifo<HeldStep>();
      this.#byCache.set(cache, bucket);
      bucket.push(held);
      this.#counts.set(cache, this.countFor(cache) + 1);
    }
  }

  /** One that was held for this cache, or undefined. */
  firstFor(cache: string, fits: (held: HeldStep) => boolean): HeldStep | undefined {
    const held = this.#byCache.get(cache)?.first((each) => !each.isOver);
    return held !== undefined && fits(held) ? held : undefined;
  }

  /** It waits no longer. */
  end(held: HeldStep): void {
    held.isOver = true;
    held.line.level.shelf.held -= 1;
    for (const cache of held.entry.demand.caches) {
      const left = this.countFor(cache) - 1;
      if (left > 0) this.#counts.set(cache, left);
      else {
        this.#counts.delete(cache);
        this.#byCache.delete(cache);
      }
    }
  }

  /** Those whose time is over, oldest first. They are ended. */
  due(nowMs: number): HeldStep[] {
    const due: HeldStep[] = [];
    for (let held = this.#first(); held !== undefined && held.untilMs <= nowMs; held = this.#first()) {
      this.end(held);
      due.push(held);
    }
    return due;
  }

  /** Those of a run. They are ended. */
  ofRun(run: string): HeldStep[] {
    const found: HeldStep[] = [];
    for (const held of this.#all.rest()) {
      if (held.isOver || held.entry.step.run !== run) continue;
      this.end(held);
      found.push(held);
    }
    return found;
  }

  #first(): HeldStep | undefined {
    return this.#all.first(({ isOver }) => !isOver);
  }
}
