/**
 * Keys whose signatures are fake but checked: a hash of the peer and the bytes. Anybody here could forge one and
 * nobody does; a changed byte, signer or domain is found as with real ones, at a fiftieth of the cost.
 */

import { hash } from "node:crypto";
import { equals } from "uint8arrays/equals";
import type { Keys } from "../node/ports.ts";
import { peerIdOf } from "../protocol/peer-id.ts";

export function simulatedKeys(name: string): Keys {
  const peer = peerIdOf(hash("sha256", `key of ${name}`, "buffer"));
  return { peer, sign: (bytes) => signatureOf(peer, bytes), verify: verifySimulated };
}

export function verifySimulated(peer: string, bytes: Uint8Array, signature: Uint8Array): boolean {
  return equals(signature, signatureOf(peer, bytes));
}

function signatureOf(peer: string, bytes: Uint8Array): Uint8Array {
  const digest = hash("sha256", bytes, "hex");
  return new Uint8Array(hash("sha256", `${peer} ${digest}`, "buffer"));
}
