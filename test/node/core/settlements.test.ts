/** Steps that no worker does: who may settle them, what settles them first, and that a new home goes on with them. */

import { describe, expect, it } from "vitest";
import { controlKeys } from "../../../node/core/control.ts";
import { limits } from "../../../protocol/limits.ts";
import { openEntry } from "../../../protocol/log.ts";
import type { PlannedStep, StepAction } from "../../../protocol/plan.ts";
import { type Answer, sealAnswer } from "../../../protocol/answers.ts";
import { type Document, sealDocument } from "../../../protocol/documents.ts";
import type { Policy } from "../../../protocol/policy.ts";
import { sealCertificate } from "../../../protocol/certificate.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { submissionOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { answers, Bench, events, said } from "./bench.ts";
import { controlKeysOf, exampleCharter } from "./example.ts";

const asks: Extract<StepAction, { kind: "approve" }> = {
  kind: "approve",
  question: "Go on?",
  by: [],
  count: 1,
};
const poll = { url: "https://www.example.org/", everyMs: 5_000, until: "true", fails: null };
const waits: StepAction = { kind: "wait", callback: "outside", poll };

function settled(name: string, action: StepAction, needs: readonly string[] = []): PlannedStep {
  return { ...plannedStep(name, needs), commands: [], action, timeoutMs: 60_000 };
}

/** What a person of the domain signs. */
function answerBy(name: string, run: string, said: Partial<Answer>, signer = name): Uint8Array {
  const keys = simulatedKeys(signer);
  const { domain } = exampleCharter;
  const certificate = sealCertificate(
    domain,
    { otto: "certificate/1", peer: keys.peer, role: "person", name, expiresMs: 2_000_000_000_000 },
    simulatedKeys("owner"),
  );
  const answer: Answer = {
    otto: "answer/1",
    run,
    manifest: manifestOf(run),
    step: "ok",
    verdict: "passed",
    detail: "",
    ...said,
  };
  return sealAnswer(answer, domain, { keys, certificate });
}

const manifests = new Map<string, string>();
const manifestOf = (run: string): string => manifests.get(run) ?? "";

function started(steps: readonly PlannedStep[]) {
  const bench = new Bench();
  const { submission } = submissionOf(steps, exampleCharter, "n1");
  manifests.set(submission.run, submission.manifestCid);
  const { run, effects } = bench.submit(steps);
  const answer = (bytes: Uint8Array, said: { verdict: "passed" | "failed"; detail: string } | null = null) =>
    bench.tell({ kind: "answer-step", bytes, said, question: 7 });
  return { bench, run, effects, answer };
}

const isRefused = (why: string) => [
  { ok: false, reason: "refused", detail: expect.stringContaining(why) as string },
];

