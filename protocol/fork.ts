/**
 * A fork: two entries that one author signed and that cannot both be in one log. Whoever has the two can prove to
 * anybody that their author told different peers different things, or that somebody else writes with its key.
 *
 *   same place      one seq, two hashes
 *   broken chain    seq and seq + 1, and the second names another entry as the one before it
 *
 * An honest author makes none: each start of its process begins a log of its own, and an entry is told only once it
 * is on disk. Entries are compared as they were signed, byte by byte: nobody but the author can make other bytes
 * that pass as the same entry, since values have one encoding and signatures one form.
 */

import type { RefusedBecause, Verifier } from "./envelope.ts";
import { failure, type Result, success } from "./errors.ts";
import { type OpenedEntry, openEntry } from "./log.ts";
import { compareText } from "./values.ts";

export type Fork = {
  readonly log: string;
  readonly author: string;
  /** The place that is told twice. */
  readonly seq: number;
  /** Entries before this one are in both branches, and stand. */
  readonly sinceSeq: number;
};

export type ForkEvidence = readonly [Uint8Array, Uint8Array];

/**
 * What two entries prove together.
 *
 * @returns `malformed` when they prove nothing: they are one entry, of two logs, or follow each other as they should.
 */
export function openFork(
  evidence: readonly Uint8Array[],
  domain: string,
  keys: Verifier,
): Result<Fork, RefusedBecause> {
  const [one, other] = evidence;
  if (evidence.length !== 2 || one === undefined || other === undefined) return failure("malformed");
  const opened = [openEntry(one, domain, keys), openEntry(other, domain, keys)];
  const entries: OpenedEntry[] = [];
  for (const each of opened) {
    if (!each.ok) return each;
    entries.push(each.value);
  }
  // Told in either order, two entries are the same evidence.
  entries.sort((left, right) => left.entry.seq - right.entry.seq || compareText(left.hash, right.hash));
  const [first, second] = entries as [OpenedEntry, OpenedEntry];
  const { log, seq, prev } = first.entry;
  if (second.entry.log !== log) return failure("malformed");
  const fork = { log, author: first.signer, seq };
  if (second.entry.seq === seq && second.hash !== first.hash)
    return success({ ...fork, sinceSeq: second.entry.prev === prev ? seq : 1 });
  // The entry that the second one follows is not there: where the branches part is not known.
  if (second.entry.seq === seq + 1 && second.entry.prev !== first.hash)
    return success({ ...fork, sinceSeq: 1 });
  return failure("malformed");
}
