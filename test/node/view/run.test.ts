/** The view of a run: what it shows, and that it does not depend on how often or in which order it was told. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { attemptWords, newAttempt, workerOf } from "../../../node/view/attempt.ts";
import { applyEvent, applyItem, newRunView } from "../../../node/view/run.ts";
import { summarizeRun } from "../../../node/view/summary.ts";
import type { RunView, StepView } from "../../../node/view/run.ts";
import type { WatchItem } from "../../../protocol/calls.ts";
import type { Event } from "../../../protocol/events.ts";
import { outcomes } from "../../../protocol/plan.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import {
  eventOf,
  exampleRun,
  exampleWorker,
  failedReport,
  itemOf,
  planItem,
  plannedStep,
  reportOf,
} from "./example.ts";

const chain = [
  plannedStep("build"),
  plannedStep("test", ["build"]),
  plannedStep("deploy", ["build", "test"]),
];

function viewOf(steps: readonly PlannedStep[], ...events: readonly Event[]): RunView {
  const view = newRunView(exampleRun);
  applyItem(view, planItem(steps));
  for (const event of events) applyEvent(view, event);
  return view;
}

function step(view: RunView, name: string): StepView {
  const found = view.byName.get(name);
  if (found === undefined) throw new Error(`the view has no step ${name}`);
  return found;
}

const started = eventOf("attempt-started");
const finished = eventOf("attempt-ended", { report: reportOf(), timeMs: 3_000 });

describe("a step that has not ended", () => {
  it("waits for the needs that have not ended, in the order of the plan", () => {
    const view = viewOf(chain);
    expect(step(view, "build").state).toEqual({ kind: "ready" });
    expect(step(view, "deploy").state).toEqual({ kind: "waiting", for: new Set(["build", "test"]) });
    applyEvent(view, finished);
    expect(step(view, "test").state).toEqual({ kind: "ready" });
    expect(step(view, "deploy").state).toEqual({ kind: "waiting", for: new Set(["test"]) });
  });

  it("runs from its start on the worker that took it", () => {
    const view = viewOf(chain, started);
    expect(step(view, "build").state).toEqual({
      kind: "running",
      attempt: 1,
      worker: exampleWorker,
      sinceMs: 1_000,
    });
  });

  it("is queued again after an attempt that was lost, and runs its next attempt", () => {
    const lost = eventOf("attempt-ended", { cause: "lost", final: false });
    const view = viewOf(chain, started, lost);
    expect(step(view, "build").state).toEqual({ kind: "ready" });
    applyEvent(view, eventOf("attempt-started", { attempt: 2, token: 3, worker: "other", timeMs: 9_000 }));
    expect(step(view, "build").state).toEqual({
      kind: "running",
      attempt: 2,
      worker: "other",
      sinceMs: 9_000,
    });
  });

  it("does not run any more once a late result of its attempt was refused", () => {
    const view = viewOf(chain, started, eventOf("result-refused"));
    expect(step(view, "build").state).toEqual({ kind: "ready" });
  });
});

describe("a step that ended", () => {
  it("ends with the time that the worker measured", () => {
    const view = viewOf(chain, started, finished);
    expect(step(view, "build").state).toEqual({
      kind: "passed",
      reason: "",
      durationMs: 1_200,
      report: reportOf(),
    });
  });

  it("ends with the time between the two events when there is no report, never a negative one", () => {
    const ended = eventOf("attempt-ended", { timeMs: 3_500 });
    expect(step(viewOf(chain, started, ended), "build").state).toMatchObject({ durationMs: 2_500 });
    const early = eventOf("attempt-ended", { timeMs: 400 });
    expect(step(viewOf(chain, started, early), "build").state).toMatchObject({ durationMs: 0 });
  });

  it("says why it failed in the words of the report", () => {
    const ended = eventOf("attempt-ended", { cause: "failed", report: failedReport("no\n") });
    expect(step(viewOf(chain, started, ended), "build").state).toMatchObject({
      kind: "failed",
      reason: "`make test` exited with 1",
    });
  });

  it("failed when its last attempt was lost, and counts the losses", () => {
    const view = viewOf(
      chain,
      eventOf("attempt-ended", { attempt: 1, cause: "lost", final: false }),
      eventOf("attempt-ended", { attempt: 2, cause: "lost", final: true }),
    );
    expect(step(view, "build").state).toMatchObject({
      kind: "failed",
      reason: expect.stringMatching(/^lost 2 times/),
    });
  });

  it("is skipped at once when the plan left it out, and frees what may follow a skip", () => {
    const steps = [
      plannedStep("deploy", [], { included: false, reason: 'when git.branch == "main" is false' }),
      plannedStep("notify", [], { needs: [{ step: "deploy", outcomes: ["skipped"] }] }),
      plannedStep("verify", ["deploy"]),
    ];
    const view = viewOf(steps);
    expect(step(view, "deploy").state).toEqual({
      kind: "skipped",
      reason: 'when git.branch == "main" is false',
    });
    expect(step(view, "notify").state).toEqual({ kind: "ready" });
    expect(step(view, "verify").state).toEqual({ kind: "waiting", for: new Set() });
  });

  it("was cancelled when the run was closed before it started", () => {
    const view = viewOf(chain, eventOf("run-closed", { outcome: "cancelled" }));
    expect(step(view, "deploy").state).toMatchObject({
      kind: "cancelled",
      reason: "the run ended before it started",
    });
  });

  it("is not moved by an event of another run or of a step that the plan does not name", () => {
    const view = viewOf(
      chain,
      eventOf("attempt-started", { run: "run-2" }),
      eventOf("attempt-started", { step: "lint" }),
    );
    expect(shown(view)).toEqual(shown(viewOf(chain)));
  });
});

describe("a step that ended with an outcome of its own", () => {
  const ended = itemOf("attempt-ended", { report: reportOf({ ownOutcome: "outdated" }) });
  const branches = [
    plannedStep("build", [], { outcomes: ["outdated"] }),
    plannedStep("renew", [], { needs: [{ step: "build", outcomes: ["outdated"] }] }),
    plannedStep("use", ["build"]),
  ];

  it("neither passed nor failed, and says as what it ended", () => {
    const view = newRunView(exampleRun);
    for (const item of [planItem(branches), ended]) applyItem(view, item);
    const [build, renew, use] = view.steps;
    expect(build?.state).toMatchObject({ kind: "ended", outcome: "outdated", durationMs: 1_200 });
    expect(renew?.state.kind).toBe("ready");
    expect(use?.state).toEqual({ kind: "waiting", for: new Set() });
    expect(attemptWords(build?.attempts[0] ?? newAttempt(1))).toBe("ended as outdated");
    expect(summarizeRun(view)).toMatchObject({ ended: 1, failed: 0 });
  });

  it("failed when its home did not believe the worker", () => {
    const view = newRunView(exampleRun);
    const cause = "failed";
    const report = reportOf({ ownOutcome: "outdated" });
    for (const item of [planItem(branches), itemOf("attempt-ended", { cause, report })])
      applyItem(view, item);
    expect(view.steps[0]?.state.kind).toBe("failed");
  });
});

describe("attempts", () => {
  it("are listed by number with worker and cause in words", () => {
    const view = viewOf(
      chain,
      eventOf("attempt-started", { attempt: 2, token: 3, worker: "second" }),
      eventOf("attempt-ended", { cause: "lost", final: false }),
      eventOf("result-refused"),
    );
    const { attempts } = step(view, "build");
    expect(attempts.map((attempt) => [attempt.attempt, workerOf(attempt), attemptWords(attempt)])).toEqual([
      [1, exampleWorker, "lost: nothing was heard of its worker in time; a late result (passed) was refused"],
      [2, "second", "running"],
    ]);
  });

  it("take the report when it comes after an end without one, and keep it", () => {
    const bare = eventOf("attempt-ended", { timeMs: 2_000 });
    const view = viewOf(chain, started, bare, finished, bare);
    expect(step(view, "build").state).toMatchObject({ report: reportOf(), durationMs: 1_200 });
  });

  it("end for good when anybody told so, whatever else was told", () => {
    const open = eventOf("attempt-ended", { cause: "failed", final: false, report: failedReport("no\n") });
    const view = viewOf(chain, open, eventOf("attempt-ended", { cause: "cancelled", final: true }), open);
    expect(step(view, "build").state).toMatchObject({ kind: "cancelled" });
  });

  it("say that their worker gave them back", () => {
    const view = viewOf(chain, started, eventOf("attempt-ended", { cause: "released", final: false }));
    expect(step(view, "build").attempts.map(attemptWords)).toEqual([
      "released: its worker was asked to stop",
    ]);
    const refused = { cause: "refused", final: false, why: "its permit is over" } as const;
    expect(
      step(viewOf(chain, started, eventOf("attempt-ended", refused)), "build").attempts.map(attemptWords),
    ).toEqual(["refused by its worker: its permit is over"]);
  });
});

describe("the run", () => {
  it("waits, runs and is closed, with the admitting peer's clock", () => {
    const view = viewOf(chain);
    expect(view.state).toBe("waiting");
    applyEvent(view, eventOf("run-admitted", { timeMs: 500 }));
    expect(view).toMatchObject({ state: "waiting", startedMs: 500, planId: "plan-1", pipeline: "checkout" });
    applyEvent(view, eventOf("run-admitted", { timeMs: 600 }));
    expect(view.startedMs).toBe(500);
    applyEvent(view, started);
    expect(view.state).toBe("running");
    applyEvent(view, eventOf("run-closed", { outcome: "failed", timeMs: 9_000 }));
    expect(view).toMatchObject({ state: "failed", outcome: "failed", endedMs: 9_000 });
  });

  it("is refused only while nobody admitted it", () => {
    const view = viewOf([], eventOf("run-refused", { timeMs: 700 }));
    expect(view).toMatchObject({ state: "refused", endedMs: 700 });
    applyEvent(view, eventOf("run-admitted"));
    expect(view).toMatchObject({ state: "waiting", endedMs: null });
  });

  it("is summarised with its counts, also before its plan is known", () => {
    const view = newRunView(exampleRun);
    for (const event of [eventOf("run-admitted", { timeMs: 5 }), started, finished]) applyEvent(view, event);
    applyEvent(view, eventOf("attempt-ended", { step: "test", cause: "timed-out" }));
    expect(summarizeRun(view)).toEqual({
      run: exampleRun,
      pipeline: "checkout",
      state: "running",
      steps: 3,
      ended: 2,
      failed: 1,
      startedMs: 5,
      endedMs: null,
    });
    applyItem(view, planItem(chain));
    expect(summarizeRun(view)).toMatchObject({ ended: 2, failed: 1 });
  });
});

describe("a view that was told in any way", () => {
  const names = fc.constantFrom("build", "test", "deploy", "lint");
  const small = fc.integer({ min: 1, max: 3 });
  const attempt = {
    step: names,
    attempt: small,
    token: small,
    worker: fc.constantFrom("a", "b"),
    timeMs: small,
  };
  const report = fc.constantFrom(null, reportOf(), failedReport("no\n"));
  const event: fc.Arbitrary<Event> = fc.oneof(
    fc.record({ timeMs: small, submitter: fc.constantFrom("a", "b") }).map((f) => eventOf("run-admitted", f)),
    fc.record({ timeMs: small, reason: fc.constantFrom("a", "b") }).map((f) => eventOf("run-refused", f)),
    fc.record({ timeMs: small, by: fc.constantFrom("a", "b") }).map((f) => eventOf("cancel-requested", f)),
    fc.record(attempt).map((f) => eventOf("attempt-started", f)),
    fc
      .record({
        ...attempt,
        report,
        final: fc.boolean(),
        cause: fc.constantFrom(
          "finished",
          "failed",
          "timed-out",
          "cancelled",
          "lost",
          "released",
          "superseded",
          "refused",
        ),
      })
      .map((f) => eventOf("attempt-ended", f)),
    fc.record({ ...attempt, outcome: fc.constantFrom(...outcomes) }).map((f) => eventOf("result-refused", f)),
    fc
      .record({ step: names, timeMs: small, reason: fc.constantFrom("a", "b") })
      .map((f) => eventOf("step-skipped", f)),
    fc
      .record({ timeMs: small, outcome: fc.constantFrom("passed", "failed", "cancelled") })
      .map((f) => eventOf("run-closed", f)),
  );
  const steps = [
    plannedStep("build"),
    plannedStep("test", ["build"], { needs: [{ step: "build", outcomes: ["failed", "skipped"] }] }),
    plannedStep("deploy", ["build", "test"], { included: false, reason: "left out" }),
    plannedStep("report", ["test", "deploy"]),
  ];
  const items = fc
    .array(event, { maxLength: 25 })
    .map((events): WatchItem[] => [
      planItem(steps),
      ...events.map((e) => ({ kind: "event" as const, event: e })),
    ]);
  const telling = items.chain((told) =>
    fc.record({
      told: fc.constant(told),
      again: fc.shuffledSubarray([...told, ...told], { minLength: told.length * 2 }),
    }),
  );

  it("is the same for another order, with every item twice, and with the plan in the middle", () => {
    fc.assert(
      fc.property(telling, ({ told, again }) => {
        expect(shown(fold(again))).toEqual(shown(fold(told)));
      }),
      { numRuns: 1_000 },
    );
  });

  it("counts its steps as their states say", () => {
    fc.assert(
      fc.property(telling, ({ again }) => {
        const view = fold(again);
        for (const [kind, count] of Object.entries(view.counts)) {
          expect(view.steps.filter(({ state }) => state.kind === kind)).toHaveLength(count);
        }
      }),
    );
  });
});

describe("a plan of 10,000 steps", () => {
  it("is folded without a search or a copy per event", () => {
    const many = Array.from({ length: 9_999 }, (_, index) => plannedStep(`step-${index}`));
    const all = plannedStep(
      "all",
      many.map(({ name }) => name),
    );
    const view = viewOf([...many, all]);
    const waiting = step(view, "all").state;
    for (const { name } of many) {
      applyEvent(view, eventOf("attempt-started", { step: name }));
      applyEvent(view, eventOf("attempt-ended", { step: name }));
    }
    expect(step(view, "all").state).toEqual({ kind: "ready" });
    // The set in the state is the step's own: nothing of the size of the plan was made anew.
    expect(waiting.kind === "waiting" && waiting.for).toBe(step(view, "all").openNeeds);
    expect(summarizeRun(view)).toMatchObject({ steps: 10_000, ended: 9_999 });
  });

  it("holds nothing for a step that needs nothing and has not begun but what the plan says", () => {
    const view = viewOf([plannedStep("one"), plannedStep("other")]);
    expect(step(view, "one").state).toBe(step(view, "other").state);
    expect(step(view, "one")).toMatchObject({ openNeeds: null, unmetNeeds: null });
  });

  it("is folded as one chain without running out of stack", () => {
    const line = Array.from({ length: 10_000 }, (_, index) =>
      plannedStep(`step-${index}`, index === 0 ? [] : [`step-${index - 1}`]),
    );
    const view = newRunView(exampleRun);
    for (const { name } of line) applyItem(view, itemOf("attempt-ended", { step: name }));
    applyItem(view, planItem(line));
    applyItem(view, itemOf("run-closed"));
    expect(summarizeRun(view)).toMatchObject({ state: "passed", ended: 10_000 });
  });
});

function fold(items: readonly WatchItem[]): RunView {
  const view = newRunView(exampleRun);
  for (const item of items) applyItem(view, item);
  return view;
}

/** Everything of a view that anybody can see, without the links between its steps. */
function shown({ dependents: _links, byName, ...view }: RunView): unknown {
  return {
    ...view,
    names: [...byName.keys()].sort(),
    waiting: view.steps.map(({ state }) => (state.kind === "waiting" ? [...state.for] : null)),
    attempts: view.steps.map(({ attempts }) => attempts.map(attemptWords)),
  };
}
