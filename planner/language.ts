/**
 * The words of a pipeline file: every key that there is, with what it may hold, and the JSON Schema made of them.
 *
 * Promises: the readers (`planner/read.ts`, `planner/read-step.ts`, `planner/matrix.ts`) take the keys that they know
 * from here, so none is in one and not in the other; a file that the planner takes is valid by the schema. The reverse
 * cannot be: whether a step exists, or a condition has a type, no schema can say.
 */

import { limits } from "../protocol/limits.ts";
import { priorities, sandboxLevels } from "../protocol/plan.ts";
import { credentialKeys } from "./credential-schema.ts";
import type { RetryCause } from "../protocol/plan.ts";
import { draft, type JsonSchema, listOf, oneOf, orNull } from "./json-schema.ts";
import type { ParameterType } from "./pipeline.ts";

export const parameterTypes: readonly ParameterType[] = ["string", "number", "boolean"];
export const missedSlots = ["latest", "none"] as const;
export const runOutcomes = ["passed", "failed", "cancelled"] as const;
/** `recovered`: it passed, and the run of this pipeline before it did not. */
export const notifyOutcomes = ["passed", "failed", "recovered"] as const;
export const retryCauses: readonly RetryCause[] = ["lost", "timed-out", "failed"];

/** As in `protocol/names.ts`, which a test compares them with. */
export const namePatterns = {
  plain: name("[A-Za-z0-9_][A-Za-z0-9._-]"),
  identifier: name("[A-Za-z_][A-Za-z0-9_]"),
  output: name("[A-Za-z0-9_][A-Za-z0-9_-]"),
} as const;

function name(characters: string): string {
  return `^(?!__proto__$)${characters}{0,${limits.nameCharactersMax - 1}}$`;
}

const text: JsonSchema = { type: "string" };
const filled: JsonSchema = { type: "string", pattern: "\\S" };
const scalar: JsonSchema = { type: ["string", "number", "boolean"] };
const plainName: JsonSchema = { type: "string", pattern: namePatterns.plain };

function texts(each: JsonSchema, maxItems: number): JsonSchema {
  return { anyOf: [each, { ...listOf(each), minItems: 1, maxItems }] };
}

/** A map with names that the person chooses; written and left empty it is as good as absent. */
function named(pattern: string, values: JsonSchema, maxProperties?: number): JsonSchema {
  const propertyNames = { pattern };
  const bound = maxProperties === undefined ? {} : { maxProperties };
  return { type: ["object", "null"], propertyNames, additionalProperties: values, ...bound };
}

const entriesMax = limits.entriesPerStepMax;
const variables: JsonSchema = named(namePatterns.identifier.replace("^", "^(?!OTTO_)"), scalar, entriesMax);
const cell: JsonSchema = {
  type: "object",
  minProperties: 1,
  maxProperties: limits.matrixAxesPerStepMax,
  propertyNames: { pattern: namePatterns.identifier },
  additionalProperties: scalar,
};
const duration: JsonSchema = {
  type: "string",
  pattern: "^(?=.*[1-9])(?:\\d{1,6}d)?(?:\\d{1,6}h)?(?:\\d{1,6}m)?(?:\\d{1,6}s)?$",
  examples: ["90s", "10m", "1h30m"],
};
const parameterValues: JsonSchema = named(namePatterns.identifier, scalar, entriesMax);
const globs: JsonSchema = texts(filled, entriesMax);
const furtherAttempts: JsonSchema = { type: "integer", minimum: 0, maximum: limits.attemptsMax - 1 };

function said(description: string, schema: JsonSchema): JsonSchema {
  return schema.$ref === undefined ? { description, ...schema } : { description, anyOf: [schema] };
}

