/**
 * A run as its home recorded it, small enough to be read, and told in single events so that each can be changed: what a
 * lying or mistaken home would have signed is signed again, what a stranger would have changed is not.
 */

import { History } from "../../../node/core/history.ts";
import { type Verification, verifyRun } from "../../../node/verify/verify.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import type { AttemptCause, Event } from "../../../protocol/events.ts";
import type { Noted } from "../../../protocol/log.ts";
import { type Charter, sealCharter } from "../../../protocol/membership.ts";
import { inputsDigest } from "../../../protocol/attempt-content.ts";
import type { SignedResult } from "../../../protocol/messages.ts";
import type { Outcome, PlannedStep } from "../../../protocol/plan.ts";
import type { OutputReference, StepReport } from "../../../protocol/report.ts";
import type { ExportedRun } from "../../../protocol/run-export.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { certificateOf, charterOf, submissionOf } from "../../../simulations/workload.ts";
import { plannedStep, reportOf } from "../view/example.ts";

export const worker = simulatedKeys("worker0");
export const charter: Charter = charterOf([simulatedKeys("control0"), simulatedKeys("control1")], 10_000);
export const owner = simulatedKeys("owner");

export const steps: readonly PlannedStep[] = [
  plannedStep("build", [], { outputs: [{ name: "files", files: ["out/**"] }] }),
  plannedStep("test", ["build"], {
    inputs: [{ name: "built", step: "build", output: "files" }],
    retry: { attemptsMax: 2, on: ["failed"] },
  }),
  plannedStep("release", ["build"], { included: false, reason: 'when git.branch == "release" is false' }),
  plannedStep("ask", ["test"], {
    commands: [],
    included: false,
    reason: "nobody is there to ask",
    action: { kind: "approve", question: "Is it good?", by: [], count: 1 },
  }),
  plannedStep("tell", [], {
    needs: [{ step: "test", outcomes: ["failed", "timed-out"] }],
    retry: { attemptsMax: 1, on: [] },
    effect: true,
  }),
];
export const { bundle, submission } = submissionOf(steps, charter, "n1");
export const { run } = submission;
const timeMs = 1_700_000_001_000;
export const files: OutputReference = { name: "files", tree: "ab".repeat(32), files: 1, bytes: 10 };
const given = [{ name: "built", tree: files.tree }];

/** An event of this run, with what its worker signed. */
export function noted(
  fields: { readonly kind: Event["kind"]; readonly [field: string]: unknown },
  result: Uint8Array | null = null,
): Noted {
  return { event: { run, timeMs, ...fields } as unknown as Event, result };
}

export const admitted = noted({
  kind: "run-admitted",
  manifest: submission.manifestCid,
  plan: submission.planId,
  pipeline: submission.manifest.plan.pipeline,
  submitter: submission.submitter.peer,
  steps: steps.length,
});
export const leftOut = skipped("release", 'when git.branch == "release" is false');
export const notAsked = skipped("ask", "nobody is there to ask");
export const notTold = skipped("tell", "test passed");
export const cancelRequested = noted({ kind: "cancel-requested", by: "ada" });

export function skipped(step: string, reason: string): Noted {
  return noted({ kind: "step-skipped", step, reason });
}

export function closed(outcome: "passed" | "failed" | "cancelled"): Noted {
  return noted({ kind: "run-closed", outcome });
}

export function started(step: string, attempt = 1, token = attempt * 2 - 1): Noted {
  return noted({ kind: "attempt-started", step, attempt, token, worker: worker.peer });
}

export function refused(step: string, token: number): Noted {
  const late = { step, attempt: 1, token, worker: worker.peer, outcome: "passed" };
  return noted({ kind: "result-refused", ...late });
}

type Ending = {
  readonly attempt?: number;
  readonly token?: number;
  readonly final?: boolean;
  readonly report?: Partial<StepReport>;
  /** What the worker signs instead of what is so. */
  readonly signed?: Partial<SignedResult>;
  readonly signer?: string;
};

