/**
 * A disk that forgets: what was written is readable at once and survives a crash only once it was synced. Of what
 * was not, a crash keeps some first part, whole writes in their order, as a write-ahead log does. The write that was torn
 * is not among them: its checksum does not hold.
 *
 * A disk may be full, and what is written then fails; damaged, and whoever opens it must refuse it; or emptied.
 *
 * The disk outlives its peer's processes; each process opens it anew, and what a dead process left under way
 * reaches neither the disk nor anybody.
 */

import type { Storage, StoredEntry, WriteOperation } from "../node/ports.ts";
import { KeyedEntries } from "./keyed-entries.ts";

/** What a process is told whose disk takes no more. */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
}

export class Disk {
  isFull = false;
  #isDamaged = false;
  readonly #durable = new Map<string, Uint8Array>();
  readonly #current = new KeyedEntries();
  /** Writes that are not durable, oldest first. */
  #unsynced: (readonly WriteOperation[])[] = [];
  #opening = 0;

  /** @param completes calls back when a sync has reached the disk. */
  open(completes: (callback: () => void) => void): Storage {
    this.#opening += 1;
    const opening = this.#opening;
    const isOpen = () => opening === this.#opening;
    const never = () => new Promise<never>(() => undefined);
    return {
      get: (key) => (isOpen() ? Promise.resolve(this.#current.get(key)) : never()),
      list: (prefix) => (isOpen() ? Promise.resolve(this.list(prefix)) : never()),
      write: (operations) => {
        if (!isOpen()) return never();
        if (this.isFull) return Promise.reject(new DiskFull());
        apply(this.#current, operations);
        this.#unsynced.push(operations);
        return Promise.resolve();
      },
      sync: () => {
        if (!isOpen()) return never();
        const upTo = this.#unsynced.at(-1);
        return new Promise((resolve) => {
          completes(() => {
            if (!isOpen()) return;
            this.#syncThrough(upTo);
            resolve();
          });
        });
      },
      commit: (operations, done) => {
        if (!isOpen()) return;
        if (this.isFull)
          return completes(() => {
            if (isOpen()) done(new DiskFull());
          });
        apply(this.#current, operations);
        this.#unsynced.push(operations);
        completes(() => {
          if (!isOpen()) return;
          this.#syncThrough(operations);
          done(null);
        });
      },
      close: () => Promise.resolve(),
    };
  }

  /** Ends every opening. Of the writes that were not synced the first `keep` are kept. */
  crash(keep: (unsynced: number) => number): void {
    this.#opening += 1;
    const kept = keep(this.#unsynced.length);
    for (const operations of this.#unsynced.slice(0, kept)) apply(this.#durable, operations);
    this.#unsynced = [];
    this.#current.clear();
    for (const [key, value] of this.#durable) this.#current.set(key, value);
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** Some of it has rotted: its checksums do not hold, and whoever reads it all the same lacks every other record. */
  damage(): void {
    this.crash(() => 0);
    this.#isDamaged = true;
    for (const [index, key] of [...this.#durable.keys()].entries())
      if (index % 2 === 0) this.#durable.delete(key);
    this.crash(() => 0);
  }

  /** Another disk is in its place, with nothing on it. */
  wipe(): void {
    this.crash(() => 0);
    this.#durable.clear();
    this.#current.clear();
    this.#isDamaged = false;
  }

  get(key: string): Uint8Array | undefined {
    return this.#current.get(key);
  }

  list(prefix: string): StoredEntry[] {
    return this.#current.list(prefix);
  }

  /** What would be found after a crash now. */
  durable(key: string): Uint8Array | undefined {
    return this.#durable.get(key);
  }

  #syncThrough(last: readonly WriteOperation[] | undefined): void {
    if (last === undefined || !this.#unsynced.includes(last)) return;
    for (let next = this.#unsynced.shift(); next !== undefined; next = this.#unsynced.shift()) {
      apply(this.#durable, next);
      if (next === last) return;
    }
  }
}

function apply(map: Pick<KeyedEntries, "set" | "delete">, operations: readonly WriteOperation[]): void {
  for (const operation of operations) {
    if (operation.kind === "put") map.set(operation.key, operation.value);
    else map.delete(operation.key);
  }
}
