/** A control peer that was away has the whole history again in bounded pieces, and then it costs nothing. */

import { describe, expect, it } from "vitest";
import { AntiEntropy } from "../../../node/core/anti-entropy.ts";
import type { ControlEffect, Now } from "../../../node/core/effects.ts";
import { EntriesAnswer } from "../../../node/core/entries-answer.ts";
import { entryKey, History } from "../../../node/core/history.ts";
import type { Event } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import { encodeMessage, type Message } from "../../../protocol/messages.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { exampleCharter } from "./example.ts";

const { domain } = exampleCharter;

type Sent = { readonly from: string; readonly to: string; readonly message: Message };

/** Control peers whose messages are carried by hand, each with a disk. */
class Carrier {
  readonly #peers = new Map<string, Side>();
  readonly #sent: Sent[] = [];
  readonly log: { readonly kind: Message["kind"]; readonly bytes: number }[] = [];
  /** A message that is lost on the way, by its number. */
  lost: (number: number) => boolean = () => false;
  nowMs = 0;

  get now(): Now {
    return { monotonicMs: this.nowMs, wallMs: 0 };
  }

  add(name: string): Side {
    const side = new Side(name, (to, message) => this.#sent.push({ from: name, to, message }));
    this.#peers.set(name, side);
    return side;
  }

  /** Carries messages until nobody says anything more. Time passes only when nothing is under way. */
  run(untilMs: number): void {
    for (; this.nowMs <= untilMs; this.nowMs += limits.tickMs) {
      for (const side of this.#peers.values()) side.tick(this.nowMs);
      for (let next = this.#sent.shift(); next !== undefined; next = this.#sent.shift()) {
        this.log.push({ kind: next.message.kind, bytes: encodeMessage(next.message).length });
        if (!this.lost(this.log.length)) this.#peers.get(next.to)?.hear(next.from, next.message, this.nowMs);
      }
    }
  }
}

class Side {
  readonly history: History;
  readonly antiEntropy: AntiEntropy;
  readonly disk = new Map<string, Uint8Array>();
  kept = 0;
  received = 0;
  readonly #send: (to: string, message: Message) => void;

  constructor(name: string, send: (to: string, message: Message) => void) {
    this.#send = send;
    this.history = new History({ domain, incarnation: `${name}1`, keys: simulatedKeys(name) }, []);
    this.antiEntropy = new AntiEntropy({
      history: this.history,
      effect: (effect) => this.#perform(effect),
      count: (because) => {
        throw new Error(`refused: ${because}`);
      },
      mayAuthor: () => true,
      controls: () => [],
      learnt: () => undefined,
    });
  }

  /** Takes in what others have told, as if it had been there. */
  hasHeard(entries: readonly Uint8Array[]): void {
    this.antiEntropy.entries("", { kind: "events", entries, answer: false }, { monotonicMs: 0, wallMs: 0 });
  }

  tick(nowMs: number): void {
    this.antiEntropy.due({ monotonicMs: nowMs, wallMs: 0 });
  }

  hear(from: string, message: Message, nowMs: number): void {
    if (message.kind === "events") {
      this.received += message.entries.length;
      this.antiEntropy.entries(from, message, { monotonicMs: nowMs, wallMs: 0 });
    } else if (message.kind === "vector") this.antiEntropy.asked(from, message);
    else if (message.kind === "log-parts") this.antiEntropy.compared(from, message);
    else if (message.kind === "parts-differ") this.antiEntropy.differs(from, message);
    else throw new Error(`a message of kind ${message.kind}`);
  }

  #perform(effect: ControlEffect): void {
    if (effect.kind === "send") return this.#send(effect.to, effect.message);
    if (effect.kind === "recorded") this.kept += 1;
    if (effect.kind === "store")
      for (const operation of effect.operations)
        if (operation.kind === "put") this.disk.set(operation.key, operation.value);
    if (effect.kind !== "send-entries") return;
    const { to, ranges } = effect;
    const answer = new EntriesAnswer((entries) => this.#send(to, { kind: "events", entries, answer: true }));
    for (const { log, from, through } of ranges)
      for (let seq = from; seq <= through && !answer.isFull; seq += 1)
        answer.add(this.disk.get(entryKey(log, seq)) ?? new Uint8Array());
    answer.end();
  }
}

/** A day: control peers that start `starts` times, each writing of `runs` runs. */
function day(starts: number, runs: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let start = 0; start < starts; start += 1) {
    const keys = simulatedKeys(`author${start % 3}`);
    const history = new History({ domain, incarnation: `day${start}`, keys }, []);
    for (let index = 0; index < runs; index += 1) {
      const run = `run-${start}-${index}`;
      const begun: Event = { kind: "cancel-requested", run, timeMs: 1, by: "p" };
      const over: Event = { kind: "run-closed", run, timeMs: 2, outcome: "cancelled", bundle: "b" };
      for (const event of [begun, over]) entries.push(history.append(run, [{ event, result: null }]).bytes);
    }
  }
  return entries;
}

describe("a control peer that was away for a day", () => {
  const entries = day(300, 7);

  it("catches up in bounded messages, nearly each entry once, and then asks with one small message", () => {
    const carrier = new Carrier();
    const [away, other] = [carrier.add("away"), carrier.add("other")];
    other.hasHeard(entries);
    away.antiEntropy.ask("other", carrier.now);
    carrier.run(20_000);
    expect(away.kept).toBe(entries.length);
    expect(away.history.tree.hash("")).toBe(other.history.tree.hash(""));
    expect(away.received).toBeLessThan(entries.length * 1.1);
    const asking = carrier.log.filter(({ kind }) => kind !== "events").map(({ bytes }) => bytes);
    expect(Math.max(...asking)).toBeLessThan(1_024);
    for (const { bytes } of carrier.log)
      expect(bytes).toBeLessThan(limits.batchBytesMax + limits.entryBytesMax);

    carrier.log.length = 0;
    away.antiEntropy.ask("other", carrier.now);
    other.antiEntropy.ask("away", carrier.now);
    carrier.run(40_000);
    expect(carrier.log.map(({ kind }) => kind)).toEqual(["log-parts", "log-parts"]);
  });

  it("goes on where it was when an answer is lost, once it asks again", () => {
    const carrier = new Carrier();
    const [away, other] = [carrier.add("away"), carrier.add("other")];
    other.hasHeard(entries);
    carrier.lost = (number) => number === 9;
    for (let asked = 0; asked < 20 && away.kept < entries.length; asked += 1) {
      away.antiEntropy.ask("other", carrier.now);
      carrier.run(carrier.nowMs + 10_000);
    }
    expect(away.kept).toBe(entries.length);
  });

  it("has what happened meanwhile with one log told and the others compared, however many there are", () => {
    const carrier = new Carrier();
    const [away, other] = [carrier.add("away"), carrier.add("other")];
    for (const side of [away, other]) side.hasHeard(entries);
    const latest = new History({ domain, incarnation: "late", keys: simulatedKeys("author0") }, []);
    const event: Event = { kind: "cancel-requested", run: "late", timeMs: 1, by: "p" };
    other.hasHeard([latest.append("late", [{ event, result: null }]).bytes]);
    away.antiEntropy.ask("other", carrier.now);
    carrier.run(10_000);
    expect(away.history.tree.hash("")).toBe(other.history.tree.hash(""));
    expect(away.received).toBe(1);
    expect(carrier.log.length).toBeLessThan(12);
  });

  it("asks for one log alone when an entry of it shows a gap", () => {
    const carrier = new Carrier();
    const [away, other] = [carrier.add("away"), carrier.add("other")];
    for (const side of [away, other]) side.hasHeard(entries.slice(0, -4));
    other.hasHeard(entries.slice(-4));
    away.hear("other", { kind: "events", entries: entries.slice(-1), answer: false }, 0);
    carrier.run(limits.tickMs * 3);
    expect(away.kept).toBe(entries.length);
    const [asked, answered] = carrier.log;
    expect([asked?.kind, answered?.kind]).toEqual(["vector", "events"]);
    expect(asked?.bytes).toBeLessThan(300);
  });

  it("asks once for what it lacks of a log that grows while the answer is on its way", () => {
    const carrier = new Carrier();
    const [away, other] = [carrier.add("away"), carrier.add("other")];
    const long = day(1, 200);
    other.hasHeard(long);
    const newest = long.slice(-40).map((entry) => [entry]);
    for (const [index, told] of newest.entries())
      away.hear("other", { kind: "events", entries: told, answer: false }, index);
    carrier.run(20_000);
    expect(away.kept).toBe(long.length);
    expect(away.received).toBe(long.length + newest.length);
  });
});