/** Every kind of map whose keys are Otto's, and what each key holds. */
export const records = {
  file: {
    otto: said("The version of the language.", { type: "integer", const: 1 }),
    pipeline: said("What the pipeline is called; `main` when not said.", plainName),
    priority: said("Whose steps workers are given first; `normal` when not said.", oneOf(priorities)),
    parameters: said(
      "Values that are given with `--parameters NAME=VALUE`, each with a type.",
      named(namePatterns.identifier, { $ref: "#/definitions/parameter" }, entriesMax),
    ),
    environments: said(
      "Where steps reach outside, such as `production`.",
      named(namePatterns.plain, orNull({ $ref: "#/definitions/environment" })),
    ),
    env: said("Variables of every step.", variables),
    uses: said(
      "Templates and step libraries by a name: a path in the repository, or `git+URL@REVISION`. `otto lock` pins them.",
      named(namePatterns.plain, filled, entriesMax),
    ),
    triggers: said("What starts the pipeline besides people.", {
      ...listOf({ $ref: "#/definitions/trigger" }),
      maxItems: entriesMax,
    }),
    notify: said("Step libraries that run when everything else has ended.", {
      ...listOf({ $ref: "#/definitions/notification" }),
      maxItems: entriesMax,
    }),
    steps: said("What is done. The order is made by `needs` and `inputs`.", {
      type: "object",
      minProperties: 1,
      maxProperties: limits.stepsPerPlanMax,
      propertyNames: { pattern: namePatterns.plain },
      additionalProperties: { $ref: "#/definitions/step" },
    }),
  },
  step: {
    run: said(
      "Commands for a shell, one after another in one workspace.",
      texts(filled, limits.commandsPerStepMax),
    ),
    uses: said("A step library, by its name in `uses` of the file, or a built-in one (`otto/...`).", filled),
    pipeline: said("A nested pipeline: a template, by its name in `uses` of the file or its path.", filled),
    with: said("Parameters of the step library or the nested pipeline.", parameterValues),
    approve: said("Wait until people say yes. No worker is held.", {
      anyOf: [filled, { $ref: "#/definitions/approve" }],
    }),
    wait: said("Wait until something outside says so. No worker is held.", { $ref: "#/definitions/wait" }),
    needs: said("Steps that end before this one starts. A map says with which outcomes.", {
      anyOf: [
        filled,
        { ...listOf(filled), maxItems: limits.stepsPerPlanMax, uniqueItems: true },
        { type: "object", additionalProperties: texts(plainName, entriesMax) },
      ],
    }),
    when: said("A condition (CEL), decided when the plan is made. A step that is left out ends as skipped.", {
      type: ["string", "boolean"],
      maxLength: limits.conditionCharactersMax,
      examples: ['git.branch == "main"', 'git.tag.startsWith("v")'],
    }),
    paths: said("The step is left out when nothing changed that fits one of these patterns.", globs),
    matrix: said("One step for each combination of the axes' values.", { $ref: "#/definitions/matrix" }),
    environment: said("The one of `environments` that the step reaches into.", text),
    env: said("Variables of the step.", variables),
    inputs: said(
      "Files and values of other steps, as `NAME: STEP.OUTPUT`. A value becomes the variable `OTTO_INPUT_<NAME>`.",
      named(namePatterns.output, { type: "string", pattern: "^[\\s\\S]+\\.[^.]+$" }, entriesMax),
    ),
    outputs: said(
      "Files that other steps may take, as `NAME: PATTERN`.",
      named(namePatterns.output, texts(filled, entriesMax), entriesMax),
    ),
    values: said(
      "Small typed values that other steps may take: the commands write `NAME=VALUE` lines to the file `$OTTO_VALUES`.",
      named(namePatterns.output, oneOf(parameterTypes), entriesMax),
    ),
    outcomes: said(
      "Further ways to end: commands that pass write one of these names to the file `$OTTO_OUTCOME`.",
      texts(plainName, entriesMax),
    ),
    caches: said(
      "Folders that are kept between runs.",
      named(namePatterns.output, { $ref: "#/definitions/cache" }, entriesMax),
    ),
    credentials: said(
      "Credentials by what they may do, as `NAME: { http: URL }`; never values.",
      named(namePatterns.plain, { $ref: "#/definitions/credential" }, entriesMax),
    ),
    reports: said("Files about the work, by their format.", { $ref: "#/definitions/reports" }),
    effect: said("True for a step that reaches outside without an environment: never two attempts at once.", {
      type: "boolean",
    }),
    lock: said("One step at a time under this name, over all runs, first come, first served.", plainName),
    timeout: said("How long one attempt may take; an hour when not said.", duration),
    retry: said("Further attempts after the first.", {
      anyOf: [furtherAttempts, { $ref: "#/definitions/retry" }],
    }),
    labels: said("What a worker must have, as `gpu` or `os=linux`.", {
      anyOf: [
        filled,
        { ...listOf(filled), maxItems: entriesMax },
        { type: "object", additionalProperties: scalar },
      ],
    }),
    requires: said("What a worker must be and have.", { $ref: "#/definitions/requires" }),
  },
  approve: {
    question: said("What is asked.", filled),
    by: said("Who may answer: names of people, or `team/NAME`; anybody of the domain when not said.", globs),
    count: said("How many must say yes; 1 when not said.", { type: "integer", minimum: 1, maximum: 100 }),
    within: said("How long at most; 7 days when not said.", duration),
  },
  wait: {
    callback: said("The name under which somebody outside settles it: `otto settle`.", plainName),
    poll: said("An address that is asked again and again.", { $ref: "#/definitions/poll" }),
    within: said("How long at most; an hour when not said.", duration),
  },
  poll: {
    http: said("The address, `http://` or `https://`.", { type: "string", pattern: "^https?://" }),
    every: said("How often; 10 seconds when not said.", duration),
    until: said("A condition (CEL) over `response`: true settles the wait as passed.", filled),
    fails: said("A condition (CEL) over `response`: true settles the wait as failed.", filled),
  },
  cache: {
    paths: said("Folders in the workspace, or below `~/`.", globs),
    key: said("What the kept folders are good for.", { $ref: "#/definitions/cacheKey" }),
  },
  cacheKey: {
    files: said("Patterns of files; when their content changes, so does the key.", globs),
  },
  credential: credentialKeys(filled),
  reports: {
    junit: said("JUnit XML files.", globs),
  },
  requires: {
    os: said("As `linux`, `darwin` or `win32`.", text),
    arch: said("As `x64` or `arm64`.", text),
    labels: said("Labels of the worker.", texts(filled, entriesMax)),
    tools: said("Tools with their version, or `any`.", {
      type: "object",
      propertyNames: { pattern: namePatterns.plain },
      additionalProperties: scalar,
    }),
    cores: said("How many cores at least.", { type: "integer", minimum: 1, maximum: 10_000 }),
    memory: said("How much memory at least, as `8GiB`.", {
      type: "string",
      pattern: "^[1-9][0-9]{0,5}(?:MiB|GiB|TiB)$",
    }),
    sandbox: said("The least isolation.", oneOf(sandboxLevels)),
    image: said(
      "A container image, whose files are all that the step sees of a system: `NAME@sha256:HEX`, or a tag that `otto lock` pins.",
      filled,
    ),
    or: said("With `image`: `host` when a worker that runs no images will do.", oneOf(["host"])),
  },
  trigger: {
    push: said("A push to one of these branches.", { anyOf: [{ type: "null" }, globs] }),
    "pull-request": said("A pull request to one of these branches.", { anyOf: [{ type: "null" }, globs] }),
    tag: said("A tag that fits one of these patterns.", { anyOf: [{ type: "null" }, globs] }),
    run: said("The end of a run of another pipeline.", plainName),
    outcomes: said("With `run`: how it must have ended; passed when not said.", texts(oneOf(runOutcomes), 3)),
    webhook: said("A request from outside under this name.", plainName),
    schedule: said("Five fields of cron, in UTC.", filled),
    missed: said(
      "With `schedule`: `latest` makes up for the newest slot that nobody was there for, `none` for none.",
      oneOf(missedSlots),
    ),
  },
  notification: {
    on: said("When.", texts(oneOf(notifyOutcomes), notifyOutcomes.length)),
    uses: said("The step library.", filled),
    with: said("Its parameters.", parameterValues),
  },
  environment: {
    domain: said("Whose part of the mesh it is.", plainName),
    lock: said("True: one step at a time in this environment, over all runs.", { type: "boolean" }),
    settings: said("Variables of the steps in this environment.", variables),
  },
  parameter: {
    type: said("What its values are.", oneOf(parameterTypes)),
    enum: said("The only values that it may have.", { ...listOf(scalar), minItems: 1 }),
    default: said("Its value when none is given; without it one must be.", scalar),
  },
  retry: {
    max: said("How many further attempts at most.", furtherAttempts),
    on: said("After what; after anything when not said.", texts(oneOf(retryCauses), retryCauses.length)),
  },
  matrix: {
    include: said("Values for cells that agree, or further cells.", listOf(cell)),
    exclude: said("Cells that are left out.", listOf(cell)),
  },
  library: {
    "otto-step": said("The version of the manifest.", { type: "integer", const: 1 }),
    name: said("What the library is called.", plainName),
    description: said("What it does, in a sentence.", filled),
    parameters: said(
      "What `with` may give, each with a type.",
      named(namePatterns.identifier, { $ref: "#/definitions/parameter" }, entriesMax),
    ),
    entry: said("The program, by platform: a file of the library's folder.", {
      $ref: "#/definitions/libraryEntry",
    }),
    outputs: said(
      "Files that it leaves for other steps, as `NAME: PATTERN`.",
      named(namePatterns.output, texts(filled, entriesMax), entriesMax),
    ),
    values: said(
      "Small typed values that it writes to the file `$OTTO_VALUES`.",
      named(namePatterns.output, oneOf(parameterTypes), entriesMax),
    ),
    outcomes: said(
      "Further ways to end that it writes to the file `$OTTO_OUTCOME`.",
      texts(plainName, entriesMax),
    ),
    effect: said("True when it reaches outside: never two attempts at once.", { type: "boolean" }),
    may: said("What it may do, in words for people. Shown by `otto explain`, not enforced.", globs),
  },
  libraryEntry: {
    any: said("On every platform without one of its own.", filled),
    linux: said("On Linux.", filled),
    darwin: said("On macOS.", filled),
    win32: said("On Windows.", filled),
  },
} as const satisfies Record<string, Readonly<Record<string, JsonSchema>>>;

