/**
 * Chance from a seed: the same seed gives the same numbers on every machine.
 *
 * Two kinds. A `Chance` is a stream, for making schedules and workloads. `hashOf` has no state: what happens to one
 * message is a hash of the seed, the link and the message's number, so that taking one fault out of a schedule does
 * not reshuffle the fate of everything after it.
 *
 * @source the stream is sfc32 (C. Doty-Humphrey, PractRand), the hash is MurmurHash3's mixing.
 */

export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(...seed: readonly (string | number)[]) {
    this.#a = hashOf("a", ...seed);
    this.#b = hashOf("b", ...seed);
    this.#c = hashOf("c", ...seed);
    for (let warmUp = 0; warmUp < 12; warmUp += 1) this.next();
  }

  /** An integer in 0 .. 2^32 - 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** An integer in 0 .. below-1. */
  integer(below: number): number {
    return Math.floor((this.next() / 2 ** 32) * below);
  }

  /** An integer in from .. through. */
  between(from: number, through: number): number {
    return from + this.integer(through - from + 1);
  }

  /** True in so many of a hundred cases. */
  percent(share: number): boolean {
    return this.integer(100) < share;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.integer(items.length)];
    if (item === undefined) throw new Error("Bug: nothing to pick from");
    return item;
  }

  shuffled<Item>(items: readonly Item[]): Item[] {
    const left = [...items];
    const taken: Item[] = [];
    while (left.length > 0) taken.push(...left.splice(this.integer(left.length), 1));
    return taken;
  }
}

/** 32 bits that depend on every part. */
export function hashOf(...parts: readonly (string | number)[]): number {
  let hash = emptyHash;
  for (const part of parts) hash = partOver(hashOn(hash, String(part)));
  return finished(hash);
}

/** An integer in from .. through that depends on nothing but the parts. */
export function hashBetween(from: number, through: number, ...parts: readonly (string | number)[]): number {
  return within(hashOf(...parts), from, through);
}

/**
 * The beginning of a hash, for many that begin alike: `hashFrom(hashBegun(...parts, start), rest)` is the `hashOf` of the parts
 * and of one more, which is `start` and `rest` written together.
 */
export function hashBegun(parts: readonly (string | number)[], start: string): number {
  let hash = emptyHash;
  for (const part of parts) hash = partOver(hashOn(hash, String(part)));
  return hashOn(hash, start);
}

export function hashFrom(begun: number, rest: string): number {
  return finished(partOver(hashOn(begun, rest)));
}

/** Where 32 bits lie in from .. through. */
export function within(hash: number, from: number, through: number): number {
  return from + Math.floor((hash / 2 ** 32) * (through - from + 1));
}

/** A hash of all that went before, and of a time, a name and two words: few of those, and again and again. */
export function traced(before: number, atUs: number, name: string, one: string, other: string): number {
  let hash = Math.imul(before ^ (atUs | 0) ^ Math.floor(atUs / 2 ** 32), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ ofText(name), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13) ^ ofText(one), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ ofText(other), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

const textHashes = new Map<string, number>();
const textHashesKept = 4_096;

function ofText(text: string): number {
  let hash = textHashes.get(text);
  if (hash === undefined) {
    if (textHashes.size >= textHashesKept) textHashes.clear();
    textHashes.set(text, (hash = hashOf(text)));
  }
  return hash;
}

const emptyHash = 0x9e3779b9;

function hashOn(begun: number, text: string): number {
  let hash = begun;
  for (let index = 0; index < text.length; index += 1)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x85ebca6b) ^ (hash >>> 13);
  return hash;
}

function partOver(hash: number): number {
  return Math.imul(hash ^ (hash >>> 16) ^ 0x5bd1e995, 0xc2b2ae35);
}

function finished(begun: number): number {
  let hash = Math.imul(begun ^ (begun >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
