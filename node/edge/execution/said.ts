/**
 * What the commands of a step say to Otto: small typed values, and an outcome of the step's own, each in a file whose
 * path they are given. The files are outside of the workspace, so they are part of no output and no cache.
 *
 * Promises: nothing that the commands make of these files can hold up the worker or lead it elsewhere; what is said
 * is what the plan declares, no more and no less, or the step fails with a sentence that says what to write.
 */

import { closeSync, constants, fstatSync, mkdirSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Mask } from "../../../protocol/credentials/masker.ts";
import { failure, type Result, success } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Scalar, StepValueDeclaration } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { encodeValue } from "../../../protocol/values.ts";
import type { Assignment } from "../../ports.ts";

type Declared = Pick<Assignment, "values" | "outcomes">;

export type Said = Pick<StepReport, "values" | "ownOutcome">;

/** Makes the files that the step needs in the folder, which must be its own. Returns the variables that name them. */
export function openSaid(folder: string, { values, outcomes }: Declared): Record<string, string> {
  const variables: Record<string, string> = {};
  if (values.length > 0) variables["OTTO_VALUES"] = join(folder, "values");
  if (outcomes.length > 0) variables["OTTO_OUTCOME"] = join(folder, "outcome");
  const paths = Object.values(variables);
  if (paths.length > 0) mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const path of paths) writeFileSync(path, "", { flag: "wx" });
  return variables;
}

/** What was said when the last command had passed, masked. The problem is one sentence, or two. */
export function readSaid(folder: string, { values, outcomes }: Declared, mask: Mask): Result<Said, string> {
  const said: { -readonly [Key in keyof Said]: Said[Key] } = {};
  if (values.length > 0) {
    const text = textOf(join(folder, "values"), "$OTTO_VALUES", mask);
    if (!text.ok) return text;
    const lines = parseValues(text.value);
    if (!lines.ok) return lines;
    const typed = typedValues(lines.value, values);
    if (!typed.ok) return typed;
    said.values = typed.value;
  }
  if (outcomes.length > 0) {
    const text = textOf(join(folder, "outcome"), "$OTTO_OUTCOME", mask);
    if (!text.ok) return text;
    const own = outcomeIn(text.value, outcomes);
    if (!own.ok) return own;
    if (own.value !== null) said.ownOutcome = own.value;
  }
  return success(said);
}

/** Opened without following or waiting: the commands may have put a link or a pipe in the file's place. */
function textOf(path: string, name: string, mask: Mask): Result<string, string> {
  const gone = failure(`${name} is no file any more: append to it, and leave it where it is.`);
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return gone;
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) return gone;
    if (found.size > limits.saidBytesMax)
      return failure(
        `${name} has ${found.size} bytes, more than ${limits.saidBytesMax}: hand larger things over as an output.`,
      );
    const bytes = Buffer.alloc(found.size);
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return success(new TextDecoder("utf-8", { fatal: true }).decode(mask.bytes(bytes.subarray(0, length))));
  } catch {
    return failure(`${name} is not UTF-8 text: write text to it.`);
  } finally {
    closeSync(file);
  }
}

/** `NAME=VALUE` lines, and `NAME<<END` with the lines up to `END`. Of one name the last counts. */
export function parseValues(text: string): Result<ReadonlyMap<string, string>, string> {
  const found = new Map<string, string>();
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (line.trim() === "") continue;
    const [, name = "", sign, rest = ""] = /^([^=<]*)(=|<<)(.*)$/s.exec(line) ?? [];
    if (sign === undefined || name === "" || (sign === "<<" && rest === ""))
      return failure(
        `Line ${at + 1} of $OTTO_VALUES is no value: write "NAME=VALUE", or "NAME<<END", the lines of the value and "END".`,
      );
    if (sign === "=") {
      found.set(name, rest);
      continue;
    }
    const end = lines.indexOf(rest, at + 1);
    if (end === -1)
      return failure(
        `The value "${name}" in $OTTO_VALUES has no end: write "${rest}" alone on a line after it.`,
      );
    found.set(name, lines.slice(at + 1, end).join("\n"));
    at = end;
  }
  return success(found);
}

function typedValues(
  lines: ReadonlyMap<string, string>,
  declared: readonly StepValueDeclaration[],
): Result<Readonly<Record<string, Scalar>>, string> {
  for (const name of lines.keys())
    if (!declared.some((value) => value.name === name)) {
      const names = declared.map((value) => value.name).join(", ");
      return failure(
        `The step says a value "${name}", which it does not declare: write one of ${names} to $OTTO_VALUES, or declare it under "values".`,
      );
    }
  const typed: Record<string, Scalar> = {};
  for (const { name, type } of declared) {
    const text = lines.get(name);
    if (text === undefined)
      return failure(`The value "${name}" is missing: write "${name}=VALUE" to the file $OTTO_VALUES.`);
    const bytes = Buffer.byteLength(text);
    if (bytes > limits.valueBytesMax)
      return failure(
        `The value "${name}" has ${bytes} bytes, more than ${limits.valueBytesMax}: hand larger things over as an output.`,
      );
    const value = typedValue(text, type);
    if (value === null) {
      const shown = JSON.stringify(text.length > 40 ? `${text.slice(0, 39).toWellFormed()}…` : text);
      const wanted =
        type === "number" ? "a number such as 3 or 0.5, of at most 15 digits" : '"true" or "false"';
      return failure(
        `The value "${name}" is ${shown}, not a ${type}: write "${name}=" and ${wanted} to $OTTO_VALUES.`,
      );
    }
    typed[name] = value;
  }
  const bytes = encodeValue(typed).length;
  if (bytes > limits.valuesBytesMax)
    return failure(
      `The values of the step have ${bytes} bytes together, more than ${limits.valuesBytesMax}: hand larger things over as an output.`,
    );
  return success(typed);
}

/** Null when the text does not stand for such a value, or a number would lose digits. */
function typedValue(text: string, type: StepValueDeclaration["type"]): Scalar | null {
  if (type === "string") return text;
  if (type === "boolean") return text === "true" ? true : text === "false" ? false : null;
  if (!/^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$/.test(text)) return null;
  if (text.replace(/[eE].*$/, "").replaceAll(/^-?0*|\./g, "").length > 15) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

function outcomeIn(text: string, outcomes: readonly string[]): Result<string | null, string> {
  const names = [...new Set(text.split("\n").map((line) => line.trim()))].filter((name) => name !== "");
  const [name] = names;
  if (name === undefined) return success(null);
  const choices = outcomes.length === 1 ? `"${outcomes[0] ?? ""}"` : `one of ${outcomes.join(", ")}`;
  if (names.length > 1) {
    const said = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`;
    return failure(
      `The step says that it ended as ${said}: write only ${choices} to $OTTO_OUTCOME, or nothing.`,
    );
  }
  if (outcomes.includes(name)) return success(name);
  const shown = name.length > 100 ? `${name.slice(0, 99).toWellFormed()}…` : name;
  return failure(
    `The step says that it ended as "${shown}", which it does not declare: write ${choices} to $OTTO_OUTCOME, or declare it under "outcomes".`,
  );
}
