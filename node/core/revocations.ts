/**
 * Peers and people whose certificates the domain's owner has revoked: nothing that they say counts any more, and no link to them is
 * held. A key that was revoked stays so; whoever is to come back joins with another.
 */

import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";

type RevocationsContext = {
  documents(): Iterable<readonly [name: string, value: DocumentValue]>;
  charter(): Charter;
  readonly keys: Verifier;
};

const prefix = "revocation/";

export class Revocations {
  readonly #context: RevocationsContext;
  #revoked = new Set<string>();

  constructor(context: RevocationsContext) {
    this.#context = context;
  }

  /** The documents have changed. */
  refresh(): void {
    for (const [name, { bytes }] of this.#context.documents()) {
      const peer = name.startsWith(prefix) ? name.slice(prefix.length) : null;
      if (peer === null || this.#revoked.has(peer)) continue;
      const opened = openDocument(bytes, this.#context.charter(), this.#context.keys);
      if (opened.ok && opened.value.document.name === peer) this.#revoked.add(peer);
    }
  }

  get all(): ReadonlySet<string> {
    return this.#revoked;
  }

  has(peer: string): boolean {
    return this.#revoked.has(peer);
  }
}
