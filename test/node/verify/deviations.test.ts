/** A home that signs what its plan does not allow is found out, whatever it is, and by its name. */

import { describe, expect, it } from "vitest";
import { Findings } from "../../../node/verify/finding.ts";
import { checkReport } from "../../../node/verify/reports.ts";
import type { AttemptEnded } from "../../../protocol/events.ts";
import type { Noted } from "../../../protocol/log.ts";
import type { StepReport } from "../../../protocol/report.ts";
import {
  admitted,
  afterBuild,
  again,
  buildEnded,
  buildStarted,
  cancelRequested,
  closed,
  codesOf,
  ended,
  endedBy,
  entriesBy,
  exportOf,
  files,
  isClosed,
  leftOut,
  neverTold,
  notTold,
  refused,
  skipped,
  started,
  story,
  storyWith,
  testEnded,
  testStarted,
  verdictOn,
  verified,
  withEvent,
  worker,
} from "./recorded.ts";
import { plannedStep, reportOf } from "../view/example.ts";

const entries = entriesBy("control0", story);

/** What a home records, and what is found. */
const histories: readonly (readonly [string, readonly Noted[], readonly string[]])[] = [
  [
    "an attempt of a step that was left out",
    storyWith(isClosed, started("release"), isClosed),
    ["contradiction release", "started-left-out release"],
  ],
  [
    "an attempt before its needs had ended",
    storyWith(buildStarted, testStarted, buildStarted),
    ["started-early test"],
  ],
  [
    "a branch that was not taken",
    storyWith(notTold, started("tell"), ended("tell", "passed")),
    ["skip-untold tell", "started-left-out tell"],
  ],
  [
    "an attempt of a step that people settle",
    storyWith(isClosed, started("ask"), isClosed),
    ["contradiction ask", "not-for-workers ask", "started-left-out ask"],
  ],
  ["a step that nobody planned", storyWith(isClosed, started("mine"), isClosed), ["unknown-step mine"]],
  [
    "one more attempt than allowed",
    afterBuild(
      testStarted,
      ended("test", "failed", { final: false }),
      started("test", 2),
      ended("test", "failed", { attempt: 2, final: false }),
      started("test", 3),
      ended("test", "passed", { attempt: 3 }),
      notTold,
      isClosed,
    ),
    ["extra-attempt test"],
  ],
  [
    "another attempt for a cause that does not allow it",
    afterBuild(testStarted, endedBy("test", "lost", { final: false }), ...again("test"), notTold, isClosed),
    ["extra-attempt test"],
  ],
  [
    "another attempt after one that passed",
    storyWith(buildEnded, ended("build", "passed", { final: false }), ...again("build")),
    ["extra-attempt build"],
  ],
  [
    "no second attempt though the plan has one",
    afterBuild(
      testStarted,
      ended("test", "failed"),
      started("tell"),
      ended("tell", "passed"),
      closed("failed"),
    ),
    ["gave-up-early test"],
  ],
  [
    "an attempt after the step was over",
    storyWith(isClosed, started("build", 2), isClosed),
    ["contradiction build", "started-again build"],
  ],
  [
    "two attempts at once",
    storyWith(buildEnded, started("build", 2), ended("build", "passed", { attempt: 2 })),
    ["attempt-number build", "started-again build"],
  ],
  [
    "a gap between attempts",
    storyWith(buildStarted, started("build", 2)).map((one) =>
      one === buildEnded ? ended("build", "passed", { attempt: 2 }) : one,
    ),
    ["attempt-number build"],
  ],
  [
    "a token that does not rise",
    storyWith(
      buildEnded,
      endedBy("build", "lost", { final: false }),
      started("build", 2, 1),
      ended("build", "passed", { attempt: 2, token: 1 }),
    ),
    ["token-order build"],
  ],
  [
    "the end of another attempt than began",
    storyWith(buildEnded, ended("build", "passed", { token: 5 })),
    ["contradiction build", "ended-otherwise build"],
  ],
  [
    "two ends of one step",
    storyWith(testStarted, ended("build", "failed", { attempt: 2 }), testStarted),
    ["contradiction build", "ended-again build"],
  ],
  [
    "two ends of one attempt",
    storyWith(testStarted, ended("build", "failed"), testStarted),
    ["contradiction build", "ended-again build"],
  ],
  [
    "a step skipped that could run",
    storyWith(testStarted, skipped("test", "it was late")).filter(
      (one) => one !== testEnded && one !== notTold,
    ),
    ["skipped-unfounded test", "unfinished test"],
  ],
  [
    "a step skipped for another reason",
    storyWith(leftOut, skipped("release", "nobody wanted it")),
    ["skipped-unfounded release"],
  ],
  ["nothing of a step that was left out", storyWith(leftOut), ["skip-untold release"]],
  [
    "a result that was refused as the one that counts",
    storyWith(buildEnded, refused("build", 1), buildEnded),
    ["refused-result-won build"],
  ],
  [
    "a cancelled step in a run that nobody cancelled",
    storyWith(testEnded, ended("test", "cancelled")).map((one) =>
      one === notTold ? neverTold : one === isClosed ? closed("failed") : one,
    ),
    ["cancelled-by-nobody test"],
  ],
  [
    "a cancelled run that nobody cancelled",
    afterBuild(closed("cancelled")),
    ["cancelled-by-nobody", "unfinished test"],
  ],
  ["another outcome of the run", storyWith(isClosed, closed("failed")), ["outcome-differs"]],
  ["two outcomes of the run", [...story, closed("failed")], ["contradiction"]],
  ["the end of the run before its steps'", afterBuild(isClosed), ["unfinished test"]],
  ["something after the end of the run", [...story, cancelRequested], ["after-close", "entry-missing"]],
  [
    "steps without the admission",
    story.slice(1),
    [
      "not-admitted ask",
      "not-admitted build",
      "not-admitted release",
      "not-admitted tell",
      "not-admitted test",
      "unfinished",
    ],
  ],
  ["another plan", storyWith(admitted, withEvent(admitted, { plan: "bafyother" })), ["other-plan"]],
  ["another manifest", storyWith(admitted, withEvent(admitted, { manifest: "bafyother" })), ["other-plan"]],
  ["another submitter", storyWith(admitted, withEvent(admitted, { submitter: worker.peer })), ["other-plan"]],
  ["another number of steps", storyWith(admitted, withEvent(admitted, { steps: 3 })), ["other-plan"]],
  [
    "a passed attempt without a word of its worker's",
    storyWith(testEnded, endedBy("test", "finished")),
    ["result-unsigned test"],
  ],
];

