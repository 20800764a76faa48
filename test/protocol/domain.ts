/** A domain with real keys, for tests of what is signed: its owner, one control peer, a person and a stranger. */

import { generateKeyPairSync } from "node:crypto";
import { type Identity, identityOf } from "../../node/edge/identity.ts";
import { type Certificate, sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, domainId } from "../../protocol/membership.ts";
import type { Signer } from "../../protocol/envelope.ts";

export const wallMs = 1_700_000_000_000;

export function newIdentity(): Identity {
  return identityOf(generateKeyPairSync("ed25519").privateKey);
}

export const owner = newIdentity();
export const control = newIdentity();
export const person = newIdentity();
export const stranger = newIdentity();

export const charter: Charter = {
  otto: "charter/1",
  domain: domainId("dev", owner.peer),
  name: "dev",
  owner: owner.peer,
  version: 1,
  configuration: 1,
  size: 1,
  controls: [{ peer: control.peer, store: "s", addresses: [`/ip4/127.0.0.1/tcp/4001/p2p/${control.peer}`] }],
  former: [],
  leaseMs: 30_000,
};

export const personal: Certificate = {
  otto: "certificate/1",
  peer: person.peer,
  role: "person",
  name: "ada",
  expiresMs: wallMs + 1,
};

/** The person's certificate, or one like it, signed by the owner or by somebody else. */
export function certify(
  changes: Partial<Certificate> = {},
  signer: Signer = owner,
  domain = charter.domain,
): Uint8Array {
  return sealCertificate(domain, { ...personal, ...changes }, signer);
}

/** Copies of the bytes, each with another bit flipped: one a byte, at every byte. */
export function* flipped(bytes: Uint8Array): Generator<readonly [number, Uint8Array]> {
  for (let at = 0; at < bytes.length; at += 1) {
    const copy = bytes.slice();
    copy[at] = (copy[at] ?? 0) ^ (1 << (at % 8));
    yield [at, copy];
  }
}
