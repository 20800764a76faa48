/**
 * The words of a pipeline file: every key that there is, with what it may hold, and the JSON Schema made of them.
 *
 * Promises: the readers (`planner/read.ts`, `planner/read-step.ts`, `planner/matrix.ts`) take the keys that they know
 * from here, so none is in one and not in the other; a file that the planner takes is valid by the schema. The reverse
 * cannot be: whether a step exists, or a condition has a type, no schema can say.
 */

import { limits } from "../protocol/limits.ts";
import { outcomes } from "../protocol/plan.ts";
import type { RetryCause } from "../protocol/plan.ts";
import { draft, type JsonSchema, listOf, oneOf, orNull } from "./json-schema.ts";
import type { ParameterType } from "./pipeline.ts";
import { closest, suggestion } from "./suggestions.ts";

export const parameterTypes: readonly ParameterType[] = ["string", "number", "boolean"];
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
const furtherAttempts: JsonSchema = { type: "integer", minimum: 0, maximum: limits.attemptsMax - 1 };

function said(description: string, schema: JsonSchema): JsonSchema {
  return schema.$ref === undefined ? { description, ...schema } : { description, anyOf: [schema] };
}

/** Every kind of map whose keys are Otto's, and what each key holds. */
const records = {
  file: {
    otto: said("The version of the language.", { type: "integer", const: 1 }),
    pipeline: said("What the pipeline is called; `main` when not said.", plainName),
    parameters: said(
      "Values that are given with `--parameters NAME=VALUE`, each with a type.",
      named(namePatterns.identifier, { $ref: "#/definitions/parameter" }, entriesMax),
    ),
    environments: said(
      "Where steps reach outside, such as `production`.",
      named(namePatterns.plain, orNull({ $ref: "#/definitions/environment" })),
    ),
    env: said("Variables of every step.", variables),
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
    needs: said("Steps that end before this one starts. A map says with which outcomes.", {
      anyOf: [
        filled,
        { ...listOf(filled), maxItems: limits.stepsPerPlanMax, uniqueItems: true },
        { type: "object", additionalProperties: texts(oneOf(outcomes), outcomes.length) },
      ],
    }),
    when: said("A condition (CEL), decided when the plan is made. A step that is left out ends as skipped.", {
      type: ["string", "boolean"],
      maxLength: limits.conditionCharactersMax,
      examples: ['git.branch == "main"', 'git.tag.startsWith("v")'],
    }),
    matrix: said("One step for each combination of the axes' values.", { $ref: "#/definitions/matrix" }),
    environment: said("The one of `environments` that the step reaches into.", text),
    env: said("Variables of the step.", variables),
    inputs: said(
      "Files of other steps, as `NAME: STEP.OUTPUT`.",
      named(namePatterns.output, { type: "string", pattern: "^[\\s\\S]+\\.[^.]+$" }, entriesMax),
    ),
    outputs: said(
      "Files that other steps may take, as `NAME: PATTERN`.",
      named(namePatterns.output, texts(filled, entriesMax), entriesMax),
    ),
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
  },
  environment: {
    domain: said("Whose part of the mesh it is.", plainName),
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
} as const satisfies Record<string, Readonly<Record<string, JsonSchema>>>;

export type RecordName = keyof typeof records;

export type KeyOf<Name extends RecordName> = keyof (typeof records)[Name] & string;

/** The keys that such a map may have. */
export function keysOf<Name extends RecordName>(name: Name): readonly KeyOf<Name>[] {
  return Object.keys(records[name]) as KeyOf<Name>[];
}

/** How a person calls such a map, and where it stands. */
const recordWords: Readonly<Record<RecordName, string>> = {
  file: "the file itself, not indented",
  step: "a step, under its name in `steps`",
  environment: "an environment, under its name in `environments`",
  parameter: "a parameter, under its name in `parameters`",
  retry: "`retry`",
  matrix: "`matrix`",
};

/** What other tools call it. */
const foreignKeys: Readonly<Record<RecordName, Readonly<Record<string, string>>>> = {
  file: {
    name: "pipeline",
    version: "otto",
    jobs: "steps",
    stages: "steps",
    tasks: "steps",
    variables: "env",
  },
  step: {
    script: "run",
    command: "run",
    commands: "run",
    cmd: "run",
    depends_on: "needs",
    "depends-on": "needs",
    dependsOn: "needs",
    after: "needs",
    if: "when",
    only: "when",
    strategy: "matrix",
    variables: "env",
    artifacts: "outputs",
    tags: "labels",
    "runs-on": "labels",
    agents: "labels",
    "timeout-minutes": "timeout",
    retries: "retry",
  },
  environment: { env: "settings", variables: "settings" },
  parameter: { options: "enum", choices: "enum", values: "enum" },
  retry: { attempts: "max", limit: "max", when: "on" },
  matrix: {},
} satisfies { readonly [Name in RecordName]: Readonly<Record<string, KeyOf<Name>>> };

/**
 * What to write instead of a key that such a map does not have: the same thing as Otto calls it, a key that is
 * written nearly so, or where the key belongs.
 */
export function keyHelp(written: string, record: RecordName): string {
  const foreign = foreignKeys[record];
  if (Object.hasOwn(foreign, written)) return `did you mean \`${foreign[written]}\`?`;
  const near = closest(written, keysOf(record));
  const names = Object.keys(records) as RecordName[];
  const owner = names.find((other) => Object.hasOwn(records[other], written));
  if (near === null && owner !== undefined) return `\`${written}\` belongs to ${recordWords[owner]}`;
  return suggestion(written, keysOf(record), "key");
}

const requiredKeys: Readonly<Record<RecordName, readonly string[]>> = {
  file: ["otto", "steps"] satisfies KeyOf<"file">[],
  step: ["run"] satisfies KeyOf<"step">[],
  environment: [],
  parameter: ["type"] satisfies KeyOf<"parameter">[],
  retry: ["max"] satisfies KeyOf<"retry">[],
  matrix: [],
};

/** The JSON Schema of a pipeline file, for editors. */
export function pipelineSchema(): JsonSchema {
  const closed = (name: RecordName): JsonSchema => ({
    type: "object",
    properties: records[name],
    required: requiredKeys[name],
    additionalProperties: false,
  });
  const axes: JsonSchema = {
    ...closed("matrix"),
    minProperties: 1,
    maxProperties: limits.matrixAxesPerStepMax,
    propertyNames: { pattern: namePatterns.identifier },
    additionalProperties: { ...listOf(scalar), minItems: 1, maxItems: limits.matrixCellsPerStepMax },
  };
  const { step, environment, parameter, retry } = {
    step: closed("step"),
    environment: closed("environment"),
    parameter: closed("parameter"),
    retry: closed("retry"),
  };
  return {
    $schema: draft,
    title: "Otto pipeline",
    description: "otto.yaml: what a repository's pipeline does.",
    ...closed("file"),
    definitions: { step, environment, parameter, retry, matrix: axes },
  };
}
