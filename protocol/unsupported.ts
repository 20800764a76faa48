/**
 * What a plan may say and a mesh cannot do yet: such a plan is explained, and refused when it is submitted. The command
 * line asks before it submits, and every control peer asks again.
 */

import { OttoError } from "./errors.ts";
import type { Plan, PlannedStep } from "./plan.ts";

/** The domain of the mesh that `otto run` keeps on one machine: it stands for every domain. */
const localDomainName = "local";

export type Unsupported = { readonly step: string; readonly why: string };

/** @param domain the name of the domain that is to run it; null when that is not known yet. */
export function unsupportedIn(plan: Plan, domain: string | null): readonly Unsupported[] {
  return plan.steps.flatMap((step) => {
    const why = step.included ? reasonOf(plan, step, domain) : null;
    return why === null ? [] : [{ step: step.name, why }];
  });
}

function reasonOf(plan: Plan, step: PlannedStep, domain: string | null): string | null {
  const [credential] = step.credentials ?? [];
  if (credential !== undefined)
    return `it may use the credential ${credential.name}, and credentials cannot be handed out yet`;
  const owner = step.environment === null ? null : (plan.environments[step.environment]?.domain ?? null);
  const isForeign = owner !== null && domain !== null && owner !== domain && domain !== localDomainName;
  if (isForeign && step.action?.kind === "approve")
    return `its approval is the domain ${owner}'s, and this is the domain ${domain}: approvals of other domains cannot be asked for yet`;
  if (isForeign)
    return `its environment ${step.environment} is the domain ${owner}'s, and this is the domain ${domain}: steps of other domains cannot be run yet`;
  const team =
    step.action?.kind === "approve" ? step.action.by.find((name) => name.startsWith("team/")) : undefined;
  if (team !== undefined)
    return `${team} is to approve it, and who is in a team is not known yet: name the people in \`by\``;
  if (step.sandbox !== undefined && step.sandbox !== "S0")
    return `it asks for isolation of level ${step.sandbox}, and workers run steps as they are (S0) so far`;
  if (step.image !== undefined && !step.image.orHost)
    return `it asks for the image ${step.image.name}, and workers run no containers yet: say \`or: host\` if the worker itself will do`;
  if (step.action?.kind === "pipeline" && step.outcomes?.includes("recovered") === true)
    return "it would have to know how the run before ended, and no peer asks for that yet: notify on passed or failed";
  return null;
}

export function notSupported(words: string): OttoError {
  return new OttoError("OTTO_NOT_SUPPORTED", {
    what: `This pipeline can be planned, and not run yet: ${words}.`,
    state: "Nothing was submitted.",
    next: "See the whole plan with `otto explain`, and take out what cannot be run.",
  });
}
