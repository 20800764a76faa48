/**
 * A revocation: the domain takes back what a peer or a person was allowed, before its certificate ends by itself.
 *
 * A signed document (`documents.ts`) that is called by the peer's id. It is never taken back: whoever is let in again comes with
 * another key.
 */

import type { OpenedDocument } from "./documents.ts";
import { limits } from "./limits.ts";

export type Revocation = {
  readonly peer: string;
  /** What it was called. */
  readonly name: string;
  readonly because: string;
  /** Clock of who signed it, milliseconds since 1970. */
  readonly atMs: number;
  /** The key that signed it: the owner's, or a person's. */
  readonly by: string;
};

/** Who was revoked, by peer ids. */
export type Revoked = ReadonlyMap<string, Revocation>;

export const revocationTopic = "revocation";

/** Null: the document is no revocation. */
export function revocationIn({ document, signer: by }: OpenedDocument): Revocation | null {
  const body = document.body as { readonly name?: unknown; readonly because?: unknown } | null;
  const isOne =
    document.topic === revocationTopic &&
    typeof body?.name === "string" &&
    body.name.length <= limits.nameCharactersMax &&
    typeof body.because === "string" &&
    body.because.length <= limits.policyWordsMax;
  if (!isOne) return null;
  const { name, because } = body as { name: string; because: string };
  return { peer: document.name, name, because, atMs: document.timeMs, by };
}
