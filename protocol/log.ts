/**
 * A peer's signed log of events. One log a peer and incarnation; entries are chained by hash, so nothing can be
 * taken out or put between; domain and run are bound into what is signed.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import type { Event } from "./events.ts";
import { encodeValue, sha256Hex } from "./values.ts";

export type LogEntry = {
  readonly otto: "log-entry/1";
  readonly log: string;
  /** The start of the author's process that the log belongs to: with the author it makes the log's id. */
  readonly incarnation: string;
  /** 1, 2, 3, ... */
  readonly seq: number;
  /** sha256 of the entry before, empty for the first. */
  readonly prev: string;
  readonly run: string;
  readonly events: readonly Event[];
};

export type LogHead = { readonly seq: number; readonly hash: string };

export const emptyLog: LogHead = { seq: 0, hash: "" };

export function logId(domain: string, peer: string, incarnation: string): string {
  return sha256Hex(encodeValue([domain, peer, incarnation])).slice(0, 32);
}

export function sealEntry(
  log: { readonly id: string; readonly incarnation: string; readonly head: LogHead },
  domain: string,
  run: string,
  events: readonly Event[],
  keys: Signer,
): { readonly bytes: Uint8Array; readonly head: LogHead } {
  const seq = log.head.seq + 1;
  const entry: LogEntry = {
    otto: "log-entry/1",
    log: log.id,
    incarnation: log.incarnation,
    seq,
    prev: log.head.hash,
    run,
    events,
  };
  const bytes = sealEnvelope("log-entry", domain, entry, keys);
  return { bytes, head: { seq, hash: sha256Hex(bytes) } };
}

export function openEntry(
  bytes: Uint8Array,
  domain: string,
  keys: Verifier,
): Result<{ readonly entry: LogEntry; readonly signer: string; readonly hash: string }, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "log-entry", domain }, keys);
  if (!opened.ok) return opened;
  const entry = opened.value.value as LogEntry;
  const sound =
    entry?.otto === "log-entry/1" &&
    typeof entry.incarnation === "string" &&
    entry.log === logId(domain, opened.value.envelope.signer, entry.incarnation) &&
    typeof entry.run === "string" &&
    Number.isSafeInteger(entry.seq) &&
    Array.isArray(entry.events);
  if (!sound || entry.events.some((event: Event | null) => event?.run !== entry.run))
    return failure("malformed");
  return success({ entry, signer: opened.value.envelope.signer, hash: sha256Hex(bytes) });
}
