/**
 * Reading one value of a pipeline file: each function answers the value, or null after it has said what is wrong.
 *
 * Promises: strict (nothing is converted in silence), and every complaint names what to write instead.
 */

import { limits } from "../protocol/limits.ts";
import { isIdentifier, isOutputName, isPlainName } from "../protocol/names.ts";
import type { Scalar } from "../protocol/plan.ts";
import { type DiagnosticCode, type Mistakes, quote, type Span } from "./diagnostics.ts";
import { formatDuration, parseDuration } from "./durations.ts";
import { keyHelp } from "./foreign-keys.ts";
import { keysOf, type RecordName } from "./language.ts";
import type { ConditionText } from "./pipeline.ts";
import type { MapEntry, MapNode, YamlNode } from "./yaml.ts";

function describe(node: YamlNode): string {
  switch (node.kind) {
    case "map":
      return "a map";
    case "list":
      return node.items.length === 0 ? "an empty list" : "a list";
    case "scalar":
      if (node.value === null) return "empty";
      return typeof node.value === "string" ? "text" : `the ${typeof node.value} ${quote(node.source)}`;
  }
}

export function wrongType(
  mistakes: Mistakes,
  node: YamlNode,
  words: { readonly what: string; readonly wanted: string; readonly help: string },
): null {
  if (node.kind === "scalar" && node.broken) return null;
  mistakes.add({
    code: "pipeline/wrong-type",
    message: `${words.what} must be ${words.wanted}, and is ${describe(node)}`,
    help: words.help,
    span: node.span,
  });
  return null;
}

/** A map whose keys are all known: those that `planner/language.ts` has for it. */
export function readRecord(
  mistakes: Mistakes,
  node: YamlNode,
  shape: { readonly what: string; readonly record: RecordName; readonly help: string },
): MapNode | null {
  if (node.kind !== "map") {
    return wrongType(mistakes, node, { what: shape.what, wanted: "a map", help: shape.help });
  }
  const keys: readonly string[] = keysOf(shape.record);
  for (const entry of node.entries.values()) {
    if (keys.includes(entry.key)) continue;
    mistakes.add({
      code: "pipeline/unknown-key",
      message: `${shape.what} has no key ${quote(entry.key)}`,
      help: () => keyHelp(entry.key, shape.record),
      span: entry.keySpan,
    });
  }
  return node;
}

/** A map whose keys are names that the person chose. Entries with a bad name are reported and left out. */
export function readNamed(
  mistakes: Mistakes,
  node: YamlNode,
  shape: { readonly what: string; readonly noun: string; readonly names: NameRule; readonly help: string },
): readonly MapEntry[] {
  if (node.kind === "scalar" && node.value === null) return [];
  if (node.kind !== "map") {
    wrongType(mistakes, node, { what: shape.what, wanted: "a map", help: shape.help });
    return [];
  }
  return [...node.entries.values()].filter((entry) =>
    checkName(mistakes, { name: entry.key, span: entry.keySpan, noun: shape.noun, rule: shape.names }),
  );
}

export type NameRule = { readonly fits: (name: string) => boolean; readonly words: string };

export const plainNames: NameRule = { fits: isPlainName, words: "use letters, digits, `-`, `_` and `.`" };
export const identifiers: NameRule = {
  fits: isIdentifier,
  words: "use letters, digits and `_`, and begin with a letter",
};
export const outputNames: NameRule = { fits: isOutputName, words: "use letters, digits, `-` and `_`" };

export function checkName(
  mistakes: Mistakes,
  subject: { readonly name: string; readonly span: Span; readonly noun: string; readonly rule: NameRule },
): boolean {
  const { name, span, noun, rule } = subject;
  if (rule.fits(name)) return true;
  let help = rule.words;
  if (name.length > limits.nameCharactersMax) help = `use at most ${limits.nameCharactersMax} characters`;
  else if (name === "__proto__")
    help = "choose another name: this one means something to JavaScript programs";
  mistakes.add({
    code: "pipeline/bad-name",
    message: `${quote(name)} cannot be the name of ${noun}`,
    help,
    span,
  });
  return false;
}

