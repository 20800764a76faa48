/**
 * What is said to a control peer that nobody waits for: it goes out a little later, together with what else there is to
 * say to that peer by then, and in the same order. To whom it is said that is a slower link and nothing else.
 */

import { limits } from "../../protocol/limits.ts";
import type { TableEffect } from "../../protocol/registers/table.ts";
import type { ControlEffect } from "./effects.ts";

type Send = Extract<ControlEffect, { kind: "send" }>;

export class Deferred {
  readonly #held = new Map<string, Send[]>();
  #dueMs = Infinity;

  /** When what waits is to be sent; Infinity: nothing waits. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Whom a link broke to is sent nothing of it, and whoever else was to hear later may be waited for now. */
  peerDown(peer: string): void {
    this.#held.delete(peer);
    this.#dueMs = this.#held.size === 0 ? Infinity : -Infinity;
  }

  /** At the end of a turn: its effects without what may wait, with what has waited long enough or must not be overtaken. */
  ordered(effects: readonly (ControlEffect | TableEffect)[], nowMs: number): readonly ControlEffect[] {
    const isDue = nowMs >= this.#dueMs;
    if (this.#held.size === 0 && !effects.some(mayWait)) return effects;
    const ordered: ControlEffect[] = isDue ? [...this.#held.keys()].flatMap((peer) => this.#take(peer)) : [];
    for (const effect of effects)
      if (mayWait(effect)) this.#hold(effect, nowMs);
      else if (effect.kind === "send") ordered.push(...this.#take(effect.to), effect);
      else ordered.push(effect);
    return ordered;
  }

  #hold({ to, message }: Send, nowMs: number): void {
    const send: Send = { kind: "send", to, message };
    const held = this.#held.get(to);
    if (held === undefined) this.#held.set(to, [send]);
    else held.push(send);
    this.#dueMs = Math.min(this.#dueMs, nowMs + limits.askLaterMs);
  }

  #take(peer: string): readonly Send[] {
    const held = this.#held.get(peer);
    if (held === undefined) return [];
    this.#held.delete(peer);
    if (this.#held.size === 0) this.#dueMs = Infinity;
    return held;
  }
}

function mayWait(effect: ControlEffect | TableEffect): effect is Extract<TableEffect, { kind: "send" }> {
  return effect.kind === "send" && "later" in effect;
}
