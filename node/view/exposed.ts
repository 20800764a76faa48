/**
 * What a run gave away: the secrets that steps of it were given themselves. It stays with the run, whatever becomes of the secret.
 *
 * A step counts once it has begun, also when no value has reached it after all: nobody can tell from outside.
 */

import type { Plan } from "../../protocol/plan.ts";
import type { RunView } from "./run.ts";

export type Exposure = { readonly step: string; readonly secret: string };

/** Of most plans nothing; a plan is read once. */
const planned = new WeakMap<Plan, readonly Exposure[]>();

export function exposuresOf({ plan, byName }: Pick<RunView, "plan" | "byName">): readonly Exposure[] {
  if (plan === null) return [];
  return exposuresIn(plan).filter(({ step }) => (byName.get(step)?.attempts.length ?? 0) > 0);
}

/** What steps of a plan are to be given. */
export function exposuresIn(plan: Plan): readonly Exposure[] {
  const known = planned.get(plan);
  if (known !== undefined) return known;
  const found = plan.steps.flatMap(({ name: step, included, credentials = [] }) =>
    credentials
      .filter(({ expose }) => included && expose !== undefined)
      .map(({ name: secret }) => ({ step, secret })),
  );
  planned.set(plan, found);
  return found;
}
