/**
 * Which peers to dial, and when: for ever, each with a back-off of its own.
 *
 * Pure: is told the time, asks for nothing. `node/edge/dialling.ts` performs it.
 *
 *             due, and a slot is free           the link is up
 *   waiting ------------------------> dialling ----------------> linked
 *    ^   ^                               |                          |
 *    |   +---- failed: twice as long ----+                          |
 *    +---------- down: soon, if the link was up for a while --------+
 *
 * A wait is drawn between half of the back-off and all of it and half again, the first one after a link went down from
 * `dialSpreadMs`: peers that lost the same peer in the same moment do not all come back in the same moment.
 */

import { limits } from "../../protocol/limits.ts";
import type { Random } from "../ports.ts";

type Wanted =
  | { readonly state: "waiting"; readonly dueMs: number; readonly backoffMs: number }
  | { readonly state: "dialling"; readonly backoffMs: number }
  | { readonly state: "linked"; readonly sinceMs: number; readonly backoffMs: number };

export class DialPlan {
  readonly #random: Pick<Random, "integer">;
  readonly #wanted = new Map<string, Wanted>();

  constructor(random: Pick<Random, "integer">) {
    this.#random = random;
  }

  /** Peers to which a link is wanted. */
  get peers(): readonly string[] {
    return [...this.#wanted.keys()];
  }

  /** From now on a link to this peer is wanted. */
  keep(peer: string, nowMs: number, isLinked: boolean): void {
    if (this.#wanted.has(peer)) return;
    const backoffMs = limits.dialBackoffMsMin;
    if (isLinked) this.#wanted.set(peer, { state: "linked", sinceMs: nowMs, backoffMs });
    else this.#wanted.set(peer, { state: "waiting", dueMs: nowMs, backoffMs });
  }

  /** No link to this peer is wanted any more. One that is there is not touched. */
  stop(peer: string): void {
    this.#wanted.delete(peer);
  }

  linked(peer: string, nowMs: number): void {
    const wanted = this.#wanted.get(peer);
    if (wanted === undefined || wanted.state === "linked") return;
    this.#wanted.set(peer, { state: "linked", sinceMs: nowMs, backoffMs: wanted.backoffMs });
  }

  unlinked(peer: string, nowMs: number): void {
    const wanted = this.#wanted.get(peer);
    if (wanted?.state !== "linked") return;
    // A link that breaks as soon as it is up is no success: whoever refuses us is not asked ten times a second.
    const wasStable = nowMs - wanted.sinceMs >= limits.linkStableMs;
    if (!wasStable) return this.#wait(peer, wanted.backoffMs, nowMs);
    const dueMs = nowMs + this.#random.integer(limits.dialSpreadMs);
    this.#wanted.set(peer, { state: "waiting", dueMs, backoffMs: limits.dialBackoffMsMin });
  }

  /** The dial that was asked for is over. Where it led to a link, `linked` said so or will. */
  tried(peer: string, nowMs: number): void {
    const wanted = this.#wanted.get(peer);
    if (wanted?.state === "dialling") this.#wait(peer, wanted.backoffMs, nowMs);
  }

  /** There is news of where this peer is: it is dialled soon, however long it was away. */
  hasten(peer: string, nowMs: number): void {
    const wanted = this.#wanted.get(peer);
    if (wanted?.state !== "waiting") return;
    const dueMs = Math.min(wanted.dueMs, nowMs + this.#random.integer(limits.dialBackoffMsMin));
    this.#wanted.set(peer, { ...wanted, dueMs });
  }

  /** Peers to dial now, those that have waited longest first; each is then dialling until it was `tried`. */
  take(nowMs: number): readonly string[] {
    let inFlight = 0;
    const due: { readonly peer: string; readonly dueMs: number; readonly backoffMs: number }[] = [];
    for (const [peer, wanted] of this.#wanted) {
      if (wanted.state === "dialling") inFlight += 1;
      if (wanted.state === "waiting" && wanted.dueMs <= nowMs) due.push({ peer, ...wanted });
    }
    due.sort((left, right) => left.dueMs - right.dueMs);
    const taken = due.slice(0, Math.max(0, limits.dialsInFlightMax - inFlight));
    for (const { peer, backoffMs } of taken) this.#wanted.set(peer, { state: "dialling", backoffMs });
    return taken.map(({ peer }) => peer);
  }

  /** When `take` next has something to give, or null: not before something else happens. */
  nextMs(): number | null {
    let inFlight = 0;
    let nextMs: number | null = null;
    for (const wanted of this.#wanted.values()) {
      if (wanted.state === "dialling") inFlight += 1;
      if (wanted.state === "waiting") nextMs = Math.min(nextMs ?? wanted.dueMs, wanted.dueMs);
    }
    return inFlight < limits.dialsInFlightMax ? nextMs : null;
  }

  #wait(peer: string, backoffMs: number, nowMs: number): void {
    const waitsMs = Math.floor(backoffMs / 2) + this.#random.integer(backoffMs);
    const longer = Math.min(backoffMs * 2, limits.dialBackoffMsMax);
    this.#wanted.set(peer, { state: "waiting", dueMs: nowMs + waitsMs, backoffMs: longer });
  }
}
