/** What was admitted is what was signed. */

import type { RunAdmitted } from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Findings } from "./finding.ts";

export function checkAdmission(event: RunAdmitted, submission: Submission, findings: Findings): void {
  const { manifest, planId, manifestCid, submitter } = submission;
  const { plan } = manifest;
  const facts = [
    ["manifest", manifestCid, event.manifest],
    ["plan", planId, event.plan],
    ["pipeline", plan.pipeline, event.pipeline],
    ["submitter", submitter.peer, event.submitter],
    ["number of steps", plan.steps.length, event.steps],
  ] as const;
  for (const [what, signed, told] of facts)
    if (signed !== told)
      findings.add("other-plan", null, `The ${what} that was signed is ${signed}.`, `Admitted was ${told}.`);
}
