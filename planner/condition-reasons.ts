/**
 * Why a condition is true or false: the value of every part, and every fact that it read with where that comes
 * from. Asks the evaluator that planned (`planner/conditions.ts`), with the same values: what is explained is what
 * was decided.
 */

import type { Plan, PlannedStep, Scalar } from "../protocol/plan.ts";
import type { ChangeAnswer } from "./changes.ts";
import {
  type Condition,
  ConditionCompiler,
  type ConditionTypes,
  type ConditionValues,
} from "./conditions.ts";
import { partsOfCondition } from "./condition-tree.ts";
import { Mistakes } from "./diagnostics.ts";
import type { ParameterType, StepDeclaration } from "./pipeline.ts";
import { zeroOf } from "./read.ts";
import { type Place, scopeOfStep, type Written, type WrittenScope } from "./written.ts";

type Fact = {
  /** `git.branch`, `parameters.channel`. */
  readonly name: string;
  /** What the condition saw: "" (or 0, or false) for what is not known. */
  readonly value: Scalar;
  /** "of the commit", "the default". */
  readonly because: string;
  readonly place: Place | null;
};

export type ConditionReasons = {
  readonly text: string;
  readonly place: Place;
  readonly value: boolean;
  /** What `&&` and `||` join, each with its value; null where it has none by itself. A single part is not repeated. */
  readonly parts: readonly { readonly text: string; readonly value: boolean | null }[];
  readonly facts: readonly Fact[];
};

type Sources = {
  readonly plan: Plan;
  readonly cellsOf: ReadonlyMap<string, readonly PlannedStep[]>;
  readonly written: Written;
  /** Null where the list is not at hand: what depends on it has no value by itself. */
  readonly answers: ((patterns: readonly string[]) => ChangeAnswer) | null;
};

/** For a step of the plan the reasons of its condition; null when it has none. What cells share is done once. */
export function conditionReasons({
  plan,
  cellsOf,
  written: whole,
  answers,
}: Sources): (step: PlannedStep) => ConditionReasons | null {
  const compiler = new ConditionCompiler(new Mistakes());
  const compile = (text: string, types: ConditionTypes): Condition | null =>
    compiler.compile({ text, span: { start: 0, end: 0 }, textStart: null }, types);
  const prepare = (from: string) => {
    const scope = scopeOfStep(plan, whole, from);
    const declared = scope?.written.pipeline.steps.get(scope.name);
    if (scope === null || declared === undefined || declared.condition === null) return null;
    const { text, span } = declared.condition;
    const { written } = scope;
    const types = typesFor(scope, declared, cellsOf.get(from) ?? []);
    const { parts, names, patterns } = partsOfCondition(text);
    return {
      text: oneLine(text),
      scope,
      place: written.at("steps", scope.name, "when") ?? written.placeOf(span),
      types,
      condition: compile(text, types),
      parts:
        parts.length < 2
          ? []
          : parts.map((part) => ({ text: oneLine(part), condition: compile(part, types) })),
      names,
      changes: patterns.flatMap((asked) => changeFact(asked, answers)),
    };
  };
  const prepared = new Map<string, ReturnType<typeof prepare>>();
  return (step) => {
    const known = prepared.has(step.from) ? prepared.get(step.from) : prepare(step.from);
    prepared.set(step.from, known ?? null);
    if (known === undefined || known === null) return null;
    const values = valuesFor(plan, step, known, answers);
    const value = known.condition?.(values) ?? wasTrue(step);
    return {
      text: known.text,
      place: known.place,
      value,
      parts: known.parts.map(({ text, condition }) => ({ text, value: condition?.(values) ?? null })),
      facts: [
        ...known.names.flatMap((name) => factOf(name, { values, scope: known.scope })),
        ...known.changes,
      ],
    };
  };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** The plan's values have the declared types; the axes are those of all the step's cells. */
function typesFor(
  scope: WrittenScope,
  declared: StepDeclaration,
  cells: readonly PlannedStep[],
): ConditionTypes {
  const parameters = new Map([...scope.parameters].map(([name, value]) => [name, typeOf(value)] as const));
  if (declared.matrix === null) return { parameters, matrix: null };
  const matrix = new Map<string, ParameterType>();
  for (const { cell } of cells)
    for (const [key, value] of Object.entries(cell)) matrix.set(key, typeOf(value));
  return { parameters, matrix };
}

function typeOf(value: Scalar): ParameterType {
  if (typeof value === "number") return "number";
  return typeof value === "boolean" ? "boolean" : "string";
}

function valuesFor(
  plan: Plan,
  step: PlannedStep,
  { types: { matrix }, scope }: { readonly types: ConditionTypes; readonly scope: WrittenScope },
  answers: Sources["answers"],
): ConditionValues {
  const { branch, tag, commit, trigger } = plan.context;
  return {
    git: { branch: branch ?? "", tag: tag ?? "", commit: commit ?? "" },
    trigger,
    environment: step.environment ?? "",
    parameters: scope.parameters,
    matrix: new Map([...(matrix ?? [])].map(([key, type]) => [key, step.cell[key] ?? zeroOf(type)])),
    changed: (patterns) => {
      // A part that cannot be evaluated has no value, and says nothing.
      if (answers === null) throw new RangeError("what changed is not at hand");
      return answers(patterns).holds;
    },
  };
}

/** A step whose condition was false says so in its reason. */
function wasTrue({ included, reason }: PlannedStep): boolean {
  return included || !reason.startsWith("when ");
}

function changeFact(patterns: readonly string[], answers: Sources["answers"]): readonly Fact[] {
  if (answers === null) return [];
  const { holds, because } = answers(patterns);
  const name = `changed(${patterns.map((pattern) => JSON.stringify(pattern)).join(", ")})`;
  return [{ name, value: holds, because, place: null }];
}

function factOf(
  name: string,
  known: { readonly values: ConditionValues; readonly scope: WrittenScope },
): Fact[] {
  const { values } = known;
  const { written, name: from, outer } = known.scope;
  const fact = (value: Scalar | undefined, because: string, place: Place | null = null): Fact[] =>
    value === undefined ? [] : [{ name, value, because, place }];
  const [group = "", field = ""] = name.split(".");
  switch (group) {
    case "git": {
      const value = new Map(Object.entries(values.git)).get(field);
      return fact(value, value === "" ? "not known here" : "as git says");
    }
    case "trigger":
      return fact(values.trigger, "what made the plan");
    case "environment":
      return fact(
        values.environment,
        values.environment === "" ? "the step has none" : "of the step",
        written.at("steps", from, "environment"),
      );
    case "matrix":
      return fact(values.matrix.get(field), "of this cell", written.at("steps", from, "matrix"));
    case "parameters": {
      const value = values.parameters.get(field);
      const isDefault = written.pipeline.parameters.get(field)?.default === value;
      const given = outer?.written.at("steps", outer.name, "with", field) ?? null;
      if (given !== null) return fact(value, "as it was given", given);
      return fact(value, isDefault ? "its default" : "as it was given", written.at("parameters", field));
    }
    default:
      return [];
  }
}
