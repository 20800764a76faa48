/**
 * Who is a peer or a person of the domain no more, as far as this peer has heard: signed documents, judged once by the home that
 * took them, that every control peer holds and no home takes back.
 */

import { type OpenedDocument, openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { Charter, Roll } from "../../protocol/membership.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { revocationIn, type Revocation, revocationTopic, type Revoked } from "../../protocol/revocation.ts";

type RevocationsContext = {
  documents(): Iterable<readonly [name: string, value: DocumentValue]>;
  charter(): Charter;
  readonly keys: Verifier;
  /** True when the policy lets this key revoke. */
  mayRevoke(key: string): boolean;
};

export class Revocations {
  readonly #context: RevocationsContext;
  #revoked: Revoked = new Map();
  #roll: Roll | null = null;
  #rollOf: Charter | null = null;

  constructor(context: RevocationsContext) {
    this.#context = context;
  }

  get all(): Revoked {
    return this.#revoked;
  }

  /** The documents have changed. Returns the peers that are revoked since. */
  refresh(): string[] {
    const context = this.#context;
    const revoked = new Map<string, Revocation>();
    for (const [name, { bytes }] of context.documents()) {
      if (!name.startsWith(`${revocationTopic}/`)) continue;
      const opened = openDocument(bytes, context.charter(), context.keys);
      const revocation = opened.ok ? revocationIn(opened.value) : null;
      if (revocation !== null) revoked.set(revocation.peer, revocation);
    }
    const before = this.#revoked;
    this.#revoked = revoked;
    this.#roll = null;
    return [...revoked.keys()].filter((peer) => !before.has(peer));
  }

  /** The charter, by which certificates are judged, with those whose certificates count no more. */
  get roll(): Roll {
    const charter = this.#context.charter();
    if (this.#roll !== null && this.#rollOf === charter) return this.#roll;
    this.#rollOf = charter;
    this.#roll = { ...charter, revoked: this.#revoked };
    return this.#roll;
  }

  /** Why a document is not taken, as a sentence; null: it is, or it is no revocation. */
  whyNot(opened: OpenedDocument): string | null {
    const { document, signer, person } = opened;
    if (person !== null && this.#revoked.has(signer)) return "its signer was revoked";
    if (document.topic !== revocationTopic) return null;
    const { controls, owner } = this.#context.charter();
    if (revocationIn(opened) === null) return "it says nothing that a revocation says";
    if (document.version !== 1) return "that peer is revoked already";
    if (document.name === owner) return "it is the owner's key";
    if (controls.some(({ peer }) => peer === document.name)) return "it is a control peer of the domain";
    const isEntitled = person === null || this.#context.mayRevoke(signer);
    return isEntitled ? null : "the domain's policy does not let its signer revoke";
  }
}
