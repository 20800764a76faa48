/**
 * The plan: what a pipeline means, computed before anything runs.
 *
 * A plan is a value: no clock, machine, locale or environment variable is in it, so the same pipeline file
 * and context give the same bytes and the same id on every peer. Made by `planner/`, signed by
 * `protocol/manifest.ts`, executed by `node/`.
 */

/** How a step can end. `needs` may branch on these. */
export type Outcome = "passed" | "failed" | "timed-out" | "cancelled" | "skipped";

export const outcomes: readonly Outcome[] = ["passed", "failed", "timed-out", "cancelled", "skipped"];

/** Why an attempt may be tried again: its worker vanished, its time ran out, or a command failed. */
export type RetryCause = "lost" | "timed-out" | "failed";

export type Scalar = string | number | boolean;

export type Need = {
  /** The name of a planned step. */
  readonly step: string;
  /** The outcomes that let the dependent go on, sorted as in `outcomes`, at least one. */
  readonly outcomes: readonly Outcome[];
};

export type StepInput = {
  readonly name: string;
  readonly step: string;
  readonly output: string;
};

export type StepOutput = {
  readonly name: string;
  /** Glob patterns relative to the workspace. */
  readonly files: readonly string[];
};

export type PlannedStep = {
  /** Unique in the plan. A cell of a matrix is called `test (os=linux, ruby=3.4)`, keys sorted. */
  readonly name: string;
  /** The key in the file that the step comes from. */
  readonly from: string;
  readonly cell: Readonly<Record<string, Scalar>>;
  /** `false`: left out at plan time; it ends as skipped with `reason`. */
  readonly included: boolean;
  /** Why the step is in or out, one sentence fragment: "always", "when git.branch == \"main\" is false". */
  readonly reason: string;
  readonly commands: readonly string[];
  readonly needs: readonly Need[];
  readonly environment: string | null;
  /** Declared variables (settings of the environment, then `env` of the step); never secrets. */
  readonly variables: Readonly<Record<string, string>>;
  readonly inputs: readonly StepInput[];
  readonly outputs: readonly StepOutput[];
  readonly timeoutMs: number;
  readonly retry: { readonly attemptsMax: number; readonly on: readonly RetryCause[] };
  /** True when the step reaches outside (an environment): its lease is exclusive. */
  readonly effect: boolean;
  /** Labels that a worker must have, each `key=value` or `key`, sorted. */
  readonly labels: readonly string[];
};

export type PlannedEnvironment = {
  readonly domain: string | null;
  readonly settings: Readonly<Record<string, string>>;
};

/** What the planner was told about the world; all of it is in the plan, nothing else gets in. */
export type PlanContext = {
  readonly branch: string | null;
  readonly tag: string | null;
  readonly commit: string | null;
  /** What made the plan: by hand, or a trigger. */
  readonly trigger: string;
  readonly parameters: Readonly<Record<string, Scalar>>;
};

export type Plan = {
  readonly otto: 1;
  readonly pipeline: string;
  /** Where the plan comes from: a file, or conventions of a stated version. */
  readonly origin:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "conventions"; readonly version: number; readonly found: readonly string[] };
  readonly context: PlanContext;
  readonly environments: Readonly<Record<string, PlannedEnvironment>>;
  /** Each after everything it needs; among steps ready at once the smaller name by code unit first. */
  readonly steps: readonly PlannedStep[];
};
