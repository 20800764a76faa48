/**
 * A schedule that breaks a promise, made small: fewer faults, peers, runs and steps, calmer machines, and in the end
 * single messages in place of a whole network's moods; the same checker must fail each time.
 *
 *   faults ──► peers, runs, steps ──► faults again ──► messages        each candidate is a world of its own
 *      ▲                  │
 *      +── while smaller ─+
 *
 * Messages come last: they are known by their number on a link, which everything before them changes. Bounded by what
 * happens in the worlds that are tried, so the same schedule becomes the same small one on every machine.
 */

import { allCheckers } from "./checkers/all.ts";
import { ddmin } from "./ddmin.ts";
import { messagesInPlaceOfMoods } from "./fates.ts";
import type { Checker, Violation } from "./observation.ts";
import type { Schedule } from "./schedule.ts";
import { simplerSchedules } from "./simpler.ts";
import { runWorld } from "./world.ts";

export type ShrinkOptions = {
  /** All worlds that are tried together have at most so many happenings, and one world's more. */
  readonly happeningsMax?: number;
  /** New ones for each world. */
  readonly checkers?: () => Checker[];
};

/** About a minute of one core. */
const happeningsMaxUsual = 6_000_000;

/** A list of messages that is longer than this tells a reader less than the faults that it stands for. */
const fatesMax = 40;

export type Shrunk = {
  readonly schedule: Schedule;
  readonly violation: Violation;
  readonly tried: number;
  /** False when the bound was reached first: it may be made smaller still. */
  readonly complete: boolean;
};

/** @returns null when the schedule breaks no promise. */
export async function shrink(schedule: Schedule, options: ShrinkOptions = {}): Promise<Shrunk | null> {
  const { happeningsMax = happeningsMaxUsual, checkers = allCheckers } = options;
  const whole = await runWorld({ schedule, checkers: checkers(), encoded: false });
  if (whole.violation === null) return null;
  const search = new Search(whole.violation, whole.happened, { happeningsMax, checkers });
  const small = await search.faultsFirst(schedule);
  const last = await runWorld({ schedule: small, checkers: checkers(), encoded: false });
  if (last.violation === null) throw new Error("Bug: the same schedule ended in two ways");
  return { schedule: small, violation: last.violation, tried: search.tried, complete: !search.isOver };
}

class Search {
  readonly #cause: string;
  readonly #happeningsEach: number;
  readonly #options: Required<ShrinkOptions>;
  #happened = 0;
  tried = 0;

  constructor(violation: Violation, happened: number, options: Required<ShrinkOptions>) {
    this.#cause = causeOf(violation);
    // What is never finished is seen only at the end; everything else about when it was seen.
    this.#happeningsEach = violation.checker === "progress" ? happened * 4 : happened * 2 + 20_000;
    this.#options = options;
  }

  get isOver(): boolean {
    return this.#happened >= this.#options.happeningsMax;
  }

  async faultsFirst(schedule: Schedule): Promise<Schedule> {
    let left = schedule;
    for (let before: Schedule | null = null; before !== left && !this.isOver;) {
      before = left;
      left = await this.#fewer(left, "faults");
      left = await this.#fewer(left, "lost");
      left = await this.#simpler(left);
    }
    return await this.#fewerMessages(left);
  }

  async #fewer(from: Schedule, part: "faults" | "lost" | "fates"): Promise<Schedule> {
    const items: readonly unknown[] = from[part];
    const least = await ddmin(items, (some) => this.#fails({ ...from, [part]: some }));
    return least.length === items.length ? from : { ...from, [part]: least };
  }

  /** The first of the simpler ones that fails becomes the next to be made simpler, until none does. */
  async #simpler(from: Schedule): Promise<Schedule> {
    let left = from;
    let begun = 0;
    for (;;) {
      const candidates = simplerSchedules(left);
      let found: Schedule | null = null;
      // Goes on where it was: what did not help before rarely helps now.
      for (let tries = 0; tries < candidates.length && found === null; tries += 1) {
        const candidate = candidates[(begun + tries) % candidates.length];
        if (candidate === undefined || !(await this.#fails(candidate))) continue;
        found = candidate;
        begun = (begun + tries) % candidates.length;
      }
      if (found === null) return left;
      left = found;
    }
  }

  async #fewerMessages(from: Schedule): Promise<Schedule> {
    for (const candidate of await messagesInPlaceOfMoods(from, this.#options.checkers())) {
      if (!(await this.#fails(candidate))) continue;
      const least = await this.#fewer(candidate, "fates");
      if (least.fates.length <= fatesMax) return await this.#fewer(least, "faults");
    }
    return from;
  }

  async #fails(schedule: Schedule): Promise<boolean> {
    if (this.isOver) return false;
    this.tried += 1;
    const { violation, happened } = await runWorld({
      schedule,
      checkers: this.#options.checkers(),
      encoded: false,
      happeningsMax: this.#happeningsEach,
    });
    this.#happened += happened;
    return violation !== null && causeOf(violation) === this.#cause;
  }
}

/** The checker; for an assertion of the code itself also what it says, as one checker has them all. */
function causeOf({ checker, message }: Violation): string {
  if (checker !== "assertion") return checker;
  const [said = ""] = message.split("\n", 1);
  return said.replace(/\b(control|worker)\d+\b|\d+/gu, "#");
}
