/**
 * Why a condition is true or false: the value of every part, and every fact that it read with where that comes
 * from. Asks the evaluator that planned (`planner/conditions.ts`), with the same values: what is explained is what
 * was decided.
 */

import type { Plan, PlannedStep, Scalar } from "../protocol/plan.ts";
import {
  ConditionCompiler,
  type ConditionTypes,
  type ConditionValues,
  partsOfCondition,
} from "./conditions.ts";
import { Mistakes } from "./diagnostics.ts";
import type { ConditionText, ParameterType, StepDeclaration } from "./pipeline.ts";
import { zeroOf } from "./read.ts";
import type { Place, Written } from "./written.ts";

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

/** Null when the step has no condition. */
export function explainCondition(
  plan: Plan,
  subject: { readonly step: PlannedStep; readonly declared: StepDeclaration; readonly written: Written },
): ConditionReasons | null {
  const { step, declared, written } = subject;
  if (declared.condition === null) return null;
  const types = typesFor(plan, step, declared);
  const values = valuesFor(plan, step, types);
  const compiler = new ConditionCompiler(new Mistakes());
  const evaluate = (text: string): boolean | null => {
    const condition: ConditionText = { text, span: { start: 0, end: 0 }, textStart: null };
    return compiler.compile(condition, types)?.(values) ?? null;
  };
  const { text, span } = declared.condition;
  const { parts, names } = partsOfCondition(text);
  return {
    text: oneLine(text),
    place: written.at("steps", step.from, "when") ?? written.placeOf(span),
    value: evaluate(text) === true,
    parts: parts.length < 2 ? [] : parts.map((part) => ({ text: oneLine(part), value: evaluate(part) })),
    facts: names.flatMap((name) => factOf(name, { values, written, from: step.from })),
  };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** The plan's values have the declared types; the axes are those of all the step's cells. */
function typesFor(plan: Plan, step: PlannedStep, declared: StepDeclaration): ConditionTypes {
  const parameters = Object.entries(plan.context.parameters).map(
    ([name, value]) => [name, typeOf(value)] as const,
  );
  if (declared.matrix === null) return { parameters: new Map(parameters), matrix: null };
  const matrix = new Map<string, ParameterType>();
  for (const other of plan.steps) {
    if (other.from !== step.from) continue;
    for (const [key, value] of Object.entries(other.cell)) matrix.set(key, typeOf(value));
  }
  return { parameters: new Map(parameters), matrix };
}

function typeOf(value: Scalar): ParameterType {
  if (typeof value === "number") return "number";
  return typeof value === "boolean" ? "boolean" : "string";
}

function valuesFor(plan: Plan, step: PlannedStep, { matrix }: ConditionTypes): ConditionValues {
  const { branch, tag, commit, trigger, parameters } = plan.context;
  return {
    git: { branch: branch ?? "", tag: tag ?? "", commit: commit ?? "" },
    trigger,
    environment: step.environment ?? "",
    parameters: new Map(Object.entries(parameters)),
    matrix: new Map([...(matrix ?? [])].map(([key, type]) => [key, step.cell[key] ?? zeroOf(type)])),
  };
}

function factOf(
  name: string,
  known: { readonly values: ConditionValues; readonly written: Written; readonly from: string },
): Fact[] {
  const { values, written, from } = known;
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
      return fact(value, isDefault ? "its default" : "as it was given", written.at("parameters", field));
    }
    default:
      return [];
  }
}
