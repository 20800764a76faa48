/**
 * The event logs that a control peer keeps: its own, which it writes, and the others', which it checks.
 *
 * Promises: an entry is kept only when its signature holds, its author may speak and it follows the entry
 * before it; a gap is answered by asking for what is missing; two different entries in one place are a fork, which is
 * refused and counted.
 */

import type { RefusedBecause, Signer, Verifier } from "../../protocol/envelope.ts";
import {
  emptyLog,
  isAfterword,
  type LogEntry,
  type LogHead,
  logId,
  type Noted,
  openEntry,
  sealEntry,
} from "../../protocol/log.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import type { StoredEntry, WriteOperation } from "../ports.ts";

export const historyKeys = {
  /** `head/<log>` -> [seq, hash] */
  heads: "head/",
  /** `entry/<log>/<seq>` -> the entry's bytes */
  entries: "entry/",
  /** `event/<run>/<log>/<seq>` -> nothing: which entries speak of a run */
  runs: "event/",
} as const;

/** Sequence numbers in keys are padded so that the order of keys is the order of entries. */
export function entryKey(log: string, seq: number): string {
  return `${historyKeys.entries}${log}/${seq.toString().padStart(12, "0")}`;
}

/** Where the entries that speak of a run are: the keys under `prefix` stand for those that `keyOf` names. */
export function entriesOfRun(run: string): {
  readonly prefix: string;
  readonly keyOf: (indexKey: string) => string;
} {
  const prefix = `${historyKeys.runs}${run}/`;
  return { prefix, keyOf: (indexKey) => historyKeys.entries + indexKey.slice(prefix.length) };
}

export type Received =
  | { readonly kind: "kept"; readonly entry: LogEntry; readonly operations: readonly WriteOperation[] }
  | { readonly kind: "known" }
  | { readonly kind: "gap" }
  | { readonly kind: "refused"; readonly because: RefusedBecause };

export class History {
  readonly #domain: string;
  readonly #keys: Signer & Verifier;
  readonly #own: string;
  readonly #incarnation: string;
  readonly #heads = new Map<string, LogHead>();
  /** The hash of this peer's newest entry about each run that it has written of and that is open. */
  readonly #newest = new Map<string, string>();
  /** Those of them that another is known to have closed. */
  readonly #closed = new Set<string>();

  constructor(
    options: { readonly domain: string; readonly incarnation: string; readonly keys: Signer & Verifier },
    stored: Iterable<StoredEntry>,
  ) {
    this.#domain = options.domain;
    this.#keys = options.keys;
    this.#incarnation = options.incarnation;
    this.#own = logId(options.domain, options.keys.peer, options.incarnation);
    for (const [key, bytes] of stored) {
      const [seq, hash] = decodeValue(bytes) as [number, string];
      this.#heads.set(key.slice(historyKeys.heads.length), { seq, hash });
    }
  }

  /** The newest entry that is here of every log. */
  heads(): Record<string, number> {
    return Object.fromEntries([...this.#heads].map(([log, { seq }]) => [log, seq]));
  }

  /** Writes an entry of this peer's own. */
  append(run: string, noted: readonly Noted[]): { bytes: Uint8Array; operations: WriteOperation[] } {
    const head = this.#heads.get(this.#own) ?? emptyLog;
    const before = this.#newest.get(run) ?? "";
    const place = { id: this.#own, incarnation: this.#incarnation, head, before };
    const sealed = sealEntry(place, this.#domain, run, noted, this.#keys);
    this.#heads.set(this.#own, sealed.head);
    const events = noted.map(({ event }) => event);
    // What is said of a run that is over follows nothing: else every run of this log's would be remembered.
    if (before !== "" || !isAfterword(events)) this.#newest.set(run, sealed.head.hash);
    if (events.some(({ kind }) => kind === "run-closed")) this.#newest.delete(run);
    const stored = { log: this.#own, seq: sealed.head.seq, run };
    return { bytes: sealed.bytes, operations: this.#operations(stored, sealed.bytes, sealed.head.hash) };
  }

  /** Judges an entry that another peer sent. */
  receive(bytes: Uint8Array, mayAuthor: (peer: string) => boolean): Received {
    const opened = openEntry(bytes, this.#domain, this.#keys);
    if (!opened.ok) return { kind: "refused", because: opened.problem };
    const { entry, signer, hash } = opened.value;
    if (!mayAuthor(signer)) return { kind: "refused", because: "stranger" };
    const head = this.#heads.get(entry.log) ?? emptyLog;
    if (entry.seq <= head.seq) return { kind: "known" };
    if (entry.seq > head.seq + 1) return { kind: "gap" };
    if (entry.prev !== head.hash) return { kind: "refused", because: "bad-signature" };
    this.#heads.set(entry.log, { seq: entry.seq, hash });
    for (const { kind, run } of entry.events)
      if (kind === "run-closed" && this.#newest.has(run)) this.#closed.add(run);
    const place = { log: entry.log, seq: entry.seq, run: entry.run };
    return { kind: "kept", entry, operations: this.#operations(place, bytes, hash) };
  }

  /**
   * Forgets runs that another closed. Not to be called in a reign: a home that was succeeded without knowing it may
   * hear of a run's end first, and then of its own last decisions about it.
   */
  forgetClosed(): void {
    for (const run of this.#closed) this.#newest.delete(run);
    this.#closed.clear();
  }

  /** The log and the first sequence number of everything that a peer with these heads lacks. */
  missingAt(heads: Readonly<Record<string, number>>): { log: string; from: number; to: number }[] {
    const missing: { log: string; from: number; to: number }[] = [];
    for (const [log, { seq }] of this.#heads) {
      const known = heads[log] ?? 0;
      if (known < seq) missing.push({ log, from: known + 1, to: seq });
    }
    return missing;
  }

  #operations(
    place: { readonly log: string; readonly seq: number; readonly run: string },
    bytes: Uint8Array,
    hash: string,
  ): WriteOperation[] {
    const { log, seq, run } = place;
    const key = entryKey(log, seq);
    const index = `${historyKeys.runs}${run}/${key.slice(historyKeys.entries.length)}`;
    return [
      { kind: "put", key, value: bytes },
      { kind: "put", key: index, value: new Uint8Array() },
      { kind: "put", key: historyKeys.heads + log, value: encodeValue([seq, hash]) },
    ];
  }
}
