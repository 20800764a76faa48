/**
 * What a person sees of one run: a fold of its plan and its events (`protocol/events.ts`).
 *
 * Promises: the same event twice, events in another order, or one fact told by two authors leave the same view.
 * Of several tellings of one fact the whole best one is kept, by a total order, so that the choice does not
 * depend on which came first. Everything else is derived from the kept facts.
 *
 * The view is changed in place: an event costs a constant plus, when it ends a step, one visit to each
 * dependent. Only this file writes to a view; a step's `state` is a new object whenever it changes. Rendered
 * by `cli/render/`.
 *
 *   waiting --needs met--> ready --attempt-started--> running --final attempt-ended--> passed | failed | ended | ...
 *      |                    | ^                          |
 *      +--- step-skipped ---+ +---- attempt-ended -------+
 */

import type { RunState, WatchItem } from "../../protocol/calls.ts";
import { unreachable } from "../../protocol/errors.ts";
import type {
  AttemptEnded,
  AttemptStarted,
  CancelRequested,
  Event,
  ResultRefused,
  RunAdmitted,
  RunClosed,
  RunRefused,
  StepSkipped,
} from "../../protocol/events.ts";
import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import { newAttempt, outcomeOfCause, ownOutcomeOf, reasonOfEnding, runningWorker } from "./attempt.ts";
import type { AttemptView } from "./attempt.ts";
import {
  applySettling,
  awaitedWords,
  newSettling,
  settledWords,
  type SettlingEvent,
  type SettlingView,
} from "./settling.ts";
import { outcomeOfState, type StepState } from "./step-state.ts";
import { betterEnded, betterStarted, earlier, withRefused } from "./fact.ts";

export type StepView = {
  readonly name: string;
  planned: PlannedStep | null;
  state: StepState;
  /** By number, ascending. */
  attempts: AttemptView[];
  skipped: StepSkipped | null;
  /** Null for a step that a worker does, unless it waited at a gate. */
  settling: SettlingView | null;
  /** Needs that have not ended; null: it has none. */
  readonly openNeeds: Set<string> | null;
  /** Needs that ended with an outcome that does not let this step go on; null: none. */
  unmetNeeds: Set<string> | null;
};

export type RunView = {
  readonly run: string;
  /** Empty until the plan or the admission is known. */
  pipeline: string;
  plan: Plan | null;
  planId: string | null;
  state: RunState;
  outcome: RunClosed["outcome"] | null;
  /** Wall clock of the admitting peer, milliseconds since 1970. */
  startedMs: number | null;
  endedMs: number | null;
  admitted: RunAdmitted | null;
  refused: RunRefused | null;
  cancel: CancelRequested | null;
  closed: RunClosed | null;
  /** In the order of the plan; empty until the plan is known. */
  steps: StepView[];
  /** How many known steps are in each state. */
  counts: Record<StepState["kind"], number>;
  /** How many known steps have had an attempt. */
  begun: number;
  /** Also holds steps of which an event told before the plan came. */
  readonly byName: Map<string, StepView>;
  readonly dependents: Map<string, Dependent[]>;
};

/** Of all steps that are. */
const ready: StepState = { kind: "ready" };

type Dependent = { readonly step: StepView; readonly outcomes: readonly string[] };

export function newRunView(run: string): RunView {
  return {
    run,
    pipeline: "",
    plan: null,
    planId: null,
    state: "waiting",
    outcome: null,
    startedMs: null,
    endedMs: null,
    admitted: null,
    refused: null,
    cancel: null,
    closed: null,
    steps: [],
    counts: noCounts(),
    begun: 0,
    byName: new Map(),
    dependents: new Map(),
  };
}

/** Takes one item of a watch into the view. Output and notices are not part of it. */
export function applyItem(view: RunView, item: WatchItem): void {
  switch (item.kind) {
    case "plan":
      if (item.run === view.run) applyPlan(view, item.plan, item.planId);
      return;
    case "event":
      applyEvent(view, item.event);
      return;
    case "output":
    case "notice":
      return;
    default:
      unreachable(item);
  }
}

