/**
 * Plans, reports and events to show, as small as they can be: a test names only what it is about.
 */

import type { WatchItem } from "../../../protocol/calls.ts";
import type { Event } from "../../../protocol/events.ts";
import type { Plan, PlannedStep } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";

export const exampleRun = "run-1";
export const exampleWorker = "12D3KooWworkerabcd";

export function plannedStep(
  name: string,
  needs: readonly string[] = [],
  changes: Partial<PlannedStep> = {},
): PlannedStep {
  return {
    name,
    from: name,
    cell: {},
    included: true,
    reason: "always",
    commands: [`make ${name}`],
    needs: needs.map((step) => ({ step, outcomes: ["passed"] })),
    environment: null,
    variables: {},
    inputs: [],
    outputs: [],
    timeoutMs: 60_000,
    retry: { attemptsMax: 3, on: ["lost"] },
    effect: false,
    labels: [],
    ...changes,
  };
}

export function planOf(steps: readonly PlannedStep[]): Plan {
  return {
    otto: 1,
    pipeline: "checkout",
    origin: { kind: "file", path: "otto.yaml" },
    context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} },
    environments: {},
    steps,
  };
}

export function reportOf(changes: Partial<StepReport> = {}): StepReport {
  return {
    outcome: "passed",
    problem: "",
    durationMs: 1_200,
    commands: [{ startedMs: 0, durationMs: 1_200, logOffset: 0, end: { kind: "exit", code: 0 } }],
    outputs: [],
    log: { bytes: 0, droppedBytes: 0, digest: null },
    tail: "",
    ...changes,
  };
}

/** A report of a step whose only command exited with 1. */
export function failedReport(tail: string, changes: Partial<StepReport> = {}): StepReport {
  return reportOf({
    outcome: "failed",
    problem: "`make test` exited with 1",
    commands: [{ startedMs: 0, durationMs: 1_200, logOffset: 0, end: { kind: "exit", code: 1 } }],
    tail,
    ...changes,
  });
}

type Kind = Event["kind"];
type Fields<K extends Kind> = Partial<Omit<Extract<Event, { kind: K }>, "kind">>;

const usual: { readonly [K in Kind]: Omit<Extract<Event, { kind: K }>, "kind" | "run" | "timeMs"> } = {
  "run-admitted": {
    manifest: "manifest-1",
    plan: "plan-1",
    pipeline: "checkout",
    submitter: "12D3KooWsubmitter",
    steps: 3,
  },
  "run-refused": { manifest: "manifest-1", reason: "the submitter is not a member of this domain" },
  "cancel-requested": { by: "12D3KooWsubmitter" },
  "attempt-started": { step: "build", attempt: 1, token: 1, worker: exampleWorker },
  "attempt-ended": {
    step: "build",
    attempt: 1,
    token: 1,
    worker: exampleWorker,
    cause: "finished",
    final: true,
    report: null,
  },
  "result-refused": { step: "build", attempt: 1, token: 1, worker: exampleWorker, outcome: "passed" },
  "step-skipped": { step: "build", reason: "test failed" },
  "step-waiting": { step: "ok", untilMs: 61_000 },
  "step-answered": {
    step: "ok",
    by: "12D3KooWsubmitter",
    verdict: "passed",
    detail: "",
    evidence: new Uint8Array([1]),
  },
  "step-settled": {
    step: "ok",
    outcome: "passed",
    cause: "approved",
    by: "12D3KooWsubmitter",
    detail: "",
    evidence: new Uint8Array([1]),
  },
  "gate-opened": { step: "build", permit: new Uint8Array([1]) },
  "outcome-signed": { outcome: new Uint8Array([1]) },
  "run-closed": { outcome: "passed", bundle: "b" },
};

export function eventOf<K extends Kind>(kind: K, fields: Fields<K> = {}): Event {
  return { kind, run: exampleRun, timeMs: 1_000, ...usual[kind], ...fields } as unknown as Event;
}

export function itemOf<K extends Kind>(kind: K, fields: Fields<K> = {}): WatchItem {
  return { kind: "event", event: eventOf(kind, fields) };
}

export function planItem(steps: readonly PlannedStep[]): WatchItem {
  return { kind: "plan", run: exampleRun, plan: planOf(steps), planId: "plan-1" };
}

export function outputItem(step: string, bytes: string | Uint8Array, offset = 0, attempt = 1): WatchItem {
  return {
    kind: "output",
    run: exampleRun,
    step,
    attempt,
    offset,
    bytes: typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
  };
}
