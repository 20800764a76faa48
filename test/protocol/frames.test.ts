/** Frames come out as they went in, however the stream is cut. */

import { array, assert, nat, property, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, FrameDecoder, joinFrames } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The head of a frame that says it is so long. */
function headOf(size: number): Uint8Array {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, size);
  return head;
}

/** The frames of a stream that arrives in these chunks. */
function framesOf(chunks: Iterable<Uint8Array>, decoder = new FrameDecoder()): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (const chunk of chunks) {
    const whole = decoder.push(chunk);
    if (whole === "oversized") throw new Error("oversized");
    frames.push(...whole.map((frame) => frame.slice()));
  }
  return frames;
}

describe("a frame", () => {
  it("is its length, big-endian, and then its bytes", () => {
    expect(encodeFrame(bytesOf("otto"))).toEqual(Uint8Array.of(0, 0, 0, 4, 0x6f, 0x74, 0x74, 0x6f));
    expect(encodeFrame(new Uint8Array(258)).subarray(0, 4)).toEqual(Uint8Array.of(0, 0, 1, 2));
  });

  it("joined with others is the same stream as one after the other", () => {
    const payloads = [bytesOf("a"), new Uint8Array(), bytesOf("bc")];
    expect(joinFrames(payloads)).toEqual(new Uint8Array(Buffer.concat(payloads.map(encodeFrame))));
    expect(joinFrames([])).toEqual(new Uint8Array());
  });
});

describe("a stream of frames", () => {
  it("gives the same frames for any cut into chunks", () => {
    const payloads = array(uint8Array({ maxLength: 300 }), { maxLength: 12 });
    assert(
      property(payloads, array(nat(400), { maxLength: 30 }), (sent, sizes) => {
        const stream = joinFrames(sent);
        const chunks: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) chunks.push(stream.subarray(at, (at += size)));
        chunks.push(stream.subarray(at));
        const decoder = new FrameDecoder();
        expect(framesOf(chunks, decoder)).toEqual(sent);
        expect(decoder.isTorn).toBe(false);
      }),
    );
  });

  it("gives a frame as soon as its last byte is there, byte by byte", () => {
    const decoder = new FrameDecoder();
    const stream = joinFrames([bytesOf("ab"), bytesOf(""), bytesOf("c")]);
    const counts = Array.from(stream, (byte) => decoder.push(Uint8Array.of(byte)).length);
    expect(counts).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
  });

  it("ignores chunks without bytes", () => {
    const empty = new Uint8Array();
    expect(framesOf([empty, encodeFrame(bytesOf("a")), empty])).toEqual([bytesOf("a")]);
  });

  it("is torn when it ends inside of a frame or of its head, and only then", () => {
    const frame = encodeFrame(bytesOf("abc"));
    for (let length = 0; length <= frame.length; length += 1) {
      const decoder = new FrameDecoder();
      decoder.push(frame.subarray(0, length));
      expect(decoder.isTorn, `${length} bytes`).toBe(length > 0 && length < frame.length);
    }
  });

  it("may have another limit when it is the first", () => {
    const decoder = new FrameDecoder(10);
    expect(decoder.push(encodeFrame(new Uint8Array(10)))).toHaveLength(1);
    expect(decoder.push(encodeFrame(new Uint8Array(11)))).toHaveLength(1);
    expect(new FrameDecoder(10).push(headOf(11))).toBe("oversized");
  });

  it("takes a frame of exactly the limit", () => {
    const largest = new Uint8Array(limits.frameBytesMax).fill(7);
    const decoder = new FrameDecoder();
    expect(decoder.push(headOf(limits.frameBytesMax))).toEqual([]);
    const frames = decoder.push(largest);
    expect(frames).toHaveLength(1);
    expect(Buffer.compare(frames[0] as Uint8Array, largest)).toBe(0);
  });

  it.each([limits.frameBytesMax + 1, 2 ** 31, 2 ** 32 - 1])(
    "is refused for a head that says %i, before a byte of the frame has come",
    (size) => {
      expect(new FrameDecoder().push(headOf(size))).toBe("oversized");
    },
  );

  it("is refused for what is oversized behind a frame that is whole", () => {
    const decoder = new FrameDecoder();
    const stream = Buffer.concat([encodeFrame(bytesOf("a")), headOf(limits.frameBytesMax + 1)]);
    expect(decoder.push(stream)).toBe("oversized");
  });
});
