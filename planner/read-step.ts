/**
 * What one step of a pipeline file may say.
 */

import { limits } from "../protocol/limits.ts";
import { outcomes as allOutcomes, type RetryCause, type StepOutput } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import {
  checkName,
  outputNames,
  overLimit,
  plainNames,
  readCondition,
  readCount,
  readDuration,
  readFlag,
  readNamed,
  readRecord,
  readText,
  readTexts,
  readVariables,
  wrongType,
} from "./fields.ts";
import { type KeyOf, retryCauses } from "./language.ts";
import { readLabels } from "./labels.ts";
import { readMatrix } from "./matrix.ts";
import { readAction } from "./read-action.ts";
import {
  checkPatterns,
  readCaches,
  readCredentials,
  readOwnOutcomes,
  readPaths,
  readReports,
  readRequirements,
  readValues,
} from "./read-surroundings.ts";
import type { InputDeclaration, NeedDeclaration, StepDeclaration, Placed } from "./pipeline.ts";
import { suggestion } from "./suggestions.ts";
import type { MapEntry, YamlNode } from "./yaml.ts";

/** A step of the wrong shape is answered too, empty: what needs it is not wrong for that. */
export function readStep(mistakes: Mistakes, entry: MapEntry): StepDeclaration {
  const what = `the step ${quote(entry.key)}`;
  const command =
    entry.value.kind === "scalar" && entry.value.value !== null ? entry.value.source : "COMMAND";
  const help = `write ${quote(`${entry.key}: { run: ${command} }`)}`;
  const record = readRecord(mistakes, entry.value, { what, record: "step", help });
  const field = <Value>(key: KeyOf<"step">, read: (node: YamlNode) => Value): Value | null => {
    const found = record?.entries.get(key);
    return found === undefined ? null : read(found.value);
  };
  const done = record === null ? null : readAction(mistakes, record, entry);
  const requirements = field("requires", (node) => readRequirements(mistakes, node));
  const environment = field("environment", (node) => {
    const help = "write the name of one of `environments`";
    const value = readText(mistakes, node, { what: "`environment`", help });
    return value === null ? null : { value, span: node.span };
  });
  return {
    name: entry.key,
    span: entry.keySpan,
    action: done?.action ?? { kind: "run" },
    commands: field("run", (node) => readCommands(mistakes, node)) ?? [],
    needs: field("needs", (node) => readNeeds(mistakes, node)) ?? [],
    condition: field("when", (node) => readCondition(mistakes, node, "`when`")),
    paths: field("paths", (node) => readPaths(mistakes, node)) ?? [],
    matrix: field("matrix", (node) => readMatrix(mistakes, node, entry.key)),
    environment,
    variables: field("env", (node) => readVariables(mistakes, node, "`env`")) ?? new Map(),
    inputs: field("inputs", (node) => readInputs(mistakes, node)) ?? [],
    outputs: field("outputs", (node) => readOutputs(mistakes, node)) ?? [],
    values: field("values", (node) => readValues(mistakes, node)) ?? [],
    outcomes: field("outcomes", (node) => readOwnOutcomes(mistakes, node)) ?? [],
    caches: field("caches", (node) => readCaches(mistakes, node)) ?? [],
    credentials: field("credentials", (node) => readCredentials(mistakes, node)) ?? [],
    reports: field("reports", (node) => readReports(mistakes, node)) ?? [],
    sandbox: requirements?.sandbox ?? null,
    image: requirements?.image ?? null,
    effect: field("effect", (node) => readFlag(mistakes, node, "`effect`")) ?? false,
    lock: field("lock", (node) => readLock(mistakes, node)),
    timeoutMs:
      field("timeout", (node) =>
        readDuration(mistakes, node, { what: "a step", maxMs: limits.timeoutMsMax }),
      ) ??
      done?.timeoutMs ??
      null,
    retry: field("retry", (node) => readRetry(mistakes, node)),
    labels: [
      ...(field("labels", (node) => readLabels(mistakes, node)) ?? []),
      ...(requirements?.labels ?? []),
    ],
  };
}

function readLock(mistakes: Mistakes, node: YamlNode): Placed<string> | null {
  const name = readText(mistakes, node, { what: "`lock`", help: "write `lock: NAME`" });
  const rule = { span: node.span, noun: "a lock", rule: plainNames };
  return name !== null && checkName(mistakes, { name, ...rule }) ? { value: name, span: node.span } : null;
}

function readCommands(mistakes: Mistakes, node: YamlNode): readonly string[] {
  const commands = readTexts(mistakes, node, {
    what: "`run`",
    each: "a command",
    help: "write `run: COMMAND` or `run: [COMMAND, COMMAND]`",
    countMax: limits.commandsPerStepMax,
  });
  return commands.map(({ text }) => text);
}

const needsHelp = "write `needs: STEP`, `needs: [STEP, STEP]` or `needs: { STEP: [failed] }`";

function readNeeds(mistakes: Mistakes, node: YamlNode): readonly NeedDeclaration[] {
  if (node.kind === "map") {
    return [...node.entries.values()].map(({ key, keySpan, value }) => ({
      step: key,
      ...readOutcomes(mistakes, value),
      span: keySpan,
    }));
  }
  if (node.kind === "list" && node.items.length === 0) return [];
  const names = readTexts(mistakes, node, {
    what: "`needs`",
    each: "a name in `needs`",
    help: needsHelp,
    countMax: limits.stepsPerPlanMax,
  });
  const needs = new Map<string, NeedDeclaration>();
  for (const { text, node: item } of names) {
    const first = needs.get(text);
    if (first === undefined) needs.set(text, { step: text, outcomes: ["passed"], own: [], span: item.span });
    else {
      mistakes.add({
        code: "pipeline/duplicate-need",
        message: `${quote(text)} is needed twice`,
        help: "keep one of the two",
        span: item.span,
        related: [{ message: "the first is here", span: first.span }],
      });
    }
  }
  return [...needs.values()];
}

