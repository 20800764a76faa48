import { expect, it } from "vitest";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { plannedStep } from "../view/example.ts";
import { Bench } from "./bench.ts";

it("a control peer that has no vote hears at once what is told of a run, as those do that have one", () => {
  const bench = new Bench();
  const { peer: spare } = simulatedKeys("control1");
  bench.tell({ kind: "peer-up", peer: spare, role: "control" });
  const { run, effects } = bench.submit([plannedStep("a")]);
  bench.pull();
  const all = [...effects, ...bench.result(run, 0, 1), ...bench.tick(1_000)];
  const written = all.flatMap((effect) => (effect.kind === "recorded" ? [effect] : []));
  const told = all.flatMap((effect) =>
    effect.kind === "send" && effect.to === spare && effect.message.kind === "events"
      ? effect.message.entries
      : [],
  );
  expect(written.length).toBeGreaterThan(1);
  expect(told).toHaveLength(written.length);
});
