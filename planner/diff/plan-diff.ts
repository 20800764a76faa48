/**
 * What differs between two plans, and why: for `otto explain --diff`. Every change has a cause: the line that says it
 * now (or said it before), the fact that a condition read, the step that another one waits for.
 *
 * Pure. The plan of a commit is made with the same facts (`cli/load-base.ts`), so the causes are in the files. A plan
 * that ran (`cli/run-base.ts`) was made with others and brings no file: then a cause is a line of today's file, a fact
 * that differs, or what stands behind it (`origins.ts`).
 */

import type { Plan, PlannedStep, PlannedUse, Scalar } from "../../protocol/plan.ts";
import { compareText } from "../../protocol/values.ts";
import type { ConditionReasons } from "../condition-reasons.ts";
import type { ChangedPaths } from "../changes.ts";
import { type Because, explainSteps, type StepReasons } from "../step-reasons.ts";
import { type Place, scopeOfStep, type Written } from "../written.ts";
import { detectorChange, factIn, planCause, useChange } from "./origins.ts";
import { changesBetween, type Value } from "./values.ts";

export type Side = {
  readonly plan: Plan;
  readonly written: Written | null;
  /** The paths that it was made with; null where they are not at hand. */
  readonly changed?: ChangedPaths | null;
};

export type Change = Because & {
  /** `timeoutMs`, `variables.HOSTNAME`, `needs.build`: where it is in the plan. */
  readonly field: string;
  readonly before: Value;
  readonly after: Value;
};

export type StepChange = { readonly name: string; readonly from: string } & (
  | (Because & { readonly kind: "added" | "removed"; readonly included: boolean; readonly reason: string })
  | { readonly kind: "changed"; readonly changes: readonly Change[] }
);

export type PlanDiff = {
  /** What is not of a step: parameters, environments, where the pipeline comes from. */
  readonly plan: readonly Change[];
  /** Added and changed ones in the order of the plan, then the removed ones in the order of theirs. */
  readonly steps: readonly StepChange[];
  readonly unchanged: number;
};

/** @param base null when there was no pipeline: every step is added. */
export function diffPlans(base: Side | null, current: Side): PlanDiff {
  const old = new Map((base?.plan.steps ?? []).map((step) => [step.name, step]));
  const now = new Map(current.plan.steps.map((step) => [step.name, step]));
  const isChanged = (step: PlannedStep): boolean => {
    const before = old.get(step.name);
    return before !== undefined && changesBetween(before, step).length > 0;
  };
  const steps: StepChange[] = [];
  const templates = changedTemplates(base?.plan ?? null, current.plan);
  const reasons = reasonsOf(current, current.plan.steps, isChanged);
  const reasonsBefore =
    base === null
      ? new Map<string, StepReasons>()
      : reasonsOf(base, base.plan.steps, (step) => reasons.has(step.name));
  for (const step of current.plan.steps) {
    const before = old.get(step.name);
    if (before === undefined)
      steps.push(behind(cameOrWent("added", step, { here: current, other: base }), base, current, step));
    const [after, was] = [reasons.get(step.name), reasonsBefore.get(step.name)];
    if (before === undefined || after === undefined || was === undefined) continue;
    const { name, from } = step;
    const pair: Pair = {
      before,
      step,
      was,
      after,
      old,
      now,
      base: base?.plan ?? null,
      current: current.plan,
    };
    const changes = stepChanges(pair).map((change) =>
      inTemplate(behind(change, base, current, step), templates),
    );
    steps.push({ name, from, kind: "changed", changes });
  }
  for (const step of base?.plan.steps ?? []) {
    if (!now.has(step.name))
      steps.push(behind(cameOrWent("removed", step, { here: base, other: current }), base, current, step));
  }
  const unchanged = current.plan.steps.length - steps.filter(({ kind }) => kind !== "removed").length;
  return { plan: base === null ? [] : planChanges(base, current), steps, unchanged };
}

/** What a template says now and did not say before changed because the template did. */
function inTemplate(change: Change, templates: ReadonlyMap<string, string>): Change {
  const template = change.place === null ? undefined : templates.get(change.place.file);
  if (template === undefined) return change;
  return { ...change, because: `the template ${template} changed; ${change.because}` };
}

function reasonsOf(
  { plan, written, changed }: Side,
  steps: readonly PlannedStep[],
  isWanted: (step: PlannedStep) => boolean,
): ReadonlyMap<string, StepReasons> {
  const wanted = steps.filter(isWanted);
  return new Map(explainSteps(plan, wanted, written, changed).map((reasons) => [reasons.name, reasons]));
}

/** What no line of a file says may have something behind it. */
function behind<Said extends object>(said: Said, base: Side | null, current: Side, step: PlannedStep): Said {
  if (!("place" in said) || said.place !== null) return said;
  const isDetected = "because" in said && /\bdetected$/.test(String(said.because));
  const detector = isDetected ? detectorChange(base?.plan ?? null, current.plan) : null;
  const because = detector ?? useChange(base?.plan ?? null, current.plan, step);
  return because === null ? said : { ...said, because };
}

