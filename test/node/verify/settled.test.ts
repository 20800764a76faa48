/** Steps that people, something outside or other steps settle: what their plan allows, and what is found. */

import { describe, expect, it } from "vitest";
import { sealAnswer, type Answer } from "../../../protocol/answers.ts";
import type { Noted } from "../../../protocol/log.ts";
import type { PlannedStep, StepAction } from "../../../protocol/plan.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { certificateOf, submissionOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { charter, closed, codesOf, entriesBy, exportOf, noted, verified } from "./recorded.ts";

function asked(name: string, action: StepAction, needs: readonly string[] = []): PlannedStep {
  return plannedStep(name, needs, { commands: [], action, retry: { attemptsMax: 1, on: [] } });
}

const until = "response.status == 200";
const poll = { url: "https://www.example.org/", everyMs: 1_000, until, fails: null };
const steps = [
  asked("good", { kind: "approve", question: "Is it good?", by: ["ada", "bob"], count: 2 }),
  asked("online", { kind: "wait", callback: "pingdom", poll: null }, ["good"]),
  asked("polled", { kind: "wait", callback: null, poll }, ["good"]),
  asked("all", { kind: "pipeline", members: ["online", "polled"] }, ["online", "polled"]),
];
const { bundle, submission } = submissionOf(steps, charter, "settled");
const { run, manifestCid: manifest } = submission;

function told(fields: Parameters<typeof noted>[0]): Noted {
  return noted({ ...fields, run });
}

function signed(step: string, changes: Partial<Answer> = {}, name = "person"): Uint8Array {
  const keys = simulatedKeys(name);
  const answer: Answer = { otto: "answer/1", run, manifest, step, verdict: "passed", detail: "", ...changes };
  return sealAnswer(answer, charter.domain, {
    keys,
    certificate: certificateOf(charter, keys.peer, "person"),
  });
}

const first = simulatedKeys("person").peer;
const second = simulatedKeys("another").peer;
const admitted = told({
  kind: "run-admitted",
  manifest,
  plan: submission.planId,
  pipeline: submission.manifest.plan.pipeline,
  submitter: submission.submitter.peer,
  steps: steps.length,
});

function waits(step: string): Noted {
  return told({ kind: "step-waiting", step, untilMs: 2_000_000_000_000 });
}

function answered(evidence: Uint8Array, by = first): Noted {
  return told({ kind: "step-answered", step: "good", by, verdict: "passed", detail: "", evidence });
}

function settled(
  step: string,
  cause: string,
  outcome: string,
  evidence: Uint8Array | null = null,
  by: string | null = evidence === null ? null : first,
): Noted {
  return told({ kind: "step-settled", step, outcome, cause, by, detail: "", evidence });
}

const yes = answered(signed("good"));
const approved = settled("good", "approved", "passed", signed("good", {}, "another"), second);
const called = settled("online", "callback", "passed", signed("online", { verdict: null }));
const polled = settled("polled", "poll", "passed");
const members = settled("all", "members", "passed");
const begun = [admitted, waits("good"), yes, approved, waits("online"), waits("polled")];
const end = { ...closed("passed"), event: { ...closed("passed").event, run } };
const story = [...begun, called, polled, members, end];

function storyWith(replaced: Noted, ...instead: readonly Noted[]): readonly Noted[] {
  return story.flatMap((one) => (one === replaced ? instead : [one]));
}

function codes(...authors: readonly (readonly Noted[])[]): readonly string[] {
  const entries = authors.flatMap((one, index) => entriesBy(`control${index}`, one));
  return codesOf(verified(exportOf(entries, { run, bundle, certificates: [] })));
}

describe("a run whose steps were settled kept to its plan", () => {
  it("when people, something outside, a poll and other steps settled them", () => {
    expect(codes(story)).toEqual([]);
  });

  it("when another home found them settled, and does not know who else said yes", () => {
    expect(codes(begun.slice(0, 4), [admitted, approved, called, polled, members, end])).toEqual([]);
  });

  it("when another home found an approval, and tells who had given it", () => {
    expect(codes([admitted, yes, approved, called, polled, members, end])).toEqual([]);
  });

  it("when a callback hastened, or nothing came in time", () => {
    const hint = { kind: "step-answered", step: "online", by: first, verdict: "inconclusive" } as const;
    const evidence = signed("online", { verdict: null });
    const failed = settled("all", "members", "failed");
    const late = settled("online", "expired", "timed-out");
    const skipped = told({ kind: "step-skipped", step: "all", reason: "online timed out" });
    const failing = { ...end, event: { ...end.event, outcome: "failed" } } as Noted;
    const hinted = [...begun, told({ ...hint, detail: "", evidence })];
    expect(codes([...hinted, late, skipped, polled, failing])).toEqual([]);
    expect(codes([...hinted, late, skipped, polled, failed, failing])).toEqual([
      "contradiction all",
      "started-left-out all",
    ]);
  });
});

