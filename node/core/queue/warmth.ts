/**
 * What workers have at hand: caches that their steps read and wrote, files that they fetched or made. Told by the workers
 * themselves, with their pulls; a hint, never a promise: a step that finds nothing at hand fetches it.
 */

import { meetsRequirement } from "../../../protocol/names.ts";

export type Holder = {
  readonly labels: ReadonlySet<string>;
  readonly slots: number;
  readonly names: ReadonlySet<string>;
};

/** Of those who have one thing at hand, so many are looked at. */
const lookedAtMax = 16;

export class Warmth {
  readonly #sessions = new Map<string, Holder>();
  readonly #byName = new Map<string, Set<string>>();

  /** A worker's session says what it has now. */
  know(session: string, holder: Holder): void {
    this.forget(session);
    this.#sessions.set(session, holder);
    for (const name of holder.names) {
      const holders = this.#byName.get(name) ?? new Set<string>();
      this.#byName.set(name, holders.add(session));
    }
  }

  namesOf(session: string): ReadonlySet<string> | undefined {
    return this.#sessions.get(session)?.names;
  }

  forget(session: string): void {
    for (const name of this.#sessions.get(session)?.names ?? []) {
      const holders = this.#byName.get(name);
      holders?.delete(session);
      if (holders?.size === 0) this.#byName.delete(name);
    }
    this.#sessions.delete(session);
  }

  clear(): void {
    this.#sessions.clear();
    this.#byName.clear();
  }

  /** Some of the sessions that have this at hand. */
  *holders(name: string): Generator<string> {
    let left = lookedAtMax;
    for (const session of this.#byName.get(name) ?? []) {
      if (left === 0) return;
      left -= 1;
      yield session;
    }
  }

  /** How many steps with these labels the workers who have it at hand could run at once, as far as was looked. */
  slotsFor(name: string, labels: readonly string[]): number {
    let slots = 0;
    for (const session of this.holders(name)) {
      const holder = this.#sessions.get(session);
      const fits = holder !== undefined && labels.every((label) => meetsRequirement(holder.labels, label));
      if (fits) slots += holder.slots;
    }
    return slots;
  }
}
