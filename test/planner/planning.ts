/** What the planner's tests share: planning a text in a usual context. */

import { type Diagnostic, formatDiagnostics } from "../../planner/diagnostics.ts";
import { planPipeline } from "../../planner/plan.ts";
import type { Plan, PlanContext, PlannedStep } from "../../protocol/plan.ts";

const usualContext: PlanContext = {
  branch: "main",
  tag: null,
  commit: "0123456789abcdef0123456789abcdef01234567",
  trigger: "manual",
  parameters: {},
};

export async function planOf(text: string, context: Partial<PlanContext> = {}): Promise<Plan> {
  const planned = await planPipeline({ text, path: "otto.yaml", context: { ...usualContext, ...context } });
  if (!planned.ok) throw new Error(formatDiagnostics(planned.problem, text));
  return planned.value;
}

/** The plan of these steps alone. */
export async function stepsOf(
  text: string,
  context: Partial<PlanContext> = {},
): Promise<readonly PlannedStep[]> {
  return (await planOf(`otto: 1\n${text}`, context)).steps;
}

export async function diagnosticsOf(
  text: string | Uint8Array,
  context: Partial<PlanContext> = {},
): Promise<readonly Diagnostic[]> {
  const planned = await planPipeline({ text, path: "otto.yaml", context: { ...usualContext, ...context } });
  return planned.ok ? [] : planned.problem;
}
