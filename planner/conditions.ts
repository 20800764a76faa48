/**
 * Conditions: CEL over the context, checked with types before anything is evaluated.
 *
 * Promises: a condition that passes the check is true or false for every context, or fails with a diagnostic;
 * its work is bounded by its length: functions are those listed here (no regular expression, nothing that
 * builds texts or lists), and a loop over a list is never inside of another.
 *
 * What a condition sees is always there and always of one type: a branch, tag or commit that is not known is "",
 * and so is the environment of a step without one; an axis that a cell lacks is "", 0 or false.
 */

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import type { Scalar } from "../protocol/plan.ts";
import { type DiagnosticCode, type Mistakes, quote, type Span } from "./diagnostics.ts";
import type { ConditionText, ParameterType } from "./pipeline.ts";
import { suggestion } from "./suggestions.ts";

export type ConditionTypes = {
  readonly parameters: ReadonlyMap<string, ParameterType>;
  /** Null: the step has no matrix. */
  readonly matrix: ReadonlyMap<string, ParameterType> | null;
};

export type ConditionValues = {
  readonly git: { readonly branch: string; readonly tag: string; readonly commit: string };
  readonly trigger: string;
  readonly environment: string;
  readonly parameters: ReadonlyMap<string, Scalar>;
  readonly matrix: ReadonlyMap<string, Scalar>;
};

/** True or false; null after saying why it cannot be evaluated for these values. */
export type Condition = (values: ConditionValues) => boolean | null;

const loops = new Set(["all", "exists", "exists_one"]);
const functions = [
  "startsWith",
  "endsWith",
  "contains",
  "size",
  "has",
  "lowerAscii",
  "upperAscii",
  "trim",
  "int",
  "double",
  "string",
  "all",
  "exists",
  "exists_one",
];
const plainFacts = new Set(["trigger", "environment"]);
const grouped = new Set(["git", "parameters", "matrix"]);
const gitFields = ["branch", "tag", "commit"];
const celTypes = { string: "string", number: "double", boolean: "bool" } as const;

/** Compiles conditions; keeps one environment for each set of types, since making one costs more than checking. */
export class ConditionCompiler {
  readonly #mistakes: Mistakes;
  readonly #environments = new Map<string, Environment>();
  /** Those without a mistake, by what they are written in: many steps say the same. */
  readonly #checked = new Map<Environment, Map<string, ReturnType<Environment["parse"]>>>();

  constructor(mistakes: Mistakes) {
    this.#mistakes = mistakes;
  }

  /** Null after saying what is wrong with the condition. */
  compile(condition: ConditionText, types: ConditionTypes): Condition | null {
    const complain = (problem: Problem): null => {
      const { range, ...words } = problem;
      this.#mistakes.add({ ...words, span: placeIn(condition, range) });
      return null;
    };
    const checked = this.#check(condition.text, types);
    if (typeof checked === "object") return complain(checked);
    return (values) => {
      try {
        return checked(contextOf(values)) === true;
      } catch (error) {
        return complain(evaluationProblem(error));
      }
    };
  }

  #check(text: string, types: ConditionTypes): ReturnType<Environment["parse"]> | Problem {
    const environment = this.#environmentFor(types);
    const known = this.#checked.get(environment) ?? new Map<string, ReturnType<Environment["parse"]>>();
    this.#checked.set(environment, known);
    let parsed = known.get(text);
    if (parsed !== undefined) return parsed;
    try {
      parsed = environment.parse(text);
    } catch (error) {
      return syntaxProblem(error, text);
    }
    const refused = refusedIn(parsed.ast, false);
    if (refused !== null) return refused;
    const checked = parsed.check();
    if (!checked.valid) return typeProblem(checked.error, types, text);
    if (checked.type !== "bool") return notBoolean(checked.type ?? "unknown");
    known.set(text, parsed);
    return parsed;
  }

  #environmentFor(types: ConditionTypes): Environment {
    const key = types.matrix === null ? "none" : JSON.stringify([...types.matrix]);
    const known = this.#environments.get(key);
    if (known !== undefined) return known;
    const environment = new Environment({
      unlistedVariablesAreDyn: false,
      limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 500, maxCallArguments: 8 },
    })
      .registerVariable({ name: "git", schema: { branch: "string", tag: "string", commit: "string" } })
      .registerVariable("trigger", "string")
      .registerVariable("environment", "string")
      .registerVariable({ name: "parameters", schema: schemaOf(types.parameters) })
      // A whole number in a condition is an int, a parameter a double: without this `n == 3` has no meaning.
      .registerOperator("double == int", (left: number, right: bigint) => left === Number(right));
    if (types.matrix !== null) {
      environment.registerVariable({ name: "matrix", schema: schemaOf(types.matrix) });
    }
    this.#environments.set(key, environment);
    return environment;
  }
}

