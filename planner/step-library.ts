/**
 * A step library as its manifest describes it (`otto-step.yaml` in its folder): what it takes, which program does its
 * work, what it says and leaves. The program may be in any language; a worker runs it, the planner never does.
 */

import { limits } from "../protocol/limits.ts";
import { isSafePattern } from "../protocol/names.ts";
import type { StepOutput, StepValueDeclaration } from "../protocol/plan.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import { checkName, plainNames, readFlag, readRecord, readText, readTexts } from "./fields.ts";
import { keysOf, type KeyOf } from "./language.ts";
import type { ParameterDeclaration } from "./pipeline.ts";
import { readOwnOutcomes, readValues } from "./read-surroundings.ts";
import { readOutputs } from "./read-step.ts";
import { readParameters } from "./read.ts";
import type { YamlNode } from "./yaml.ts";

export const manifestName = "otto-step.yaml";

export type StepLibrary = {
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  /** The program of each platform, `any` for the others, relative to the library's folder. */
  readonly entry: ReadonlyMap<string, string>;
  readonly outputs: readonly StepOutput[];
  readonly values: readonly StepValueDeclaration[];
  readonly outcomes: readonly string[];
  readonly effect: boolean;
  readonly may: readonly string[];
};

const example = "write `otto-step: 1`, `name: NAME` and `entry: { any: ./PROGRAM }`";

/** Null when the manifest has nothing to go on with; with mistakes it may be incomplete. */
export function readLibrary(root: YamlNode, mistakes: Mistakes): StepLibrary | null {
  const record = readRecord(mistakes, root, { what: "the manifest", record: "library", help: example });
  if (record === null) return null;
  const field = <Value>(key: KeyOf<"library">, read: (node: YamlNode) => Value): Value | null => {
    const found = record.entries.get(key);
    return found === undefined ? null : read(found.value);
  };
  for (const key of ["otto-step", "name", "entry"] as const) {
    if (record.entries.has(key)) continue;
    const message = `the key ${quote(key)} is missing`;
    mistakes.add({ code: "pipeline/missing-key", message, help: example, span: { start: 0, end: 0 } });
  }
  field("otto-step", (node) => {
    if (node.kind === "scalar" && node.value === 1) return;
    const message = "this version of Otto reads manifests of version 1";
    mistakes.add({ code: "pipeline/version", message, help: "write `otto-step: 1`", span: node.span });
  });
  field("name", (node) => {
    const name = readText(mistakes, node, { what: "`name`", help: "write `name: NAME`" });
    if (name !== null) checkName(mistakes, { name, span: node.span, noun: "a library", rule: plainNames });
  });
  field("description", (node) =>
    readText(mistakes, node, { what: "`description`", help: "write a sentence" }),
  );
  const mayWords = {
    what: "`may`",
    each: "an entry of `may`",
    help: "write for example `may: [reach the address that it is given]`",
    countMax: limits.entriesPerStepMax,
  };
  return {
    parameters: field("parameters", (node) => readParameters(mistakes, node)) ?? new Map(),
    entry: field("entry", (node) => readEntry(mistakes, node)) ?? new Map(),
    outputs: field("outputs", (node) => readOutputs(mistakes, node)) ?? [],
    values: field("values", (node) => readValues(mistakes, node)) ?? [],
    outcomes: field("outcomes", (node) => readOwnOutcomes(mistakes, node)) ?? [],
    effect: field("effect", (node) => readFlag(mistakes, node, "`effect`")) ?? false,
    may: field("may", (node) => readTexts(mistakes, node, mayWords).map(({ text }) => text)) ?? [],
  };
}

function readEntry(mistakes: Mistakes, node: YamlNode): Map<string, string> {
  const help = "write `entry: { any: ./PROGRAM }`";
  const entry = new Map<string, string>();
  const record = readRecord(mistakes, node, { what: "`entry`", record: "libraryEntry", help });
  for (const platform of keysOf("libraryEntry")) {
    const found = record?.entries.get(platform);
    if (found === undefined) continue;
    const text = readText(mistakes, found.value, { what: quote(platform), help });
    if (text === null) continue;
    const path = text.replace(/^\.\//, "");
    if (isSafePattern(path) && !/[*?[\]{}]/.test(path)) entry.set(platform, path);
    else
      mistakes.add({
        code: "pipeline/bad-use",
        message: `${quote(text)} is no file of the library's folder`,
        help,
        span: found.value.span,
      });
  }
  if (record !== null && entry.size === 0 && record.entries.size === 0)
    mistakes.add({
      code: "pipeline/missing-key",
      message: "no program is named",
      help,
      span: node.span,
    });
  return entry;
}
