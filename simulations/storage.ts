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

type Unsynced = {
  readonly operations: readonly WriteOperation[];
  readonly before: readonly (Uint8Array | undefined)[];
};

export class Disk {
  isFull = false;
  #isDamaged = false;
  readonly #current = new KeyedEntries();
  /** Writes that are not durable, oldest first, each with what stood there before: that is what a crash leaves. */
  #unsynced: Unsynced[] = [];
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
        this.#write(operations);
        return Promise.resolve();
      },
      sync: () => {
        if (!isOpen()) return never();
        const upTo = this.#unsynced.at(-1)?.operations;
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
        this.#write(operations);
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
    for (const { operations, before } of this.#unsynced.slice(kept).reverse())
      for (let index = operations.length - 1; index >= 0; index -= 1) {
        const { key } = operations[index] as WriteOperation;
        const value = before[index];
        if (value === undefined) this.#current.delete(key);
        else this.#current.set(key, value);
      }
    this.#unsynced = [];
  }

  get isDamaged(): boolean {
    return this.#isDamaged;
  }

  /** Some of it has rotted: its checksums do not hold, and whoever reads it all the same lacks every other record. */
  damage(): void {
    this.crash(() => 0);
    this.#isDamaged = true;
    for (const [index, [key]] of this.list("").entries()) if (index % 2 === 0) this.#current.delete(key);
  }

  /** Another disk is in its place, with nothing on it. */
  wipe(): void {
    this.crash(() => 0);
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
    for (const { operations, before } of this.#unsynced)
      for (let index = 0; index < operations.length; index += 1)
        // The first of them: what it found there is what is synced.
        if (operations[index]?.key === key) return before[index];
    return this.#current.get(key);
  }

  #write(operations: readonly WriteOperation[]): void {
    const before: (Uint8Array | undefined)[] = [];
    for (const operation of operations) {
      before.push(this.#current.get(operation.key));
      if (operation.kind === "put") this.#current.set(operation.key, operation.value);
      else this.#current.delete(operation.key);
    }
    this.#unsynced.push({ operations, before });
  }

  #syncThrough(last: readonly WriteOperation[] | undefined): void {
    // Whatever stands before the last was written before it, and a crash since then has left none of them.
    const index = this.#unsynced.findIndex(({ operations }) => operations === last);
    this.#unsynced.splice(0, index + 1);
  }
}
