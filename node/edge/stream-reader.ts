/**
 * What comes in on a stream, kept until somebody takes it: listened to from the moment that it is made, since nobody
 * keeps what arrives before; and paused while more waits than `limits.streamUnreadBytesMax`, so that a slow reader
 * slows the sender down instead of filling this machine's memory or having its stream reset.
 */

import type { Stream } from "@libp2p/interface";
import { limits } from "../../protocol/limits.ts";

export class StreamReader {
  readonly #stream: Stream;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #resuming = false;
  #over: { readonly error: unknown } | null = null;
  #wake: () => void = () => undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.addEventListener("message", ({ data }) => this.#take(data));
    // An end that comes with a break is told with it.
    stream.addEventListener("end", () => {
      if (stream.status !== "aborted" && stream.status !== "reset") this.#end(null);
    });
    stream.addEventListener("close", ({ error }) => this.#end(error ?? null));
    if (stream.status !== "open" && stream.status !== "closing") this.#end(null);
  }

  /** What has come in and was not taken, in bytes. */
  get unreadBytes(): number {
    return this.#bytes;
  }

  /** Chunks in order until the other side has no more. Throws, after all that arrived, when the stream broke. */
  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        this.#bytes -= chunk.length;
        if (this.#bytes <= limits.streamUnreadBytesMax / 2 && this.#stream.readStatus === "paused")
          this.#resume();
        yield chunk;
        continue;
      }
      if (this.#over !== null) {
        if (this.#over.error !== null) throw this.#over.error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #take(data: Uint8Array | { subarray(): Uint8Array }): void {
    const chunk = data instanceof Uint8Array ? data : data.subarray();
    this.#waiting.push(chunk);
    this.#bytes += chunk.length;
    if (!this.#resuming) this.#pauseWhenFull();
    this.#wake();
  }

  /**
   * What came in meanwhile is handed over inside of `resume`, which tells the sender of room behind that, paused or not: a
   * stream that is paused there again is sent more and more until its buffer is full, and is reset (libp2p 3.3).
   */
  #resume(): void {
    this.#resuming = true;
    this.#stream.resume();
    this.#resuming = false;
    this.#pauseWhenFull();
  }

  #pauseWhenFull(): void {
    if (this.#bytes > limits.streamUnreadBytesMax && this.#stream.readStatus === "readable")
      this.#stream.pause();
  }

  #end(error: unknown): void {
    this.#over ??= { error };
    this.#wake();
  }
}
