/**
 * Pipes for the output of steps: real ones, which Node does not make (it makes socket pairs, and a script that
 * writes to `/dev/stderr` fails on those). Named pipes are made in advance, several at once, and used again.
 *
 * One pipe serves one attempt: standard output, standard error and the lifeline of all its commands are the same
 * pipe, so what they write is in order, and it reaches its end only when nobody holds it any more.
 */

import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdirSync, openSync, readSync } from "node:fs";
import { join } from "node:path";

const readBytes = 64 * 1024;
/** More than this is never in a pipe at one moment (`/proc/sys/fs/pipe-max-size`). */
const pipeBytesMax = 1024 * 1024;

export class Pipes {
  readonly #folder: string;
  readonly #free: string[] = [];
  #made = 0;

  constructor(folder: string, count: number) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#make(count);
  }

  take(): OutputPipe {
    if (this.#free.length === 0) this.#make(8);
    const path = this.#free.pop();
    if (path === undefined) throw new Error(`no pipe could be made in ${this.#folder}`);
    return new OutputPipe(path);
  }

  /** Gives a pipe back that nobody holds open any more. */
  giveBack(pipe: OutputPipe): void {
    this.#free.push(pipe.path);
  }

  #make(count: number): void {
    const paths: string[] = [];
    for (let index = 0; index < count; index += 1) {
      this.#made += 1;
      paths.push(join(this.#folder, `pipe-${this.#made}`));
    }
    const made = spawnSync("mkfifo", ["-m", "600", "--", ...paths], { encoding: "utf8" });
    if (made.status !== 0) {
      throw new Error(`mkfifo failed: ${made.error?.message ?? made.stderr.trim()}`, { cause: made.error });
    }
    this.#free.push(...paths);
  }
}

export class OutputPipe {
  readonly path: string;
  /** For the children to write to. */
  readonly writer: number;
  /** Never blocks. */
  readonly reader: number;
  #writerOpen = true;

  constructor(path: string) {
    this.path = path;
    this.reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.writer = openSync(path, constants.O_WRONLY);
  }

  /** Hands over what is in the pipe now. Says whether the pipe is at its end: nobody else holds it open. */
  drain(take: (bytes: Buffer) => void): boolean {
    let taken = 0;
    while (taken < pipeBytesMax) {
      const buffer = Buffer.allocUnsafe(taken === 0 ? 512 : readBytes);
      const count = this.#read(buffer);
      if (count === null) return false;
      if (count === 0) return true;
      taken += count;
      take(buffer.subarray(0, count));
    }
    return false;
  }

  closeWriter(): void {
    if (!this.#writerOpen) return;
    this.#writerOpen = false;
    closeSync(this.writer);
  }

  closeReader(): void {
    closeSync(this.reader);
  }

  /** Null when the pipe is empty and somebody still holds it open. */
  #read(buffer: Buffer): number | null {
    try {
      return readSync(this.reader, buffer);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return null;
      throw error;
    }
  }
}
