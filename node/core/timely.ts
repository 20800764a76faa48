/** Whether a submission comes in the time in which it may be admitted, by the clock of the peer that is asked. */

import { limits } from "../../protocol/limits.ts";
import { type Submission, validUntilOf } from "../../protocol/manifest.ts";
import type { Answer } from "./effects.ts";

/** False for what could only be admitted earlier, or for longer than a domain takes. An order is not admitted at all. */
export function isTimely(submission: Submission, wallMs: number): boolean {
  const validUntilMs = validUntilOf(submission);
  return validUntilMs === null || (wallMs < validUntilMs && validUntilMs <= wallMs + limits.submissionMsMax);
}

/** How somebody is answered who submits too late, or with a clock of another time. */
export function expired(submission: Submission): Answer {
  return { ok: false, reason: "expired", detail: `${validUntilOf(submission)}` };
}
