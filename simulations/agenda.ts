/**
 * Virtual time: what happens when, ordered by time and then by the order of asking.
 *
 * Promises: time is an integer in microseconds and never goes back; after each happening all that follows it has
 * run before the next one, so nothing below the edge sees another order than this one.
 */

import { setImmediate } from "node:timers";

export type Happening = { readonly atUs: number; readonly sequence: number; action: (() => void) | null };

export class Agenda {
  #nowUs = 0;
  #sequence = 0;
  #happened = 0;
  /** A binary heap: no entry is later than its two children. */
  readonly #heap: Happening[] = [];
  /** What is to follow the present happening, in the order of asking. */
  #following: (() => void)[] = [];

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
    rise(this.#heap, happening);
    return happening;
  }

  /** Behind the present happening and what follows it already, before the next one. */
  afterThis(action: () => void): void {
    this.#following.push(action);
  }

  /** Lets things happen until `done` says so or `untilUs` is reached. For parts that keep no promise waiting. */
  run(untilUs: number, done: () => boolean): void {
    while (!done()) if (!this.#next(untilUs)) return;
  }

  /** The same where promises are at work: after each happening every microtask that it caused has run. */
  async runDrained(untilUs: number, done: () => boolean): Promise<void> {
    while (!done()) {
      if (!this.#next(untilUs)) return;
      await drained();
      this.#follow();
    }
  }

  /** False when nothing is left before `untilUs`, which it then is. */
  #next(untilUs: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atUs > untilUs) {
        this.#nowUs = untilUs;
        return false;
      }
      takeFirst(this.#heap);
      if (next.action === null) continue;
      this.#nowUs = next.atUs;
      this.#happened += 1;
      next.action();
      this.#follow();
      return true;
    }
  }

  #follow(): void {
    while (this.#following.length > 0) {
      const following = this.#following;
      this.#following = [];
      for (const action of following) action();
    }
  }
}

function isBefore(left: Happening, right: Happening): boolean {
  return left.atUs < right.atUs || (left.atUs === right.atUs && left.sequence < right.sequence);
}

/** Puts the newest entry, which is the last, in its place. */
function rise(heap: Happening[], happening: Happening): void {
  let index = heap.length - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const above = heap[parent] as Happening;
    if (!isBefore(happening, above)) break;
    heap[index] = above;
    index = parent;
  }
  heap[index] = happening;
}

function takeFirst(heap: Happening[]): void {
  const last = heap.pop();
  const { length } = heap;
  if (last === undefined || length === 0) return;
  let index = 0;
  for (;;) {
    let child = index * 2 + 1;
    if (child >= length) break;
    if (child + 1 < length && isBefore(heap[child + 1] as Happening, heap[child] as Happening)) child += 1;
    const below = heap[child] as Happening;
    if (!isBefore(below, last)) break;
    heap[index] = below;
    index = child;
  }
  heap[index] = last;
}

/** A turn of the real event loop: by its end no microtask is left. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
