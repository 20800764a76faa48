/** What a token of the domain says of a step: by what was signed and decided, never by what a worker says. */

import type { StepClaims } from "../../protocol/credentials/issuer.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { GrantedLease } from "../../protocol/messages.ts";
import type { LeasedStep } from "./leased-step.ts";

export function stepClaimsOf(
  { run, index, step, attempt, submitter }: LeasedStep,
  domain: string,
  submission: Submission,
  { inputs }: Pick<GrantedLease, "inputs">,
): StepClaims {
  const { manifest, planId } = submission;
  const { plan, source } = manifest;
  const { branch, tag, commit, trigger } = plan.context;
  const environment = plan.steps[index]?.environment ?? null;
  const ref = tag === null ? branch && `refs/heads/${branch}` : `refs/tags/${tag}`;
  return {
    domain,
    pipeline: plan.pipeline,
    run,
    step,
    attempt,
    plan_digest: planId,
    trigger,
    submitter,
    ...(environment === null ? {} : { environment }),
    ...(source.kind === "commit" ? { repository: source.repository } : {}),
    ...(ref === null || ref === "" ? {} : { ref }),
    ...(commit === null ? {} : { commit }),
    artifacts: Object.fromEntries(inputs.map(({ name, tree }) => [name, `sha256:${tree}`])),
  };
}
