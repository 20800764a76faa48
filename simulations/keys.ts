/**
 * Keys whose signatures are fake but checked: a hash of the peer and the bytes. Anybody here could forge one and
 * nobody does; a changed byte, signer or domain is found as with real ones, at a fiftieth of the cost.
 *
 * In a world of real keys everybody signs with Ed25519 instead; a key follows from its name.
 */

import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { equals } from "uint8arrays/equals";
import type { Keys } from "../node/ports.ts";
import { peerIdOf, publicKeyOf } from "../protocol/peer-id.ts";

/** An Ed25519 private key of 32 bytes in PKCS #8, and a public one in SPKI, are these and then the key (RFC 8410). */
const privatePrefix = Buffer.from("302e020100300506032b657004220420", "hex");
const publicPrefix = Buffer.from("302a300506032b6570032100", "hex");
const realSignatureBytes = 64;

let areReal = false;
const made = new Map<string, Keys>();
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
  const peer = peerIdOf(hash("sha256", `key of ${name}`, "buffer"));
  return { peer, sign: (bytes) => signatureOf(peer, bytes), verify: verifySimulated };
}

/** Fake signatures and real ones: they differ in length. */
export function verifySimulated(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length === realSignatureBytes) return verifyReal(peer, bytes, signature);
  return !areReal && equals(signature, signatureOf(peer, bytes));
}

function signatureOf(peer: string, bytes: Uint8Array): Uint8Array {
  const digest = hash("sha256", bytes, "hex");
  return new Uint8Array(hash("sha256", `${peer} ${digest}`, "buffer"));
}

function realKeys(name: string): Keys {
  const known = made.get(name);
  if (known !== undefined) return known;
  const secret = Buffer.concat([privatePrefix, hash("sha256", `key of ${name}`, "buffer")]);
  const key = createPrivateKey({ key: secret, format: "der", type: "pkcs8" });
  const shown = createPublicKey(key).export({ format: "der", type: "spki" });
  const peer = peerIdOf(new Uint8Array(shown.subarray(publicPrefix.length)));
  const keys: Keys = {
    peer,
    sign: (bytes) => new Uint8Array(sign(null, bytes, key)),
    verify: verifySimulated,
  };
  made.set(name, keys);
  return keys;
}

function verifyReal(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  const bare = publicKeyOf(peer);
  if (bare === null) return false;
  let key = publicKeys.get(peer);
  if (key === undefined) {
    const shown = Buffer.concat([publicPrefix, bare]);
    key = createPublicKey({ key: shown, format: "der", type: "spki" });
    publicKeys.set(peer, key);
  }
  return verify(null, bytes, key, signature);
}