/** Text that is written as text: a number or a boolean is not converted. */
export function readText(
  mistakes: Mistakes,
  node: YamlNode,
  words: { readonly what: string; readonly help: string },
): string | null {
  if (node.kind === "scalar" && typeof node.value === "string") {
    return checkText(mistakes, node.value, node.span) ? node.value : null;
  }
  const quoted =
    node.kind === "scalar" && node.value !== null ? `put it in quotes: "${node.source}"` : words.help;
  return wrongType(mistakes, node, { what: words.what, wanted: "text", help: quoted });
}

/** Escapes in quotes can write what no process or signature could carry. */
function checkText(mistakes: Mistakes, text: string, span: Span): boolean {
  if (!text.includes("\0") && text.isWellFormed()) return true;
  mistakes.add({
    code: "pipeline/control-character",
    message: "the text contains a NUL or half of a character",
    help: "remove the escape",
    span,
  });
  return false;
}

/** One text or a list of texts, at least one, none blank. */
export function readTexts(
  mistakes: Mistakes,
  node: YamlNode,
  words: { readonly what: string; readonly each: string; readonly help: string; readonly countMax: number },
): readonly { readonly text: string; readonly node: YamlNode }[] {
  const nodes = node.kind === "list" ? node.items : [node];
  if (nodes.length === 0) {
    wrongType(mistakes, node, { what: words.what, wanted: "text or a list of texts", help: words.help });
  }
  overLimit(mistakes, { count: nodes.length, countMax: words.countMax, what: words.what, span: node.span });
  const texts: { text: string; node: YamlNode }[] = [];
  for (const item of nodes.slice(0, words.countMax)) {
    const text = readText(mistakes, item, {
      what: node.kind === "list" ? words.each : words.what,
      help: words.help,
    });
    if (text === null) continue;
    if (text.trim() !== "") texts.push({ text, node: item });
    else {
      mistakes.add({
        code: "pipeline/wrong-type",
        message: `${words.each} is blank`,
        help: words.help,
        span: item.span,
      });
    }
  }
  return texts;
}

export function overLimit(
  mistakes: Mistakes,
  subject: { readonly count: number; readonly countMax: number; readonly what: string; readonly span: Span },
): boolean {
  if (subject.count <= subject.countMax) return false;
  mistakes.add({
    code: "pipeline/over-limit",
    message: `${subject.what} has ${subject.count} entries; at most ${subject.countMax} are possible`,
    help: "split it, or move it into a script of the repository",
    span: subject.span,
  });
  return true;
}

/** Text, number or boolean. A number must mean what it looks like: `3.10` would be 3.1. */
export function readScalar(
  mistakes: Mistakes,
  node: YamlNode,
  words: { readonly what: string; readonly help: string },
): Scalar | null {
  if (node.kind !== "scalar" || node.value === null) {
    return wrongType(mistakes, node, {
      what: words.what,
      wanted: "text, a number or a boolean",
      help: words.help,
    });
  }
  if (typeof node.value === "boolean") return node.value;
  if (typeof node.value === "string") return checkText(mistakes, node.value, node.span) ? node.value : null;
  const exact = Number.isFinite(node.value) && Math.abs(node.value) <= Number.MAX_SAFE_INTEGER;
  if (exact && String(node.value) === node.source) return node.value;
  mistakes.add({
    code: "pipeline/bad-number",
    message: exact
      ? `the number ${quote(node.source)} means ${node.value}`
      : `${quote(node.source)} is no number that every machine can hold`,
    help: `write "${node.source}" in quotes if it is a name or a version${exact ? `, or ${node.value}` : ""}`,
    span: node.span,
  });
  return null;
}

