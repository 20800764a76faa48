/**
 * The proposer of a domain's register table: how a control peer becomes home and how the home decides.
 *
 *   following --stand--> preparing --majority promised--> recovering --majority holds the merge--> home
 *       ^                    |                                |                                     |
 *       +------ nack: a higher ballot, or its home is alive --+-------------------------------------+
 *                                                             +--the next configuration is chosen--> closed
 *
 * Promises: a decision is told only after a majority has it on disk; decisions are told in the order of their
 * rounds; a refusal is told only after a majority has taken a round that was started for it, so that nobody else had
 * decided anything before; a reign that ended leaves its open
 * proposals "unknown": nobody is told anything, and who asked asks the next home with the same nonce.
 *
 * The next configuration is the last thing that this one decides: no round is started behind it, and a home that finds
 * it chosen when it takes over decides nothing. So what a closed home holds is the same for every home that closes.
 *
 * @source D. Rystsov, "CASPaxos", arXiv 1802.07000, with the promise stored per table as in Bizur, arXiv 1702.04242.
 */

import { assert } from "../errors.ts";
import { limits } from "../limits.ts";
import { decodeValue, encodeValue } from "../values.ts";
import { type Ballot, compareBallots, noBallot } from "./ballot.ts";
import type { PromisedRecord, RegisterMessage, WireRecord } from "./messages.ts";
import { pagesOf } from "./pages.ts";
import {
  charterRegister,
  type CharterValue,
  type Command,
  evaluate,
  type Evaluation,
  type Refusal,
  type RegisterValue,
  runOfStepRegister,
} from "./registers.ts";
import type { TableEffect } from "./table.ts";

export type Decision<Ticket> = {
  readonly ticket: Ticket;
  readonly register: string;
  readonly command: Command;
} & (
  | { readonly verdict: "changed"; readonly value: RegisterValue }
  | { readonly verdict: "refused"; readonly reason: Refusal; readonly value: RegisterValue | null }
);

type Proposal<Ticket> = { readonly register: string; readonly command: Command; readonly ticket: Ticket };

type Round<Ticket> = {
  readonly round: number;
  readonly decisions: readonly Decision<Ticket>[];
  readonly values: ReadonlyMap<string, RegisterValue>;
  readonly acceptedBy: Set<string>;
};

export type HomeStage = "following" | "preparing" | "recovering" | "home" | "closed";

export class Home<Ticket> {
  readonly #self: string;
  readonly #majority: number;
  readonly #configuration: number;
  /** True once a round holds the next configuration: nothing is proposed behind it. */
  #closing = false;
  #stage: HomeStage = "following";
  #ballot: Ballot = noBallot;
  #round = 0;
  /** What a majority holds. */
  readonly #committed = new Map<string, RegisterValue>();
  /** The newest value of a register with a round in flight. */
  readonly #speculative = new Map<string, RegisterValue>();
  readonly #merged = new Map<string, PromisedRecord>();
  readonly #promisedBy = new Set<string>();
  /** Peers that were sent the whole table under this ballot and follow its rounds. */
  readonly #following = new Set<string>();
  readonly #stepsOfRun = new Map<string, Set<string>>();
  #waiting: Proposal<Ticket>[] = [];
  #rounds: Round<Ticket>[] = [];

  constructor(self: string, peers: readonly string[], configuration: number) {
    this.#self = self;
    this.#configuration = configuration;
    this.#majority = Math.floor(peers.length / 2) + 1;
  }

  get stage(): HomeStage {
    return this.#stage;
  }

  get ballot(): Ballot {
    return this.#ballot;
  }

  committed(name: string): RegisterValue | null {
    return this.#committed.get(name) ?? null;
  }

  committedEntries(): IterableIterator<[string, RegisterValue]> {
    return this.#committed.entries();
  }

  get proposalsWaiting(): number {
    return this.#waiting.length;
  }

  /** Stands for home under a ballot that was never used before. */
  stand(ballot: Ballot, peers: readonly string[]): TableEffect[] {
    this.stepDown();
    this.#stage = "preparing";
    this.#ballot = ballot;
    return peers.map((to) => ({ kind: "send", to, message: { kind: "prepare", ballot } }));
  }

