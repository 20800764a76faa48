/**
 * From the tree of a pipeline file to a typed pipeline: what a file may say is here and in `planner/read-step.ts`.
 *
 * Promises: strict, every mistake of the file at once. What depends on other parts of the file (does this
 * step exist?) is asked by `planner/links.ts`, what depends on the context by `planner/plan.ts`.
 */

import { limits } from "../protocol/limits.ts";
import { priorities, type Priority, type Scalar } from "../protocol/plan.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";
import {
  checkName,
  identifiers,
  overLimit,
  plainNames,
  readFlag,
  readNamed,
  readRecord,
  readScalar,
  readText,
  readVariables,
  wrongType,
} from "./fields.ts";
import { parameterTypes } from "./language.ts";
import type {
  EnvironmentDeclaration,
  ParameterDeclaration,
  ParameterType,
  PipelineFile,
  Placed,
  StepDeclaration,
} from "./pipeline.ts";
import { readStep } from "./read-step.ts";
import { readNotifications, readTriggers } from "./read-triggers.ts";
import { sourceProblem } from "./sources.ts";
import { suggestion } from "./suggestions.ts";
import type { MapNode, YamlNode } from "./yaml.ts";

const example = "write `otto: 1`, `pipeline: NAME` and `steps:`";

/** The pipeline, or null when there is nothing to check further. With mistakes it may be incomplete. */
export function readPipeline(root: YamlNode, mistakes: Mistakes): PipelineFile | null {
  if (root.kind === "scalar" && root.value === null) {
    if (root.broken) return null;
    mistakes.add({
      code: "pipeline/empty",
      message: "the file says nothing",
      help: "write `otto: 1` and `steps:`; `otto init` makes a file from what the repository shows",
      span: { start: 0, end: 0 },
    });
    return null;
  }
  const top = readRecord(mistakes, root, { what: "the file", record: "file", help: example });
  if (top === null) return null;
  readVersion(mistakes, top);
  const name = top.entries.get("pipeline");
  const environments = top.entries.get("environments");
  const parameters = top.entries.get("parameters");
  const variables = top.entries.get("env");
  const uses = top.entries.get("uses");
  const triggers = top.entries.get("triggers");
  const notify = top.entries.get("notify");
  const priority = top.entries.get("priority");
  return {
    uses: uses === undefined ? new Map() : readUses(mistakes, uses.value),
    triggers: triggers === undefined ? [] : readTriggers(mistakes, triggers.value),
    notify: notify === undefined ? [] : readNotifications(mistakes, notify.value),
    name: name === undefined ? "main" : (readName(mistakes, name.value) ?? "main"),
    priority: priority === undefined ? "normal" : readPriority(mistakes, priority.value),
    parameters: parameters === undefined ? new Map() : readParameters(mistakes, parameters.value),
    environments: environments === undefined ? new Map() : readEnvironments(mistakes, environments.value),
    variables: variables === undefined ? new Map() : readVariables(mistakes, variables.value, "`env`"),
    steps: readSteps(mistakes, top),
  };
}

function readVersion(mistakes: Mistakes, top: MapNode): void {
  const version = top.entries.get("otto");
  if (version === undefined) {
    missingKey(mistakes, { key: "otto", help: "write `otto: 1` as the first line", span: firstOf(top) });
    return;
  }
  const { value } = version;
  if (value.kind === "scalar" && value.value === 1) return;
  mistakes.add({
    code: "pipeline/version",
    message: "this version of Otto reads pipeline files of version 1",
    help: "write `otto: 1`",
    span: value.span,
  });
}

function missingKey(
  mistakes: Mistakes,
  missing: { readonly key: string; readonly help: string; readonly span: Span },
): void {
  mistakes.add({
    code: "pipeline/missing-key",
    message: `the key ${quote(missing.key)} is missing`,
    help: missing.help,
    span: missing.span,
  });
}

function firstOf(map: MapNode): Span {
  const [first] = map.entries.values();
  return first?.keySpan ?? { start: map.span.start, end: map.span.start };
}

function readName(mistakes: Mistakes, node: YamlNode): string | null {
  const name = readText(mistakes, node, { what: "the name of the pipeline", help: "write `pipeline: NAME`" });
  if (name === null) return null;
  const rule = { name, span: node.span, noun: "a pipeline", rule: plainNames };
  return checkName(mistakes, rule) ? name : null;
}

