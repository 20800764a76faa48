import { describe, expect, it } from "vitest";
import { workerDeadlineMs } from "../../../node/core/leases.ts";
import { PendingRuns } from "../../../node/core/pending-runs.ts";
import { WorkerCore, workerKeys } from "../../../node/core/worker.ts";
import type { WorkerEffect, WorkerInput } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import { successorOf } from "../../../protocol/membership.ts";
import type { GrantedLease, Message } from "../../../protocol/messages.ts";
import { isExclusive, type PlannedStep } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { storeOf } from "../../../simulations/workload.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { exampleCharter, home, runOf, workerKeysOf } from "./example.ts";

const outside = { effect: true, environment: "production" };

/** A worker that is linked to its home, and the effects of the last thing that it was told. */
class Bench {
  readonly core: WorkerCore;
  readonly run;
  nowMs = 10_000;

  constructor(steps: readonly PlannedStep[], slots = 2) {
    this.run = runOf(steps);
    this.core = new WorkerCore(
      {
        charter: exampleCharter,
        keys: workerKeysOf,
        incarnation: "w",
        labels: [],
        slots,
        random: { integer: () => 0 },
        stored: [],
      },
      this.now,
    );
    this.tell({ kind: "peer-up", peer: home, role: "control" });
    this.hear({ kind: "no-policy" });
  }

  get now() {
    return { monotonicMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs };
  }

  tell(input: WorkerInput): readonly WorkerEffect[] {
    return this.core.decide([input], this.now);
  }

  hear(message: Message): readonly WorkerEffect[] {
    return this.tell({ kind: "message", from: home, message });
  }

  tick(afterMs: number): readonly WorkerEffect[] {
    this.nowMs += afterMs;
    return this.tell({ kind: "tick" });
  }

  welcome(): readonly WorkerEffect[] {
    return this.hear({ kind: "welcome", home, leaseMs: exampleCharter.leaseMs });
  }

  lease(index = 0, token = 1, attempt = 1): GrantedLease {
    const { run, manifest } = this.run.submission;
    const step = manifest.plan.steps[index];
    const fenced = step !== undefined && isExclusive(step) ? { fence: 7 } : {};
    return { run, index, token, attempt, inputs: [], ...fenced };
  }

  granted(...leases: readonly GrantedLease[]): Message {
    const { run, digest } = this.run.submission;
    return { kind: "grant", nonce: "w:1/1", leases, bundles: { [run]: digest } };
  }

  /** Grants steps and brings the bundle that they are in. */
  grant(...leases: readonly GrantedLease[]): readonly WorkerEffect[] {
    const granted = this.hear(this.granted(...leases));
    const { run, digest } = this.run.submission;
    const brought = this.tell({
      kind: "bundle",
      run,
      digest,
      from: home,
      bytes: this.run.bundle,
      question: null,
    });
    return [...granted, ...brought];
  }

  end(lease: GrantedLease, report: StepReport = reportOf()): readonly WorkerEffect[] {
    return this.tell({ kind: "step-ended", assignment: idOf(lease), report });
  }
}

function idOf({ run, index, attempt }: GrantedLease): string {
  return `${run}-${index}-${attempt}`;
}

function said(effects: readonly WorkerEffect[]): Message[] {
  return effects.flatMap((effect) => (effect.kind === "send" ? [effect.message] : []));
}

function kinds(effects: readonly WorkerEffect[]): string[] {
  return effects.map((effect) => (effect.kind === "send" ? `send ${effect.message.kind}` : effect.kind));
}

it("a worker asks who is home when its home has sent it to one that is not there, until it hears", () => {
  const bench = new Bench([plannedStep("a")]);
  bench.welcome();
  bench.tick(limits.announceAgainMs);
  bench.hear({ kind: "welcome", home: "nobody", leaseMs: exampleCharter.leaseMs });
  expect(said(bench.tick(limits.announceAgainMs - 1))).toEqual([]);
  expect(said(bench.tick(1))).toMatchObject([{ kind: "session" }]);
  expect(said(bench.tick(limits.announceAgainMs))).toMatchObject([{ kind: "session" }]);
  bench.welcome();
  bench.tick(limits.pullJitterMsMax);
  expect(said(bench.tick(limits.announceAgainMs))).toEqual([]);
});

