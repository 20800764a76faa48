/**
 * How control peers come to have one history: entries are told when they are written, and what was missed is asked
 * for: on every connect, when an entry shows a gap, and every half minute of one peer after the other.
 *
 *   asking: "my logs are these" --few--------------------> "here is what you lack" --something new--> asking again
 *              |                                                    ^
 *              +--many: hashes of parts--> "these differ" --each----+
 *
 * Every message is bounded, and so is an answer; whoever learnt something by one asks again. Nothing is remembered of
 * an exchange: one that is lost is begun anew. Two peers with the same logs see it by the first message, whatever
 * number of logs there ever was. Each asks for itself alone, so that nothing is sent twice.
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
import { areToldAnew, type History } from "./history.ts";

export type AntiEntropyContext = {
  readonly history: History;
  readonly effect: (effect: ControlEffect) => void;
  readonly count: (because: RefusedBecause, from: string | null) => void;
  readonly mayAuthor: (peer: string) => boolean;
  /** Control peers that are linked. */
  readonly controls: () => Iterable<string>;
  /** Events of another's are kept now. */
  readonly learnt: (events: readonly LoggedEvent[]) => void;
};

/** How soon a peer that answered with something new is asked again, counted from the last piece of its answer. */
const askAgainMs = limits.tickMs;
/** How long an answer is waited for. A log that grows shows a gap by each new entry until then; it is asked for once. */
const answerMs = 5 * limits.tickMs;

export class AntiEntropy {
  readonly #context: AntiEntropyContext;
  #nextMs = 0;
  #turn = 0;
  #followed = 0;
  /** Peers that were asked: until when they are not asked again, and whether they may have more then. */
  readonly #asked = new Map<string, { readonly untilMs: number; readonly hasMore: boolean }>();

  constructor(context: AntiEntropyContext) {
    this.#context = context;
  }

  /** True while a peer that may have more is to be asked soon. */
  get isCatchingUp(): boolean {
    return [...this.#asked.values()].some(({ hasMore }) => hasMore);
  }

  /** The control peer whose turn it is to be asked for everything, or null. Each is asked in its turn, none is left out. */
  due(now: Now): string | null {
    for (const [peer, { untilMs, hasMore }] of this.#asked) {
      if (now.monotonicMs < untilMs) continue;
      this.#asked.delete(peer);
      if (hasMore) this.ask(peer, now);
    }
    if (now.monotonicMs < this.#nextMs) return null;
    this.#nextMs = now.monotonicMs + limits.antiEntropyMs;
    const controls = [...this.#context.controls()];
    const peer = controls[this.#turn % Math.max(1, controls.length)];
    this.#turn += 1;
    return peer ?? null;
  }

  /** Says how far this peer is; the other side sends what is missing. */
  ask(peer: string, now: Now): void {
    this.#ask(peer, "", false, now);
  }

  /** Another has more of some logs than this peer. It is asked for them unless its answer is on its way: then after it. */
  lacks(peer: string, prefix: string, now: Now): void {
    const asked = this.#asked.get(peer);
    if (asked === undefined || now.monotonicMs >= asked.untilMs) return this.#ask(peer, prefix, true, now);
    this.#asked.set(peer, { ...asked, hasMore: true });
  }

  #ask(peer: string, prefix: string, hasMore: boolean, now: Now): void {
    this.#asked.set(peer, { untilMs: now.monotonicMs + answerMs, hasMore });
    this.#describe(peer, prefix);
  }

  /** Another says how far it is with the logs of a region. */
  asked(from: string, known: Extract<Message, { kind: "vector" }>): void {
    const { history, effect } = this.#context;
    for (const log of history.forksMissingAt(known)) effect({ kind: "send-fork", to: from, log });
    const ranges = history.missingAt(known);
    if (ranges.length > 0) effect({ kind: "send-entries", to: from, ranges });
  }

  /** Another has many logs, and asks where this peer's differ. */
  compared(from: string, { prefix, parts }: Extract<Message, { kind: "log-parts" }>): void {
    const { tree } = this.#context.history;
    const own = tree.parts(prefix);
    // A part that only the other has tells this peer nothing to give.
    const differing = Object.keys(own).filter((digit) => own[digit] !== parts[digit]);
    if (differing.length === 0) return;
    // Not always the first of them: in some the other may be ahead.
    const first = this.#followed % differing.length;
    const inTurn = [...differing.slice(first), ...differing.slice(0, first)].slice(
      0,
      limits.partsFollowedMax,
    );
    this.#followed += inTurn.length;
    this.#send(from, { kind: "parts-differ", prefixes: inTurn.map((digit) => prefix + digit) });
  }

  /** Another found regions that differ. */
  differs(from: string, { prefixes }: Extract<Message, { kind: "parts-differ" }>): void {
    for (const prefix of prefixes) this.#describe(from, prefix);
  }

  entries(from: string, message: Extract<Message, { kind: "events" }>, now: Now): void {
    const { history, effect, count, mayAuthor, learnt } = this.#context;
    for (const bytes of message.entries) {
      const received = history.receive(bytes, mayAuthor);
      if (received.kind === "refused") count(received.because, from);
      if (received.kind === "gap") return this.lacks(from, received.log, now);
      if (received.kind === "forged") return this.#contradict(received.run, bytes);
      if (received.kind === "doubtful") {
        const { log, seq } = received;
        effect({ kind: "compare-entry", log, seq, other: bytes });
      }
      if (received.kind !== "kept") continue;
      if (message.answer) this.#asked.set(from, { untilMs: now.monotonicMs + askAgainMs, hasMore: true });
      const { events } = received.entry;
      // Whoever asked for a lot takes no more of it than it can store.
      const soon = !message.answer && areToldAnew(events);
      effect({ kind: "store", operations: received.operations, soon });
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

  #describe(peer: string, prefix: string): void {
    const { tree } = this.#context.history;
    if (!tree.isListed(prefix))
      return this.#send(peer, { kind: "log-parts", prefix, parts: tree.parts(prefix) });
    const heads: Record<string, readonly [seq: number, hash: string]> = {};
    const frozen: string[] = [];
    for (const [log, state] of tree.list(prefix))
      if (state === "frozen") frozen.push(log);
      else heads[log] = [state.seq, state.hash];
    this.#send(peer, { kind: "vector", prefix, heads, frozen });
  }

  #send(to: string, message: Message): void {
    this.#context.effect({ kind: "send", to, message });
  }
}