function readPriority(mistakes: Mistakes, node: YamlNode): Priority {
  const text = readText(mistakes, node, {
    what: "`priority`",
    help: "write `priority: high` or `priority: low`",
  });
  const priority = priorities.find((known) => known === text);
  if (text !== null && priority === undefined)
    mistakes.add({
      code: "pipeline/bad-value",
      message: `${quote(text)} is no priority`,
      help: () => suggestion(text, priorities, "priority"),
      span: node.span,
    });
  return priority ?? "normal";
}

function readUses(mistakes: Mistakes, node: YamlNode): Map<string, Placed<string>> {
  const help = "write `uses: { NAME: ./ci/shared.yaml }` or `git+https://HOST/REPOSITORY@REVISION`";
  const uses = new Map<string, Placed<string>>();
  const words = { what: "`uses`", noun: "something used", names: plainNames, help };
  const entries = readNamed(mistakes, node, words);
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what: "`uses`", span: node.span });
  for (const { key, value } of entries) {
    const source = readText(mistakes, value, { what: `the source of ${quote(key)}`, help });
    if (source === null) continue;
    const problem = sourceProblem(source);
    if (problem === null) uses.set(key, { value: source, span: value.span });
    else
      mistakes.add({
        code: "pipeline/bad-use",
        message: `${quote(source)}: ${problem}`,
        help,
        span: value.span,
      });
  }
  return uses;
}

function readSteps(mistakes: Mistakes, top: MapNode): Map<string, StepDeclaration> {
  const steps = new Map<string, StepDeclaration>();
  const help = "write `steps:` and under it for example `test: { run: npm test }`";
  const node = top.entries.get("steps");
  if (node === undefined) {
    missingKey(mistakes, { key: "steps", help, span: firstOf(top) });
    return steps;
  }
  const empty =
    (node.value.kind === "scalar" && node.value.value === null) ||
    (node.value.kind === "map" && node.value.entries.size === 0);
  if (empty) {
    mistakes.add({ code: "pipeline/missing-key", message: "there is no step", help, span: node.keySpan });
  }
  const entries = readNamed(mistakes, node.value, {
    what: "`steps`",
    noun: "a step",
    names: plainNames,
    help,
  });
  const countMax = limits.stepsPerPlanMax;
  if (overLimit(mistakes, { count: entries.length, countMax, what: "`steps`", span: node.keySpan }))
    return steps;
  for (const entry of entries) steps.set(entry.key, readStep(mistakes, entry));
  return steps;
}

function readEnvironments(mistakes: Mistakes, node: YamlNode): Map<string, EnvironmentDeclaration> {
  const environments = new Map<string, EnvironmentDeclaration>();
  const help = "write for example `production: { settings: { HOSTNAME: www.example.org } }`";
  const entries = readNamed(mistakes, node, {
    what: "`environments`",
    noun: "an environment",
    names: plainNames,
    help,
  });
  for (const { key, value } of entries) {
    const what = `the environment ${quote(key)}`;
    environments.set(key, { domain: null, settings: new Map(), lock: false });
    if (value.kind === "scalar" && value.value === null) continue;
    const record = readRecord(mistakes, value, { what, record: "environment", help });
    const domain = record?.entries.get("domain")?.value;
    const settings = record?.entries.get("settings")?.value;
    const lock = record?.entries.get("lock")?.value;
    environments.set(key, {
      domain: domain === undefined ? null : readDomain(mistakes, domain),
      settings: settings === undefined ? new Map() : readVariables(mistakes, settings, "`settings`"),
      lock: lock !== undefined && readFlag(mistakes, lock, "`lock`") === true,
    });
  }
  return environments;
}

function readDomain(mistakes: Mistakes, node: YamlNode): string | null {
  const domain = readText(mistakes, node, { what: "`domain`", help: "write `domain: NAME`" });
  if (domain === null) return null;
  const rule = { name: domain, span: node.span, noun: "a domain", rule: plainNames };
  return checkName(mistakes, rule) ? domain : null;
}

const parameterHelp = "write for example `channel: { type: string, enum: [beta, stable], default: beta }`";

