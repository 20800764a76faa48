/** What does not fit between the plan of a run and its records: one finding a deviation, each under a stable code. */

import { limits } from "../../protocol/limits.ts";

/** Each code with what is wrong, as a person may look it up. */
const findingCodes = {
  "charter-invalid": "the charter is not signed by the owner of the domain",
  "other-domain": "the run is of another domain than the one that was expected",
  "bundle-missing": "the signed plan is not there",
  "bundle-invalid": "the plan, its signature or its submitter does not hold",
  "certificate-expired": "the submitter was no longer a member when the run was admitted",
  "other-run": "the signed plan, or an entry, is another run's",
  "entry-invalid": "an entry's signature or form does not hold",
  "author-not-entitled": "an entry is signed by somebody who is no control peer",
  "entry-missing": "an author's entry about the run was taken out",
  "entry-forked": "an author wrote two different entries in one place",
  "log-forked":
    "an author is proven to have told different things in a log that tells, or may tell, of the run",
  "worker-not-entitled": "a worker's certificate does not hold",
  "result-unsigned": "a report was recorded without its worker's signature",
  "result-invalid": "the worker's signature does not hold, or it signed something else",
  "inputs-differ": "an attempt was given other files than the steps before it made",
  "other-plan": "the admission names another manifest or plan",
  "not-admitted": "something is told of a run that was not admitted before",
  "unknown-step": "the plan has no such step",
  "started-left-out": "a step ran that the plan left out, or that a need excluded",
  "started-early": "a step ran before everything it needs had ended",
  "started-again": "a step ran again although it was over, or still running",
  "not-for-workers": "a worker ran a step that people, something outside or other steps settle",
  "attempt-number": "attempts are not numbered one after the other",
  "token-order": "a token did not rise",
  "extra-attempt": "a step was tried more often than its plan allows",
  "gave-up-early": "a step was not tried again although its plan says so",
  "ended-otherwise": "an attempt ended under another token or worker than it began",
  "ended-again": "a step ended twice",
  "cancelled-by-nobody": "a step or run was cancelled, and nobody had asked for it",
  "skipped-unfounded": "a step was skipped for a reason that the plan does not give",
  "skip-untold": "a step was left out without a word",
  "not-asked": "a step was answered or settled that did not wait",
  "not-for-the-mesh": "a step of a worker's was settled by somebody else",
  "settled-otherwise":
    "a step was settled by something that its plan does not name, or ended as that cannot end it",
  "answer-invalid": "what a person signed does not hold, or says something else",
  "answer-missing": "an answer is recorded that nobody signed",
  "answer-not-entitled": "somebody answered who is not among those who may",
  "approvals-missing": "fewer people approved than the plan asks for",
  "permit-invalid": "a gate was opened by what a majority did not sign, or signed for something else",
  "permit-missing": "a guarded step began, or counts, and no majority has signed that it may",
  "policy-invalid": "what is shown as the domain's policy is none that its owner has signed",
  "outcome-invalid": "a step of another domain's ended otherwise than that domain signed",
  "gate-passed": "a step began while it waited at a gate",
  "refused-result-won": "a result that was refused decided a step",
  "report-differs": "a report does not fit how the attempt ended",
  "outputs-differ": "a report has other outputs than the plan declares",
  contradiction: "two records tell one thing differently",
  "after-close": "something happened after the run was closed",
  "outcome-differs": "the run was closed as something else than its steps add up to",
  unfinished: "the run was closed before every step had ended",
} as const;

export type FindingCode = keyof typeof findingCodes;

export type Finding = {
  readonly code: FindingCode;
  /** Null: it is about the run as a whole. */
  readonly step: string | null;
  /** What the plan, or the protocol, allows here: one sentence. */
  readonly expected: string;
  /** What the records say instead: one sentence. */
  readonly recorded: string;
};

/** Collects findings, each once however many authors tell of it, up to `limits.findingsMax`. */
export class Findings {
  readonly #known = new Set<string>();
  readonly #all: Finding[] = [];
  #left = 0;

  add(code: FindingCode, step: string | null, expected: string, recorded: string): void {
    const key = JSON.stringify([code, step, expected, recorded]);
    if (this.#known.has(key)) return;
    if (this.#all.length >= limits.findingsMax) {
      this.#left += 1;
      return;
    }
    this.#known.add(key);
    this.#all.push({ code, step, expected, recorded });
  }

  get all(): readonly Finding[] {
    return this.#all;
  }

  /** How many there are beyond those that are told. */
  get left(): number {
    return this.#left;
  }
}
