/**
 * How strangers become members: invites that are good once, certificates, and the forming of a domain.
 *
 *   forming --a control peer joins the founder--> forming --the last one--> formed
 *
 * While forming, only the founder admits, and remembers used invites itself; once formed, an invite is used up in a
 * register of the domain, so it is good once wherever it is shown.
 */

import { randomBytes } from "node:crypto";
import type { Allowed } from "../../protocol/allowed.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import {
  type Charter,
  type Invite,
  isFormed,
  lifeMs,
  openInvite,
  type Role,
  sealCertificate,
  sealCharter,
  sealInvite,
} from "../../protocol/membership.ts";
import type { AnswerItem } from "../../protocol/calls.ts";
import { openRenewal } from "../../protocol/renewal.ts";
import type { Request } from "../../protocol/requests.ts";
import { boundedInviteMs } from "./call-server.ts";
import { realClock } from "./clock.ts";
import { openIdentity } from "./identity.ts";
import { rollOf } from "./membership.ts";
import { withPeer } from "./network.ts";
import type { NodeHost } from "./node-host.ts";

type Subject = {
  readonly peer: string;
  readonly role: Role;
  readonly name: string;
  readonly allowed: Allowed | undefined;
};

export class Joining {
  readonly #host: NodeHost;
  readonly #useInDomain: (nonce: string, peer: string) => Promise<void>;

  constructor(host: NodeHost, useInDomain: (nonce: string, peer: string) => Promise<void>) {
    this.#host = host;
    this.#useInDomain = useInDomain;
  }

  /** Makes an invite for one peer. */
  invite(request: Extract<Request, { call: "invite" }>): Uint8Array {
    const { membership, identity, network } = this.#host;
    const { charter } = membership;
    const own = network.addresses.map((address) => withPeer(address, identity.peer));
    const others = charter.controls
      .filter(({ peer }) => peer !== identity.peer)
      .flatMap(({ peer, addresses }) => addresses.map((address) => withPeer(address, peer)));
    const invite: Invite = {
      otto: "invite/1",
      nonce: randomBytes(16).toString("base64url"),
      role: request.role,
      expiresMs: realClock.wallMs() + boundedInviteMs(request.validMs),
      ...(request.allowed === undefined ? {} : { allowed: request.allowed }),
      ...(request.machineOnly === true ? { machineOnly: true } : {}),
      addresses: [...own, ...others].slice(0, 16),
    };
    return sealInvite(charter.domain, invite, identity);
  }

  async join(
    request: Extract<Request, { call: "join" }>,
    peer: string,
  ): Promise<Extract<AnswerItem, { kind: "joined" }>> {
    const invite = this.#check(request.invite);
    if (invite.role === "control" && request.addresses.length === 0) throw hasNoAddress();
    const { membership, folder } = this.#host;
    for (const one of [peer, request.person])
      if (membership.revoked?.has(one) === true) throw invalid(`the key of ${one} was revoked`);
    if (isFormed(membership.charter)) {
      await this.#assertUnusedHere(invite.nonce, peer);
      await this.#useInDomain(invite.nonce, peer);
    } else {
      if (!folder.isOwner) throw notFounder();
      await this.#useHere(invite.nonce, peer);
      if (invite.role === "control") this.#addControl(peer, request.store, request.addresses);
    }
    const { role, allowed, machineOnly } = invite;
    const certificate = this.#certify({ peer, role, name: request.name, allowed });
    const person = { peer: request.person, role: "person", name: request.name, allowed: undefined } as const;
    const personCertificate = machineOnly === true ? null : this.#certify(person);
    return { kind: "joined", charter: this.#host.membership.charterBytes, certificate, personCertificate };
  }

  /** Certifies once more whoever is certified now. */
  renew(bytes: Uint8Array): Uint8Array {
    const { membership, identity } = this.#host;
    const opened = openRenewal(bytes, rollOf(membership), realClock.wallMs(), identity);
    if (opened.ok) return this.#certify({ ...opened.value, allowed: opened.value.allowed });
    throw new OttoError("OTTO_NOT_A_MEMBER", {
      what: `This certificate is not renewed: ${opened.problem}.`,
      state: "It is good until it ends, if it is good at all.",
      next: "Look at the clocks of both machines, or join anew with a code of `otto invite`.",
    });
  }

  #check(bytes: Uint8Array): Invite {
    const { membership, identity } = this.#host;
    const { charter } = membership;
    const opened = openInvite(bytes, identity);
    if (!opened.ok) throw invalid("it is damaged");
    const { invite, domain, signer } = opened.value;
    if (domain !== charter.domain) throw invalid("it is for another domain");
    if (signer !== charter.owner && charter.controls.every(({ peer }) => peer !== signer))
      throw invalid("nobody of this domain made it");
    if (invite.expiresMs < realClock.wallMs()) throw invalid("it has expired");
    return invite;
  }

  /** What was used while the domain was being formed is in no register of it. */
  async #assertUnusedHere(nonce: string, peer: string): Promise<void> {
    const used = await this.#host.storage.get(`invite-used/${nonce}`);
    if (used !== undefined && Buffer.from(used).toString() !== peer) throw invalid("it was used before");
  }

  /** Good once, and again for the same peer: its answer may have been lost on the way. */
  async #useHere(nonce: string, peer: string): Promise<void> {
    const { storage } = this.#host;
    const key = `invite-used/${nonce}`;
    await this.#assertUnusedHere(nonce, peer);
    await storage.write([{ kind: "put", key, value: Buffer.from(peer) }]);
    await storage.sync();
  }

  #addControl(peer: string, store: string, addresses: readonly string[]): void {
    const { membership, folder } = this.#host;
    const { charter } = membership;
    if (charter.controls.some((control) => control.peer === peer)) return;
    const controls = [...charter.controls, { peer, store, addresses }];
    const next: Charter = { ...charter, version: charter.version + 1, controls };
    this.#host.adoptCharter(sealCharter(next, openIdentity(folder.ownerKey)), next);
  }

  #certify({ peer, role, name, allowed }: Subject): Uint8Array {
    const { membership, identity } = this.#host;
    const certificate = {
      otto: "certificate/1",
      peer,
      role,
      name: name.slice(0, limits.nameCharactersMax),
      expiresMs: realClock.wallMs() + lifeMs(role),
      ...(allowed === undefined ? {} : { allowed }),
    } as const;
    return sealCertificate(membership.charter.domain, certificate, identity);
  }
}

/** An invite as a person passes it on. */
export function inviteCode(bytes: Uint8Array): string {
  return `otto1-${Buffer.from(bytes).toString("base64url")}`;
}

export function inviteOfCode(code: string): Uint8Array {
  const bytes = code.startsWith("otto1-") ? Buffer.from(code.slice("otto1-".length), "base64url") : null;
  if (bytes === null || bytes.length === 0) throw invalid("it does not look like one");
  return bytes;
}

function invalid(why: string): OttoError {
  return new OttoError("OTTO_INVITE_INVALID", {
    what: `This invite cannot be used: ${why}.`,
    state: "Nobody joined.",
    next: "Ask for a new one: `otto invite` on any peer of the domain.",
  });
}

function hasNoAddress(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: "A control peer needs an address that the others can reach.",
    state: "Nobody joined.",
    next: "Join with --listen HOST:PORT.",
  });
}

function notFounder(): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: "The domain is still being formed, and only its founder admits peers until it is complete.",
    state: "Nobody joined.",
    next: "Use an invite that the founder made.",
  });
}
