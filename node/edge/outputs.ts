/**
 * What a control peer keeps of the output of attempts: of those that run, and of those whose worker was lost, whose whole
 * log nobody else has. One file an attempt, to which it is appended.
 *
 * Promises: a file is the beginning of what the attempt wrote, without a gap and byte by byte: each piece names the hash of
 * everything up to its end, and one that does not fit is not taken. All files together are bounded; the one that was
 * written to least lately goes first, and a worker that still runs brings it again. What is kept survives the process;
 * it is synced when its attempt is over, since until then the worker has it, too.
 */

import { createHash, type Hash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { limits } from "../../protocol/limits.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { OutputPiece } from "../core/output-sender.ts";
import type { Blobs } from "./blobs.ts";

export type AttemptName = { readonly run: string; readonly step: string; readonly attempt: number };

type Written = { end: number; hash: Hash };

export class Outputs {
  readonly #folder: string;
  /** Of those that are being written: their length and what it hashes to. */
  readonly #written = new Map<string, Written>();
  /** Every file with its length, the one written to least lately first. */
  readonly #files = new Map<string, number>();
  #bytes = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const found = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        const { size, mtimeMs } = statSync(path);
        return { path, size, mtimeMs };
      });
    for (const { path, size } of found.sort((left, right) => left.mtimeMs - right.mtimeMs)) {
      this.#files.set(path, size);
      this.#bytes += size;
    }
  }

  /** How much is kept, in bytes. */
  size(name: AttemptName): number {
    return this.#files.get(this.#pathOf(name)) ?? 0;
  }

  /** Takes the next piece. Returns how much is kept then; null: none can be taken now. */
  append(name: AttemptName, { offset, bytes, digest }: OutputPiece): number | null {
    const path = this.#pathOf(name);
    try {
      const written = this.#open(path);
      if (offset !== written.end || bytes.length === 0) return written.end;
      if (written.end + bytes.length > limits.logBytesMax) return null;
      const hash = written.hash.copy().update(bytes);
      if (hash.copy().digest("hex") !== digest) {
        // What is here is not the beginning of that log: it is brought from its beginning.
        this.#drop(path);
        return 0;
      }
      appendTo(path, bytes);
      const end = written.end + bytes.length;
      this.#written.set(path, { end, hash });
      this.#files.delete(path);
      this.#files.set(path, end);
      this.#bytes += bytes.length;
      this.#bound(path);
      return end;
    } catch {
      // A full disk, for one: the worker has it, and brings it again.
      this.#written.delete(path);
      return null;
    }
  }

  /** Bytes from `offset` on, at most a chunk; empty at the end. */
  read(name: AttemptName, offset: number): Uint8Array {
    const path = this.#pathOf(name);
    const length = Math.min(limits.outputChunkBytesMax, this.size(name) - offset);
    if (length <= 0) return new Uint8Array();
    const file = openSync(path, "r");
    try {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    } finally {
      closeSync(file);
    }
  }

  /** The attempt is over without a report: this is all that there will be of it. */
  seal(name: AttemptName): void {
    const path = this.#pathOf(name);
    this.#written.delete(path);
    if (!this.#files.has(path)) return;
    const file = openSync(path, "r+");
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  /** The attempt is over, and its whole log is a blob somewhere: here too, when all of it had come. */
  async handOver(name: AttemptName, digest: string | null, blobs: Blobs): Promise<void> {
    const path = this.#pathOf(name);
    if (!this.#files.has(path)) return;
    const isWhole = digest !== null && this.#open(path).hash.copy().digest("hex") === digest;
    if (isWhole && !blobs.has(digest)) {
      await blobs.adoptFile(path, digest);
      this.#forget(path);
    } else this.#drop(path);
  }

  #open(path: string): Written {
    const known = this.#written.get(path);
    if (known !== undefined) return known;
    const hash = createHash("sha256");
    const end = this.#files.get(path) ?? 0;
    if (end > 0) hash.update(readFileSync(path));
    const written = { end, hash };
    this.#written.set(path, written);
    if (this.#written.size > limits.outputsOpenMax) {
      const [oldest] = this.#written.keys();
      if (oldest !== undefined && oldest !== path) this.#written.delete(oldest);
    }
    return written;
  }

  #bound(written: string): void {
    for (const path of this.#files.keys()) {
      if (this.#bytes <= limits.outputsBytesMax || path === written) return;
      this.#drop(path);
    }
  }

  #drop(path: string): void {
    rmSync(path, { force: true });
    this.#forget(path);
  }

  #forget(path: string): void {
    this.#bytes -= this.#files.get(path) ?? 0;
    this.#files.delete(path);
    this.#written.delete(path);
  }

  /** Names of steps are anything: their hash is a name for a file. */
  #pathOf({ run, step, attempt }: AttemptName): string {
    const name = sha256Hex(Buffer.from(JSON.stringify([run, step]))).slice(0, 32);
    return join(this.#folder, `${name}-${attempt}`);
  }
}

function appendTo(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "a");
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

/** Names an attempt among those of its run. */
export function attemptKey({ step, attempt }: Pick<AttemptName, "step" | "attempt">): string {
  return `${attempt}/${step}`;
}

export function parseAttemptKey(key: string): Pick<AttemptName, "step" | "attempt"> {
  const at = key.indexOf("/");
  return { attempt: Number(key.slice(0, at)), step: key.slice(at + 1) };
}
