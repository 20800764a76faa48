/**
 * Leases that something was done with lately, the oldest forgotten first: a home accepted their results, a worker began their steps.
 *
 * Kept in two halves: what was added since the last change of halves, and what was before. So each is kept for as long as
 * `limits.leasesRememberedMs` at least, unless there are very many, and no longer than twice as long.
 */

import { limits } from "../../protocol/limits.ts";
import type { LeaseRef } from "../../protocol/messages.ts";

export class RecentLeases {
  #keys = new Set<string>();
  #before = new Set<string>();
  #sinceMs = 0;

  has(lease: LeaseRef): boolean {
    const key = keyOf(lease);
    return this.#keys.has(key) || this.#before.has(key);
  }

  add(lease: LeaseRef, nowMs: number): void {
    const isFull = this.#keys.size >= limits.leasesRememberedMax / 2;
    if (isFull || nowMs - this.#sinceMs >= limits.leasesRememberedMs) {
      this.#before = this.#keys;
      this.#keys = new Set();
      this.#sinceMs = nowMs;
    }
    this.#keys.add(keyOf(lease));
  }
}

function keyOf({ run, index, token }: LeaseRef): string {
  return `${run}/${index}/${token}`;
}
