/**
 * The event logs that a control peer keeps: its own, which it writes, and the others', which it checks.
 *
 * Promises: an entry is kept only when its signature holds, its author may speak and it follows the entry
 * before it; a gap is answered by asking for what is missing. A log with two entries in one place, or with one that does
 * not follow what is kept before it, is frozen for good: both entries are kept as evidence, and nothing more of it is taken.
 *
 *   growing --evidence, found here or shown by another--> frozen     (an author with many of them is silenced whole)
 */

import { recalled, type RefusedBecause, type Signer, type Verifier } from "../../protocol/envelope.ts";
import { type Fork, type ForkEvidence, openFork } from "../../protocol/fork.ts";
import { limits } from "../../protocol/limits.ts";
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
import type { Message } from "../../protocol/messages.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { LogTree } from "../../protocol/log-tree.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import type { StoredEntry, WriteOperation } from "../ports.ts";

export const historyKeys = {
  /** `head/<log>` -> [seq, hash, author], of logs that are not frozen */
  heads: "head/",
  /** `entry/<log>/<seq>` -> the entry's bytes */
  entries: "entry/",
  /** `event/<run>/<log>/<seq>` -> nothing: which entries speak of a run */
  runs: "event/",
  /** `fork/<log>` -> the two entries that prove it */
  forks: "fork/",
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

/** True when nothing is lost with these that the registers do not tell: a next home tells it anew. */
export function areToldAnew(events: readonly LoggedEvent[]): boolean {
  return events.every(isToldAnew);
}

export function isToldAnew({ kind }: LoggedEvent): boolean {
  return kind === "attempt-started";
}

export type Received =
  | { readonly kind: "kept"; readonly entry: LogEntry; readonly operations: readonly WriteOperation[] }
  | { readonly kind: "known" }
  | { readonly kind: "gap"; readonly log: string }
  /** Nobody but this peer writes this log, and it has not: to be contradicted. */
  | { readonly kind: "forged"; readonly run: string }
  /** It may contradict what is kept at this place, which is not in memory: to be compared. */
  | { readonly kind: "doubtful"; readonly log: string; readonly seq: number }
  | { readonly kind: "refused"; readonly because: RefusedBecause };

/** How far another peer is with the logs of a region, as it says. */
export type Known = Pick<Extract<Message, { kind: "vector" }>, "prefix" | "heads" | "frozen">;

export type EntryRange = { readonly log: string; readonly from: number; readonly through: number };

export class History {
  readonly #domain: string;
  readonly #keys: Signer & Verifier;
  readonly #own: string;
  readonly #incarnation: string;
  /** Of logs that are not frozen. */
  readonly #heads = new Map<string, LogHead & { readonly author: string }>();
  /** The same, with those that are frozen, as it is compared with other peers'. */
  readonly #tree = new LogTree();
  #ownHead: LogHead;
  readonly #forks = new Map<string, Fork>();
  readonly #forksOf = new Map<string, number>();
  /** The hash of this peer's newest entry about each run that it has written of and that is open. */
  readonly #newest = new Map<string, string>();
  /** Those of them that another is known to have closed. */
  readonly #closed = new Set<string>();

  /** @param stored every entry under `heads` and `forks` of `historyKeys`, in this order. */
  constructor(
    options: { readonly domain: string; readonly incarnation: string; readonly keys: Signer & Verifier },
    stored: Iterable<StoredEntry>,
  ) {
    this.#domain = options.domain;
    this.#keys = options.keys;
    this.#incarnation = options.incarnation;
    this.#own = logId(options.domain, options.keys.peer, options.incarnation);
    for (const [key, bytes] of stored) {
      if (key.startsWith(historyKeys.forks)) {
        const fork = openFork(decodeValue(bytes) as ForkEvidence, options.domain, options.keys);
        if (fork.ok) this.#freeze(fork.value);
        continue;
      }
      const [seq, hash, author] = decodeValue(bytes) as [number, string, string];
      this.#setHead(key.slice(historyKeys.heads.length), { seq, hash, author });
    }
    this.#ownHead = this.#heads.get(this.#own) ?? emptyLog;
  }

  /** How far every log is known here that is still taken, and which are frozen. */
  get tree(): Omit<LogTree, "set" | "delete"> {
    return this.#tree;
  }

  get forks(): readonly Fork[] {
    return [...this.#forks.values()];
  }

  get ownLog(): string {
    return this.#own;
  }

  /** How much of a log is here. */
  holds(log: string): number {
    return this.#heads.get(log)?.seq ?? 0;
  }

  /** Writes an entry of this peer's own. */
  append(run: string, noted: readonly Noted[]): { bytes: Uint8Array; operations: readonly WriteOperation[] } {
    const before = this.#newest.get(run) ?? "";
    const place = { id: this.#own, incarnation: this.#incarnation, head: this.#ownHead, before };
    const sealed = sealEntry(place, this.#domain, run, noted, this.#keys);
    this.#ownHead = sealed.head;
    const { peer: author } = this.#keys;
    if (!this.#forks.has(this.#own)) this.#setHead(this.#own, { ...sealed.head, author });
    const events = noted.map(({ event }) => event);
    // What is said of a run that is over follows nothing: else every run of this log's would be remembered.
    if (before !== "" || !isAfterword(events)) this.#newest.set(run, sealed.head.hash);
    if (events.some(({ kind }) => kind === "run-closed")) this.#newest.delete(run);
    const stored = { log: this.#own, seq: sealed.head.seq, run, author };
    return { bytes: sealed.bytes, operations: this.#operations(stored, sealed.bytes, sealed.head.hash) };
  }

  /** Judges an entry that another peer sent. */
  receive(bytes: Uint8Array, mayAuthor: (peer: string) => boolean): Received {
    const opened = openEntry(bytes, this.#domain, this.#keys);
    if (!opened.ok) return { kind: "refused", because: opened.problem };
    const { entry, signer, hash } = opened.value;
    if (!mayAuthor(signer)) return { kind: "refused", because: "stranger" };
    const { log, seq } = entry;
    if (this.#forks.has(log) || this.#isSilenced(signer)) return { kind: "refused", because: "forked" };
    const head = this.#heads.get(log) ?? emptyLog;
    if (seq === head.seq && hash === head.hash) return { kind: "known" };
    if (seq <= head.seq) return { kind: "doubtful", log, seq };
    if (seq > head.seq + 1) return { kind: "gap", log };
    if (log === this.#own) return { kind: "forged", run: entry.run };
    if (entry.prev !== head.hash) return { kind: "doubtful", log, seq: head.seq };
    this.#setHead(log, { seq, hash, author: signer });
    for (const { kind, run } of entry.events)
      if (kind === "run-closed" && this.#newest.has(run)) this.#closed.add(run);
    const place = { log, seq, run: entry.run, author: signer };
    return { kind: "kept", entry, operations: this.#operations(place, bytes, hash) };
  }

  /**
   * Looks at two entries that somebody holds to be a fork. Freezes the log when they are one that is not known yet.
   *
   * @returns what to store and, when it is this process's own log, that: then somebody else signs as this peer.
   */
  contest(
    evidence: readonly Uint8Array[],
    mayAuthor: (peer: string) => boolean,
  ):
    | {
        readonly kind: "frozen";
        readonly fork: Fork;
        readonly own: boolean;
        readonly operations: readonly WriteOperation[];
      }
    | { readonly kind: "known" }
    | { readonly kind: "refused"; readonly because: RefusedBecause } {
    const opened = openFork(evidence, this.#domain, this.#keys);
    if (!opened.ok) return { kind: "refused", because: opened.problem };
    const { log, author } = opened.value;
    if (!mayAuthor(author)) return { kind: "refused", because: "stranger" };
    if (this.#forks.has(log) || this.#isSilenced(author)) return { kind: "known" };
    this.#freeze(opened.value);
    const operations: WriteOperation[] = [
      { kind: "put", key: historyKeys.forks + log, value: encodeValue(evidence) },
      { kind: "delete", key: historyKeys.heads + log },
    ];
    return { kind: "frozen", fork: opened.value, own: log === this.#own, operations };
  }

  /**
   * Forgets runs that another closed. Not to be called in a reign: a home that was succeeded without knowing it may
   * hear of a run's end first, and then of its own last decisions about it.
   */
  forgetClosed(): void {
    for (const run of this.#closed) this.#newest.delete(run);
    this.#closed.clear();
  }

  /**
   * The first of what a peer lacks that is so far with the logs of a region: their ranges, at most
   * `limits.entriesPerAnswerMax` entries together. Where it has as much, and something else, its newest entry is not the one
   * that is here: this one shows it that the log forks.
   */
  missingAt({ prefix, heads, frozen }: Known): EntryRange[] {
    const missing: EntryRange[] = [];
    const known = new Set(frozen);
    let left: number = limits.entriesPerAnswerMax;
    for (const [log, state] of this.#tree.list(prefix)) {
      if (left === 0) break;
      if (state === "frozen" || known.has(log)) continue;
      const [seq, hash] = heads[log] ?? [0, ""];
      const isOther = seq === state.seq && hash !== state.hash;
      if (seq >= state.seq && !isOther) continue;
      const from = isOther ? seq : seq + 1;
      const through = Math.min(state.seq, from + left - 1);
      missing.push({ log, from, through });
      left -= through - from + 1;
    }
    return missing;
  }

  /** Logs of a region whose proof of forking a peer lacks. */
  forksMissingAt({ prefix, frozen }: Known): string[] {
    const known = new Set(frozen);
    return [...this.#forks.keys()].filter((log) => log.startsWith(prefix) && !known.has(log));
  }

  #setHead(log: string, head: LogHead & { readonly author: string }): void {
    this.#heads.set(log, head);
    this.#tree.set(log, head);
  }

  #freeze(fork: Fork): void {
    const { log, author } = fork;
    this.#heads.delete(log);
    this.#forks.set(log, fork);
    this.#forksOf.set(author, (this.#forksOf.get(author) ?? 0) + 1);
    if (!this.#isSilenced(author)) return this.#tree.set(log, "frozen");
    // Peers may have frozen others of its logs; since they take none of them any more, they need not agree on them.
    for (const [one, head] of this.#heads) if (head.author === author) this.#tree.delete(one);
    for (const one of this.#forks.values()) if (one.author === author) this.#tree.delete(one.log);
  }

  #isSilenced(author: string): boolean {
    return (this.#forksOf.get(author) ?? 0) >= limits.forksPerAuthorMax;
  }

  /** What stores an entry: the same for whoever keeps it. Of a frozen log no head is kept. */
  #operations(place: Place, bytes: Uint8Array, hash: string): readonly WriteOperation[] {
    const found = { what: "operations", domain: this.#domain };
    const operations = recalled(this.#keys, found, bytes, () => operationsOf(place, bytes, hash));
    return this.#forks.has(place.log) ? operations.slice(0, -1) : operations;
  }
}

type Place = { readonly log: string; readonly seq: number; readonly run: string; readonly author: string };

const nothing = new Uint8Array();

/** The last one is the head of the entry's log. */
function operationsOf({ log, seq, run, author }: Place, bytes: Uint8Array, hash: string): WriteOperation[] {
  const key = entryKey(log, seq);
  const index = `${historyKeys.runs}${run}/${key.slice(historyKeys.entries.length)}`;
  return [
    { kind: "put", key, value: bytes },
    { kind: "put", key: index, value: nothing },
    { kind: "put", key: historyKeys.heads + log, value: encodeValue([seq, hash, author]) },
  ];
}
