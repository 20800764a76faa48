/**
 * The values of a pipeline's parameters: what was given, checked against what is declared, else the defaults.
 */

import type { Scalar } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import type { ParameterDeclaration, ParameterType } from "./pipeline.ts";
import { suggestion } from "./suggestions.ts";
import { zeroOf } from "./read.ts";

/**
 * @param given values of any type; text that was typed on a command line becomes the declared type.
 * @returns a value for every declared parameter, sorted by name.
 */
export function resolveParameters(
  mistakes: Mistakes,
  declared: ReadonlyMap<string, ParameterDeclaration>,
  given: Readonly<Record<string, Scalar>>,
): Map<string, Scalar> {
  const values = new Map<string, Scalar>();
  for (const name of Object.keys(given)) {
    if (declared.has(name)) continue;
    mistakes.add({
      code: "pipeline/unknown-parameter",
      message: `a value was given for the parameter ${quote(name)}, and the pipeline has none of that name`,
      help: () => suggestion(name, [...declared.keys()], "parameter"),
      span: { start: 0, end: 0 },
    });
  }
  for (const name of [...declared.keys()].sort(compareText)) {
    const declaration = declared.get(name);
    if (declaration === undefined) continue;
    const value = valueOf(mistakes, { name, declaration, given });
    values.set(name, value ?? zeroOf(declaration.type));
  }
  return values;
}

function valueOf(
  mistakes: Mistakes,
  subject: {
    readonly name: string;
    readonly declaration: ParameterDeclaration;
    readonly given: Readonly<Record<string, Scalar>>;
  },
): Scalar | null {
  const { name, declaration, given } = subject;
  const { type, choices, span } = declaration;
  const raw = Object.hasOwn(given, name) ? given[name] : undefined;
  if (raw === undefined) {
    if (declaration.default !== null) return declaration.default;
    mistakes.add({
      code: "pipeline/missing-parameter",
      message: `the parameter ${quote(name)} has no default, and no value was given`,
      help: `give one with \`--parameter ${name}=VALUE\`, or declare a \`default\``,
      span,
    });
    return null;
  }
  const value = typed(raw, type);
  if (value === null) {
    mistakes.add({
      code: "pipeline/bad-parameter",
      message: `${quote(String(raw))} was given for the parameter ${quote(name)}, and is no ${type}`,
      help: type === "boolean" ? "give `true` or `false`" : `give a ${type}`,
      span,
    });
    return null;
  }
  if (choices === null || choices.includes(value)) return value;
  mistakes.add({
    code: "pipeline/bad-parameter",
    message: `${quote(String(raw))} was given for the parameter ${quote(name)}, and is none of its values`,
    help: () => suggestion(String(raw), choices.map(String), "value"),
    span,
  });
  return null;
}

function typed(raw: Scalar, type: ParameterType): Scalar | null {
  switch (type) {
    case "string":
      return typeof raw === "string" && raw.isWellFormed() && !raw.includes("\0") ? raw : null;
    case "boolean":
      if (typeof raw === "boolean") return raw;
      return raw === "true" ? true : raw === "false" ? false : null;
    case "number": {
      if (typeof raw === "string" && !/^-?\d{1,15}(?:\.\d{1,15})?$/.test(raw)) return null;
      const value = typeof raw === "boolean" ? Number.NaN : Number(raw);
      // Adding zero turns -0, which no encoding tells from 0, into 0.
      return Number.isFinite(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value + 0 : null;
    }
  }
}