/** What a step does is one of these. */
export const stepKinds = [
  "run",
  "uses",
  "pipeline",
  "approve",
  "wait",
] as const satisfies readonly KeyOf<"step">[];

export type RecordName = keyof typeof records;

export type KeyOf<Name extends RecordName> = keyof (typeof records)[Name] & string;

export const recordNames = Object.keys(records) as readonly RecordName[];

/** The keys that such a map may have. */
export function keysOf<Name extends RecordName>(name: Name): readonly KeyOf<Name>[] {
  return Object.keys(records[name]) as KeyOf<Name>[];
}

const requiredKeys: Readonly<Record<RecordName, readonly string[]>> = {
  file: ["otto", "steps"] satisfies KeyOf<"file">[],
  step: [],
  approve: ["question"] satisfies KeyOf<"approve">[],
  wait: [],
  poll: ["http", "until"] satisfies KeyOf<"poll">[],
  cache: ["paths"] satisfies KeyOf<"cache">[],
  cacheKey: ["files"] satisfies KeyOf<"cacheKey">[],
  credential: [],
  reports: ["junit"] satisfies KeyOf<"reports">[],
  requires: [],
  trigger: [],
  notification: ["on", "uses"] satisfies KeyOf<"notification">[],
  environment: [],
  parameter: ["type"] satisfies KeyOf<"parameter">[],
  retry: ["max"] satisfies KeyOf<"retry">[],
  matrix: [],
  library: ["otto-step", "name", "entry"] satisfies KeyOf<"library">[],
  libraryEntry: [],
};

