/**
 * Values as bytes: DAG-CBOR, the one encoding of everything that is signed, hashed, stored or sent.
 *
 * Promises: equal values give equal bytes on every peer; bytes from a stranger never crash or exhaust the
 * decoder; what is signed or hashed is accepted only in its one canonical form.
 */

import { hash } from "node:crypto";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { equals } from "uint8arrays/equals";
import { decodeCbor, encodeCbor } from "./cbor.ts";
import { failure, type Result, success } from "./errors.ts";

const dagCborCode = 0x71;
const sha256Code = 0x12;

export function encodeValue(value: unknown): Uint8Array {
  return encodeCbor(value);
}

/** Decodes bytes of our own making. Throws on anything that is not the one canonical form of a value. */
export function decodeValue(bytes: Uint8Array): unknown {
  return decodeCbor(bytes);
}

/** Decodes bytes that anybody may have made: only the one canonical form of a value is accepted. */
export function decodeUntrusted(bytes: Uint8Array): Result<unknown, string> {
  try {
    return success(decodeCbor(bytes));
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error));
  }
}

/** CIDv1 of DAG-CBOR bytes under sha2-256, base32: `bafyrei...`. */
export function bytesCid(bytes: Uint8Array): string {
  const digest = hash("sha256", bytes, "buffer");
  return CID.createV1(dagCborCode, createDigest(sha256Code, digest)).toString();
}

export function valueCid(value: unknown): string {
  return bytesCid(encodeValue(value));
}

/** sha256 in lower-case hex: how blobs, trees and logs are named. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

/** Orders strings by code unit: the only order that two peers are sure to share. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * The bytes of one field of an encoded map: its value's own encoding, without decoding or encoding anything.
 *
 * @param bytes canonical, decoded before.
 * @returns null when they are no map or it has no such field.
 */
export function fieldBytes(bytes: Uint8Array, field: string): Uint8Array | null {
  const map = headAt(bytes, 0);
  if (map?.major !== 5) return null;
  const wanted = encodeCbor(field);
  let at = map.next;
  for (let left = map.argument; left > 0; left -= 1) {
    const keyEnd = endOfValue(bytes, at);
    const valueEnd = endOfValue(bytes, keyEnd);
    if (equals(bytes.subarray(at, keyEnd), wanted)) return bytes.subarray(keyEnd, valueEnd);
    at = valueEnd;
  }
  return null;
}

/** Where the value that begins at `at` ends. */
function endOfValue(bytes: Uint8Array, at: number): number {
  let end = at;
  for (let left = 1; left > 0; left -= 1) {
    const head = headAt(bytes, end);
    if (head === null) return bytes.length;
    end = head.next;
    if (head.major === 2 || head.major === 3) end += head.argument;
    else if (head.major === 4) left += head.argument;
    else if (head.major === 5) left += head.argument * 2;
    else if (head.major === 6) left += 1;
  }
  return end;
}

function headAt(
  bytes: Uint8Array,
  at: number,
): { readonly major: number; readonly argument: number; readonly next: number } | null {
  const first = bytes[at];
  if (first === undefined) return null;
  const major = first >> 5;
  const info = first & 31;
  if (info < 24) return { major, argument: info, next: at + 1 };
  if (info > 27) return null;
  const width = 1 << (info - 24);
  if (at + 1 + width > bytes.length) return null;
  let argument = 0;
  for (let index = 0; index < width; index += 1) argument = argument * 256 + (bytes[at + 1 + index] ?? 0);
  return { major, argument, next: at + 1 + width };
}
