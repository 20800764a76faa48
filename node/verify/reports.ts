/** What a worker reported of one attempt, held against its plan and against how the attempt was recorded to end. */

import { type AttemptEnded, isGivenBack, isOfLostWorker } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import type { GrantedLease, SignedResult } from "../../protocol/messages.ts";
import type { PlannedStep } from "../../protocol/plan.ts";
import { reportOutput, type StepReport } from "../../protocol/report.ts";
import { encodeValue } from "../../protocol/values.ts";
import { outcomeOfCause } from "../view/attempt.ts";
import type { Findings } from "./finding.ts";

export type Reported = {
  readonly event: AttemptEnded;
  readonly result: SignedResult | null;
  readonly step: PlannedStep;
  readonly index: number;
  /** What the step's inputs stood for, by what was recorded of the steps before. */
  readonly given: Pick<GrantedLease, "inputs" | "values">;
};

export function checkReport(reported: Reported, findings: Findings): void {
  const { event, result, step, index, given } = reported;
  const { attempt, cause, report } = event;
  if (report === null) {
    // A later home knows the report of the attempt that decided; of those before it knows only how they ended.
    const silent = isOfLostWorker(cause) || isGivenBack(cause) || cause === "cancelled" || !event.final;
    if (!silent)
      findings.add(
        "result-unsigned",
        step.name,
        `Its worker reports how attempt ${attempt} ended.`,
        `It is recorded as ${cause} without a report.`,
      );
    return;
  }
  if (result === null)
    findings.add(
      "result-unsigned",
      step.name,
      `Its worker signs what it reports of attempt ${attempt}.`,
      "No signature of the worker's holds for the report.",
    );
  else if (result.index !== index)
    findings.add(
      "result-invalid",
      step.name,
      `Its worker signs for step ${index + 1} of the plan.`,
      `It signed for step ${result.index + 1}.`,
    );
  else if (result.inputs !== inputsDigest(given))
    findings.add(
      "inputs-differ",
      step.name,
      `Attempt ${attempt} is given what the steps before it were recorded to have made.`,
      "Its worker signed that it was given something else.",
    );
  checkOutcome(event, report, step, findings);
  checkOutputs(event, report, step, findings);
  checkSaid(event, report, step, findings);
}

/** Values and an outcome of its own, as the plan declares them. */
function checkSaid(
  { attempt }: AttemptEnded,
  report: StepReport,
  step: PlannedStep,
  findings: Findings,
): void {
  const wrong: string[] = [];
  const types = new Map((step.values ?? []).map(({ name, type }) => [name, type]));
  for (const [name, value] of Object.entries(report.values ?? {}))
    if (types.get(name) !== typeof value) wrong.push(`the value "${name}" is not one of that name and type`);
  const missing = [...types.keys()].filter((name) => report.values?.[name] === undefined);
  if (report.outcome === "passed") wrong.push(...missing.map((name) => `the value "${name}" is missing`));
  const { ownOutcome } = report;
  if (ownOutcome !== undefined && step.outcomes?.includes(ownOutcome) !== true)
    wrong.push(`it ended as ${ownOutcome}, which the plan does not declare`);
  if (wrong.length > 0)
    findings.add(
      "outputs-differ",
      step.name,
      `The step tells the values ${listed([...types.keys()])} and may end as ${listed(step.outcomes ?? [])}.`,
      `In the report of attempt ${attempt}, ${wrong.join(", ")}.`,
    );
}

function checkOutcome(
  { attempt, cause }: AttemptEnded,
  report: StepReport,
  step: PlannedStep,
  findings: Findings,
): void {
  const byWorker = !isOfLostWorker(cause) && !isGivenBack(cause);
  if (!byWorker || outcomeOfCause(cause) !== report.outcome) {
    const expected = byWorker
      ? `An attempt that is recorded as ${cause} was reported as ${outcomeOfCause(cause)}.`
      : `Of an attempt that was ${cause} nothing is reported.`;
    findings.add(
      "report-differs",
      step.name,
      expected,
      `Attempt ${attempt} was reported as ${report.outcome}.`,
    );
  }
  if ((cause === "unprepared") !== (report.unprepared === true))
    findings.add(
      "report-differs",
      step.name,
      "Whether a step could begin at all its worker says.",
      `Attempt ${attempt} is recorded as ${cause}, and its worker says ${report.unprepared === true ? "that it could not" : "something else"}.`,
    );
  const { commands } = report;
  // How many commands a step library runs is its own affair.
  const planned = step.action === undefined ? step.commands.length : commands.length;
  if (commands.length > planned)
    findings.add(
      "report-differs",
      step.name,
      `The plan has ${planned} commands for the step.`,
      `Attempt ${attempt} reports ${commands.length}.`,
    );
  if (report.outcome !== "passed") return;
  const bad = commands.findIndex(({ end }) => end.kind !== "exit" || end.code !== 0);
  if (bad !== -1)
    findings.add(
      "report-differs",
      step.name,
      "A step passes when each of its commands exits with 0.",
      `Command ${bad + 1} of attempt ${attempt} did not.`,
    );
  // Of many commands those at the end are left out of a report that has no room for them.
  const crowded = encodeValue(report).length * 2 > limits.reportBytesMax;
  if (commands.length < planned && !crowded)
    findings.add(
      "report-differs",
      step.name,
      `All ${planned} commands of the step are run before it passes.`,
      `Attempt ${attempt} ran ${commands.length}.`,
    );
}

function checkOutputs(
  { attempt }: AttemptEnded,
  report: StepReport,
  step: PlannedStep,
  findings: Findings,
): void {
  const declared = new Set(step.outputs.map(({ name }) => name));
  // Files of reports are handed in as outputs, too, if there are any.
  const reports = new Set((step.reports ?? []).map(({ format }) => reportOutput(format)));
  const made = report.outputs.map(({ name }) => name);
  const undeclared = made.filter((name) => !declared.has(name) && !reports.has(name));
  const twice = made.filter((name, index) => made.indexOf(name) !== index);
  const missing = report.outcome === "passed" ? [...declared].filter((name) => !made.includes(name)) : [];
  const wrong = [
    ...undeclared.map((name) => `"${name}" is not declared`),
    ...twice.map((name) => `"${name}" is there twice`),
    ...missing.map((name) => `"${name}" is missing`),
  ];
  if (wrong.length > 0)
    findings.add(
      "outputs-differ",
      step.name,
      `The step makes the outputs that its plan declares: ${listed([...declared])}.`,
      `In the report of attempt ${attempt}, ${wrong.join(", ")}.`,
    );
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
}
