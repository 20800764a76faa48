/**
 * The signed envelope: bytes, what they are, whose they are and in which domain they count.
 *
 * Promises: the signature covers the exact bytes together with their kind and domain (DSSE's pre-authentication
 * encoding), so nothing signed for one use or domain passes in another; an envelope is opened only after its
 * signature and its signer's standing were checked, and every refusal has a reason that is counted.
 *
 * @source https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
 */

import { equals } from "uint8arrays/equals";
import { failure, type Result, success } from "./errors.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export type EnvelopeKind =
  | "charter"
  | "certificate"
  | "manifest"
  | "result"
  | "log-entry"
  | "answer"
  | "announcement"
  | "invite"
  | "application"
  | "renewal"
  | "document"
  | "permit"
  | "release"
  | "outcome"
  | "audit";

type Envelope = {
  readonly kind: EnvelopeKind;
  readonly domain: string;
  readonly signer: string;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
};

export type OpenedEnvelope = { readonly envelope: Envelope; readonly value: unknown };

/** Why bytes from a peer were not taken. Each is counted under its name. */
export type RefusedBecause =
  | "malformed"
  | "oversized"
  | "unsigned"
  | "bad-signature"
  | "stranger"
  | "other-domain"
  | "role"
  /** The domain has taken back what the peer was allowed. */
  | "revoked"
  | "flood"
  /** An entry of a log whose author is proven to tell different things in it. */
  | "forked"
  /** A kind of message that this version does not know. */
  | "unknown";

export type Signer = { readonly peer: string; sign(bytes: Uint8Array): Uint8Array };

export type Verifier = {
  verify(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean;
  /** Where many peers live in one process: what these very bytes were found to be before, or else what `judge` finds. */
  readonly recall?: <Found>(what: string, domain: string, bytes: Uint8Array, judge: () => Found) => Found;
};

/**
 * What bytes are found to be as `what` and in a domain (empty: in any), which depends on nothing else. Judged anew where
 * nothing is remembered.
 */
export function recalled<Found>(
  keys: Verifier,
  { what, domain }: { readonly what: string; readonly domain: string },
  bytes: Uint8Array,
  judge: () => Found,
): Found {
  return keys.recall === undefined ? judge() : keys.recall(what, domain, bytes, judge);
}

const encoder = new TextEncoder();

/** Signs a value. Returns the envelope's bytes, ready to be sent, stored and hashed. */
export function sealEnvelope(kind: EnvelopeKind, domain: string, value: unknown, keys: Signer): Uint8Array {
  const payload = encodeValue(value);
  const signature = keys.sign(toBeSigned(kind, domain, payload));
  return encodeValue([kind, domain, keys.peer, payload, signature]);
}

/**
 * Opens an envelope of a stated kind and domain (`null`: any domain; the caller checks it).
 * The payload is decoded only after the signature held, and only in canonical form.
 */
export function openEnvelope(
  bytes: Uint8Array,
  expected: { readonly kind: EnvelopeKind; readonly domain: string | null },
  keys: Verifier,
): Result<OpenedEnvelope, RefusedBecause> {
  const { kind, domain } = expected;
  return recalled(keys, { what: kind, domain: domain ?? "" }, bytes, () =>
    judgeEnvelope(bytes, expected, keys),
  );
}

function judgeEnvelope(
  bytes: Uint8Array,
  expected: { readonly kind: EnvelopeKind; readonly domain: string | null },
  keys: Verifier,
): Result<OpenedEnvelope, RefusedBecause> {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 5) return failure("malformed");
  const [kind, domain, signer, payload, signature] = decoded.value as unknown[];
  if (kind !== expected.kind || typeof domain !== "string" || typeof signer !== "string")
    return failure("malformed");
  if (!(payload instanceof Uint8Array) || !(signature instanceof Uint8Array)) return failure("malformed");
  if (signature.length === 0) return failure("unsigned");
  if (expected.domain !== null && domain !== expected.domain) return failure("other-domain");
  if (!keys.verify(signer, toBeSigned(expected.kind, domain, payload), signature))
    return failure("bad-signature");
  const value = decodeUntrusted(payload);
  if (!value.ok) return failure("malformed");
  return success({
    envelope: { kind: expected.kind, domain, signer, payload, signature },
    value: value.value,
  });
}

/** What an envelope holds, neither judged nor decoded. Null: the bytes are no envelope. */
export function payloadIn(bytes: Uint8Array): Uint8Array | null {
  const decoded = decodeUntrusted(bytes);
  const payload: unknown = decoded.ok && Array.isArray(decoded.value) ? decoded.value[3] : null;
  return payload instanceof Uint8Array ? payload : null;
}

/** What is signed, apart: the bytes that a signature covers say all three. */
export type Statement = {
  readonly kind: EnvelopeKind;
  readonly domain: string;
  readonly payload: Uint8Array;
};

/** Null: nothing is signed that reads so. */
export function statementIn(bytes: Uint8Array): Statement | null {
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 200));
  const [whole, , kind, domain, length] =
    /^DSSEv1 ([0-9]{1,3}) otto\/([a-z-]+)\/1;domain=([0-9a-f]{32}) ([0-9]{1,9}) /u.exec(head) ?? [];
  if (whole === undefined || domain === undefined || Number(length) !== bytes.length - whole.length)
    return null;
  const payload = bytes.subarray(whole.length);
  const statement: Statement = { kind: kind as EnvelopeKind, domain, payload };
  return equals(toBeSigned(statement.kind, domain, payload), bytes) ? statement : null;
}

/** The envelope, signed elsewhere. */
export function sealedBy(
  { kind, domain, payload }: Statement,
  signer: string,
  signature: Uint8Array,
): Uint8Array {
  return encodeValue([kind, domain, signer, payload, signature]);
}

function toBeSigned(kind: EnvelopeKind, domain: string, payload: Uint8Array): Uint8Array {
  const type = `otto/${kind}/1;domain=${domain}`;
  const head = encoder.encode(`DSSEv1 ${type.length} ${type} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}
