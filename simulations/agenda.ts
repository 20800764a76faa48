/**
 * Virtual time: what happens when, ordered by time and then by the order of asking.
 *
 * Promises: time is an integer in microseconds and never goes back; after each happening every microtask that it
 * caused has run before the next one, so promises below the edge see no other order than this one.
 */

import { setImmediate } from "node:timers";

export type Happening = { readonly atUs: number; readonly sequence: number; action: (() => void) | null };

export class Agenda {
  #nowUs = 0;
  #sequence = 0;
  #happened = 0;
  /** A binary heap: no entry is later than its two children. */
  readonly #heap: Happening[] = [];

  get nowUs(): number {
    return this.#nowUs;
  }

  /** How many things have happened. */
  get happened(): number {
    return this.#happened;
  }

  in(afterUs: number, action: () => void): Happening {
    return this.at(this.#nowUs + Math.max(0, Math.round(afterUs)), action);
  }

  at(atUs: number, action: () => void): Happening {
    this.#sequence += 1;
    const happening = { atUs: Math.max(atUs, this.#nowUs), sequence: this.#sequence, action };
    this.#heap.push(happening);
    this.#rise(this.#heap.length - 1);
    return happening;
  }

  /** Lets things happen until `done` says so or `untilUs` is reached. */
  async run(untilUs: number, done: () => boolean): Promise<void> {
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.atUs > untilUs) {
        this.#nowUs = untilUs;
        return;
      }
      this.#takeFirst();
      if (next.action === null) continue;
      this.#nowUs = next.atUs;
      this.#happened += 1;
      next.action();
      await drained();
    }
  }

  #takeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(start: number): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(index, parent)) return;
      this.#swap(index, parent);
      index = parent;
    }
  }

  #sink(start: number): void {
    let index = start;
    for (;;) {
      let first = index;
      for (const child of [index * 2 + 1, index * 2 + 2])
        if (child < this.#heap.length && this.#isBefore(child, first)) first = child;
      if (first === index) return;
      this.#swap(index, first);
      index = first;
    }
  }

  #isBefore(left: number, right: number): boolean {
    const a = this.#heap[left];
    const b = this.#heap[right];
    if (a === undefined || b === undefined) return false;
    return a.atUs < b.atUs || (a.atUs === b.atUs && a.sequence < b.sequence);
  }

  #swap(left: number, right: number): void {
    const a = this.#heap[left];
    const b = this.#heap[right];
    if (a === undefined || b === undefined) return;
    this.#heap[left] = b;
    this.#heap[right] = a;
  }
}

/** A turn of the real event loop: by its end no microtask is left. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
