/**
 * A trigger event: what happened that a pipeline may be started by, as a file says it (`otto run --event FILE`).
 *
 * Promises: a pure function of its text; either an event or every mistake in it, each with what to write instead.
 */

import { failure, type Result, success } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { isIdentifier, isPlainName } from "../protocol/names.ts";
import type { Scalar } from "../protocol/plan.ts";
import { draft, type JsonSchema, oneOf } from "./json-schema.ts";
import { runOutcomes } from "./language.ts";
import { suggestion } from "./suggestions.ts";

const eventKinds = ["push", "pull-request", "tag", "run", "webhook", "schedule", "manual"] as const;

type EventKind = (typeof eventKinds)[number];

export type TriggerEvent = {
  readonly trigger: EventKind;
  /** What is pushed; of a pull request, where it comes from. */
  readonly branch: string | null;
  readonly tag: string | null;
  readonly commit: string | null;
  /** Of a pull request: the branch that it is to go into. */
  readonly base: string | null;
  /** Of another run's end. */
  readonly pipeline: string | null;
  readonly outcome: string | null;
  /** Of a webhook. */
  readonly name: string | null;
  readonly parameters: Readonly<Record<string, Scalar>>;
};

type TextKey = Exclude<keyof TriggerEvent, "trigger" | "parameters">;

const described: Readonly<Record<keyof TriggerEvent, string>> = {
  trigger: "What happened.",
  branch: "The branch that was pushed, or that a pull request comes from.",
  tag: "The tag that was made.",
  commit: "The commit, as 40 or 64 hexadecimal digits.",
  base: "The branch that a pull request is to go into.",
  pipeline: "The pipeline whose run has ended.",
  outcome: "How that run has ended.",
  name: "The name of the webhook.",
  parameters: "Values of the pipeline's parameters.",
};

/** What an event of each kind must say, and what it may say besides. */
const keysOf: Readonly<
  Record<EventKind, { readonly must: readonly TextKey[]; readonly may: readonly TextKey[] }>
> = {
  push: { must: ["branch"], may: ["commit"] },
  "pull-request": { must: ["base"], may: ["branch", "commit"] },
  tag: { must: ["tag"], may: ["branch", "commit"] },
  run: { must: ["pipeline", "outcome"], may: ["branch", "tag", "commit"] },
  webhook: { must: ["name"], may: ["branch", "tag", "commit"] },
  schedule: { must: [], may: ["branch", "tag", "commit"] },
  manual: { must: [], may: ["branch", "tag", "commit"] },
};

const commitPattern = "^(?:[0-9a-f]{40}|[0-9a-f]{64})$";

