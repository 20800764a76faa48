import { describe, expect, it } from "vitest";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import { plannedStep } from "../view/example.ts";
import { Bench, events, said } from "./bench.ts";
import { home } from "./example.ts";

/** What each entry that was written tells of. */
const entries = (effects: readonly ControlEffect[]): string[][] =>
  effects.flatMap((effect) =>
    effect.kind === "recorded" ? [effect.events.map(({ kind }) => kind.replace("attempt-", ""))] : [],
  );

function offering(count: number): { readonly bench: Bench; readonly run: string } {
  const bench = new Bench();
  const steps = Array.from({ length: count }, (_, index) => plannedStep(`s${index}`));
  return { bench, run: bench.submit(steps).run };
}

describe("that attempts have begun", () => {
  it("is gathered for a moment, and written in one entry", () => {
    const { bench } = offering(3);
    expect(entries([...bench.pullOnly(), ...bench.tick(1), ...bench.pullOnly()])).toEqual([]);
    expect(bench.core.tickAfterMs(bench.now)).toBe(limits.notesHeldMs - 1);
    expect(entries(bench.tick(limits.notesHeldMs - 2))).toEqual([]);
    expect(entries(bench.tick(1))).toEqual([["started", "started"]]);
    expect(entries(bench.tick(limits.notesHeldMs))).toEqual([]);
    expect(bench.core.tickAfterMs(bench.now)).toBe(limits.tickMs);
  });

  it("is written in front of what else there is to tell, and with it", () => {
    const { bench, run } = offering(2);
    bench.pullOnly();
    expect(entries(bench.result(run, 0, 1))).toEqual([["started", "ended"]]);
  });

  it("is written at once when there is much of it", () => {
    const { bench } = offering(limits.notesHeldMax + 1);
    expect(events(bench.pullOnly(limits.notesHeldMax - 1))).toEqual([]);
    bench.nowMs += 1;
    expect(events(bench.pullOnly(1))).toHaveLength(limits.notesHeldMax);
  });

  it("is written when the reign ends, by the one who decided it", () => {
    const { bench } = offering(1);
    const [accept] = said(bench.pullOnly(), "accept");
    if (accept === undefined) throw new Error("nothing was proposed");
    const { ballot } = accept;
    const promised = { ...ballot, epoch: ballot.epoch + 1 };
    const deposed = bench.hear({ kind: "nack", ballot, promised }, home);
    expect(bench.core.isHome).toBe(false);
    expect(entries(deposed)).toEqual([["started"]]);
  });
});
