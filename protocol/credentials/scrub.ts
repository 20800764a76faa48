/**
 * Takes a secret out of bytes that go to a step: as it is, in base64 at each of its three offsets, in hex and reversed.
 *
 * The result is the same however the bytes are cut into chunks, and as long as before. This is a seat belt: whoever may
 * have an answer computed can have the secret encoded in a way that is not known here.
 */

import { Buffer } from "node:buffer";

/** Shorter ones would blank out what only happens to look like them. */
const patternBytesMin = 6;

/** Every form of the secret that is looked for, the longest first. */
function patternsOf(secret: Uint8Array): readonly Buffer[] {
  const bytes = Buffer.from(secret);
  const forms = [bytes, Buffer.from(bytes).reverse()];
  const hex = bytes.toString("hex");
  forms.push(Buffer.from(hex), Buffer.from(hex.toUpperCase()));
  for (const offset of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]);
    // What its neighbours have a part in is left away at both ends.
    const first = Math.ceil((offset * 8) / 6);
    const last = Math.floor((padded.length * 8) / 6);
    for (const alphabet of ["base64", "base64url"] as const)
      forms.push(Buffer.from(padded.toString(alphabet).slice(first, last)));
  }
  const text = bytes.toString("latin1");
  if (/^[\x20-\x7e]*$/u.test(text)) {
    forms.push(Buffer.from(encodeURIComponent(text)), Buffer.from(JSON.stringify(text).slice(1, -1)));
  }
  const distinct = new Map(forms.map((form) => [form.toString("latin1"), form]));
  return [...distinct.values()]
    .filter((form) => form.length >= patternBytesMin)
    .sort((left, right) => right.length - left.length);
}

type Range = { readonly from: number; readonly to: number };

export class Scrubber {
  readonly #patterns: readonly Buffer[];
  readonly #holdBack: number;
  #held = Buffer.alloc(0);
  /** What is blanked out of the held bytes already. */
  #blanks: Range[] = [];
  #found = 0;

  constructor(secrets: readonly Uint8Array[]) {
    this.#patterns = secrets.flatMap((secret) => patternsOf(secret));
    this.#holdBack = Math.max(0, ...this.#patterns.map((pattern) => pattern.length - 1));
  }

  /** How often something was taken out. */
  get found(): number {
    return this.#found;
  }

  /** What is sure by now; the rest waits for what follows it. */
  push(chunk: Uint8Array): Buffer {
    const bytes = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    this.#look(bytes, this.#held.length);
    return this.#release(bytes, Math.max(0, bytes.length - this.#holdBack));
  }

  end(): Buffer {
    return this.#release(this.#held, this.#held.length);
  }

  /** Finds every form that ends in the new bytes: those that end before were found with them. */
  #look(bytes: Buffer, known: number): void {
    for (const pattern of this.#patterns) {
      let at = bytes.indexOf(pattern, Math.max(0, known - pattern.length + 1));
      while (at !== -1) {
        this.#found += 1;
        this.#blank(at, at + pattern.length);
        at = bytes.indexOf(pattern, at + 1);
      }
    }
  }

  /** What overlaps with the one before is one with it, so that there are never more than fit into the bytes. */
  #blank(from: number, to: number): void {
    const last = this.#blanks.at(-1);
    if (last !== undefined && from >= last.from && from <= last.to)
      this.#blanks[this.#blanks.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else this.#blanks.push({ from, to });
  }

  #release(bytes: Buffer, count: number): Buffer {
    const released = Buffer.from(bytes.subarray(0, count));
    for (const { from, to } of this.#blanks) if (from < count) released.fill("*", from, Math.min(to, count));
    this.#blanks = this.#blanks
      .filter(({ to }) => to > count)
      .map(({ from, to }) => ({ from: Math.max(0, from - count), to: to - count }));
    this.#held = Buffer.from(bytes.subarray(count));
    return released;
  }
}

/** A text with every form of the secrets blanked out. */
export function scrubText(text: string, secrets: readonly Uint8Array[]): string {
  const scrubber = new Scrubber(secrets);
  const first = scrubber.push(Buffer.from(text, "latin1"));
  return Buffer.concat([first, scrubber.end()]).toString("latin1");
}
