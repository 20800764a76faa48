/**
 * A disk that forgets: what was written is readable at once and survives a crash only once it was synced. Of what
 * was not, a crash keeps some first part, whole writes in their order, as a write-ahead log does.
 *
 * The disk outlives its peer's processes; each process opens it anew, and what a dead process left under way
 * reaches neither the disk nor anybody.
 */

import type { Storage, StoredEntry, WriteOperation } from "../node/ports.ts";
import { compareText } from "../protocol/values.ts";

export class Disk {
  readonly #durable = new Map<string, Uint8Array>();
  readonly #current = new Map<string, Uint8Array>();
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

  list(prefix: string): StoredEntry[] {
    return [...this.#current]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([left], [right]) => compareText(left, right));
  }

  get(key: string): Uint8Array | undefined {
    return this.#current.get(key);
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

function apply(map: Map<string, Uint8Array>, operations: readonly WriteOperation[]): void {
  for (const operation of operations) {
    if (operation.kind === "put") map.set(operation.key, operation.value);
    else map.delete(operation.key);
  }
}
