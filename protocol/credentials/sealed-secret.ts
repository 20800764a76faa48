/**
 * A secret at rest: a document of the domain (`protocol/documents.ts`), signed by a person, with a header and the value
 * encrypted for each control peer that may use it and for the recovery key.
 *
 * age binds nothing to what it encrypts, so the encrypted part begins with the digest of the header: under another header,
 * or one with other destinations, it does not open, whoever has signed that. This file knows bytes; who encrypts and
 * decrypts is the edge's.
 */

import { type Document, openDocument } from "../documents.ts";
import type { RefusedBecause, Verifier } from "../envelope.ts";
import { failure, type Result, success } from "../errors.ts";
import type { Charter } from "../membership.ts";
import { decodeUntrusted, encodeValue, sha256Hex } from "../values.ts";
import { isSecretHeader, type SecretHeader } from "./secret.ts";

/** Secrets, each under its name. */
export const secretTopic = "secret";
/** The keys that secrets are sealed for: a control peer's, under its id. */
export const recipientTopic = "recipient";
/** The domain's own key to all secrets, which its owner keeps offline. */
export const recoveryDocument = { topic: "recovery", name: "recovery" } as const;

export type SecretBody = {
  /** Encoded: what is inside of the encrypted part names these very bytes. */
  readonly header: Uint8Array;
  /** An age file; empty when the secret is burnt or removed, and of tokens that the domain makes itself. */
  readonly sealed: Uint8Array;
};

export type OpenedSecret = SecretBody & {
  readonly secret: SecretHeader;
  /** Who signed it, by the name in the certificate. */
  readonly by: string;
  readonly timeMs: number;
};

export function encodeHeader(header: SecretHeader): Uint8Array {
  return encodeValue(header);
}

/** What a header says, to whoever has it from somebody who judged its signature. */
export function decodeHeader(bytes: Uint8Array): SecretHeader | null {
  const decoded = decodeUntrusted(bytes);
  return decoded.ok && isSecretHeader(decoded.value) ? decoded.value : null;
}

/** What is encrypted: the value, and whose it is. */
export function plaintextOf(header: Uint8Array, value: Uint8Array): Uint8Array {
  return encodeValue({ header: sha256Hex(header), value });
}

/** The value in what was decrypted, when it is this header's. */
export function valueIn(plaintext: Uint8Array, header: Uint8Array): Uint8Array | null {
  const decoded = decodeUntrusted(plaintext);
  const inside = decoded.ok ? (decoded.value as { header?: unknown; value?: unknown } | null) : null;
  const isOwn = inside?.header === sha256Hex(header) && inside.value instanceof Uint8Array;
  return isOwn ? (inside.value as Uint8Array) : null;
}

/**
 * Judges a document from anybody: that it is a secret, and what its register says: this one, in this version. One that is
 * put back, or under another name, is refused.
 */
export function openSecret(
  bytes: Uint8Array,
  expected: { readonly name: string; readonly version: number },
  charter: Charter,
  keys: Verifier,
): Result<OpenedSecret, RefusedBecause> {
  const opened = openDocument(bytes, charter, keys);
  if (!opened.ok) return opened;
  const { document, person } = opened.value;
  if (document.topic !== secretTopic || person === null) return failure("role");
  if (document.name !== expected.name || document.version !== expected.version) return failure("stranger");
  return secretIn(document, person.name);
}

/** @param by who signed the document. */
export function secretIn(document: Document, by: string): Result<OpenedSecret, RefusedBecause> {
  const body = document.body as Partial<SecretBody> | null;
  if (!(body?.header instanceof Uint8Array) || !(body.sealed instanceof Uint8Array))
    return failure("malformed");
  const { header, sealed } = body;
  const secret = decodeHeader(header);
  const hasValue = secret?.state === "sealed" && secret.kind !== "oidc";
  if (secret === null || sealed.length > 0 !== hasValue) return failure("malformed");
  // What is inside of the signature twice must be the same twice.
  if (secret.name !== document.name || secret.version !== document.version) return failure("malformed");
  return success({ header, sealed, secret, by, timeMs: document.timeMs });
}

export type Recipient = { readonly peer: string; readonly recipient: string };

/** The key in a document of the recovery or of a control peer; null: it is none, or another peer's. */
export function recipientIn({ topic, name, body }: Document, signer: string): Recipient | null {
  const recipient = (body as { recipient?: unknown } | null)?.recipient;
  const isOwn = topic === recoveryDocument.topic ? name === recoveryDocument.name : name === signer;
  if (!isOwn || typeof recipient !== "string" || !/^age1[a-z0-9]{58}$/u.test(recipient)) return null;
  return { peer: name, recipient };
}
