/**
 * Who belongs to a domain: its charter, its role certificates, its invites.
 *
 * A domain is named by its owner's key: `id` is a hash of the name and that key, so a charter cannot be swapped
 * for another's. The charter lists the control peers; a certificate binds a peer to one role; an invite lets
 * one stranger ask for a certificate once.
 */

import { type Allowed, isAllowed } from "./allowed.ts";
import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import type { Revoked } from "./revocation.ts";
import { encodeValue, sha256Hex } from "./values.ts";

export type Role = "control" | "worker" | "person";

export type ControlPeer = {
  readonly peer: string;
  /** Names its database: a peer whose database was wiped or replaced has another, and does not vote with it. */
  readonly store: string;
  /** Multiaddrs at which workers and people reach it. */
  readonly addresses: readonly string[];
};

/** A peer that was a control peer: what it signed then still holds. */
type FormerControl = {
  readonly peer: string;
  /** When the owner took it out, milliseconds since 1970: what it signs later counts for nothing. */
  readonly sinceMs: number;
};

export type Charter = {
  readonly otto: "charter/1";
  readonly domain: string;
  readonly name: string;
  readonly owner: string;
  /** Rises with every change. */
  readonly version: number;
  /** Rises with every change of who votes, once the domain is formed. */
  readonly configuration: number;
  /** How many control peers the domain has; fewer are listed while it is being formed. */
  readonly size: number;
  readonly controls: readonly ControlPeer[];
  readonly former: readonly FormerControl[];
  readonly leaseMs: number;
};

/** A charter, opened and as its owner signed it. */
export type SignedCharter = { readonly charter: Charter; readonly bytes: Uint8Array };

/** A charter, with what whoever holds it has heard besides: that is never signed, nor said to anybody. */
export type Roll = Charter & { readonly revoked?: Revoked };

export type Certificate = {
  readonly otto: "certificate/1";
  readonly peer: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresMs: number;
  /** Of a worker; not there: whatever it says. */
  readonly allowed?: Allowed;
};

export type Invite = {
  readonly otto: "invite/1";
  readonly nonce: string;
  readonly role: Role;
  readonly expiresMs: number;
  /** Of a worker; not there: whatever it says. */
  readonly allowed?: Allowed;
  /** True: the machine becomes a member, and nobody at it a person of the domain. */
  readonly machineOnly?: boolean;
  /** Where to ask: multiaddrs that end in `/p2p/<peer>`. */
  readonly addresses: readonly string[];
};

export function domainId(name: string, owner: string): string {
  return sha256Hex(encodeValue({ name, owner })).slice(0, 32);
}

/** True once every control peer is known: before that nothing is decided. */
export function isFormed(charter: Charter): boolean {
  return charter.controls.length === charter.size;
}

/** True for a control peer of this charter or of one before it: it may have recorded what happened, and certified. */
export function hasSpoken(charter: Charter, peer: string): boolean {
  return spokeUntilMs(charter, peer) !== null;
}

/** Until when the word of a control peer counts, milliseconds since 1970: `Infinity` while it is one. Null: it never was. */
export function spokeUntilMs({ controls, former }: Charter, peer: string): number | null {
  if (controls.some((control) => control.peer === peer)) return Infinity;
  return former.find((one) => one.peer === peer)?.sinceMs ?? null;
}

/**
 * True when a domain that has this charter by now had all control peers of the other one still at that time: what they signed
 * together counts as it did.
 */
export function wereControls(then: Charter, now: Charter, timeMs: number): boolean {
  if (then.domain !== now.domain || isNewer(then, now)) return false;
  return then.controls.every(({ peer }) => (spokeUntilMs(now, peer) ?? 0) >= timeMs);
}

/** How long a new certificate is good. */
export function lifeMs(role: Role): number {
  return role === "worker" ? limits.workerCertificateMs : limits.certificateMs;
}

/** True when the first charter takes the place of the second. */
export function isNewer(charter: Charter, known: Charter): boolean {
  return (charter.configuration - known.configuration || charter.version - known.version) > 0;
}

/** The next configuration of a formed domain from `wallMs` on: other control peers, or the same ones with other databases. */
export function successorOf(charter: Charter, controls: readonly ControlPeer[], wallMs: number): Charter {
  const leaving = charter.controls.map(({ peer }) => ({ peer, sinceMs: wallMs }));
  const former = [...charter.former, ...leaving].filter(({ peer }) =>
    controls.every((control) => control.peer !== peer),
  );
  const next = { version: charter.version + 1, configuration: charter.configuration + 1 };
  return { ...charter, ...next, size: controls.length, controls, former };
}

/** Null when the second charter may follow the first; else why not, as the end of a sentence. */
export function whyNotSuccessor(charter: Charter, next: Charter): string | null {
  const peers = next.controls.map(({ peer }) => peer);
  if (next.domain !== charter.domain || next.leaseMs !== charter.leaseMs) return "it is of another domain";
  if (next.configuration !== charter.configuration + 1 || next.version <= charter.version)
    return `it does not follow configuration ${charter.configuration}, which the domain has`;
  if (peers.length === 0 || peers.length > limits.controlPeersMax)
    return `a domain has 1 to ${limits.controlPeersMax} control peers`;
  if (!isFormed(next) || new Set(peers).size !== peers.length)
    return "its control peers are not as many as it says";
  const forgotten = [...charter.former, ...charter.controls].some(({ peer }) => !hasSpoken(next, peer));
  return forgotten ? "it forgets a peer that was a control peer" : null;
}

