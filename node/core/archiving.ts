/**
 * Which of a home's events others hold: a run is closed, and its steps' registers are forgotten, only when a majority of
 * the control peers has everything that this home has told of it. Whichever disk is lost then, the account is not.
 *
 *   over --asked: do you hold my log through here?--> held by a majority --close is proposed--> closed
 */

import { limits } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/messages.ts";

export type ArchivingContext = {
  /** The id of this peer's own log. */
  readonly log: string;
  readonly send: (to: string, message: Message) => void;
};

export class Archiving {
  readonly #context: ArchivingContext;
  /** Runs that are over, and the entry of the own log behind which nothing of them is told but their closing. */
  readonly #over = new Map<string, number>();
  /** What else of the own log a majority is to hold. */
  #wanted = 0;
  /** How much of the own log each control peer has said that it holds, and what it was asked for last. */
  readonly #held = new Map<string, number>();
  readonly #asked = new Map<string, { readonly seq: number; readonly atMs: number }>();

  constructor(context: ArchivingContext) {
    this.#context = context;
  }

  /** The reign is over. */
  clear(): void {
    this.#over.clear();
    this.#wanted = 0;
    this.#asked.clear();
  }

  peerDown(peer: string): void {
    this.#asked.delete(peer);
  }

  add(run: string, seq: number): void {
    if (!this.#over.has(run)) this.#over.set(run, seq);
  }

  confirmed(peer: string, seq: number): void {
    this.#held.set(peer, Math.max(seq, this.#held.get(peer) ?? 0));
  }

  /** Has the others asked until a majority has said that it holds that much. */
  want(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
  }

  /** How much of the own log a majority has said that it holds. */
  heldThrough(self: string, members: ReadonlySet<string>): number {
    const held = [...members]
      .map((peer) => (peer === self ? Infinity : (this.#held.get(peer) ?? 0)))
      .sort((left, right) => right - left);
    return held[Math.floor(members.size / 2)] ?? 0;
  }

  /**
   * Runs that may be closed now; the others are asked for what is still missing.
   *
   * @param members all control peers, this one among them; `fellows` are those that are linked.
   */
  ready(self: string, members: ReadonlySet<string>, fellows: ReadonlySet<string>, nowMs: number): string[] {
    if (this.#over.size === 0 && this.#wanted === 0) return [];
    const through = this.heldThrough(self, members);
    if (this.#wanted <= through) this.#wanted = 0;
    const ready = [...this.#over].filter(([, seq]) => seq <= through).map(([run]) => run);
    for (const run of ready) this.#over.delete(run);
    const wanted = Math.max(this.#wanted, ...this.#over.values());
    for (const peer of fellows) this.#ask(peer, wanted, nowMs);
    return ready;
  }

  #ask(peer: string, seq: number, nowMs: number): void {
    if ((this.#held.get(peer) ?? 0) >= seq) return;
    const asked = this.#asked.get(peer);
    if (asked !== undefined && asked.seq >= seq && nowMs - asked.atMs < limits.confirmAgainMs) return;
    this.#asked.set(peer, { seq, atMs: nowMs });
    this.#context.send(peer, { kind: "confirm", log: this.#context.log, seq });
  }
}
