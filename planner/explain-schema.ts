/**
 * The JSON Schema of what `otto explain --json` prints: an explanation, or why there is none.
 *
 * Each object is made from the type that it describes, so a field that is added there must be described here before
 * anything compiles. Readers must bear fields that they do not know; one that is there is never taken away under
 * the same `otto: "explain/…"`.
 */

import {
  type Need,
  outcomes,
  type Plan,
  type PlanContext,
  type PlannedEnvironment,
  type PlannedStep,
  type StepInput,
  type StepOutput,
} from "../protocol/plan.ts";
import type { Match } from "./conventions/convention.ts";
import { type Diagnostic, diagnosticCodes, type Range } from "./diagnostics.ts";
import type { Explanation, StepTimes } from "./explain.ts";
import { draft, type JsonSchema, listOf, mapOf, oneOf, orNull, record } from "./json-schema.ts";
import { retryCauses } from "./language.ts";

const text: JsonSchema = { type: "string" };
const count: JsonSchema = { type: "integer", minimum: 0 };
const scalar: JsonSchema = { type: ["string", "number", "boolean"] };
const flag: JsonSchema = { type: "boolean" };

/** What is printed instead of an explanation: why there is none, and every mistake of the file. */
type Refusal = {
  readonly otto: string;
  readonly code: string;
  readonly message: string;
  readonly state: string | null;
  readonly next: string;
  readonly diagnostics: readonly Diagnostic[];
};

export function explainSchema(): JsonSchema {
  return {
    $schema: draft,
    title: "otto explain --json",
    description: "Everything that a run of the pipeline can do; or every mistake of the pipeline file.",
    anyOf: [{ $ref: "#/definitions/explanation" }, { $ref: "#/definitions/refusal" }],
    definitions: {
      explanation: explanation(),
      refusal: record<Refusal>({
        otto: oneOf(["explain/1"]),
        code: { ...text, description: "`OTTO_PIPELINE_INVALID` when the file has mistakes." },
        message: text,
        state: orNull(text),
        next: { ...text, description: "What to do next." },
        diagnostics: listOf({ $ref: "#/definitions/diagnostic" }),
      }),
      plan: plan(),
      step: step(),
      diagnostic: diagnostic(),
      range: record<Range>({ line: count, column: count, endLine: count, endColumn: count }),
    },
  };
}

function explanation(): JsonSchema {
  const match = record<Match>({ ecosystem: text, signal: text, reason: text });
  return record<Explanation>({
    otto: oneOf(["explain/1"]),
    planId: { ...text, description: "The CID of the plan, its name everywhere." },
    plan: { $ref: "#/definitions/plan" },
    times: listOf(record<StepTimes>({ name: text, waitMsMax: count, runMsMax: count })),
    detection: orNull(
      record<NonNullable<Explanation["detection"]>>({ matches: listOf(match), rejected: listOf(match) }),
    ),
  });
}

function plan(): JsonSchema {
  const origins: readonly JsonSchema[] = [
    record<Extract<Plan["origin"], { kind: "file" }>>({ kind: oneOf(["file"]), path: text }),
    record<Extract<Plan["origin"], { kind: "conventions" }>>({
      kind: oneOf(["conventions"]),
      version: count,
      found: listOf(text),
    }),
  ];
  return record<Plan>({
    otto: { type: "integer", const: 1 },
    pipeline: text,
    origin: { anyOf: origins },
    context: record<PlanContext>({
      branch: orNull(text),
      tag: orNull(text),
      commit: orNull(text),
      trigger: text,
      parameters: mapOf(scalar),
    }),
    environments: mapOf(record<PlannedEnvironment>({ domain: orNull(text), settings: mapOf(text) })),
    steps: listOf({ $ref: "#/definitions/step" }),
  });
}

function step(): JsonSchema {
  return record<PlannedStep>({
    name: text,
    from: { ...text, description: "The key in the file; several cells of a matrix share it." },
    cell: mapOf(scalar),
    included: flag,
    reason: { ...text, description: "Why the step is in, or out." },
    commands: listOf(text),
    needs: listOf(record<Need>({ step: text, outcomes: listOf(oneOf(outcomes)) })),
    environment: orNull(text),
    variables: mapOf(text),
    inputs: listOf(record<StepInput>({ name: text, step: text, output: text })),
    outputs: listOf(record<StepOutput>({ name: text, files: listOf(text) })),
    timeoutMs: count,
    retry: record<PlannedStep["retry"]>({ attemptsMax: count, on: listOf(oneOf(retryCauses)) }),
    effect: { ...flag, description: "The step reaches outside: no two attempts of it at once." },
    labels: listOf(text),
  });
}

function diagnostic(): JsonSchema {
  const range: JsonSchema = { $ref: "#/definitions/range" };
  const properties = record<Required<Diagnostic>>({
    code: oneOf(diagnosticCodes),
    message: text,
    help: { ...text, description: "What to write instead." },
    file: text,
    range,
    related: listOf(record<NonNullable<Diagnostic["related"]>[number]>({ message: text, range })),
  });
  return { ...properties, required: (properties.required ?? []).filter((key) => key !== "related") };
}
