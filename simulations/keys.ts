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
import { equals } from "uint8arrays/equals";
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

/** What the bytes were found to be, by what was looked for. */
const found = new WeakMap<Uint8Array, Map<string, unknown>>();

export const simulatedVerifier: Verifier = {
  verify: verifySimulated,
  recall<Found>(what: string, bytes: Uint8Array, judge: () => Found): Found {
    let known = found.get(bytes);
    if (known === undefined) found.set(bytes, (known = new Map()));
    if (known.has(what)) return known.get(what) as Found;
    const judged = judge();
    known.set(what, judged);
    return judged;
  },
};

/** Fake signatures and real ones: they differ in length. */
export function verifySimulated(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length === realSignatureBytes) return verifyReal(peer, bytes, signature);
  return !areReal && equals(signature, signatureOf(peer, bytes));
}

const bytesMixed = 8;

/** The hash of the bytes, the first of them mixed with the peer's name. */
function signatureOf(peer: string, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(hash("sha256", bytes, "buffer"));
  for (let index = 0; index < peer.length; index += 1) {
    const at = index % bytesMixed;
    signature[at] = Math.imul((signature[at] ?? 0) ^ peer.charCodeAt(index), 0x9d) & 0xff;
  }
  return signature;
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
