/** What is said between two domains about one step: how it is released, and how it ended. Pure; both are the same for every peer. */

import type { Verifier } from "../../protocol/envelope.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { openOutcome, type Release, type ReleasedOutcome } from "../../protocol/release.ts";
import {
  type RegisterValue,
  type RunOutcome,
  stepRegister,
  type StepValue,
} from "../../protocol/registers/registers.ts";
import type { StepReport } from "../../protocol/report.ts";
import { compareText } from "../../protocol/values.ts";
import type { OpenRun } from "./open-run.ts";

/** The release of a step that all of whose needs have ended. */
export function releaseOf(
  run: OpenRun,
  index: number,
  { fromMs, untilMs }: Pick<Release, "fromMs" | "untilMs">,
): Release {
  const { run: id, manifestCid: manifest } = run.submission;
  const { inputs, values = [] } = run.given(index);
  const before = [...run.before(index)].toSorted(compareText);
  const outcomes: Record<string, string> = {};
  for (const name of before) outcomes[name] = run.outcomeOf(name) ?? "";
  const step = run.step(index).name;
  return {
    otto: "release/1",
    run: id,
    manifest,
    index,
    step,
    inputs: inputs.map(({ name, tree }) => ({ name, tree })),
    values: values.map(({ name, value }) => ({ name, value })),
    outcomes,
    fromMs,
    untilMs,
  };
}

/** How the step of a released run ended; null while it has not, or when the run is none. */
export function outcomeOf(
  { submission }: Pick<OpenRun, "submission">,
  known: {
    value(register: string): RegisterValue | null;
    reportIn(envelope: Uint8Array): StepReport | null;
  },
): ReleasedOutcome | null {
  const { released } = submission;
  const value = known.value(stepRegister(submission.run, 0));
  if (released === undefined || value?.kind !== "step" || value.state !== "done") return null;
  const report = value.report === null ? null : known.reportIn(value.report);
  const outcome = value.outcome === "passed" || value.outcome === "timed-out" ? value.outcome : "failed";
  const isPassed = outcome === "passed";
  return {
    otto: "outcome/1",
    domain: released.from.charter.domain,
    run: released.release.run,
    index: released.release.index,
    outcome,
    detail: isPassed ? "" : (value.settlement?.detail ?? report?.problem ?? value.outcome),
    outputs: isPassed ? (report?.outputs ?? []) : [],
    values: isPassed ? (report?.values ?? {}) : {},
  };
}

/** What a majority of this domain's control peers signed about how a released run has ended, by what is told of the run; null: nothing that holds. */
export function outcomeSigned(
  events: readonly LoggedEvent[],
  domain: string,
  keys: Verifier,
): Uint8Array | null {
  for (const event of events) {
    const opened = event.kind === "outcome-signed" ? openOutcome(event.outcome, keys) : null;
    if (event.kind === "outcome-signed" && opened?.ok === true && opened.value.from.charter.domain === domain)
      return event.outcome;
  }
  return null;
}

/** Why nobody can show such a signature any more. @param end how the run ended. */
export function whyUnsigned(end: RunOutcome): string {
  return end === "cancelled"
    ? "it was cancelled before it began"
    : `it is over there, as ${end}, and no more than half of the control peers have signed that`;
}

/** What a step has made, here or in another domain, as its register tells. What was settled otherwise has made nothing that counts. */
export function madeBy(
  value: StepValue,
  known: { readonly keys: Verifier; reportIn(envelope: Uint8Array): StepReport | null },
): Pick<StepReport, "outputs" | "values"> | null {
  if (value.state === "gated") return value.ended === undefined ? null : known.reportIn(value.ended.report);
  if (value.state !== "done") return null;
  if (value.settlement !== undefined) return madeElsewhere(value, known.keys);
  return value.report === null ? null : known.reportIn(value.report);
}

/** What a step leaves to those that need it which another domain has run; null: it was not, or made nothing. */
function madeElsewhere(value: StepValue, keys: Verifier): Pick<ReleasedOutcome, "outputs" | "values"> | null {
  const evidence =
    value.state === "done" && value.settlement?.cause === "released" ? value.settlement.evidence : null;
  const opened = evidence === null ? null : openOutcome(evidence, keys);
  return opened?.ok === true ? opened.value.outcome : null;
}
