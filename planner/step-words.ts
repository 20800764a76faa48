/**
 * The whole reasoning for a step as text that is safe on a terminal: `otto explain --step NAME`. Says what
 * `planner/step-reasons.ts` found out, and nothing else.
 *
 *   production
 *     written     otto.yaml:21-26
 *     left out    when git.branch == "main" is false
 *     condition   git.branch == "main" is false (otto.yaml:23)
 *                 git.branch is "topic", as git says
 */

import type { Scalar } from "../protocol/plan.ts";
import type { ConditionReasons } from "./condition-reasons.ts";
import { printable } from "./diagnostics.ts";
import { formatDuration } from "./durations.ts";
import { branchLines, commandLines, field, oneLine, outcomeWords, retryPhrases } from "./explain.ts";
import type { Because, StepReasons, StepsExplanation, VariableReasons } from "./step-reasons.ts";
import type { Place } from "./written.ts";

/** How many steps or cells a line names before it counts the others; `--json` has them all. */
const namesMax = 12;

export function stepsText({ steps, planId }: StepsExplanation): string {
  const lines = [...steps.flatMap((step) => [...stepLines(step), ""]), `plan ${planId}`, ""];
  return lines.map(printable).join("\n");
}

function stepLines(step: StepReasons): string[] {
  const { place, cell, condition, environment } = step;
  const lines = [step.name];
  lines.push(field("written", place === null ? "nowhere: the step was detected" : placeWords(place)));
  lines.push(field(step.included ? "in" : "left out", step.reason));
  // A single cause is in the reason already.
  for (const cause of step.leftOutBy.length < 2 ? [] : step.leftOutBy)
    lines.push(field("", `${cause.step} is left out: ${cause.reason}`));
  if (condition !== null) lines.push(...conditionLines(condition));
  if (step.paths !== null)
    lines.push(field("paths", `${oneLine(step.paths.patterns.join(", "))}: ${reasonWords(step.paths)}`));
  if (cell !== null) lines.push(field("cell", cellWords(step.from, cell)));
  lines.push(...needsLines(step), ...branchLines(step.branches));
  lines.push(...step.impossible.map((words) => field("never", words)));
  for (const input of step.inputs) {
    const files = input.files.length === 0 ? "" : `: ${input.files.join(", ")}`;
    lines.push(field("takes", `${input.name}, from ${input.step} (${input.output}${files})${at(input)}`));
  }
  for (const [index, { label, text, place }] of step.also.entries()) {
    const before = step.also[index - 1]?.place ?? null;
    const isNew = place !== null && place.line !== before?.line;
    lines.push(field(label, `${oneLine(text)}${isNew ? ` (${placeWords(place)})` : ""}`));
  }
  for (const [index, command] of step.commands.list.entries()) lines.push(...commandLines(command, index));
  if (step.commands.place !== null) lines.push(field("", `written at ${placeWords(step.commands.place)}`));
  for (const variable of step.variables) lines.push(...variableLines(variable));
  for (const output of step.outputs) {
    const taken = output.takenBy.length === 0 ? "taken by no step" : `taken by ${namesWords(output.takenBy)}`;
    lines.push(field("hands over", `${output.name}: ${output.files.join(", ")}; ${taken}${at(output)}`));
  }
  lines.push(...labelLines(step));
  if (environment !== null) {
    const domain = environment.domain === null ? "any domain" : `domain ${environment.domain}`;
    const count = Object.keys(environment.settings).length;
    const settings = `${count} ${count === 1 ? "setting" : "settings"}`;
    lines.push(field("environment", `${environment.name}: ${domain}, ${settings}${at(environment)}`));
  }
  const reach = step.effect.value
    ? "reaches outside, so never two attempts at once"
    : "reaches nothing outside";
  lines.push(field("effect", `${reach}: ${reasonWords(step.effect)}`));
  lines.push(...timeLines(step));
  return lines;
}

