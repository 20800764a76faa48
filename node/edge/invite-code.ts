/** Invites as people pass them on: a code, with the half of the invite's key that nobody else is shown. */

import type { AnswerItem } from "../../protocol/calls.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { type Invite, openInvite, sealInvite } from "../../protocol/invite.ts";
import { limits } from "../../protocol/limits.ts";
import { isListed, openCharter } from "../../protocol/membership.ts";
import { decodeUntrusted, encodeValue } from "../../protocol/values.ts";
import { realClock } from "./clock.ts";
import { type Identity, identityOfSeed, seedOf, verifySignature } from "./identity.ts";
import { withPeer } from "./peer-address.ts";

export type InviteCode = {
  /** What is shown to whoever is asked to let one in. */
  readonly bytes: Uint8Array;
  readonly invite: Invite;
  readonly domain: string;
  /** The invite's own key. */
  readonly key: Identity;
};

/** Who invites: a person of the domain, or its owner, who needs no certificate. */
export type Inviter = { readonly keys: Signer; readonly certificate: Uint8Array | null };

export type Inviting = Pick<Invite, "role" | "allowed" | "machineOnly"> & { readonly validMs: number };

/** @param seen what the asked control peer says of itself and of the others: where they are. */
export function makeInvite(
  by: Inviter,
  seen: Extract<AnswerItem, { kind: "control" }>,
  { validMs, ...inviting }: Inviting,
): string {
  const charter = openCharter(seen.charter, null, { verify: verifySignature });
  if (!charter.ok) throw invalid("the asked node shows no charter");
  const key = identityOfSeed();
  const addressed = seen.controls
    .filter(({ peer }) => isListed(charter.value, peer))
    .toSorted((one, other) => Number(other.state === "self") - Number(one.state === "self"))
    .flatMap(({ peer, addresses }) => addresses.map((address) => withPeer(address, peer)));
  const invite: Invite = {
    otto: "invite/1",
    nonce: key.peer,
    ...inviting,
    expiresMs: realClock.wallMs() + Math.min(Math.max(validMs, 1_000), limits.inviteMsMax),
    addresses: addressed.slice(0, 16),
  };
  return inviteCode(sealInvite(charter.value.domain, invite, by), key);
}

export function inviteCode(invite: Uint8Array, key: Identity): string {
  return `otto1-${Buffer.from(encodeValue([invite, seedOf(key)])).toString("base64url")}`;
}

export function inviteOfCode(code: string): InviteCode {
  const bytes = code.startsWith("otto1-") ? Buffer.from(code.slice("otto1-".length), "base64url") : null;
  if (bytes === null || bytes.length === 0) throw invalid("it does not look like one");
  const decoded = bytes.length > limits.inviteBytesMax ? null : decodeUntrusted(bytes);
  const [invite, seed] = decoded?.ok === true && Array.isArray(decoded.value) ? decoded.value : [];
  if (!(invite instanceof Uint8Array) || !(seed instanceof Uint8Array) || seed.length !== 32)
    throw invalid("it is damaged");
  const opened = openInvite(invite, { verify: verifySignature });
  const key = identityOfSeed(seed);
  if (!opened.ok || opened.value.invite.nonce !== key.peer) throw invalid("it is damaged");
  return { bytes: invite, invite: opened.value.invite, domain: opened.value.domain, key };
}

export function invalid(why: string): OttoError {
  return new OttoError("OTTO_INVITE_INVALID", {
    what: `This invite cannot be used: ${why}.`,
    state: "Nobody joined.",
    next: "Ask for a new one: `otto invite` on any peer of the domain.",
  });
}
