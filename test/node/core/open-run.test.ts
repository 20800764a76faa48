import { describe, expect, it } from "vitest";
import { OpenRun } from "../../../node/core/open-run.ts";
import type { Need, Outcome, PlannedStep } from "../../../protocol/plan.ts";
import { limits } from "../../../protocol/limits.ts";
import type { AttemptCause } from "../../../protocol/events.ts";
import { plannedStep } from "../view/example.ts";
import { claimed, ended, runOf, stepAfter, worker } from "./example.ts";
import type { Command } from "../../../protocol/registers/registers.ts";

function open(...steps: readonly PlannedStep[]): OpenRun {
  return new OpenRun(runOf(steps).submission);
}

function need(step: string, ...outcomes: readonly Outcome[]): Need {
  return { step, outcomes };
}

function end(run: OpenRun, index: number, outcome: "passed" | "failed" | "cancelled") {
  return run.apply(index, stepAfter(claimed, ended(1, outcome)), null);
}

const after = (...causes: readonly AttemptCause[]) =>
  causes.map((cause, index) => ({ attempt: index + 1, token: index * 2 + 1, worker: "w", cause }));

describe("an open run", () => {
  it("offers at once what needs nothing, and a step when all its needs are met", () => {
    const run = open(plannedStep("a"), plannedStep("b"), plannedStep("c", ["a", "b"]));
    expect(run.begin()).toEqual({ ready: [0, 1], skipped: [] });
    expect(end(run, 0, "passed").ready).toEqual([]);
    expect(end(run, 1, "passed").ready).toEqual([2]);
    expect(run.over).toBe(false);
    end(run, 2, "passed");
    expect([run.over, run.outcome]).toEqual([true, "passed"]);
  });

  it("branches on how a step ended, and leaves out the branch that is not taken with all that hangs on it", () => {
    const run = open(
      plannedStep("build"),
      plannedStep("publish", ["build"]),
      plannedStep("tell", [], { needs: [need("build", "failed", "timed-out")] }),
      plannedStep("announce", ["publish"]),
      plannedStep("always", [], { needs: [need("announce", "passed", "failed", "skipped")] }),
    );
    run.begin();
    const { ready, skipped } = end(run, 0, "failed");
    expect(new Set(ready)).toEqual(new Set([2, 4]));
    expect(skipped).toEqual([
      { index: 1, reason: "build failed" },
      { index: 3, reason: "publish was skipped" },
    ]);
    end(run, 2, "passed");
    end(run, 4, "passed");
    expect([run.over, run.outcome]).toEqual([true, "failed"]);
  });

  it("leaves a step out as soon as one need cannot be met, whatever becomes of the others", () => {
    const run = open(plannedStep("a"), plannedStep("b"), plannedStep("c", ["a", "b"]));
    run.begin();
    expect(end(run, 0, "failed").skipped).toEqual([{ index: 2, reason: "a failed" }]);
    expect(run.over).toBe(false);
  });

  it("leaves out what the plan left out, and everything is over when nothing is included", () => {
    const out = { included: false, reason: 'when git.branch == "main" is false' };
    const run = open(
      plannedStep("a", [], out),
      plannedStep("b", ["a"], { included: false, reason: "needs a" }),
    );
    expect(run.begin()).toEqual({
      ready: [],
      skipped: [
        { index: 0, reason: 'when git.branch == "main" is false' },
        { index: 1, reason: "needs a" },
      ],
    });
    expect([run.over, run.outcome]).toEqual([true, "passed"]);
  });

  it("offers a step again when its register is queued again, and counts its end once", () => {
    const run = open(plannedStep("a"));
    run.begin();
    run.apply(0, stepAfter(claimed), null);
    expect([run.phase(0), run.leased()]).toEqual(["leased", [0]]);
    expect(run.apply(0, stepAfter(claimed, ended(1, "failed", true)), null).ready).toEqual([0]);
    expect([run.phase(0), run.token(0)]).toEqual(["ready", 2]);
    const done = stepAfter(claimed, ended(1, "failed", true), claimed, ended(3, "passed"));
    run.apply(0, done, null);
    run.apply(0, done, null);
    expect([run.over, run.outcome]).toEqual([true, "passed"]);
  });

  it("is over when it is cancelled and nothing is leased or about to be", () => {
    const run = open(plannedStep("a"), plannedStep("b"), plannedStep("c", ["a"]));
    run.begin();
    run.setPhase(0, "claiming");
    run.cancelled = true;
    expect(run.over).toBe(false);
    run.apply(0, stepAfter(claimed), null);
    expect(run.over).toBe(false);
    end(run, 0, "cancelled");
    expect([run.over, run.outcome]).toEqual([true, "cancelled"]);
  });

  it("does not pass when a step was cancelled though the run was not", () => {
    const run = open(plannedStep("a"));
    run.begin();
    end(run, 0, "cancelled");
    expect(run.outcome).toBe("failed");
  });
});

