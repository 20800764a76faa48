/**
 * What a worker says about one attempt when it is over. Signed by the worker, bounded by
 * `limits.reportBytesMax`, kept in the step's register, so an accepted result survives its home.
 */

import type { Outcome, Scalar } from "./plan.ts";

export type CommandReport = {
  /** From the start of the attempt, monotonic. */
  readonly startedMs: number;
  readonly durationMs: number;
  /** Offset in the attempt's log where the command's output begins, in bytes. */
  readonly logOffset: number;
  readonly end:
    | { readonly kind: "exit"; readonly code: number }
    | { readonly kind: "signal"; readonly signal: string }
    | { readonly kind: "timed-out" }
    | { readonly kind: "cancelled" }
    | { readonly kind: "not-started"; readonly problem: string };
};

export type LogReference = {
  readonly bytes: number;
  /** Bytes that were produced beyond the limit and dropped. */
  readonly droppedBytes: number;
  /** sha256 of the whole log in hex; the blob of that digest holds it. Null when `tail` is all of it. */
  readonly digest: string | null;
};

export type OutputReference = {
  readonly name: string;
  /** Digest of a tree (see `protocol/tree.ts`). */
  readonly tree: string;
  readonly files: number;
  readonly bytes: number;
};

/** What the test reports of a step say together. */
export type TestSummary = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of the first that failed, at most `limits.failedTestsNamedMax`. */
  readonly failures: readonly string[];
};

export type StepReport = {
  readonly outcome: Exclude<Outcome, "skipped">;
  /** One sentence when the outcome is not `passed`: "`npm test` exited with 1". Empty when it passed. */
  readonly problem: string;
  readonly durationMs: number;
  /** One entry a command that was reached, in order. */
  readonly commands: readonly CommandReport[];
  readonly outputs: readonly OutputReference[];
  readonly log: LogReference;
  /** The last bytes of the log, at most `limits.reportTailBytesMax`, as text. */
  readonly tail: string;
  /** What a step that passed said as its declared values; only when it declares some. */
  readonly values?: Readonly<Record<string, Scalar>>;
  /** Of a step whose commands passed: the outcome of its own that it ended with. */
  readonly ownOutcome?: string;
  /** Only when the step declares test reports, and wrote some. */
  readonly tests?: TestSummary;
  /** It failed before any command began, since the worker could not get what the step runs in: another attempt may go well. */
  readonly unprepared?: true;
};

/** How the step ended, as needs compare it: one of the usual outcomes, or one of its own. */
export function endOfReport(report: StepReport): string {
  return report.ownOutcome ?? report.outcome;
}

/** The name of the output under which the files of a report are handed in. */
export function reportOutput(format: string): string {
  return `report-${format}`;
}
