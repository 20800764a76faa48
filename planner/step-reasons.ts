/**
 * The whole reasoning for one step of a plan, as a value: where it is written, why it is in or out, and for
 * everything that it has whether somebody wrote it, and where, or which default it is. `planner/step-words.ts`
 * says the same to people.
 *
 * Pure, and computed from the plan: the file is asked only for places, never for what is true.
 */

import type { Need, Plan, PlannedEnvironment, PlannedStep, RetryCause, Scalar } from "../protocol/plan.ts";
import { isSettledByMesh } from "../protocol/plan.ts";
import { actionLines, surroundingLines } from "./action-words.ts";
import { type Branch, branchesOf } from "./branches.ts";
import { changeAnswers, type ChangeAnswer, type ChangedPaths } from "./changes.ts";
import { type ConditionReasons, conditionReasons } from "./condition-reasons.ts";
import { impossibleWords, longestTimes, type StepTimes } from "./explain.ts";
import { matrixVariable } from "./matrix.ts";
import type { StepDeclaration } from "./pipeline.ts";
import { parameterVariable } from "./read.ts";
import { type Place, scopeOfStep, type Written, type WrittenScope } from "./written.ts";

/** Why something is as it is: because of what stands at a place, or because of a rule. */
export type Because = { readonly because: string; readonly place: Place | null };

type NeedReasons = Because & {
  readonly step: string;
  readonly outcomes: readonly string[];
  /** Of the step that is needed. */
  readonly included: boolean;
};

export type VariableReasons = Because & {
  readonly name: string;
  readonly value: string;
  /** Values that this one took the place of, the nearest last. */
  readonly instead: readonly (Because & { readonly value: string })[];
};

export type StepReasons = {
  readonly name: string;
  readonly from: string;
  /** Null when the step was detected, or stands in no file that could be read. */
  readonly place: Place | null;
  readonly included: boolean;
  readonly reason: string;
  readonly condition: ConditionReasons | null;
  /** The patterns of which one must fit a changed path; null when it says none. */
  readonly paths: (Because & { readonly patterns: readonly string[] }) | null;
  /** From the need that is lost to the step that was left out for its own sake; empty when the step is in. */
  readonly leftOutBy: readonly { readonly step: string; readonly reason: string }[];
  readonly cell: {
    readonly values: Readonly<Record<string, Scalar>>;
    readonly cells: number;
    readonly place: Place | null;
  } | null;
  readonly needs: readonly NeedReasons[];
  /** Cells that the file means too, and that are not waited for, because they are left out. */
  readonly needsDropped: readonly string[];
  readonly neededBy: readonly {
    readonly step: string;
    readonly outcomes: readonly string[];
    readonly included: boolean;
  }[];
  /** What runs next, for each way to end; empty when all that follow wait for it to pass. */
  readonly branches: readonly Branch[];
  /** Why it, or a part of what it waits for, can never be. */
  readonly impossible: readonly string[];
  /** No worker does it: people, something outside or other steps settle it. */
  readonly isAsked: boolean;
  readonly commands: Because & { readonly list: readonly string[] };
  /** What it does besides commands, and what only some steps have, in words. */
  readonly also: readonly (Because & { readonly label: string; readonly text: string })[];
  readonly inputs: readonly (Because & {
    readonly name: string;
    readonly step: string;
    readonly output: string;
    readonly files: readonly string[];
  })[];
  readonly outputs: readonly (Because & {
    readonly name: string;
    readonly files: readonly string[];
    readonly takenBy: readonly string[];
  })[];
  readonly variables: readonly VariableReasons[];
  readonly environment: (Because & PlannedEnvironment & { readonly name: string }) | null;
  readonly effect: Because & { readonly value: boolean };
  readonly timeout: Because & { readonly ms: number };
  readonly retry: Because & { readonly attemptsMax: number; readonly on: readonly RetryCause[] };
  readonly labels: readonly (Because & { readonly label: string })[];
  readonly times: StepTimes;
};

