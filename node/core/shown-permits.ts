/**
 * What a worker looks at before it begins a step: the policy, as its owner signed it and whichever control peer told it, the permit
 * that comes with a guarded step, and those that let the steps before it count. So a home opens no gate alone, whatever it grants.
 */

import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import { submittedSinceMs, type Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import { endDigest, inputsDigest, type LetCount } from "../../protocol/attempt-content.ts";
import type { GrantedLease } from "../../protocol/messages.ts";
import { isToCount, openEarlierPermit, openShownPermit, whyNotFor } from "../../protocol/permits.ts";
import { policyDocument } from "../../protocol/policy.ts";
import { quorumOf } from "../../protocol/quorum.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { heldBefore } from "./held-before.ts";
import { Policies } from "./policies.ts";

type ShownPermitsContext = { readonly keys: Verifier; charter(): Charter };

export class ShownPermits {
  readonly #context: ShownPermitsContext;
  readonly #policies: Policies;
  #policy: DocumentValue | undefined;
  /** Control peers that have said which policy they know, or that they know of none. */
  readonly #said = new Set<string>();

  constructor(context: ShownPermitsContext) {
    this.#context = context;
    this.#policies = new Policies({ ...context, document: () => this.#policy });
  }

  /** A control peer says that this is the policy. True when it is news, and the owner's. */
  hear(bytes: Uint8Array, from: string): boolean {
    this.#said.add(from);
    return this.know(bytes);
  }

  /** A control peer says that it knows of none. */
  hearNone(from: string): void {
    this.#said.add(from);
  }

  /** True when this policy is news, and the owner's: an earlier version changes nothing. */
  know(bytes: Uint8Array): boolean {
    const { keys } = this.#context;
    const opened = openDocument(bytes, this.#context.charter(), keys);
    if (!opened.ok) return false;
    const { topic, name, version } = opened.value.document;
    const isPolicy = topic === policyDocument.topic && name === policyDocument.name;
    if (!isPolicy || version <= (this.#policy?.version ?? 0)) return false;
    this.#policy = { kind: "document", version, bytes };
    return true;
  }

  /** Why the step is not begun; null: nothing is demanded of it, or a majority of the control peers has permitted just that. */
  whyNot(submission: Submission, lease: GrantedLease, wallMs: number): string | null {
    const { run, index, permit } = lease;
    const reaching = this.#policies.reaching(submission);
    if (reaching.size === 0) return null;
    const mayBeGuarded = reaching.has(index) || heldBefore(submission, index, lease, reaching).length > 0;
    if (!mayBeGuarded) return null;
    // One control peer alone may know of no policy, or say so.
    if (!this.#isToldByMajority)
      return "no more than half of the control peers have said what the domain demands";
    for (const at of heldBefore(submission, index, lease, this.#policies.heldBack(submission)))
      if (!this.#isLetCount(submission, at, lease)) {
        const step = submission.manifest.plan.steps[at]?.name ?? "";
        return `a majority of the control peers has signed nothing that lets ${step} count`;
      }
    if (this.#policies.gateOf(submission, index, "before") === null) return null;
    const opened =
      permit === undefined ? null : openShownPermit(permit, this.#context.charter(), this.#context.keys);
    if (opened?.ok !== true) return "a majority of the control peers has signed no permit for it";
    if (wallMs > opened.value.untilMs + limits.signedApartMsMax) return "its permit is over";
    const { manifestCid: manifest } = submission;
    return whyNotFor(opened.value, { run, manifest, index, given: inputsDigest(lease) });
  }

  get #isToldByMajority(): boolean {
    const { controls, size } = this.#context.charter();
    return controls.filter(({ peer }) => this.#said.has(peer)).length >= quorumOf({ size });
  }

  #isLetCount(submission: Submission, index: number, lease: GrantedLease): boolean {
    const shown = lease.letCount?.find((one) => one.index === index);
    if (shown === undefined || !madeWhatIsGiven(submission, shown, lease)) return false;
    const { keys } = this.#context;
    const charter = this.#context.charter();
    const now = openShownPermit(shown.permit, charter, keys);
    const permit = now.ok ? now : openEarlierPermit(shown.permit, charter, keys);
    const { run, manifestCid: manifest } = submission;
    const place = { run, manifest, index, given: endDigest(shown.given, shown.ended) };
    return permit.ok && isToCount(permit.value, place, submittedSinceMs(submission));
  }
}

/** What this attempt is given of that step is what was let count. */
function madeWhatIsGiven(
  { manifest: { plan } }: Submission,
  { index, ended }: LetCount,
  lease: GrantedLease,
): boolean {
  const { inputs = [], valueInputs = [] } = plan.steps[lease.index] ?? {};
  const step = plan.steps[index]?.name;
  const files = inputs.filter((input) => input.step === step);
  const values = valueInputs.filter((input) => input.step === step);
  const trees = new Map(ended.outputs.map(({ name, tree }) => [name, tree]));
  return (
    lease.inputs.every(({ name, tree }) => {
      const input = files.find((one) => one.name === name);
      return input === undefined || trees.get(input.output) === tree;
    }) &&
    (lease.values ?? []).every(({ name, value }) => {
      const input = values.find((one) => one.name === name);
      return input === undefined || (ended.values ?? {})[input.value] === value;
    })
  );
}
