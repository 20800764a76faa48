import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Blobs, isDiskFull, openBlobs, storeError } from "../../node/edge/blobs.ts";
import { sha256Hex } from "../../protocol/values.ts";

async function* chunksOf(...texts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

const digest = sha256Hex(Buffer.from("hello"));

describe("a store of blobs", () => {
  let folder: string;
  let blobs: Blobs;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "otto-blobs-"));
    blobs = await openBlobs(join(folder, "blobs"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function temporaryFiles(): readonly string[] {
    return readdirSync(join(folder, "blobs", "temporary"));
  }

  it("names bytes by their digest, however they come", async () => {
    writeFileSync(join(folder, "file"), "hello");
    expect(await blobs.write(null, chunksOf("he", "", "llo"))).toBe(digest);
    expect(await blobs.writeBytes(Buffer.from("hello"))).toBe(digest);
    expect(await blobs.addFile(join(folder, "file"))).toBe(digest);
    expect(blobs.has(digest)).toBe(true);
    expect(readFileSync(blobs.path(digest), "utf8")).toBe("hello");
    expect(temporaryFiles()).toEqual([]);
  });

  it("keeps empty bytes", async () => {
    const empty = await blobs.write(null, chunksOf());
    expect(empty).toBe(sha256Hex(new Uint8Array()));
    expect(await blobs.readBytes(empty, 0)).toHaveLength(0);
  });

  it("says which of some digests it has not", async () => {
    await blobs.writeBytes(Buffer.from("hello"));
    const other = sha256Hex(Buffer.from("other"));
    expect(blobs.missing([other, digest, other])).toEqual([other]);
  });

  it("refuses bytes that are not what they should be, and keeps nothing of them", async () => {
    const writing = blobs.write(digest, chunksOf("hell", "x"));
    await expect(writing).rejects.toMatchObject({ code: "OTTO_MESSAGE_INVALID" });
    expect(blobs.has(digest)).toBe(false);
    expect(temporaryFiles()).toEqual([]);
  });

  it("keeps nothing of a blob whose sender stopped in the middle", async () => {
    async function* broken(): AsyncIterable<Uint8Array> {
      yield Buffer.from("hel");
      throw new Error("the link is down");
    }
    await expect(blobs.write(digest, broken())).rejects.toThrow("the link is down");
    expect(blobs.has(digest)).toBe(false);
    expect(temporaryFiles()).toEqual([]);
  });

  it("takes the same blob from several writers at once", async () => {
    const writers = Array.from({ length: 8 }, async () => blobs.write(digest, chunksOf("hel", "lo")));
    expect(new Set(await Promise.all(writers))).toEqual(new Set([digest]));
    expect(Buffer.from(await blobs.readBytes(digest, 5)).toString()).toBe("hello");
  });

  it("clears half-written files of processes that are gone when it is opened", async () => {
    writeFileSync(join(folder, "blobs", "temporary", "999999999-1"), "half");
    writeFileSync(join(folder, "blobs", "temporary", `${process.ppid}-1`), "of a living process");
    await openBlobs(join(folder, "blobs"));
    expect(temporaryFiles()).toEqual([`${process.ppid}-1`]);
  });
});

describe("reading from a store of blobs", () => {
  let folder: string;
  let blobs: Blobs;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "otto-blobs-"));
    blobs = await openBlobs(join(folder, "blobs"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("reads from any offset, and nothing behind the end", async () => {
    await blobs.writeBytes(Buffer.from("hello"));
    expect(await textOf(blobs.read(digest, 0))).toBe("hello");
    expect(await textOf(blobs.read(digest, 3))).toBe("lo");
    expect(await textOf(blobs.read(digest, 5))).toBe("");
  });

  it("says that a blob is missing, too large, or damaged", async () => {
    await expect(blobs.readBytes(digest, 5)).rejects.toMatchObject({ code: "OTTO_BLOB_MISSING" });
    await expect(textOf(blobs.read(digest, 0))).rejects.toMatchObject({ code: "OTTO_BLOB_MISSING" });
    await blobs.writeBytes(Buffer.from("hello"));
    await expect(blobs.readBytes(digest, 4)).rejects.toMatchObject({ code: "OTTO_FILE_TOO_LARGE" });
    truncateSync(blobs.path(digest), 2);
    await expect(blobs.readBytes(digest, 5)).rejects.toMatchObject({ code: "OTTO_BLOB_MISSING" });
  });

  it("takes a finished file over without copying it", async () => {
    const file = join(folder, "log");
    writeFileSync(file, "hello");
    await blobs.adoptFile(file, digest);
    expect(existsSync(file)).toBe(false);
    expect(await textOf(blobs.read(digest, 0))).toBe("hello");
  });

  it("never goes where a name that is no digest would lead", () => {
    for (const name of ["../../etc/passwd", "", digest.toUpperCase(), `${digest}0`]) {
      expect(() => blobs.path(name), name).toThrow("not a digest");
    }
  });

  it("tells a full disk apart from other failures", () => {
    for (const code of ["ENOSPC", "EDQUOT", "EFBIG"]) {
      const error = Object.assign(new Error(code), { code });
      expect(isDiskFull(error)).toBe(true);
      expect(storeError(error, folder).code).toBe("OTTO_DISK_FULL");
    }
    expect(storeError(Object.assign(new Error("no"), { code: "EACCES" }), folder).code).toBe(
      "OTTO_STORAGE_FAILED",
    );
  });
});