it("a worker asks who is home when one is gone that took itself for home after another had said that it is", () => {
  const bench = new Bench([plannedStep("a")]);
  const other = simulatedKeys("control1").peer;
  const controls = [...exampleCharter.controls, { peer: other, store: storeOf(other), addresses: [] }];
  bench.tell({ kind: "charter", charter: successorOf(exampleCharter, controls, bench.now.wallMs) });
  bench.welcome();
  bench.tell({ kind: "peer-up", peer: other, role: "control" });
  const succeeded: Message = { kind: "welcome", home: other, leaseMs: exampleCharter.leaseMs };
  bench.tell({ kind: "message", from: other, message: succeeded });
  expect(bench.core.home).toBe(other);
  bench.tell({ kind: "peer-down", peer: other });
  // The home that there is has told it of itself, and does not know that it was forgotten.
  expect(bench.tick(limits.announceAgainMs)).toMatchObject([
    { kind: "send", to: home, message: { kind: "session" } },
  ]);
  expect(said(bench.welcome())).toMatchObject([{ kind: "pull", again: true }]);
});

describe("a worker", () => {
  it("pulls for its free slots once it knows its home, one pull at a time", () => {
    const bench = new Bench([plannedStep("a")]);
    expect(said(bench.welcome())).toMatchObject([{ kind: "pull", slots: 2, alike: true }]);
    expect(said(bench.tick(100))).toEqual([]);
  });

  it("asks a new home again for what no home has answered, with the same nonce, and then for something new", () => {
    const bench = new Bench([plannedStep("a"), plannedStep("b")]);
    const [asked] = said(bench.welcome());
    if (asked?.kind !== "pull") throw new Error("it did not pull");
    const moved = bench.hear({ kind: "welcome", home: null, leaseMs: exampleCharter.leaseMs });
    const again = said([...moved, ...bench.welcome(), ...bench.tick(limits.pullJitterMsMax)]);
    expect(again).toEqual([{ ...asked, again: true }]);
    bench.hear({ ...bench.granted(bench.lease()), nonce: asked.nonce } as Message);
    const next = said(bench.tick(1));
    for (const message of next) if (message.kind === "pull") expect(message.nonce).not.toBe(asked.nonce);
  });

  it("asks again when its home answers a pull of another nonce: a home knows one pull of a session's", () => {
    const bench = new Bench([plannedStep("a")]);
    const [asked] = said(bench.welcome());
    const other = { kind: "grant", nonce: "another", leases: [], bundles: {} } as const;
    expect(said(bench.hear(other))).toEqual([{ ...asked, again: true }]);
  });

  it("fetches the plan of a grant, checks it, and starts as many steps as it has slots", () => {
    const bench = new Bench(["a", "b", "c"].map((name) => plannedStep(name)));
    bench.welcome();
    const effects = bench.grant(bench.lease(0), bench.lease(1), bench.lease(2));
    expect(kinds(effects).filter((kind) => kind === "fetch-bundle")).toHaveLength(1);
    expect(kinds(effects).filter((kind) => kind === "start-step")).toHaveLength(2);
    const next = bench.end(bench.lease(0));
    expect(next.find((effect) => effect.kind === "start-step")).toMatchObject({ assignment: { step: "c" } });
  });

  it("gives back what it cannot run: nobody has the plan, or the plan is not the run's", () => {
    for (const bytes of [null, runOf([plannedStep("other")], "n2").bundle]) {
      const bench = new Bench([plannedStep("a")]);
      bench.welcome();
      bench.hear(bench.granted(bench.lease()));
      const { run, digest } = bench.run.submission;
      const effects = bench.tell({ kind: "bundle", run, digest, from: home, bytes, question: null });
      expect(said(effects)).toContainEqual({
        kind: "release",
        leases: [{ run, index: 0, token: 1 }],
        how: "refused",
        why: "its plan is not to be had, or another run's",
      });
      expect(kinds(effects)).not.toContain("start-step");
    }
  });

  it("tells a result until it is acknowledged: to a new home, and with each renewal", () => {
    const bench = new Bench([plannedStep("a")]);
    bench.welcome();
    bench.grant(bench.lease());
    expect(kinds(bench.end(bench.lease()))).toContain("send result");
    expect(kinds(bench.tick(exampleCharter.leaseMs / limits.renewalsPerLease))).toContain("send result");
    bench.tell({ kind: "peer-down", peer: home });
    bench.tell({ kind: "peer-up", peer: home, role: "control" });
    expect(kinds(bench.welcome())).toContain("send result");
    const { run, index, token } = bench.lease();
    bench.hear({ kind: "ack", lease: { run, index, token }, verdict: "accepted" });
    expect(kinds(bench.tick(exampleCharter.leaseMs))).not.toContain("send result");
    expect(bench.core.isBusy).toBe(false);
  });

  it("reports only after the blobs of a report are kept", () => {
    const bench = new Bench([plannedStep("a")]);
    bench.welcome();
    bench.grant(bench.lease());
    const log = { bytes: 9_000, droppedBytes: 0, digest: "d" };
    const effects = kinds(bench.end(bench.lease(), reportOf({ log })));
    expect(effects).toContain("keep-blobs");
    expect(effects).not.toContain("send result");
    expect(kinds(bench.tell({ kind: "kept", assignment: idOf(bench.lease()) }))).toContain("send result");
  });

  it("stops a step that was given to somebody else, or whose run was cancelled", () => {
    for (const cause of ["superseded", "cancelled"] as const) {
      const bench = new Bench([plannedStep("a")]);
      bench.welcome();
      bench.grant(bench.lease());
      const { run, index, token } = bench.lease();
      const effects = bench.hear({ kind: "revoke", lease: { run, index, token }, cause });
      expect(effects).toContainEqual({ kind: "stop-step", assignment: idOf(bench.lease()), cause });
      const older = bench.hear({ kind: "revoke", lease: { run, index, token: token + 1 }, cause });
      expect(kinds(older)).not.toContain("stop-step");
    }
  });
});

