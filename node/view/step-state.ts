/** The states of a step as people see them; each is there only when the facts that it is made of are. */

import { unreachable } from "../../protocol/errors.ts";
import type { Outcome } from "../../protocol/plan.ts";
import type { StepReport } from "../../protocol/report.ts";

export type StepState =
  /** `for`: the needs that have not ended, in the order of the plan. Empty while a skip is on its way. */
  | { readonly kind: "waiting"; readonly for: ReadonlySet<string> }
  /** Everything it needs is there: queued for a worker. */
  | { readonly kind: "ready" }
  /** No worker does it: people or something outside settle it, until `untilMs` at most. */
  | { readonly kind: "pending"; readonly words: string; readonly sinceMs: number; readonly untilMs: number }
  | { readonly kind: "running"; readonly attempt: number; readonly worker: string; readonly sinceMs: number }
  | {
      readonly kind: Exclude<Outcome, "skipped">;
      /** Why, one sentence without its full stop; empty when the step passed. */
      readonly reason: string;
      /** Of the attempt that counted; null when the step never ran or its start is unknown. */
      readonly durationMs: number | null;
      readonly report: StepReport | null;
    }
  /** With an outcome of its own: its commands passed, and said so. */
  | {
      readonly kind: "ended";
      readonly outcome: string;
      readonly durationMs: number | null;
      readonly report: StepReport;
    }
  | { readonly kind: "skipped"; readonly reason: string };

/** The outcome of a state that is an end, a usual one or the step's own; null while the step may still run. */
export function outcomeOfState(state: StepState): string | null {
  switch (state.kind) {
    case "waiting":
    case "ready":
    case "pending":
    case "running":
      return null;
    case "passed":
    case "failed":
    case "timed-out":
    case "cancelled":
    case "skipped":
      return state.kind;
    case "ended":
      return state.outcome;
    default:
      return unreachable(state);
  }
}
