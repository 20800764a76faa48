/** What all grants have in common: streams are carried in its name, and end with it. */

import type { Duplex } from "node:stream";

export class GrantLife {
  readonly #ended = new AbortController();
  readonly #streams = new Set<Duplex>();

  /** Aborts when the grant ends. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  carries(stream: Duplex): void {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
  }

  end(): void {
    this.#ended.abort();
    for (const stream of this.#streams) stream.destroy();
  }
}
