/**
 * What a majority of a domain's control peers says: the same statement, signed by each of them for itself, so that who agreed
 * can be told apart and audited. One control peer alone cannot make it, whatever it signs.
 */

import { equals } from "uint8arrays/equals";
import { failure, type Result, success } from "./errors.ts";
import {
  type EnvelopeKind,
  openEnvelope,
  payloadIn,
  type RefusedBecause,
  type Verifier,
} from "./envelope.ts";
import { limits } from "./limits.ts";
import { type Charter, sizeAt, spokeUntilMs, wasControl } from "./membership.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

/** How many control peers must sign: more than half. */
export function quorumOf({ size }: Pick<Charter, "size">): number {
  return Math.floor(size / 2) + 1;
}

/** @param envelopes one of each signer, of one kind and one payload. */
export function sealQuorum(envelopes: readonly Uint8Array[]): Uint8Array {
  return encodeValue(envelopes);
}

/** What a quorum says to have signed, not judged. Null: it is nothing of the kind. */
export function saidByQuorum(bytes: Uint8Array): unknown {
  const decoded = decodeUntrusted(bytes);
  const first: unknown = decoded.ok && Array.isArray(decoded.value) ? decoded.value[0] : null;
  const payload = first instanceof Uint8Array ? payloadIn(first) : null;
  const said = payload === null ? null : decodeUntrusted(payload);
  return said?.ok === true ? said.value : null;
}

/**
 * Opens what a quorum signed: envelopes of one kind and payload, of different control peers of the charter, or of ones before it that
 * were ones when it was signed. Returns the payload's value, whose shape is the caller's to judge.
 *
 * @param what `signedMs`: when it was signed, as the value says, milliseconds since 1970; null: it does not say, and nobody who was
 * taken out since counts. `isOfItsDay`: it takes more than half of those that were control peers then, not of today's, and nobody
 * else counts: one that came later would sign alone what it dates before the domain grew, and one that left what it dates after that.
 */
export function openQuorum(
  bytes: Uint8Array,
  what: {
    readonly kind: EnvelopeKind;
    readonly isOfItsDay?: true;
    signedMs(value: unknown): number | null;
  },
  charter: Charter,
  keys: Verifier,
): Result<{ readonly value: unknown; readonly signers: readonly string[] }, RefusedBecause> {
  if (bytes.length > limits.quorumBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length > limits.controlPeersMax)
    return failure("malformed");
  const signers = new Set<string>();
  let said: { readonly payload: Uint8Array; readonly value: unknown } | null = null;
  for (const one of decoded.value as unknown[]) {
    if (!(one instanceof Uint8Array)) return failure("malformed");
    const opened = openEnvelope(one, { kind: what.kind, domain: charter.domain }, keys);
    if (!opened.ok) return opened;
    const { envelope, value } = opened.value;
    const untilMs = spokeUntilMs(charter, envelope.signer);
    if (untilMs === null || (what.signedMs(value) ?? Infinity) > untilMs + limits.signedApartMsMax)
      return failure("stranger");
    if (said !== null && !equals(said.payload, envelope.payload)) return failure("malformed");
    said = { payload: envelope.payload, value };
    signers.add(envelope.signer);
  }
  if (said === null) return failure("unsigned");
  const dayMs = what.isOfItsDay === true ? what.signedMs(said.value) : null;
  const isEnough =
    dayMs === null ? signers.size >= quorumOf(charter) : areEnoughOfDay([...signers], charter, dayMs);
  if (!isEnough) return failure("unsigned");
  return success({ value: said.value, signers: [...signers] });
}

/** Or enough of today's: they may sign whatever they like, and their clocks may be behind that of the owner who made the domain grow. */
function areEnoughOfDay(signers: readonly string[], charter: Charter, dayMs: number): boolean {
  const size = Math.max(1, sizeAt(charter, dayMs));
  const today = signers.filter((signer) => charter.controls.some(({ peer }) => peer === signer));
  const then = signers.filter((signer) => wasControl(charter, signer, dayMs));
  return today.length >= quorumOf(charter) || then.length >= quorumOf({ size });
}
