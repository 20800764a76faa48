/**
 * Pulls that wait, by the set of labels that their workers have: first come, first served within a set, and sets that fit
 * the same steps take turns. Which set fits which shelf is worked out once; a set that fits no shelf with steps on it is
 * looked at by nobody.
 */

import { limits } from "../../../protocol/limits.ts";
import { meetsRequirement } from "../../../protocol/names.ts";
import { Shelf } from "./shelf.ts";

export type ParkedPull = {
  readonly peer: string;
  /** The key by which its home knows the session. */
  readonly session: string;
  readonly nonce: string;
  readonly labels: ReadonlySet<string>;
  slots: number;
  /** Leases may be told to it together. */
  readonly alike?: boolean;
};

type CapabilitySet = {
  readonly labels: ReadonlySet<string>;
  readonly pulls: Map<string, ParkedPull>;
  /** What these workers may be given, empty shelves too. */
  readonly shelves: Set<Shelf>;
};

export class Parking {
  readonly #levels: number;
  readonly #sets = new Map<string, CapabilitySet>();
  readonly #shelves = new Map<string, Shelf>();
  /** Sets with pulls that fit the shelf, the one whose turn it is first. */
  readonly #waiting = new Map<Shelf, Set<CapabilitySet>>();
  readonly #pulls = new Map<string, { readonly pull: ParkedPull; readonly set: CapabilitySet }>();
  /** Shelves with steps and pulls that fit them. */
  readonly #hot = new Set<Shelf>();
  /** With so many of them those that are empty are forgotten: twice what was left the last time, so that it pays. */
  #shelvesMax: number = limits.shelvesKeptMax;
  #setsMax: number = limits.capabilitySetsKeptMax;

  /** @param levels how many priorities there are. */
  constructor(levels: number) {
    this.#levels = levels;
  }

  get size(): number {
    return this.#pulls.size;
  }

  /** How much is remembered. */
  get kept(): { readonly shelves: number; readonly sets: number } {
    return { shelves: this.#shelves.size, sets: this.#sets.size };
  }

  get hot(): ReadonlySet<Shelf> {
    return this.#hot;
  }

  get(session: string): ParkedPull | undefined {
    return this.#pulls.get(session)?.pull;
  }

  park(pull: ParkedPull): void {
    const set = this.#setOf(pull.labels);
    this.#pulls.set(pull.session, { pull, set });
    set.pulls.set(pull.session, pull);
    if (set.pulls.size > 1) return;
    for (const shelf of set.shelves) {
      this.#waiting.get(shelf)?.add(set);
      this.heed(shelf);
    }
  }

  /** The pull does not wait any more. Whoever has the same labels comes after the others now. */
  leave(session: string): void {
    const parked = this.#pulls.get(session);
    if (parked === undefined) return;
    const { set } = parked;
    this.#pulls.delete(session);
    set.pulls.delete(session);
    for (const shelf of set.shelves) {
      const waiting = this.#waiting.get(shelf);
      waiting?.delete(set);
      if (set.pulls.size > 0) waiting?.add(set);
      else this.heed(shelf);
    }
  }

  /** The pull that a step of this shelf would go to. */
  firstFor(shelf: Shelf): ParkedPull | undefined {
    const [set] = this.#waiting.get(shelf) ?? [];
    const [pull] = set?.pulls.values() ?? [];
    return pull;
  }

  /** The pull that it would go to if these workers were not there. */
  firstBeside(peers: readonly string[], shelf: Shelf): ParkedPull | undefined {
    for (const { pulls } of this.#waiting.get(shelf) ?? [])
      for (const pull of pulls.values()) if (!peers.includes(pull.peer)) return pull;
    return undefined;
  }

  /** True when the pull is parked and may be given steps of this shelf. */
  fits(session: string, shelf: Shelf): boolean {
    return this.#pulls.get(session)?.set.shelves.has(shelf) === true;
  }

  /** Shelves whose steps the pull's worker may be given. */
  shelvesOf(session: string): Iterable<Shelf> {
    return this.#pulls.get(session)?.set.shelves ?? [];
  }

  /** The shelf has got its first step, or has lost its last: call after either. */
  heed(shelf: Shelf): void {
    if (shelf.size > 0 && (this.#waiting.get(shelf)?.size ?? 0) > 0) this.#hot.add(shelf);
    else this.#hot.delete(shelf);
  }

  shelfFor(labels: readonly string[]): Shelf {
    const key = labels.join("\n");
    const known = this.#shelves.get(key);
    if (known !== undefined) return known;
    if (this.#shelves.size >= this.#shelvesMax) this.#forgetEmptyShelves();
    const shelf = new Shelf(labels, this.#levels);
    const waiting = new Set<CapabilitySet>();
    this.#shelves.set(key, shelf);
    this.#waiting.set(shelf, waiting);
    for (const set of this.#sets.values()) {
      if (!mayHave(set, shelf)) continue;
      set.shelves.add(shelf);
      if (set.pulls.size > 0) waiting.add(set);
    }
    return shelf;
  }

  #setOf(labels: ReadonlySet<string>): CapabilitySet {
    const key = [...labels].join("\n");
    const known = this.#sets.get(key);
    if (known !== undefined) return known;
    if (this.#sets.size >= this.#setsMax) this.#forgetEmptySets();
    const set: CapabilitySet = { labels, pulls: new Map(), shelves: new Set() };
    for (const shelf of this.#shelves.values()) if (mayHave(set, shelf)) set.shelves.add(shelf);
    this.#sets.set(key, set);
    return set;
  }

  #forgetEmptySets(): void {
    for (const [key, { pulls }] of this.#sets) if (pulls.size === 0) this.#sets.delete(key);
    this.#setsMax = Math.max(limits.capabilitySetsKeptMax, 2 * this.#sets.size);
  }

  #forgetEmptyShelves(): void {
    for (const [key, shelf] of this.#shelves) {
      if (shelf.size > 0 || shelf.held > 0) continue;
      this.#shelves.delete(key);
      this.#waiting.delete(shelf);
      for (const { shelves } of this.#sets.values()) shelves.delete(shelf);
    }
    this.#shelvesMax = Math.max(limits.shelvesKeptMax, 2 * this.#shelves.size);
  }
}

function mayHave(set: CapabilitySet, shelf: Shelf): boolean {
  return shelf.labels.every((label) => meetsRequirement(set.labels, label));
}
