/**
 * Brings peers up that lack part of this one's table: voters that were away, when this peer is their home; a candidate,
 * when this peer is further than it.
 *
 *   gap --what changed since is noted--> page --more--> page --more--> ... page, the last --> it follows
 *                                          (what changes meanwhile is noted behind the rest)
 *
 * What is sent was accepted here and is sent as it was stored: nothing is encoded again, and nothing is computed of what did
 * not change but a look at its round. Never more is sent than the rounds that were missed, since of a register that changed
 * many times only the last value counts; so rounds are not kept to be sent again.
 *
 * Pages begin small and grow, so that little is under way where a link is slow. One is under way to each peer, and a home
 * sends no more than `limits.repairBytesPerTickMax` between two ticks, so that repairs delay no claim. Without a home there
 * are no claims, and a candidate is given all as fast as it takes it.
 */

import { limits } from "../limits.ts";
import { type Ballot, compareBallots, comparePositions, type Position } from "./ballot.ts";
import type { Acceptor } from "./acceptor.ts";
import type { PromisedRecord, RegisterMessage, RepairRecord } from "./messages.ts";
import type { TableEffect } from "./table.ts";

/** Records of the first page, and how many times as many the next one may have. */
const firstPageRecords = 8;
const growth = 4;

type Gap = Extract<RegisterMessage, { kind: "gap" }>;

type Repair = {
  readonly gap: Gap;
  /** What is noted and not sent, from `next` on; `at`: it is what changed up to there. Null: nothing is noted yet. */
  noted: { records: readonly PromisedRecord[]; at: Position } | null;
  next: number;
  page: number;
  /** True while its peer waits for a page. */
  waits: boolean;
};

/** The newest round of the home that this peer is; null when it is none. */
export type OwnReign = { readonly ballot: Ballot; readonly round: number } | null;

export class Repairs {
  readonly #acceptor: Acceptor;
  readonly #under = new Map<string, Repair>();
  #bytesLeft: number = limits.repairBytesPerTickMax;

  constructor(acceptor: Acceptor) {
    this.#acceptor = acceptor;
  }

  start(peer: string, gap: Gap): void {
    this.#under.set(peer, { gap, noted: null, next: 0, page: 0, waits: true });
  }

  more(peer: string, { ask, page }: Extract<RegisterMessage, { kind: "more" }>): void {
    const repair = this.#under.get(peer);
    if (repair !== undefined && repair.gap.ask === ask && repair.page === page) repair.waits = true;
  }

  stop(peer: string): void {
    this.#under.delete(peer);
  }

  get isIdle(): boolean {
    return this.#under.size === 0;
  }

  clear(): void {
    this.#under.clear();
  }

  tick(): void {
    this.#bytesLeft = limits.repairBytesPerTickMax;
  }

  /** The pages that may be sent now. `whole`: peers that have everything with them, up to the home's newest round. */
  pages(reign: OwnReign): { readonly effects: TableEffect[]; readonly whole: readonly string[] } {
    const effects: TableEffect[] = [];
    const whole: string[] = [];
    for (const [peer, repair] of this.#under) {
      if (!repair.waits || !this.#mayServe(repair, reign)) continue;
      const message = this.#nextPage(repair, reign);
      if (message === null) continue;
      effects.push({ kind: "send", to: peer, message });
      if (!message.last) continue;
      this.#under.delete(peer);
      whole.push(peer);
    }
    return { effects, whole };
  }

  /** A home's own table must be there first; a candidate is served by whoever has promised it and no other. */
  #mayServe({ gap: { ballot } }: Repair, reign: OwnReign): boolean {
    const { at, promised } = this.#acceptor;
    if (reign === null) return compareBallots(ballot, promised) === 0;
    const isOwn = compareBallots(ballot, reign.ballot) === 0 && compareBallots(at.ballot, ballot) === 0;
    return isOwn && this.#bytesLeft > 0;
  }

  #nextPage(repair: Repair, reign: OwnReign): Extract<RegisterMessage, { kind: "repair" }> | null {
    const { gap } = repair;
    const { at: here, chosen, records: table } = this.#acceptor;
    const noted = (repair.noted ??= { records: table.changedSince(gap.since, gap.names), at: here });
    const isNoted = repair.next >= noted.records.length;
    if (isNoted && comparePositions(noted.at, here) < 0)
      Object.assign(repair, { noted: { records: table.changedSince(noted.at, []), at: here }, next: 0 });
    const { records, at } = repair.noted ?? noted;
    const recordsMax = Math.min(limits.batchRecordsMax, firstPageRecords * growth ** repair.page);
    const page = pageFrom(records, repair.next, recordsMax);
    const isLast = repair.next + page.records.length >= records.length && comparePositions(at, here) === 0;
    // A round of the home's is on its way to its own table.
    const isWhole = isLast && (reign === null || at.round === reign.round);
    if (page.records.length === 0 && !isWhole) return null;
    repair.next += page.records.length;
    repair.page += 1;
    repair.waits = false;
    if (reign !== null) this.#bytesLeft -= page.bytes;
    const { ballot, ask } = gap;
    const { ballots, records: sent } = page;
    const index = repair.page - 1;
    return { kind: "repair", ballot, ask, page: index, last: isWhole, at, chosen, ballots, records: sent };
  }
}

type Page = {
  readonly ballots: readonly Ballot[];
  readonly records: readonly RepairRecord[];
  readonly bytes: number;
};

/** Never more records or bytes than a batch may have; ballots are told once. */
function pageFrom(noted: readonly PromisedRecord[], from: number, recordsMax: number): Page {
  const ballots: Ballot[] = [];
  const records: RepairRecord[] = [];
  let bytes = 0;
  for (let at = from; at < noted.length && records.length < recordsMax; at += 1) {
    const record = noted[at];
    if (record === undefined) break;
    const { name, value, round, ballot } = record;
    const size = name.length + value.length;
    if (records.length > 0 && bytes + size > limits.batchBytesMax) break;
    bytes += size;
    let index = ballots.findIndex((known) => compareBallots(known, ballot) === 0);
    if (index < 0) index = ballots.push(ballot) - 1;
    records.push({ name, value, ballot: index, round });
  }
  return { ballots, records, bytes };
}
