/**
 * What the history says in the end: every attempt ended for one named cause, every step ended once (I2), the run ended
 * as its steps did, nothing ran that its plan did not ask for, nobody's cancellation was lost.
 */

import {
  type AttemptCause,
  type AttemptEnded,
  type AttemptStarted,
  type Event,
  isOfLostWorker,
  isOfPlatform,
  isOfRun,
  type StepSettled,
} from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { limits } from "../../protocol/limits.ts";
import { mayBeGated, type Outcome, type PlannedStep } from "../../protocol/plan.ts";
import type { SettleCause } from "../../protocol/registers/settling.ts";
import { type Checker, type Ending, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

type Step = {
  readonly started: Map<number, AttemptStarted>;
  readonly ended: Map<number, AttemptEnded>;
  skipped: boolean;
  /** Of a step that no worker does. */
  waited: boolean;
  /** Who said yes. */
  readonly yes: Set<string>;
  settled: StepSettled | null;
  /** A gate behind it has let count how it ended. */
  letCount: boolean;
};

type Known = { readonly executed: ReadonlySet<string>; readonly liars: KnownLiars };

export function ledgerChecker(): Checker {
  const executed = new Set<string>();
  const liars = new KnownLiars();
  const cancels = new Map<number, string>();
  const cancelled = new Set<string>();
  return {
    name: "ledger",
    looksAt: ["fault", "step-started", "asked-to-cancel", "answered"],
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind === "step-started") {
        const { run, step, token } = observation.assignment;
        executed.add(`${run}/${step} ${token}`);
      }
      if (observation.kind === "asked-to-cancel") cancels.set(observation.question, observation.run);
      if (observation.kind !== "answered" || !observation.answer.ok) return;
      const run = cancels.get(observation.question);
      if (run !== undefined) cancelled.add(run);
    },
    finish: (ending: Ending) => {
      if (!ending.finished) return;
      for (const { peer, events, exported } of ending.controls) {
        const byRun = Map.groupBy(events.filter(isOfRun), ({ run }) => run);
        for (const submission of ending.submissions) {
          // What a forked log told is not all there, and nobody says that it is.
          if (exported(submission.run).forks !== undefined) continue;
          const own = byRun.get(submission.run) ?? [];
          const outcome = outcomeOf(submission, own, peer);
          if (cancelled.has(submission.run) && outcome !== "cancelled")
            throw new Violation("ledger", `${submission.run} was cancelled and ended as ${outcome}`);
          checkRun(submission, own, outcome, { executed, liars });
        }
      }
    },
  };
}

function outcomeOf({ run }: Submission, events: readonly Event[], peer: string): string {
  const outcomes = new Set(events.flatMap((event) => (event.kind === "run-closed" ? [event.outcome] : [])));
  const [outcome] = outcomes;
  if (outcome === undefined || outcomes.size > 1)
    throw new Violation("ledger", `${peer} knows ${outcomes.size} ends of ${run}`);
  if (!events.some(({ kind }) => kind === "run-admitted"))
    throw new Violation("ledger", `${peer} saw no admission of ${run}`);
  return outcome;
}

function checkRun(submission: Submission, events: readonly Event[], outcome: string, known: Known): void {
  const { run } = submission;
  const steps = stepsOf(submission, events);
  const ends = new Map<string, string>();
  for (const planned of submission.manifest.plan.steps) {
    const step = steps.get(planned.name);
    if (step === undefined) continue;
    const place = `${run}/${planned.name}`;
    checkAttempts(place, planned, step, known);
    checkSettled(place, planned, step);
    const end = endOf(place, step);
    if (end !== null) ends.set(planned.name, end);
    checkNeeds(place, planned, step, ends);
    if (outcome === "cancelled") continue;
    if (end === null) throw new Violation("ledger", `${place} never ended`);
    if (end === "cancelled")
      throw new Violation("ledger", `${place} was cancelled in a run that nobody cancelled`);
  }
  const failed = [...ends.values()].some((end) => end === "failed" || end === "timed-out");
  if (outcome !== "cancelled" && outcome !== (failed ? "failed" : "passed"))
    throw new Violation("ledger", `${run} ended as ${outcome}, its steps did not`);
}

