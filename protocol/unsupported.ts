/**
 * What a plan may say and a mesh cannot do yet: such a plan is explained, and refused when it is submitted. The command
 * line asks before it submits, and every control peer asks again.
 */

import { OttoError } from "./errors.ts";
import { parseImageName } from "./image-name.ts";
import { isSettledByMesh, type Plan, type PlannedStep } from "./plan.ts";
import { foreignDomainOf } from "./release.ts";

export type Unsupported = { readonly step: string; readonly why: string };

/**
 * @param domain the name of the domain that is to run it; null when that is not known yet.
 * @param knows whether that domain knows another one by its name, whose steps it can release to it.
 */
export function unsupportedIn(
  plan: Plan,
  domain: string | null,
  knows: (name: string) => boolean = () => true,
): readonly Unsupported[] {
  return plan.steps.flatMap((step) => {
    const why = step.included ? reasonOf(plan, step, domain, knows) : null;
    return why === null ? [] : [{ step: step.name, why }];
  });
}

function reasonOf(
  plan: Plan,
  step: PlannedStep,
  domain: string | null,
  knows: (name: string) => boolean,
): string | null {
  const owner = domain === null ? null : foreignDomainOf(plan, step, domain);
  if (owner !== null && isSettledByMesh(step))
    return `it is settled in the domain ${owner}, and this is the domain ${domain}: only steps that workers do are released to other domains`;
  if (owner !== null && (step.outcomes ?? []).length > 0)
    return `it may end in ways of its own, and runs in the domain ${owner}: a released step passes, fails or times out`;
  if (owner !== null && !knows(owner))
    return `its environment ${step.environment} is the domain ${owner}'s, which the domain ${domain} does not know: its owner can name it with \`otto domain trust\``;
  if (step.sandbox === "S3" && (step.image === undefined || step.image.orHost))
    return "it asks for isolation of level S3, where a step has an image for its file system: name one in `image`, without `or`";
  if (step.image !== undefined && !step.image.orHost && parseImageName(step.image.name) === null)
    return `its image ${step.image.name} may be another one tomorrow: pin it with \`otto lock\`, or name it by its digest, ${step.image.name}@sha256:...`;
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
