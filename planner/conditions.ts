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
import { callsOfChanged, childrenOf } from "./condition-tree.ts";
import { type DiagnosticCode, type Mistakes, quote, type Span } from "./diagnostics.ts";
import { patternProblem } from "./patterns.ts";
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
  /** Whether a path changed that fits one of the patterns. */
  readonly changed: (patterns: readonly string[]) => boolean;
};

/** True or false; null after saying why it cannot be evaluated for these values. */
export type Condition = (values: ConditionValues) => boolean | null;

const argumentsMax = 8;
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
/** What only conditions over the context have. */
const contextFunctions = [...functions, "changed"];
const gitFields = ["branch", "tag", "commit"];
const celTypes = { string: "string", number: "double", boolean: "bool" } as const;

/** Compiles conditions; keeps one environment for each set of types, since making one costs more than checking. */
export class ConditionCompiler {
  readonly #mistakes: Mistakes;
  readonly #environments = new Map<string, Environment>();
  /** Those without a mistake, by what they are written in: many steps say the same. */
  readonly #checked = new Map<Environment, Map<string, ReturnType<Environment["parse"]>>>();
  /** Of the evaluation that is under way. */
  #changed: ConditionValues["changed"] = () => true;
  #asksForChanges = false;

  /** Whether one of the conditions so far asks what changed. */
  get asksForChanges(): boolean {
    return this.#asksForChanges;
  }

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
      this.#changed = values.changed;
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
    const refused = refusedIn(parsed.ast, contextFunctions) ?? changedProblem(parsed.ast);
    if (refused !== null) return refused;
    this.#asksForChanges ||= callsOfChanged(parsed.ast).length > 0;
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
      limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 500, maxCallArguments: argumentsMax },
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
    const changed = (...patterns: readonly string[]): boolean => this.#changed(patterns);
    for (let count = 1; count <= argumentsMax; count += 1) {
      const types = Array.from({ length: count }, () => "string").join(", ");
      environment.registerFunction(`changed(${types}): bool`, changed);
    }
    environment.registerFunction("changed(list<string>): bool", (list: readonly string[]) =>
      changed(...list),
    );
    this.#environments.set(key, environment);
    return environment;
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

/** @param known the functions that such a condition has. */
export function refusedIn(node: ASTNode, known = functions, inLoop = false): Problem | null {
  const name = node.op === "call" || node.op === "rcall" ? node.args[0] : null;
  if (name !== null && !known.includes(name)) return refusedFunction(name, known, node.range);
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
    const refused = refusedIn(child, known, inLoop || loop);
    if (refused !== null) return refused;
  }
  return null;
}

function refusedFunction(name: string, known: readonly string[], range: Span): Problem {
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
    help: () => suggestion(name, known, "function"),
    range,
  };
}

/** The patterns stand there as they are: what a step depends on is to be seen before anything is evaluated. */
function changedProblem(node: ASTNode): Problem | null {
  for (const call of callsOfChanged(node)) {
    if (call.arguments.length === 0) {
      return {
        code: "pipeline/bad-pattern",
        message: "`changed` is asked for no pattern",
        help: 'write `changed("web/**")`',
        range: call.node.range,
      };
    }
    for (const argument of call.arguments) {
      const pattern = argument.op === "value" && typeof argument.args === "string" ? argument.args : null;
      const problem =
        pattern === null
          ? {
              message: "`changed` takes patterns that stand there in quotes",
              help: 'write `changed("web/**")`, or join two of them with `||`',
            }
          : patternProblem(pattern);
      if (problem === null) continue;
      const message = pattern === null ? problem.message : `${quote(pattern)}: ${problem.message}`;
      return { code: "pipeline/bad-pattern", message, help: problem.help, range: argument.range };
    }
  }
  return null;
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
