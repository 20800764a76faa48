/** Bundles that are being fetched: none twice, and of no announcer's more than its share. */

import { limits } from "../../protocol/limits.ts";
import type { ControlEffect } from "./effects.ts";

export class AskedBundles {
  readonly #effect: (effect: ControlEffect) => void;
  /** Runs, and who announced them when somebody did. */
  readonly #asked = new Map<string, string | null>();
  /** How many of each announcer's are. */
  readonly #askedFor = new Map<string, number>();

  constructor(effect: (effect: ControlEffect) => void) {
    this.#effect = effect;
  }

  get size(): number {
    return this.#asked.size;
  }

  has(run: string): boolean {
    return this.#asked.has(run);
  }

  /** @param from who is asked first. */
  ask(run: string, digest: string, from: string | null): void {
    if (this.#asked.has(run) || this.#asked.size > limits.openRunsMax) return;
    this.#asked.set(run, null);
    this.#effect({ kind: "fetch-bundle", run, digest, from });
  }

  /** No more than its share, so that others' are fetched too: false when that is reached. */
  askAnnouncer(run: string, digest: string, from: string): boolean {
    const asked = this.#askedFor.get(from) ?? 0;
    if (asked >= limits.announcedPerPeerMax) return false;
    if (this.#asked.has(run)) return true;
    this.ask(run, digest, from);
    if (!this.#asked.has(run)) return true;
    this.#asked.set(run, from);
    this.#askedFor.set(from, asked + 1);
    return true;
  }

  /** It is here, or nobody had it. */
  came(run: string): void {
    const announcer = this.#asked.get(run) ?? null;
    this.#asked.delete(run);
    if (announcer === null) return;
    const left = (this.#askedFor.get(announcer) ?? 1) - 1;
    if (left > 0) this.#askedFor.set(announcer, left);
    else this.#askedFor.delete(announcer);
  }
}
