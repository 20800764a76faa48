/**
 * One author's account of a run, replayed against its plan.
 *
 * The plan is followed by `OpenRun`, which decides in a running home what may start, what is skipped and what is tried
 * again: an account is true to the plan when, told event by event, `OpenRun` would have let each of them happen.
 *
 *   reign --run-admitted--> replay --run-closed--> closed      (a home that takes over, or comes back, tells of the
 *     ^                       |                                 admission again, and then of all that it found)
 *     +----- run-admitted ----+
 *
 * Only the order within an account counts. Times are for people.
 */

import { unreachable } from "../../protocol/errors.ts";
import type {
  AttemptCause,
  AttemptEnded,
  AttemptStarted,
  Event,
  GateOpened,
  ResultRefused,
  StepAnswered,
  StepSettled,
  StepSkipped,
  StepWaiting,
} from "../../protocol/events.ts";
import { isAfterword } from "../../protocol/log.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Permit } from "../../protocol/permits.ts";
import { isSettledByMesh, mayBeGated } from "../../protocol/plan.ts";
import type { PastAttempt, RunOutcome, StepValue } from "../../protocol/registers/registers.ts";
import { OpenRun, type Skip } from "../core/open-run.ts";
import { endOfReport } from "../../protocol/report.ts";
import { outcomeOfCause } from "../view/attempt.ts";
import { checkAdmission } from "./admission.ts";
import type { Account, Told } from "./evidence.ts";
import type { Findings } from "./finding.ts";
import { checkReport } from "./reports.ts";
import { checkAnswer, checkReleased, checkSettled } from "./settled.ts";

/** How an account ends: what its last replay of the run had come to. */
export type Replayed = {
  /** What the steps add up to, once nothing is left that could run; null before. */
  readonly outcome: RunOutcome | null;
  /** Steps that had not ended. */
  readonly left: readonly string[];
};

export function replay(account: Account, submission: Submission, findings: Findings): Replayed[] {
  const reigns: Reign[] = [];
  const { told } = account;
  const refused = new Set<string>();
  let closed = false;
  for (const one of told) {
    const { event } = one;
    if (closed && !isAfterword([event])) {
      const step = "step" in event ? event.step : null;
      const recorded = `${account.author} recorded ${event.kind} behind it.`;
      findings.add("after-close", step, "Nothing happens after a run is closed.", recorded);
      continue;
    }
    if (event.kind === "run-closed") closed = true;
    if (event.kind === "run-admitted") {
      checkAdmission(event, submission, findings);
      reigns.push(new Reign(submission, findings, refused));
      continue;
    }
    const reign = reigns.at(-1);
    if (reign !== undefined) reign.take(one);
    // A home that does not have the plan yet may decide that its run is cancelled.
    else if (!isAfterword([event]) && event.kind !== "cancel-requested")
      findings.add(
        "not-admitted",
        "step" in event ? event.step : null,
        "An author tells of the admission before anything else.",
        `${account.author} tells of ${event.kind} first.`,
      );
  }
  return reigns.map((reign) => reign.replayed);
}

class Reign {
  readonly #run: OpenRun;
  readonly #findings: Findings;
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #past: PastAttempt[][];
  readonly #current: (AttemptStarted | null)[];
  /** Steps that are left out, with the reason: first by the plan, then by how the steps before them ended. */
  readonly #skips = new Map<number, string>();
  readonly #skipsTold = new Set<number>();
  /** How steps that no worker does were settled. */
  readonly #settledAs = new Map<number, string>();
  /** Steps that ended well, where the policy demanded something before that counted. */
  readonly #held = new Map<
    number,
    {
      readonly token: number;
      readonly end: { readonly outcome: string; readonly report: null };
      readonly made: AttemptEnded["report"];
    }
  >();
  /** Results that were refused, in all of the account. */
  readonly #refused: Set<string>;

  constructor(submission: Submission, findings: Findings, refused: Set<string>) {
    this.#run = new OpenRun(submission);
    this.#findings = findings;
    this.#refused = refused;
    const { steps } = submission.manifest.plan;
    this.#indexOf = new Map(steps.map(({ name }, index) => [name, index]));
    this.#past = steps.map(() => []);
    this.#current = steps.map(() => null);
    this.#expectSkips(this.#run.begin().skipped);
  }