export function sealCharter(roll: Roll, owner: Signer): Uint8Array {
  const { revoked: _, ...charter } = roll;
  return sealEnvelope("charter", charter.domain, charter, owner);
}

/** Opens a charter. `domain` null: any domain (the first contact by an invite checks it against the invite). */
export function openCharter(
  bytes: Uint8Array,
  domain: string | null,
  keys: Verifier,
): Result<Charter, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "charter", domain }, keys);
  if (!opened.ok) return opened;
  const charter = opened.value.value;
  if (!isCharter(charter)) return failure("malformed");
  const { owner, name } = charter;
  const own = domainId(name, owner) === charter.domain && opened.value.envelope.domain === charter.domain;
  if (!own || opened.value.envelope.signer !== owner) return failure("stranger");
  return success(charter);
}

export function sealCertificate(domain: string, certificate: Certificate, keys: Signer): Uint8Array {
  return sealEnvelope("certificate", domain, certificate, keys);
}

/**
 * Opens a certificate: signed by the owner or by a control peer of the charter, and neither expired nor revoked by this peer's
 * wall clock. It is the caller who checks that the peer on the other side of the link is the one certified.
 *
 * One that was a control peer certified nobody for longer than from the day on which it was taken out.
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
  const opened = openEnvelope(bytes, { kind: "certificate", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const { signer } = opened.value.envelope;
  const spokeMs = signer === charter.owner ? Infinity : spokeUntilMs(charter, signer);
  if (spokeMs === null) return failure("stranger");
  const certificate = opened.value.value;
  if (!isCertificate(certificate)) return failure("malformed");
  const { peer, role } = certificate;
  if (certificate.expiresMs > spokeMs + lifeMs(role) + limits.signedApartMsMax) return failure("stranger");
  if (role !== "control" && charter.controls.some((control) => control.peer === peer)) return failure("role");
  if (signer === peer && role !== "control") return failure("role");
  if ([peer, signer].some((one) => isRevoked(charter, one, wallMs))) return failure("revoked");
  return certificate.expiresMs < wallMs ? failure("stranger") : success(certificate);
}

export function sealInvite(domain: string, invite: Invite, keys: Signer): Uint8Array {
  return sealEnvelope("invite", domain, invite, keys);
}

/** Opens an invite and says for which domain and by whom it was made. */
export function openInvite(
  bytes: Uint8Array,
  keys: Verifier,
): Result<{ readonly invite: Invite; readonly domain: string; readonly signer: string }, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "invite", domain: null }, keys);
  if (!opened.ok) return opened;
  const invite = opened.value.value;
  if (!isInvite(invite)) return failure("malformed");
  const { domain, signer } = opened.value.envelope;
  return success({ invite, domain, signer });
}

/** True when what the peer signs or asks at this time counts as a stranger's; clocks may differ, so from a while before on. */
function isRevoked({ revoked }: Roll, peer: string, wallMs: number): boolean {
  const sinceMs = revoked?.get(peer)?.atMs;
  return sinceMs !== undefined && wallMs >= sinceMs - limits.signedApartMsMax;
}

function isCharter(value: unknown): value is Charter {
  const charter = value as Charter | null;
  return (
    charter?.otto === "charter/1" &&
    !("revoked" in charter) &&
    [charter.domain, charter.name, charter.owner].every((text) => typeof text === "string") &&
    [charter.version, charter.configuration, charter.size, charter.leaseMs].every(
      (count) => Number.isSafeInteger(count) && count > 0,
    ) &&
    Array.isArray(charter.former) &&
    charter.former.every(
      (one: FormerControl | null) => typeof one?.peer === "string" && Number.isSafeInteger(one.sinceMs),
    ) &&
    Array.isArray(charter.controls) &&
    charter.controls.every(
      (control: ControlPeer | null) =>
        typeof control?.peer === "string" && typeof control.store === "string" && areTexts(control.addresses),
    )
  );
}

function isCertificate(value: unknown): value is Certificate {
  const certificate = value as Certificate | null;
  return (
    certificate?.otto === "certificate/1" &&
    typeof certificate.peer === "string" &&
    typeof certificate.name === "string" &&
    isRole(certificate.role) &&
    (certificate.allowed === undefined || isAllowed(certificate.allowed)) &&
    Number.isSafeInteger(certificate.expiresMs)
  );
}

function isInvite(value: unknown): value is Invite {
  const invite = value as Invite | null;
  return (
    invite?.otto === "invite/1" &&
    typeof invite.nonce === "string" &&
    isRole(invite.role) &&
    (invite.allowed === undefined || isAllowed(invite.allowed)) &&
    (invite.machineOnly === undefined || typeof invite.machineOnly === "boolean") &&
    Number.isSafeInteger(invite.expiresMs) &&
    areTexts(invite.addresses)
  );
}

function isRole(value: unknown): value is Role {
  return value === "control" || value === "worker" || value === "person";
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
