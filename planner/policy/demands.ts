/** What a policy will say to a plan, before anything is submitted: for `otto explain --policy`. */

import type { GatePhase } from "../../protocol/permits.ts";
import type { Plan } from "../../protocol/plan.ts";
import type { Policy } from "../../protocol/policy.ts";
import { printable } from "../diagnostics.ts";
import { foreignDomainOf } from "../../protocol/release.ts";
import { gateOf, gateWords, type Submitting, whyNotAdmitted } from "./judge.ts";

export type Demands = {
  /** Why the plan would not be admitted from this submitter, each a sentence. */
  readonly refused: readonly string[];
  /** What must be true before a step begins, and before how it ended counts. */
  readonly gates: readonly {
    readonly step: string;
    readonly phase: GatePhase;
    readonly environment: string;
    readonly demands: readonly string[];
  }[];
};

export function demandsOf(policy: Policy, plan: Plan, submitting: Submitting): Demands {
  const { domain } = submitting;
  const gates = plan.steps.flatMap((step) => {
    const isForeign = domain !== null && foreignDomainOf(plan, step, domain) !== null;
    if (isForeign) return [];
    return (["before", "after"] as const).flatMap((phase) => {
      const gate = gateOf(policy, plan, step, phase);
      if (gate === null) return [];
      return [{ step: step.name, phase, environment: gate.environment, demands: gateWords(gate) }];
    });
  });
  return { refused: whyNotAdmitted(policy, plan, submitting), gates };
}

/** @param of whose policy it is. */
export function demandsText({ refused, gates }: Demands, of: string): string {
  const lines = [
    ...refused.map((why) => `refused by ${of}: ${why}`),
    ...gates.flatMap(({ step, phase, environment, demands }) => [
      `gate of ${of} ${phase} ${step} (${environment}):`,
      ...demands.map((demand) => `  ${demand}`),
    ]),
  ];
  if (lines.length === 0) lines.push(`${of} demands nothing more`);
  return `${lines.map(printable).join("\n")}\n`;
}
