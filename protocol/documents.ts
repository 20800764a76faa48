/**
 * Signed documents: what a domain keeps besides its runs, each in a register of its own that every control peer holds.
 *
 * The signature covers topic, name and version, so a document is never taken for another or put back in place of a later
 * one. Who may sign depends on the topic alone. A body of null: it was taken away.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import { type Certificate, openCertificate } from "./certificate.ts";
import { type Charter, hasSpoken } from "./membership.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

/**
 * Who signs a document: the owner of the domain, a person of the domain, or the control peer whose id is its name.
 *
 * - `policy`: what the domain demands (`policy.ts`)
 * - `secret`: a sealed secret (`credentials/sealed-secret.ts`)
 * - `recipient`: the key that secrets are sealed for, a control peer's own
 * - `issuer`: the key by which tokens of the domain are signed (`credentials/issuer.ts`)
 * - `recovery`: the domain's own, which opens them when all control peers are lost
 * - `revocation`: a peer or a person of the domain is one no more (`revocation.ts`), by its id; also by a person whom the policy names
 * - `domain`: the charter of another domain that this one trusts (`release.ts`), by its name
 */
const signers = {
  policy: "owner",
  secret: "person",
  recipient: "control",
  issuer: "owner",
  recovery: "owner",
  domain: "owner",
  revocation: "owner or person",
} as const;

type DocumentTopic = keyof typeof signers;

export type Document = {
  readonly otto: "document/1";
  readonly topic: DocumentTopic;
  readonly name: string;
  readonly version: number;
  /** When it was signed, milliseconds since 1970: its signer's certificate must have held then. */
  readonly timeMs: number;
  /** Null: taken away. */
  readonly body: unknown;
};

export type OpenedDocument = {
  readonly document: Document;
  readonly signer: string;
  /** The certificate of the person who signed it; null for the owner and for a control peer. */
  readonly person: Certificate | null;
};

/** @param certificate the person's; null for the owner and for a control peer. */
export function sealDocument(
  document: Document,
  domain: string,
  { keys, certificate }: { readonly keys: Signer; readonly certificate: Uint8Array | null },
): Uint8Array {
  return encodeValue([sealEnvelope("document", domain, document, keys), certificate]);
}

/** What it is called in the domain: `<topic>/<name>`. */
export function documentName({ topic, name }: Pick<Document, "topic" | "name">): string {
  return `${topic}/${name}`;
}

/** Judges a document from anybody: size, signature, and that its signer may sign one of its topic. The body is its topic's. */
export function openDocument(
  bytes: Uint8Array,
  charter: Charter,
  keys: Verifier,
): Result<OpenedDocument, RefusedBecause> {
  if (bytes.length > limits.documentBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 2) return failure("malformed");
  const [envelope, certificate] = decoded.value as unknown[];
  if (!(envelope instanceof Uint8Array)) return failure("malformed");
  if (certificate !== null && !(certificate instanceof Uint8Array)) return failure("malformed");
  const opened = openEnvelope(envelope, { kind: "document", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const document = opened.value.value;
  if (!isDocument(document)) return failure("malformed");
  const { signer } = opened.value.envelope;
  const person = personOf(document, { signer, certificate }, charter, keys);
  return person.ok ? success({ document, signer, person: person.value }) : person;
}

/** Null: the owner or the control peer itself has signed it, as its topic asks. */
function personOf(
  { topic, timeMs }: Document,
  { signer, certificate }: { readonly signer: string; readonly certificate: Uint8Array | null },
  charter: Charter,
  keys: Verifier,
): Result<Certificate | null, RefusedBecause> {
  const who: "owner" | "person" | "control" | "owner or person" = signers[topic];
  if (who === "owner or person" && certificate === null)
    return signer === charter.owner ? success(null) : failure("role");
  if (who === "owner") return signer === charter.owner ? success(null) : failure("role");
  if (who === "control") return hasSpoken(charter, signer) ? success(null) : failure("role");
  if (certificate === null) return failure("unsigned");
  const opened = openCertificate(certificate, charter, timeMs, keys);
  if (!opened.ok) return opened;
  if (opened.value.peer !== signer) return failure("stranger");
  return opened.value.role === "person" ? opened : failure("role");
}

function isDocument(value: unknown): value is Document {
  const document = value as Document | null;
  return (
    document?.otto === "document/1" &&
    typeof document.topic === "string" &&
    Object.hasOwn(signers, document.topic) &&
    typeof document.name === "string" &&
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/u.test(document.name) &&
    Number.isSafeInteger(document.version) &&
    document.version > 0 &&
    Number.isSafeInteger(document.timeMs) &&
    "body" in document
  );
}
