/** What a pipeline file says about its start and its end: triggers, and who is told. */

import { limits } from "../protocol/limits.ts";
import type { PlannedTrigger } from "../protocol/plan.ts";
import { cronProblem } from "../protocol/schedule.ts";
import { type Mistakes, quote } from "./diagnostics.ts";
import { checkName, overLimit, plainNames, readRecord, readText, readTexts, wrongType } from "./fields.ts";
import { missedSlots, notifyOutcomes, runOutcomes } from "./language.ts";
import type { NotificationDeclaration } from "./pipeline.ts";
import { readGiven, readReference } from "./read-action.ts";
import { suggestion } from "./suggestions.ts";
import type { MapNode, YamlNode } from "./yaml.ts";

const countMax = limits.entriesPerStepMax;
const kinds = ["push", "pull-request", "tag", "run", "webhook", "schedule"] as const;
const triggerHelp = 'write for example `triggers: [{ push: [main] }, { schedule: "0 3 * * *" }]`';

export function readTriggers(mistakes: Mistakes, node: YamlNode): readonly PlannedTrigger[] {
  if (node.kind !== "list") {
    wrongType(mistakes, node, { what: "`triggers`", wanted: "a list", help: triggerHelp });
    return [];
  }
  overLimit(mistakes, { count: node.items.length, countMax, what: "`triggers`", span: node.span });
  return node.items.slice(0, countMax).flatMap((item) => readTrigger(mistakes, item));
}

function readTrigger(mistakes: Mistakes, node: YamlNode): PlannedTrigger[] {
  const record = readRecord(mistakes, node, { what: "a trigger", record: "trigger", help: triggerHelp });
  if (record === null) return [];
  const [kind, second] = kinds.filter((known) => record.entries.has(known));
  const found = kind === undefined ? undefined : record.entries.get(kind);
  if (kind === undefined || found === undefined || second !== undefined) {
    badTrigger(
      mistakes,
      node,
      "a trigger is one of push, pull-request, tag, run, webhook and schedule",
      triggerHelp,
    );
    return [];
  }
  for (const [key, owner] of [
    ["outcomes", "run"],
    ["missed", "schedule"],
  ] as const) {
    const stray = record.entries.get(key);
    if (stray === undefined || owner === kind) continue;
    badTrigger(mistakes, stray.value, `${quote(key)} stands beside ${quote(owner)}`, "remove it");
  }
  const { value } = found;
  switch (kind) {
    case "push":
    case "pull-request":
      return [{ kind, branches: readRefs(mistakes, value, kind, "[main]") }];
    case "tag":
      return [{ kind, tags: readRefs(mistakes, value, kind, '["v*"]') }];
    case "run":
      return readRunTrigger(mistakes, record, value);
    case "webhook": {
      const name = readName(mistakes, value, "a webhook");
      return name === null ? [] : [{ kind, name }];
    }
    case "schedule":
      return readSchedule(mistakes, record, value);
  }
}

function badTrigger(mistakes: Mistakes, node: YamlNode, message: string, help: string): void {
  mistakes.add({ code: "pipeline/bad-trigger", message, help, span: node.span });
}

/** Names or patterns with `*`; nothing means every one. */
function readRefs(mistakes: Mistakes, node: YamlNode, kind: string, example: string): readonly string[] {
  if (node.kind === "scalar" && node.value === null) return [];
  const help = `write \`${kind}: ${example}\``;
  const texts = readTexts(mistakes, node, { what: quote(kind), each: "a pattern", help, countMax });
  return [...new Set(texts.map(({ text }) => text))].sort();
}

function readName(mistakes: Mistakes, node: YamlNode, noun: string): string | null {
  const name = readText(mistakes, node, { what: `the name of ${noun}`, help: "write a name" });
  if (name === null) return null;
  return checkName(mistakes, { name, span: node.span, noun, rule: plainNames }) ? name : null;
}