const steps = [plannedStep("deploy", [], outside), plannedStep("again", [], outside)];

describe("a step that reaches outside", () => {
  it("starts only under a renewal that was sent after it was granted, and answered", () => {
    const bench = new Bench(steps);
    bench.welcome();
    const beforeMs = bench.nowMs;
    bench.nowMs += 50;
    expect(kinds(bench.grant(bench.lease()))).not.toContain("start-step");
    const late = bench.hear({ kind: "renewed", sentMs: beforeMs, superseded: [] });
    expect(kinds(late)).not.toContain("start-step");
    const answered = bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    expect(kinds(answered)).toContain("start-step");
  });

  it("is stopped when its lease may have run out, and is not reported: the home calls it lost", () => {
    const bench = new Bench(steps);
    bench.welcome();
    bench.grant(bench.lease());
    bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    const deadlineMs = workerDeadlineMs(exampleCharter.leaseMs);
    expect(kinds(bench.tick(deadlineMs))).not.toContain("stop-step");
    expect(bench.tick(1)).toContainEqual({
      kind: "stop-step",
      assignment: idOf(bench.lease()),
      cause: "lease-ended",
    });
    const ended = kinds(bench.end(bench.lease(), reportOf({ outcome: "cancelled", problem: "stopped" })));
    expect(ended.filter((kind) => kind === "send result" || kind === "send release")).toEqual([]);
    expect(bench.core.isBusy).toBe(false);
  });

  it("is stopped when the machine slept: its two clocks drifted apart", () => {
    const bench = new Bench(steps);
    bench.welcome();
    bench.grant(bench.lease());
    bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    bench.tick(100);
    const slept = { monotonicMs: bench.nowMs + 100, wallMs: bench.now.wallMs + 5_000 };
    expect(kinds(bench.core.decide([{ kind: "tick" }], slept))).toContain("stop-step");
  });

  it("does not start when the machine slept since its lease was renewed, until it is renewed again", () => {
    const bench = new Bench(steps);
    bench.welcome();
    const renewedMs = bench.nowMs;
    bench.hear(bench.granted(bench.lease()));
    bench.hear({ kind: "renewed", sentMs: renewedMs, superseded: [] });
    const slept = { monotonicMs: bench.nowMs + 1, wallMs: bench.now.wallMs + 5_000 };
    const { run, digest } = bench.run.submission;
    const bundle = {
      kind: "bundle",
      run,
      digest,
      from: home,
      bytes: bench.run.bundle,
      question: null,
    } as const;
    expect(kinds(bench.core.decide([bundle], slept))).not.toContain("start-step");
    const answer = (sentMs: number) =>
      ({ kind: "message", from: home, message: { kind: "renewed", sentMs, superseded: [] } }) as const;
    expect(kinds(bench.core.decide([answer(renewedMs)], slept))).not.toContain("start-step");
    expect(kinds(bench.core.decide([answer(slept.monotonicMs)], slept))).toContain("start-step");
  });

  it("is not begun again by a grant that is told again when its lease had run out and it was stopped", () => {
    const bench = new Bench(steps);
    bench.welcome();
    bench.grant(bench.lease());
    const renewed = () => bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    expect(kinds(renewed())).toContain("start-step");
    bench.tick(workerDeadlineMs(exampleCharter.leaseMs) + 1);
    bench.end(bench.lease(), reportOf({ outcome: "cancelled", problem: "stopped" }));
    bench.hear(bench.granted(bench.lease()));
    expect(kinds(renewed())).not.toContain("start-step");
    expect(bench.core.isBusy).toBe(false);
  });

  it("is the only kind that stops: any other goes on, since its token decides", () => {
    const bench = new Bench([plannedStep("test")]);
    bench.welcome();
    bench.grant(bench.lease());
    bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    expect(kinds(bench.tick(exampleCharter.leaseMs * 5))).not.toContain("stop-step");
  });
});

