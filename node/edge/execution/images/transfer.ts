/** What has come of one document or blob of a registry's, over however many answers; it counts when it is whole and as it was named. */

import { createHash } from "node:crypto";
import { sizeWords } from "../../../../protocol/sizes.ts";

export type Wanted = {
  /** Null: whatever comes. */
  readonly sha256: string | null;
  /** Null: only its bound is known. */
  readonly size: number | null;
  readonly sizeMax: number;
};

/** Where the bytes go. */
export type Sink = {
  take(chunk: Uint8Array, offset: number): void;
  /** What it has counts for nothing. */
  clear(): void;
};

export class Transfer {
  readonly #wanted: Wanted;
  readonly #sink: Sink;
  #hash = createHash("sha256");
  #bytes = 0;

  constructor(wanted: Wanted, sink: Sink) {
    this.#wanted = wanted;
    this.#sink = sink;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isWhole(): boolean {
    return this.#bytes === this.#wanted.size;
  }

  get isShort(): boolean {
    return this.#bytes < (this.#wanted.size ?? 0);
  }

  /** False: it is more than it may be, and nothing further is taken. */
  take(chunk: Uint8Array): boolean {
    const offset = this.#bytes;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#wanted.sizeMax) return false;
    this.#hash.update(chunk);
    this.#sink.take(chunk, offset);
    return true;
  }

  restart(): void {
    if (this.#bytes === 0) return;
    this.#hash = createHash("sha256");
    this.#bytes = 0;
    this.#sink.clear();
  }

  /** What is wrong with all that has come; null: nothing. */
  problem(): string | null {
    const { sha256, size, sizeMax } = this.#wanted;
    if (this.#bytes > sizeMax) return `more than the ${sizeWords(sizeMax)} that it may have`;
    if (size !== null && this.#bytes !== size) return `${this.#bytes} bytes where it has ${size}`;
    // What is short is gone on with, so the hash of it is still to be fed.
    if (sha256 !== null && this.#hash.digest("hex") !== sha256) return "bytes that its digest does not name";
    return null;
  }
}
