/**
 * The pipeline as a person wrote it: typed, with the places that later complaints point at. Made by
 * `planner/read.ts` and `planner/read-step.ts`, turned into a plan by `planner/plan.ts`.
 */

import type {
  PlannedStep,
  PlannedTrigger,
  Priority,
  SandboxLevel,
  Scalar,
  StepCache,
  StepCredential,
  StepOutput,
  StepReportFiles,
  StepValueDeclaration,
} from "../protocol/plan.ts";
import type { Span } from "./diagnostics.ts";

export type Placed<Value> = { readonly value: Value; readonly span: Span };

export type ParameterType = "string" | "number" | "boolean";

export type ParameterDeclaration = {
  readonly type: ParameterType;
  /** The only values it may take; null when any will do. */
  readonly choices: readonly Scalar[] | null;
  /** Null: a value must be given. */
  readonly default: Scalar | null;
  readonly span: Span;
};

export type EnvironmentDeclaration = {
  readonly domain: string | null;
  readonly settings: ReadonlyMap<string, string>;
  readonly lock: boolean;
};

export type NeedDeclaration = {
  readonly step: string;
  /** In the order of a plan: the usual ones, then the step's own. */
  readonly outcomes: readonly string[];
  /** Those that only a step that declares them has. */
  readonly own: readonly Placed<string>[];
  readonly span: Span;
};

export type InputDeclaration = {
  readonly name: string;
  readonly step: string;
  readonly output: string;
  readonly span: Span;
};

export type ConditionText = {
  readonly text: string;
  readonly span: Span;
  /** Where the first character of the text is in the file; null when quotes or folding moved them. */
  readonly textStart: number | null;
};

export type LabelDeclaration = {
  readonly key: string | null;
  /** How the worker's value is compared: the same, as large, or the same version. */
  readonly compare: "=" | ">=" | "~";
  /** The value, or the axis of the matrix that it is taken from. */
  readonly value:
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "axis"; readonly axis: string };
  readonly span: Span;
};

export type Cell = ReadonlyMap<string, Scalar>;

export type MatrixDeclaration = {
  readonly cells: readonly Cell[];
  readonly keys: readonly string[];
  readonly span: Span;
};

/** A parameter that is handed on: a value, or what a parameter or an axis of the matrix has. */
export type GivenParameter = {
  readonly name: string;
  readonly nameSpan: Span;
  readonly value:
    | { readonly kind: "scalar"; readonly scalar: Scalar }
    | { readonly kind: "parameter" | "axis"; readonly name: string };
  readonly span: Span;
};

export type PollDeclaration = {
  readonly url: string;
  readonly everyMs: number;
  readonly until: ConditionText;
  readonly fails: ConditionText | null;
};

/** What a step does: commands, or something else. */
export type ActionDeclaration =
  | { readonly kind: "run" }
  | { readonly kind: "uses"; readonly library: Placed<string>; readonly given: readonly GivenParameter[] }
  | {
      readonly kind: "pipeline";
      readonly template: Placed<string>;
      readonly given: readonly GivenParameter[];
    }
  | {
      readonly kind: "approve";
      readonly question: string;
      readonly by: readonly string[];
      readonly count: number;
    }
  | { readonly kind: "wait"; readonly callback: string | null; readonly poll: PollDeclaration | null };

export type NotificationDeclaration = {
  readonly on: readonly string[];
  readonly library: Placed<string>;
  readonly given: readonly GivenParameter[];
};

export type StepDeclaration = {
  readonly name: string;
  readonly span: Span;
  readonly action: ActionDeclaration;
  /** Of a step of kind `run`, else empty. */
  readonly commands: readonly string[];
  readonly paths: readonly Placed<string>[];
  readonly values: readonly StepValueDeclaration[];
  readonly outcomes: readonly string[];
  readonly caches: readonly StepCache[];
  readonly credentials: readonly StepCredential[];
  readonly reports: readonly StepReportFiles[];
  readonly sandbox: SandboxLevel | null;
  readonly image: { readonly name: string; readonly orHost: boolean } | null;
  readonly effect: boolean;
  readonly lock: Placed<string> | null;
  readonly needs: readonly NeedDeclaration[];
  readonly condition: ConditionText | null;
  readonly matrix: MatrixDeclaration | null;
  readonly environment: Placed<string> | null;
  readonly variables: ReadonlyMap<string, string>;
  readonly inputs: readonly InputDeclaration[];
  readonly outputs: readonly StepOutput[];
  readonly timeoutMs: number | null;
  readonly retry: PlannedStep["retry"] | null;
  readonly labels: readonly LabelDeclaration[];
};

export type PipelineFile = {
  readonly name: string;
  readonly priority: Priority;
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly environments: ReadonlyMap<string, EnvironmentDeclaration>;
  readonly variables: ReadonlyMap<string, string>;
  /** Name -> source as written. */
  readonly uses: ReadonlyMap<string, Placed<string>>;
  readonly triggers: readonly PlannedTrigger[];
  readonly notify: readonly NotificationDeclaration[];
  /** In the order of the file; the plan's own order does not depend on it. */
  readonly steps: ReadonlyMap<string, StepDeclaration>;
};
