import { beforeEach, expect, it } from "vitest";
import { ControlCore } from "../../../node/core/control.ts";
import type { ControlInput } from "../../../node/core/effects.ts";
import type { StoredEntry } from "../../../node/ports.ts";
import { limits } from "../../../protocol/limits.ts";
import { acceptorKey, registerKey, storedPlaces, storedRecord } from "../../../protocol/registers/stored.ts";
import { encodeValue } from "../../../protocol/values.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf } from "../../../simulations/workload.ts";
import { memberOf } from "./example.ts";

const keys = ["control0", "control1", "control2", "control3", "control4"].map(simulatedKeys);
const [home = "", second = "", third = "", , fifth = ""] = keys.map(({ peer }) => peer);

type Told = { readonly peer: string; readonly input: ControlInput };

/** Control peers on links without delay: what is said arrives at once. */
class Domain {
  nowMs = 10_000;
  /** To whom the home has sent a round, in this order. */
  readonly asked: string[] = [];
  /** What it has sent to who was behind. */
  repairedBytes = 0;
  readonly #peers: readonly string[];
  readonly #cores = new Map<string, ControlCore>();
  #decided = 0;

  /** @param away how many of them have nothing stored, and no links yet. */
  constructor(size: number, away = 0, stored: readonly StoredEntry[] = []) {
    const members = keys.slice(0, size);
    const charter = charterOf(members, 10_000);
    this.#peers = members.map(({ peer }) => peer);
    for (const [index, own] of members.entries()) {
      const kept = index < size - away ? stored : [];
      const options = { ...memberOf(charter, own), incarnation: `${own.peer}.1`, stored: kept };
      this.#cores.set(own.peer, new ControlCore(options, this.#now));
    }
    this.link(this.#peers.slice(0, size - away));
    while (!this.core.isHome) this.tick(limits.tickMs);
    this.tick(limits.askLaterMs);
    this.asked.length = 0;
  }

  get #now() {
    return { monotonicMs: this.nowMs, wallMs: this.nowMs };
  }

  get core(): ControlCore {
    const core = this.#cores.get(home);
    if (core === undefined) throw new Error("there is no home");
    return core;
  }

  get afterMs(): number {
    return this.core.tickAfterMs(this.#now);
  }

  tell(peer: string, input: ControlInput): void {
    this.#pump([{ peer, input }]);
  }

  tick(afterMs: number): void {
    this.nowMs += afterMs;
    for (const peer of this.#peers) this.tell(peer, { kind: "tick" });
  }

  /** Both ends of a link know of it before anything comes over it. */
  link(peers: readonly string[]): void {
    this.#pump(
      peers.flatMap((peer) =>
        peers
          .filter((other) => other !== peer)
          .map((other): Told => ({ peer, input: { kind: "peer-up", peer: other, role: "control" } })),
      ),
    );
  }

  /** The home decides something each millisecond, and looks at what time brings when it has asked for that. */
  beBusy(forMs: number): void {
    for (
      const [untilMs, due] = [this.nowMs + forMs, { ms: Infinity }];
      this.nowMs < untilMs;
      this.nowMs += 1
    ) {
      if (this.nowMs >= due.ms) {
        due.ms = Infinity;
        this.tell(home, { kind: "tick" });
      }
      this.decideOne();
      due.ms = Math.min(due.ms, this.nowMs + this.afterMs);
    }
  }

  #pump(waiting: Told[]): void {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      for (const effect of this.#cores.get(next.peer)?.decide([next.input], this.#now) ?? []) {
        if (effect.kind !== "send") continue;
        const { to, message } = effect;
        if (message.kind === "accept" && to !== home) this.asked.push(to);
        if (message.kind === "repair")
          for (const { value } of message.records) this.repairedBytes += value.length;
        waiting.push({ peer: to, input: { kind: "message", from: next.peer, message } });
      }
  }

  /** Something that takes a round. */
  decideOne(): void {
    this.#decided += 1;
    this.tell(home, { kind: "use-invite", nonce: `n${this.#decided}`, peer: "p", question: this.#decided });
  }
}

let trio: Domain;
beforeEach(() => {
  trio = new Domain(3);
});

it("a round goes to one of two other control peers at once, and to the other when the home looks up again for it", () => {
  trio.decideOne();
  expect(trio.asked).toEqual([second]);
  expect(trio.afterMs).toBeLessThanOrEqual(limits.askLaterMs);
  trio.tick(trio.afterMs);
  expect(trio.asked).toEqual([second, third]);
});

it("when the link to the first breaks, what the other was to hear later is said to it at once", () => {
  trio.decideOne();
  trio.tell(home, { kind: "peer-down", peer: second });
  expect(trio.asked).toEqual([second, third]);
});

it("what is to be said later does not put off what else time brings", () => {
  trio.tick(limits.tickMs);
  trio.decideOne();
  trio.tick(limits.askLaterMs);
  expect(trio.afterMs).toBe(limits.tickMs - limits.askLaterMs);
});

it("what is to be said later lets a home repair others no faster, and no slower", () => {
  const ballot = { configuration: 1, epoch: 1, peer: home, incarnation: "before" };
  const at = { ballot, round: 2 };
  const value = encodeValue({ kind: "invite", usedBy: "p".repeat(limits.repairBytesPerTickMax / 100) });
  const stored = Array.from({ length: 1_000 }, (_, index): StoredEntry => [
    registerKey(`invite/${index}`),
    storedRecord({ ...at, value }),
  ]);
  const domain = new Domain(5, 1, [...stored, [acceptorKey, storedPlaces(ballot, at, at)]]);
  domain.link([home, fifth]);
  domain.repairedBytes = 0;
  domain.beBusy(3 * limits.tickMs + 1);
  const tickBytesMax = limits.repairBytesPerTickMax + limits.batchBytesMax;
  expect(domain.repairedBytes).toBeGreaterThan(2 * limits.repairBytesPerTickMax);
  expect(domain.repairedBytes).toBeLessThanOrEqual(3 * tickBytesMax);
});
