/** What a policy will say to a plan: one of a file, or the one of the domain whose node is asked. */

import { type Demands, demandsOf, demandsText } from "../planner/policy/demands.ts";
import type { Plan } from "../protocol/plan.ts";
import { charterOf } from "./domain-documents.ts";
import { policyOfDomain, policyOfFile } from "./commands/policy.ts";
import { person } from "./person.ts";
import { findTarget, type TargetOptions } from "./target.ts";

/** @param policy a file, or `true`: the domain's. */
export async function demands(
  policy: string | true,
  plan: Plan,
  options: TargetOptions,
): Promise<{ readonly demands: Demands; readonly text: string }> {
  const { peer } = person();
  if (policy !== true) {
    const asked = demandsOf(policyOfFile(policy).policy, plan, { peer, domain: null });
    return { demands: asked, text: demandsText(asked, policy) };
  }
  const target = await findTarget(options);
  try {
    const { name } = await charterOf(target);
    const found = await policyOfDomain(target);
    const asked = demandsOf(found?.policy ?? { "otto-policy": 1 }, plan, { peer, domain: name });
    return { demands: asked, text: demandsText(asked, `domain ${name}`) };
  } finally {
    await target.close();
  }
}