describe("what an open run hands over", () => {
  it("is, of trees, those that the needs of a step made, and none for an output that was never made", () => {
    const made = { outputs: [{ name: "dist", files: ["dist/**"] }] };
    const inputs = [{ name: "dist", step: "build", output: "dist" }];
    const run = open(plannedStep("build", [], made), plannedStep("deploy", ["build"], { inputs }));
    run.begin();
    expect(run.given(1).inputs).toEqual([]);
    const tree = "0".repeat(64);
    run.apply(0, stepAfter(claimed, ended(1, "passed")), {
      outputs: [{ name: "dist", tree, files: 1, bytes: 1 }],
    });
    expect(run.given(1).inputs).toEqual([{ name: "dist", tree }]);
  });
});

describe("an outcome of a step's own", () => {
  const own = (token: number): Command => ({
    kind: "finish",
    token,
    worker,
    cause: "finished",
    outcome: "outdated",
    report: new Uint8Array(),
    again: false,
  });

  it("lets those go on that name it, leaves out those that want it to have passed, and fails no run", () => {
    const run = open(
      plannedStep("check", [], { outcomes: ["outdated"] }),
      plannedStep("use", ["check"]),
      plannedStep("renew", [], { needs: [{ step: "check", outcomes: ["passed", "outdated"] }] }),
      plannedStep("tell", [], { needs: [need("check", "failed")] }),
    );
    run.begin();
    const { ready, skipped } = run.apply(0, stepAfter(claimed, own(1)), null);
    expect(ready).toEqual([2]);
    expect(skipped).toEqual([
      { index: 1, reason: "check ended as outdated" },
      { index: 3, reason: "check ended as outdated" },
    ]);
    end(run, 2, "passed");
    expect([run.over, run.outcome]).toEqual([true, "passed"]);
  });
});

describe("a step is tried again", () => {
  const twice = plannedStep("a", [], { retry: { attemptsMax: 2, on: ["lost", "failed"] } });

  it("for the causes that its plan names, as often as it says", () => {
    const run = open(twice);
    expect(run.triesAgain(0, [], "lost")).toBe(true);
    expect(run.triesAgain(0, [], "timed-out")).toBe(false);
    expect(run.triesAgain(0, after("lost"), "failed")).toBe(false);
  });

  it("without counting attempts that a worker gave back, up to a bound on all of them", () => {
    const run = open(twice);
    expect(run.triesAgain(0, after("released", "released"), "lost")).toBe(true);
    const almost = after(...Array.from({ length: limits.attemptsMax - 2 }, () => "released" as const));
    expect(run.triesAgain(0, almost, "released")).toBe(true);
    expect(run.triesAgain(0, [...almost, ...after("released")], "released")).toBe(false);
  });

  it("whatever its plan says, when its worker could not get what it runs in, so many times and without counting them", () => {
    const run = open(plannedStep("a", [], { retry: { attemptsMax: 1, on: [] } }));
    expect(run.triesAgain(0, after("unprepared"), "unprepared")).toBe(true);
    expect(run.triesAgain(0, after("unprepared", "unprepared"), "unprepared")).toBe(false);
    expect(run.triesAgain(0, after("released", "unprepared"), "unprepared")).toBe(true);
    expect(open(twice).triesAgain(0, after("unprepared", "unprepared"), "failed")).toBe(true);
  });

  it("rather by somebody else than by a worker who could not run it", () => {
    const run = open(twice);
    run.begin();
    expect(run.demandOf(0).avoided).toEqual([]);
    run.apply(0, { kind: "step", state: "queued", token: 4, past: after("failed", "unprepared") }, null);
    expect(run.demandOf(0).avoided).toEqual(["w"]);
    run.apply(0, { kind: "step", state: "queued", token: 4, past: after("failed") }, null);
    expect(run.demandOf(0).avoided).toEqual([]);
  });

  it("never in a cancelled run", () => {
    const run = open(twice);
    run.cancelled = true;
    expect(run.triesAgain(0, [], "released")).toBe(false);
  });
});