function stepsOf(submission: Submission, events: readonly Event[]): Map<string, Step> {
  const steps = new Map<string, Step>();
  for (const { name } of submission.manifest.plan.steps)
    steps.set(name, {
      started: new Map(),
      ended: new Map(),
      skipped: false,
      waited: false,
      yes: new Set(),
      settled: null,
      letCount: false,
    });
  for (const event of events) {
    if (!("step" in event) || event.kind === "result-refused") continue;
    const step = steps.get(event.step);
    if (step === undefined) throw new Violation("ledger", `${event.run} has no step ${event.step}`);
    if (event.kind === "gate-opened") step.letCount ||= event.after === true;
    else if (event.kind === "step-skipped") step.skipped = true;
    else if (event.kind === "step-waiting") step.waited = true;
    else if (event.kind === "step-answered") {
      step.waited = true;
      if (event.verdict === "passed") step.yes.add(event.by);
    } else if (event.kind === "step-settled") {
      const { settled: known } = step;
      if (
        known !== null &&
        (known.outcome !== event.outcome || known.cause !== event.cause || known.by !== event.by)
      )
        throw new Violation(
          "ledger",
          `${event.run}/${event.step} was settled as ${known.cause} and ${event.cause}`,
        );
      step.settled = event;
    } else if (event.kind === "attempt-started") step.started.set(event.token, event);
    else {
      const known = step.ended.get(event.token);
      const differs = known !== undefined && (known.cause !== event.cause || known.final !== event.final);
      if (differs)
        throw new Violation("ledger", `${event.run}/${event.step} ended ${known.cause} and ${event.cause}`);
      if (known === undefined || known.report === null) step.ended.set(event.token, event);
    }
  }
  return steps;
}

/** A step that no worker does was never given to one, and what settled it may settle it. */
function checkSettled(place: string, planned: PlannedStep, step: Step): void {
  const { action, timeoutMs } = planned;
  const isSettled = action !== undefined && action.kind !== "uses";
  if (mayBeGated(planned)) return checkGated(place, step);
  if (!isSettled && (step.waited || step.settled !== null))
    throw new Violation("ledger", `${place} is a worker's, and was asked of others`);
  if (isSettled && step.started.size > 0) throw new Violation("ledger", `${place} was given to a worker`);
  if (action === undefined || step.settled === null) return;
  const { cause, outcome } = step.settled;
  if (action.kind === "approve" && cause === "approved") {
    const { size } = new Set([...step.yes, step.settled.by]);
    if (size < action.count)
      throw new Violation("ledger", `${place} was approved by ${size} of ${action.count}`);
  }
  if (settledBy[action.kind]?.includes(cause) !== true)
    throw new Violation("ledger", `${place} was settled by ${cause}`);
  if ((cause === "expired") !== (outcome === "timed-out") || (cause === "approved" && outcome !== "passed"))
    throw new Violation("ledger", `${place} was settled by ${cause} and ${outcome} (${timeoutMs} ms)`);
}

/** A worker's step is settled by nothing but its gate. */
function checkGated(place: string, { waited, settled }: Step): void {
  if (settled === null) return;
  const { cause, outcome } = settled;
  // As another domain has signed, or because it would not have it.
  if (cause === "released" && waited) return;
  const isGates =
    (cause === "declined" && outcome === "failed") || (cause === "expired" && outcome === "timed-out");
  if (!isGates || !waited) throw new Violation("ledger", `${place} was settled by ${cause} and ${outcome}`);
}

const settledBy: Readonly<Record<string, readonly SettleCause[]>> = {
  approve: ["approved", "declined", "expired"],
  wait: ["callback", "poll", "expired"],
  pipeline: ["members"],
};