const unsigned = { ...testEnded, result: null };
const passedFor = (changes: object) => ended("test", "passed", changes);

/** What is recorded of how `test` ended, and what is found. */
const reports: readonly (readonly [string, Noted, readonly string[]])[] = [
  ["without its worker's signature", unsigned, ["result-unsigned test"]],
  [
    "that another worker signed",
    passedFor({ signer: "worker1" }),
    ["result-invalid test", "result-unsigned test"],
  ],
  [
    "that was signed for another run",
    passedFor({ signed: { run: "another" } }),
    ["result-invalid test", "result-unsigned test"],
  ],
  [
    "that was signed for another step",
    passedFor({ signed: { step: "build" } }),
    ["result-invalid test", "result-unsigned test"],
  ],
  [
    "that was signed for another attempt",
    passedFor({ signed: { attempt: 2 } }),
    ["result-invalid test", "result-unsigned test"],
  ],
  [
    "that was signed under another token",
    passedFor({ signed: { token: 9 } }),
    ["result-invalid test", "result-unsigned test"],
  ],
  [
    "that was signed for another place in the plan",
    passedFor({ signed: { index: 0 } }),
    ["result-invalid test"],
  ],
  [
    "of other files than it should have had",
    passedFor({ signed: { inputs: "cd".repeat(32) } }),
    ["inputs-differ test"],
  ],
  [
    "with another outcome than was recorded",
    passedFor({ report: { outcome: "failed" } }),
    ["report-differs test"],
  ],
  [
    "as one that could not begin, of a step that did",
    withEvent(ended("test", "failed"), { cause: "unprepared" }),
    ["report-differs test"],
  ],
  [
    "that passed with a command that failed",
    passedFor({
      report: { commands: [{ startedMs: 0, durationMs: 1, logOffset: 0, end: { kind: "exit", code: 3 } }] },
    }),
    ["report-differs test"],
  ],
  ["that passed without its commands", passedFor({ report: { commands: [] } }), ["report-differs test"]],
  [
    "with more commands than planned",
    passedFor({
      report: {
        commands: [0, 1].map((startedMs) => ({
          startedMs,
          durationMs: 1,
          logOffset: 0,
          end: { kind: "exit", code: 0 },
        })),
      },
    }),
    ["report-differs test"],
  ],
  [
    "with an output that is not declared",
    passedFor({ report: { outputs: [files] } }),
    ["outputs-differ test"],
  ],
];

