/**
 * What bytes hold and what they hash to, read once for everybody outside the mesh who asks: nobody changes bytes that were
 * stored or sent, and of the same ones many want to know. Peers read for themselves.
 */

import { decodeValue, sha256Hex } from "../protocol/values.ts";

export const decodedOnce = once(decodeValue);
export const hashedOnce = once(sha256Hex);

/** The same, and of the same bytes not twice. */
export function once<Found>(read: (bytes: Uint8Array) => Found): (bytes: Uint8Array) => Found {
  const known = new WeakMap<Uint8Array, { readonly found: Found }>();
  return (bytes) => {
    let one = known.get(bytes);
    if (one === undefined) known.set(bytes, (one = { found: read(bytes) }));
    return one.found;
  };
}
