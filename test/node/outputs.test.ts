/** What a control peer keeps of output: the beginning of what was written, whatever it is brought. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Blobs, openBlobs } from "../../node/edge/blobs.ts";
import { answerTo, OutputSender } from "../../node/core/output-sender.ts";
import { Outputs } from "../../node/edge/outputs.ts";
import { limits } from "../../protocol/limits.ts";
import { sha256Hex } from "../../protocol/values.ts";

const name = { run: "r", step: "test (os=linux)", attempt: 1 };
const log = Buffer.from("one\ntwo\nthree\n");

let folder: string;
let blobs: Blobs;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "otto-outputs-"));
  blobs = await openBlobs(join(folder, "blobs"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function open(): Outputs {
  return new Outputs(join(folder, "outputs"));
}

/** The bytes of a log from one offset to another, as a worker brings them. */
function piece(from: number, to: number, of: Buffer = log) {
  return { offset: from, bytes: of.subarray(from, to), digest: sha256Hex(of.subarray(0, to)) };
}

describe("kept output", () => {
  it("grows by pieces that follow, and says how much there is for any other", () => {
    const outputs = open();
    expect(outputs.append(name, piece(0, 4))).toBe(4);
    expect(outputs.append(name, piece(0, 4))).toBe(4);
    expect(outputs.append(name, piece(8, 14))).toBe(4);
    expect(outputs.append(name, piece(4, 14))).toBe(14);
    expect(Buffer.from(outputs.read(name, 0))).toEqual(log);
    expect(Buffer.from(outputs.read(name, 8)).toString()).toBe("three\n");
    expect(outputs.read(name, 14)).toHaveLength(0);
    expect(outputs.read({ ...name, attempt: 2 }, 0)).toHaveLength(0);
  });

  it("goes on where it was in another process", () => {
    open().append(name, piece(0, 4));
    const outputs = open();
    expect(outputs.size(name)).toBe(4);
    expect(outputs.append(name, piece(4, 14))).toBe(14);
  });

  it("begins anew when it is not the beginning of what is brought", () => {
    const outputs = open();
    outputs.append(name, piece(0, 4, Buffer.from("uno\ndos\n")));
    expect(outputs.append(name, piece(4, 14))).toBe(0);
    expect(outputs.size(name)).toBe(0);
    expect(outputs.append(name, piece(0, 14))).toBe(14);
  });

  it("takes no more of an attempt than a log may have", () => {
    const outputs = open();
    const whole = Buffer.alloc(limits.logBytesMax);
    expect(outputs.append(name, piece(0, limits.logBytesMax, whole))).toBe(limits.logBytesMax);
    const more = Buffer.concat([whole, log]);
    expect(outputs.append(name, piece(limits.logBytesMax, more.length, more))).toBe(null);
  });

  it("becomes the blob that its report names when all of it had come, and goes otherwise", async () => {
    const outputs = open();
    outputs.append(name, piece(0, 14));
    await outputs.handOver(name, sha256Hex(log), blobs);
    expect(Buffer.from(await blobs.readBytes(sha256Hex(log), 1_000))).toEqual(log);
    expect(outputs.size(name)).toBe(0);
    const other = { ...name, attempt: 2 };
    outputs.append(other, piece(0, 4));
    await outputs.handOver(other, sha256Hex(Buffer.from("another")), blobs);
    expect([outputs.size(other), blobs.has(sha256Hex(Buffer.from("another")))]).toEqual([0, false]);
  });

  it("of an attempt that was lost stays, in another process, too", () => {
    const outputs = open();
    outputs.append(name, piece(0, 8));
    outputs.seal(name);
    expect(Buffer.from(open().read(name, 0)).toString()).toBe("one\ntwo\n");
  });
});

describe("a worker's pieces", () => {
  it("are taken by each control peer in its own pace, again from any offset", () => {
    const large = Buffer.alloc(limits.outputChunkBytesMax * 2 + 10, "abcdefg");
    const sender = new OutputSender((_, offset, bytesMax) => large.subarray(offset, offset + bytesMax));
    const [one, other] = [open(), new Outputs(join(folder, "other"))];
    const send = (outputs: Outputs, to: string, offset: number): number | null => {
      const cut = sender.cut("a", {
        to,
        offset,
        end: Math.min(large.length, offset + limits.outputChunkBytesMax),
      });
      return cut === null ? null : outputs.append(name, cut);
    };
    expect(send(one, "one", 0)).toBe(limits.outputChunkBytesMax);
    expect(send(other, "other", 0)).toBe(limits.outputChunkBytesMax);
    expect(send(one, "one", limits.outputChunkBytesMax)).toBe(limits.outputChunkBytesMax * 2);
    // An answer was lost: what was sent comes again, and is told to be there.
    expect(send(one, "one", limits.outputChunkBytesMax)).toBe(limits.outputChunkBytesMax * 2);
    expect(send(one, "one", limits.outputChunkBytesMax * 2)).toBe(large.length);
    expect(send(one, "one", large.length)).toBe(null);
    expect(one.size(name)).toBe(large.length);
  });

  it("are answered when that is asked, or when the next one would not fit", () => {
    const first = { kind: "output", run: "r", index: 1, attempt: 2, ...piece(0, 4), ask: false } as const;
    const kept = { kind: "output-kept", run: "r", index: 1, attempt: 2 };
    expect(answerTo(first, 4)).toBe(null);
    expect(answerTo({ ...first, ask: true }, 4)).toEqual({ ...kept, end: 4 });
    expect(answerTo({ ...first, ask: true }, null)).toBe(null);
    for (const end of [0, 2, 8]) expect(answerTo(first, end)).toEqual({ ...kept, end });
  });
});
