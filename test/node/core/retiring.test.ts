/** What a home forgets, and when: closed runs that can never be admitted again, and whose end is known for good. */

import { describe, expect, it } from "vitest";
import { controlKeys } from "../../../node/core/control.ts";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Message } from "../../../protocol/messages.ts";
import { readRecord } from "../../../protocol/registers/stored.ts";
import { retiredRegister, runRegister } from "../../../protocol/registers/registers.ts";
import { decodeValue } from "../../../protocol/values.ts";
import { startWallMs } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { Bench } from "./bench.ts";
import { runOf, worker } from "./example.ts";

const dayMs = limits.submissionMsDefault;
/** Until when what `Bench.submit` submits may be admitted, on the clock of a bench. */
const untilMs = dayMs;

function closedRun(bench: Bench, nonce = "n1"): string {
  const { run } = bench.submit([plannedStep("a")], nonce);
  bench.pull(1, nonce);
  bench.result(run, 0, 1);
  return run;
}

function remembers(bench: Bench, run: string): boolean {
  return bench.disk.has(controlKeys.registers + runRegister(run));
}

/** The watermark on the disk. */
function throughMs(bench: Bench): number | null {
  const stored = bench.disk.get(controlKeys.registers + retiredRegister);
  const value =
    stored === undefined ? null : (decodeValue(readRecord(stored).value) as { throughMs: number });
  return value?.throughMs ?? null;
}

function at(bench: Bench, nowMs: number): ControlEffect[] {
  return bench.tick(nowMs - bench.nowMs);
}

function closings(effects: readonly ControlEffect[]): string[] {
  return effects.flatMap((effect) =>
    effect.kind === "recorded"
      ? effect.events.flatMap(({ kind, run }) => (kind === "run-closed" ? [run] : []))
      : [],
  );
}

function said(effects: readonly ControlEffect[], kind: Message["kind"]): Message[] {
  return effects.flatMap((effect) =>
    effect.kind === "send" && effect.message.kind === kind ? [effect.message] : [],
  );
}

function submitAgain(bench: Bench, nonce = "n1") {
  const { bundle, submission } = runOf([plannedStep("a")], nonce);
  const { run, digest } = submission;
  const effects = bench.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question: 9 });
  return effects.flatMap((effect) => (effect.kind === "answer" ? [effect.answer] : []));
}

describe("a closed run", () => {
  it("is remembered as long as it could be admitted once more, and forgotten then", () => {
    const bench = new Bench();
    const run = closedRun(bench);
    at(bench, untilMs - 1);
    expect([remembers(bench, run), throughMs(bench)]).toEqual([true, null]);
    at(bench, untilMs + limits.retireEveryMs);
    expect([remembers(bench, run), throughMs(bench)]).toEqual([false, startWallMs + untilMs]);
  });

  it("stays forgotten: whoever brings it again, to whatever clock, is told that it is too late", () => {
    const bench = new Bench();
    const run = closedRun(bench);
    at(bench, untilMs + limits.retireEveryMs);
    bench.nowMs = untilMs - 1_000;
    expect(submitAgain(bench)).toEqual([
      { ok: false, reason: "expired", detail: `${startWallMs + untilMs}` },
    ]);
    expect(remembers(bench, run)).toBe(false);
    expect(bench.disk.has(controlKeys.archive + run)).toBe(true);
    expect(bench.disk.has(controlKeys.bundles + run)).toBe(false);
  });

  it("is told of once more by a home that did not close it, before it is forgotten", () => {
    const bench = new Bench();
    const run = closedRun(bench);
    bench.restart();
    expect(closings(at(bench, untilMs + limits.retireEveryMs))).toEqual([run]);
    expect(remembers(bench, run)).toBe(true);
    expect(closings(bench.tick(limits.retireEveryMs))).toEqual([]);
    expect(remembers(bench, run)).toBe(false);
  });

  it("is not told of again by the home that closed it", () => {
    const bench = new Bench();
    closedRun(bench);
    expect(closings(at(bench, untilMs + limits.retireEveryMs))).toEqual([]);
  });

  it("takes no run with it that is open, which is forgotten when it is closed and the watermark rises again", () => {
    const bench = new Bench();
    const closed = closedRun(bench);
    const { run: open } = bench.submit([plannedStep("a")], "n2");
    at(bench, untilMs + limits.retireEveryMs);
    expect([remembers(bench, closed), remembers(bench, open)]).toEqual([false, true]);
    bench.pull(1, "late");
    bench.result(open, 0, 1);
    expect(remembers(bench, open)).toBe(true);
    bench.tick(limits.retireEveryMs);
    expect([remembers(bench, open), throughMs(bench)]).toEqual([false, startWallMs + untilMs + 1]);
  });
});

describe("the watermark", () => {
  it("never rises to what a clock says: a run submitted after those that are forgotten is admitted", () => {
    const bench = new Bench();
    closedRun(bench);
    at(bench, 40 * dayMs);
    expect(throughMs(bench)).toBe(startWallMs + untilMs);
  });

  it("does not rise while nothing is to be forgotten", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a")]);
    at(bench, 2 * dayMs);
    expect(throughMs(bench)).toBeNull();
  });
});

describe("what nobody admitted in time", () => {
  const { bundle, submission } = runOf([plannedStep("a")]);
  const { run, digest } = submission;

  /** Announced by a worker; its files do not come. */
  function announced(): Bench {
    const bench = new Bench();
    bench.tell({ kind: "peer-up", peer: worker, role: "worker" });
    bench.tell({ kind: "bundle", run, digest, from: worker, bytes: bundle, question: null });
    return bench;
  }

  it("is no longer kept at hand, and whoever announced it is told", () => {
    const bench = announced();
    expect(bench.disk.has(controlKeys.bundles + run)).toBe(true);
    at(bench, untilMs + limits.retireEveryMs);
    const effects = bench.tick(limits.fetchAgainMs);
    expect(said(effects, "announced")).toMatchObject([{ run, state: "refused" }]);
    expect(bench.disk.has(controlKeys.bundles + run)).toBe(false);
    expect(bench.core.hasOpenRuns).toBe(false);
  });

  it("is not admitted by a home whose clock says so, though its files come", () => {
    const bench = announced();
    bench.nowMs = untilMs + 1;
    bench.tell({ kind: "source", run, problem: null });
    expect(remembers(bench, run)).toBe(false);
  });
});

describe("a submission", () => {
  it.each([
    ["in its last moment", untilMs - 1, true],
    ["a moment later", untilMs, false],
    ["by a clock that is as far ahead as is borne", untilMs - limits.submissionMsMax, true],
    ["by one that is further ahead", untilMs - limits.submissionMsMax - 1, false],
  ])("comes in time or not: %s", (_, nowMs, isTaken) => {
    const bench = new Bench();
    bench.nowMs = nowMs;
    const [answer] = submitAgain(bench);
    if (isTaken) expect(answer).toEqual({ ok: true });
    else expect(answer).toMatchObject({ ok: false, reason: "expired" });
  });
});
