/**
 * What one watcher has yet to be sent. A watcher that reads slowly holds nobody up and costs bounded memory: output is
 * dropped first, with a notice, and never an event.
 */

import type { WatchItem } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";

export class ItemQueue {
  readonly #signal: AbortSignal;
  #items: WatchItem[] = [];
  #bytes = 0;
  #dropped = 0;
  #wake: (() => void) | null = null;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  push(item: WatchItem): void {
    if (item.kind === "output") {
      if (this.#bytes + item.bytes.length > limits.watchQueueBytesMax) {
        this.#dropped += item.bytes.length;
        return;
      }
      this.#bytes += item.bytes.length;
    }
    this.#items.push(item);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchItem, void, void> {
    while (!this.#signal.aborted) {
      const items = this.#items;
      this.#items = [];
      this.#bytes = 0;
      if (this.#dropped > 0) {
        yield {
          kind: "notice",
          text: `${this.#dropped} bytes of output came too fast and are only in the log.`,
        };
        this.#dropped = 0;
      }
      yield* items;
      if (this.#items.length > 0 || this.#signal.aborted) continue;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
