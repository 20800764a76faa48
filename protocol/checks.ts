/**
 * Checking a value that somebody else sent, field by field. Each function answers what is wrong first, or null, so
 * `a(x) ?? b(x)` asks `b` only if `a` found nothing.
 */

import type { Scalar } from "./plan.ts";

export type Problem = string | null;
export type Fields = Readonly<Record<string, unknown>>;

export const textCharactersMax = 4_000;

export function recordProblem(
  value: unknown,
  place: string,
  rule: {
    readonly isKey: (key: string) => boolean;
    readonly isValue: (value: unknown) => boolean;
    readonly countMax: number;
  },
): Problem {
  const record = fieldsOf(value);
  if (record === null) return `${place}: not a map`;
  const names = Object.keys(record);
  if (names.length > rule.countMax) return `${place}: more than ${rule.countMax}`;
  for (const name of names) {
    if (!rule.isKey(name)) return `${place}: ${quoted(name)} is not a name`;
    if (!rule.isValue(record[name])) return `${place}.${name}: not a value`;
  }
  return null;
}

export function listProblem(
  value: unknown,
  place: string,
  countMax: number,
  check: (item: unknown) => Problem,
): Problem {
  if (!Array.isArray(value)) return `${place}: not a list`;
  if (value.length > countMax) return `${place}: more than ${countMax}`;
  for (let index = 0; index < value.length; index += 1) {
    const problem = check(value[index]);
    if (problem !== null) return `${place}[${index}]: ${problem}`;
  }
  return null;
}

/** Some of the choices, each at most once, in their order: a set has one way to be written. */
export function choiceProblem(value: unknown, choices: readonly string[]): Problem {
  if (!Array.isArray(value)) return "not a list";
  let last = -1;
  for (const item of value as unknown[]) {
    const at = choices.findIndex((choice) => choice === item);
    if (at <= last) return at === -1 ? "an unknown entry" : "not in order";
    last = at;
  }
  return null;
}

/** Exactly these keys; each of the others may be there or not. */
export function keysProblem(
  fields: Fields,
  place: string,
  keys: readonly string[],
  others: readonly string[] = [],
): Problem {
  const present = Object.keys(fields);
  for (const key of keys) if (!Object.hasOwn(fields, key)) return `${place}: ${quoted(key)} is missing`;
  if (present.length === keys.length) return null;
  const unknown = present.find((key) => !keys.includes(key) && !others.includes(key));
  return unknown === undefined ? null : `${place}: ${quoted(unknown)} is unknown`;
}

/** A plain map. Links, bytes and lists are none. */
export function fieldsOf(value: unknown): Fields | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? (value as Fields) : null;
}

export function when(wrong: boolean, problem: string): Problem {
  return wrong ? problem : null;
}

export function isName(value: unknown, rule: (name: string) => boolean): boolean {
  return typeof value === "string" && rule(value);
}

export function isText(value: unknown, charactersMax: number): value is string {
  return typeof value === "string" && value.length <= charactersMax && !value.includes("\0");
}

export function isTextOrNull(value: unknown): boolean {
  return value === null || isText(value, textCharactersMax);
}

/** Text that a process can be given. Its length is bounded by the manifest's. */
export function isCarried(value: unknown): value is string {
  return typeof value === "string" && !value.includes("\0");
}

export function isScalar(value: unknown): value is Scalar {
  return (
    typeof value === "boolean" || isCarried(value) || (typeof value === "number" && Number.isFinite(value))
  );
}

export function isCount(value: unknown, min: number, max: number): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
