/**
 * The plan: what a pipeline means, computed before anything runs.
 *
 * A plan is a value: no clock, machine, locale or environment variable is in it, so the same pipeline file
 * and context give the same bytes and the same id on every peer. Made by `planner/`, signed by
 * `protocol/manifest.ts`, executed by `node/`.
 */

import { compareText } from "./values.ts";

/** How a step can end. `needs` may branch on these, and on outcomes that the step declares itself. */
export type Outcome = "passed" | "failed" | "timed-out" | "cancelled" | "skipped";

export const outcomes: readonly Outcome[] = ["passed", "failed", "timed-out", "cancelled", "skipped"];

/** Why an attempt may be tried again: its worker vanished, its time ran out, or a command failed. */
export type RetryCause = "lost" | "timed-out" | "failed";

export type Scalar = string | number | boolean;

export type Need = {
  /** The name of a planned step. */
  readonly step: string;
  /**
   * The outcomes that let the dependent go on, at least one: sorted as in `outcomes`, then the step's own ones by
   * code unit.
   */
  readonly outcomes: readonly string[];
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

type ValueType = "string" | "number" | "boolean";

/** A small typed value that the step's commands say; steps that take it get it as a variable. */
export type StepValueDeclaration = { readonly name: string; readonly type: ValueType };

/** The value `value` of `step`, as the variable `OTTO_INPUT_<NAME>`. */
export type ValueInput = { readonly name: string; readonly step: string; readonly value: string };

/** Folders that are kept between runs under a key made of the named files. */
export type StepCache = {
  readonly name: string;
  /** Relative to the workspace, or below `~/`, the home of a worker's steps. */
  readonly paths: readonly string[];
  /** Patterns of files in the workspace whose content, with the name, the platform and the paths, is the key. */
  readonly keyFiles: readonly string[];
};

export const credentialKinds = ["http", "git", "npm", "pip", "oci", "ssh", "oidc"] as const;

/** How a step may be given the value of a secret itself. */
export const exposures = ["file", "variable"] as const;

/** A credential by what it may be used for; its value is never in a plan. */
export type StepCredential = {
  readonly name: string;
  readonly kind: (typeof credentialKinds)[number];
  /** Where it may be sent: a URL, a host, or the audience of a token. */
  readonly to: string;
  /** The step is given the value itself, in this way; only when the file says so. */
  readonly expose?: (typeof exposures)[number];
};

/** Files that a step writes about its work in a format that others understand. */
export type StepReportFiles = { readonly format: "junit"; readonly files: readonly string[] };

export type Poll = {
  readonly url: string;
  readonly everyMs: number;
  /** CEL over `response`: true settles the wait as passed. */
  readonly until: string;
  /** CEL over `response`: true settles it as failed; null: only time does. */
  readonly fails: string | null;
};

/** What does the step's work, when no commands do. */
export type StepAction =
  /** A step library, run by a worker. */
  | { readonly kind: "uses"; readonly library: string; readonly with: Readonly<Record<string, Scalar>> }
  /** People say yes or no; no worker is held. */
  | {
      readonly kind: "approve";
      readonly question: string;
      /** Names of people, or `team/NAME`; empty: anybody of the domain. */
      readonly by: readonly string[];
      readonly count: number;
    }
  /** Somebody outside says so, or a poll sees it; the first to settle it wins. No worker is held. */
  | { readonly kind: "wait"; readonly callback: string | null; readonly poll: Poll | null }
  /** A nested pipeline: ends when its members have, as they did. */
  | { readonly kind: "pipeline"; readonly members: readonly string[] };

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
  /** What a worker must have, sorted: `key=value`, `key`, `key>=number` or `key~version`. */
  readonly labels: readonly string[];

  // Each of these is there only when it says something.
  /** One step at a time under this name, over all runs of the domain; not in an environment that is locked. */
  readonly lock?: string;
  readonly action?: StepAction;
  /** Outcomes of its own that the step may end with besides `passed`, sorted. */
  readonly outcomes?: readonly string[];
  readonly values?: readonly StepValueDeclaration[];
  readonly valueInputs?: readonly ValueInput[];
  readonly caches?: readonly StepCache[];
  readonly credentials?: readonly StepCredential[];
  readonly reports?: readonly StepReportFiles[];
  /** The least isolation that the step may run under. */
  readonly sandbox?: SandboxLevel;
  /** The container image that it runs in; with `orHost` a worker without containers may run it as it is. */
  readonly image?: { readonly name: string; readonly orHost: boolean };
};

export const sandboxLevels = ["S0", "S1", "S2", "S3"] as const;
export type SandboxLevel = (typeof sandboxLevels)[number];

export type PlannedEnvironment = {
  readonly domain: string | null;
  readonly settings: Readonly<Record<string, string>>;
  /** One step at a time in this environment, over all runs of the domain. */
  readonly lock?: true;
};

/** A template or a step library that the plan was made with, pinned. */
export type PlannedUse = {
  readonly name: string;
  /** As written: `./ci/shared.yaml`, `git+https://git.example.org/acme/slack@v1.2.0`. */
  readonly source: string;
  /** What it is now: a commit for git, else null. */
  readonly commit: string | null;
  /** sha256 of the template's text, or the digest of the library's tree. */
  readonly digest: string;
  readonly kind: "template" | "library";
  /** Of a library: the program of each platform (`any` for all), relative to its folder. */
  readonly entry?: Readonly<Record<string, string>>;
  /** Of a library: what it may do, as it says itself. */
  readonly may?: readonly string[];
};

