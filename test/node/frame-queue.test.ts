/** How frames that wait for one stream leave it, with a stand-in for the stream. */

import type { Stream } from "@libp2p/interface";
import { describe, expect, it } from "vitest";
import { FrameQueue } from "../../node/edge/frame-queue.ts";
import { FrameDecoder } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";

/** A queue, and the frames of each piece that its stream was given. */
function queue(writeStatus = "writable") {
  const pieces: number[][] = [];
  const broken: string[] = [];
  const stream = {
    writeStatus,
    send(piece: Uint8Array) {
      const frames = new FrameDecoder().push(piece);
      if (frames === "oversized") throw new Error("no frames");
      pieces.push(frames.map(([byte = 0]) => byte));
      return true;
    },
  };
  return { pieces, broken, queue: new FrameQueue(stream as unknown as Stream, (why) => broken.push(why)) };
}

describe("frames for one stream", () => {
  it("leave as one piece when they are pushed in one go, and before the event loop turns", async () => {
    const { pieces, queue: waiting } = queue();
    let turned = false;
    setImmediate(() => (turned = true));
    for (const byte of [1, 2, 3]) waiting.push(Uint8Array.of(byte));
    expect(pieces).toEqual([]);
    await Promise.resolve();
    expect(pieces).toEqual([[1, 2, 3]]);
    waiting.push(Uint8Array.of(4));
    await Promise.resolve();
    expect(pieces).toEqual([[1, 2, 3], [4]]);
    expect(turned).toBe(false);
  });

  it("end the link of a peer that does not read before more than the limit waits for it", async () => {
    const { pieces, broken, queue: waiting } = queue("paused");
    const half = new Uint8Array(limits.linkQueueBytesMax / 2);
    waiting.push(half);
    waiting.push(half);
    await Promise.resolve();
    expect([pieces, broken]).toEqual([[], []]);
    waiting.push(Uint8Array.of(1));
    expect(broken).toEqual(["flood"]);
  });
});
