/**
 * What a home has noted of the runs that it leads and not written into its log yet. That attempts have begun is gathered
 * for a moment, since each entry is signed, sent to every control peer and checked there, and nobody waits for these:
 * they are written in front of whatever else is noted, when they are many, or when they have waited long enough.
 */

import { limits } from "../../protocol/limits.ts";
import type { Noted } from "../../protocol/log.ts";
import { isToldAnew } from "./history.ts";

export class Notes {
  #ofRuns = new Map<string, Noted[]>();
  #count = 0;
  #isUrgent = false;
  #dueMs = Infinity;

  /** When what has been noted is to be written. */
  get dueMs(): number {
    return this.#isUrgent || this.#count >= limits.notesHeldMax ? -Infinity : this.#dueMs;
  }

  add(noted: Noted): void {
    const { run } = noted.event;
    const before = this.#ofRuns.get(run);
    if (before === undefined) this.#ofRuns.set(run, [noted]);
    else before.push(noted);
    this.#count += 1;
    this.#isUrgent ||= !isToldAnew(noted.event);
  }

  /** At the end of a turn: all that is to be written by now, by its runs. */
  take(nowMs: number): ReadonlyMap<string, readonly Noted[]> {
    if (this.#count > 0 && this.#dueMs === Infinity) this.#dueMs = nowMs + limits.notesHeldMs;
    if (nowMs < this.dueMs) return none;
    return this.takeAll();
  }

  takeAll(): ReadonlyMap<string, readonly Noted[]> {
    const taken = this.#ofRuns;
    this.#ofRuns = new Map();
    this.#count = 0;
    this.#isUrgent = false;
    this.#dueMs = Infinity;
    return taken;
  }
}

const none: ReadonlyMap<string, readonly Noted[]> = new Map();
