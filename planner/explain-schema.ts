/**
 * The JSON Schema of what `otto explain --json` prints: an explanation, with `--step` or `--diff` a part of it or what
 * differs, or why there is none.
 *
 * Each object is made from the type that it describes, so a field that is added there must be described here before
 * anything compiles. Readers must bear fields that they do not know; one that is there is never taken away under
 * the same `otto: "explain/…"`.
 */

import {
  type Changes,
  type Need,
  type Plan,
  type PlanContext,
  type PlannedEnvironment,
  type PlannedStep,
  type PlannedTrigger,
  type PlannedUse,
  type Poll,
  sandboxLevels,
  type StepAction,
  type StepCache,
  type StepInput,
  type StepOutput,
  type StepReportFiles,
  type StepValueDeclaration,
  type ValueInput,
} from "../protocol/plan.ts";
import { stepExtras } from "../protocol/plan-check-extras.ts";
import type { Demands } from "./policy/demands.ts";
import type { Branch, Branches, Impossible } from "./branches.ts";
import type { ConditionReasons } from "./condition-reasons.ts";
import type { Match } from "./conventions/convention.ts";
import { type Diagnostic, diagnosticCodes, type Range, type RelatedPlace } from "./diagnostics.ts";
import type { Change, PlanDiff, StepChange } from "./diff/plan-diff.ts";
import type { Explanation, StepTimes } from "./explain.ts";
import { explainedCredential } from "./credential-schema.ts";
import { draft, type JsonSchema, listOf, mapOf, oneOf, orNull, record } from "./json-schema.ts";
import { missedSlots, parameterTypes, retryCauses } from "./language.ts";
import type { StepReasons, StepsExplanation } from "./step-reasons.ts";
import type { Place } from "./written.ts";

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
    anyOf: ["explanation", "steps", "difference", "refusal"].map((kind) => ({
      $ref: `#/definitions/${kind}`,
    })),
    definitions: {
      explanation: explanation(),
      steps: record<StepsExplanation>({
        otto: oneOf(["explain-step/1"]),
        planId: text,
        steps: listOf({ $ref: "#/definitions/reasons" }),
      }),
      difference: difference(),
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
      reasons: stepReasons(),
      times: record<StepTimes>({ name: text, waitMsMax: count, runMsMax: count }),
      place: record<Place>({ file: text, line: count, endLine: count }),
      diagnostic: diagnostic(),
      range: record<Range>({ line: count, column: count, endLine: count, endColumn: count }),
    },
  };
}

function explanation(): JsonSchema {
  const match = record<Match>({ ecosystem: text, signal: text, reason: text });
  return record<Explanation>(
    {
      otto: oneOf(["explain/1"]),
      planId: { ...text, description: "The CID of the plan, its name everywhere." },
      plan: { $ref: "#/definitions/plan" },
      times: listOf({ $ref: "#/definitions/times" }),
      branches: branches(),
      detection: orNull(
        record<NonNullable<Explanation["detection"]>>({ matches: listOf(match), rejected: listOf(match) }),
      ),
      policy: record<Demands>({ refused: listOf(text), gates: listOf(gate), answers: listOf(answering) }),
      notStarted: {
        ...text,
        description: "Why the event that was named starts nothing; only when it does not.",
      },
    },
    "notStarted",
    "policy",
  );
}

type Gate = Demands["gates"][number];
const phase = oneOf(["before", "after"]);
const gate = record<Gate>({ step: text, phase, environment: text, demands: listOf(text) });
const answering = record<Demands["answers"][number]>({ step: text, team: text, people: listOf(text) });
const branch = record<Branch>({ outcomes: listOf(text), next: listOf(text) });

