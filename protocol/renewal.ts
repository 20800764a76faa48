/**
 * How a certificate is renewed: whose it is asks for one like it, under its own signature, while the one that it has still holds.
 * So nobody keeps another's standing alive, and one that was stolen with its key ends with the first revocation, or when its owner is away.
 */

import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import { certifiersOf, type Certificate, lifeMs, openCertificate } from "./certificate.ts";
import type { Charter, Roll } from "./membership.ts";
import { quorumOf } from "./quorum.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

type Renewal = { readonly otto: "renewal/1"; readonly timeMs: number };

/**
 * When a certificate is to be renewed, in wall-clock time: when a third of its life is left; and at once (0) when fewer of today's
 * control peers have signed it than it takes today, or it holds no more at all.
 */
export function renewFromMs(bytes: Uint8Array, charter: Charter, keys: Verifier): number {
  const signers = certifiersOf(bytes, charter, keys);
  const certificate = openCertificate(bytes, charter, 0, keys);
  if (signers === null || !certificate.ok) return 0;
  const isControl = (signer: string): boolean => charter.controls.some(({ peer }) => peer === signer);
  const isAlone = signers.includes(charter.owner) || signers.includes(certificate.value.peer);
  const isOfToday = isAlone || signers.filter(isControl).length >= quorumOf(charter);
  return isOfToday ? certificate.value.expiresMs - lifeMs(certificate.value.role) / 3 : 0;
}

export function sealRenewal(
  timeMs: number,
  domain: string,
  { keys, certificate }: { readonly keys: Signer; readonly certificate: Uint8Array },
): Uint8Array {
  const renewal: Renewal = { otto: "renewal/1", timeMs };
  return encodeValue([sealEnvelope("renewal", domain, renewal, keys), certificate]);
}

/** Judges it by this peer's clock. Returns the certificate that is to be renewed. */
export function openRenewal(
  bytes: Uint8Array,
  charter: Roll,
  wallMs: number,
  keys: Verifier,
): Result<Certificate, RefusedBecause> {
  if (bytes.length > limits.helloBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok || !Array.isArray(decoded.value) || decoded.value.length !== 2) return failure("malformed");
  const [envelope, certificate] = decoded.value as unknown[];
  if (!(envelope instanceof Uint8Array) || !(certificate instanceof Uint8Array)) return failure("malformed");
  const opened = openEnvelope(envelope, { kind: "renewal", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const present = openCertificate(certificate, charter, wallMs, keys);
  if (!present.ok) return present;
  if (present.value.peer !== opened.value.envelope.signer) return failure("stranger");
  const { otto, timeMs } = (opened.value.value ?? {}) as Partial<Renewal>;
  if (otto !== "renewal/1" || !Number.isSafeInteger(timeMs)) return failure("malformed");
  const isOfNow = Math.abs((timeMs ?? 0) - wallMs) <= limits.signedApartMsMax;
  return isOfNow ? success(present.value) : failure("stranger");
}
