/**
 * Role certificates: each binds a peer, or a person, to one role for a while. The domain's owner signs one, or more than half of
 * the control peers that the domain had when it was issued, each for itself (`certifying.ts`): one that has gone bad makes nobody
 * a member.
 */

import { type Allowed, isAllowed } from "./allowed.ts";
import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import {
  type Charter,
  isListed,
  isRevoked,
  isRole,
  type Role,
  type Roll,
  spokeUntilMs,
} from "./membership.ts";
import { isShownName } from "./names.ts";
import { openQuorum, sealQuorum } from "./quorum.ts";

export type Certificate = {
  readonly otto: "certificate/1";
  readonly peer: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresMs: number;
  /** Of a worker; not there: whatever it says. */
  readonly allowed?: Allowed;
};

type Signed = { readonly certificate: Certificate; readonly signers: readonly string[] };

/** How long a new certificate is good. */
export function lifeMs(role: Role): number {
  return role === "worker" ? limits.workerCertificateMs : limits.certificateMs;
}

/** What one signs: the owner alone, or a control peer as one of those that it takes. */
export function sealCertificate(domain: string, certificate: Certificate, keys: Signer): Uint8Array {
  return sealEnvelope("certificate", domain, certificate, keys);
}

/**
 * Opens a certificate: signed by the owner or by a majority of control peers, and neither expired nor revoked by this peer's
 * wall clock. It is the caller who checks that the peer on the other side of the link is the one certified.
 *
 * How many it takes is what the charter says of the day on which it was issued: what a founder signed alone, when it was alone, holds
 * until it ends. Those that were control peers certified nobody for longer than from the day on which they were taken out.
 *
 * A control peer makes itself nothing else than what the charter says that it is, and nobody makes a control peer something else:
 * it would run what it decides about.
 */
export function openCertificate(
  bytes: Uint8Array,
  charter: Roll,
  wallMs: number,
  keys: Verifier,
): Result<Certificate, RefusedBecause> {
  const opened = openSigned(bytes, charter, keys);
  if (!opened.ok) return opened;
  const { certificate, signers } = opened.value;
  const { peer, role } = certificate;
  if (role !== "control" && isListed(charter, peer)) return failure("role");
  if (role !== "control" && signers.includes(peer)) return failure("role");
  if ([peer, ...signers].some((one) => isRevoked(charter, one, wallMs))) return failure("revoked");
  return certificate.expiresMs < wallMs ? failure("stranger") : success(certificate);
}

/** Who signed it; null: it does not hold. */
export function certifiersOf(bytes: Uint8Array, charter: Charter, keys: Verifier): readonly string[] | null {
  const opened = openSigned(bytes, charter, keys);
  return opened.ok ? opened.value.signers : null;
}

function openSigned(bytes: Uint8Array, charter: Charter, keys: Verifier): Result<Signed, RefusedBecause> {
  const lone = openEnvelope(bytes, { kind: "certificate", domain: charter.domain }, keys);
  if (!lone.ok && lone.problem !== "malformed") return lone;
  if (lone.ok) {
    const certificate = lone.value.value;
    if (!isCertificate(certificate)) return failure("malformed");
    const { signer } = lone.value.envelope;
    const signed = { certificate, signers: [signer] };
    if (signer === charter.owner) return success(signed);
    // What a control peer says of itself the charter says, too.
    const spokeMs = signer === certificate.peer ? spokeUntilMs(charter, signer) : null;
    if (spokeMs !== null && certificate.role === "control")
      return issuedAt(certificate) <= spokeMs + limits.signedApartMsMax
        ? success(signed)
        : failure("stranger");
  }
  const what = { kind: "certificate", signedMs: issuedMs, isOfItsDay: true } as const;
  const opened = openQuorum(lone.ok ? sealQuorum([bytes]) : bytes, what, charter, keys);
  if (!opened.ok) return opened;
  const { value, signers } = opened.value;
  return isCertificate(value) ? success({ certificate: value, signers }) : failure("malformed");
}

function issuedAt({ expiresMs, role }: Certificate): number {
  return expiresMs - lifeMs(role);
}

/** Null: it does not say. */
function issuedMs(value: unknown): number | null {
  return isCertificate(value) ? issuedAt(value) : null;
}

function isCertificate(value: unknown): value is Certificate {
  const certificate = value as Certificate | null;
  return (
    certificate?.otto === "certificate/1" &&
    typeof certificate.peer === "string" &&
    isShownName(certificate.name) &&
    isRole(certificate.role) &&
    (certificate.allowed === undefined || isAllowed(certificate.allowed)) &&
    Number.isSafeInteger(certificate.expiresMs)
  );
}