function checkAttempts(place: string, planned: PlannedStep, step: Step, { executed, liars }: Known): void {
  for (const { token, attempt } of step.started.values())
    if (step.ended.get(token)?.attempt !== attempt)
      throw new Violation("ledger", `attempt ${attempt} of ${place} under ${token} has no named end`);
  const ended = [...step.ended.values()].sort((left, right) => left.token - right.token);
  for (const [index, { attempt, cause, token, final, held, worker }] of ended.entries()) {
    if (attempt !== index + 1)
      throw new Violation("ledger", `${place} has attempts ${ended.map((one) => one.attempt).join()}`);
    if (final && index < ended.length - 1)
      throw new Violation("ledger", `I2: ${place} went on after its end under ${token}`);
    const done = ["finished", "failed", "timed-out", "unprepared"].includes(cause);
    // Whoever holds a lease may say what it likes, and that it did the work.
    if (done && !executed.has(`${place} ${token}`) && !liars.has(worker))
      throw new Violation("ledger", `${place} ended under ${token}, nobody ran it`);
    const half = cause === "released" && planned.effect && executed.has(`${place} ${token}`);
    if (half && !final && !planned.retry.on.includes("lost"))
      throw new Violation("ledger", `${place} reaches outside, was stopped half done and was tried again`);
    if (held === true && (cause !== "finished" || final || index < ended.length - 1))
      throw new Violation("ledger", `${place} was held after it was ${cause} under ${token}, and went on`);
    const again = !final && held !== true && !isOfPlatform(cause) && cause !== "cancelled";
    const asked = cause === "finished" ? "failed" : isOfLostWorker(cause) ? "lost" : cause;
    if (again && !planned.retry.on.some((one) => one === asked))
      throw new Violation("ledger", `${place} was tried again after it was ${cause}`);
  }
  const counted = ended.filter(({ cause }) => !isOfPlatform(cause)).length;
  const unprepared = ended.filter(({ cause }) => cause === "unprepared").length;
  if (unprepared > limits.unpreparedAttemptsMax)
    throw new Violation("ledger", `${place} was unprepared ${unprepared} times`);
  if (counted > planned.retry.attemptsMax)
    throw new Violation("ledger", `${place} was tried ${counted} times`);
  if (step.skipped && step.started.size > 0)
    throw new Violation("ledger", `${place} was skipped and started`);
}

function endOf(place: string, step: Step): string | null {
  const finals = [...step.ended.values()].filter(({ final }) => final);
  if (finals.length > 1) throw new Violation("ledger", `I2: ${place} ended ${finals.length} times`);
  if (step.settled !== null) {
    if (finals.length > 0 || step.skipped)
      throw new Violation("ledger", `I2: ${place} was settled and ended`);
    return step.settled.outcome;
  }
  const held = step.letCount ? [...step.ended.values()].filter((end) => end.held === true) : [];
  const [last] = finals.length > 0 ? finals : held;
  if (last === undefined) return step.skipped ? "skipped" : null;
  return (last.cause === "finished" ? last.report?.ownOutcome : undefined) ?? outcomeOfCause(last.cause);
}

function outcomeOfCause(cause: AttemptCause): Outcome {
  if (cause === "finished") return "passed";
  return cause === "failed" || cause === "timed-out" || cause === "cancelled" ? cause : "failed";
}

function checkNeeds(
  place: string,
  planned: PlannedStep,
  step: Step,
  ends: ReadonlyMap<string, string>,
): void {
  const unmet = planned.needs.filter((need) => {
    const end = ends.get(need.step);
    return end === undefined || !need.outcomes.includes(end);
  });
  if ((step.started.size > 0 || step.waited || step.settled !== null) && unmet.length > 0)
    throw new Violation(
      "ledger",
      `${place} was started though ${unmet.map((need) => need.step).join()} did not let it`,
    );
  if (step.skipped && planned.included && unmet.length === 0)
    throw new Violation("ledger", `${place} was skipped for nothing`);
}
