/**
 * Tells the domain the key that secrets are to be sealed for, so that this control peer can open them: a document that it
 * signs itself. The vault is not started for what the domain knows already.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { recipientIn, recipientTopic } from "../../../protocol/credentials/sealed-secret.ts";
import { documentName, openDocument, sealDocument } from "../../../protocol/documents.ts";
import type { Charter } from "../../../protocol/membership.ts";
import type { Identity } from "../identity.ts";
import type { Vault } from "./vault.ts";

export type RecipientSources = {
  readonly identity: Identity;
  readonly vault: Vault;
  /** The vault's. */
  readonly folder: string;
  readonly charter: () => Charter;
  document(name: string): { readonly version: number; readonly bytes: Uint8Array } | undefined;
  readonly put: (document: Uint8Array) => Promise<void>;
};

export class OwnRecipient {
  readonly #sources: RecipientSources;
  #telling: Promise<void> | null = null;

  constructor(sources: RecipientSources) {
    this.#sources = sources;
  }

  /** Resolves when the domain knows it; rejects when it could not be told now. */
  tell(): Promise<void> {
    this.#telling ??= this.#tell().finally(() => (this.#telling = null));
    return this.#telling;
  }

  async #tell(): Promise<void> {
    const { identity, put, charter } = this.#sources;
    const known = this.#sources.document(documentName({ topic: recipientTopic, name: identity.peer }));
    const own = await this.#own();
    if (known !== undefined) {
      const opened = openDocument(known.bytes, charter(), identity);
      const told = opened.ok ? recipientIn(opened.value.document, opened.value.signer) : null;
      if (told?.recipient === own) return;
    }
    const name = { topic: recipientTopic, name: identity.peer, version: (known?.version ?? 0) + 1 } as const;
    const document = { otto: "document/1", ...name, timeMs: Date.now(), body: { recipient: own } } as const;
    await put(sealDocument(document, charter().domain, { keys: identity, certificate: null }));
  }

  async #own(): Promise<string> {
    const { vault, folder } = this.#sources;
    const file = join(folder, "recipient");
    if (existsSync(file)) return readFileSync(file, "utf8");
    const recipient = await vault.recipient();
    writeFileSync(file, recipient, { mode: 0o600 });
    return recipient;
  }
}