  get replayed(): Replayed {
    const left = [...this.#indexOf].filter(([, index]) => this.#run.phase(index) !== "done");
    return { outcome: this.#run.over ? this.#run.outcome : null, left: left.map(([name]) => name) };
  }

  take({ event, result, answer, permit, elsewhere }: Told): void {
    switch (event.kind) {
      case "attempt-started":
        return this.#ofStep(event, (index) => this.#started(event, index));
      case "attempt-ended":
        return this.#ofStep(event, (index) => this.#ended({ event, result, index }));
      case "step-skipped":
        return this.#ofStep(event, (index) => this.#skipped(event, index));
      case "step-waiting":
        return this.#ofStep(event, (index) => this.#waits(event, index));
      case "step-answered":
        return this.#ofStep(event, (index) => this.#answered(event, index, answer));
      case "step-settled":
        return this.#ofStep(event, (index) => this.#settled(event, index, { answer, elsewhere }));
      case "gate-opened":
        return this.#ofStep(event, (index) => this.#opened(event, index, permit));
      case "result-refused":
        this.#refused.add(resultName(event));
        return;
      case "cancel-requested":
        this.#run.cancelled = true;
        return;
      case "run-closed":
        return this.#closed();
      case "run-admitted":
      case "run-refused":
      case "outcome-signed":
        return;
      default:
        return unreachable(event);
    }
  }

  #ofStep(event: Extract<Event, { readonly step: string }>, take: (index: number) => void): void {
    const index = this.#indexOf.get(event.step);
    if (index !== undefined) return take(index);
    this.#findings.add(
      "unknown-step",
      event.step,
      "Only steps of the plan are run.",
      `The plan has no step ${event.step}; ${event.kind} is recorded of it.`,
    );
  }

