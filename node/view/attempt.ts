/**
 * One attempt at a step: what was told of it, and how it ended in words.
 */

import { unreachable } from "../../protocol/errors.ts";
import {
  type AttemptCause,
  type AttemptEnded,
  type AttemptStarted,
  isOfLostWorker,
  type ResultRefused,
} from "../../protocol/events.ts";
import type { Outcome } from "../../protocol/plan.ts";

export type AttemptView = {
  readonly attempt: number;
  /** Null while only its end is known. */
  started: AttemptStarted | null;
  ended: AttemptEnded | null;
  /** Results that came too late to count, by token. */
  refused: readonly ResultRefused[];
};

export function newAttempt(attempt: number): AttemptView {
  return { attempt, started: null, ended: null, refused: [] };
}

/** The start of an attempt that goes on; null when it ended, was superseded, or its start is unknown. */
export function runningWorker({ started, ended, refused }: AttemptView): AttemptStarted | null {
  if (started === null || ended !== null) return null;
  // A refused result proves that its token is no longer the newest, even if the end was not heard of yet.
  return refused.some((result) => result.token >= started.token) ? null : started;
}

export function workerOf({ started, ended, refused }: AttemptView): string | null {
  return started?.worker ?? ended?.worker ?? refused[0]?.worker ?? null;
}

/** What a step's outcome is when an attempt that ended like this was its last. */
export function outcomeOfCause(cause: AttemptCause): Exclude<Outcome, "skipped"> {
  switch (cause) {
    case "finished":
      return "passed";
    case "failed":
    case "lost":
    case "superseded":
    // Given back half done, or by everybody, and not to be tried again: nobody cancelled it.
    case "released":
    case "refused":
    case "unprepared":
      return "failed";
    case "timed-out":
      return "timed-out";
    case "cancelled":
      return "cancelled";
    default:
      return unreachable(cause);
  }
}

/** The outcome of its own that the step ended with; null when it ended in a usual way. */
export function ownOutcomeOf({ cause, report }: AttemptEnded): string | null {
  return cause === "finished" ? (report?.ownOutcome ?? null) : null;
}

/** How the attempt stands, without a full stop: "lost: nothing was heard of its worker in time; a late result (passed) was refused". */
export function attemptWords(attempt: AttemptView): string {
  const late = attempt.refused.map((result) => `a late result (${result.outcome}) was refused`);
  return [standing(attempt), ...new Set(late)].join("; ");
}

/** Why a step ended as it did, without a full stop; empty when it passed. */
export function reasonOfEnding(decisive: AttemptEnded, attempts: readonly AttemptView[]): string {
  if (decisive.cause === "finished") return "";
  if (decisive.cause === "lost") {
    const lost = attempts.filter(({ ended }) => ended !== null && isOfLostWorker(ended.cause)).length;
    return lost > 1 ? `lost ${lost} times: nothing was heard of its workers in time` : causeWords("lost");
  }
  return decisive.report?.problem || whyWords(decisive);
}

function standing({ started, ended, refused }: AttemptView): string {
  if (ended !== null) {
    const own = ownOutcomeOf(ended);
    if (own !== null) return `ended as ${own}`;
    const problem = ended.report?.problem ?? "";
    return problem === "" ? whyWords(ended) : `${causeWords(ended.cause)}: ${problem}`;
  }
  if (refused.length > 0) return "superseded";
  return started === null ? "unknown" : "running";
}

function whyWords({ cause, why = "" }: AttemptEnded): string {
  return cause === "refused" && why !== "" ? `refused by its worker: ${why}` : causeWords(cause);
}

function causeWords(cause: AttemptCause): string {
  switch (cause) {
    case "finished":
      return "passed";
    case "failed":
      return "failed";
    case "timed-out":
      return "timed out";
    case "cancelled":
      return "cancelled";
    case "lost":
      return "lost: nothing was heard of its worker in time";
    case "superseded":
      return "superseded: its worker's process was replaced by another one";
    case "released":
      return "released: its worker was asked to stop";
    case "refused":
      return "refused: its worker could not run it";
    case "unprepared":
      return "unprepared: its worker could not get what it runs in";
    default:
      return unreachable(cause);
  }
}