/** Names that are none of the usual ones are the other step's own: `planner/links.ts` asks it. */
function readOutcomes(mistakes: Mistakes, node: YamlNode): Pick<NeedDeclaration, "outcomes" | "own"> {
  const texts = readTexts(mistakes, node, {
    what: "the outcomes",
    each: "an outcome",
    help: "write for example `[failed, timed-out]`",
    countMax: limits.entriesPerStepMax,
  });
  const found = new Set(texts.map(({ text }) => text));
  const usual = new Set<string>(allOutcomes);
  const own = texts.filter(({ text }) => !usual.has(text));
  const sorted = [
    ...allOutcomes.filter((outcome) => found.has(outcome)),
    ...[...new Set(own.map(({ text }) => text))].sort(compareText),
  ];
  return {
    outcomes: sorted.length === 0 ? ["passed"] : sorted,
    own: own.map(({ text, node: { span } }) => ({ value: text, span })),
  };
}

function unknownOutcome(
  mistakes: Mistakes,
  written: { readonly text: string; readonly known: readonly string[]; readonly node: YamlNode },
): void {
  const { text, known, node } = written;
  mistakes.add({
    code: "pipeline/unknown-outcome",
    message: `${quote(text)} is no way for a step to end`,
    help: () =>
      text.startsWith("timeout") ? "did you mean `timed-out`?" : suggestion(text, known, "outcome"),
    span: node.span,
  });
}

function readInputs(mistakes: Mistakes, node: YamlNode): readonly InputDeclaration[] {
  const help = "write `inputs: { NAME: STEP.OUTPUT }`";
  const entries = readNamed(mistakes, node, { what: "`inputs`", noun: "an input", names: outputNames, help });
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what: "`inputs`", span: node.span });
  const inputs: InputDeclaration[] = [];
  for (const { key, value } of entries) {
    const reference = readText(mistakes, value, { what: `the input ${quote(key)}`, help });
    if (reference === null) continue;
    const point = reference.lastIndexOf(".");
    if (point > 0 && point < reference.length - 1) {
      const place = { step: reference.slice(0, point), output: reference.slice(point + 1) };
      inputs.push({ name: key, ...place, span: value.span });
      continue;
    }
    mistakes.add({
      code: "pipeline/bad-input",
      message: `${quote(reference)} names no output of a step`,
      help: "write `STEP.OUTPUT`",
      span: value.span,
    });
  }
  return inputs.sort((left, right) => compareText(left.name, right.name));
}

export function readOutputs(mistakes: Mistakes, node: YamlNode): readonly StepOutput[] {
  const help = "write `outputs: { NAME: dist/** }`";
  const entries = readNamed(mistakes, node, {
    what: "`outputs`",
    noun: "an output",
    names: outputNames,
    help,
  });
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what: "`outputs`", span: node.span });
  const outputs: StepOutput[] = [];
  for (const { key, value } of entries) {
    const what = `the output ${quote(key)}`;
    const patterns = readTexts(mistakes, value, { what, each: "a pattern", help, countMax });
    checkPatterns(mistakes, patterns);
    outputs.push({ name: key, files: patterns.map(({ text }) => text) });
  }
  return outputs.sort((left, right) => compareText(left.name, right.name));
}

/** `retry: N` means N further attempts after the first, whatever went wrong; `on` narrows what it is for. */
function readRetry(mistakes: Mistakes, node: YamlNode): StepDeclaration["retry"] {
  const countWords = { what: "`retry`", code: "pipeline/bad-retry", max: limits.attemptsMax - 1 } as const;
  if (node.kind === "scalar") {
    const count = readCount(mistakes, node, countWords);
    return count === null ? null : retryOf(count, retryCauses);
  }
  const help = "write `retry: 2` or `retry: { max: 2, on: [lost, timed-out] }`";
  const record = readRecord(mistakes, node, { what: "`retry`", record: "retry", help });
  if (record === null) return null;
  const max = record.entries.get("max")?.value;
  if (max === undefined) {
    return wrongType(mistakes, node, { what: "`retry`", wanted: "a map with `max`", help });
  }
  const count = readCount(mistakes, max, { ...countWords, what: "`max`" });
  const on = record.entries.get("on")?.value;
  const causes = on === undefined ? retryCauses : readRetryCauses(mistakes, on, help);
  return count === null ? null : retryOf(count, causes);
}

function retryOf(further: number, causes: readonly RetryCause[]): StepDeclaration["retry"] {
  return further === 0 ? { attemptsMax: 1, on: [] } : { attemptsMax: further + 1, on: causes };
}

function readRetryCauses(mistakes: Mistakes, node: YamlNode, help: string): readonly RetryCause[] {
  const words = { what: "`on`", each: "an entry of `on`", help, countMax: retryCauses.length };
  const found = new Set<RetryCause>();
  for (const { text, node: item } of readTexts(mistakes, node, words)) {
    const cause = retryCauses.find((known) => known === text);
    if (cause !== undefined) found.add(cause);
    else unknownOutcome(mistakes, { text, known: retryCauses, node: item });
  }
  return retryCauses.filter((cause) => found.has(cause));
}
