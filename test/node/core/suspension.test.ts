/** A home whose machine was suspended: its monotonic clock stood still, and somebody else may reign. */

import { expect, it } from "vitest";
import { ControlCore } from "../../../node/core/control.ts";
import type { ControlInput } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Message } from "../../../protocol/messages.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf } from "../../../simulations/workload.ts";
import { memberOf, worker } from "./example.ts";

/** Three control peers; what one says the others hear at once. */
class Trio {
  readonly #cores = new Map<string, ControlCore>();
  readonly home: string;
  #nowMs = 10_000;
  /** How long the machines have slept. */
  sleptMs = 0;

  constructor() {
    const keys = ["control0", "control1", "control2"].map((name) => simulatedKeys(name));
    const charter = charterOf(keys, 10_000);
    for (const [index, own] of keys.entries())
      this.#cores.set(
        own.peer,
        new ControlCore({ ...memberOf(charter, own), incarnation: `${index}.1`, stored: [] }, this.#now),
      );
    const all = [...this.#cores.keys()];
    const links = all.flatMap((peer) =>
      all
        .filter((other) => other !== peer)
        .map((other) => [peer, { kind: "peer-up", peer: other, role: "control" }] as const),
    );
    this.#deliver(links);
    for (let turns = 0; turns < 20; turns += 1) this.tick(limits.tickMs);
    this.home = [...this.#cores].find(([, { isHome }]) => isHome)?.[0] ?? "nobody";
  }

  get #now() {
    return { monotonicMs: this.#nowMs, wallMs: 1_700_000_000_000 + this.#nowMs + this.sleptMs };
  }

  tick(afterMs: number): void {
    this.#nowMs += afterMs;
    for (const peer of this.#cores.keys()) this.tell(peer, { kind: "tick" });
  }

  /** Returns what the worker is told. */
  tell(peer: string, input: ControlInput): readonly Message[] {
    return this.#deliver([[peer, input]]);
  }

  #deliver(inputs: readonly (readonly [to: string, ControlInput])[]): readonly Message[] {
    const said: Message[] = [];
    const waiting = [...inputs];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [from, input] = next;
      for (const effect of this.#cores.get(from)?.decide([input], this.#now) ?? []) {
        if (effect.kind !== "send") continue;
        if (effect.to === worker) said.push(effect.message);
        else waiting.push([effect.to, { kind: "message", from, message: effect.message }]);
      }
    }
    return said;
  }
}

it("assures no worker of its leases until a majority has answered what it says since then", () => {
  const trio = new Trio();
  const { home } = trio;
  trio.tell(home, { kind: "peer-up", peer: worker, role: "worker" });
  const session = "w:1";
  const says = (message: Message) => trio.tell(home, { kind: "message", from: worker, message });
  says({ kind: "session", session, labels: [], slots: 1, held: [] });
  const renewed = () => says({ kind: "renew", session, sentMs: 0, held: [] }).map(({ kind }) => kind);
  expect(renewed()).toEqual(["renewed"]);
  trio.sleptMs = limits.suspendMsMax + 1;
  expect(renewed()).toEqual([]);
  trio.tick(limits.heartbeatMs);
  expect(renewed()).toEqual(["renewed"]);
});