function cameOrWent(
  kind: "added" | "removed",
  step: PlannedStep,
  sides: { readonly here: Side | null; readonly other: Side | null },
): StepChange {
  const { name, from, included, reason } = step;
  const { here } = sides;
  const whole = here?.written ?? null;
  const scope = here === null || whole === null ? null : scopeOfStep(here.plan, whole, from);
  const isCell = sides.other?.plan.steps.some((other) => other.from === from) === true;
  const local = scope?.name ?? "";
  const place =
    (isCell ? scope?.written.at("steps", local, "matrix") : null) ??
    scope?.written.at("steps", local) ??
    null;
  const unseen = here?.plan.origin.kind === "file" ? "in that plan" : "detected";
  const words = isCell ? "a cell of its matrix" : place === null ? unseen : "written";
  return { kind, name, from, included, reason, because: kind === "added" ? words : `was ${words}`, place };
}

function planChanges(base: Side, current: Side): readonly Change[] {
  const { steps: _old, uses: _was, ...before } = base.plan;
  const { steps: _new, uses: _is, ...after } = current.plan;
  const changes = changesBetween(before, after).map(({ path, ...values }) => {
    // `context.parameters.channel` is written under `parameters`.
    const keys = path[0] === "context" ? path.slice(1) : path;
    const key = keys[0] === "parameters" ? [...keys, "default"] : keys;
    const place = nearest(current.written, key) ?? nearest(base.written, key);
    return {
      field: keys.join("."),
      ...values,
      because: place === null ? planCause(path, base.plan, current.plan) : "written",
      place,
    };
  });
  return [...changes, ...useChanges(base, current)];
}

/** Templates and step libraries: which are others than they were. */
function useChanges(base: Side, current: Side): readonly Change[] {
  const [old, now] = [usesOf(base.plan), usesOf(current.plan)];
  return [...new Set([...old.keys(), ...now.keys()])].sort(compareText).flatMap((name): Change[] => {
    const [before, after] = [old.get(name), now.get(name)];
    const [was, is] = [before, after].map((use) => (use === undefined ? null : pinWords(use)));
    if (was === is || was === undefined || is === undefined) return [];
    const word = (after ?? before)?.kind === "library" ? "step library" : "template";
    const isSame = before?.digest === after?.digest;
    const what =
      before === undefined ? "is new" : after === undefined ? "is gone" : isSame ? "is as it was" : "changed";
    const place = nearest(current.written, ["uses", name]) ?? nearest(base.written, ["uses", name]);
    return [{ field: `uses.${name}`, before: was, after: is, because: `the ${word} ${what}`, place }];
  });
}

function usesOf({ uses = [] }: Plan): ReadonlyMap<string, PlannedUse> {
  return new Map(uses.map((use) => [use.name, use]));
}

function pinWords({ commit, digest, source }: PlannedUse): string {
  const pin = commit === null ? "" : `commit ${commit.slice(0, 12)}, `;
  return `${source} at ${pin}digest ${digest.slice(0, 12)}`;
}