function conditionLines({ text, place, value, parts, facts }: ConditionReasons): string[] {
  const partWords = (part: boolean | null): string =>
    part === null ? "has no value by itself" : `is ${part}`;
  return [
    field("condition", `${oneLine(text)} is ${value} (${placeWords(place)})`),
    ...parts.map((part) => field("", `${oneLine(part.text)} ${partWords(part.value)}`)),
    ...facts.map((fact) =>
      field("reads", `${fact.name}, which is ${scalarWords(fact.value)}: ${reasonWords(fact)}`),
    ),
  ];
}

function scalarWords(value: Scalar): string {
  return typeof value === "string" ? JSON.stringify(oneLine(value)) : String(value);
}

function cellWords(from: string, { values, cells, place }: NonNullable<StepReasons["cell"]>): string {
  const axes = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  const where = place === null ? "" : ` (${placeWords(place)})`;
  return `${axes.join(", ")}; one of ${cells} of ${from}${where}`;
}

function needsLines(step: StepReasons): string[] {
  const lines: string[] = [];
  if (step.needs.length === 0) lines.push(field("needs", "nothing"));
  for (const need of step.needs.slice(0, namesMax)) {
    const out = need.included ? "" : ", which is left out";
    lines.push(field("needs", `${need.step}${outcomeWords(need)}${out}: ${reasonWords(need)}`));
  }
  if (step.needs.length > namesMax) lines.push(field("", `and ${step.needs.length - namesMax} more`));
  if (step.needsDropped.length > 0) {
    lines.push(field("", `not ${namesWords(step.needsDropped)}: left out, and other cells are in`));
  }
  const dependents = step.neededBy.map((other) => {
    return `${other.step}${outcomeWords(other)}${other.included ? "" : ", which is left out"}`;
  });
  return [...lines, field("needed by", dependents.length === 0 ? "nothing" : namesWords(dependents, "; "))];
}

function variableLines({ instead, ...variable }: VariableReasons): string[] {
  const lines = [field("with", `${variable.name}=${oneLine(variable.value)}: ${reasonWords(variable)}`)];
  for (const other of instead) {
    lines.push(field("", `instead of ${scalarWords(other.value)}: ${reasonWords(other)}`));
  }
  return lines;
}

function labelLines({ labels, isAsked }: StepReasons): string[] {
  if (isAsked) return [field("where", "no worker is held")];
  if (labels.length === 0) return [field("where", "any worker, since the step asks for no labels")];
  return labels.map((label) => field("where", `a worker with ${label.label}${at(label)}`));
}

function timeLines({ timeout, retry, times, included }: StepReasons): string[] {
  const { attemptsMax, on } = retry;
  const causes = on.map((cause) => retryPhrases[cause]).join(" or ");
  const attempts = attemptsMax === 1 ? "one" : `${attemptsMax}, if ${causes}`;
  const lines = [
    field("timeout", `${formatDuration(timeout.ms)} an attempt: ${reasonWords(timeout)}`),
    field("attempts", `${attempts}: ${reasonWords(retry)}`),
  ];
  if (!included) return [...lines, field("at most", "no time, since it is left out")];
  const wait = times.waitMsMax === 0 ? "" : `after a wait of ${formatDuration(times.waitMsMax)} at most, `;
  return [...lines, field("at most", `${wait}${formatDuration(times.runMsMax)} with every attempt`)];
}

function reasonWords({ because, place }: Because): string {
  return place === null ? because : `${because} (${placeWords(place)})`;
}

function at({ place }: Because): string {
  return place === null ? "" : ` (${placeWords(place)})`;
}

export function placeWords({ file, line, endLine }: Place): string {
  return line === endLine ? `${file}:${line}` : `${file}:${line}-${endLine}`;
}

function namesWords(names: readonly string[], between = ", "): string {
  const shown = names.slice(0, namesMax).join(between);
  return names.length > namesMax ? `${shown}${between}and ${names.length - namesMax} more` : shown;
}
