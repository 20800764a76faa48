/**
 * The tree of a condition, read without being evaluated: its parts and the names in it, for explanations, and what
 * each `changed(...)` is asked for. `planner/conditions.ts` checks and evaluates.
 */

import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import type { Span } from "./diagnostics.ts";

const plainFacts = new Set(["trigger", "environment"]);
const grouped = new Set(["git", "parameters", "matrix"]);

/**
 * What a condition is made of, for explanations: the parts that `&&` and `||` join, as they are written, and the
 * names that it reads, such as `git.branch`, sorted as they first come. Nothing for what cannot be parsed.
 */
export function partsOfCondition(text: string): {
  readonly parts: readonly string[];
  readonly names: readonly string[];
  /** What each `changed(...)` is asked for. */
  readonly patterns: readonly (readonly string[])[];
} {
  const environment = new Environment();
  const ast = parsedOrNull(environment, text);
  if (ast === null) return { parts: [], names: [], patterns: [] };
  const names = new Set<string>();
  collectNames(ast, names);
  const parts = joinedBy(ast).map(({ range }) => wholePart(environment, text, range));
  const patterns = callsOfChanged(ast).map((call) =>
    call.arguments.flatMap(({ args }) => (typeof args === "string" ? [args] : [])),
  );
  return { parts: parts.filter((part) => part !== null), names: [...names], patterns };
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

type ChangedCall = { readonly node: ASTNode; readonly arguments: readonly ASTNode[] };

export function callsOfChanged(node: ASTNode): readonly ChangedCall[] {
  const own =
    node.op === "call" && node.args[0] === "changed" ? [{ node, arguments: argumentsOf(node.args[1]) }] : [];
  return [...own, ...childrenOf(node).flatMap(callsOfChanged)];
}

/** `changed(["a", "b"])` is `changed("a", "b")`. */
function argumentsOf(given: readonly ASTNode[]): readonly ASTNode[] {
  const [first] = given;
  return given.length === 1 && first?.op === "list" ? first.args : given;
}

export function childrenOf(node: ASTNode): readonly ASTNode[] {
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
