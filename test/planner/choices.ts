/** Choices that a number makes: the same in every process. */

/** Numbers from a seed, each below 1. @source "Mulberry32", T. Ettinger, public domain. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export class Choices {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = numbersFrom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** True so often of a hundred. */
  often(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<Value>(...values: readonly Value[]): Value {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("nothing to choose from");
    return value;
  }

  /** At least one of them, in their order. */
  some<Value>(values: readonly Value[]): readonly Value[] {
    const chosen = values.filter(() => this.often(50));
    return chosen.length > 0 ? chosen : [this.of(...values)];
  }
}