function readRunTrigger(mistakes: Mistakes, record: MapNode, node: YamlNode): PlannedTrigger[] {
  const pipeline = readName(mistakes, node, "a pipeline");
  const written = record.entries.get("outcomes");
  const help = "write for example `outcomes: [passed]`";
  const words = { what: "`outcomes`", each: "an outcome", help, countMax: runOutcomes.length };
  const texts = written === undefined ? [] : readTexts(mistakes, written.value, words);
  for (const { text, node: item } of texts)
    if (!runOutcomes.some((known) => known === text)) unknownOutcome(mistakes, item, text, runOutcomes);
  const outcomes = runOutcomes.filter((known) => texts.some(({ text }) => text === known));
  if (pipeline === null) return [];
  return [{ kind: "run", pipeline, outcomes: outcomes.length === 0 ? ["passed"] : outcomes }];
}

function unknownOutcome(mistakes: Mistakes, node: YamlNode, text: string, known: readonly string[]): void {
  mistakes.add({
    code: "pipeline/unknown-outcome",
    message: `${quote(text)} is no way for a run to end`,
    help: suggestion(text, known, "outcome"),
    span: node.span,
  });
}

function readSchedule(mistakes: Mistakes, record: MapNode, node: YamlNode): PlannedTrigger[] {
  const help = 'write five fields (minute, hour, day, month, weekday) in UTC, as `"0 3 * * *"`';
  const cron = readText(mistakes, node, { what: "`schedule`", help });
  const problem = cron === null ? null : cronProblem(cron);
  if (problem !== null)
    mistakes.add({
      code: "pipeline/bad-schedule",
      message: `${quote(cron ?? "")}: ${problem}`,
      help,
      span: node.span,
    });
  const written = record.entries.get("missed")?.value;
  const text = written && readText(mistakes, written, { what: "`missed`", help: "write `missed: none`" });
  const missed = missedSlots.find((known) => known === text);
  if (written !== undefined && typeof text === "string" && missed === undefined)
    badTrigger(
      mistakes,
      written,
      `${quote(text)} says nothing about missed slots`,
      suggestion(text, missedSlots, "way"),
    );
  return cron === null || problem !== null ? [] : [{ kind: "schedule", cron, missed: missed ?? "latest" }];
}

export function readNotifications(mistakes: Mistakes, node: YamlNode): readonly NotificationDeclaration[] {
  const help = "write `notify: [{ on: [failed], uses: LIBRARY, with: { NAME: VALUE } }]`";
  if (node.kind !== "list") {
    wrongType(mistakes, node, { what: "`notify`", wanted: "a list", help });
    return [];
  }
  overLimit(mistakes, { count: node.items.length, countMax, what: "`notify`", span: node.span });
  return node.items.slice(0, countMax).flatMap((item): NotificationDeclaration[] => {
    const record = readRecord(mistakes, item, { what: "an entry of `notify`", record: "notification", help });
    const on = record?.entries.get("on");
    const uses = record?.entries.get("uses");
    if (record === null) return [];
    for (const [key, found] of [
      ["on", on],
      ["uses", uses],
    ] as const)
      if (found === undefined)
        mistakes.add({
          code: "pipeline/missing-key",
          message: `the key ${quote(key)} is missing`,
          help,
          span: item.span,
        });
    if (on === undefined || uses === undefined) return [];
    const words = { what: "`on`", each: "an entry of `on`", help, countMax: notifyOutcomes.length };
    const texts = readTexts(mistakes, on.value, words);
    for (const { text, node: entry } of texts)
      if (!notifyOutcomes.some((known) => known === text))
        unknownOutcome(mistakes, entry, text, notifyOutcomes);
    const library = readReference(mistakes, uses.value, "`uses`");
    const given = readGiven(mistakes, record.entries.get("with")?.value);
    const outcomes = notifyOutcomes.filter((known) => texts.some(({ text }) => text === known));
    return library === null || outcomes.length === 0 ? [] : [{ on: outcomes, library, given }];
  });
}