/** A run has one plan, named by its content: a second one is ignored. Steps that it does not name are forgotten. */
function applyPlan(view: RunView, plan: Plan, planId: string): void {
  if (view.plan !== null) return;
  view.plan = plan;
  view.planId = planId;
  const heardOf = new Map(view.byName);
  view.byName.clear();
  view.counts = noCounts();
  view.begun = 0;
  for (const planned of plan.steps) {
    const step = newStep(planned.name, planned);
    const early = heardOf.get(planned.name);
    if (early !== undefined) {
      step.attempts = early.attempts;
      step.skipped = early.skipped;
      step.settling = early.settling;
    }
    for (const need of planned.needs) {
      const dependents = view.dependents.get(need.step) ?? [];
      dependents.push({ step, outcomes: need.outcomes });
      view.dependents.set(need.step, dependents);
    }
    view.byName.set(planned.name, step);
    view.steps.push(step);
    view.counts[step.state.kind] += 1;
    if (step.attempts.length > 0) view.begun += 1;
  }
  for (const step of view.steps) refreshStep(view, step);
  refreshRun(view);
}

/** Takes one event into the view. An event of another run, or of a step that the plan does not name, is ignored. */
export function applyEvent(view: RunView, event: Event): void {
  if (event.run !== view.run) return;
  switch (event.kind) {
    case "run-admitted":
      view.admitted = earlier(view.admitted, event);
      break;
    case "run-refused":
      view.refused = earlier(view.refused, event);
      break;
    case "cancel-requested":
      view.cancel = earlier(view.cancel, event);
      break;
    case "outcome-signed":
      // For the domain that released the run.
      break;
    case "run-closed": {
      const first = view.closed === null;
      view.closed = earlier(view.closed, event);
      if (first) for (const step of view.byName.values()) refreshStep(view, step);
      break;
    }
    case "attempt-started":
    case "attempt-ended":
    case "result-refused":
    case "step-skipped":
    case "step-waiting":
    case "step-answered":
    case "step-settled":
    case "gate-opened":
      applyStepEvent(view, event);
      break;
    default:
      unreachable(event);
  }
  refreshRun(view);
}

function applyStepEvent(
  view: RunView,
  event: AttemptStarted | AttemptEnded | ResultRefused | StepSkipped | SettlingEvent,
): void {
  const step = stepOf(view, event.step);
  if (step === null) return;
  const isAttempt = "attempt" in event;
  if (isAttempt && step.attempts.length === 0) view.begun += 1;
  switch (event.kind) {
    case "attempt-started": {
      const attempt = attemptOf(step, event.attempt);
      attempt.started = betterStarted(attempt.started, event);
      break;
    }
    case "attempt-ended": {
      const attempt = attemptOf(step, event.attempt);
      attempt.ended = betterEnded(attempt.ended, event);
      break;
    }
    case "result-refused": {
      const attempt = attemptOf(step, event.attempt);
      attempt.refused = withRefused(attempt.refused, event);
      break;
    }
    case "step-skipped":
      step.skipped = earlier(step.skipped, event);
      break;
    case "step-waiting":
    case "step-answered":
    case "step-settled":
    case "gate-opened":
      step.settling ??= newSettling();
      applySettling(step.settling, event);
      break;
    default:
      unreachable(event);
  }
  refreshStep(view, step);
}

function stepOf(view: RunView, name: string): StepView | null {
  const known = view.byName.get(name);
  if (known !== undefined) return known;
  if (view.plan !== null) return null;
  const step = newStep(name, null);
  view.byName.set(name, step);
  view.counts[step.state.kind] += 1;
  return step;
}

function newStep(name: string, planned: PlannedStep | null): StepView {
  return {
    name,
    planned,
    state: ready,
    attempts: [],
    skipped: null,
    settling: null,
    // Most steps need little, and there may be a hundred thousand of them.
    openNeeds:
      planned === null || planned.needs.length === 0 ? null : new Set(planned.needs.map(({ step }) => step)),
    unmetNeeds: null,
  };
}

function attemptOf(step: StepView, number: number): AttemptView {
  const after = step.attempts.findIndex((attempt) => attempt.attempt >= number);
  const found = after === -1 ? undefined : step.attempts[after];
  if (found?.attempt === number) return found;
  const made = newAttempt(number);
  step.attempts.splice(after === -1 ? step.attempts.length : after, 0, made);
  return made;
}

function refreshRun(view: RunView): void {
  const { admitted, refused, closed } = view;
  view.pipeline = view.plan?.pipeline ?? admitted?.pipeline ?? "";
  // A peer that refused says nothing about a run that others admitted.
  const isRefused = refused !== null && admitted === null;
  view.outcome = closed?.outcome ?? null;
  view.startedMs = admitted?.timeMs ?? null;
  view.endedMs = closed?.timeMs ?? (isRefused ? refused.timeMs : null);
  if (closed !== null) view.state = closed.outcome;
  else if (isRefused) view.state = "refused";
  else view.state = view.begun > 0 ? "running" : "waiting";
}

