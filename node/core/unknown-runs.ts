/**
 * Runs that workers hold steps of and that a home does not know. Either they are over and forgotten, or this home was succeeded
 * without knowing it and the steps are another's, perhaps granted a moment ago. Which of both, it knows when a majority, which has
 * promised nobody more, has answered a heartbeat that was sent after it heard of the run: nobody had granted anything behind
 * its back until then.
 */

import { limits } from "../../protocol/limits.ts";

export class UnknownRuns {
  /** By worker: one that names runs without end keeps no other from its answer. */
  readonly #sinceMs = new Map<string, Map<string, number>>();

  /** @param assuredAfter whether a majority has answered what was sent after that time (monotonic). */
  isForgotten(
    worker: string,
    run: string,
    nowMs: number,
    assuredAfter: (sinceMs: number) => boolean,
  ): boolean {
    const known = this.#sinceMs.get(worker) ?? new Map<string, number>();
    this.#sinceMs.set(worker, known);
    const sinceMs = known.get(run) ?? nowMs;
    if (known.size >= limits.leasesPerMessageMax) known.clear();
    known.set(run, sinceMs);
    return assuredAfter(sinceMs);
  }

  peerDown(worker: string): void {
    this.#sinceMs.delete(worker);
  }

  clear(): void {
    this.#sinceMs.clear();
  }
}