describe("the deadline of a step that reaches outside", () => {
  it("is told to whoever runs it, and each renewal that is answered moves it on", () => {
    const bench = new Bench(steps);
    bench.welcome();
    bench.grant(bench.lease());
    const answered = () => bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    const deadlineMs = () => bench.nowMs + workerDeadlineMs(exampleCharter.leaseMs);
    expect(answered()).toContainEqual(
      expect.objectContaining({ kind: "start-step", deadlineMs: deadlineMs() }),
    );
    bench.tick(100);
    expect(answered()).toEqual([
      { kind: "set-deadline", assignment: idOf(bench.lease()), deadlineMs: deadlineMs() },
    ]);
  });

  it("has it given back when that passed while this process stood still; what the home had stopped is reported", () => {
    const cancelled = reportOf({ outcome: "cancelled", problem: "stopped" });
    const begun = (): Bench => {
      const bench = new Bench(steps);
      bench.welcome();
      bench.grant(bench.lease());
      bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
      return bench;
    };
    const unseen = begun();
    expect(said(unseen.end(unseen.lease(), cancelled))).toMatchObject([{ kind: "release", how: "begun" }]);
    expect(unseen.core.isBusy).toBe(false);
    const asked = begun();
    const { run, index, token } = asked.lease();
    asked.hear({ kind: "revoke", lease: { run, index, token }, cause: "cancelled" });
    expect(kinds(asked.end(asked.lease(), cancelled))).toContain("send result");
  });
});

describe("a worker that is asked to stop", () => {
  it("gives back what it has not begun and what it breaks off, reports what ends, and then is gone", () => {
    const bench = new Bench(["a", "b", "c"].map((name) => plannedStep(name)));
    bench.welcome();
    bench.grant(bench.lease(0), bench.lease(1), bench.lease(2));
    const effects = bench.tell({ kind: "stop" });
    expect(kinds(effects)).toEqual(["stop-step", "stop-step", "send release"]);
    const broken = bench.end(bench.lease(0), reportOf({ outcome: "cancelled", problem: "stopped" }));
    expect(said(broken)).toMatchObject([{ kind: "release", how: "begun" }]);
    const finished = bench.end(bench.lease(1));
    expect(kinds(finished)).toEqual(["send result"]);
    const { run, index, token } = bench.lease(1);
    const done = bench.hear({ kind: "ack", lease: { run, index, token }, verdict: "accepted" });
    expect(kinds(done)).toEqual(["stopped"]);
  });

  it("gives a grant that was on its way straight back", () => {
    const bench = new Bench([plannedStep("a")]);
    bench.welcome();
    bench.tell({ kind: "stop" });
    expect(kinds(bench.hear(bench.granted(bench.lease())))).toContain("send release");
  });
});

