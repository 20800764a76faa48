/** A step that somebody works on, by what was decided and by what was signed: who may use its credentials in its name. */

import type { Submission } from "../../protocol/manifest.ts";
import type { StepCredential } from "../../protocol/plan.ts";
import type { RegisterValue } from "../../protocol/registers/registers.ts";

export type LeasedStep = {
  readonly run: string;
  readonly index: number;
  readonly step: string;
  readonly attempt: number;
  readonly token: number;
  readonly worker: string;
  /** Who submitted the run, by the name in the certificate. */
  readonly submitter: string;
  readonly credentials: readonly StepCredential[];
  /** The domain that its environment belongs to; null: whichever runs it. */
  readonly owner: string | null;
};

/** Null for a step that nobody has a lease of. */
export function leasedStepOf(
  { run, index }: { readonly run: string; readonly index: number },
  value: RegisterValue,
  { manifest: { plan }, submitter }: Submission,
): LeasedStep | null {
  const step = plan.steps[index];
  if (value.kind !== "step" || value.state !== "leased" || step === undefined) return null;
  const { attempt, token, worker } = value;
  const owner = step.environment === null ? null : (plan.environments[step.environment]?.domain ?? null);
  const credentials = step.credentials ?? [];
  return {
    run,
    index,
    step: step.name,
    attempt,
    token,
    worker,
    submitter: submitter.name,
    credentials,
    owner,
  };
}