export function readParameters(mistakes: Mistakes, node: YamlNode): Map<string, ParameterDeclaration> {
  const parameters = new Map<string, ParameterDeclaration>();
  const entries = readNamed(mistakes, node, {
    what: "`parameters`",
    noun: "a parameter",
    names: identifiers,
    help: parameterHelp,
  });
  const countMax = limits.entriesPerStepMax;
  overLimit(mistakes, { count: entries.length, countMax, what: "`parameters`", span: node.span });
  const variables = new Map<string, string>();
  for (const { key, keySpan, value } of entries) {
    const variable = parameterVariable(key);
    const other = variables.get(variable);
    variables.set(variable, key);
    if (other !== undefined)
      mistakes.add({
        code: "pipeline/bad-parameter",
        message: `the parameters ${quote(other)} and ${quote(key)} would both be the variable \`${variable}\``,
        help: "rename one of the two",
        span: keySpan,
      });
    const before = mistakes.count;
    const what = `the parameter ${quote(key)}`;
    const record = readRecord(mistakes, value, {
      what,
      record: "parameter",
      help: parameterHelp,
    });
    if (record === null) continue;
    const typeNode = record.entries.get("type")?.value;
    if (typeNode === undefined) {
      missingKey(mistakes, { key: "type", help: "write `type: string`", span: keySpan });
      continue;
    }
    const type = readParameterType(mistakes, typeNode);
    if (type === null) continue;
    const enumNode = record.entries.get("enum")?.value;
    const choices = readChoices(mistakes, enumNode, type);
    const given = record.entries.get("default")?.value;
    const initial = given === undefined ? null : readTyped(mistakes, given, { what: "`default`", type });
    if (initial !== null && given !== undefined && choices !== null && !choices.includes(initial)) {
      mistakes.add({
        code: "pipeline/bad-parameter",
        message: `the default ${quote(String(initial))} is none of the values in \`enum\``,
        help: suggestion(String(initial), choices.map(String), "value"),
        span: given.span,
        ...(enumNode === undefined
          ? {}
          : { related: [{ message: "the values are listed here", span: enumNode.span }] }),
      });
    }
    // With a mistake in it a parameter takes any value, so that nothing is complained about twice.
    if (mistakes.count === before) parameters.set(key, { type, choices, default: initial, span: keySpan });
    else parameters.set(key, { type, choices: null, default: zeroOf(type), span: keySpan });
  }
  return parameters;
}

/** The variable that tells the commands of a file's steps the value of its parameter. */
export function parameterVariable(name: string): string {
  return `OTTO_PARAMETER_${name.toUpperCase()}`;
}

/** The value that stands for "none" in conditions: a type never changes because something is absent. */
export function zeroOf(type: ParameterType): Scalar {
  return type === "string" ? "" : type === "number" ? 0 : false;
}

function readParameterType(mistakes: Mistakes, node: YamlNode): ParameterType | null {
  const text = readText(mistakes, node, { what: "`type`", help: "write `type: string`" });
  if (text === null) return null;
  const type = parameterTypes.find((known) => known === text);
  if (type !== undefined) return type;
  mistakes.add({
    code: "pipeline/bad-parameter",
    message: `${quote(text)} is no type of parameters`,
    help: () => suggestion(text, parameterTypes, "type"),
    span: node.span,
  });
  return null;
}

function readChoices(
  mistakes: Mistakes,
  node: YamlNode | undefined,
  type: ParameterType,
): readonly Scalar[] | null {
  if (node === undefined) return null;
  if (node.kind !== "list" || node.items.length === 0) {
    return wrongType(mistakes, node, {
      what: "`enum`",
      wanted: "a list of values",
      help: "write `enum: [one, two]`",
    });
  }
  const choices = node.items.map((item) => readTyped(mistakes, item, { what: "a value of `enum`", type }));
  return choices.filter((choice) => choice !== null);
}

function readTyped(
  mistakes: Mistakes,
  node: YamlNode,
  wanted: { readonly what: string; readonly type: ParameterType },
): Scalar | null {
  if (wanted.type === "string") {
    return readText(mistakes, node, { what: wanted.what, help: 'write `""` for an empty text' });
  }
  const scalar = readScalar(mistakes, node, { what: wanted.what, help: `write a ${wanted.type}` });
  if (scalar === null || typeof scalar === wanted.type) return scalar;
  return wrongType(mistakes, node, {
    what: wanted.what,
    wanted: `a ${wanted.type}`,
    help: `write a ${wanted.type}, or change \`type\``,
  });
}