describe("a submission at a worker", () => {
  const bench = () => {
    const made = new Bench([plannedStep("a")]);
    const { run, digest } = made.run.submission;
    const submit = (bytes = made.run.bundle) =>
      made.tell({ kind: "bundle", run, digest, from: null, bytes, question: 7 });
    return { made, run, submit };
  };

  it("is stored before it is announced and answered", () => {
    const { run, submit } = bench();
    const effects = submit();
    expect(kinds(effects)).toEqual(["store", "publish", "send announce", "answer"]);
    expect(effects[0]).toMatchObject({ operations: [{ kind: "put", key: workerKeys.pending + run }] });
  });

  it("is announced again until more than half of the control peers say the same of it", () => {
    const pending = new PendingRuns();
    const controls = new Set(["a", "b", "c"]);
    pending.add("run", "digest");
    // One that has not heard of what the domain knows, or lies; and one that is none any more.
    expect(pending.answered("run", "a", "refused", controls)).toBe(false);
    expect(pending.answered("run", "d", "refused", controls)).toBe(false);
    expect(pending.answered("run", "b", "admitted", controls)).toBe(false);
    expect(pending.answered("run", "b", "admitted", controls)).toBe(false);
    expect([...pending.entries()]).toEqual([["run", "digest"]]);
    expect(pending.answered("run", "c", "admitted", controls)).toBe(true);
    expect(pending.size).toBe(0);
  });

  it("is announced again until its only control peer says that it is admitted", () => {
    const { made, run, submit } = bench();
    made.tick(100);
    submit();
    expect(kinds(made.tick(limits.announceAgainMs))).toContain("send announce");
    made.hear({ kind: "announced", run, state: "admitted", reason: "" });
    expect(kinds(made.tick(limits.announceAgainMs))).not.toContain("send announce");
  });

  it("is turned away when the worker waits for the domain to take as many as it keeps", () => {
    const { made, submit } = bench();
    for (let index = 0; index < limits.submissionsPendingMax; index += 1) {
      const { bundle: bytes, submission } = runOf([plannedStep("a")], `other${index}`);
      const { run, digest } = submission;
      made.tell({ kind: "bundle", run, digest, from: null, bytes, question: 1 });
    }
    const answer = { ok: false, reason: "full" };
    expect(submit()).toMatchObject([{ kind: "answer", answer }]);
  });

  it("is turned away when it comes too late to be admitted", () => {
    const { made, submit } = bench();
    made.nowMs = limits.submissionMsDefault;
    expect(submit()).toMatchObject([{ kind: "answer", answer: { ok: false, reason: "expired" } }]);
  });

  it("is refused in words when a byte of it was changed", () => {
    const { made, submit } = bench();
    const changed = made.run.bundle.slice();
    changed[changed.length - 100] = (changed[changed.length - 100] ?? 0) ^ 1;
    const effects = submit(changed);
    expect(kinds(effects)).toEqual(["count-refused", "answer"]);
    expect(effects[1]).toMatchObject({ question: 7, answer: { ok: false, reason: "refused" } });
  });
});

describe("a worker tells the executor of a step", () => {
  const assignmentOf = (changes: Partial<PlannedStep>, more: Partial<GrantedLease> = {}) => {
    const bench = new Bench([plannedStep("a", [], changes)]);
    bench.welcome();
    const granted = bench.grant({ ...bench.lease(), ...more });
    const renewed = bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
    const started = [...granted, ...renewed].find(({ kind }) => kind === "start-step");
    if (started?.kind !== "start-step") throw new Error("it did not start");
    return { assignment: started.assignment, planId: bench.run.submission.planId };
  };

  it("what it runs in: the pipeline, the branch, the plan, and nothing of what is not known", () => {
    const { assignment, planId } = assignmentOf({});
    expect(assignment.surroundings).toEqual({
      OTTO_PIPELINE: "checks",
      OTTO_PLAN: planId,
      OTTO_TRIGGER: "manual",
      OTTO_BRANCH: "main",
    });
    const inside = assignmentOf(outside).assignment;
    expect(inside.surroundings).toMatchObject({ OTTO_ENVIRONMENT: "production" });
  });

  it("the values that it was granted, as variables", () => {
    const values = [
      { name: "built-version", value: "1.2" },
      { name: "count", value: -2.5 },
      { name: "isNew", value: false },
    ];
    expect(assignmentOf({}, { values }).assignment.surroundings).toMatchObject({
      OTTO_INPUT_BUILT_VERSION: "1.2",
      OTTO_INPUT_COUNT: "-2.5",
      OTTO_INPUT_ISNEW: "false",
    });
  });

  it("what it may say, keep and report, and whose caches it shares", () => {
    const extras = {
      values: [{ name: "v", type: "string" }],
      outcomes: ["outdated"],
      caches: [{ name: "gems", paths: ["vendor"], keyFiles: [] }],
      reports: [{ format: "junit", files: ["*.xml"] }],
    } as const;
    expect(assignmentOf(extras).assignment).toMatchObject(extras);
    expect(assignmentOf({}).assignment).toMatchObject({ values: [], outcomes: [], caches: [], reports: [] });
    expect(assignmentOf({}).assignment.cacheScope).toBe(`${exampleCharter.domain} checks`);
  });
});