/**
 * What a condition is made of, for explanations: the parts that `&&` and `||` join, as they are written, and the
 * names that it reads, such as `git.branch`, sorted as they first come. Nothing for what cannot be parsed.
 */
export function partsOfCondition(text: string): {
  readonly parts: readonly string[];
  readonly names: readonly string[];
} {
  const environment = new Environment();
  const ast = parsedOrNull(environment, text);
  if (ast === null) return { parts: [], names: [] };
  const names = new Set<string>();
  collectNames(ast, names);
  const parts = joinedBy(ast).map(({ range }) => wholePart(environment, text, range));
  return { parts: parts.filter((part) => part !== null), names: [...names] };
}

function parsedOrNull(environment: Environment, text: string): ASTNode | null {
  try {
    return environment.parse(text).ast;
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

function joinedBy(node: ASTNode): readonly ASTNode[] {
  if (node.op !== "&&" && node.op !== "||") return [node];
  return childrenOf(node).flatMap(joinedBy);
}

function collectNames(node: ASTNode, names: Set<string>): void {
  if (node.op === "id" && plainFacts.has(node.args)) names.add(node.args);
  if (node.op === "." && node.args[0].op === "id" && grouped.has(node.args[0].args)) {
    names.add(`${node.args[0].args}.${node.args[1]}`);
  }
  for (const child of childrenOf(node)) collectNames(child, names);
}

/** The library's ranges leave out a closing parenthesis at the end: taken in until the part is whole. */
function wholePart(environment: Environment, text: string, { start, end }: Span): string | null {
  for (let until = end; ; until = text.indexOf(")", until) + 1) {
    const part = text.slice(start, until);
    if (parsedOrNull(environment, part) !== null) return part;
    if (!text.includes(")", until)) return null;
  }
}

export type Problem = {
  readonly code: DiagnosticCode;
  readonly message: string;
  readonly help: string | (() => string);
  readonly range: Span | null;
};

function schemaOf(types: ReadonlyMap<string, ParameterType>): Record<string, string> {
  return Object.fromEntries([...types].map(([name, type]) => [name, celTypes[type]]));
}

function contextOf(values: ConditionValues): Record<string, unknown> {
  return {
    git: values.git,
    trigger: values.trigger,
    environment: values.environment,
    parameters: Object.fromEntries(values.parameters),
    matrix: Object.fromEntries(values.matrix),
  };
}

/** A range inside of the condition as a place in the file; the whole value where the two do not line up. */
export function placeIn(condition: ConditionText, range: Span | null): Span {
  if (range === null || condition.textStart === null) return condition.span;
  const start = condition.textStart + Math.min(range.start, condition.text.length);
  const end = condition.textStart + Math.min(range.end, condition.text.length);
  return { start, end: Math.max(end, start) };
}

/** What the library throws and answers: an error with a stable code, one line of words, and a range. */
type CelProblem = {
  readonly code: string;
  readonly summary: string;
  readonly range: Span | null;
  readonly node: unknown;
};

function celProblem(error: unknown): CelProblem {
  if (!(error instanceof Error)) return { code: "", summary: String(error), range: null, node: null };
  const fields = error as Error & { code?: unknown; summary?: unknown; range?: Span; node?: unknown };
  return {
    code: typeof fields.code === "string" ? fields.code : "",
    summary: typeof fields.summary === "string" ? fields.summary : error.message,
    range: fields.range ?? null,
    node: fields.node ?? null,
  };
}

export function syntaxProblem(error: unknown, text: string): Problem {
  const { summary, range } = celProblem(error);
  const lower = summary.charAt(0).toLowerCase() + summary.slice(1);
  return {
    code: "pipeline/condition-syntax",
    message: `this is no condition: ${lower.replace("token: EOF", "end")}`,
    help: /[^=!<>]=[^=]/.test(text)
      ? "compare with `==`"
      : 'write a condition such as `git.branch == "main" && trigger != "schedule"`',
    range,
  };
}

export function refusedIn(node: ASTNode, inLoop: boolean): Problem | null {
  const name = node.op === "call" || node.op === "rcall" ? node.args[0] : null;
  if (name !== null && !functions.includes(name)) return refusedFunction(name, node.range);
  const loop = name !== null && loops.has(name);
  if (loop && inLoop) {
    return {
      code: "pipeline/condition-function",
      message: `${quote(name)} cannot stand inside of another loop`,
      help: "write the two parts side by side, joined with `&&` or `||`",
      range: node.range,
    };
  }
  for (const child of childrenOf(node)) {
    const refused = refusedIn(child, inLoop || loop);
    if (refused !== null) return refused;
  }
  return null;
}

function refusedFunction(name: string, range: Span): Problem {
  if (name === "matches") {
    return {
      code: "pipeline/condition-function",
      message: "`matches` is not available: a regular expression can take for ever",
      help: "use `startsWith`, `endsWith`, `contains` or `in [...]`",
      range,
    };
  }
  return {
    code: "pipeline/condition-function",
    message: `${quote(name)} is not available in conditions`,
    help: () => suggestion(name, functions, "function"),
    range,
  };
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "list":
      return node.args;
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    case "?:":
    case "[]":
    case "[?]":
    case "||":
    case "&&":
    case "!=":
    case "==":
    case "in":
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
    case "<":
    case "<=":
    case ">":
    case ">=":
      return node.args;
  }
}

function typeProblem(error: unknown, types: ConditionTypes, text: string): Problem {
  const { code, summary, range } = celProblem(error);
  const written = range === null ? "" : text.slice(range.start, range.end);
  if (code === "unknown_variable") return unknownVariable(written, types, range);
  if (code === "no_such_key") return unknownField(error, types, range);
  const overload = /^no such overload: (.*)$/.exec(summary)?.[1];
  return {
    code: "pipeline/condition-type",
    message:
      overload === undefined
        ? `the types do not fit: ${summary}`
        : `${quote(overload.replace(/\$\w*/g, "map"))} has no meaning`,
    help: summary.includes("null")
      ? 'compare with `""`: what is not known is the empty text'
      : "compare text with text in quotes, numbers with numbers",
    range,
  };
}

function unknownVariable(name: string, types: ConditionTypes, range: Span | null): Problem {
  const names = ["git", "trigger", "environment", "parameters", ...(types.matrix === null ? [] : ["matrix"])];
  let help: string | null = null;
  if (name === "matrix") help = "the step has no `matrix`";
  else if (gitFields.includes(name)) help = `did you mean \`git.${name}\`?`;
  else if (types.parameters.has(name)) help = `did you mean \`parameters.${name}\`?`;
  else if (types.matrix?.has(name) === true) help = `did you mean \`matrix.${name}\`?`;
  return {
    code: "pipeline/condition-name",
    message: `${quote(name)} is not known in conditions`,
    help: help ?? (() => suggestion(name, names, "name")),
    range,
  };
}

function unknownField(error: unknown, types: ConditionTypes, range: Span | null): Problem {
  const { summary, node } = celProblem(error);
  const field = summary.replace(/^No such key: /, "");
  const owner = ownerOf(node);
  const fields =
    owner === "git"
      ? gitFields
      : [...(owner === "matrix" ? (types.matrix ?? new Map()) : types.parameters).keys()];
  return {
    code: "pipeline/condition-name",
    message:
      owner === null ? `${quote(field)} is not known` : `${quote(`${owner}.${field}`)} is not declared`,
    help: () => suggestion(field, fields, owner === "matrix" ? "axis" : "parameter"),
    range,
  };
}

/** The name before the point of `name.field`, when it is one. */
function ownerOf(node: unknown): string | null {
  if (typeof node !== "object" || node === null || !("args" in node) || !Array.isArray(node.args))
    return null;
  const owner: unknown = node.args[0];
  if (typeof owner !== "object" || owner === null || !("op" in owner) || owner.op !== "id") return null;
  return "args" in owner && typeof owner.args === "string" ? owner.args : null;
}

function notBoolean(type: string): Problem {
  const kind =
    { string: "text", double: "a number", int: "a number" }[type] ?? `a ${type.replace(/\$\w*/, "map")}`;
  return {
    code: "pipeline/condition-type",
    message: `a condition must be true or false, and this is ${kind}`,
    help: 'compare it, for example with `== "main"`',
    range: null,
  };
}

function evaluationProblem(error: unknown): Problem {
  const { summary, range } = celProblem(error);
  return {
    code: "pipeline/condition-failed",
    message: `the condition cannot be evaluated: ${summary.charAt(0).toLowerCase()}${summary.slice(1)}`,
    help: "check the value before it is used, for example with `size(...) > 0 &&`",
    range,
  };
}
