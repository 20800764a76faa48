/**
 * Other domains that this one's owner trusts to release steps to it, or to run steps of its plans. A domain is known by its id, which
 * its owner's key is in; who its control peers are it says itself, in a charter that its owner signed.
 */

import { openDocument } from "../../protocol/documents.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import { type Charter, isNewer, openCharter, type SignedCharter } from "../../protocol/membership.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import type { StoredEntry, WriteOperation } from "../ports.ts";

export const neighbourKeys = {
  /** `neighbour/<domain>` -> the newest charter that the domain has shown, as its owner signed it */
  neighbours: "neighbour/",
} as const;

type NeighboursContext = {
  documents(): Iterable<readonly [name: string, value: DocumentValue]>;
  charter(): Charter;
  store(operation: WriteOperation): void;
  readonly keys: Verifier;
};

/** What a document of the topic `domain` holds. */
type NeighbourBody = { readonly charter: Uint8Array };

export class Neighbours {
  readonly #context: NeighboursContext;
  #trusted = new Map<string, Charter>();
  /** Newer charters that were shown by the domains themselves. */
  readonly #shown = new Map<string, Charter>();

  /** @param shown every entry under `neighbours` of `neighbourKeys`. */
  constructor(context: NeighboursContext, shown: readonly StoredEntry[]) {
    this.#context = context;
    for (const [key, bytes] of shown) {
      const domain = key.slice(neighbourKeys.neighbours.length);
      const opened = openCharter(bytes, domain, context.keys);
      if (opened.ok) this.#shown.set(domain, opened.value);
    }
  }

  /** The documents have changed. */
  refresh(): void {
    const trusted = new Map<string, Charter>();
    for (const [name, { bytes }] of this.#context.documents()) {
      if (!name.startsWith("domain/")) continue;
      const opened = openDocument(bytes, this.#context.charter(), this.#context.keys);
      const body = opened.ok ? (opened.value.document.body as NeighbourBody | null) : null;
      if (!(body?.charter instanceof Uint8Array)) continue;
      const charter = openCharter(body.charter, null, this.#context.keys);
      if (charter.ok) trusted.set(charter.value.domain, charter.value);
    }
    this.#trusted = trusted;
  }

  /** The newest charter of a trusted domain, by its id. */
  byId(domain: string): Charter | null {
    const trusted = this.#trusted.get(domain);
    if (trusted === undefined) return null;
    const shown = this.#shown.get(domain);
    return shown !== undefined && isNewer(shown, trusted) ? shown : trusted;
  }

  byName(name: string): Charter | null {
    const [only, second] = [...this.#trusted.values()].filter((charter) => charter.name === name);
    return only === undefined || second !== undefined ? null : this.byId(only.domain);
  }

  /**
   * A domain shows its charter. Who was taken out of its control peers signs for it no more once a newer one was seen.
   *
   * @returns false when the domain is not trusted, or the charter is older than one that is known.
   */
  accepts({ charter, bytes }: SignedCharter): boolean {
    const { domain } = charter;
    const known = this.byId(domain);
    if (known === null || isNewer(known, charter)) return false;
    if (isNewer(charter, known)) {
      this.#shown.set(domain, charter);
      this.#context.store({ kind: "put", key: neighbourKeys.neighbours + domain, value: bytes });
    }
    return true;
  }

  /** True for a control peer of a trusted domain. */
  hasControl(peer: string): boolean {
    return [...this.#trusted.keys()].some(
      (domain) => this.byId(domain)?.controls.some((control) => control.peer === peer) === true,
    );
  }
}
