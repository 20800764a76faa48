/**
 * The log of one attempt on the runner's side: bounded, and on disk only when it is too long for the report.
 *
 * Promises: at most `limits.logBytesMax` are kept, the last line of a cut log says that it was cut, what is dropped
 * is counted, and a file that could not be written whole is not there at all.
 */

import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import type { Hash } from "node:crypto";
import { limits } from "../../../protocol/limits.ts";

const cutLine = Buffer.from(
  `\n[otto] The log reached its limit of ${limits.logBytesMax} bytes; what follows was dropped.\n`,
);

export class AttemptLog {
  readonly #path: string;
  /** What came before there was a file. */
  #early: Buffer[] = [];
  #file: number | null = null;
  #hash: Hash | null = null;
  #bytes = 0;
  #droppedBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get droppedBytes(): number {
    return this.#droppedBytes;
  }

  /**
   * Takes the next bytes. Returns those that belong to the log: all of them, or fewer with the closing line.
   * Throws what the file system says; the file is gone then.
   */
  append(chunk: Buffer): Buffer {
    const kept = this.#bound(chunk);
    if (kept.length === 0) return kept;
    this.#bytes += kept.length;
    if (this.#file === null && this.#bytes <= limits.reportTailBytesMax) {
      this.#early.push(kept);
      return kept;
    }
    try {
      if (this.#file === null) this.#open();
      this.#write(kept);
    } catch (error) {
      this.discard();
      throw error;
    }
    return kept;
  }

  /** Closes the file. Returns its digest, or null when there is none. */
  finish(): string | null {
    if (this.#file === null) return null;
    closeSync(this.#file);
    this.#file = null;
    return this.#hash?.digest("hex") ?? null;
  }

  discard(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#hash = null;
    rmSync(this.#path, { force: true });
  }

  #bound(chunk: Buffer): Buffer {
    const room = limits.logBytesMax - cutLine.length - this.#bytes;
    if (this.#droppedBytes === 0 && chunk.length <= room) return chunk;
    const firstCut = this.#droppedBytes === 0;
    const kept = firstCut ? chunk.subarray(0, Math.max(room, 0)) : chunk.subarray(0, 0);
    this.#droppedBytes += chunk.length - kept.length;
    return firstCut ? Buffer.concat([kept, cutLine]) : kept;
  }

  #open(): void {
    this.#file = openSync(this.#path, "wx");
    // Only a long log pays for loading the hash functions.
    this.#hash = process.getBuiltinModule("node:crypto").createHash("sha256");
    for (const early of this.#early) this.#write(early);
    this.#early = [];
  }

  #write(bytes: Buffer): void {
    this.#hash?.update(bytes);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#file ?? -1, bytes, at);
  }
}

/**
 * Bytes of a log that is being written, as its worker reads them: of a short one, and of the end of a long one, the tail
 * that the worker has; the rest from the file. Empty when the file is gone.
 */
export function readLog(
  log: { readonly tail: Buffer; readonly logBytes: number; readonly file: string },
  offset: number,
  length: number,
): Uint8Array {
  const tailFrom = log.logBytes - log.tail.length;
  if (offset >= tailFrom) return log.tail.subarray(offset - tailFrom, offset - tailFrom + length);
  let file: number;
  try {
    file = openSync(log.file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Uint8Array();
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
  } finally {
    closeSync(file);
  }
}