export type StepsExplanation = {
  readonly otto: "explain-step/1";
  readonly planId: string;
  /** One, or every cell of a matrix in the plan's order. */
  readonly steps: readonly StepReasons[];
};

/** The steps that a person means by a name: the step or cell of that name, else all cells of that matrix. */
export function stepsNamed(plan: Plan, name: string): readonly PlannedStep[] {
  const exact = plan.steps.filter((step) => step.name === name);
  return exact.length > 0 ? exact : plan.steps.filter((step) => step.from === name);
}

/**
 * Why each of these steps is as it is.
 *
 * @param written the file that the plan was made from; null for none.
 * @param changed the paths that the plan was made with; null where they are not at hand.
 */
export function explainSteps(
  plan: Plan,
  steps: readonly PlannedStep[],
  written: Written | null,
  changed: ChangedPaths | null = null,
): readonly StepReasons[] {
  const times = new Map(longestTimes(plan).map((entry) => [entry.name, entry]));
  const byName = new Map(plan.steps.map((step) => [step.name, step]));
  const cellsOf = Map.groupBy(plan.steps, (step) => step.from);
  const answers = changed === null ? null : changeAnswers(changed);
  const conditionOf = written === null ? () => null : conditionReasons({ plan, cellsOf, written, answers });
  const dependents = dependentsOf(plan);
  const branches = branchesOf(plan);
  const after = new Map(branches.steps.map((entry) => [entry.step, entry.branches]));
  const impossible = Map.groupBy(branches.impossible, (entry) => entry.step);
  return steps.map((step) => {
    const scope = written === null ? null : scopeOfStep(plan, written, step.from);
    const declared = scope?.written.pipeline.steps.get(scope.name) ?? null;
    const otherwise = plan.origin.kind === "file" ? "planned" : "detected";
    const subject: Subject = { plan, step, byName, cellsOf, scope, declared, whole: written, otherwise };
    return {
      name: step.name,
      from: step.from,
      place: scope?.written.at("steps", scope.name) ?? null,
      included: step.included,
      reason: step.reason,
      condition: conditionOf(step),
      paths: pathsReasons(subject, answers),
      leftOutBy: leftOutBy(subject),
      cell: cellReasons(subject),
      needs: step.needs.map((need) => needReasons(subject, need)),
      needsDropped: needsDropped(subject),
      neededBy: dependents.get(step.name) ?? [],
      branches: after.get(step.name) ?? [],
      impossible: (impossible.get(step.name) ?? []).map(impossibleWords),
      isAsked: isSettledByMesh(step),
      commands: { list: step.commands, ...field(subject, "run", otherwise) },
      also: [...(step.action === undefined ? [] : actionLines(step.action)), ...surroundingLines(step)].map(
        ([label, text, key]) => ({ label, text, ...field(subject, key, otherwise) }),
      ),
      inputs: step.inputs.map((input) => ({
        ...input,
        files: byName.get(input.step)?.outputs.find(({ name }) => name === input.output)?.files ?? [],
        ...field(subject, "inputs", otherwise, input.name),
      })),
      outputs: step.outputs.map((output) => ({
        ...output,
        takenBy: (dependents.get(step.name) ?? [])
          .map((dependent) => dependent.step)
          .filter((name) => takes(byName.get(name), step.name, output.name)),
        ...field(subject, "outputs", otherwise, output.name),
      })),
      variables: Object.keys(step.variables).map((name) => variableReasons(subject, name)),
      ...settingsReasons(subject),
      labels: step.labels.map((label) => ({ label, ...field(subject, "labels", otherwise) })),
      times: times.get(step.name) ?? { name: step.name, waitMsMax: 0, runMsMax: 0 },
    };
  });
}

type Subject = {
  readonly plan: Plan;
  readonly step: PlannedStep;
  readonly byName: ReadonlyMap<string, PlannedStep>;
  /** The cells of each step of the file. */
  readonly cellsOf: ReadonlyMap<string, readonly PlannedStep[]>;
  /** The file that has the step; null when none has. */
  readonly scope: WrittenScope | null;
  readonly declared: StepDeclaration | null;
  readonly whole: Written | null;
  /** The word for what nobody wrote. */
  readonly otherwise: string;
};

