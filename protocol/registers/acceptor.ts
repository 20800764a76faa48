/**
 * One control peer's vote: what it promised and what it accepted. The other half is `home.ts`.
 *
 *   at (ballot, round) --reign: that is where it begins--> at (its ballot, 1) --accept: the next round--> (its ballot, 2) ...
 *           |                                                                        |
 *           +-- it begins elsewhere, or a round is missing: gap --> repair, page by page, and at the last one a new place
 *
 * Promises, each kept by replying only after the loop has made the `store` effect durable:
 * - it accepts under a ballot only when it has promised no higher one;
 * - what it holds, on its disk too, is always one home's whole table after one round: a reign begins with a table that it
 *   has, rounds follow without gaps, and what a repair brings is gathered in memory and taken up in one write. So of the
 *   tables of a majority the one that is furthest has all that was chosen;
 * - while it is behind it votes for nothing.
 *
 * It remembers up to where its table is known to be chosen: whoever repairs it shares that part, and sends what changed since.
 * What this peer accepted beyond it may have been nobody else's, so it names those registers and is sent them, too. Where
 * that is a higher watermark, it has forgotten what the others still have, and asks for everything.
 */

import { limits } from "../limits.ts";
import { decodeValue } from "../values.ts";
import { type Ballot, compareBallots, comparePositions, noBallot, origin, type Position } from "./ballot.ts";
import type { DocumentValue } from "./document.ts";
import { Groups, type Operation } from "./groups.ts";
import type { PromisedRecord, RegisterMessage, WireRecord } from "./messages.ts";
import { type AcceptedRecord, Records } from "./records.ts";
import {
  isRetired,
  type RegisterValue,
  retiredRegister,
  type RetiredValue,
  runOfRegister,
  runOfStepRegister,
  runRegister,
  type RunValue,
} from "./registers.ts";
import type { ScheduleValue } from "./schedule.ts";
import {
  acceptorKey,
  readPlaces,
  readRegisters,
  registerKey,
  storedPlaces,
  stepsOfOneRun,
  storedRecord,
} from "./stored.ts";
import type { TableEffect } from "./table.ts";

/** Pages of a repair, until it is whole. */
type Gathering = {
  /** Names this repair and no other. */
  readonly ask: string;
  readonly from: string;
  readonly ballot: Ballot;
  readonly since: Position;
  readonly found: Map<string, PromisedRecord>;
  /** Runs that came before a watermark which is above them, and have not come again: they are forgotten. */
  readonly forgotten: Set<string>;
  page: number;
  bytes: number;
  /** False when nothing has come since the home was heard last. */
  moves: boolean;
};

/** What a member of a configuration that it has no table of begins with. */
export type TableAt = {
  readonly records: readonly PromisedRecord[];
  readonly at: Position;
  readonly chosen: Position;
};

export class Acceptor {
  readonly #incarnation: string;
  #promised: Ballot = noBallot;
  #at: Position = origin;
  /** Up to here its table is known to be chosen, or further: never beyond `#at`. */
  #chosen: Position = origin;
  readonly #records = new Records();
  readonly #groups = new Groups();
  #gathering: Gathering | null = null;
  #asks = 0;

  /** @param incarnation unique for each start of the process. */
  constructor(incarnation: string) {
    this.#incarnation = incarnation;
  }

