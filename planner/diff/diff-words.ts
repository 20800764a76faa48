/**
 * The difference of two plans as text that is safe on a terminal; what `planner/diff/plan-diff.ts` found out.
 *
 *   ~ test
 *       timeout: 20m -> 30m; written (otto.yaml:12)
 *   + docs: written (otto.yaml:14-15)
 */

import { printable } from "../diagnostics.ts";
import { formatDuration } from "../durations.ts";
import { placeWords } from "../step-words.ts";
import type { Change, PlanDiff, StepChange } from "./plan-diff.ts";
import type { Value } from "./values.ts";
import type { Because } from "../step-reasons.ts";

const valueCharactersMax = 200;
const namesOfFields = new Map([
  ["timeoutMs", "timeout"],
  ["included", "in the plan"],
]);

export function diffText(
  diff: PlanDiff,
  ids: { readonly base: string; readonly basePlanId: string | null; readonly planId: string },
): string {
  const { base, basePlanId, planId } = ids;
  if (basePlanId === planId) return printable(`no difference to ${base}; plan ${planId}`).concat("\n");
  const lines = [`what changed since ${base}`];
  if (basePlanId === null) lines.push("", `there was no pipeline at ${base}`);
  if (diff.plan.length > 0) lines.push("", ...diff.plan.flatMap((change) => changeLines(change, "")));
  if (diff.steps.length > 0) lines.push("", ...diff.steps.flatMap(stepLines));
  lines.push("", summary(diff), `plan ${basePlanId ?? "(none)"} -> ${planId}`, "");
  return lines.map(printable).join("\n");
}

function stepLines(step: StepChange): readonly string[] {
  switch (step.kind) {
    case "added":
      return [
        `+ ${step.name}: ${causeWords(step)}`,
        ...(step.included ? [] : [`    left out: ${step.reason}`]),
      ];
    case "removed":
      return [`- ${step.name}: ${causeWords(step)}`];
    case "changed":
      return [`~ ${step.name}`, ...step.changes.flatMap((change) => changeLines(change, "    "))];
  }
}

function changeLines(change: Change, indent: string): readonly string[] {
  const { field, before, after } = change;
  const cause = causeWords(change);
  const ending = cause === "" ? "" : `; ${cause}`;
  const name = namesOfFields.get(field) ?? field;
  const [old, now] = [linesOf(before, field), linesOf(after, field)];
  if (old === null || now === null || (!isSentence(field) && old.length + now.length < 3)) {
    return [`${indent}${name}: ${valueWords(before, field)} -> ${valueWords(after, field)}${ending}`];
  }
  // Lists, such as commands, entry by entry; one that only changed its order is shown whole.
  const gone = old.filter((line) => !now.includes(line));
  const come = now.filter((line) => !old.includes(line));
  const isOrder = gone.length + come.length === 0;
  return [
    `${indent}${name}${isOrder ? ", another order" : ""}${ending}`,
    ...(isOrder ? old : gone).map((line) => `${indent}    - ${oneLine(line)}`),
    ...(isOrder ? now : come).map((line) => `${indent}    + ${oneLine(line)}`),
  ];
}

/** Why a step is in or out: long, so each has its line. */
function isSentence(field: string): boolean {
  return field === "included" || field === "reason";
}

function linesOf(value: Value, field: string): readonly string[] | null {
  if (typeof value === "string" && isSentence(field)) return [value];
  if (!Array.isArray(value)) return null;
  const items: readonly Value[] = value;
  return items.map((item) => (typeof item === "string" ? item : JSON.stringify(item)));
}

function valueWords(value: Value, field: string): string {
  if (value === null) return "nothing";
  if (field === "timeoutMs" && typeof value === "number") return formatDuration(value);
  const list = linesOf(value, field);
  return list === null
    ? oneLine(JSON.stringify(value))
    : list.length === 0
      ? "none"
      : oneLine(list.join(", "));
}

function oneLine(text: string): string {
  const line = text.trim().replaceAll("\n", "\\n");
  return line.length > valueCharactersMax ? `${line.slice(0, valueCharactersMax - 3)}...` : line;
}

function causeWords({ because, place }: Because): string {
  return place === null ? because : `${because} (${placeWords(place)})`;
}

function summary({ steps, unchanged, plan }: PlanDiff): string {
  const count = (kind: StepChange["kind"]): number => steps.filter((step) => step.kind === kind).length;
  const [added, removed, changed] = [count("added"), count("removed"), count("changed")];
  const others = plan.length === 0 ? "" : `; ${plan.length} of the plan as a whole`;
  return `steps: ${added} added, ${removed} removed, ${changed} changed, ${unchanged} as they were${others}`;
}
