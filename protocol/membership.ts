/**
 * Who belongs to a domain: its charter, its role certificates, its invites.
 *
 * A domain is named by its owner's key: `id` is a hash of the name and that key, so a charter cannot be swapped
 * for another's. The charter lists the control peers; a certificate binds a peer to one role; an invite lets
 * one stranger ask for a certificate once.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { encodeValue, sha256Hex } from "./values.ts";

export type Role = "control" | "worker" | "person";

type ControlPeer = {
  readonly peer: string;
  /** Multiaddrs at which workers and people reach it. */
  readonly addresses: readonly string[];
};

export type Charter = {
  readonly otto: "charter/1";
  readonly domain: string;
  readonly name: string;
  readonly owner: string;
  readonly version: number;
  /** How many control peers the domain has; fewer are listed while it is being formed. */
  readonly size: number;
  readonly controls: readonly ControlPeer[];
  readonly leaseMs: number;
};

export type Certificate = {
  readonly otto: "certificate/1";
  readonly peer: string;
  readonly role: Role;
  readonly name: string;
  readonly expiresMs: number;
};

export type Invite = {
  readonly otto: "invite/1";
  readonly nonce: string;
  readonly role: Role;
  readonly expiresMs: number;
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

export function sealCharter(charter: Charter, owner: Signer): Uint8Array {
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
 * Opens a certificate: signed by the owner or by a control peer of the charter, and not expired by this peer's
 * wall clock. It is the caller who checks that the peer on the other side of the link is the one certified.
 */
export function openCertificate(
  bytes: Uint8Array,
  charter: Charter,
  wallMs: number,
  keys: Verifier,
): Result<Certificate, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "certificate", domain: charter.domain }, keys);
  if (!opened.ok) return opened;
  const { signer } = opened.value.envelope;
  const entitled = signer === charter.owner || charter.controls.some(({ peer }) => peer === signer);
  if (!entitled) return failure("stranger");
  const certificate = opened.value.value;
  if (!isCertificate(certificate)) return failure("malformed");
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

function isCharter(value: unknown): value is Charter {
  const charter = value as Charter | null;
  return (
    charter?.otto === "charter/1" &&
    [charter.domain, charter.name, charter.owner].every((text) => typeof text === "string") &&
    [charter.version, charter.size, charter.leaseMs].every(
      (count) => Number.isSafeInteger(count) && count > 0,
    ) &&
    Array.isArray(charter.controls) &&
    charter.controls.every(
      (control: ControlPeer | null) => typeof control?.peer === "string" && areTexts(control.addresses),
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
    Number.isSafeInteger(certificate.expiresMs)
  );
}

function isInvite(value: unknown): value is Invite {
  const invite = value as Invite | null;
  return (
    invite?.otto === "invite/1" &&
    typeof invite.nonce === "string" &&
    isRole(invite.role) &&
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