export type PlannedTrigger =
  | { readonly kind: "push" | "pull-request"; readonly branches: readonly string[] }
  | { readonly kind: "tag"; readonly tags: readonly string[] }
  | { readonly kind: "run"; readonly pipeline: string; readonly outcomes: readonly string[] }
  | { readonly kind: "webhook"; readonly name: string }
  | {
      readonly kind: "schedule";
      /** Five fields of cron, in UTC. */
      readonly cron: string;
      /** What becomes of slots that passed while no control peer was there: the newest is made up for, or none. */
      readonly missed: "latest" | "none";
    };

/** Which paths differ from a base, and how that base was chosen. */
export type Changes =
  | {
      /** A commit. */
      readonly base: string;
      readonly because: string;
      /** How many paths differ, and the sha256 of their list; the paths that decided are in the steps' reasons. */
      readonly count: number;
      readonly digest: string;
    }
  /** Not known, and why: every path counts as changed. */
  | { readonly base: null; readonly because: string };

/** What the planner was told about the world; all of it is in the plan, nothing else gets in. */
export type PlanContext = {
  readonly branch: string | null;
  readonly tag: string | null;
  readonly commit: string | null;
  /** What made the plan: by hand, or a trigger. */
  readonly trigger: string;
  readonly parameters: Readonly<Record<string, Scalar>>;
  /** Only when a condition or `paths` asked for it. */
  readonly changes?: Changes;
};

/** Whose steps are given out first, the highest first. */
export const priorities = ["high", "normal", "low"] as const;
export type Priority = (typeof priorities)[number];

export type Plan = {
  readonly otto: 1;
  readonly pipeline: string;
  /** Only when it is not normal. */
  readonly priority?: Exclude<Priority, "normal">;
  /** Where the plan comes from: a file, or conventions of a stated version. */
  readonly origin:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "conventions"; readonly version: number; readonly found: readonly string[] };
  readonly context: PlanContext;
  readonly environments: Readonly<Record<string, PlannedEnvironment>>;
  /** What it is made with, sorted by name; only when there is something. */
  readonly uses?: readonly PlannedUse[];
  /** What starts it besides people; only when there is something. */
  readonly triggers?: readonly PlannedTrigger[];
  /** Each after everything it needs; among steps ready at once the smaller name by code unit first. */
  readonly steps: readonly PlannedStep[];
};

/** The trees of the step libraries that a plan's steps run. */
export function libraryTrees({ uses = [] }: Pick<Plan, "uses">): readonly string[] {
  return uses.flatMap(({ kind, digest }) => (kind === "library" ? [digest] : []));
}

/** What no other step of the domain may have at the same time, or null: a lock by its name, or an environment. */
export function lockOf(
  { environments }: Pick<Plan, "environments">,
  { lock, environment }: Pick<PlannedStep, "lock" | "environment">,
): string | null {
  if (lock !== undefined) return lock;
  const isLocked = environment !== null && environments[environment]?.lock === true;
  // No lock has a slash in its name.
  return isLocked ? `environment/${environment}` : null;
}

/**
 * All that a worker must have to run the step, sorted: its labels, and the label of each worker that reaches the level of
 * isolation that it asks for.
 */
export function requirementsOf(step: Pick<PlannedStep, "labels" | "sandbox" | "image">): readonly string[] {
  const level = leastSandboxOf(step);
  return level === "S0" ? step.labels : [...step.labels, sandboxLabel(level)].sort(compareText);
}

/** The least isolation that the step runs under: an image is the root of its file system at S3 alone. */
export function leastSandboxOf({
  sandbox = "S0",
  image,
}: Pick<PlannedStep, "sandbox" | "image">): SandboxLevel {
  return image === undefined || image.orHost ? sandbox : "S3";
}

/** What a worker says of a level that it reaches. It says so of each. */
export function sandboxLabel(level: SandboxLevel): string {
  return `${sandboxLabelKey}=${level}`;
}

/** No person gives a worker such a label: workers find out. */
export const sandboxLabelKey = "sandbox";

/** True for a step that must never run in two places, and is stopped when its lease may have ended: it gets a fencing token. */
export function isExclusive(step: Pick<PlannedStep, "effect" | "lock">): boolean {
  return step.effect || step.lock !== undefined;
}

/** True for a step that a worker does and that a domain's policy may demand something of first. */
export function mayBeGated(step: Pick<PlannedStep, "action" | "environment">): boolean {
  return step.environment !== null && !isSettledByMesh(step);
}

/** True for a step that no worker does: people, something outside, or other steps settle it. */
export function isSettledByMesh(step: Pick<PlannedStep, "action">): boolean {
  return step.action !== undefined && step.action.kind !== "uses";
}

/**
 * False for a plan whose files may be anybody's: what comes by a pull request. Its caches are read by nobody else, and it uses no
 * credential that a policy does not grant to pull requests by name. It is the submitter, a member, who says what a plan comes by.
 */
export function isTrusted({ context }: Pick<Plan, "context">): boolean {
  return context.trigger !== "pull-request";
}
