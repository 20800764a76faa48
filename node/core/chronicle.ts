/** What a home tells of the runs that it leads: one function a fact, each an event of its log. */

import type { Noted } from "../../protocol/log.ts";
import type { Event } from "../../protocol/events.ts";
import type { PastAttempt, StepValue } from "../../protocol/registers/registers.ts";
import type { SignedResult } from "../../protocol/messages.ts";
import { endOfReport, type StepReport } from "../../protocol/report.ts";
import type { Now } from "./effects.ts";
import type { OpenRun } from "./open-run.ts";
import type { ClosedRun } from "./retiring.ts";

type Ended = {
  readonly past: PastAttempt;
  /** True when no further attempt follows. */
  readonly final: boolean;
  /** True when it ended well, and that did not count at once. */
  readonly held: boolean;
  readonly report: StepReport | null;
  /** The worker's signed result that holds the report, or null when none came. */
  readonly result: Uint8Array | null;
  /** Why its worker refused it; absent where it did not, or did not say. */
  readonly why?: string | undefined;
};

export class Chronicle {
  readonly #tell: (noted: Noted) => void;

  constructor(note: (noted: Noted) => void) {
    this.#tell = note;
  }

  admitted({ submission, stepCount }: OpenRun, now: Now): void {
    const { run, manifestCid: manifest, planId: plan, submitter } = submission;
    this.#note({
      kind: "run-admitted",
      run,
      timeMs: now.wallMs,
      manifest,
      plan,
      pipeline: submission.manifest.plan.pipeline,
      submitter: submitter.peer,
      steps: stepCount,
    });
  }

  started(run: OpenRun, index: number, leased: Extract<StepValue, { state: "leased" }>, now: Now): void {
    const step = run.step(index).name;
    const { attempt, token, worker, fence } = leased;
    const { run: id } = run.submission;
    const event: Event = {
      kind: "attempt-started",
      run: id,
      timeMs: now.wallMs,
      step,
      attempt,
      token,
      worker,
    };
    this.#note(fence === undefined ? event : { ...event, fence });
  }

  ended(run: OpenRun, index: number, { past, final, held, report, result, why }: Ended, now: Now): void {
    const step = run.step(index).name;
    const { run: id } = run.submission;
    const event: Event = {
      kind: "attempt-ended",
      run: id,
      timeMs: now.wallMs,
      step,
      ...past,
      final,
      ...(held ? { held } : {}),
      report,
      ...(why === undefined ? {} : { why }),
    };
    this.#tell({ event, result });
  }

  skipped(run: OpenRun, skipped: readonly { index: number; reason: string }[], now: Now): void {
    for (const { index, reason } of skipped) {
      const step = run.step(index).name;
      this.#note({ kind: "step-skipped", run: run.submission.run, timeMs: now.wallMs, step, reason });
    }
  }

  refused(worker: string, { run, step, attempt, token, report }: SignedResult, now: Now): void {
    const outcome = endOfReport(report);
    this.#note({ kind: "result-refused", run, timeMs: now.wallMs, step, attempt, token, worker, outcome });
  }

  cancelRequested(run: string, by: string, now: Now): void {
    this.#note({ kind: "cancel-requested", run, timeMs: now.wallMs, by });
  }

  closed(run: string, { outcome, envelope: bundle }: ClosedRun, now: Now): void {
    this.#note({ kind: "run-closed", run, timeMs: now.wallMs, outcome, bundle });
  }

  #note(event: Event): void {
    this.#tell({ event, result: null });
  }
}