/** The end of an attempt by its worker's result. */
export function ended(step: string, outcome: Exclude<Outcome, "skipped">, ending: Ending = {}): Noted {
  const { attempt = 1, token = attempt * 2 - 1, final = true, signed = {}, signer = "worker0" } = ending;
  const code = outcome === "passed" ? 0 : 1;
  const report = reportOf({
    outcome,
    problem: code === 0 ? "" : "`make` exited with 1",
    commands: [{ startedMs: 0, durationMs: 5, logOffset: 0, end: { kind: "exit", code } }],
    outputs: step === "build" && code === 0 ? [files] : [],
    ...ending.report,
  });
  const index = steps.findIndex(({ name }) => name === step);
  const result: SignedResult = {
    otto: "result/1",
    run,
    index,
    step,
    token,
    attempt,
    inputs: inputsDigest({ inputs: step === "test" ? given : [] }),
    report,
    ...signed,
  };
  const cause = outcome === "passed" ? "finished" : outcome;
  const envelope = sealEnvelope("result", charter.domain, result, simulatedKeys(signer));
  return endedBy(step, cause, { attempt, token, final }, { report, envelope });
}

/** The end of an attempt by its home's word. */
export function endedBy(
  step: string,
  cause: AttemptCause,
  { attempt = 1, token = attempt * 2 - 1, final = true }: Ending = {},
  said: { readonly report: StepReport | null; readonly envelope: Uint8Array | null } = {
    report: null,
    envelope: null,
  },
): Noted {
  const past = { attempt, token, worker: worker.peer, cause };
  return noted({ kind: "attempt-ended", step, ...past, final, report: said.report }, said.envelope);
}

export const buildStarted = started("build");
export const buildEnded = ended("build", "passed");
export const testStarted = started("test");
export const testEnded = ended("test", "passed");
export const isClosed = closed("passed");
/** What is said of `tell` when `test` was cancelled. */
export const neverTold = skipped("tell", "test was cancelled");

/** All went well, and each event is an entry of its own. */
export const story: readonly Noted[] = [
  admitted,
  leftOut,
  notAsked,
  buildStarted,
  buildEnded,
  testStarted,
  testEnded,
  notTold,
  isClosed,
];

/** How the story may go on once `build` has passed. */
export function afterBuild(...told: readonly Noted[]): readonly Noted[] {
  return [...story.slice(0, 5), ...told];
}

/** A second attempt, which passes. */
export function again(step: string): readonly Noted[] {
  return [started(step, 2), ended(step, "passed", { attempt: 2 })];
}

export function withEvent(noted: Noted, changes: object): Noted {
  return { ...noted, event: { ...noted.event, ...changes } };
}

/** The story with one event replaced by others. */
export function storyWith(replaced: Noted, ...instead: readonly Noted[]): readonly Noted[] {
  return story.flatMap((one) => (one === replaced ? instead : [one]));
}

export function entriesBy(author: string, told: readonly Noted[], incarnation = "1"): Uint8Array[] {
  const keys = simulatedKeys(author);
  const history = new History({ domain: charter.domain, incarnation, keys }, []);
  return told.map((one) => history.append(one.event.run, [one]).bytes);
}

export function exportOf(entries: readonly Uint8Array[], changes: Partial<ExportedRun> = {}): ExportedRun {
  return {
    otto: "otto-run/1",
    run,
    charter: sealCharter(charter, owner),
    bundle,
    entries,
    certificates: [certificateOf(charter, worker.peer, "worker")],
    ...changes,
  };
}

export function verified(exported: ExportedRun, domain: string | null = null): Verification {
  return verifyRun(exported, domain, simulatedVerifier);
}

/** What is found when a home tells this. */
export function verdictOn(told: readonly Noted[]): Verification {
  return verified(exportOf(entriesBy("control0", told)));
}

export function codesOf({ findings }: Verification): readonly string[] {
  return [...new Set(findings.map(({ code, step }) => (step === null ? code : `${code} ${step}`)))].sort();
}