describe("an approval", () => {
  it("waits without a worker, until a person says yes", () => {
    const { bench, run, effects, answer } = started([settled("ok", asks), plannedStep("b", ["ok"])]);
    expect(events(effects)).toContainEqual(expect.objectContaining({ kind: "step-waiting", step: "ok" }));
    expect(said(bench.pull(), "grant")).toEqual([]);
    const told = answer(answerBy("ann", run, { detail: "fine" }));
    expect(answers(told)).toEqual([{ ok: true }]);
    const by = simulatedKeys("ann").peer;
    const fact = { kind: "step-settled", outcome: "passed", cause: "approved", by, detail: "fine" };
    expect(events(told)).toContainEqual(expect.objectContaining(fact));
    expect(said(told, "grant")).toMatchObject([{ leases: [{ index: 1 }] }]);
  });

  it("needs as many people as it says, each once", () => {
    const { run, answer } = started([settled("ok", { ...asks, count: 2 })]);
    const first = answer(answerBy("ann", run, {}));
    expect(events(first)).toMatchObject([{ kind: "step-answered", verdict: "passed" }]);
    expect(answers(answer(answerBy("ann", run, {})))).toEqual(isRefused("answered before"));
    expect(events(answer(answerBy("bob", run, {})))).toMatchObject([
      { kind: "step-settled", cause: "approved" },
      { kind: "run-closed", outcome: "passed" },
    ]);
  });

  it("is declined by one no", () => {
    const { run, answer } = started([settled("ok", { ...asks, count: 2 })]);
    answer(answerBy("ann", run, {}));
    expect(events(answer(answerBy("bob", run, { verdict: "failed" })))).toMatchObject([
      { kind: "step-settled", outcome: "failed", cause: "declined" },
      { kind: "run-closed", outcome: "failed" },
    ]);
  });

  it("takes no answer of those who are not asked, of strangers, for another submission or too early", () => {
    const steps = [plannedStep("a"), settled("ok", { ...asks, by: ["bob"] }), settled("late", asks, ["a"])];
    const { run, answer } = started(steps);
    expect(answers(answer(answerBy("ann", run, {})))).toEqual(isRefused("ann is not among those"));
    expect(answers(answer(answerBy("bob", run, { manifest: "other" })))).toEqual(
      isRefused("another submission"),
    );
    expect(answers(answer(answerBy("bob", run, { step: "late" })))).toEqual(isRefused("does not wait yet"));
    expect(answers(answer(answerBy("bob", run, { step: "a" })))).toEqual(isRefused("done by a worker"));
    expect(answers(answer(answerBy("bob", run, { step: "gone" })))).toEqual(isRefused("no step gone"));
    expect(answers(answer(answerBy("bob", run, { verdict: null })))).toEqual(
      isRefused("signature of their own"),
    );
    expect(answers(answer(answerBy("bob", "nowhere", {})))).toMatchObject([{ reason: "no-such-run" }]);
    const forged = answerBy("bob", run, {});
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
    expect(answers(answer(forged))).toMatchObject([{ reason: "stranger" }]);
    expect(answers(answer(answerBy("bob", run, {})))).toEqual([{ ok: true }]);
  });

  it("times out, by the wall clock, also when another home began it", () => {
    const { bench, run, answer } = started([settled("ok", asks)]);
    bench.tick(59_000);
    bench.restart();
    expect(answers(answer(answerBy("ann", run, { verdict: "inconclusive" })))).toEqual(
      isRefused("yes or no"),
    );
    expect(events(bench.tick(1_500))).toMatchObject([
      { kind: "step-settled", outcome: "timed-out", cause: "expired", by: null },
      { kind: "run-closed", outcome: "failed" },
    ]);
  });

  it("goes on under a new home with the answers that it had", () => {
    const { bench, run, answer } = started([settled("ok", { ...asks, count: 2 })]);
    answer(answerBy("ann", run, {}));
    bench.restart();
    const told = [...bench.disk].flatMap(([key, bytes]) => {
      const isEntry = key.startsWith(controlKeys.entries);
      const opened = isEntry ? openEntry(bytes, exampleCharter.domain, controlKeysOf) : null;
      return opened?.ok === true && opened.value.entry.incarnation.endsWith(".2")
        ? opened.value.entry.events
        : [];
    });
    expect(told.map(({ kind }) => kind)).toEqual(["run-admitted", "step-waiting", "step-answered"]);
    expect(answers(answer(answerBy("ann", run, {})))).toEqual(isRefused("answered before"));
    expect(events(answer(answerBy("bob", run, {})))).toContainEqual(
      expect.objectContaining({ kind: "step-settled", cause: "approved" }),
    );
  });

  it("holds nobody up when the run is cancelled", () => {
    const { bench, run, answer } = started([settled("ok", asks)]);
    const effects = bench.tell({ kind: "cancel", run, by: "ann", question: 3 });
    expect(events(effects)).toMatchObject([
      { kind: "cancel-requested" },
      { kind: "run-closed", outcome: "cancelled" },
    ]);
    expect(answers(answer(answerBy("ann", run, {})))).toMatchObject([{ reason: "no-such-run" }]);
  });
});