  #started(event: AttemptStarted, index: number): void {
    const { step, attempt, token } = event;
    const current = this.#current[index] ?? null;
    if (current !== null && isSameLease(current, event)) return;
    if (!this.#mayRun(event, index)) return;
    if (this.#run.phase(index) === "waiting")
      this.#findings.add(
        "gate-passed",
        step,
        "A step that waits at a gate begins once the gate is open.",
        `Attempt ${attempt} was started before that.`,
      );
    if (current !== null)
      this.#findings.add(
        "started-again",
        step,
        "A step is started again only after the attempt before has ended.",
        `Attempt ${attempt} was started while attempt ${current.attempt} was running.`,
      );
    this.#checkNumbers(event, index);
    this.#current[index] = event;
    this.#apply(index, { ...this.#value(index, token), state: "leased", ...leaseOf(event) });
  }

  /** False when the step is over. */
  #mayRun({ step, attempt, kind }: AttemptStarted | AttemptEnded, index: number): boolean {
    const what = `Attempt ${attempt} ${kind === "attempt-started" ? "was started" : "ended"}`;
    const planned = this.#run.step(index);
    if (isSettledByMesh(planned))
      this.#findings.add(
        "not-for-workers",
        step,
        `The step is no work for a worker: its plan says ${planned.action?.kind}.`,
        `${what} on a worker.`,
      );
    return this.#mayBegin({ step, what, again: kind === "attempt-started" }, index);
  }

  /** False when the step is over: what is told of it then changes nothing. */
  #mayBegin({ step, what, again }: { step: string; what: string; again: boolean }, index: number): boolean {
    const phase = this.#run.phase(index);
    if (phase === "blocked")
      this.#findings.add("started-early", step, this.#needsWords(index), `${what} before that.`);
    if (phase !== "done") return true;
    const skip = this.#skips.get(index);
    if (skip !== undefined)
      this.#findings.add("started-left-out", step, `The step is left out: ${skip}.`, `${what} nevertheless.`);
    else
      this.#findings.add(
        again ? "started-again" : "ended-again",
        step,
        "The step is over.",
        `${what} after that.`,
      );
    return false;
  }

  /** The permit must be for this step of this submission, with exactly what the steps before it made. */
  #opened({ step }: GateOpened, index: number, permit: Permit | null): void {
    if (permit === null) return;
    const { run, manifestCid } = this.#run.submission;
    const isForIt =
      permit.run === run &&
      permit.manifest === manifestCid &&
      permit.index === index &&
      permit.step === step &&
      (permit.phase === "after") === (this.#held.get(index) !== undefined) &&
      permit.given === this.#run.judged(index);
    if (!isForIt)
      this.#findings.add(
        "permit-invalid",
        step,
        "A permit is for one step of one submission, and for what it is given.",
        `This one is for ${permit.step} of run ${permit.run}, or for other files.`,
      );
    if (this.#run.phase(index) !== "waiting") return;
    const held = this.#held.get(index);
    if (held !== undefined)
      this.#apply(index, { ...this.#value(index, held.token), ...held.end, state: "done" }, held.made);
    else this.#apply(index, { ...this.#value(index, this.#run.token(index)), state: "queued" });
  }

  #waits(event: StepWaiting, index: number): void {
    if (this.#run.phase(index) === "waiting" || !this.#mayBeAsked(event, index)) return;
    const { untilMs: sinceMs } = event;
    if (mayBeGated(this.#run.step(index))) {
      const token = this.#run.token(index);
      return this.#apply(index, { ...this.#value(index, token), state: "gated", sinceMs, approvals: [] });
    }
    this.#apply(index, { ...this.#value(index, 1), state: "waiting", sinceMs, answers: [] });
  }

  #answered(event: StepAnswered, index: number, answer: Told["answer"]): void {
    // A later home that finds a step settled tells who had answered, and not that it waited.
    const phase = this.#run.phase(index);
    if (phase !== "waiting" && phase !== "ready")
      this.#findings.add(
        "not-asked",
        event.step,
        "An answer counts while its step waits for one.",
        "It is recorded of a step that did not wait.",
      );
    checkAnswer(event, this.#said(index, answer), event.verdict, this.#findings);
  }

  #settled(
    event: StepSettled,
    index: number,
    { answer, elsewhere }: Pick<Told, "answer" | "elsewhere">,
  ): void {
    const { step, outcome, cause } = event;
    const known = this.#settledAs.get(index);
    if (known === `${cause} ${outcome}` || !this.#mayBeAsked(event, index)) return;
    this.#settledAs.set(index, `${cause} ${outcome}`);
    // A later home finds a step settled, and does not tell that it waited.
    const phase = this.#run.phase(index);
    if (phase !== "waiting" && phase !== "ready")
      this.#findings.add("not-asked", step, "A step is settled once it waits.", "It did not wait.");
    const { environments } = this.#run.submission.manifest.plan;
    const { environment } = this.#run.step(index);
    const owner = environment === null ? null : (environments[environment]?.domain ?? null);
    if (cause === "released") checkReleased(event, { elsewhere, owner, index }, this.#findings);
    const members = this.#run.membersOutcome(index);
    checkSettled(event, this.#said(index, answer), members, this.#findings);
    const token = this.#run.token(index) + 1;
    const made = elsewhere?.ok === true ? elsewhere.value.outcome : null;
    this.#apply(index, { ...this.#value(index, token), state: "done", outcome, report: null }, made);
  }

  #said(index: number, answer: Told["answer"]): Parameters<typeof checkSettled>[1] {
    const { manifestCid: manifest } = this.#run.submission;
    return { answer, step: this.#run.step(index), manifest };
  }

  /** False when the step is over, or is a worker's. */
  #mayBeAsked({ step, kind }: StepWaiting | StepSettled, index: number): boolean {
    const what = kind === "step-waiting" ? "It waited" : "It was settled";
    const planned = this.#run.step(index);
    if (!isSettledByMesh(planned) && !mayBeGated(planned)) {
      this.#findings.add("not-for-the-mesh", step, "The step is a worker's to do.", `${what}.`);
      return false;
    }
    return this.#mayBegin({ step, what, again: kind === "step-waiting" }, index);
  }

  #checkNumbers({ step, attempt, token }: AttemptStarted | AttemptEnded, index: number): void {
    const past = this.#past[index] ?? [];
    const last = past.at(-1);
    if (attempt !== past.length + 1)
      this.#findings.add(
        "attempt-number",
        step,
        `The next attempt is number ${past.length + 1}.`,
        `It is recorded as attempt ${attempt}.`,
      );
    if (last !== undefined && token <= last.token)
      this.#findings.add(
        "token-order",
        step,
        `Attempt ${attempt} comes under a token above ${last.token}.`,
        `It came under token ${token}.`,
      );
  }

  #ended({ event, result, index }: { event: AttemptEnded; result: Told["result"]; index: number }): void {
    const { step, attempt, token, worker, cause, final } = event;
    const past = this.#past[index] ?? [];
    const known = past.find((one) => one.attempt === attempt);
    if (known?.token === token && known.worker === worker && known.cause === cause) return;
    if (!this.#mayRun(event, index)) return;
    const current = this.#current[index] ?? null;
    if (current === null) this.#checkNumbers(event, index);
    else if (!isSameLease(current, event))
      this.#findings.add(
        "ended-otherwise",
        step,
        `What ends is attempt ${current.attempt} under token ${current.token}, of ${current.worker}.`,
        `Recorded is the end of attempt ${attempt} under token ${token}, of ${worker}.`,
      );
    const byResult = cause === "finished" || cause === "failed" || cause === "timed-out";
    if (byResult && this.#refused.has(resultName(event)))
      this.#findings.add(
        "refused-result-won",
        step,
        `The result of ${worker} under token ${token} was refused, and cannot win.`,
        `Attempt ${attempt} ended by it.`,
      );
    const planned = this.#run.step(index);
    checkReport({ event, result, step: planned, index, given: this.#run.given(index) }, this.#findings);
    if (event.held !== true) this.#checkAgain(event, index, past);
    this.#past[index] = [...past, { attempt, token, worker, cause }];
    this.#current[index] = null;
    const value = this.#value(index, token);
    const outcome = event.report === null ? outcomeOfCause(cause) : endOfReport(event.report);
    if (final) this.#apply(index, { ...value, state: "done", outcome, report: null }, event.report);
    else if (event.held === true) this.#holds(index, value, { outcome, made: event.report });
    else this.#apply(index, { ...value, state: "queued" });
  }

  /** It ended well, and counts once the gate behind it is open. */
  #holds(
    index: number,
    value: { readonly kind: "step"; readonly token: number; readonly past: readonly PastAttempt[] },
    { outcome, made }: { readonly outcome: string; readonly made: AttemptEnded["report"] },
  ): void {
    this.#held.set(index, { token: value.token, end: { outcome, report: null }, made });
    const ended = { outcome, report: new Uint8Array() };
    this.#apply(index, { ...value, state: "gated", sinceMs: 0, approvals: [], ended }, made);
  }

  /** Whether another attempt follows is the plan's to say, unless the run was being cancelled. */
  #checkAgain({ step, attempt, cause, final }: AttemptEnded, index: number, past: PastAttempt[]): void {
    const { attemptsMax, on } = this.#run.step(index).retry;
    const allowed = `The step is tried at most ${attemptsMax} times, again when ${on.join(" or ") || "nothing"}.`;
    if (!final && !this.#again(index, past, cause).some(Boolean))
      this.#findings.add("extra-attempt", step, allowed, `Attempt ${attempt} was ${cause} and not the last.`);
    if (final && !this.#run.cancelled && this.#again(index, past, cause).every(Boolean))
      this.#findings.add("gave-up-early", step, allowed, `Attempt ${attempt} was ${cause} and the last.`);
  }

  /** Whether the step is tried again, by the one evaluator: both answers when that depends on what is not recorded. */
  #again(index: number, past: PastAttempt[], cause: AttemptCause): boolean[] {
    if (cause === "finished" || cause === "cancelled") return [false];
    const run = this.#run;
    // Decided before the cancellation, an attempt may be told to be followed by another one after it.
    const { cancelled } = run;
    run.cancelled = false;
    const answers = [run.triesAgain(index, past, cause)];
    // Given back: what reaches outside counts as lost when it had begun.
    if (cause === "released" && run.step(index).effect) answers.push(run.triesAgain(index, past, "lost"));
    run.cancelled = cancelled;
    return answers;
  }

  #skipped({ step, reason }: StepSkipped, index: number): void {
    const expected = this.#skips.get(index);
    const allowed =
      expected === undefined
        ? `The step is part of the run. ${this.#needsWords(index)}`
        : `The step is left out: ${expected}.`;
    if (expected !== reason)
      this.#findings.add("skipped-unfounded", step, allowed, `It was skipped: ${reason}.`);
    this.#skipsTold.add(index);
  }

  #closed(): void {
    for (const [index, reason] of this.#skips)
      if (!this.#skipsTold.has(index))
        this.#findings.add(
          "skip-untold",
          this.#run.step(index).name,
          `The step is left out: ${reason}.`,
          "No end of it is recorded.",
        );
  }

  #apply(index: number, value: StepValue, made: Parameters<OpenRun["apply"]>[2] = null): void {
    this.#expectSkips(this.#run.apply(index, value, made).skipped);
  }

  #expectSkips(skips: readonly Skip[]): void {
    for (const { index, reason } of skips) this.#skips.set(index, reason);
  }

  #value(index: number, token: number): { kind: "step"; token: number; past: readonly PastAttempt[] } {
    return { kind: "step", token, past: this.#past[index] ?? [] };
  }

  #needsWords(index: number): string {
    const { needs } = this.#run.step(index);
    if (needs.length === 0) return "It needs no other step.";
    const words = needs.map(({ step, outcomes }) => `${step} (${outcomes.join(" or ")})`);
    return `It starts when these have ended: ${words.join(", ")}.`;
  }
}

function isSameLease(one: AttemptStarted, other: AttemptStarted | AttemptEnded): boolean {
  return one.attempt === other.attempt && one.token === other.token && one.worker === other.worker;
}

function leaseOf({ attempt, worker }: AttemptStarted): {
  attempt: number;
  worker: string;
  session: string;
  nonce: string;
} {
  return { attempt, worker, session: "", nonce: "" };
}

function resultName({ step, attempt, token, worker }: ResultRefused | AttemptEnded): string {
  return JSON.stringify([step, attempt, token, worker]);
}
