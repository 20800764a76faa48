/**
 * Events: what happened. Each is appended to its author's signed log (`protocol/log.ts`); views are folds of them
 * (`node/view/`). A fold takes the same event twice, or events of two authors about one fact, without harm.
 */

import type { SettleCause } from "./registers/settling.ts";
import type { StepReport } from "./report.ts";

/** How an attempt ended that no worker has reported on. */
export type UnreportedCause =
  | "cancelled"
  /** The lease ran out: nothing was heard of the worker in time. */
  | "lost"
  /** Another process of the same worker is there now: the one that held the lease is gone. */
  | "superseded"
  /** The worker gave the lease back before it was done (it was asked to stop). */
  | "released"
  /** The worker gave the lease back since it cannot run the step: it has no plan to it, or not the one that was signed. */
  | "refused";

/**
 * How an attempt ended, by name. `finished` means that its commands passed; `unprepared` that none of them began, since the worker
 * could not get what the step runs in.
 */
export type AttemptCause = "finished" | "failed" | "timed-out" | "unprepared" | UnreportedCause;

/** True when no worker was there any more: what the step did outside is not known. */
export function isOfLostWorker(cause: AttemptCause): boolean {
  return cause === "lost" || cause === "superseded";
}

/** True when a worker gave the step back: that is not counted among the tries that a plan allows. */
export function isGivenBack(cause: AttemptCause): boolean {
  return cause === "released" || cause === "refused";
}

/** True when the step is not to blame, whoever is: that is not counted among the tries that a plan allows, either. */
export function isOfPlatform(cause: AttemptCause): boolean {
  return isGivenBack(cause) || cause === "unprepared";
}

type Fact<Kind extends string, Fields> = {
  readonly kind: Kind;
  readonly run: string;
  /** Wall clock of the author, milliseconds since 1970; for people, never for decisions. */
  readonly timeMs: number;
} & Readonly<Fields>;

export type RunAdmitted = Fact<
  "run-admitted",
  {
    manifest: string;
    plan: string;
    pipeline: string;
    submitter: string;
    steps: number;
  }
>;
export type RunRefused = Fact<"run-refused", { manifest: string; reason: string }>;
export type CancelRequested = Fact<"cancel-requested", { by: string }>;
export type AttemptStarted = Fact<
  "attempt-started",
  {
    step: string;
    attempt: number;
    token: number;
    worker: string;
    /** Of an exclusive step: what it shows to the target that it reaches. */
    fence?: number;
  }
>;
export type AttemptEnded = Fact<
  "attempt-ended",
  {
    step: string;
    attempt: number;
    token: number;
    worker: string;
    cause: AttemptCause;
    /** True when no further attempt follows. */
    final: boolean;
    /** It ended well, and that does not count yet: the domain's policy demands something first. */
    held?: true;
    report: StepReport | null;
    /** Why its worker refused it, as that said: part of a sentence. A home that took over may not know. */
    why?: string;
  }
>;
/** A result that came under a token which is no longer the newest: recorded, and it cannot win. */
export type ResultRefused = Fact<
  "result-refused",
  {
    step: string;
    attempt: number;
    token: number;
    worker: string;
    /** What the late worker would have reported: a usual outcome, or one of the step's own. */
    outcome: string;
  }
>;
export type StepSkipped = Fact<"step-skipped", { step: string; reason: string }>;
/** True for what happens at the gate behind a step; absent: before it. */
type Behind = { after?: true };
/** A step that no worker does waits for its answer, or one at a gate for that to open, until `untilMs` at most. */
export type StepWaiting = Fact<"step-waiting", { step: string; untilMs: number } & Behind>;
/** A person said yes, and more of them must; or an outside system said that it cannot tell yet. */
export type StepAnswered = Fact<
  "step-answered",
  {
    step: string;
    by: string;
    verdict: "passed" | "inconclusive";
    detail: string;
    evidence: Uint8Array;
  } & Behind
>;
export type StepSettled = Fact<
  "step-settled",
  {
    step: string;
    outcome: "passed" | "failed" | "timed-out";
    cause: SettleCause;
    /** The peer id of the person who said so, or null. */
    by: string | null;
    detail: string;
    evidence: Uint8Array | null;
  }
>;
/** A guarded step may begin, or counts as it ended: so a majority of the control peers has judged, each for itself. */
export type GateOpened = Fact<"gate-opened", { step: string; permit: Uint8Array } & Behind>;
/** How a step that another domain released to this one has ended, as a majority of the control peers signed it. */
type OutcomeSigned = Fact<"outcome-signed", { outcome: Uint8Array }>;
/** Of schedules: `run` is the id of the standing order. */
type ScheduleSet = Fact<
  "schedule-set",
  {
    pipeline: string;
    submitter: string;
    revision: number;
    /** Only slots after this moment are the order's. */
    sinceMs: number;
  }
>;
/** `because`: the domain itself ended it, since who set it was revoked. */
type ScheduleRemoved = Fact<"schedule-removed", { pipeline: string; by: string; because?: string }>;
/** `started` is the run that the slot has become. */
type SlotFired = Fact<"slot-fired", { pipeline: string; slotMs: number; started: string }>;
type SlotRefused = Fact<"slot-refused", { pipeline: string; slotMs: number; reason: string }>;
/** Slots that passed while the domain had no home that could fire them, and which one was fired to make up for them. */
type SlotsMissed = Fact<
  "slots-missed",
  { pipeline: string; count: number; fromMs: number; throughMs: number; madeUpByMs: number | null }
>;
export type RunClosed = Fact<
  "run-closed",
  {
    outcome: "passed" | "failed" | "cancelled";
    /** sha256 of its bundle: a control peer that comes later asks for it when the run's register is forgotten. */
    bundle: string;
  }
>;

export type Event =
  | RunAdmitted
  | RunRefused
  | CancelRequested
  | AttemptStarted
  | AttemptEnded
  | ResultRefused
  | StepSkipped
  | StepWaiting
  | StepAnswered
  | StepSettled
  | GateOpened
  | OutcomeSigned
  | RunClosed;

type ScheduleEvent = ScheduleSet | ScheduleRemoved | SlotFired | SlotRefused | SlotsMissed;

/** All that a log holds. */
export type LoggedEvent = Event | ScheduleEvent;

const ofSchedules: ReadonlySet<string> = new Set<ScheduleEvent["kind"]>([
  "schedule-set",
  "schedule-removed",
  "slot-fired",
  "slot-refused",
  "slots-missed",
]);

/** True for what is told of a run, and not of a schedule. */
export function isOfRun(event: LoggedEvent): event is Event {
  return !ofSchedules.has(event.kind);
}