describe("a wait", () => {
  const polls = (effects: readonly { readonly kind: string }[]) =>
    effects.filter(({ kind }) => kind === "poll").length;
  const polledBy = (run: string, verdict: "passed" | "failed" | null) =>
    ({ kind: "polled", polled: { run, index: 0, verdict, detail: "it answered 200" } }) as const;

  it("polls at its pace until something settles it", () => {
    const { bench, run } = started([settled("ok", waits)]);
    expect(polls(bench.tick())).toBe(1);
    expect(polls(bench.tick(60))).toBe(0);
    bench.tell(polledBy(run, null));
    expect(polls(bench.tick(4_900))).toBe(0);
    expect(polls(bench.tick(200))).toBe(1);
    expect(events(bench.tell(polledBy(run, "passed")))).toMatchObject([
      { kind: "step-settled", outcome: "passed", cause: "poll", detail: "it answered 200" },
      { kind: "run-closed", outcome: "passed" },
    ]);
  });

  it("is settled by whichever comes first, the callback or the poll", () => {
    const { bench, run, answer } = started([settled("ok", waits), settled("later", asks)]);
    bench.tick();
    const bearer = answer(answerBy("ann", run, { verdict: null }), { verdict: "failed", detail: "down" });
    expect(events(bearer)).toMatchObject([
      { kind: "step-settled", outcome: "failed", cause: "callback", detail: "down" },
    ]);
    expect(events(bench.tell(polledBy(run, "passed")))).toEqual([]);
    expect(answers(answer(answerBy("ann", run, { verdict: null })))).toMatchObject([{ reason: "closed" }]);
  });

  it("is hastened, and not settled, by what is inconclusive", () => {
    const { bench, run, answer } = started([settled("ok", waits)]);
    bench.tick();
    bench.tell(polledBy(run, null));
    const hint = answer(answerBy("ann", run, { verdict: "inconclusive" }));
    expect(events(hint)).toMatchObject([{ kind: "step-answered", verdict: "inconclusive" }]);
    expect(polls(bench.tick())).toBe(1);
  });

  it("has no log without end of somebody who says again and again that it is inconclusive", () => {
    const { run, answer } = started([settled("ok", waits)]);
    let noted = 0;
    for (let count = 0; count < limits.inconclusiveNotedMax + 5; count += 1) {
      const hint = answer(answerBy("ann", run, { verdict: "inconclusive" }));
      expect(answers(hint)).toEqual([{ ok: true }]);
      noted += events(hint).length;
    }
    expect(noted).toBe(limits.inconclusiveNotedMax);
  });

  it("takes no callback when it declares none", () => {
    const { run, answer } = started([settled("ok", { ...waits, callback: null })]);
    expect(answers(answer(answerBy("ann", run, {})))).toEqual(isRefused("its poll alone"));
  });
});

describe("a nested pipeline", () => {
  const group = (members: readonly string[]): PlannedStep => ({
    ...settled("all", { kind: "pipeline", members }),
    needs: members.map((step) => ({
      step,
      outcomes: ["passed", "failed", "timed-out", "cancelled", "skipped"],
    })),
  });

  it.each([
    ["passed", "passed", "passed"],
    ["passed", "failed", "failed"],
  ] as const)("ends as its steps do: %s and %s are %s", (left, right, outcome) => {
    const { bench, run } = started([settled("l", waits), settled("r", waits), group(["l", "r"])]);
    bench.tell({ kind: "polled", polled: { run, index: 0, verdict: left, detail: "" } });
    const effects = bench.tell({ kind: "polled", polled: { run, index: 1, verdict: right, detail: "" } });
    expect(events(effects)).toContainEqual(
      expect.objectContaining({ kind: "step-settled", step: "all", cause: "members", outcome }),
    );
    expect(events(effects)).toContainEqual(expect.objectContaining({ kind: "run-closed", outcome }));
  });
});

