/**
 * Keys whose signatures are fake but checked: a hash of the peer and the bytes. Anybody here could forge one and
 * nobody does; a changed byte, signer or domain is found as with real ones, at a fiftieth of the cost.
 *
 * In a world of real keys everybody signs with Ed25519 instead; a key follows from its name.
 *
 * A world is many peers in one process, and all of them judge the same bytes: what those were found to be is remembered for
 * as long as they are there. In a world that encodes its messages each peer has bytes of its own, and judges them itself.
 */

import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import type { Keys } from "../node/ports.ts";
import type { Verifier } from "../protocol/envelope.ts";
import { peerIdOf, publicKeyOf } from "../protocol/peer-id.ts";

/** An Ed25519 private key of 32 bytes in PKCS #8, and a public one in SPKI, are these and then the key (RFC 8410). */
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex");
const realSignatureBytes = 64;

let areReal = false;
/** Names and peers whose keys are kept at hand: the same few are asked for in every world. */
const kept = 4_096;
const made = new Map<string, Keys>();
const peers = new Map<string, string>();
const publicKeys = new Map<string, KeyObject>();

/** All keys that are made meanwhile are real. */
export function withRealKeys<Value>(run: () => Value): Value {
  areReal = true;
  try {
    return run();
  } finally {
    areReal = false;
  }
}

export function simulatedKeys(name: string): Keys {
  if (areReal) return realKeys(name);
  const peer = keptIn(peers, name, () => peerIdOf(hash("sha256", `key of ${name}`, "buffer")));
  return { peer, sign: (bytes) => signatureOf(peer, bytes), ...simulatedVerifier };
}

/** What bytes were found to be when this was looked for; and when something else was. */
type Found = {
  readonly what: string;
  readonly domain: string;
  readonly judged: unknown;
  readonly other: Found | undefined;
};

const found = new WeakMap<Uint8Array, Found>();

export const simulatedVerifier: Verifier = {
  verify: verifySimulated,
  recall<Judged>(what: string, domain: string, bytes: Uint8Array, judge: () => Judged): Judged {
    for (let known = found.get(bytes); known !== undefined; known = known.other)
      if (known.what === what && known.domain === domain) return known.judged as Judged;
    const judged = judge();
    // Judging it may have led to other things that were found of the same bytes.
    found.set(bytes, { what, domain, judged, other: found.get(bytes) });
    return judged;
  },
};

/** Fake signatures and real ones: they differ in length. */
export function verifySimulated(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length === realSignatureBytes) return verifyReal(peer, bytes, signature);
  if (areReal || signature.length !== fakeSignatureBytes) return false;
  const wanted = signatureOf(peer, bytes);
  return signature.every((byte, index) => byte === wanted[index]);
}

const fakeSignatureBytes = 8;

/** Two mixes of the peer's name and all the bytes, four at a time: nothing secret, and no call of a library. */
function signatureOf(peer: string, bytes: Uint8Array): Uint8Array {
  let [one, other] = [0x9e3779b9 ^ bytes.length, 0x85ebca6b];
  for (let index = 0; index < peer.length; index += 1) {
    one = Math.imul(one ^ peer.charCodeAt(index), 0x85ebca6b);
    other = Math.imul(other ^ (one >>> 15), 0xc2b2ae35);
  }
  const mix = (bits: number): void => {
    one = Math.imul(one ^ bits, 0xcc9e2d51);
    one = (one << 15) | (one >>> 17);
    other = (Math.imul(other ^ one, 0x1b873593) + bits) | 0;
  };
  const byte = (index: number): number => bytes[index] as number;
  const whole = bytes.length & ~3;
  for (let index = 0; index < whole; index += 4)
    mix(byte(index) | (byte(index + 1) << 8) | (byte(index + 2) << 16) | (byte(index + 3) << 24));
  for (let index = whole; index < bytes.length; index += 1) mix(byte(index));
  one = Math.imul(one ^ (other >>> 16), 0x85ebca6b);
  other = Math.imul(other ^ (one >>> 13), 0xc2b2ae35);
  return Uint8Array.of(one, one >> 8, one >> 16, one >> 24, other, other >> 8, other >> 16, other >> 24);
}

function keptIn<Kept>(all: Map<string, Kept>, key: string, make: () => Kept): Kept {
  const known = all.get(key);
  if (known !== undefined) return known;
  if (all.size >= kept) all.clear();
  const value = make();
  all.set(key, value);
  return value;
}

function realKeys(name: string): Keys {
  return keptIn(made, name, () => {
    const secret = Buffer.concat([privatePrefix, hash("sha256", `key of ${name}`, "buffer")]);
    const key = createPrivateKey({ key: secret, format: "der", type: "pkcs8" });
    const shown = createPublicKey(key).export({ format: "der", type: "spki" });
    const peer = peerIdOf(new Uint8Array(shown.subarray(publicPrefix.length)));
    return { peer, sign: (bytes) => new Uint8Array(sign(null, bytes, key)), ...simulatedVerifier };
  });
}

function verifyReal(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const bare = publicKeyOf(peer);
  if (bare === null) return false;
  const shown = Buffer.concat([publicPrefix, bare]);
  const key = keptIn(publicKeys, peer, () => createPublicKey({ key: shown, format: "der", type: "spki" }));
  return verify(null, bytes, key, signature);
}