/** Derives the state of a step anew and tells its dependents when its outcome changed. */
function refreshStep(view: RunView, step: StepView): void {
  const before = outcomeOfState(step.state);
  setState(view, step, deriveState(view, step));
  const outcome = outcomeOfState(step.state);
  if (outcome === null || outcome === before) return;
  for (const dependent of view.dependents.get(step.name) ?? []) {
    dependent.step.openNeeds?.delete(step.name);
    setUnmet(dependent.step, step.name, !dependent.outcomes.includes(outcome));
    // Needs decide between these two states only, so an end never reaches further than its dependents.
    const { kind } = dependent.step.state;
    if (kind === "waiting" || kind === "ready") setState(view, dependent.step, stateBefore(dependent.step));
  }
}

function setUnmet(step: StepView, need: string, isUnmet: boolean): void {
  if (isUnmet) (step.unmetNeeds ??= new Set()).add(need);
  else if (step.unmetNeeds?.delete(need) === true && step.unmetNeeds.size === 0) step.unmetNeeds = null;
}

function setState(view: RunView, step: StepView, state: StepState): void {
  view.counts[step.state.kind] -= 1;
  view.counts[state.kind] += 1;
  step.state = state;
}

function deriveState(view: RunView, step: StepView): StepState {
  const decisive = step.attempts.findLast((attempt) => attempt.ended?.final === true);
  if (decisive?.ended != null) return endedState(decisive.ended, step, decisive);
  const settled = step.settling?.settled ?? null;
  if (settled !== null) {
    const sinceMs = step.settling?.waiting?.timeMs ?? null;
    const durationMs = sinceMs === null ? null : Math.max(0, settled.timeMs - sinceMs);
    return { kind: settled.outcome, reason: settledWords(settled), durationMs, report: null };
  }
  const held = step.attempts.findLast((attempt) => attempt.ended?.held === true);
  if (held?.ended != null && step.settling?.behind.opened != null) return endedState(held.ended, step, held);
  if (step.planned?.included === false) return { kind: "skipped", reason: step.planned.reason };
  if (step.skipped !== null) return { kind: "skipped", reason: step.skipped.reason };
  if (view.closed !== null) {
    const reason =
      step.attempts.length > 0 ? "the run ended before it did" : "the run ended before it started";
    return { kind: "cancelled", reason, durationMs: null, report: null };
  }
  const latest = step.attempts.at(-1);
  const running = latest === undefined ? null : runningWorker(latest);
  if (latest !== undefined && running !== null) {
    return { kind: "running", attempt: latest.attempt, worker: running.worker, sinceMs: running.timeMs };
  }
  return pendingState(step) ?? stateBefore(step);
}

function endedState(ended: AttemptEnded, step: StepView, attempt: AttemptView): StepState {
  const { report, cause } = ended;
  const durationMs = report?.durationMs ?? elapsedMs(attempt);
  const own = ownOutcomeOf(ended);
  if (own !== null && report !== null) return { kind: "ended", outcome: own, durationMs, report };
  return { kind: outcomeOfCause(cause), reason: reasonOfEnding(ended, step.attempts), durationMs, report };
}

function pendingState({ planned, settling }: StepView): StepState | null {
  if (settling === null) return null;
  const { waiting, opened } = settling.behind.waiting === null ? settling : settling.behind;
  if (waiting === null || opened !== null) return null;
  const { timeMs: sinceMs, untilMs } = waiting;
  return { kind: "pending", words: awaitedWords(planned, settling), sinceMs, untilMs };
}

/** Before it was started or asked. */
function stateBefore(step: StepView): StepState {
  const { openNeeds, unmetNeeds } = step;
  const isWaiting = openNeeds !== null && (openNeeds.size > 0 || (unmetNeeds?.size ?? 0) > 0);
  return isWaiting ? { kind: "waiting", for: openNeeds } : ready;
}

function elapsedMs({ started, ended }: AttemptView): number | null {
  // Two authors' clocks may disagree: never a negative time.
  return started === null || ended === null ? null : Math.max(0, ended.timeMs - started.timeMs);
}

function noCounts(): RunView["counts"] {
  return {
    waiting: 0,
    ready: 0,
    pending: 0,
    running: 0,
    passed: 0,
    ended: 0,
    failed: 0,
    "timed-out": 0,
    cancelled: 0,
    skipped: 0,
  };
}