function branches(): JsonSchema {
  type Of<Kind> = Extract<Impossible, { kind: Kind }>;
  return record<Branches>({
    steps: listOf(record<Branches["steps"][number]>({ step: text, branches: listOf(branch) })),
    impossible: listOf({
      anyOf: [
        record<Of<"step">>({ kind: oneOf(["step"]), step: text, because: text }),
        record<Of<"outcomes">>({
          kind: oneOf(["outcomes"]),
          step: text,
          need: text,
          outcomes: listOf(text),
          because: text,
        }),
      ],
    }),
    certain: { ...flag, description: "False when not every way could be tried: more may be impossible." },
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
  return record<Plan>(
    {
      otto: { type: "integer", const: 1 },
      pipeline: text,
      priority: { ...oneOf(["high", "low"]), description: "Only when it is not normal." },
      origin: { anyOf: origins },
      context: record<PlanContext>(
        {
          branch: orNull(text),
          tag: orNull(text),
          commit: orNull(text),
          trigger: text,
          parameters: mapOf(scalar),
          changes: changes(),
        },
        "changes",
      ),
      environments: mapOf(environment()),
      uses: listOf(
        record<PlannedUse>(
          {
            name: text,
            source: text,
            commit: orNull(text),
            digest: text,
            kind: oneOf(["template", "library"]),
            entry: mapOf(text),
            may: listOf(text),
          },
          "entry",
          "may",
        ),
      ),
      triggers: listOf({ anyOf: triggers() }),
      steps: listOf({ $ref: "#/definitions/step" }),
    },
    "priority",
    "uses",
    "triggers",
  );
}

function changes(): JsonSchema {
  const because: JsonSchema = { ...text, description: "How the base was chosen, or why there is none." };
  return {
    anyOf: [
      record<Extract<Changes, { base: string }>>({
        base: { ...text, description: "The commit that the files are compared with." },
        because,
        count,
        digest: text,
      }),
      record<Extract<Changes, { base: null }>>({ base: { type: "null" }, because }),
    ],
  };
}

function environment(): JsonSchema {
  return record<PlannedEnvironment>({ domain: orNull(text), settings: mapOf(text), lock: flag }, "lock");
}

type TriggerOf<Kind> = Extract<PlannedTrigger, { kind: Kind }>;

function triggers(): readonly JsonSchema[] {
  return [
    record<Extract<PlannedTrigger, { branches: unknown }>>({
      kind: oneOf(["push", "pull-request"]),
      branches: listOf(text),
    }),
    record<TriggerOf<"tag">>({ kind: oneOf(["tag"]), tags: listOf(text) }),
    record<TriggerOf<"run">>({ kind: oneOf(["run"]), pipeline: text, outcomes: listOf(text) }),
    record<TriggerOf<"webhook">>({ kind: oneOf(["webhook"]), name: text }),
    record<TriggerOf<"schedule">>({ kind: oneOf(["schedule"]), cron: text, missed: oneOf(missedSlots) }),
  ];
}

type ActionOf<Kind> = Extract<StepAction, { kind: Kind }>;

function action(): JsonSchema {
  const poll = record<Poll>({ url: text, everyMs: count, until: text, fails: orNull(text) });
  return {
    anyOf: [
      record<ActionOf<"uses">>({ kind: oneOf(["uses"]), library: text, with: mapOf(scalar) }),
      record<ActionOf<"approve">>({ kind: oneOf(["approve"]), question: text, by: listOf(text), count }),
      record<ActionOf<"wait">>({ kind: oneOf(["wait"]), callback: orNull(text), poll: orNull(poll) }),
      record<ActionOf<"pipeline">>({ kind: oneOf(["pipeline"]), members: listOf(text) }),
    ],
  };
}

function step(): JsonSchema {
  return record<PlannedStep>(
    {
      name: text,
      from: { ...text, description: "The key in the file; several cells of a matrix share it." },
      cell: mapOf(scalar),
      included: flag,
      reason: { ...text, description: "Why the step is in, or out." },
      commands: listOf(text),
      needs: listOf(record<Need>({ step: text, outcomes: listOf(text) })),
      environment: orNull(text),
      variables: mapOf(text),
      inputs: listOf(record<StepInput>({ name: text, step: text, output: text })),
      outputs: listOf(record<StepOutput>({ name: text, files: listOf(text) })),
      timeoutMs: count,
      retry: record<PlannedStep["retry"]>({ attemptsMax: count, on: listOf(oneOf(retryCauses)) }),
      effect: { ...flag, description: "The step reaches outside: no two attempts of it at once." },
      labels: listOf(text),
      lock: { ...text, description: "One step at a time under this name, over all runs of the domain." },
      action: { ...action(), description: "What does the step's work, when no commands do." },
      outcomes: listOf(text),
      values: listOf(record<StepValueDeclaration>({ name: text, type: oneOf(parameterTypes) })),
      valueInputs: listOf(record<ValueInput>({ name: text, step: text, value: text })),
      caches: listOf(record<StepCache>({ name: text, paths: listOf(text), keyFiles: listOf(text) })),
      credentials: listOf(explainedCredential(text)),
      reports: listOf(record<StepReportFiles>({ format: oneOf(["junit"]), files: listOf(text) })),
      sandbox: oneOf(sandboxLevels),
      image: record<NonNullable<PlannedStep["image"]>>({ name: text, orHost: flag }),
    },
    ...stepExtras,
  );
}

const place = orNull({ $ref: "#/definitions/place" });
/** Why something is as it is, and where the file says so. */
const because = { because: text, place };
const needed = { step: text, outcomes: listOf(text), included: flag };

/** One field of the reasons of a step, where it is a list or may be null: what is in it. */
type Each<Name extends keyof StepReasons> = NonNullable<
  StepReasons[Name] extends readonly (infer Item)[] ? Item : StepReasons[Name]
>;

function stepReasons(): JsonSchema {
  return record<StepReasons>({
    name: text,
    from: text,
    place,
    included: flag,
    reason: text,
    condition: orNull(condition()),
    paths: orNull(record<NonNullable<StepReasons["paths"]>>({ ...because, patterns: listOf(text) })),
    leftOutBy: listOf(record<Each<"leftOutBy">>({ step: text, reason: text })),
    cell: orNull(record<Each<"cell">>({ values: mapOf(scalar), cells: count, place })),
    needs: listOf(record<Each<"needs">>({ ...because, ...needed })),
    needsDropped: listOf(text),
    neededBy: listOf(record<Each<"neededBy">>(needed)),
    branches: listOf(branch),
    impossible: listOf(text),
    isAsked: flag,
    also: listOf(record<Each<"also">>({ ...because, label: text, text })),
    commands: record<Each<"commands">>({ ...because, list: listOf(text) }),
    inputs: listOf(
      record<Each<"inputs">>({ ...because, name: text, step: text, output: text, files: listOf(text) }),
    ),
    outputs: listOf(
      record<Each<"outputs">>({ ...because, name: text, files: listOf(text), takenBy: listOf(text) }),
    ),
    variables: listOf(
      record<Each<"variables">>({
        ...because,
        name: text,
        value: text,
        instead: listOf(record<Each<"variables">["instead"][number]>({ ...because, value: text })),
      }),
    ),
    environment: orNull(
      record<Each<"environment">>(
        { ...because, name: text, domain: orNull(text), settings: mapOf(text), lock: flag },
        "lock",
      ),
    ),
    effect: record<Each<"effect">>({ ...because, value: flag }),
    timeout: record<Each<"timeout">>({ ...because, ms: count }),
    retry: record<Each<"retry">>({ ...because, attemptsMax: count, on: listOf(oneOf(retryCauses)) }),
    labels: listOf(record<Each<"labels">>({ ...because, label: text })),
    times: { $ref: "#/definitions/times" },
  });
}

function condition(): JsonSchema {
  return record<ConditionReasons>({
    text,
    place: { $ref: "#/definitions/place" },
    value: flag,
    parts: listOf(record<ConditionReasons["parts"][number]>({ text, value: orNull(flag) })),
    facts: listOf(record<ConditionReasons["facts"][number]>({ ...because, name: text, value: scalar })),
  });
}

/** What `otto explain --diff` prints. */
type Difference = PlanDiff & {
  readonly otto: string;
  readonly same: boolean;
  readonly base: {
    readonly name: string;
    readonly commit: string | null;
    readonly run: string | null;
    readonly planId: string | null;
  };
  readonly planId: string;
};

function difference(): JsonSchema {
  const change = record<Change>({ ...because, field: text, before: {}, after: {} });
  return record<Difference>({
    otto: oneOf(["explain-diff/1"]),
    same: flag,
    base: record<Difference["base"]>({
      name: text,
      commit: orNull(text),
      run: { ...orNull(text), description: "The run that had the plan; null for a plan made from a commit." },
      planId: orNull(text),
    }),
    planId: text,
    plan: listOf(change),
    steps: listOf({
      anyOf: [
        record<Exclude<StepChange, { kind: "changed" }>>({
          ...because,
          name: text,
          from: text,
          kind: oneOf(["added", "removed"]),
          included: flag,
          reason: text,
        }),
        record<Extract<StepChange, { kind: "changed" }>>({
          name: text,
          from: text,
          kind: oneOf(["changed"]),
          changes: listOf(change),
        }),
      ],
    }),
    unchanged: count,
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
    related: listOf(record<RelatedPlace>({ message: text, range, file: text }, "file")),
  });
  return { ...properties, required: (properties.required ?? []).filter((key) => key !== "related") };
}