/** What a home records, and what is found. */
const histories: readonly (readonly [string, readonly Noted[], readonly string[]])[] = [
  [
    "a poll failed that looks for no failure",
    [
      ...begun,
      called,
      settled("polled", "poll", "failed"),
      told({ kind: "step-skipped", step: "all", reason: "polled failed" }),
      { ...end, event: { ...end.event, outcome: "failed" } } as Noted,
    ],
    ["settled-otherwise polled"],
  ],
  ["fewer people approved than it takes", storyWith(yes), ["approvals-missing good"]],
  [
    "one person approved twice",
    storyWith(yes, answered(signed("good", {}, "another"), second)),
    ["approvals-missing good"],
  ],
  [
    "an approval is recorded that nobody signed",
    storyWith(approved, settled("good", "approved", "passed", null, second)),
    ["answer-missing good", "approvals-missing good"],
  ],
  [
    "a person signed no where a yes is recorded",
    storyWith(
      approved,
      settled("good", "approved", "passed", signed("good", { verdict: "failed" }, "another"), second),
    ),
    ["answer-invalid good", "approvals-missing good"],
  ],
  [
    "a yes was signed for another submission",
    storyWith(yes, answered(signed("good", { manifest: "another" }))),
    ["answer-invalid good", "approvals-missing good"],
  ],
  [
    "a yes was signed for another step",
    storyWith(yes, answered(signed("online"))),
    ["answer-invalid good", "answer-missing good", "approvals-missing good"],
  ],
  [
    "a yes was signed for another run",
    storyWith(yes, answered(signed("good", { run: "another" }))),
    ["answer-invalid good", "answer-missing good", "approvals-missing good"],
  ],
  [
    "a yes is another's than recorded",
    storyWith(yes, answered(signed("good"), second)),
    ["answer-invalid good", "answer-missing good", "approvals-missing good"],
  ],
  [
    "what was signed is nothing",
    storyWith(yes, answered(Uint8Array.of(1))),
    ["answer-invalid good", "answer-missing good", "approvals-missing good"],
  ],
  [
    "a step is settled by what its plan does not name",
    storyWith(polled, settled("polled", "callback", "passed", signed("polled", { verdict: null }))),
    ["settled-otherwise polled"],
  ],
  [
    "a step ends as that cannot end it",
    storyWith(polled, settled("polled", "poll", "timed-out")),
    ["outcome-differs", "settled-otherwise polled", "skip-untold all", "started-left-out all"],
  ],
  [
    "a nested pipeline ends otherwise than its steps",
    storyWith(members, settled("all", "members", "failed")),
    ["outcome-differs", "settled-otherwise all"],
  ],
  [
    "a step is settled before its needs have ended",
    [admitted, waits("online"), ...story.slice(1)],
    ["started-early online"],
  ],
  [
    "a step is settled twice",
    storyWith(end, settled("polled", "poll", "failed"), end),
    ["contradiction polled", "ended-again polled"],
  ],
  ["a step waits again after it was settled", storyWith(end, waits("polled"), end), ["started-again polled"]],
  ["somebody is recorded to have answered who was not asked", storyWith(end, yes, end), ["not-asked good"]],
];

describe("it is found when", () => {
  it.each(histories)("%s", (_, history, found) => {
    expect(codes(history)).toEqual(found);
  });

  it("somebody answers who is not among those who may", () => {
    const only = submissionOf(
      [asked("good", { kind: "approve", question: "?", by: ["bob"], count: 1 })],
      charter,
      "o",
    );
    const here = { run: only.submission.run };
    const evidence = signed("good", { run: here.run, manifest: only.submission.manifestCid });
    const told = [settled("good", "approved", "passed", evidence)].map((one) => ({
      ...one,
      event: { ...one.event, ...here },
    }));
    const admission = {
      ...admitted,
      event: {
        ...admitted.event,
        ...here,
        manifest: only.submission.manifestCid,
        plan: only.submission.planId,
        steps: 1,
      },
    };
    const entries = entriesBy("control0", [admission, ...told]);
    const exported = exportOf(entries, { ...here, bundle: only.bundle, certificates: [] });
    expect(codesOf(verified(exported))).toEqual(["answer-not-entitled good"]);
  });

  it("a worker's step is settled by somebody else", () => {
    const work = submissionOf([plannedStep("build")], charter, "w");
    const here = { run: work.submission.run };
    const plan = { manifest: work.submission.manifestCid, plan: work.submission.planId, steps: 1 };
    const told = [
      { ...admitted, event: { ...admitted.event, ...here, ...plan } },
      { ...polled, event: { ...polled.event, ...here, step: "build" } as Noted["event"] },
    ];
    const exported = exportOf(entriesBy("control0", told), {
      ...here,
      bundle: work.bundle,
      certificates: [],
    });
    expect(codesOf(verified(exported))).toEqual(["not-for-the-mesh build"]);
  });
});
