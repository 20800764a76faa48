/** The dial supervisor: performs `node/core/dial-plan.ts` with a clock and somebody who can dial. */

import { DialPlan } from "../core/dial-plan.ts";
import type { Clock, Random, Timer } from "../ports.ts";

export type DiallingOptions = {
  readonly clock: Pick<Clock, "monotonicMs" | "setTimer">;
  readonly random: Pick<Random, "integer">;
  /** Tries once, at every address that is known. Resolves when that is over, whatever came of it. */
  readonly dial: (peer: string) => Promise<void>;
};

export class Dialling {
  readonly #options: DiallingOptions;
  readonly #plan: DialPlan;
  #timer: Timer | null = null;
  #closed = false;

  constructor(options: DiallingOptions) {
    this.#options = options;
    this.#plan = new DialPlan(options.random);
  }

  get peers(): readonly string[] {
    return this.#plan.peers;
  }

  keep(peer: string, isLinked: boolean): void {
    this.#plan.keep(peer, this.#nowMs, isLinked);
    this.#schedule();
  }

  stop(peer: string): void {
    this.#plan.stop(peer);
    this.#schedule();
  }

  linked(peer: string): void {
    this.#plan.linked(peer, this.#nowMs);
    this.#schedule();
  }

  unlinked(peer: string): void {
    this.#plan.unlinked(peer, this.#nowMs);
    this.#schedule();
  }

  hasten(peer: string): void {
    this.#plan.hasten(peer, this.#nowMs);
    this.#schedule();
  }

  /** Dials nobody any more. Dials that are under way are their owner's to end. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  /** One timer, for whichever dial is due first. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = null;
    const nextMs = this.#plan.nextMs();
    if (nextMs === null || this.#closed) return;
    const afterMs = Math.max(0, nextMs - this.#nowMs);
    this.#timer = this.#options.clock.setTimer(afterMs, () => this.#turn());
  }

  #turn(): void {
    if (this.#closed) return;
    for (const peer of this.#plan.take(this.#nowMs)) void this.#dial(peer);
    this.#schedule();
  }

  async #dial(peer: string): Promise<void> {
    try {
      await this.#options.dial(peer);
    } finally {
      this.#plan.tried(peer, this.#nowMs);
      this.#schedule();
    }
  }
}
