/**
 * Remembers the digest of files that have not changed since they were last hashed, so that a snapshot of a large
 * tree reads only what is new.
 *
 * A file is taken for unchanged when its size, inode, and modification and change times (in nanoseconds) are what
 * they were. A file that changed about when it was hashed is not remembered: it could change again within one tick
 * of the file system's clock and look the same ("racily clean", as git calls it).
 */

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

export type FileStatus = {
  readonly size: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
};

const header = "otto stat cache 1";
/** Coarser than the clock of any file system in use. */
const racyNs = 2_000_000_000n;

export class StatCache {
  readonly #path: string;
  readonly #before: ReadonlyMap<string, string>;
  readonly #after: string[] = [];
  readonly #startedNs: bigint;

  /** @param startedNs wall clock when the snapshot began, nanoseconds since 1970. */
  constructor(path: string, startedNs: bigint) {
    this.#path = path;
    this.#before = readEntries(path);
    this.#startedNs = startedNs;
  }

  find(path: string, status: FileStatus): string | null {
    const entry = this.#before.get(path);
    if (entry === undefined) return null;
    const stamp = stampOf(status);
    return entry.startsWith(`${stamp} `) ? entry.slice(stamp.length + 1) : null;
  }

  remember(path: string, status: FileStatus, digest: string): void {
    const changedNs = status.mtimeNs > status.ctimeNs ? status.mtimeNs : status.ctimeNs;
    if (changedNs + racyNs > this.#startedNs) return;
    this.#after.push(`${stampOf(status)} ${digest} ${path}`);
  }

  /** Keeps what was remembered since the beginning, and nothing else. */
  save(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const temporary = `${this.#path}.${process.pid}`;
    writeFileSync(temporary, [header, ...this.#after].join("\0"));
    renameSync(temporary, this.#path);
  }
}

function stampOf(status: FileStatus): string {
  return `${status.mtimeNs} ${status.ctimeNs} ${status.size} ${status.ino}`;
}

/** A cache that is not there or not readable is an empty one. */
function readEntries(path: string): Map<string, string> {
  const entries = new Map<string, string>();
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return entries;
  }
  const [first, ...lines] = text.split("\0");
  if (first !== header) return entries;
  for (const line of lines) {
    const fields = /^(\d+ \d+ \d+ \d+ [0-9a-f]{64}) (.+)$/s.exec(line);
    if (fields?.[1] !== undefined && fields[2] !== undefined) entries.set(fields[2], fields[1]);
  }
  return entries;
}