/** The JSON Schema of a pipeline file, for editors. */
export function pipelineSchema(): JsonSchema {
  const axes: JsonSchema = {
    ...closed("matrix"),
    minProperties: 1,
    maxProperties: limits.matrixAxesPerStepMax,
    propertyNames: { pattern: namePatterns.identifier },
    additionalProperties: { ...listOf(scalar), minItems: 1, maxItems: limits.matrixCellsPerStepMax },
  };
  const step: JsonSchema = {
    ...closed("step"),
    anyOf: stepKinds.map((kind) => ({ required: [kind] })),
  };
  const plain = (names: readonly RecordName[]): Record<string, JsonSchema> =>
    Object.fromEntries(names.map((name) => [name, closed(name)]));
  return {
    $schema: draft,
    title: "Otto pipeline",
    description: "otto.yaml: what a repository's pipeline does.",
    ...closed("file"),
    definitions: {
      step,
      matrix: axes,
      wait: { ...closed("wait"), anyOf: [{ required: ["callback"] }, { required: ["poll"] }] },
      ...plain(["environment", "parameter", "retry", "approve", "poll", "cache", "cacheKey"]),
      ...plain(["reports", "requires", "notification"]),
      credential: { ...closed("credential"), minProperties: 1, maxProperties: 2 },
      trigger: { ...closed("trigger"), minProperties: 1, maxProperties: 2 },
    },
  };
}

/** The JSON Schema of the manifest of a step library, `otto-step.yaml`. */
export function librarySchema(): JsonSchema {
  return {
    $schema: draft,
    title: "Otto step library",
    description: "otto-step.yaml: what a step library takes, and which program does its work.",
    ...closed("library"),
    definitions: {
      parameter: closed("parameter"),
      libraryEntry: { ...closed("libraryEntry"), minProperties: 1 },
    },
  };
}

function closed(name: RecordName): JsonSchema {
  return {
    type: "object",
    properties: records[name],
    required: requiredKeys[name],
    additionalProperties: false,
  };
}
