/**
 * Peer ids: an Ed25519 public key as libp2p writes it (`12D3KooW...`), without loading libp2p.
 *
 * @source https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */

import { base58btc } from "multiformats/bases/base58";

/** Multihash "identity", 36 bytes: protobuf {type: Ed25519, data: 32 bytes}. */
const prefix = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20);

export function peerIdOf(publicKey: Uint8Array): string {
  const bytes = new Uint8Array(prefix.length + publicKey.length);
  bytes.set(prefix);
  bytes.set(publicKey, prefix.length);
  return base58btc.encode(bytes).slice(1);
}

/** The 32 bytes of the public key, or null when the text is no Ed25519 peer id. */
export function publicKeyOf(peer: string): Uint8Array | null {
  let bytes: Uint8Array;
  try {
    bytes = base58btc.decode(`z${peer}`);
  } catch {
    return null;
  }
  if (bytes.length !== prefix.length + 32) return null;
  return prefix.every((byte, index) => bytes[index] === byte) ? bytes.subarray(prefix.length) : null;
}