/** A mistake, as one sentence without its full stop. */
export function parseTriggerEvent(text: string): Result<TriggerEvent, readonly string[]> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return failure([`it is no JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  if (!isMap(value))
    return failure(['it is no map: write for example `{ "trigger": "push", "branch": "main" }`']);
  const { trigger } = value;
  const kind = eventKinds.find((known) => known === trigger);
  if (kind === undefined) {
    const hint =
      typeof trigger === "string"
        ? suggestion(trigger, eventKinds, "trigger")
        : `write one of ${list(eventKinds)}`;
    const said = trigger === undefined ? '"trigger" is missing' : `${shown(trigger)} is no trigger`;
    return failure([`${said}: ${hint}`]);
  }
  return readEvent(kind, value);
}

function readEvent(
  kind: EventKind,
  value: Readonly<Record<string, unknown>>,
): Result<TriggerEvent, readonly string[]> {
  const { must, may } = keysOf[kind];
  const known: readonly string[] = ["trigger", ...must, ...may, "parameters"];
  const mistakes: string[] = [];
  for (const key of Object.keys(value))
    if (!known.includes(key))
      mistakes.push(`an event of a ${kind} has no ${shown(key)}: ${suggestion(key, known, "key")}`);
  for (const key of must)
    if (!Object.hasOwn(value, key))
      mistakes.push(`${shown(key)} is missing: an event of a ${kind} must say it`);
  const textAt = (key: TextKey): string | null => {
    if (!known.includes(key) || !Object.hasOwn(value, key)) return null;
    const found = value[key];
    // Where nothing must be said, null says so.
    if (found === null && !must.includes(key)) return null;
    const problem = textProblem(key, found);
    if (problem !== null) mistakes.push(`${shown(key)}: ${problem}`);
    return typeof found === "string" ? found : null;
  };
  const event: TriggerEvent = {
    trigger: kind,
    branch: textAt("branch"),
    tag: textAt("tag"),
    commit: textAt("commit"),
    base: textAt("base"),
    pipeline: textAt("pipeline"),
    outcome: textAt("outcome"),
    name: textAt("name"),
    parameters: readParameters(value["parameters"], mistakes),
  };
  return mistakes.length === 0 ? success(event) : failure(mistakes);
}

function textProblem(key: TextKey, value: unknown): string | null {
  if (typeof value !== "string" || value === "") return `${shown(value)} is no text`;
  switch (key) {
    case "branch":
    case "base":
    case "tag":
      return isReferenceName(value)
        ? null
        : `${shown(value)} is no name that git takes; write it without refs/`;
    case "commit":
      return new RegExp(commitPattern).test(value)
        ? null
        : `${shown(value)} is no commit; write all of its digits`;
    case "outcome":
      return runOutcomes.some((known) => known === value)
        ? null
        : `${shown(value)} is no way for a run to end: ${suggestion(value, runOutcomes, "outcome")}`;
    case "pipeline":
    case "name":
      return isPlainName(value) ? null : `${shown(value)} is no name`;
  }
}

/** @source git-check-ref-format(1); a whole reference is refused, since patterns are about the short name. */
function isReferenceName(name: string): boolean {
  if (name.length > 255 || name.startsWith("refs/") || /[\p{Cc} ~^:?*[\\]|\.\.|@\{|\/\//u.test(name))
    return false;
  return !/^[-/]|[/.]$|^@$|(^|\/)\.|\.lock(\/|$)/u.test(name) && name.isWellFormed();
}

function readParameters(value: unknown, mistakes: string[]): Readonly<Record<string, Scalar>> {
  if (value === undefined || value === null) return {};
  if (!isMap(value)) {
    mistakes.push('"parameters" is no map: write `{ "NAME": VALUE }`');
    return {};
  }
  const parameters = new Map<string, Scalar>();
  for (const [name, given] of Object.entries(value)) {
    const isScalar = typeof given === "string" || typeof given === "number" || typeof given === "boolean";
    if (!isIdentifier(name)) mistakes.push(`${shown(name)} is no name of a parameter`);
    else if (isScalar) parameters.set(name, given);
    else mistakes.push(`the parameter ${shown(name)}: ${shown(given)} is no text, number, true or false`);
  }
  return Object.fromEntries(parameters);
}

/** The JSON Schema of an event, for whoever writes one. */
export function triggerEventSchema(): JsonSchema {
  return {
    $schema: draft,
    title: "Otto trigger event",
    description: "What `otto run --event FILE` reads: what happened that a pipeline may be started by.",
    anyOf: eventKinds.map((kind): JsonSchema => {
      const { must, may } = keysOf[kind];
      const properties: Record<string, JsonSchema> = {
        trigger: { ...oneOf([kind]), description: described.trigger },
      };
      for (const key of must) properties[key] = { ...valueSchema(key), description: described[key] };
      for (const key of may)
        properties[key] = { anyOf: [{ type: "null" }, valueSchema(key)], description: described[key] };
      properties["parameters"] = {
        description: described.parameters,
        anyOf: [
          { type: "null" },
          { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } },
        ],
      };
      return { type: "object", properties, required: ["trigger", ...must], additionalProperties: false };
    }),
  };
}

function valueSchema(key: TextKey): JsonSchema {
  if (key === "commit") return { type: "string", pattern: commitPattern };
  if (key === "outcome") return oneOf(runOutcomes);
  return {
    type: "string",
    minLength: 1,
    maxLength: key === "pipeline" || key === "name" ? limits.nameCharactersMax : 255,
  };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(words: readonly string[]): string {
  return words.map((word) => `\`${word}\``).join(", ");
}

/** A value in a message: short, on one line. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77).toWellFormed()}...` : text;
}