describe("an approval by a team", () => {
  const team = ["team/release"];

  /** The domain's policy, and a run in which these are asked. */
  function startedWith(policy: Policy, action: Partial<typeof asks>) {
    const bench = new Bench();
    const document: Document = {
      otto: "document/1",
      topic: "policy",
      name: "domain",
      version: 1,
      timeMs: bench.now.wallMs,
      body: { text: "", policy },
    };
    const owner = { keys: simulatedKeys("owner"), certificate: null };
    bench.tell({
      kind: "put-document",
      bytes: sealDocument(document, exampleCharter.domain, owner),
      question: 3,
    });
    const steps = [settled("ok", { ...asks, ...action })];
    const { submission } = submissionOf(steps, exampleCharter, "n1");
    manifests.set(submission.run, submission.manifestCid);
    const { run, effects } = bench.submit(steps);
    const answer = (bytes: Uint8Array) => bench.tell({ kind: "answer-step", bytes, said: null, question: 7 });
    return { run, effects, answer };
  }
  const policy: Policy = {
    "otto-policy": 1,
    people: { ann: simulatedKeys("ann").peer, bob: simulatedKeys("bob").peer },
    teams: { release: ["ann", "bob"] },
  };

  it("takes the yes of those whose keys are the team's, whatever they are called, and of nobody who is called so", () => {
    const { run, answer } = startedWith(policy, { by: team, count: 2 });
    expect(answers(answer(answerBy("ann", run, {}, "eve")))).toEqual(isRefused("not among those"));
    expect(answers(answer(answerBy("worker-7f", run, {}, "ann")))).toEqual([{ ok: true }]);
    expect(answers(answer(answerBy("ann", run, {}, "ann")))).toEqual(isRefused("answered before"));
    expect(events(answer(answerBy("bob", run, {})))).toContainEqual(
      expect.objectContaining({ kind: "step-settled", cause: "approved" }),
    );
  });

  it("takes a person who is named from the key that the policy says alone, as soon as it names anybody", () => {
    const { run, answer } = startedWith(policy, { by: ["ann", "bob"], count: 2 });
    expect(answers(answer(answerBy("ann", run, {}, "eve")))).toEqual(isRefused("ann is not among those"));
    expect(answers(answer(answerBy("bob", run, {}, "bob")))).toEqual([{ ok: true }]);
    expect(answers(answer(answerBy("ann", run, {})))).toEqual([{ ok: true }]);
  });

  it("takes whoever is called so where the policy names nobody", () => {
    const { run, answer } = startedWith({ "otto-policy": 1 }, { by: ["cyd"] });
    expect(answers(answer(answerBy("dan", run, {}, "cyd")))).toEqual(isRefused("not among those"));
    expect(answers(answer(answerBy("cyd", run, {}, "cyd")))).toEqual([{ ok: true }]);
  });

  it("is of a team that the policy knows, and that has as many as it takes, or the plan is refused", () => {
    const refusedWith = (by: Policy, action: Partial<typeof asks>) =>
      answers(startedWith(by, action).effects);
    const why = (detail: string) => [{ ok: false, reason: "forbidden", detail }];
    const none: Policy = { "otto-policy": 1 };
    expect(refusedWith(none, { by: team })).toMatchObject(
      why("ok is to be approved by team/release, which the policy does not know"),
    );
    expect(refusedWith(policy, { by: team, count: 3 })).toMatchObject(
      why("ok is to be approved by 3, and team/release are at most 2"),
    );
    expect(refusedWith(policy, { by: [...team, "cyd"], count: 1 })).toMatchObject(
      why("ok is to be approved by cyd, whom the policy does not know"),
    );
    expect(refusedWith(policy, { by: [...team, "ann"], count: 3 })).toMatchObject(
      why("ok is to be approved by 3, and team/release, ann are at most 2"),
    );
    expect(refusedWith(none, { by: ["cyd", "dan"], count: 2 })).toEqual([{ ok: true }]);
  });
});
