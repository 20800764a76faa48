/**
 * Runs that workers hold steps of and that a home does not know. Either they are over and forgotten, or this home was succeeded
 * without knowing it and the steps are another's, perhaps granted a moment ago. Which of both, it knows when a majority, which has
 * promised nobody more, has answered a heartbeat that was sent after it heard of the run: nobody had granted anything behind
 * its back until then.
 */

import { limits } from "../../protocol/limits.ts";

export class UnknownRuns {
  readonly #sinceMs = new Map<string, number>();

  /** @param assuredAfter whether a majority has answered what was sent after that time (monotonic). */
  isForgotten(run: string, nowMs: number, assuredAfter: (sinceMs: number) => boolean): boolean {
    const sinceMs = this.#sinceMs.get(run) ?? nowMs;
    if (this.#sinceMs.size >= limits.leasesPerMessageMax) this.#sinceMs.clear();
    this.#sinceMs.set(run, sinceMs);
    return assuredAfter(sinceMs);
  }

  clear(): void {
    this.#sinceMs.clear();
  }
}