/** A whole number within bounds. */
export function readCount(
  mistakes: Mistakes,
  node: YamlNode,
  words: {
    readonly what: string;
    readonly code: DiagnosticCode;
    readonly min?: number;
    readonly max: number;
  },
): number | null {
  const min = words.min ?? 0;
  if (
    node.kind === "scalar" &&
    typeof node.value === "number" &&
    Number.isInteger(node.value) &&
    node.value >= min &&
    node.value <= words.max
  ) {
    return node.value + 0;
  }
  mistakes.add({
    code: words.code,
    message: `${words.what} must be a whole number from ${min} to ${words.max}`,
    help: `write for example \`${Math.min(2, words.max)}\``,
    span: node.span,
  });
  return null;
}

/** True or false. */
export function readFlag(mistakes: Mistakes, node: YamlNode, what: string): boolean | null {
  if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
  return wrongType(mistakes, node, { what, wanted: "true or false", help: "write `true` or `false`" });
}

/** A time such as `90s`, at most `maxMs` milliseconds. */
export function readDuration(
  mistakes: Mistakes,
  node: YamlNode,
  words: { readonly what: string; readonly maxMs: number },
): number | null {
  const source = node.kind === "scalar" && node.value !== null ? node.source : null;
  const durationMs = source === null ? null : parseDuration(source);
  if (durationMs !== null && durationMs <= words.maxMs) return durationMs;
  const longest = formatDuration(words.maxMs);
  mistakes.add({
    code: "pipeline/bad-duration",
    message:
      durationMs === null
        ? "this is no duration"
        : `${words.what} may take ${longest} at most, and this is longer`,
    help:
      source !== null && /^[1-9]\d*$/.test(source)
        ? `write \`${source}s\` for seconds or \`${source}m\` for minutes`
        : "write for example `90s`, `10m`, `2h` or `1h30m`",
    span: node.span,
  });
  return null;
}

/** A condition: text, or `true` and `false` as they are. */
export function readCondition(mistakes: Mistakes, node: YamlNode, what: string): ConditionText | null {
  const help = 'write a condition such as `git.branch == "main"`';
  if (node.kind === "scalar" && typeof node.value === "boolean") {
    return { text: node.source, span: node.span, textStart: node.textStart };
  }
  const text = readText(mistakes, node, { what, help });
  if (text === null) return null;
  if (text.length > limits.conditionCharactersMax) {
    mistakes.add({
      code: "pipeline/over-limit",
      message: `a condition has at most ${limits.conditionCharactersMax} characters`,
      help: "split the step",
      span: node.span,
    });
    return null;
  }
  return { text, span: node.span, textStart: node.kind === "scalar" ? node.textStart : null };
}

/** Variables: `NAME: value`, each value as it is written (`1.10` stays `1.10`). */
export function readVariables(mistakes: Mistakes, node: YamlNode, what: string): Map<string, string> {
  const variables = new Map<string, string>();
  const entries = readNamed(mistakes, node, {
    what,
    noun: "a variable",
    names: identifiers,
    help: "write `NAME: value` lines",
  });
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what, span: node.span });
  for (const { key, keySpan, value } of entries) {
    if (key.startsWith("OTTO_")) {
      mistakes.add({
        code: "pipeline/bad-name",
        message: `${quote(key)} cannot be declared: names with \`OTTO_\` are set by Otto`,
        help: `write ${quote(key.slice("OTTO_".length) || "NAME")}`,
        span: keySpan,
      });
      continue;
    }
    if (value.kind !== "scalar" || value.value === null) {
      wrongType(mistakes, value, {
        what: `the variable ${quote(key)}`,
        wanted: "text, a number or a boolean",
        help: `write \`${key}: ""\` for an empty value`,
      });
      continue;
    }
    const text = typeof value.value === "string" ? value.value : value.source;
    if (checkText(mistakes, text, value.span)) variables.set(key, text);
  }
  return variables;
}