/** What the step's own entry says under a key, else the other words. */
function field({ scope }: Subject, key: string, otherwise: string, ...below: readonly string[]): Because {
  const place =
    scope?.written.at("steps", scope.name, key, ...below) ??
    scope?.written.at("steps", scope.name, key) ??
    null;
  return { because: place === null ? otherwise : "written", place };
}

function dependentsOf(plan: Plan): ReadonlyMap<string, StepReasons["neededBy"]> {
  const dependents = new Map<string, { step: string; outcomes: readonly string[]; included: boolean }[]>();
  for (const { name, needs, included } of plan.steps) {
    for (const { step, outcomes } of needs) {
      const known = dependents.get(step) ?? [];
      known.push({ step: name, outcomes, included });
      dependents.set(step, known);
    }
  }
  return dependents;
}

function takes(step: PlannedStep | undefined, producer: string, output: string): boolean {
  return step?.inputs.some((input) => input.step === producer && input.output === output) === true;
}

/** The reason says whether a step was left out for its own sake or for a need. Follows lost needs as `planner/inclusion.ts` decided them: the first need, in order, that can no longer hold. */
function leftOutBy({ step, byName }: Subject): StepReasons["leftOutBy"] {
  const chain: { step: string; reason: string }[] = [];
  let at: PlannedStep | undefined = step;
  while (at !== undefined && !at.included && at.reason.startsWith("needs ")) {
    const lost: Need | undefined = at.needs.find(
      (need) => byName.get(need.step)?.included === false && !need.outcomes.includes("skipped"),
    );
    at = lost === undefined ? undefined : byName.get(lost.step);
    if (at !== undefined) chain.push({ step: at.name, reason: at.reason });
  }
  return chain;
}

function pathsReasons(
  { declared, scope }: Subject,
  answers: ((patterns: readonly string[]) => ChangeAnswer) | null,
): StepReasons["paths"] {
  const patterns = (declared?.paths ?? []).map(({ value }) => value);
  if (patterns.length === 0) return null;
  const place = scope?.written.at("steps", scope.name, "paths") ?? null;
  return { patterns, because: answers?.(patterns).because ?? "written", place };
}

function cellReasons({ step, cellsOf, scope }: Subject): StepReasons["cell"] {
  if (Object.keys(step.cell).length === 0) return null;
  const cells = cellsOf.get(step.from)?.length ?? 1;
  return { values: step.cell, cells, place: scope?.written.at("steps", scope.name, "matrix") ?? null };
}

function needReasons(subject: Subject, need: Need): NeedReasons {
  const { step, byName, scope, declared, otherwise } = subject;
  const from = byName.get(need.step)?.from ?? "";
  const { step: name, outcomes } = need;
  const known = { step: name, outcomes, included: byName.get(name)?.included === true };
  const named = declared?.needs.find((other) => `${scope?.prefix ?? ""}${other.step}` === from);
  if (named !== undefined && scope !== null)
    return { ...known, because: "named in `needs`", place: scope.written.placeOf(named.span) };
  const input = step.inputs.find((other) => other.step === name);
  if (input !== undefined) {
    const place = scope?.written.at("steps", scope.name, "inputs", input.name) ?? null;
    return { ...known, because: `hands over \`${input.name}\``, place };
  }
  if (step.action?.kind === "pipeline" && step.action.members.includes(name))
    return { ...known, because: "one of its steps", place: null };
  const inherited = scope === null ? null : outerNeed(scope, from);
  return inherited === null ? { ...known, because: otherwise, place: null } : { ...known, ...inherited };
}

/** The need of a step that nests this one, or nests what nests it. */
function outerNeed(scope: WrittenScope, from: string): Because | null {
  for (let at = scope.outer; at !== null; at = at.outer) {
    const { name, prefix, written } = at;
    const needs = written.pipeline.steps.get(name)?.needs ?? [];
    const named = needs.find((other) => `${prefix}${other.step}` === from);
    if (named !== undefined)
      return { because: `\`${prefix}${name}\` needs it`, place: written.placeOf(named.span) };
  }
  return null;
}

