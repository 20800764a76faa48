/**
 * A domain that several people own: t of their n keys together are its owner, and fewer are nobody.
 *
 * They sign as one signer, whose name is a hash of the keys and of how many it takes, so wherever an owner's signature counts, theirs
 * does, and nobody else judges it otherwise. Their signature says who they are and holds those of t of them, each over the same bytes.
 */

import { limits } from "./limits.ts";
import { decodeUntrusted, encodeValue, sha256Hex } from "./values.ts";

export type Owners = {
  /** How many of them it takes. */
  readonly threshold: number;
  /** Peer ids of their keys, in the order of code units, without repetition. */
  readonly keys: readonly string[];
};

const prefix = "owners-";

/** The name under which they sign. */
export function ownersId({ threshold, keys }: Owners): string {
  return `${prefix}${sha256Hex(encodeValue({ threshold, keys }))}`;
}

export function isOwnersId(signer: string): boolean {
  return signer.startsWith(prefix);
}

export function areOwners(found: unknown): found is Owners {
  const { threshold, keys } = (found ?? {}) as Partial<Owners>;
  return (
    Array.isArray(keys) &&
    keys.length > 0 &&
    keys.length <= limits.ownersMax &&
    keys.every((key: unknown) => typeof key === "string" && !isOwnersId(key)) &&
    keys.every((key: string, index) => index === 0 || (keys[index - 1] ?? "") < key) &&
    Number.isSafeInteger(threshold) &&
    (threshold ?? 0) > 0 &&
    (threshold ?? 0) <= keys.length
  );
}

/** @param signed by key, of those who have signed. */
export function sealOwnersSignature(owners: Owners, signed: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const { threshold, keys } = owners;
  return encodeValue({ threshold, keys, signed: keys.map((key) => signed.get(key) ?? null) });
}

/**
 * True when enough of those who are called so have signed exactly these bytes.
 *
 * @param verify judges the signature of one key.
 */
export function verifyOwners(
  signer: string,
  bytes: Uint8Array,
  signature: Uint8Array,
  verify: (key: string, bytes: Uint8Array, signature: Uint8Array) => boolean,
): boolean {
  if (signature.length > limits.ownersSignatureBytesMax) return false;
  const decoded = decodeUntrusted(signature);
  const { threshold, keys, signed } = (decoded.ok ? (decoded.value ?? {}) : {}) as Record<string, unknown>;
  const owners = { threshold, keys };
  if (!areOwners(owners) || !Array.isArray(signed) || ownersId(owners) !== signer) return false;
  const valid = owners.keys.filter((key, index) => {
    const one: unknown = signed[index];
    return one instanceof Uint8Array && verify(key, bytes, one);
  });
  return valid.length >= owners.threshold;
}
