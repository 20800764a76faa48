/**
 * One control peer's vote: what it promised and what it accepted. The other half is `home.ts`.
 *
 * Promises, each kept by replying only after the loop has made the `store` effect durable:
 * - it accepts under a ballot only when it has promised no higher one;
 * - under one ballot it accepts rounds without gaps, so a majority that holds round n holds all before it;
 * - a record is replaced only by one of a higher or equal (ballot, round).
 *
 * Steps of a run that it knows to be closed are forgotten: nothing is ever granted in a closed run.
 */

import { decodeValue, encodeValue } from "../values.ts";
import { type Ballot, compareBallots, noBallot } from "./ballot.ts";
import type { PromisedRecord, RegisterMessage, WireRecord } from "./messages.ts";
import { pagesOf } from "./pages.ts";
import { type RegisterValue, runOfStepRegister, type RunValue } from "./registers.ts";
import { pipelineOfRegister, type ScheduleValue } from "./schedule.ts";
import type { TableEffect } from "./table.ts";

const acceptorKey = "acceptor";
const recordPrefix = "register/";

export type AcceptedRecord = { readonly ballot: Ballot; readonly round: number; readonly value: Uint8Array };

export class Acceptor {
  #promised: Ballot = noBallot;
  #acceptedBallot: Ballot = noBallot;
  #acceptedRound = 0;
  readonly #records = new Map<string, AcceptedRecord>();
  readonly #stepsOfRun = new Map<string, Set<string>>();
  readonly #closedRuns = new Set<string>();
  readonly #openRuns = new Map<string, string>();
  readonly #schedules = new Map<string, ScheduleValue>();

  /** Takes up what a former life of this peer stored under `keys.acceptor` and `keys.records`. */
  static readonly keys = { acceptor: acceptorKey, records: recordPrefix } as const;

