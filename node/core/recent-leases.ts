/** Leases that something was done with lately, the oldest forgotten first: a home accepted their results, a worker began their steps. */

import { limits } from "../../protocol/limits.ts";
import type { LeaseRef } from "../../protocol/messages.ts";

export class RecentLeases {
  readonly #keys = new Set<string>();

  has(lease: LeaseRef): boolean {
    return this.#keys.has(keyOf(lease));
  }

  add(lease: LeaseRef): void {
    this.#keys.add(keyOf(lease));
    if (this.#keys.size <= limits.leasesRememberedMax) return;
    for (const oldest of this.#keys) {
      this.#keys.delete(oldest);
      break;
    }
  }
}

function keyOf({ run, index, token }: LeaseRef): string {
  return `${run}/${index}/${token}`;
}