function needsDropped({ step, cellsOf, declared, scope }: Subject): readonly string[] {
  const kept = new Set(step.needs.map((need) => need.step));
  return (declared?.needs ?? [])
    .flatMap((need) => cellsOf.get(`${scope?.prefix ?? ""}${need.step}`) ?? [])
    .filter((other) => !kept.has(other.name) && !other.included)
    .map((other) => other.name);
}

/** As `planner/plan.ts` lays them over each other: the file's, the environment's, the step's, the cell's. */
function variableReasons(subject: Subject, name: string): VariableReasons {
  const { step, scope, declared, whole, otherwise } = subject;
  const written = scope?.written;
  const { environment } = step;
  const found: (Because & { value: string })[] = [];
  const add = (value: string | undefined, because: string, ...keys: readonly string[]): void => {
    if (value !== undefined) found.push({ value, because, place: written?.at(...keys) ?? null });
  };
  const file = written?.pipeline;
  add(file?.variables.get(name), "`env` of the file", "env", name);
  if (environment !== null) {
    // What the pipeline itself describes counts more than what a nested one does.
    const describing = whole?.pipeline.environments.has(environment) === true ? whole : written;
    const value = describing?.pipeline.environments.get(environment)?.settings.get(name);
    const place = describing?.at("environments", environment, "settings", name) ?? null;
    if (value !== undefined) found.push({ value, because: `a setting of ${environment}`, place });
  }
  add(declared?.variables.get(name), "`env` of the step", "steps", scope?.name ?? "", "env", name);
  const parameter = [...(scope?.parameters ?? [])].find(([key]) => parameterVariable(key) === name);
  if (parameter !== undefined) {
    const [key, value] = parameter;
    const { outer = null } = scope ?? {};
    const given = outer?.written.at("steps", outer.name, "with", key) ?? null;
    const place = given ?? written?.at("parameters", key) ?? null;
    found.push({ value: String(value), because: `the parameter \`${key}\``, place });
  }
  const axis = Object.entries(step.cell).find(([key]) => matrixVariable(key) === name);
  if (axis !== undefined)
    add(String(axis[1]), `the axis \`${axis[0]}\``, "steps", scope?.name ?? "", "matrix", axis[0]);
  const last = found.pop() ?? { value: "", because: otherwise, place: null };
  return { ...last, name, value: step.variables[name] ?? "", instead: found };
}

/** `timeout` of the step, or `within` of what it waits for. */
function timeoutReason(subject: Subject): Because {
  const { step, scope } = subject;
  const kind = step.action?.kind;
  if (kind !== "approve" && kind !== "wait") return field(subject, "timeout", "the default");
  const place = scope?.written.at("steps", scope.name, kind, "within") ?? null;
  return { because: place === null ? "the default" : "written", place };
}

function settingsReasons(
  subject: Subject,
): Pick<StepReasons, "environment" | "effect" | "timeout" | "retry"> {
  const { plan, step, whole, scope } = subject;
  const { environment: name, effect, timeoutMs, retry } = step;
  const described = name === null ? undefined : plan.environments[name];
  const inEnvironment = field(subject, "environment", "planned");
  return {
    environment:
      name === null || described === undefined
        ? null
        : {
            name,
            ...described,
            because: "described",
            place: whole?.at("environments", name) ?? scope?.written.at("environments", name) ?? null,
          },
    effect: {
      value: effect,
      because: effect ? "it is in an environment" : "it is in no environment",
      place: effect ? inEnvironment.place : null,
    },
    timeout: { ms: timeoutMs, ...timeoutReason(subject) },
    retry: {
      ...retry,
      ...field(
        subject,
        "retry",
        effect ? "the default of a step that reaches outside: a person decides, not a retry" : "the default",
      ),
    },
  };
}
