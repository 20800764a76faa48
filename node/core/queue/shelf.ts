/**
 * The steps of one set of required labels that are ready: by priority, within one by run, within a run in order.
 *
 *   shelf ──► level: high, normal, low ──► line of a run ──► its steps
 *
 * Runs take turns: whoever was given least goes first. A run's turn is a number that rises by one with every step it is
 * given; one that had nothing to give for a while comes in at the turn that is due now, so it neither has to catch up nor
 * may. A run of ten thousand steps and one of three are therefore given as much as each other until the small one is done.
 *
 * @source P. Goyal, H. Vin, H. Cheng, "Start-time fair queueing", SIGCOMM 1996, with every step of the same length.
 */

import { Fifo } from "./fifo.ts";

export type ReadyStep = { readonly run: string; readonly index: number };

/** What a step asks of whoever gets it. */
export type Demand = {
  readonly labels: readonly string[];
  /** 0 comes first. */
  readonly level: number;
  /** Caches that it will read: worth a wait for a worker that has one. */
  readonly caches: readonly string[];
  /** What earlier steps made for it: better with a worker that has it. */
  readonly inputs: readonly string[];
  /** The files that its run starts from: likewise, of two workers who wait. */
  readonly source: string;
  /** Workers who could not run it: better with another one. */
  readonly avoided: readonly string[];
};

/** One place in a line; a step that is put back gets another. */
export type Entry = {
  readonly step: ReadyStep;
  readonly demand: Demand;
  /** True once it has waited for a worker that has what it needs. */
  hasWaited: boolean;
  isGone: boolean;
};

/** What a run was given so far, over all shelves. */
export type Share = { readonly run: string; turn: number; waiting: number; readonly lines: Set<Line> };

type Listed = { readonly turn: number; readonly order: number; readonly line: Line };

/** The steps of one run on one level of a shelf. */
export class Line {
  readonly share: Share;
  readonly level: Level;
  /** True while the level knows of it. */
  isListed = false;
  #count = 0;
  readonly #entries = new Fifo<Entry>();
  readonly #byName = new Map<string, Fifo<Entry>>();

  constructor(share: Share, level: Level) {
    this.share = share;
    this.level = level;
  }

  get count(): number {
    return this.#count;
  }

  get first(): Entry | undefined {
    return this.#entries.first(isThere);
  }

  /** The first step that needs one of these, or undefined. */
  firstNeeding(names: ReadonlySet<string>): Entry | undefined {
    if (this.#byName.size === 0) return undefined;
    for (const name of names) {
      const entry = this.#byName.get(name)?.first(isThere);
      if (entry !== undefined) return entry;
      this.#byName.delete(name);
    }
    return undefined;
  }

  add(entry: Entry, where: "last" | "first"): void {
    if (where === "last") this.#entries.push(entry);
    else this.#entries.putBack(entry);
    const { caches, inputs } = entry.demand;
    for (const name of inputs.length === 0 ? caches : [...caches, ...inputs]) {
      const bucket = this.#byName.get(name) ?? new Fifo<Entry>();
      this.#byName.set(name, bucket);
      bucket.push(entry);
    }
    this.#count += 1;
    this.share.waiting += 1;
    this.level.list(this);
  }

  remove(entry: Entry): void {
    entry.isGone = true;
    this.#count -= 1;
    this.share.waiting -= 1;
    this.level.size -= 1;
    this.level.shelf.size -= 1;
  }

  /** Takes all of them. */
  clear(): Entry[] {
    const all: Entry[] = [];
    for (let entry = this.first; entry !== undefined; entry = this.first) {
      this.remove(entry);
      all.push(entry);
    }
    this.#byName.clear();
    return all;
  }
}

/** Steps of one priority, run by run. A heap whose keys are corrected when they come to its top: turns only rise. */
export class Level {
  readonly rank: number;
  readonly shelf: Shelf;
  size = 0;
  /** Steps of higher priorities that were given to workers who could have had one of these. */
  passedOver = 0;
  #listed = 0;
  readonly #heap: Listed[] = [];
  readonly #lines = new Map<string, Line>();

  constructor(rank: number, shelf: Shelf) {
    this.rank = rank;
    this.shelf = shelf;
  }

  lineOf(share: Share): Line {
    const known = this.#lines.get(share.run);
    if (known !== undefined) return known;
    const line = new Line(share, this);
    this.#lines.set(share.run, line);
    share.lines.add(line);
    return line;
  }

  list(line: Line): void {
    this.size += 1;
    this.shelf.size += 1;
    if (!line.isListed) this.#insert(line);
  }

  /** The line whose turn it is, with its place among equals. */
  first(): Listed | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      const { line, turn } = top;
      if (line.count > 0 && turn === line.share.turn) return top;
      this.#dropTop();
      line.isListed = false;
      if (line.count > 0) this.#insert(line);
      else this.forget(line);
    }
    return undefined;
  }

  /** Its run has nothing here any more. */
  forget(line: Line): void {
    line.share.lines.delete(line);
    if (this.#lines.get(line.share.run) === line) this.#lines.delete(line.share.run);
  }

  #insert(line: Line): void {
    line.isListed = true;
    this.#listed += 1;
    const listed = { turn: line.share.turn, order: this.#listed, line };
    let at = this.#heap.push(listed) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const above = this.#heap[up];
      if (above === undefined || !isBefore(listed, above)) break;
      this.#heap[at] = above;
      at = up;
    }
    this.#heap[at] = listed;
  }

  #dropTop(): void {
    const last = this.#heap.pop();
    const length = this.#heap.length;
    if (last === undefined || length === 0) return;
    let at = 0;
    for (;;) {
      const left = this.#heap[2 * at + 1];
      const right = this.#heap[2 * at + 2];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const smaller = isRight ? right : left;
      if (smaller === undefined || !isBefore(smaller, last)) break;
      this.#heap[at] = smaller;
      at = 2 * at + (isRight ? 2 : 1);
    }
    this.#heap[at] = last;
  }
}

/** All steps that ask for the same labels. */
export class Shelf {
  readonly labels: readonly string[];
  readonly levels: readonly Level[];
  /** Steps that may be given now. */
  size = 0;
  /** Steps that wait for a worker who has what they need at hand. */
  held = 0;

  constructor(labels: readonly string[], levels: number) {
    this.labels = labels;
    this.levels = Array.from({ length: levels }, (_, rank) => new Level(rank, this));
  }
}

function isThere(entry: Entry): boolean {
  return !entry.isGone;
}

function isBefore(left: Listed, right: Listed): boolean {
  return left.turn < right.turn || (left.turn === right.turn && left.order < right.order);
}
