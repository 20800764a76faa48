/**
 * The register of a signed document: a policy, a revocation, a secret's sealed record. Whoever puts the next version names it, so
 * of two that were made from the same one the second is told, and nothing older comes back.
 *
 *   (absent) --put 1--> version 1 --put 2--> version 2 ...     (one that is taken away is a version that says so)
 *
 * What a document says and who may sign it is `protocol/documents.ts`'s. Pure: a refusal says why and changes nothing.
 */

import { equals } from "uint8arrays/equals";
import type { Evaluation, RegisterValue } from "./registers.ts";

export type DocumentValue = {
  readonly kind: "document";
  /** From 1, and one more each time. */
  readonly version: number;
  /** As it was signed. */
  readonly bytes: Uint8Array;
};

export type DocumentCommand = {
  readonly kind: "put-document";
  readonly version: number;
  readonly bytes: Uint8Array;
};

const prefix = "document/";

/** @param document its topic and name, `policy/domain`. */
export function documentRegister(document: string): string {
  return prefix + document;
}

/** The topic and name of the document whose register it is, or null for any other register. */
export function documentOfRegister(name: string): string | null {
  return name.startsWith(prefix) ? name.slice(prefix.length) : null;
}

export function evaluateDocument(value: RegisterValue | null, command: DocumentCommand): Evaluation {
  if (value !== null && value.kind !== "document") return { kind: "refused", reason: "absent" };
  const { version, bytes } = command;
  if (version === (value?.version ?? 0) + 1)
    return { kind: "changed", value: { kind: "document", version, bytes } };
  const isSame = value !== null && value.version === version && equals(value.bytes, bytes);
  return { kind: "refused", reason: isSame ? "duplicate" : "stale" };
}
