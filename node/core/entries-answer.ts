/** Entries on their way to a peer that lacks them: cut into messages that fit into a frame, and ended where an answer is full. */

import { limits } from "../../protocol/limits.ts";

export class EntriesAnswer {
  readonly #send: (entries: readonly Uint8Array[]) => void;
  #entries: Uint8Array[] = [];
  #bytes = 0;
  #sentBytes = 0;

  constructor(send: (entries: readonly Uint8Array[]) => void) {
    this.#send = send;
  }

  /** What is left is asked for again. */
  get isFull(): boolean {
    return this.#sentBytes >= limits.entriesAnswerBytesMax;
  }

  add(entry: Uint8Array): void {
    this.#entries.push(entry);
    this.#bytes += entry.length;
    if (this.#bytes >= limits.batchBytesMax) this.end();
  }

  end(): void {
    if (this.#entries.length === 0) return;
    this.#send(this.#entries);
    this.#sentBytes += this.#bytes;
    this.#entries = [];
    this.#bytes = 0;
  }
}
