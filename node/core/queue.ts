/**
 * Steps that are ready, and the pulls that wait for them. First come, first served, per set of labels.
 *
 * A pull stays parked until there is something for it; a pull that comes again for the same session replaces the
 * one before, so a worker holds at most one place in the queue.
 */

import { limits } from "../../protocol/limits.ts";
import { meetsRequirement } from "../../protocol/names.ts";

export type ReadyStep = { readonly run: string; readonly index: number };

export type ParkedPull = {
  readonly peer: string;
  readonly session: string;
  readonly nonce: string;
  readonly labels: ReadonlySet<string>;
  slots: number;
};

type Shelf = { readonly labels: readonly string[]; steps: ReadyStep[]; taken: number };

export class ReadyQueue {
  readonly #shelves = new Map<string, Shelf>();
  readonly #pulls = new Map<string, ParkedPull>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(step: ReadyStep, labels: readonly string[]): void {
    const key = labels.join("\n");
    const shelf = this.#shelves.get(key) ?? { labels, steps: [], taken: 0 };
    this.#shelves.set(key, shelf);
    shelf.steps.push(step);
    this.#length += 1;
  }

  /** False when too many pulls are parked already. */
  park(pull: ParkedPull): boolean {
    if (!this.#pulls.has(pull.session) && this.#pulls.size >= limits.parkedPullsMax) return false;
    this.#pulls.delete(pull.session);
    this.#pulls.set(pull.session, pull);
    return true;
  }

  hasPull(session: string): boolean {
    return this.#pulls.has(session);
  }

  dropPull(session: string): void {
    this.#pulls.delete(session);
  }

  /** Pairs parked pulls with ready steps, oldest of each first. A paired pull is no longer parked. */
  match(): { readonly pull: ParkedPull; readonly steps: readonly ReadyStep[] }[] {
    const matches: { pull: ParkedPull; steps: ReadyStep[] }[] = [];
    if (this.#length === 0) return matches;
    for (const pull of this.#pulls.values()) {
      const steps = this.#take(pull);
      if (steps.length > 0) {
        this.#pulls.delete(pull.session);
        matches.push({ pull, steps });
      }
      if (this.#length === 0) break;
    }
    return matches;
  }

  #take(pull: ParkedPull): ReadyStep[] {
    const steps: ReadyStep[] = [];
    for (const [key, shelf] of this.#shelves) {
      if (!shelf.labels.every((label) => meetsRequirement(pull.labels, label))) continue;
      while (steps.length < pull.slots && shelf.taken < shelf.steps.length) {
        const step = shelf.steps[shelf.taken];
        shelf.taken += 1;
        this.#length -= 1;
        if (step !== undefined) steps.push(step);
      }
      if (shelf.taken === shelf.steps.length) this.#shelves.delete(key);
      else if (shelf.taken > 1_000) {
        shelf.steps = shelf.steps.slice(shelf.taken);
        shelf.taken = 0;
      }
      if (steps.length === pull.slots) break;
    }
    return steps;
  }
}
