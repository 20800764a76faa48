/** Frames on a byte stream: four bytes of length, big-endian, then that many bytes. */

import { concat } from "uint8arrays/concat";
import { limits } from "./limits.ts";

export function encodeFrame(payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, 4);
  return frame;
}

/** Joins frames into one piece, so that what is said in one turn is encrypted and sent once. */
export function joinFrames(payloads: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const payload of payloads) length += 4 + payload.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const payload of payloads) {
    view.setUint32(at, payload.length);
    bytes.set(payload, at + 4);
    at += 4 + payload.length;
  }
  return bytes;
}

/** Cuts a byte stream into frames, however its chunks fall. */
export class FrameDecoder {
  #chunks: Uint8Array[] = [];
  #length = 0;
  #bytesMax: number;
  readonly #laterBytesMax: number;

  /** @param firstBytesMax of the first frame, which comes from somebody who has not said yet who it is. */
  constructor(firstBytesMax: number = limits.frameBytesMax, laterBytesMax: number = limits.frameBytesMax) {
    this.#bytesMax = firstBytesMax;
    this.#laterBytesMax = laterBytesMax;
  }

  /** The frames that are whole now, or "oversized": then the stream cannot be trusted any more. */
  push(chunk: Uint8Array): readonly Uint8Array[] | "oversized" {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Uint8Array[] = [];
    while (this.#length >= 4) {
      const head = this.#peek(4);
      const size = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
      if (size > this.#bytesMax) return "oversized";
      if (this.#length < 4 + size) break;
      frames.push(this.#take(4 + size).subarray(4));
      this.#bytesMax = this.#laterBytesMax;
    }
    return frames;
  }

  /** True when the stream ended inside a frame. */
  get isTorn(): boolean {
    return this.#length > 0;
  }

  #peek(size: number): Uint8Array {
    const first = this.#chunks[0];
    return first !== undefined && first.length >= size ? first : this.#gather(size);
  }

  #take(size: number): Uint8Array {
    const whole = this.#gather(size);
    const rest = whole.subarray(size);
    this.#chunks.shift();
    if (rest.length > 0) this.#chunks.unshift(rest);
    this.#length -= size;
    return whole.subarray(0, size);
  }

  /** Makes the first chunk hold at least `size` bytes. */
  #gather(size: number): Uint8Array {
    let have = 0;
    let count = 0;
    while (have < size) have += this.#chunks[count++]?.length ?? size;
    if (count > 1) this.#chunks.splice(0, count, concat(this.#chunks.slice(0, count)));
    return this.#chunks[0] ?? new Uint8Array();
  }
}