/** The files of templates that are others than they were, with what the plan calls them. */
function changedTemplates(base: Plan | null, current: Plan): ReadonlyMap<string, string> {
  const old = base === null ? new Map<string, PlannedUse>() : usesOf(base);
  const changed = (current.uses ?? []).filter(
    ({ name, kind, digest }) => kind === "template" && (old.get(name)?.digest ?? digest) !== digest,
  );
  return new Map(changed.map(({ source, name }) => [source.replace(/^\.\//, ""), name]));
}

/** The place of the key, or of the closest one around it; the whole file is none. */
function nearest(written: Written | null, keys: readonly string[]): Place | null {
  for (let length = keys.length; length > 1; length -= 1) {
    const place = written?.at(...keys.slice(0, length)) ?? null;
    if (place !== null) return place;
  }
  return keys.length === 1 ? (written?.at(...keys) ?? null) : null;
}

type Pair = {
  readonly before: PlannedStep;
  readonly step: PlannedStep;
  readonly was: StepReasons;
  readonly after: StepReasons;
  /** The steps of both plans by name. */
  readonly old: ReadonlyMap<string, PlannedStep>;
  readonly now: ReadonlyMap<string, PlannedStep>;
  readonly base: Plan | null;
  readonly current: Plan;
};

function stepChanges(pair: Pair): readonly Change[] {
  const { before, step } = pair;
  const { included: wasIn, reason: oldReason, ...others } = before;
  const { included, reason, ...othersNow } = step;
  const changes: Change[] = changesBetween(others, othersNow).map(({ path, ...values }) => ({
    field: path.join("."),
    ...values,
    ...causeOf(path, pair),
  }));
  if (wasIn !== included) {
    const words = (isIn: boolean, why: string): string => `${isIn ? "in" : "left out"}: ${why}`;
    const values = { before: words(wasIn, oldReason), after: words(included, reason) };
    changes.unshift({ field: "included", ...values, ...causeOfInclusion(pair) });
  } else if (oldReason !== reason) {
    changes.unshift({ field: "reason", before: oldReason, after: reason, ...causeOfInclusion(pair) });
  }
  return changes;
}

/** Why a step is in now and was not, or the other way round: its condition, a fact that this reads, or a need. */
function causeOfInclusion({ was, after, base, before }: Pair): Because {
  const [old, now] = [was.condition, after.condition];
  const isUnseen = base?.origin.kind === "file" && was.place === null;
  const unseen = isUnseen ? causeWithoutFile(before, now, base) : null;
  if (unseen !== null) return unseen;
  if (!isUnseen && old?.text !== now?.text) {
    if (now === null) return { because: "its condition was removed", place: old?.place ?? null };
    return {
      because: old === null ? "its condition is new" : "its condition was rewritten",
      place: now.place,
    };
  }
  if (old !== null && now !== null) {
    const fact = changedFact((name) => old.facts.find((other) => other.name === name)?.value, now);
    if (fact !== null) return fact;
  }
  if (was.paths?.because !== after.paths?.because) {
    if (after.paths === null) return { because: "its `paths` were removed", place: was.paths?.place ?? null };
    return {
      because: was.paths === null ? "its `paths` are new" : after.paths.because,
      place: after.paths.place,
    };
  }
  const lost = after.leftOutBy.at(-1);
  if (lost !== undefined) return { because: `${lost.step} is left out`, place: null };
  const found = was.leftOutBy.at(-1);
  if (found !== undefined) return { because: `${found.step} was left out, and is not any more`, place: null };
  return { because: after.place === null ? "detected" : "written", place: after.place };
}

/** A plan that comes without its file says the condition in the reason. */
function causeWithoutFile(before: PlannedStep, now: ConditionReasons | null, base: Plan): Because | null {
  const had = before.reason.startsWith("when ");
  if (now === null) return had ? { because: "its condition was removed", place: null } : null;
  if (before.reason.startsWith(`when ${now.text} is `)) return changedFact((name) => factIn(base, name), now);
  if (had) return { because: "its condition was rewritten", place: now.place };
  return before.reason === "always" ? { because: "its condition is new", place: now.place } : null;
}

function changedFact(before: (name: string) => Scalar | undefined, now: ConditionReasons): Because | null {
  for (const fact of now.facts) {
    const value = before(fact.name);
    if (value === undefined || value === fact.value) continue;
    const values = `was ${JSON.stringify(value)} and is ${JSON.stringify(fact.value)}`;
    return {
      because: `its condition reads ${fact.name}, which ${values}, ${fact.because}`,
      place: fact.place,
    };
  }
  return null;
}

function causeOf(path: readonly string[], { was, after, old, now }: Pair): Because {
  const [field = "", key = ""] = path;
  switch (field) {
    case "variables":
      return cause(
        was.variables.find((variable) => variable.name === key),
        after.variables.find((variable) => variable.name === key),
      );
    case "needs": {
      if (!old.has(key)) return { because: "the step is new", place: null };
      if (!now.has(key)) return { because: "the step is gone", place: null };
      if (after.needsDropped.includes(key)) return { because: "it is left out", place: null };
      if (was.needsDropped.includes(key))
        return { because: "it was left out, and is not any more", place: null };
      return cause(
        was.needs.find((need) => need.step === key),
        after.needs.find((need) => need.step === key),
      );
    }
    case "inputs":
      return cause(was.inputs[0], after.inputs[0]);
    case "outputs":
      return cause(
        was.outputs.find((output) => output.name === key),
        after.outputs.find((output) => output.name === key),
      );
    case "labels":
      return cause(was.labels[0], after.labels[0]);
    case "commands":
      return cause(was.commands, after.commands);
    case "timeoutMs":
      return cause(was.timeout, after.timeout);
    case "retry":
      return cause(was.retry, after.retry);
    case "effect":
      return cause(was.effect, after.effect);
    case "environment":
      return { because: "written", place: (after.effect.value ? after : was).effect.place };
    default:
      return { because: after.place === null ? "detected" : "written", place: after.place };
  }
}

/** What says it now; for what is gone, what said it before. */
function cause(before: Because | undefined, after: Because | undefined): Because {
  if (after !== undefined && (after.place !== null || before === undefined || before.place === null)) {
    return { because: after.because, place: after.place };
  }
  if (before === undefined) return { because: "planned", place: null };
  const words = `was ${before.because}`;
  return { because: after === undefined ? words : `${words}; now ${after.because}`, place: before.place };
}
