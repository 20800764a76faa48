/** What a policy will say to a plan, before anything is submitted: for `otto explain --policy`. */

import type { GatePhase } from "../../protocol/permits.ts";
import type { Plan } from "../../protocol/plan.ts";
import type { Policy } from "../../protocol/policy.ts";
import { printable } from "../diagnostics.ts";
import { foreignDomainOf } from "../../protocol/release.ts";
import { approversMissing, teamIn } from "./people.ts";
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
  /** Steps at which people answer who are named by their team, and who these are by now. */
  readonly answers: readonly {
    readonly step: string;
    readonly team: string;
    readonly people: readonly string[];
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
  const answers = plan.steps.flatMap(({ name: step, included, action }) => {
    const by = included && action?.kind === "approve" ? action.by : [];
    return by.flatMap((named) => {
      const team = teamIn(named);
      return team === null ? [] : [{ step, team, people: policy.teams?.[team] ?? [] }];
    });
  });
  const refused = [...whyNotAdmitted(policy, plan, submitting), ...approversMissing(policy, plan)];
  return { refused, gates, answers };
}

/** @param of whose policy it is. */
export function demandsText({ refused, gates, answers }: Demands, of: string): string {
  const lines = [
    ...refused.map((why) => `refused by ${of}: ${why}`),
    ...gates.flatMap(({ step, phase, environment, demands }) => [
      `gate of ${of} ${phase} ${step} (${environment}):`,
      ...demands.map((demand) => `  ${demand}`),
    ]),
    ...answers
      .filter(({ people }) => people.length > 0)
      .map(({ step, team, people }) => `team/${team} of ${of}, which answers ${step}: ${people.join(", ")}`),
  ];
  if (lines.length === 0) lines.push(`${of} demands nothing more`);
  return `${lines.map(printable).join("\n")}\n`;
}
