/**
 * How control peers come to have one history: entries are told when they are written, and what was missed is asked
 * for: on every connect, when an entry shows a gap, and every half minute of one peer after the other.
 *
 *   events --follows--> kept        --gap--> asked for        --contradicts what is kept--> compared --a fork--> told to all
 *
 * A fork is evidence that anybody can check (`protocol/fork.ts`): whoever finds one, or is shown one, freezes the log and
 * tells the others, who check it themselves. A peer that is shown a fork of its own present log stops: somebody else
 * signs as this peer, and what it says would be taken by nobody. Its next start begins another log.
 */

import type { RefusedBecause } from "../../protocol/envelope.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Message } from "../../protocol/messages.ts";
import type { ControlEffect, Now } from "./effects.ts";
import type { History } from "./history.ts";

export type AntiEntropyContext = {
  readonly history: History;
  readonly effect: (effect: ControlEffect) => void;
  readonly count: (because: RefusedBecause, from: string | null) => void;
  readonly mayAuthor: (peer: string) => boolean;
  /** Control peers that are linked. */
  readonly controls: () => readonly string[];
  /** Events of another's are kept now. */
  readonly learnt: (events: readonly LoggedEvent[]) => void;
};

export class AntiEntropy {
  readonly #context: AntiEntropyContext;
  #nextMs = 0;
  #turn = 0;

  constructor(context: AntiEntropyContext) {
    this.#context = context;
  }

  /** The control peer whose turn it is to be asked for everything, or null. Each is asked in its turn, none is left out. */
  due(now: Now): string | null {
    if (now.monotonicMs < this.#nextMs) return null;
    this.#nextMs = now.monotonicMs + limits.antiEntropyMs;
    const controls = this.#context.controls();
    const peer = controls[this.#turn % Math.max(1, controls.length)];
    this.#turn += 1;
    return peer ?? null;
  }

  /** Says what is here; the other side sends what is missing. */
  ask(peer: string): void {
    const { history } = this.#context;
    const frozen = history.forks.map(({ log }) => log);
    this.#send(peer, { kind: "vector", heads: history.heads(), frozen });
  }

  /** Another says what it has. */
  asked(from: string, { heads, frozen }: Extract<Message, { kind: "vector" }>): void {
    const { history, effect } = this.#context;
    const known = new Set(frozen);
    for (const { log } of history.forks) if (!known.has(log)) effect({ kind: "send-fork", to: from, log });
    for (const { log, from: first, to: last } of history.missingAt(heads)) {
      if (known.has(log)) continue;
      const through = Math.min(last, first + limits.entriesPerAnswerMax - 1);
      effect({ kind: "send-entries", to: from, log, from: first, through });
    }
  }

  entries(from: string, entries: readonly Uint8Array[], now: Now): void {
    const { history, effect, count, mayAuthor, learnt } = this.#context;
    for (const bytes of entries) {
      const received = history.receive(bytes, mayAuthor);
      if (received.kind === "refused") count(received.because, from);
      if (received.kind === "gap") return this.ask(from);
      if (received.kind === "forged") return this.#contradict(received.run, bytes);
      if (received.kind === "doubtful") {
        const { log, seq } = received;
        effect({ kind: "compare-entry", log, seq, other: bytes });
      }
      if (received.kind !== "kept") continue;
      // Several at once are an answer, and answers are bounded: there may be more.
      if (entries.length > 1) this.#nextMs = Math.min(this.#nextMs, now.monotonicMs + limits.fetchAgainMs);
      const { events } = received.entry;
      effect({ kind: "store", operations: received.operations });
      effect({ kind: "recorded", events });
      learnt(events);
    }
  }

  /** Two entries that may be a fork: found here, or shown by another (`from`). */
  contest(evidence: readonly [Uint8Array, Uint8Array], from: string | null): void {
    const { history, effect, count, mayAuthor, controls } = this.#context;
    const contested = history.contest(evidence, mayAuthor);
    if (contested.kind === "refused") return count(contested.because, from);
    if (contested.kind === "known") return;
    const { fork, operations } = contested;
    effect({ kind: "store", operations });
    for (const peer of controls()) if (peer !== from) this.#send(peer, { kind: "fork", evidence });
    effect({ kind: "log-frozen", fork, own: contested.own });
  }

  /**
   * Somebody else has written on in this peer's log, where nothing of its own stands yet. It writes an entry without
   * events there, so that the two can be shown; left alone, the other's would be taken for its own.
   */
  #contradict(run: string, forged: Uint8Array): void {
    const { bytes, operations } = this.#context.history.append(run, []);
    this.#context.effect({ kind: "store", operations });
    this.contest([bytes, forged], null);
  }

  #send(to: string, message: Message): void {
    this.#context.effect({ kind: "send", to, message });
  }
}
