/** A process may end at any moment while its domain goes over to other control peers: nothing is lost of who they are. */

import { expect, it } from "vitest";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { sealCharter, successorOf } from "../../../protocol/membership.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { answers, Bench } from "./bench.ts";
import { exampleCharter } from "./example.ts";

const chartered = (effects: readonly ControlEffect[]): number[] =>
  effects.flatMap((effect) => (effect.kind === "chartered" ? [effect.charter.configuration] : []));

it("who ended after its install and before its charter was written down says it when it starts again", () => {
  const bench = new Bench();
  const next = successorOf(exampleCharter, exampleCharter.controls, bench.now.wallMs);
  const bytes = sealCharter(next, simulatedKeys("owner"));
  const effects = bench.tell({ kind: "recharter", bytes, question: 1 });
  expect(answers(effects)).toEqual([{ ok: true }]);
  expect(chartered(effects)).toEqual([2]);
  // Its folder has the first charter still, and its database the second.
  const [first, ...others] = bench.restart();
  expect(first).toEqual({ kind: "chartered", charter: next, bytes });
  expect(chartered(others)).toEqual([]);
});

it("who starts again with the charter that it votes by says nothing of it", () => {
  const bench = new Bench();
  expect(chartered(bench.restart())).toEqual([]);
});
