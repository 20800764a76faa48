import { expect, it } from "vitest";
import { reofferAfterMs } from "../../../node/core/leases.ts";
import { limits } from "../../../protocol/limits.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { plannedStep } from "../view/example.ts";
import { Bench } from "./bench.ts";
import { exampleCharter, worker } from "./example.ts";

const { peer: idle } = simulatedKeys("worker1");
const step = plannedStep("a", [], { retry: { attemptsMax: 3, on: ["lost"] } });

/** To whom the step was granted, in this order; all say what they have to say before time passes. */
function granted(bench: Bench, workers: readonly string[]): string[] {
  const ask = (peer: string, pull: number) => {
    const session = `${peer}:1`;
    return bench.hear({ kind: "pull", session, nonce: `${session}/${pull}`, slots: 1, again: false }, peer);
  };
  const greet = (peer: string) => {
    bench.tell({ kind: "peer-up", peer, role: "worker" });
    return bench.hear({ kind: "session", session: `${peer}:1`, labels: [], slots: 2, held: [] }, peer);
  };
  bench.submit([step]);
  const effects = workers.flatMap(greet);
  const [first = "", ...others] = workers;
  // Whoever has a step has room for another one, and asks for that.
  effects.push(...ask(first, 1), ...ask(first, 2), ...others.flatMap((peer) => ask(peer, 1)));
  effects.push(...bench.tick(reofferAfterMs(exampleCharter.leaseMs)), ...bench.tick(limits.notesHeldMs));
  return effects.flatMap((effect) =>
    effect.kind === "send" && effect.message.kind === "grant" ? [effect.to] : [],
  );
}

it("a step whose worker was not heard of goes to another that waits, though that has waited less", () => {
  const bench = new Bench();
  expect(granted(bench, [worker, idle])).toEqual([worker, idle]);
});

it("a step whose worker was not heard of goes to it again where nobody else waits", () => {
  const bench = new Bench();
  expect(granted(bench, [worker])).toEqual([worker, worker]);
});
