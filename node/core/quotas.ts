/**
 * What each worker may ask of a control peer: so much a second, by what it costs to answer. Whoever asks for more is not
 * heard, and counted; all others are answered as if it were not there.
 *
 * A bucket for each peer that is filled as time passes. Far above what an honest worker says: it never learns of it.
 *
 * @source J. Turner, "New directions in communications", IEEE Communications 24(10), 1986: the leaky bucket.
 */

import { limits } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/messages.ts";

/** Full again after so long. */
const fillSeconds = 2;
const full = limits.workPerSecondMax * fillSeconds;

/** In what one plain message costs: a signature is checked, a bundle is fetched, a session's leases are looked through. */
const costs: Partial<Record<Message["kind"], number>> = { result: 10, announce: 20, session: 20, vector: 50 };

export class Quotas {
  readonly #buckets = new Map<string, { left: number; countedMs: number }>();

  /** False when this is more than the peer may ask now. */
  mayAsk(peer: string, { kind }: Message, nowMs: number): boolean {
    const bucket = this.#buckets.get(peer) ?? { left: full, countedMs: nowMs };
    this.#buckets.set(peer, bucket);
    const earned = ((nowMs - bucket.countedMs) / 1_000) * limits.workPerSecondMax;
    bucket.left = Math.min(full, bucket.left + Math.max(0, earned));
    bucket.countedMs = nowMs;
    const cost = costs[kind] ?? 1;
    if (bucket.left < cost) return false;
    bucket.left -= cost;
    return true;
  }

  /** Forgets those that have been silent: a link that breaks fills nobody's bucket. */
  forgetSilent(nowMs: number): void {
    for (const [peer, { countedMs }] of this.#buckets)
      if (nowMs - countedMs > fillSeconds * 1_000) this.#buckets.delete(peer);
  }
}
