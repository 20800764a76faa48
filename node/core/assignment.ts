/**
 * From a granted lease and the signed plan to what an executor is given: one attempt, with all that its commands are
 * told. Commands are never templates: what they are to know comes as variables.
 */

import type { Submission } from "../../protocol/manifest.ts";
import type { GrantedLease } from "../../protocol/messages.ts";
import { inputVariable } from "../../protocol/names.ts";
import { isExclusive, isTrusted, leastSandboxOf, type Plan, type PlannedStep } from "../../protocol/plan.ts";
import type { Assignment } from "../ports.ts";
import { libraryCallOf } from "./library-call.ts";

/** Null for a step that the plan does not have, or leaves out, and for an exclusive one without a fencing token. */
export function assignmentOf(
  { id, domain, lease }: { readonly id: string; readonly domain: string; readonly lease: GrantedLease },
  submission: Submission | undefined,
): Assignment | null {
  const step = submission?.manifest.plan.steps[lease.index];
  if (submission === undefined || step === undefined || !step.included) return null;
  // Without a token whatever it reaches could not tell it from one that comes late.
  if (isExclusive(step) && lease.fence === undefined) return null;
  const { run, token, attempt, inputs } = lease;
  const { commands, variables, timeoutMs, outputs, name } = step;
  const { plan, source } = submission.manifest;
  return {
    id,
    run,
    step: name,
    index: lease.index,
    attempt,
    token,
    fence: lease.fence ?? null,
    commands,
    variables,
    surroundings: surroundingsOf(step, lease, submission),
    timeoutMs,
    source,
    inputs,
    outputs,
    values: step.values ?? [],
    outcomes: step.outcomes ?? [],
    caches: step.caches ?? [],
    ...cachesOf(domain, plan),
    reports: step.reports ?? [],
    credentials: step.credentials ?? [],
    library: libraryCallOf(step, plan),
    sandbox: leastSandboxOf(step),
    image: step.image ?? null,
  };
}

/**
 * Who may write what whom reads: one pipeline's steps read what the same pipeline's steps wrote. What comes by a pull request may be
 * anybody's: it reads what the others have, and what it writes is read by its own branch's alone.
 */
function cachesOf(domain: string, plan: Plan): Pick<Assignment, "cacheScope" | "cacheBelow"> {
  const scope = `${domain} ${plan.pipeline}`;
  if (isTrusted(plan)) return { cacheScope: scope, cacheBelow: null };
  return { cacheScope: `${scope} pull-request ${plan.context.branch ?? ""}`, cacheBelow: scope };
}

/** What is not known is not there, so that `${OTTO_TAG:-none}` works. */
function surroundingsOf(
  step: PlannedStep,
  lease: GrantedLease,
  submission: Submission,
): Record<string, string> {
  const { plan } = submission.manifest;
  const { branch, tag, commit, trigger } = plan.context;
  const known = {
    OTTO_PIPELINE: plan.pipeline,
    OTTO_PLAN: submission.planId,
    OTTO_TRIGGER: trigger,
    OTTO_BRANCH: branch,
    OTTO_TAG: tag,
    OTTO_COMMIT: commit,
    OTTO_ENVIRONMENT: step.environment,
  };
  const variables: Record<string, string> = {};
  for (const [name, value] of Object.entries(known))
    if (value !== null && value !== "") variables[name] = value;
  for (const { name, value } of lease.values ?? []) variables[inputVariable(name)] = String(value);
  return variables;
}
