import { expect, it } from "vitest";
import { controlKeys } from "../../../node/core/control.ts";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import { sealCharter, successorOf } from "../../../protocol/membership.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { storeOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { answers, Bench } from "./bench.ts";
import { exampleCharter } from "./example.ts";

const asked = (effects: readonly ControlEffect[]): string[] =>
  effects.flatMap((effect) => (effect.kind === "fetch-bundle" ? [effect.run] : []));

it("whoever votes no more asks for no plan of what is open in the table that it had", () => {
  const bench = new Bench();
  const { run } = bench.submit([plannedStep("a")]);
  bench.disk.delete(controlKeys.bundles + run);
  const nobodyHasIt = (): void => {
    bench.tell({ kind: "bundle", run, digest: "", from: null, bytes: null, question: null });
  };
  expect(asked(bench.restart())).toEqual([run]);
  nobodyHasIt();
  expect(asked(bench.tick(limits.fetchAgainMs))).toEqual([run]);
  nobodyHasIt();

  const { peer } = simulatedKeys("control1");
  const listed = { peer, store: storeOf(peer), addresses: [] };
  bench.tell({ kind: "peer-up", peer, role: "control" });
  bench.hear({ kind: "configuration", configuration: 0, store: listed.store, addresses: [] }, peer);
  const next = successorOf(exampleCharter, [listed], bench.now.wallMs);
  const bytes = sealCharter(next, simulatedKeys("owner"));
  expect(answers(bench.tell({ kind: "recharter", bytes, question: 2 }))).toEqual([{ ok: true }]);
  expect(asked(bench.tick(limits.fetchAgainMs))).toEqual([]);
});
