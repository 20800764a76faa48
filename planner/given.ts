/**
 * What `with` gives to a template or a step library: checked against the parameters that are declared there when the
 * file is read, and turned into values when the plan is made.
 */

import type { Scalar } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";
import type { GivenParameter, ParameterDeclaration, ParameterType } from "./pipeline.ts";
import { zeroOf } from "./read.ts";
import { suggestion } from "./suggestions.ts";

type Declared = ReadonlyMap<string, ParameterDeclaration>;

export type Taker = {
  /** What is given to, in words: "the template `shared`". */
  readonly words: string;
  readonly declared: Declared;
  readonly given: readonly GivenParameter[];
  /** Where it is used. */
  readonly span: Span;
};

/** What may be handed on: the file's own parameters, and the axes of the step's matrix (null: it has none). */
export type Giver = {
  readonly parameters: Declared;
  readonly axes: ReadonlyMap<string, ParameterType> | null;
};

/** Says what can be known to be wrong before there are values. */
export function checkGiven(mistakes: Mistakes, taker: Taker, giver: Giver): void {
  const { words, declared, given, span } = taker;
  const names = new Set(given.map(({ name }) => name));
  for (const one of given) {
    const declaration = declared.get(one.name);
    if (declaration === undefined) {
      mistakes.add({
        code: "pipeline/unknown-parameter",
        message: `${words} has no parameter ${quote(one.name)}`,
        help: () => suggestion(one.name, [...declared.keys()], "parameter"),
        span: one.nameSpan,
      });
    } else checkOne(mistakes, one, declaration, giver);
  }
  for (const name of [...declared.keys()].sort(compareText)) {
    if (names.has(name) || declared.get(name)?.default !== null) continue;
    mistakes.add({
      code: "pipeline/missing-parameter",
      message: `${words} needs a value for its parameter ${quote(name)}`,
      help: `write \`with: { ${name}: VALUE }\``,
      span,
    });
  }
}

function checkOne(
  mistakes: Mistakes,
  one: GivenParameter,
  declaration: ParameterDeclaration,
  giver: Giver,
): void {
  const { value, span } = one;
  const { type } = declaration;
  if (value.kind === "scalar") {
    if (typeof value.scalar === type) return checkChoice(mistakes, one, value.scalar, declaration);
    mistakes.add({
      code: "pipeline/bad-parameter",
      message: `the parameter ${quote(one.name)} is a ${type}, and this is a ${typeof value.scalar}`,
      help: type === "string" ? `put it in quotes: "${value.scalar}"` : `write a ${type}`,
      span,
    });
    return;
  }
  const isParameter = value.kind === "parameter";
  const known = isParameter ? giver.parameters : (giver.axes ?? new Map<string, ParameterType>());
  const found = known.get(value.name);
  const foundType = typeof found === "object" ? found.type : found;
  if (foundType === undefined) {
    mistakes.add({
      code: isParameter ? "pipeline/unknown-parameter" : "pipeline/bad-parameter",
      message: isParameter
        ? `the file has no parameter ${quote(value.name)}`
        : `the step's matrix has no axis ${quote(value.name)}`,
      help: () => suggestion(value.name, [...known.keys()], isParameter ? "parameter" : "axis"),
      span,
    });
  } else if (foundType !== type) {
    mistakes.add({
      code: "pipeline/bad-parameter",
      message: `the parameter ${quote(one.name)} is a ${type}, and ${quote(value.name)} is a ${foundType}`,
      help: `hand on a ${type}`,
      span,
    });
  }
}

function checkChoice(
  mistakes: Mistakes,
  one: GivenParameter,
  value: Scalar,
  { choices }: ParameterDeclaration,
): void {
  if (choices === null || choices.includes(value)) return;
  mistakes.add({
    code: "pipeline/bad-parameter",
    message: `${quote(String(value))} is none of the values of the parameter ${quote(one.name)}`,
    help: () => suggestion(String(value), choices.map(String), "value"),
    span: one.span,
  });
}

/** A value for every declared parameter, sorted by name. What was handed on is held to the listed values only now. */
export function valuesOf(
  mistakes: Mistakes,
  taker: Pick<Taker, "declared" | "given">,
  known: {
    readonly parameters: ReadonlyMap<string, Scalar>;
    readonly cell: ReadonlyMap<string, Scalar>;
  },
): Map<string, Scalar> {
  const values = new Map<string, Scalar>();
  for (const name of [...taker.declared.keys()].sort(compareText)) {
    const declaration = taker.declared.get(name);
    if (declaration === undefined) continue;
    const one = taker.given.find((other) => other.name === name);
    const value = one === undefined ? declaration.default : givenValue(one, known);
    if (one !== undefined && value !== null) checkChoice(mistakes, one, value, declaration);
    values.set(name, value ?? zeroOf(declaration.type));
  }
  return values;
}

function givenValue(
  { value }: GivenParameter,
  known: {
    readonly parameters: ReadonlyMap<string, Scalar>;
    readonly cell: ReadonlyMap<string, Scalar>;
  },
): Scalar | null {
  if (value.kind === "scalar") return value.scalar;
  return (value.kind === "parameter" ? known.parameters : known.cell).get(value.name) ?? null;
}
