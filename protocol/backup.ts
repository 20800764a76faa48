/**
 * A backup of a control peer: everything that it keeps but its keys, as frames, one after the other, `otto-backup/1`.
 *
 *   head, entries of the database, blobs, each with its bytes in chunks, end with how many there were
 *
 * Promises: a file that ends early, or from which something is missing, is no backup. What is in it was true when it was
 * made: a peer that starts from it has no vote by it, since it may have promised and accepted more since.
 */

import { decodeUntrusted, encodeValue } from "./values.ts";

export type BackupPart =
  | {
      readonly kind: "head";
      readonly otto: "otto-backup/1";
      /** The newest signed charter that the peer knew of. */
      readonly charter: Uint8Array;
      readonly peer: string;
      /** Wall clock of the peer. */
      readonly madeMs: number;
    }
  | { readonly kind: "entries"; readonly entries: readonly (readonly [key: string, value: Uint8Array])[] }
  | { readonly kind: "blob"; readonly digest: string; readonly size: number }
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "end"; readonly entries: number; readonly blobs: number };

export function encodePart(part: BackupPart): Uint8Array {
  return encodeValue(part);
}

/** Null for bytes that are no part of a backup. */
export function decodePart(frame: Uint8Array): BackupPart | null {
  const decoded = decodeUntrusted(frame);
  const part = decoded.ok ? (decoded.value as BackupPart | null) : null;
  switch (part?.kind) {
    case "head":
      return part.otto === "otto-backup/1" && part.charter instanceof Uint8Array ? part : null;
    case "entries":
      return Array.isArray(part.entries) && part.entries.every(isEntry) ? part : null;
    case "blob":
      return typeof part.digest === "string" && Number.isSafeInteger(part.size) ? part : null;
    case "chunk":
      return part.bytes instanceof Uint8Array ? part : null;
    case "end":
      return Number.isSafeInteger(part.entries) && Number.isSafeInteger(part.blobs) ? part : null;
    default:
      return null;
  }
}

function isEntry(entry: unknown): boolean {
  return Array.isArray(entry) && typeof entry[0] === "string" && entry[1] instanceof Uint8Array;
}
