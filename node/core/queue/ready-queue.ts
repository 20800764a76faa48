/**
 * Steps that are ready, the pulls that wait for them, and who gets what.
 *
 *   pull ──► set of labels (parking.ts) ──┐
 *                                         ├──► match: whose step, then to whom
 *   step ──► shelf, priority, run ────────┘
 *
 * Whose step: of all shelves that somebody waits for, the highest priority; within it the run that was given least, and
 * from that one in a row what `limits.runsInPull` leaves of a pull of many: claimed together they are one record. A
 * lower priority is passed over so many times at most (`limits.passedOverMax`) and then served once, so the lowest has
 * its share, however much of the others there is. That is counted in steps and not in time: no clock decides, and a
 * backlog that has grown old does not come down on everybody at once.
 * To whom: the worker that has what the step needs at hand, else the one that has waited longest; one that could not run the step
 * before only when there is no other. Work costs what is matched, whatever waits besides.
 */

import { assert } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import { HeldSteps } from "./held-steps.ts";
import { type ParkedPull, Parking } from "./parking.ts";
import {
  type Demand,
  type Entry,
  type Level,
  type Line,
  type ReadyStep,
  type Share,
  type Shelf,
} from "./shelf.ts";
import type { Warmth } from "./warmth.ts";

export type Match = { readonly pull: ParkedPull; readonly steps: readonly ReadyStep[] };

type Candidate = {
  readonly level: Level;
  readonly line: Line;
  readonly turn: number;
  readonly order: number;
};

/** One call of `match`. */
type Matching = {
  readonly nowMs: number;
  readonly mayGive: (step: ReadyStep) => boolean;
  readonly given: Map<ParkedPull, ReadyStep[]>;
};

/** Priorities, the highest first. */
const levels = 3;
const nothing: ReadonlySet<string> = new Set();

export class ReadyQueue {
  readonly #warmth: Warmth;
  readonly #parking = new Parking(levels);
  readonly #held = new HeldSteps();
  readonly #shares = new Map<string, Share>();
  /** Pulls that came since the last matching: a step may be held for them. */
  #arrived: ParkedPull[] = [];
  /** The turn that is due. */
  #turn = 0;
  #length = 0;

  constructor(warmth: Warmth) {
    this.#warmth = warmth;
  }

  /** Steps that wait. */
  get length(): number {
    return this.#length;
  }

  push(step: ReadyStep, demand: Demand): void {
    this.#length += 1;
    this.#list({ step, demand, hasWaited: false, isGone: false }, "last");
  }