describe("it is found when a home records", () => {
  it.each(histories)("%s", (_, told, codes) => {
    expect(codesOf(verdictOn(told))).toEqual([...codes].sort());
  });

  it.each(reports)("a report %s", (_, end, codes) => {
    expect(codesOf(verdictOn(storyWith(testEnded, end)))).toEqual(expect.arrayContaining([...codes]));
  });

  it("a step that passed without what it should have made", () => {
    const nothing = ended("build", "passed", { report: { outputs: [] } });
    expect(codesOf(verdictOn(storyWith(buildEnded, nothing)))).toContain("outputs-differ build");
  });

  it("an end that another home saw go on", () => {
    const lost = endedBy("build", "lost", { final: false });
    const on = [admitted, leftOut, lost, started("build", 2), ended("build", "passed", { attempt: 2 })];
    const over = [admitted, leftOut, endedBy("build", "lost")];
    const both = [...entriesBy("control0", over), ...entriesBy("control1", on)];
    const { findings } = verified(exportOf(both));
    expect(findings).toContainEqual({
      code: "contradiction",
      step: "build",
      expected: "One record says: the step was over with attempt 1.",
      recorded: "Another says: there was an attempt 2.",
    });
  });

  it("what another home tells differently", () => {
    const other = entriesBy("control1", storyWith(testEnded, endedBy("test", "lost")));
    expect(codesOf(verified(exportOf([...entries, ...other])))).toContain("contradiction test");
  });

  it("two reports of one attempt, each to be had from another home", () => {
    const another = ended("test", "passed", { report: { durationMs: 9 } });
    const other = entriesBy("control1", storyWith(testEnded, another));
    expect(codesOf(verified(exportOf([...entries, ...other])))).toEqual(["contradiction test"]);
  });

  it("other values, or another outcome, than the plan declares, and not those that it declares", () => {
    const step = plannedStep("many", [], {
      values: [
        { name: "count", type: "number" },
        { name: "version", type: "string" },
      ],
      outcomes: ["outdated"],
      reports: [{ format: "junit", files: ["*.xml"] }],
    });
    const codes = (report: Partial<StepReport>): readonly string[] => {
      const known = { report: reportOf(report), envelope: null };
      const event = endedBy("test", "finished", {}, known).event as AttemptEnded;
      const findings = new Findings();
      checkReport({ event, result: null, step, index: 0, given: { inputs: [] } }, findings);
      return findings.all.map(({ code }) => code).filter((code) => code !== "result-unsigned");
    };
    const values = { count: 1, version: "1" };
    const outputs = [{ name: "report-junit", tree: "0".repeat(64), files: 1, bytes: 1 }];
    expect(codes({ values, ownOutcome: "outdated", outputs })).toEqual([]);
    expect(codes({ values: { ...values, count: "1" } })).toEqual(["outputs-differ"]);
    expect(codes({ values: { ...values, more: "1" } })).toEqual(["outputs-differ"]);
    expect(codes({ values: { count: 1 } })).toEqual(["outputs-differ"]);
    expect(codes({})).toEqual(["outputs-differ"]);
    expect(codes({ values, ownOutcome: "stale" })).toEqual(["outputs-differ"]);
  });

  it("too few commands, but not when there was no room for more in the report", () => {
    const commands = Array.from({ length: 200 }, (_, index) => `make ${index}`);
    const step = plannedStep("many", [], { commands });
    const codes = (reported: number): readonly string[] => {
      const command = { startedMs: 0, durationMs: 1, logOffset: 0, end: { kind: "exit", code: 0 } } as const;
      const report = reportOf({ commands: Array.from({ length: reported }, () => command) });
      const event = endedBy("test", "finished", {}, { report, envelope: null }).event as AttemptEnded;
      const findings = new Findings();
      checkReport({ event, result: null, step, index: 0, given: { inputs: [] } }, findings);
      return findings.all.map(({ code }) => code).filter((code) => code !== "result-unsigned");
    };
    expect([codes(20), codes(199), codes(200)]).toEqual([["report-differs"], [], []]);
  });
});