  /** Takes up what a former life of this peer stored (`stored.ts`). */
  restore(stored: readonly (readonly [key: string, value: Uint8Array])[]): void {
    for (const [key, bytes] of stored)
      if (key === acceptorKey) [this.#promised, this.#at, this.#chosen] = readPlaces(bytes);
    const { registers, groups } = readRegisters(stored);
    for (const [name, record] of registers) this.#records.put(name, record);
    this.#groups.restore(groups);
  }

  get promised(): Ballot {
    return this.#promised;
  }

  /** What this peer holds is one home's table as it was then. */
  get at(): Position {
    return this.#at;
  }

  get chosen(): Position {
    return this.#chosen;
  }

  /** True while a repair is under way. */
  get isBehind(): boolean {
    return this.#gathering !== null;
  }

  get records(): Records {
    return this.#records;
  }

  /** Of every entry that a register of it may be in. */
  *registerKeys(): Generator<string> {
    for (const name of this.#records.names()) yield registerKey(name);
    yield* this.#groups.keys();
  }

  /** The value that this peer accepted last: a hint, never the domain's decision. */
  accepted(name: string): RegisterValue | null {
    const record = this.#records.get(name);
    return record === undefined ? null : (decodeValue(record.value) as RegisterValue);
  }

  table(): TableAt {
    return { records: this.#records.all(), at: this.#at, chosen: this.#chosen };
  }

  /** Runs that are open as far as this peer knows, with the digest of their bundle. */
  get openRuns(): ReadonlyMap<string, string> {
    return this.#records.openRuns;
  }

  /** Schedules by their pipelines, as far as this peer knows. */
  get schedules(): ReadonlyMap<string, ScheduleValue> {
    return this.#records.schedules;
  }

  /** Documents by topic and name, as far as this peer knows; `changes` rises with every change of one. */
  get documents(): { readonly all: ReadonlyMap<string, DocumentValue>; readonly changes: number } {
    return { all: this.#records.documents, changes: this.#records.documentChanges };
  }

  prepare(ballot: Ballot): TableEffect[] {
    const order = compareBallots(ballot, this.#promised);
    if (order < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const effects: TableEffect[] = [];
    if (order > 0) {
      this.#promised = ballot;
      this.#gathering = null;
      effects.push({ kind: "store", operations: [this.#ownEntry()] });
    }
    effects.push(reply(ballot.peer, { kind: "promise", ballot, at: this.#at }));
    return effects;
  }

  /** A reign has begun with the table that was at `base`. */
  begin({ ballot, base }: Extract<RegisterMessage, { kind: "reign" }>): TableEffect[] {
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    // It comes late, from a link that broke.
    if (compareBallots(ballot, this.#at.ballot) === 0) return [];
    if (comparePositions(base, this.#at) !== 0) return this.ask(ballot.peer, ballot);
    this.#promised = ballot;
    return this.#moved([], { ballot, round: 1 }, this.#chosen);
  }

  accept(message: Extract<RegisterMessage, { kind: "accept" }>): TableEffect[] {
    const { ballot, round, chosen, records } = message;
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const isOwn = compareBallots(ballot, this.#at.ballot) === 0;
    // What was under way on a link that broke may arrive behind what was sent on the next one.
    if (isOwn && round <= this.#at.round) return [];
    if (!isOwn || round !== this.#at.round + 1 || this.isBehind) return this.ask(ballot.peer, ballot);
    // No home says so, and which of two values is the later one would not be told at the next start.
    if (namesTwice(records)) return [];
    this.#promised = ballot;
    const operations: Operation[] = [];
    for (const { names, value } of records) this.#putAll(names, { ballot, round, value }, operations);
    return this.#moved(operations, { ballot, round }, { ballot, round: chosen });
  }

  /** Answers a home that this peer could follow, and asks for what it lacks. */
  hear({ ballot, sentMs, round, chosen }: Extract<RegisterMessage, { kind: "heartbeat" }>): TableEffect[] {
    // Who is told of a higher promise only with its next round reigns on unfollowed for as long as it has none.
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const heard = reply(ballot.peer, { kind: "heard", ballot, sentMs });
    const isOwn = compareBallots(ballot, this.#at.ballot) === 0;
    if (isOwn) this.#learnChosen({ ballot, round: chosen });
    if (isOwn && round <= this.#at.round) {
      // What it had asked for has come by other ways.
      this.#gathering = null;
      return [heard];
    }
    // Pages can be lost with a link, or with whoever sent them: it is begun anew when none has come for a while.
    const stands = this.#gathering !== null && !this.#gathering.moves;
    if (this.#gathering !== null) this.#gathering.moves = false;
    if (stands) this.#gathering = null;
    return [heard, ...this.ask(ballot.peer, ballot)];
  }

  /** What that peer was sending here will not come any more. */
  peerDown(peer: string): void {
    if (this.#gathering?.from === peer) this.#gathering = null;
  }

  /** Asks a home, or as a candidate whoever is furthest, for what is missing here. Nothing when that is under way. */
  ask(from: string, ballot: Ballot): TableEffect[] {
    const known = this.#gathering;
    if (known !== null && known.from === from && compareBallots(known.ballot, ballot) === 0) return [];
    this.#asks += 1;
    const ask = `${this.#incarnation}/${this.#asks}`;
    const own = this.#records.namesSince(this.#chosen);
    // More than there is in rounds that nobody has chosen: rather everything.
    const isMuch = own.length > limits.repairNamesMax || own.includes(retiredRegister);
    const [since, names] = isMuch ? [origin, []] : [this.#chosen, own];
    this.#gathering = {
      ask,
      from,
      ballot,
      since,
      found: new Map(),
      forgotten: new Set(),
      page: 0,
      bytes: 0,
      moves: true,
    };
    return [reply(from, { kind: "gap", ballot, ask, since, names })];
  }

  /** A page of what is missing here; the last one makes it this peer's table. */
  repair(from: string, message: Extract<RegisterMessage, { kind: "repair" }>): TableEffect[] {
    const gathering = this.#gathering;
    const { ask, page, ballots, records } = message;
    // Whatever else comes is late, or comes again.
    if (gathering?.ask !== ask || gathering.from !== from || gathering.page !== page) return [];
    for (const { name, value, ballot: index, round } of records) {
      const ballot = ballots[index];
      if (ballot === undefined) return [];
      if (name === retiredRegister)
        for (const run of belowOf(decodeValue(value) as RetiredValue, gathering.found))
          gathering.forgotten.add(run);
      gathering.forgotten.delete(name);
      gathering.found.set(name, { name, value, ballot, round });
      gathering.bytes += value.length;
    }
    gathering.page += 1;
    gathering.moves = true;
    if (message.last) return this.#takeUp(gathering, message.at, message.chosen);
    if (gathering.bytes <= limits.installBytesMax)
      return [reply(from, { kind: "more", ballot: gathering.ballot, ask, page: gathering.page })];
    this.#gathering = null;
    return [];
  }

  /** All of it in one write: before, this peer's table; behind, the other's. */
  #takeUp({ since, found, forgotten, ballot }: Gathering, at: Position, chosen: Position): TableEffect[] {
    for (const name of found.keys()) {
      const run = runOfStepRegister(name);
      if (forgotten.has(run === null ? name : runRegister(run))) found.delete(name);
    }
    const dropped = this.#records.namesSince(since);
    // What is dropped here, or had from a lower round, would come back with its group at the next start.
    const operations = this.#takeApart([...dropped, ...found.keys()]);
    // What the watermark was raised over and is still there has come with it. Before what is dropped, with
    // which would go how long its run could be admitted: its steps would be left.
    const raised = found.get(retiredRegister);
    const watermark = raised === undefined ? null : (decodeValue(raised.value) as RetiredValue);
    for (const run of this.#records.retirable(watermark))
      if (!found.has(runRegister(run))) this.#delete(this.#records.forget(run), operations);
    for (const name of dropped) {
      this.#records.drop(name);
      if (!found.has(name)) operations.push({ kind: "delete", key: registerKey(name) });
    }
    // Runs before their steps: a peer that took a run for closed must know better before it is given the steps.
    const sorted = [...found.values()];
    const steps = sorted.filter(({ name }) => runOfStepRegister(name) !== null);
    const others = sorted.filter(({ name }) => runOfStepRegister(name) === null);
    for (const { name, ...record } of [...others, ...steps])
      this.#put(name, record, storedRecord(record), operations);
    if (compareBallots(ballot, this.#promised) > 0) this.#promised = ballot;
    return this.#moved(operations, at, chosen);
  }

  /** Registers that hold the same. Steps of one run share an entry. */
  #putAll(names: WireRecord["names"], record: AcceptedRecord, operations: Operation[]): void {
    const steps = names.length > 1 ? stepsOfOneRun(names) : null;
    if (steps !== null) {
      const areKept = this.#records.putSteps(steps, record);
      if (areKept) operations.push(this.#groups.store(steps, record));
      return;
    }
    const bytes = storedRecord(record);
    for (const name of names) this.#put(name, record, bytes, operations);
  }

  #put(name: string, record: AcceptedRecord, bytes: Uint8Array, operations: Operation[]): void {
    const isKept = this.#records.put(name, record);
    const key = registerKey(name);
    operations.push(isKept ? { kind: "put", key, value: bytes } : { kind: "delete", key });
    const gone =
      name === retiredRegister ? this.#records.forgetRetired() : this.#records.forgetIfClosed(name);
    this.#delete(gone, operations);
  }

  /** @param gone whole runs, or all steps of them. */
  #delete(gone: readonly string[], operations: Operation[]): void {
    for (const name of gone) {
      const run = runOfStepRegister(name) ?? runOfRegister(name);
      operations.push({ kind: "delete", key: registerKey(name) });
      if (run !== null) operations.push(...this.#groups.forget(run));
    }
  }

  #takeApart(names: readonly string[]): Operation[] {
    const runs = new Set(names.map(runOfStepRegister));
    return [...runs].flatMap((run) => (run === null ? [] : this.#groups.takeApart(run, this.#records)));
  }

  /** Its table is another one, on the disk at once with all that makes the difference. A vote, where it is a home's own. */
  #moved(operations: readonly Operation[], at: Position, chosen: Position): TableEffect[] {
    this.#at = at;
    this.#gathering = null;
    this.#learnChosen(chosen);
    const effects: TableEffect[] = [{ kind: "store", operations: [...operations, this.#ownEntry()] }];
    const { ballot, round } = at;
    if (compareBallots(ballot, this.#promised) === 0)
      effects.push(reply(ballot.peer, { kind: "accepted", ballot, round }));
    return effects;
  }

  /** Only of what is held here; written down with whatever is stored next. */
  #learnChosen(chosen: Position): void {
    const isHeld = comparePositions(chosen, this.#at) <= 0;
    if (chosen.round > 0 && isHeld && comparePositions(chosen, this.#chosen) > 0) this.#chosen = chosen;
  }

  #nack(ballot: Ballot): RegisterMessage {
    return { kind: "nack", ballot, promised: this.#promised };
  }

  #ownEntry(): Operation {
    return { kind: "put", key: acceptorKey, value: storedPlaces(this.#promised, this.#at, this.#chosen) };
  }
}

/** Runs among what came that a watermark is above. */
function* belowOf(watermark: RetiredValue, found: ReadonlyMap<string, PromisedRecord>): Generator<string> {
  for (const [name, { value }] of found)
    if (name.startsWith("run/") && isRetired(decodeValue(value) as RunValue, watermark)) yield name;
}

function namesTwice(records: readonly WireRecord[]): boolean {
  const known = new Set<string>();
  let count = 0;
  for (const { names } of records) {
    for (const name of names) known.add(name);
    count += names.length;
  }
  return known.size < count;
}

function reply(to: string, message: RegisterMessage): TableEffect {
  return { kind: "send", to, message };
}
