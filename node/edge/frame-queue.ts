/**
 * What waits to be sent on one stream: what is said in one go leaves as one piece, since each piece costs one encryption,
 * and before anything else is begun: others have it when this peer's own disk is asked to keep it; nothing more is handed to the stream while it has said that it has enough, since its own buffer has
 * no bound; and a peer that does not read is cut off before its queue is larger than `limits.linkQueueBytesMax`.
 */

import type { Stream } from "@libp2p/interface";
import { joinFrames } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { drained } from "./draining.ts";

export class FrameQueue {
  readonly #stream: Stream;
  readonly #broken: (why: "flood" | "broken") => void;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #flushing = false;

  /** @param broken told when nothing can be sent any more. */
  constructor(stream: Stream, broken: (why: "flood" | "broken") => void) {
    this.#stream = stream;
    this.#broken = broken;
  }

  push(frame: Uint8Array): void {
    this.#waiting.push(frame);
    this.#bytes += frame.length;
    if (this.#bytes > limits.linkQueueBytesMax) {
      this.#waiting = [];
      return this.#broken("flood");
    }
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#stream.writeStatus !== "writable" || this.#waiting.length === 0) return;
    const bytes = joinFrames(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    try {
      if (this.#stream.send(bytes)) return;
    } catch {
      return this.#broken("broken");
    }
    this.#flushing = true;
    drained(this.#stream).then(
      () => this.#flush(),
      () => this.#broken("broken"),
    );
  }
}