  /** False when too many pulls are parked already. A pull of a session that has one parked takes its place. */
  park(pull: ParkedPull): boolean {
    const isKnown = this.hasPull(pull.session);
    if (!isKnown && this.#parking.size >= limits.parkedPullsMax) return false;
    if (isKnown) this.#parking.leave(pull.session);
    this.#parking.park(pull);
    if (this.#warmth.namesOf(pull.session) !== undefined) this.#arrived.push(pull);
    return true;
  }

  hasPull(session: string): boolean {
    return this.#parking.get(session) !== undefined;
  }

  /** As if the pull had come just now: whoever else waits is given first what fits both. */
  putLast(session: string): void {
    const pull = this.#parking.get(session);
    if (pull === undefined) return;
    this.#parking.leave(session);
    this.#parking.park(pull);
  }

  dropPull(session: string): void {
    this.#parking.leave(session);
  }

  /** Nothing of this run is given any more. Returns what was waiting. */
  drop(run: string): ReadyStep[] {
    const share = this.#shares.get(run);
    const dropped: ReadyStep[] = [];
    // A line that is forgotten leaves the set while it is walked, which a set allows.
    for (const line of share?.lines ?? []) {
      for (const { step } of line.clear()) dropped.push(step);
      line.level.forget(line);
      this.#parking.heed(line.level.shelf);
    }
    for (const { entry } of this.#held.ofRun(run)) dropped.push(entry.step);
    this.#length -= dropped.length;
    this.#shares.delete(run);
    return dropped;
  }

  /**
   * Gives steps to pulls until no pull is left that fits a step. A pull that got something is no longer parked.
   *
   * @param mayGive asked once for each step that is about to be given; one that may not be is forgotten here.
   */
  match(nowMs: number, mayGive: (step: ReadyStep) => boolean): Match[] {
    for (const { entry } of this.#held.due(nowMs))
      this.#list({ ...entry, hasWaited: true, isGone: false }, "first");
    // Asked after every turn, and most turns change nothing here.
    if (this.#arrived.length === 0 && this.#parking.hot.size === 0) return [];
    const matching: Matching = { nowMs, mayGive, given: new Map() };
    this.#giveHeld(matching);
    for (let best = this.#choose(); best !== null; best = this.#choose()) this.#pair(best, matching);
    for (const { session } of matching.given.keys()) this.#parking.leave(session);
    return [...matching.given].map(([pull, steps]) => ({ pull, steps }));
  }

  #list(entry: Entry, where: "last" | "first"): void {
    const { step, demand } = entry;
    const share = this.#shareOf(step.run);
    const shelf = this.#parking.shelfFor(demand.labels);
    const level = shelf.levels[demand.level] ?? shelf.levels[1];
    level?.lineOf(share).add(entry, where);
    if (shelf.size === 1) this.#parking.heed(shelf);
  }

  #shareOf(run: string): Share {
    let share = this.#shares.get(run);
    if (share === undefined) {
      share = { run, turn: this.#turn, waiting: 0, lines: new Set() };
      this.#shares.set(run, share);
    } else if (share.waiting === 0) share.turn = Math.max(share.turn, this.#turn);
    return share;
  }

  /** Workers who came back for what was held for them. */
  #giveHeld(matching: Matching): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const pull of arrived)
      for (const name of this.#namesOf(pull)) {
        if (this.#parking.get(pull.session) !== pull) break;
        const held = this.#held.firstFor(name, ({ line }) =>
          this.#parking.fits(pull.session, line.level.shelf),
        );
        if (held === undefined) continue;
        this.#held.end(held);
        this.#give(held.entry, held.line, pull, matching);
      }
  }

  #choose(): Candidate | null {
    let best: Candidate | null = null;
    for (const { levels: all } of this.#parking.hot)
      for (const level of all) {
        if (level.size === 0) continue;
        const first = level.first();
        if (first === undefined) continue;
        const candidate = { level, ...first };
        if (best === null || comesBefore(candidate, best)) best = candidate;
      }
    return best;
  }

  #pair({ level, line }: Candidate, matching: Matching): void {
    const { shelf } = level;
    const first = this.#parking.firstFor(shelf);
    const entry = (first && line.firstNeeding(this.#namesOf(first))) ?? line.first;
    assert(first !== undefined && entry !== undefined, "a shelf is hot while a pull waits for a step on it");
    const holder = this.#holderOf(entry.demand.caches, first, shelf);
    if (holder === null && this.#isWorthWaiting(entry, shelf)) {
      this.#held.hold(entry, line, matching.nowMs);
      return this.#parking.heed(shelf);
    }
    const { inputs, source } = entry.demand;
    const pull = holder ?? this.#holderOf(inputs, first, shelf) ?? this.#holderOf([source], first, shelf);
    line.remove(entry);
    if (shelf.size === 0) this.#parking.heed(shelf);
    const given = this.#elsewhere(entry, pull ?? first, shelf);
    this.#give(entry, line, given, matching);
    this.#giveInARow(line, given, matching);
  }

  /** More of the same run, as long as nobody else would have them and nothing else is due. */
  #giveInARow(line: Line, pull: ParkedPull, matching: Matching): void {
    const { shelf } = line.level;
    for (let more = Math.floor(pull.slots / limits.runsInPull) - 1; more > 0; more -= 1) {
      const entry = line.first;
      if (entry === undefined || !isAnybodys(entry.demand)) return;
      if (this.#parking.get(pull.session) !== pull || this.#isAnotherDue(pull, line.level.rank)) return;
      line.remove(entry);
      if (shelf.size === 0) this.#parking.heed(shelf);
      this.#give(entry, line, pull, matching, true);
    }
  }

  /** True when another priority is to be served now: a higher one, or a lower one that was passed over often enough. */
  #isAnotherDue(pull: ParkedPull, rank: number): boolean {
    for (const { levels: all } of this.#parking.shelvesOf(pull.session))
      if (all.some((level) => level.size > 0 && (level.rank < rank || overdueBy(level) > 0))) return true;
    return false;
  }

  #give(
    { step }: Entry,
    { level, share }: Line,
    pull: ParkedPull,
    { mayGive, given }: Matching,
    isInARow = false,
  ): void {
    this.#length -= 1;
    if (!mayGive(step)) return;
    const steps = given.get(pull) ?? [];
    given.set(pull, steps);
    steps.push(step);
    // More in a row is owed for: the turn that is due stays where the first of them was.
    if (!isInARow) this.#turn = Math.max(this.#turn, share.turn);
    share.turn = Math.max(share.turn, this.#turn) + 1;
    level.passedOver = 0;
    for (const { levels: all, size } of this.#parking.shelvesOf(pull.session))
      if (size > 0)
        for (const lower of all) if (lower.rank > level.rank && lower.size > 0) lower.passedOver += 1;
    if (steps.length >= pull.slots) this.#parking.leave(pull.session);
  }

  /** A parked pull whose worker has one of these at hand: the first, or another that fits the shelf. */
  #holderOf(names: readonly string[], first: ParkedPull, shelf: Shelf): ParkedPull | null {
    if (names.some((name) => this.#namesOf(first).has(name))) return first;
    for (const name of names)
      for (const session of this.#warmth.holders(name))
        if (this.#parking.fits(session, shelf)) return this.#parking.get(session) ?? null;
    return null;
  }

  /** Whoever could not run the step gets it again only when nobody else waits. */
  #elsewhere({ demand: { avoided } }: Entry, pull: ParkedPull, shelf: Shelf): ParkedPull {
    if (!avoided.includes(pull.peer)) return pull;
    return this.#parking.firstBeside(avoided, shelf) ?? pull;
  }

  #isWorthWaiting({ demand, hasWaited }: Entry, shelf: Shelf): boolean {
    if (hasWaited) return false;
    return demand.caches.some(
      (cache) => this.#held.countFor(cache) < this.#warmth.slotsFor(cache, shelf.labels),
    );
  }

  #namesOf(pull: ParkedPull): ReadonlySet<string> {
    return this.#warmth.namesOf(pull.session) ?? nothing;
  }
}

/** Nothing makes one worker better for it than another. */
function isAnybodys({ caches, inputs, avoided }: Demand): boolean {
  return caches.length === 0 && inputs.length === 0 && avoided.length === 0;
}

function comesBefore(left: Candidate, right: Candidate): boolean {
  const overdue = overdueBy(right.level) - overdueBy(left.level);
  if (overdue !== 0) return overdue < 0;
  if (left.level.rank !== right.level.rank) return left.level.rank < right.level.rank;
  return left.turn < right.turn || (left.turn === right.turn && left.order < right.order);
}

/** 0 unless it was passed over as often as it may be. */
function overdueBy({ passedOver }: Level): number {
  return Math.max(0, passedOver - limits.passedOverMax + 1);
}
