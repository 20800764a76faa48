/**
 * What the domain's policy demanded of a run's steps, held against what was signed: before a guarded step begins, and before how it
 * ended counts, a majority of the control peers permits it. Whoever wrote the records may have ignored the policy.
 *
 * Only by a policy that its owner signed before the run was admitted: by a later one nobody could have judged it.
 */

import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import { submittedSinceMs, type Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { GatePhase } from "../../protocol/permits.ts";
import { type Policy, policyDocument, policyIn } from "../../protocol/policy.ts";
import { wellBefore } from "../core/held-before.ts";
import { gateBy } from "../core/policies.ts";
import type { Account } from "./evidence.ts";
import type { Findings } from "./finding.ts";

export type ShownPolicy = {
  readonly policy: Policy;
  readonly version: number;
  /** When its owner signed it, milliseconds since 1970. */
  readonly signedMs: number;
};

/** Null: it is none that the domain's owner has signed, or of a later version of Otto. */
export function openPolicy(bytes: Uint8Array, charter: Charter, keys: Verifier): ShownPolicy | null {
  const opened = openDocument(bytes, charter, keys);
  if (!opened.ok) return null;
  const { topic, name, version, timeMs: signedMs, body } = opened.value.document;
  const found = topic === policyDocument.topic && name === policyDocument.name ? policyIn(body) : null;
  return found === null ? null : { policy: found.policy, version, signedMs };
}

/**
 * True for a policy by which the run was judged from its beginning.
 *
 * @param apartMs how long a policy may be on its way, and how far clocks may be apart that a domain takes for right.
 */
export function isOlder(
  { signedMs }: ShownPolicy,
  accounts: readonly Account[],
  submission: Submission,
  apartMs: number,
): boolean {
  const admitted = accounts.flatMap(({ told }) =>
    told.flatMap(({ event }) => (event.kind === "run-admitted" ? [event.timeMs] : [])),
  );
  // Whoever writes the records may say any time, but none before it was submitted.
  const admittedMs = Math.max(Math.min(...admitted), submittedSinceMs(submission));
  return admitted.length > 0 && signedMs + apartMs < admittedMs;
}

/** @param domain the name of the domain whose policy it is. */
export function checkDemanded(
  accounts: readonly Account[],
  {
    submission,
    policy,
    domain,
  }: { readonly submission: Submission; readonly policy: Policy; readonly domain: string },
  findings: Findings,
): void {
  const permitted = new Set<string>();
  const begun = new Set<string>();
  const counted = new Set<string>();
  let isCancelled = false;
  for (const { event, permit } of accounts.flatMap(({ told }) => told)) {
    if (permit !== null) permitted.add(nameOf(permit.phase ?? "before", permit.step));
    if (event.kind === "attempt-started" || event.kind === "attempt-ended") begun.add(event.step);
    if (event.kind === "cancel-requested") isCancelled = true;
    if (event.kind === "attempt-ended" && event.final && event.cause === "finished") counted.add(event.step);
  }
  // No gate holds back what ends in a run that is being cancelled; nor does anything begin then that needs it.
  const { steps } = submission.manifest.plan;
  const all = [...steps.entries()].flatMap(([index, { name }]) => (begun.has(name) ? [index] : []));
  const neededBehind = isCancelled ? wellBefore(submission, all) : null;
  for (const [index, { name }] of submission.manifest.plan.steps.entries()) {
    const isMissing = (phase: GatePhase): boolean =>
      gateBy(policy, submission, index, { phase, domain }) !== null && !permitted.has(nameOf(phase, name));
    if (begun.has(name) && isMissing("before"))
      findings.add(
        "permit-missing",
        name,
        "The policy guards the step: more than half of the control peers sign that it may begin.",
        "It began, and nothing that they signed is there.",
      );
    const mustBeLet = neededBehind === null || neededBehind.has(index);
    if (mustBeLet && counted.has(name) && isMissing("after"))
      findings.add(
        "permit-missing",
        name,
        "The policy guards how the step ended: more than half of the control peers sign that it counts.",
        "It counts, and nothing that they signed is there.",
      );
  }
}

function nameOf(phase: GatePhase, step: string): string {
  return `${phase} ${step}`;
}
