/**
 * A stream of libp2p as a duplex of Node's, for servers and sockets that know nothing of libp2p. Back-pressure goes
 * through both ways: a reader that stands still has the sender's window run full, and the other way round.
 */

import { Duplex } from "node:stream";
import type { Stream } from "@libp2p/interface";
import { FrameDecoder } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import { drained } from "../draining.ts";
import { StreamReader } from "../stream-reader.ts";
import { tellOfRoomSeldom } from "../window-updates.ts";

export class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  readonly #chunks: AsyncGenerator<Uint8Array, void, void>;
  #reading = false;

  constructor(stream: Stream) {
    super({ allowHalfOpen: true });
    tellOfRoomSeldom(stream);
    this.#stream = stream;
    this.#chunks = new StreamReader(stream).chunks();
    // Nobody reads while an answer is awaited; that the other side is gone must be seen all the same.
    stream.addEventListener("close", () => this.#closed(), { once: true });
  }

  /** The one frame that comes before the bytes. Throws for anything else, and when it does not come in time. */
  async firstFrame(bytesMax: number): Promise<Uint8Array> {
    const timer = setTimeout(() => this.destroy(new Error("no first frame in time")), limits.requestMsMax);
    try {
      const decoder = new FrameDecoder(bytesMax);
      for (;;) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new Error("the stream ended before its first frame");
        const frames = decoder.push(next.value);
        if (frames === "oversized" || frames.length > 1) throw new Error("more than one small frame");
        const [frame] = frames;
        // Whoever speaks on before it is answered speaks another protocol.
        if (frame !== undefined && decoder.isTorn) throw new Error("bytes behind the first frame");
        if (frame !== undefined) return frame;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  override _read(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#pull().then(
      () => (this.#reading = false),
      (error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#send(chunk).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }

  override _writev(
    chunks: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), "buffer", done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#stream.writeStatus !== "writable") return done();
    this.#stream.close().then(
      () => done(),
      () => done(),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#stream.status === "open" || this.#stream.status === "closing")
      this.#stream.abort(error ?? new Error("closed"));
    done(error);
  }

  async #pull(): Promise<void> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return void this.push(null);
      if (!this.push(next.value)) return;
    }
  }

  async #send(chunk: Uint8Array): Promise<void> {
    if (this.#stream.writeStatus !== "writable") throw new Error("the stream is closed");
    if (!this.#stream.send(chunk)) await drained(this.#stream);
  }

  #closed(): void {
    const { status } = this.#stream;
    if (status === "reset" || status === "aborted") this.destroy(new Error("the stream broke"));
  }
}
