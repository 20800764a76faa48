/**
 * What the names, labels and patterns of a plan look like. The planner asks here when it reads a file, and every
 * peer asks again when a plan arrives from elsewhere: one definition, so that neither can know better.
 */

import { alternativesOf } from "./braces.ts";
import { limits } from "./limits.ts";
import type { Scalar } from "./plan.ts";
import { isSafePath } from "./tree.ts";
import { compareText } from "./values.ts";

const plainName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;
const outputName = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const labelKey = /^[A-Za-z0-9_][A-Za-z0-9_./-]*$/;
const labelValue = /^[A-Za-z0-9_][A-Za-z0-9_.:/+-]*$/;

/** Pipelines, steps, environments, domains: they appear in paths, logs and URLs. */
export function isPlainName(name: string): boolean {
  return isShort(name) && plainName.test(name);
}

/**
 * What peers, people and domains are called, by whoever names them: any text of one line. A terminal shows it as it is; nothing in it
 * moves a cursor, or turns round what stands behind it.
 */
export function isShownName(name: unknown): name is string {
  return typeof name === "string" && !/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(name);
}

/** Parameters, axes of a matrix and variables: conditions and shells can say them. */
export function isIdentifier(name: string): boolean {
  return isShort(name) && identifier.test(name);
}

/** Inputs and outputs: `step.output` is split at its last point. */
export function isOutputName(name: string): boolean {
  return isShort(name) && outputName.test(name);
}

function isShort(name: string): boolean {
  // An own key of this name is lost where a record is copied in the usual ways.
  return name.length <= limits.nameCharactersMax && name !== "__proto__";
}

/** The variable that carries a value which a step takes under this name. */
export function inputVariable(name: string): string {
  return `OTTO_INPUT_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** A label that a worker has or a step asks for: `key` or `key=value`. */
export function isLabel(label: string): boolean {
  if (label.length > 2 * limits.nameCharactersMax + 1) return false;
  const equals = label.indexOf("=");
  if (equals === -1) return labelKey.test(label);
  return labelKey.test(label.slice(0, equals)) && labelValue.test(label.slice(equals + 1));
}

/** What a step asks of a worker's labels: one that is there, `key>=number`, or `key~version`. */
export function isRequirement(requirement: string): boolean {
  const [, key, compare, value] = /^([^=>~]+)(>=|~)(.*)$/.exec(requirement) ?? [];
  if (key === undefined || value === undefined) return isLabel(requirement);
  if (compare === ">=" && !/^[0-9]{1,12}$/.test(value)) return false;
  return isLabel(`${key}=${value}`);
}

/**
 * True when a worker with these labels is what a step asks for. `memory>=8192` is met by `memory=16384`, `tool.ruby~3.4`
 * by `tool.ruby=3.4` and `tool.ruby=3.4.7`, `tool.ruby` also by any version of it.
 */
export function meetsRequirement(labels: ReadonlySet<string>, requirement: string): boolean {
  if (labels.has(requirement)) return true;
  const [, key = requirement, compare = "", value = ""] = /^([^=>~]+)(>=|~|=)(.*)$/.exec(requirement) ?? [];
  if (compare === "=") return false;
  for (const label of labels) {
    if (!label.startsWith(`${key}=`)) continue;
    const has = label.slice(key.length + 1);
    if (compare === "") return true;
    if (compare === ">=" && Number(has) >= Number(value)) return true;
    if (compare === "~" && (has === value || has.startsWith(`${value}.`))) return true;
  }
  return false;
}

/** The name of a step of a plan: of nested pipelines each with its parents', joined by `/`. */
export function isStepName(name: string): boolean {
  const parts = name.split("/");
  return parts.length <= limits.pipelinesNestedMax + 1 && parts.every(isPlainName);
}

/** A value of a matrix as part of a name: one line, not long. */
export function isCellValue(value: Scalar): boolean {
  const text = String(value);
  return text.length <= limits.nameCharactersMax && !/\p{Cc}/u.test(text);
}

/** The name of a step, or of one cell of its matrix: `test (os=linux, ruby=3.4)`, keys sorted by code unit. */
export function cellName(from: string, cell: Iterable<readonly [string, Scalar]>): string {
  const parts = [...cell].sort(([left], [right]) => compareText(left, right));
  if (parts.length === 0) return from;
  return `${from} (${parts.map(([key, value]) => `${key}=${value}`).join(", ")})`;
}

/** A glob pattern that stays inside of the workspace, whose brackets are closed and whose braces come to few enough. */
export function isSafePattern(pattern: string): boolean {
  return (
    isSafePath(pattern) &&
    !pattern.includes("\\") &&
    !/^(?:[A-Za-z]:|[~!])/.test(pattern) &&
    hasClosedBrackets(pattern) &&
    hasSafeBraces(pattern)
  );
}

function hasSafeBraces(pattern: string): boolean {
  if (!pattern.includes("{")) return true;
  return (
    alternativesOf(pattern)?.every((path) => !path.split("/").includes("..") && path[0] !== "/") === true
  );
}

/** True when no `[` or `{` is left open. */
export function hasClosedBrackets(pattern: string): boolean {
  let inClass = false;
  let depth = 0;
  for (const character of pattern) {
    if (inClass) inClass = character !== "]";
    else if (character === "[") inClass = true;
    else if (character === "{") depth += 1;
    else if (character === "}") depth -= 1;
    if (depth < 0) return false;
  }
  return !inClass && depth === 0;
}