it("gives back an exclusive step that came without a fencing token: its target could not tell it from a late one", () => {
  const bench = new Bench([plannedStep("a", [], { lock: "database" })]);
  bench.welcome();
  const { fence: _without, ...lease } = bench.lease();
  bench.grant(lease);
  const effects = bench.hear({ kind: "renewed", sentMs: bench.nowMs, superseded: [] });
  expect(kinds(effects)).toContain("send release");
  expect(kinds(effects)).not.toContain("start-step");
});

describe("a worker that has something at hand", () => {
  it("says with a pull what it has at hand, once", () => {
    const caches = [{ name: "modules", paths: ["node_modules"], keyFiles: [] }];
    const bench = new Bench([plannedStep("a", [], { caches })], 1);
    const [first] = said(bench.welcome());
    expect(first).not.toHaveProperty("atHand");
    bench.grant(bench.lease());
    const made = [{ name: "files", tree: "made", files: 1, bytes: 1 }];
    bench.end(bench.lease(), reportOf({ outputs: made }));
    const told = said(bench.tell({ kind: "kept", assignment: idOf(bench.lease()) }));
    const source = bench.run.submission.manifest.source;
    const tree = source.kind === "tree" ? source.tree : source.commit;
    expect(told).toMatchObject([
      { kind: "result", pull: { atHand: ["cache/checks/modules", tree, "made"] } },
    ]);
    const later = said(bench.hear({ ...bench.granted(), nonce: "w:1/2" } as Message));
    expect(later.find(({ kind }) => kind === "pull")).not.toHaveProperty("atHand");
  });
});

describe("a slot whose step is over", () => {
  const outputs = [{ name: "files", tree: "made", files: 1, bytes: 1 }];

  function over(): Bench {
    const bench = new Bench([plannedStep("a"), plannedStep("b")], 1);
    const [asked] = said(bench.welcome());
    if (asked?.kind !== "pull") throw new Error("it did not pull");
    bench.grant(bench.lease());
    bench.hear({ ...bench.granted(), nonce: asked.nonce } as Message);
    bench.tick(1_000);
    return bench;
  }

  it("is over for its worker, too, when the next grant says that the result is known", () => {
    const bench = new Bench([plannedStep("a")]);
    bench.welcome();
    bench.grant(bench.lease());
    bench.end(bench.lease());
    const { run, index, token } = bench.lease();
    const acks = [{ lease: { run, index, token }, verdict: "accepted" }] as const;
    bench.hear({ kind: "grant", nonce: "n", leases: [], bundles: {}, acks });
    expect(kinds(bench.tick(exampleCharter.leaseMs))).not.toContain("send result");
    expect(bench.core.isBusy).toBe(false);
  });

  it("is asked for in the message that tells the result", () => {
    const bench = over();
    expect(said(bench.end(bench.lease(), reportOf({ outputs })))).toEqual([]);
    const told = said(bench.tell({ kind: "kept", assignment: idOf(bench.lease()) }));
    expect(told).toMatchObject([{ kind: "result", pull: { slots: 1, again: false } }]);
  });

  it("is asked for without it when what the step made is long to be kept", () => {
    const bench = over();
    bench.end(bench.lease(), reportOf({ outputs }));
    expect(bench.core.tickAfterMs(bench.now)).toBe(limits.pullWithResultMs);
    expect(said(bench.tick(limits.pullWithResultMs - 1))).toEqual([]);
    expect(said(bench.tick(1))).toMatchObject([{ kind: "pull", slots: 1 }]);
  });
});
