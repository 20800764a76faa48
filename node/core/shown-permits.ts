/**
 * What a worker looks at before it begins a step that the domain guards: the policy, as its owner signed it and whichever control
 * peer told it, and the permit that comes with the step. So a home opens no gate alone, whatever it grants.
 */

import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import { type GrantedLease, inputsDigest } from "../../protocol/messages.ts";
import { openShownPermit, whyNotFor } from "../../protocol/permits.ts";
import { policyDocument } from "../../protocol/policy.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { Policies } from "./policies.ts";

type ShownPermitsContext = { readonly keys: Verifier; charter(): Charter };

export class ShownPermits {
  readonly #context: ShownPermitsContext;
  readonly #policies: Policies;
  #policy: DocumentValue | undefined;

  constructor(context: ShownPermitsContext) {
    this.#context = context;
    this.#policies = new Policies({ ...context, document: () => this.#policy });
  }

  /** A control peer says that this is the policy. True when it is news, and the owner's: an earlier version changes nothing. */
  hear(bytes: Uint8Array): boolean {
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
  whyNot(submission: Submission, lease: GrantedLease): string | null {
    const { run, index, permit } = lease;
    if (this.#policies.gateOf(submission, index, "before") === null) return null;
    const opened =
      permit === undefined ? null : openShownPermit(permit, this.#context.charter(), this.#context.keys);
    if (opened?.ok !== true) return "a majority of the control peers has signed no permit for it";
    const { manifestCid: manifest } = submission;
    return whyNotFor(opened.value, { run, manifest, index, given: inputsDigest(lease) });
  }
}