  restore(stored: Iterable<readonly [key: string, value: Uint8Array]>): void {
    for (const [key, bytes] of stored) {
      if (key === acceptorKey) {
        const [promised, acceptedBallot, acceptedRound] = decodeValue(bytes) as [Ballot, Ballot, number];
        this.#promised = promised;
        this.#acceptedBallot = acceptedBallot;
        this.#acceptedRound = acceptedRound;
        continue;
      }
      this.#keep(key.slice(recordPrefix.length), readRecord(bytes));
    }
    for (const run of this.#closedRuns) this.#forgetSteps(run);
  }

  get promised(): Ballot {
    return this.#promised;
  }

  /** The value that this peer accepted last: a hint, never the domain's decision. */
  accepted(name: string): RegisterValue | null {
    const record = this.#records.get(name);
    return record === undefined ? null : (decodeValue(record.value) as RegisterValue);
  }

  /** Everything that this peer accepted last. */
  records(): PromisedRecord[] {
    return [...this.#records].map(([name, record]): PromisedRecord => ({ name, ...record }));
  }

  /** Runs that are open as far as this peer knows, with the digest of their bundle. */
  get openRuns(): ReadonlyMap<string, string> {
    return this.#openRuns;
  }

  /** Schedules by their pipelines, as far as this peer knows. */
  get schedules(): ReadonlyMap<string, ScheduleValue> {
    return this.#schedules;
  }

  prepare(ballot: Ballot): TableEffect[] {
    const order = compareBallots(ballot, this.#promised);
    if (order < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const effects: TableEffect[] = [];
    if (order > 0) {
      this.#promised = ballot;
      effects.push({ kind: "store", operations: [this.#ownEntry()] });
    }
    const pages = pagesOf(this.records());
    for (const [index, page] of pages.entries()) {
      const last = index === pages.length - 1;
      effects.push(reply(ballot.peer, { kind: "promise", ballot, records: page, last }));
    }
    return effects;
  }

  /** A whole state from a home: afterwards this peer follows from `round` on. */
  sync(message: Extract<RegisterMessage, { kind: "sync" }>): TableEffect[] {
    const { ballot, round, records, last } = message;
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    // What was under way on a link that broke may arrive behind what was sent on the next one, and takes no vote back.
    if (compareBallots(ballot, this.#acceptedBallot) === 0 && round < this.#acceptedRound) return [];
    return this.#store(ballot, round, records, last);
  }

  /** Answers a home that this peer could follow, and asks for the whole table where it does not follow yet. */
  hear({ ballot, sentMs }: Extract<RegisterMessage, { kind: "heartbeat" }>): TableEffect[] {
    // Who is told of a higher promise only with its next round reigns on unfollowed for as long as it has none.
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const heard = reply(ballot.peer, { kind: "heard", ballot, sentMs });
    if (compareBallots(ballot, this.#acceptedBallot) === 0) return [heard];
    return [heard, reply(ballot.peer, { kind: "gap", ballot })];
  }

  accept(message: Extract<RegisterMessage, { kind: "accept" }>): TableEffect[] {
    const { ballot, round, records } = message;
    if (compareBallots(ballot, this.#promised) < 0) return [reply(ballot.peer, this.#nack(ballot))];
    const follows = compareBallots(ballot, this.#acceptedBallot) === 0 && round === this.#acceptedRound + 1;
    if (!follows) return [reply(ballot.peer, { kind: "gap", ballot })];
    return this.#store(ballot, round, records, true);
  }

  #store(ballot: Ballot, round: number, records: readonly WireRecord[], whole: boolean): TableEffect[] {
    this.#promised = ballot;
    const operations: Extract<TableEffect, { kind: "store" }>["operations"][number][] = [];
    for (const { names, value } of records) {
      const record = { ballot, round, value };
      const bytes = storedRecord(record);
      for (const name of names) {
        const run = runOfStepRegister(name);
        if (run !== null && this.#closedRuns.has(run)) continue;
        this.#keep(name, record);
        operations.push({ kind: "put", key: recordPrefix + name, value: bytes });
        if (!name.startsWith("run/") || !this.#closedRuns.has(name.slice(4))) continue;
        for (const step of this.#forgetSteps(name.slice(4)))
          operations.push({ kind: "delete", key: recordPrefix + step });
      }
    }
    if (whole) {
      this.#acceptedBallot = ballot;
      this.#acceptedRound = round;
    }
    operations.push(this.#ownEntry());
    const effects: TableEffect[] = [{ kind: "store", operations }];
    if (whole) effects.push(reply(ballot.peer, { kind: "accepted", ballot, round }));
    return effects;
  }

  #keep(name: string, record: AcceptedRecord): void {
    this.#records.set(name, record);
    const run = runOfStepRegister(name);
    if (run !== null) {
      const steps = this.#stepsOfRun.get(run);
      if (steps === undefined) this.#stepsOfRun.set(run, new Set([name]));
      else steps.add(name);
    } else if (name.startsWith("run/")) {
      const value = decodeValue(record.value) as RegisterValue;
      if (value.kind === "run") this.#noteRun(name.slice(4), value);
    }
    const pipeline = pipelineOfRegister(name);
    if (pipeline !== null) this.#schedules.set(pipeline, decodeValue(record.value) as ScheduleValue);
  }

  /** A close that this peer voted for may not have been chosen: a later home may say that the run is open. */
  #noteRun(run: string, { outcome, envelope }: RunValue): void {
    if (outcome === null) {
      this.#closedRuns.delete(run);
      this.#openRuns.set(run, envelope);
    } else {
      this.#closedRuns.add(run);
      this.#openRuns.delete(run);
    }
  }

  #forgetSteps(run: string): ReadonlySet<string> {
    const steps = this.#stepsOfRun.get(run) ?? new Set<string>();
    for (const step of steps) this.#records.delete(step);
    this.#stepsOfRun.delete(run);
    return steps;
  }

  #nack(ballot: Ballot): RegisterMessage {
    return { kind: "nack", ballot, promised: this.#promised };
  }

  #ownEntry(): { kind: "put"; key: string; value: Uint8Array } {
    const value = encodeValue([this.#promised, this.#acceptedBallot, this.#acceptedRound]);
    return { kind: "put", key: acceptorKey, value };
  }
}

/** A record as it is on the disk. */
export function storedRecord({ ballot, round, value }: AcceptedRecord): Uint8Array {
  return encodeValue([ballot.configuration, ballot.epoch, ballot.peer, ballot.incarnation, round, value]);
}

export function readRecord(bytes: Uint8Array): AcceptedRecord {
  const [configuration, epoch, peer, incarnation, round, value] = decodeValue(bytes) as [
    number,
    number,
    string,
    string,
    number,
    Uint8Array,
  ];
  return { ballot: { configuration, epoch, peer, incarnation }, round, value };
}

function reply(to: string, message: RegisterMessage): TableEffect {
  return { kind: "send", to, message };
}
