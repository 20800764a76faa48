/**
 * Invites: each lets one stranger ask for a certificate once.
 *
 * A person of the domain signs one, or its owner, and no control peer: one that has gone bad would let in whom it likes. An invite is
 * named by a key of its own, whose other half is in the code that is passed on and is shown to nobody: whoever has the code signs
 * with it for which keys it is used, so no control peer that sees the invite uses it for others.
 */

import { type Allowed, isAllowed } from "./allowed.ts";
import { openCertificate } from "./certificate.ts";
import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import { areTexts, isRole, type Role, type Roll } from "./membership.ts";
import { isShownName } from "./names.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export type Invite = {
  readonly otto: "invite/1";
  /** The invite's own key, as a peer id. */
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

/**
 * For which keys an invite is used, and what they are to be called. The machine's is that of the peer that asks for it.
 *
 * Nobody proves to have the person's key, and it is worth nothing to name another's. What becomes of it is a certificate for that key,
 * which counts beside what the key itself has signed and at no other place: so whoever names a key gives rights to it, as much as by
 * handing on the code, and takes none. It takes none from it either: of the certificates that a key has each holds, one that makes a control
 * peer a person does not (`openCertificate`), and none is made for a key that was revoked. What a key is called is its own word or that
 * of whoever invited it, and nothing that a policy protects goes by it (`planner/policy/people.ts`).
 */
export type Application = {
  readonly otto: "application/1";
  readonly peer: string;
  readonly person: string;
  readonly name: string;
};

type OpenedInvite = { readonly invite: Invite; readonly domain: string; readonly signer: string };

/** @param certificate the inviting person's; null: the domain's owner invites. */
export function sealInvite(
  domain: string,
  invite: Invite,
  { keys, certificate }: { readonly keys: Signer; readonly certificate: Uint8Array | null },
): Uint8Array {
  return encodeValue([sealEnvelope("invite", domain, invite, keys), certificate]);
}

/** Opens an invite and says for which domain and by whom it was made; whether that one may invite is not judged. */
export function openInvite(bytes: Uint8Array, keys: Verifier): Result<OpenedInvite, RefusedBecause> {
  const parts = partsOf(bytes);
  return parts === null ? failure("malformed") : openPart(parts.envelope, keys);
}

/** Why an invite lets nobody in, as the end of a sentence; else what it says. */
export function judgeInvite(
  bytes: Uint8Array,
  charter: Roll,
  wallMs: number,
  keys: Verifier,
): Result<Invite, string> {
  const parts = partsOf(bytes);
  const opened = parts === null ? null : openPart(parts.envelope, keys);
  if (parts === null || opened?.ok !== true) return failure("it is damaged");
  const { invite, domain, signer } = opened.value;
  if (domain !== charter.domain) return failure("it is for another domain");
  if (signer !== charter.owner) {
    const shown = parts.certificate;
    const person = shown === null ? null : openCertificate(shown, charter, wallMs, keys);
    if (person?.ok !== true || person.value.peer !== signer || person.value.role !== "person")
      return failure("no person of this domain made it");
  }
  if (invite.expiresMs < wallMs) return failure("it has expired");
  return invite.expiresMs > wallMs + limits.inviteMsMax
    ? failure("it is good for too long")
    : success(invite);
}

export function sealApplication(domain: string, application: Application, invited: Signer): Uint8Array {
  return sealEnvelope("application", domain, application, invited);
}

/** @param invite the one that it uses. */
export function openApplication(
  bytes: Uint8Array,
  { nonce }: Invite,
  domain: string,
  keys: Verifier,
): Result<Application, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "application", domain }, keys);
  if (!opened.ok) return opened;
  const { value, envelope } = opened.value;
  if (envelope.signer !== nonce) return failure("stranger");
  return isApplication(value) ? success(value) : failure("malformed");
}

function openPart(envelope: Uint8Array, keys: Verifier): Result<OpenedInvite, RefusedBecause> {
  const opened = openEnvelope(envelope, { kind: "invite", domain: null }, keys);
  if (!opened.ok) return opened;
  const invite = opened.value.value;
  if (!isInvite(invite)) return failure("malformed");
  const { domain, signer } = opened.value.envelope;
  return success({ invite, domain, signer });
}

function partsOf(
  bytes: Uint8Array,
): { readonly envelope: Uint8Array; readonly certificate: Uint8Array | null } | null {
  const decoded = bytes.length > limits.inviteBytesMax ? null : decodeUntrusted(bytes);
  if (decoded?.ok !== true || !Array.isArray(decoded.value) || decoded.value.length !== 2) return null;
  const [envelope, certificate] = decoded.value as unknown[];
  if (!(envelope instanceof Uint8Array)) return null;
  return certificate === null || certificate instanceof Uint8Array ? { envelope, certificate } : null;
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

function isApplication(value: unknown): value is Application {
  const application = value as Application | null;
  return (
    application?.otto === "application/1" &&
    [application.peer, application.person, application.name].every(
      (text) => isShownName(text) && text.length <= limits.nameCharactersMax,
    )
  );
}
