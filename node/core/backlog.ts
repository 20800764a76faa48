/** Closed runs whose plans are not here, since this peer came later. They are asked for a few at a time, also by its next life. */

import { limits } from "../../protocol/limits.ts";
import { encodeValue } from "../../protocol/values.ts";
import type { WriteOperation } from "../ports.ts";

export const backlogKeys = {
  /** `backlog/<run>` -> the digest of the bundle of a closed run that is not here and is asked for */
  backlog: "backlog/",
} as const;

export class Backlog {
  readonly #store: (operation: WriteOperation) => void;
  readonly #wanted = new Map<string, { readonly digest: string; triesLeft: number }>();

  /** Runs that were archived lately: to be told again that one is closed is no reason to ask for its plan. */
  readonly #archived = new Set<string>();

  constructor(store: (operation: WriteOperation) => void) {
    this.#store = store;
  }

  /** A closed run was told of, whose plan somebody may still have. @param digest of its bundle. */
  want(run: string, digest: string): void {
    if (this.#archived.has(run) || this.#wanted.has(run) || this.#wanted.size >= limits.openRunsMax) return;
    this.restore(run, digest);
    this.#store({ kind: "put", key: backlogKeys.backlog + run, value: encodeValue(digest) });
  }

  /** A former life of this peer had not got its plan. */
  restore(run: string, digest: string): void {
    this.#wanted.set(run, { digest, triesLeft: limits.backlogTriesMax });
  }

  /** The digest of the bundle that is wanted of a run. */
  digest(run: string): string | undefined {
    return this.#wanted.get(run)?.digest;
  }

  /** Its plan is here. Returns what removes it from the disk, when it was wanted. */
  archived(run: string): WriteOperation | null {
    this.#archived.add(run);
    if (this.#archived.size > limits.openRunsMax)
      for (const oldest of this.#archived) {
        this.#archived.delete(oldest);
        break;
      }
    return this.#drop(run);
  }

  #drop(run: string): WriteOperation | null {
    return this.#wanted.delete(run) ? { kind: "delete", key: backlogKeys.backlog + run } : null;
  }

  /** Asks for some of them, as long as more may be asked for. */
  fetch(mayAsk: () => boolean, ask: (run: string, digest: string) => void): void {
    for (const [run, wanted] of [...this.#wanted].slice(0, limits.backlogFetchesMax)) {
      if (!mayAsk()) return;
      // Behind the others, should nobody have it now.
      const gone = this.#drop(run);
      wanted.triesLeft -= 1;
      if (wanted.triesLeft > 0) this.#wanted.set(run, wanted);
      else if (gone !== null) this.#store(gone);
      ask(run, wanted.digest);
    }
  }
}
