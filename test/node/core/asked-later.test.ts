import { beforeEach, expect, it } from "vitest";
import { ControlCore } from "../../../node/core/control.ts";
import type { ControlInput } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf } from "../../../simulations/workload.ts";
import { memberOf } from "./example.ts";

const keys = ["control0", "control1", "control2"].map(simulatedKeys);
const charter = charterOf(keys, 10_000);
const [home = "", second = "", third = ""] = keys.map(({ peer }) => peer);

type Told = { readonly peer: string; readonly input: ControlInput };

/** Three control peers on links without delay: what is said arrives at once. */
class Trio {
  nowMs = 10_000;
  /** To whom the home has sent a round, in this order. */
  readonly asked: string[] = [];
  readonly #cores = new Map<string, ControlCore>();

  constructor() {
    for (const own of keys) {
      const options = { ...memberOf(charter, own), incarnation: `${own.peer}.1`, stored: [] };
      this.#cores.set(own.peer, new ControlCore(options, this.#now));
    }
    const peers = keys.map(({ peer }) => peer);
    // Both ends of a link know of it before anything comes over it.
    this.#pump(
      peers.flatMap((peer) =>
        peers
          .filter((other) => other !== peer)
          .map((other): Told => ({ peer, input: { kind: "peer-up", peer: other, role: "control" } })),
      ),
    );
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
    for (const { peer } of keys) this.tell(peer, { kind: "tick" });
  }

  #pump(waiting: Told[]): void {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      for (const effect of this.#cores.get(next.peer)?.decide([next.input], this.#now) ?? []) {
        if (effect.kind !== "send") continue;
        const { to, message } = effect;
        if (message.kind === "accept" && to !== home) this.asked.push(to);
        waiting.push({ peer: to, input: { kind: "message", from: next.peer, message } });
      }
  }

  /** Something that takes a round. */
  decideOne(): void {
    this.tell(home, { kind: "use-invite", nonce: "n", peer: "p", question: 1 });
  }
}

let trio: Trio;
beforeEach(() => {
  trio = new Trio();
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
