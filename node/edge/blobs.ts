/**
 * Blobs: bytes kept under their sha256, in a folder. Source files, trees, outputs and logs are blobs.
 *
 * Promises: a blob is there whole or not at all (it is written under a temporary name, hashed on the way, and
 * renamed at the end); its name is always the digest of what was written; writing the same bytes twice is
 * harmless. Two processes may share a folder.
 *
 *   <folder>/3f/3fa4...   one file a blob
 *   <folder>/temporary/   what is being written; emptied of what earlier processes left
 */

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { constants, copyFile, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { sha256Hex } from "../../protocol/values.ts";

export type Blobs = {
  readonly folder: string;
  has(digest: string): boolean;
  /** Those of the digests that are not here, each once, in the order given. */
  missing(digests: readonly string[]): readonly string[];
  /** Where the blob's bytes are on disk, whether or not they are there yet. Never write to that file. */
  path(digest: string): string;
  /** Stores bytes as they come. Refused when they are not what `expected` names; nothing is kept then. */
  write(expected: string | null, chunks: AsyncIterable<Uint8Array>): Promise<string>;
  writeBytes(bytes: Uint8Array): Promise<string>;
  /** Stores a copy of a file (a clone where the file system can). */
  addFile(path: string): Promise<string>;
  /** Takes a file over whose digest the caller knows from having written it; the file is gone afterwards. */
  adoptFile(path: string, digest: string): Promise<void>;
  read(digest: string, offset: number): AsyncIterable<Uint8Array>;
  /** The whole blob. Refused when it is larger than `bytesMax` or no longer what its name says. */
  readBytes(digest: string, bytesMax: number): Promise<Uint8Array>;
};

const digestPattern = /^[0-9a-f]{64}$/;

/** Opens the store, makes its folder when there is none, and clears what ended processes left half written. */
export async function openBlobs(folder: string): Promise<Blobs> {
  const temporary = join(folder, "temporary");
  try {
    mkdirSync(temporary, { recursive: true });
    await removeLeftovers(temporary);
  } catch (error) {
    throw storeError(error, folder);
  }
  return new BlobFolder(folder, temporary);
}

/** Says what a failed write means: a full disk is told apart from everything else. */
export function storeError(error: unknown, folder: string): OttoError {
  if (error instanceof OttoError) return error;
  if (isDiskFull(error)) {
    return new OttoError("OTTO_DISK_FULL", {
      what: `The disk that holds ${folder} is full.`,
      state: "What was being written was removed again.",
      next: `Free some space there, then try again.`,
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new OttoError("OTTO_STORAGE_FAILED", {
    what: `${folder} cannot be used: ${reason}.`,
    next: `Look at the permissions and the state of that folder, then try again.`,
    cause: error,
  });
}

/** No space, no quota, or a limit on the size of a file. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
}

class BlobFolder implements Blobs {
  readonly folder: string;
  readonly #temporary: string;
  readonly #folders = new Set<string>();
  #written = 0;

  constructor(folder: string, temporary: string) {
    this.folder = folder;
    this.#temporary = temporary;
  }

  has(digest: string): boolean {
    return existsSync(this.path(digest));
  }

  missing(digests: readonly string[]): readonly string[] {
    return [...new Set(digests)].filter((digest) => !this.has(digest));
  }

  path(digest: string): string {
    if (!digestPattern.test(digest)) throw new Error(`Bug: not a digest: ${digest}`);
    return join(this.folder, digest.slice(0, 2), digest);
  }

  async write(expected: string | null, chunks: AsyncIterable<Uint8Array>): Promise<string> {
    const hash = createHash("sha256");
    async function* hashed(): AsyncIterable<Uint8Array> {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    }
    return this.#place(expected, async (name) => {
      await pipeline(hashed(), createWriteStream(name, { flags: "wx" }));
      return hash.digest("hex");
    });
  }

  async writeBytes(bytes: Uint8Array): Promise<string> {
    const digest = sha256Hex(bytes);
    if (this.has(digest)) return digest;
    return this.#place(digest, async (name) => {
      await writeFile(name, bytes, { flag: "wx" });
      return digest;
    });
  }

  async addFile(path: string): Promise<string> {
    return this.#place(null, async (name) => {
      await copyFile(path, name, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      // The copy is hashed, not the file: the file may change meanwhile, the copy cannot.
      const hash = createHash("sha256");
      for await (const chunk of createReadStream(name, { highWaterMark: limits.blobChunkBytes })) {
        hash.update(chunk as Uint8Array);
      }
      return hash.digest("hex");
    });
  }

  async adoptFile(path: string, digest: string): Promise<void> {
    try {
      await rename(path, this.#target(digest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw storeError(error, this.folder);
      await this.addFile(path);
      await rm(path);
    }
  }

  async *read(digest: string, offset: number): AsyncIterable<Uint8Array> {
    const stream = createReadStream(this.path(digest), {
      start: offset,
      highWaterMark: limits.blobChunkBytes,
    });
    try {
      for await (const chunk of stream) yield chunk as Uint8Array;
    } catch (error) {
      throw readError(error, digest);
    }
  }

  async readBytes(digest: string, bytesMax: number): Promise<Uint8Array> {
    let bytes: Uint8Array;
    try {
      const { size } = await stat(this.path(digest));
      if (size > bytesMax) {
        throw new OttoError("OTTO_FILE_TOO_LARGE", {
          what: `The blob ${digest} has ${size} bytes; at most ${bytesMax} are read at once.`,
          next: "Read it in parts.",
        });
      }
      bytes = await readFile(this.path(digest));
    } catch (error) {
      throw readError(error, digest);
    }
    if (sha256Hex(bytes) !== digest) {
      throw new OttoError("OTTO_BLOB_MISSING", {
        what: `The blob ${digest} is damaged on this disk.`,
        state: "It was not used.",
        next: `Delete ${this.path(digest)}; it is fetched again when it is needed.`,
      });
    }
    return bytes;
  }

  /** Makes the file under a temporary name and gives it the name of its digest, or removes every trace. */
  async #place(expected: string | null, make: (name: string) => Promise<string>): Promise<string> {
    this.#written += 1;
    const name = join(this.#temporary, `${process.pid}-${this.#written}`);
    try {
      const digest = await make(name);
      if (expected !== null && digest !== expected) {
        throw new OttoError("OTTO_MESSAGE_INVALID", {
          what: `Bytes came that are not the blob ${expected}: their digest is ${digest}.`,
          state: "They were thrown away.",
          next: "Fetch the blob from another peer.",
        });
      }
      await rename(name, this.#target(digest));
      return digest;
    } catch (error) {
      await rm(name, { force: true });
      throw storeError(error, this.folder);
    }
  }

  #target(digest: string): string {
    const target = this.path(digest);
    const shard = dirname(target);
    if (!this.#folders.has(shard)) {
      mkdirSync(shard, { recursive: true });
      this.#folders.add(shard);
    }
    return target;
  }
}

function readError(error: unknown, digest: string): OttoError {
  if (error instanceof OttoError) return error;
  return new OttoError("OTTO_BLOB_MISSING", {
    what: `The blob ${digest} cannot be read here.`,
    next: "Fetch it from a peer that has it.",
    cause: error,
  });
}

/** Removes temporary files of processes that are gone; those of a living process are its own. */
async function removeLeftovers(temporary: string): Promise<void> {
  for (const name of readdirSync(temporary)) {
    const owner = Number(name.split("-")[0]);
    if (owner === process.pid || !isAlive(owner)) {
      await rm(join(temporary, name), { force: true, recursive: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