  stepDown(): void {
    this.#stage = "following";
    this.#closing = false;
    this.#round = 0;
    this.#waiting = [];
    this.#rounds = [];
    for (const state of [this.#committed, this.#speculative, this.#merged, this.#stepsOfRun]) state.clear();
    for (const peers of [this.#promisedBy, this.#following]) peers.clear();
  }

  /** A link to another control peer came up: whoever stands or reigns asks it to follow. */
  peerUp(peer: string): TableEffect[] {
    if (this.#stage === "following" || this.#stage === "closed") return [];
    return [{ kind: "send", to: peer, message: { kind: "prepare", ballot: this.#ballot } }];
  }

  peerDown(peer: string): void {
    this.#following.delete(peer);
    if (this.#stage === "preparing") this.#promisedBy.delete(peer);
  }

  promise(from: string, message: Extract<RegisterMessage, { kind: "promise" }>): TableEffect[] {
    if (this.#stage === "following" || this.#stage === "closed") return [];
    if (compareBallots(message.ballot, this.#ballot) !== 0) return [];
    if (this.#stage !== "preparing") return message.last ? this.#bringUp(from) : [];
    for (const record of message.records) {
      const known = this.#merged.get(record.name);
      const newer =
        known === undefined ||
        compareBallots(record.ballot, known.ballot) > 0 ||
        (compareBallots(record.ballot, known.ballot) === 0 && record.round > known.round);
      if (newer) this.#merged.set(record.name, record);
    }
    if (!message.last) return [];
    this.#promisedBy.add(from);
    if (this.#promisedBy.size < this.#majority) return [];
    return this.#recover();
  }

  /** The acceptor lost track of the rounds: it gets the whole table again. */
  gap(from: string, ballot: Ballot): TableEffect[] {
    if (!this.#reigns(ballot)) return [];
    return this.#bringUp(from);
  }

  /** Counts a vote. Returns the decisions that are now the domain's, in order. */
  accepted(from: string, ballot: Ballot, round: number): readonly Decision<Ticket>[] {
    if (!this.#reigns(ballot)) return [];
    for (const open of this.#rounds) if (open.round <= round) open.acceptedBy.add(from);
    const decisions: Decision<Ticket>[] = [];
    for (let first = this.#rounds[0]; first !== undefined; first = this.#rounds[0]) {
      if (first.acceptedBy.size < this.#majority) break;
      this.#rounds.shift();
      this.#commit(first);
      decisions.push(...first.decisions);
      if (this.#stage === "recovering") this.#stage = "home";
      if (this.successor === null) continue;
      this.#stage = "closed";
      this.#waiting = [];
    }
    return decisions;
  }

  /** The configuration that was chosen to follow this one; null while this one decides. */
  get successor(): CharterValue | null {
    const value = this.#committed.get(charterRegister);
    return value?.kind === "charter" && value.configuration > this.#configuration ? value : null;
  }

  /** Everything that this configuration decided, when it decides no more: what its successor begins with. */
  lastRecords(): PromisedRecord[] {
    assert(this.#stage === "closed", "only what is decided for ever is handed over");
    return [...this.#committed].map(([name, value]) => ({
      name,
      value: encodeValue(value),
      ballot: this.#ballot,
      round: this.#round,
    }));
  }

  propose(register: string, command: Command, ticket: Ticket): void {
    assert(this.#stage === "home", "only the home proposes");
    this.#waiting.push({ register, command, ticket });
  }

  /**
   * Starts the next rounds, as many as may be in flight. While one is in flight proposals gather, so a busy
   * table makes large rounds and few disk syncs.
   */
  flush(): { readonly effects: TableEffect[]; readonly decisions: readonly Decision<Ticket>[] } {
    const effects: TableEffect[] = [];
    while (this.#stage === "home" && !this.#closing && this.#waiting.length > 0) {
      const full = this.#waiting.length >= limits.batchRecordsMax;
      if (this.#rounds.length >= (full ? limits.roundsInFlightMax : limits.roundsInFlightMin)) break;
      const batch = this.#nextBatch();
      effects.push(...this.#startRound(batch));
    }
    return { effects, decisions: [] };
  }

  #nextBatch(): readonly Proposal<Ticket>[] {
    let size = 0;
    let bytes = 0;
    for (const { command } of this.#waiting) {
      bytes += command.kind === "finish" ? command.report.length : 0;
      if (size > 0 && (size >= limits.batchRecordsMax || bytes > limits.batchBytesMax)) break;
      size += 1;
      if (command.kind === "recharter") break;
    }
    return this.#waiting.splice(0, size);
  }

  #startRound(batch: readonly Proposal<Ticket>[]): TableEffect[] {
    const values = new Map<string, RegisterValue>();
    const decisions: Decision<Ticket>[] = [];
    /** What the last command makes of a register that nobody has written: the same object for the same command. */
    const fresh: { command: Command | null; evaluation: Evaluation | null } = {
      command: null,
      evaluation: null,
    };
    for (const { register, command, ticket } of batch) {
      const uncommitted = values.get(register) ?? this.#speculative.get(register);
      const value = uncommitted ?? this.#committed.get(register) ?? null;
      const known = value === null && fresh.command === command ? fresh.evaluation : null;
      const evaluation = known ?? evaluate(value, command);
      if (value === null) Object.assign(fresh, { command, evaluation });
      if (evaluation.kind === "changed") {
        values.set(register, evaluation.value);
        this.#closing ||= command.kind === "recharter";
        decisions.push({ ticket, register, command, verdict: "changed", value: evaluation.value });
        continue;
      }
      const refusal = { ticket, register, command, reason: evaluation.reason, value } as const;
      decisions.push({ verdict: "refused", ...refusal });
    }
    // A refusal changes nothing and has its round all the same: who was succeeded without knowing it refuses nobody.
    this.#round += 1;
    for (const [name, value] of values) this.#speculative.set(name, value);
    this.#rounds.push({ round: this.#round, decisions, values, acceptedBy: new Set() });
    const records = recordsOf(values);
    const message: RegisterMessage = { kind: "accept", ballot: this.#ballot, round: this.#round, records };
    // The others are sent to before this peer's own disk is asked: both work at once.
    const others = [...this.#following].filter((peer) => peer !== this.#self);
    const to = this.#following.has(this.#self) ? [...others, this.#self] : others;
    return to.map((peer) => ({ kind: "send", to: peer, message }));
  }

  #reigns(ballot: Ballot): boolean {
    return (
      (this.#stage === "recovering" || this.#stage === "home") && compareBallots(ballot, this.#ballot) === 0
    );
  }

  /** A majority promised: its merge is laid down again under the new ballot before anything is served. */
  #recover(): TableEffect[] {
    this.#stage = "recovering";
    this.#round = 1;
    const values = new Map<string, RegisterValue>();
    for (const [name, record] of this.#merged) values.set(name, decodeValue(record.value) as RegisterValue);
    for (const name of values.keys()) {
      const run = runOfStepRegister(name);
      const closed = run === null ? undefined : values.get(`run/${run}`);
      if (closed?.kind === "run" && closed.outcome !== null) values.delete(name);
    }
    this.#merged.clear();
    for (const [name, value] of values) this.#speculative.set(name, value);
    this.#rounds = [{ round: 1, decisions: [], values, acceptedBy: new Set() }];
    return [...this.#promisedBy].flatMap((peer) => this.#bringUp(peer));
  }

  /** Sends the newest state of every register; from here on the peer gets each round. */
  #bringUp(peer: string): TableEffect[] {
    this.#following.add(peer);
    const newest = [...new Map([...this.#committed, ...this.#speculative])];
    // Runs before their steps: a voter that took a run for closed must know better before it is given the steps.
    const steps = newest.filter(([name]) => runOfStepRegister(name) !== null);
    const others = newest.filter(([name]) => runOfStepRegister(name) === null);
    const records = [...others, ...steps].map(([name, value]): WireRecord => ({
      names: [name],
      value: encodeValue(value),
    }));
    const pages = pagesOf(records);
    return pages.map((page, index) => ({
      kind: "send",
      to: peer,
      message: {
        kind: "sync",
        ballot: this.#ballot,
        round: this.#round,
        records: page,
        last: index === pages.length - 1,
      },
    }));
  }

  #commit(round: Round<Ticket>): void {
    for (const [name, value] of round.values) {
      this.#committed.set(name, value);
      if (this.#speculative.get(name) === value) this.#speculative.delete(name);
      const run = runOfStepRegister(name);
      if (run !== null) {
        const steps = this.#stepsOfRun.get(run);
        if (steps === undefined) this.#stepsOfRun.set(run, new Set([name]));
        else steps.add(name);
      } else if (value.kind === "run" && value.outcome !== null) this.#forgetSteps(name.slice(4));
    }
  }

  #forgetSteps(run: string): void {
    for (const step of this.#stepsOfRun.get(run) ?? []) this.#committed.delete(step);
    this.#stepsOfRun.delete(run);
  }
}

/** Registers in a row that hold the same object are one record. */
function recordsOf(values: ReadonlyMap<string, RegisterValue>): WireRecord[] {
  const records: { readonly names: string[]; readonly value: Uint8Array }[] = [];
  let last: RegisterValue | null = null;
  for (const [name, value] of values) {
    if (value === last) records.at(-1)?.names.push(name);
    else records.push({ names: [name], value: encodeValue(value) });
    last = value;
  }
  return records;
}
