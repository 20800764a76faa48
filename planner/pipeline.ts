/**
 * The pipeline as a person wrote it: typed, with the places that later complaints point at. Made by
 * `planner/read.ts` and `planner/read-step.ts`, turned into a plan by `planner/plan.ts`.
 */

import type { Outcome, PlannedStep, Scalar, StepOutput } from "../protocol/plan.ts";
import type { Span } from "./diagnostics.ts";

type Placed<Value> = { readonly value: Value; readonly span: Span };

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
};

export type NeedDeclaration = {
  readonly step: string;
  readonly outcomes: readonly Outcome[];
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

export type StepDeclaration = {
  readonly name: string;
  readonly span: Span;
  readonly commands: readonly string[];
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
  readonly parameters: ReadonlyMap<string, ParameterDeclaration>;
  readonly environments: ReadonlyMap<string, EnvironmentDeclaration>;
  readonly variables: ReadonlyMap<string, string>;
  /** In the order of the file; the plan's own order does not depend on it. */
  readonly steps: ReadonlyMap<string, StepDeclaration>;
};
