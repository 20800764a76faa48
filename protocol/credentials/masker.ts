/**
 * The masker: blanks out secrets, in all forms of `encodings.ts`, in bytes on their way to anybody.
 *
 * The result is the same however the bytes are cut into chunks, and as long as before; line ends stay. One pass, whatever
 * the bytes are: an automaton over all forms at once. Held back is only what may be the beginning of a form, so a chunk
 * that ends in nothing of the kind leaves whole.
 *
 * @source A. V. Aho, M. J. Corasick, "Efficient string matching", CACM 18(6), 1975.
 */

import { Buffer } from "node:buffer";
import { failure, type Result, success } from "../errors.ts";
import { limits } from "../limits.ts";
import { ByteTrie } from "./byte-trie.ts";
import { formsOf, maskedBytesMin } from "./encodings.ts";

const star = 0x2a;

/**
 * Compiles what is looked for. The problem is a sentence: a value is too short, or they are too many; masked all the same
 * it would blank out whatever looks like it.
 */
export function maskOf(secrets: readonly Uint8Array[]): Result<Mask, string> {
  const short = secrets.find(({ length }) => length < maskedBytesMin);
  if (short !== undefined)
    return failure(
      `A secret of ${short.length} bytes cannot be masked, since whatever looks like it would be: give it at least ${maskedBytesMin}.`,
    );
  const bytes = secrets.reduce((sum, { length }) => sum + length, 0);
  if (bytes > limits.maskedBytesMax)
    return failure(
      `The secrets have ${bytes} bytes together, and at most ${limits.maskedBytesMax} can be masked: use fewer in one step.`,
    );
  return success(secrets.length === 0 ? maskingNothing : new Mask(secrets.flatMap(formsOf)));
}

/**
 * The automaton. A state is what was read last, as far as it is the beginning of a form. Where many ways lead on there is
 * a row that knows them all; everywhere else there is one way on, or the state that is left when it fails.
 */
export class Mask {
  /** States below have a row. */
  readonly rowed: number;
  /** By state and byte, of states with a row: the next state. */
  readonly rows: Int32Array;
  /** Of the others: the one byte that leads on, or -1, and to which state. */
  readonly byte: Int16Array;
  readonly next: Int32Array;
  /** The longest end of the state that is a beginning, too. */
  readonly fail: Int32Array;
  /** How many bytes of the past belong to the state. */
  readonly depth: Int32Array;
  /** Length of the longest form that ends here; 0: none does. */
  readonly found: Int32Array;

  constructor(forms: readonly Uint8Array[]) {
    const trie = new ByteTrie(forms);
    const byDepth = trie.byDepth();
    const { order, rowed } = trie.ordered(byDepth);
    const { length } = order;
    const numbers = new Int32Array(length);
    for (let number = 0; number < length; number += 1) numbers[order[number] ?? 0] = number;
    this.rowed = rowed;
    this.rows = new Int32Array(rowed * 256);
    this.byte = new Int16Array(length).fill(-1);
    this.next = new Int32Array(length);
    this.fail = new Int32Array(length);
    this.depth = new Int32Array(length);
    this.found = new Int32Array(length);
    // Shorter ones first: what a state falls back to is complete before the state is.
    for (const node of byDepth) this.#connect(trie, node, numbers);
  }

  #connect(trie: ByteTrie, node: number, numbers: Int32Array): void {
    const state = numbers[node] ?? 0;
    const fail = this.fail[state] ?? 0;
    const isRowed = state < this.rowed;
    const row = state * 256;
    this.found[state] = trie.lengthAt(node) || (this.found[fail] ?? 0);
    if (isRowed && state !== 0)
      for (let byte = 0; byte < 256; byte += 1) this.rows[row + byte] = this.#step(fail, byte);
    for (let child = trie.firstChild(node); child !== 0; child = trie.sibling(child)) {
      const byte = trie.byteOf(child);
      const to = numbers[child] ?? 0;
      this.depth[to] = (this.depth[state] ?? 0) + 1;
      this.fail[to] = state === 0 ? 0 : this.#step(fail, byte);
      if (isRowed) this.rows[row + byte] = to;
      else {
        this.byte[state] = byte;
        this.next[state] = to;
      }
    }
  }

  #step(from: number, byte: number): number {
    let state = from;
    while (state >= this.rowed) {
      if (this.byte[state] === byte) return this.next[state] ?? 0;
      state = this.fail[state] ?? 0;
    }
    return this.rows[state * 256 + byte] ?? 0;
  }

  /** All of it at once. */
  bytes(bytes: Uint8Array): Buffer {
    const masker = new Masker(this);
    return Buffer.concat([masker.push(bytes), masker.end()]);
  }

  text(text: string, encoding: "utf8" | "latin1" = "utf8"): string {
    return this === maskingNothing ? text : this.bytes(Buffer.from(text, encoding)).toString(encoding);
  }

  isIn(bytes: Uint8Array): boolean {
    const masker = new Masker(this);
    masker.push(bytes);
    return masker.found > 0;
  }
}

export const maskingNothing = new Mask([]);

export class Masker {
  readonly #mask: Mask;
  #state = 0;
  /** The last bytes, which may be the beginning of a form; blanked out as far as they were part of another. */
  #held = Buffer.alloc(0);
  #found = 0;

  constructor(mask: Mask) {
    this.#mask = mask;
  }

  /** How often something was blanked out. */
  get found(): number {
    return this.#found;
  }

  /** Bytes that are held back now. */
  get held(): number {
    return this.#held.length;
  }

  /** What is sure by now; the rest waits for what follows it. */
  push(chunk: Uint8Array): Buffer {
    // A copy, since what the chunk is part of is not this one's to change.
    const bytes = Buffer.concat([this.#held, chunk]);
    this.#scan(bytes, this.#held.length);
    const sure = bytes.length - (this.#mask.depth[this.#state] ?? 0);
    this.#held = Buffer.from(bytes.subarray(sure));
    return bytes.subarray(0, sure);
  }

  end(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    this.#state = 0;
    return rest;
  }

  #scan(bytes: Buffer, from: number): void {
    const { rowed, rows, byte: only, next, fail, found } = this.#mask;
    const { length } = bytes;
    let state = this.#state;
    // The last stretch that is blanked out: what lies in it is not gone through again for each form that ends there.
    let first = 0;
    let end = 0;
    for (let at = from; at < length; at += 1) {
      const byte = bytes[at] as number;
      while (state >= rowed && only[state] !== byte) state = fail[state] as number;
      state = state >= rowed ? (next[state] as number) : (rows[(state << 8) | byte] as number);
      const matched = found[state] as number;
      if (matched === 0) continue;
      this.#found += 1;
      const begin = at + 1 - matched;
      if (begin < first || begin > end) {
        blank(bytes, begin, at + 1);
        first = begin;
      } else blank(bytes, end, at + 1);
      end = at + 1;
    }
    this.#state = state;
  }
}

function blank(bytes: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at];
    if (byte !== 0x0a && byte !== 0x0d) bytes[at] = star;
  }
}
