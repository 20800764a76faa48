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
 * Without it, it takes as many as today; who has left since counts where those that it took then have signed.
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
  const enough = new Count([...signers], charter, what.signedMs(said.value));
  if (what.isOfItsDay === true ? !enough.ofToday && !enough.ofItsDay : !enough.now)
    return failure("unsigned");
  return success({ value: said.value, signers: [...signers] });
}

/** Whether signers are enough, by who was a control peer when. */
class Count {
  readonly #signers: readonly string[];
  readonly #charter: Charter;
  readonly #dayMs: number | null;

  constructor(signers: readonly string[], charter: Charter, dayMs: number | null) {
    this.#signers = signers;
    this.#charter = charter;
    this.#dayMs = dayMs;
  }

  /** They may sign whatever they like, and their clocks may be behind that of the owner who made the domain grow. */
  get ofToday(): boolean {
    const { controls } = this.#charter;
    const today = this.#signers.filter((signer) => controls.some(({ peer }) => peer === signer));
    return today.length >= quorumOf(this.#charter);
  }

  get ofItsDay(): boolean {
    return this.#dayMs !== null && this.#areEnoughAt(this.#dayMs);
  }

  /** As many as it takes today, and who left since counts with those that it took then: a domain that shrinks gives none of them more say. */
  get now(): boolean {
    if (this.ofToday) return true;
    const day = this.#dayMs;
    if (day === null || this.#signers.length < quorumOf(this.#charter)) return false;
    return [day, day - limits.signedApartMsMax - 1].some((timeMs) => this.#areEnoughAt(timeMs));
  }

  #areEnoughAt(timeMs: number): boolean {
    const then = this.#signers.filter((signer) => wasControl(this.#charter, signer, timeMs));
    return then.length >= quorumOf({ size: Math.max(1, sizeAt(this.#charter, timeMs)) });
  }
}
