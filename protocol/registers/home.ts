/**
 * The proposer of a domain's register table: how a control peer becomes home and how the home decides.
 *
 *   following --stand--> preparing --a majority promised; the furthest of its tables is here--> recovering
 *       ^                    |                                                                     |
 *       |                    |                    a majority has that table as this reign's first round
 *       |                    |                                                                     v
 *       +-- nack: a higher ballot, or its home is alive -------------------------------------------+--- home
 *                                                                                                        |
 *                                                     closed <--the next configuration is chosen---------+
 *
 * The table of a reign's beginning is nobody's new one: every voter holds one home's whole table (`acceptor.ts`), and of
 * those of a majority the one that is furthest has all that was chosen. A voter that has that very one follows at once; any
 * other is sent what it lacks (`repairs.ts`), and counts from then on.
 *
 * A round is sent at once to as many as make a majority, those who answered the last one first, and may be sent to the others
 * later (`askLaterMs`), several in one write. Should the first not answer, the others do, and are the first from then on; and now and
 * then all are asked at once (`askAllEvery`).
 *
 * Promises: a decision is told only after a majority has it on disk; decisions are told in the order of their
 * rounds; a refusal is told only after a majority has taken a round that was started for it, so that nobody else had
 * decided anything before; a reign that ended leaves its open proposals "unknown": nobody is told anything, and who asked
 * asks the next home with the same nonce.
 *
 * The next configuration is the last thing that this one decides: no round is started behind it, and a home that finds
 * it chosen when it takes over decides nothing. So what a closed home holds is the same for every home that closes.
 *
 * @source D. Rystsov, "CASPaxos", arXiv 1802.07000, with the promise stored per table as in Bizur, arXiv 1702.04242; that
 * the furthest table of a majority is the whole truth is B. Liskov, J. Cowling, "Viewstamped Replication Revisited", 2012.
 */

import { assert } from "../errors.ts";
import { limits } from "../limits.ts";
import { decodeValue, encodeValue } from "../values.ts";
import type { TableAt } from "./acceptor.ts";
import { type Ballot, compareBallots, comparePositions, noBallot, origin, type Position } from "./ballot.ts";
import type { PromisedRecord, RegisterMessage } from "./messages.ts";
import { RegisterMap } from "./register-map.ts";
import {
  charterRegister,
  type CharterValue,
  type Command,
  evaluate,
  type Evaluation,
  isRetired,
  type Refusal,
  type RegisterValue,
  retiredRegister,
  runOfStepRegister,
} from "./registers.ts";
import type { TableEffect } from "./table.ts";
import { recordsOf } from "./wire-records.ts";

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
  /** The newest round that a majority holds. */
  #chosen = 0;
  /** Where the table was that this reign began with. */
  #base: Position = origin;
  /** What a majority holds. */
  readonly #committed = new RegisterMap<RegisterValue>();
  /** Runs among it that are closed. */
  readonly #closed = new Set<string>();
  /** Who promised this ballot, and where their tables are. */
  readonly #promisedBy = new Map<string, Position>();
  /** Peers that have the table of this reign, but for what is on its way to them: they are sent each round. */
  readonly #following = new Set<string>();
  /** Who else voted for the last round that was chosen, before it was. */
  #quick = nobody;
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

  committedEntries(): Iterable<[string, RegisterValue]> {
    return this.#committed;
  }

  /** The newest round that was started, and the newest that is chosen. */
  get rounds(): { readonly round: number; readonly chosen: number } {
    return { round: this.#round, chosen: this.#chosen };
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
    this.#chosen = 0;
    this.#waiting = [];
    this.#rounds = [];
    this.#committed.clear();
    this.#closed.clear();
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

  /**
   * @returns of a reign that has begun: whether it is to be told where that was, since it has that very table, or how far it
   * is by now. Null when it is no promise to a reign that has begun.
   */
  promise(
    from: string,
    { ballot, at }: Extract<RegisterMessage, { kind: "promise" }>,
  ): "begins" | "goes on" | null {
    if (compareBallots(ballot, this.#ballot) !== 0) return null;
    if (this.#stage === "preparing") this.#promisedBy.set(from, at);
    if (!this.#reigns(ballot)) return null;
    const isWhole = comparePositions(at, { ballot, round: this.#round }) === 0;
    const isAtBase = this.#round === 1 && comparePositions(at, this.#base) === 0;
    if (isWhole || isAtBase) this.#following.add(from);
    return isAtBase ? "begins" : "goes on";
  }

  /** How a reign is told whose first round it is. */
  get beginning(): RegisterMessage {
    return { kind: "reign", ballot: this.#ballot, base: this.#base };
  }

  /** Whose table is the furthest of those of a majority, and where; null while no majority, with this peer, has promised. */
  get furthest(): { readonly peer: string; readonly at: Position } | null {
    const own = this.#promisedBy.get(this.#self);
    if (this.#stage !== "preparing" || own === undefined || this.#promisedBy.size < this.#majority)
      return null;
    let furthest = { peer: this.#self, at: own };
    for (const [peer, at] of this.#promisedBy)
      if (comparePositions(at, furthest.at) > 0) furthest = { peer, at };
    return furthest;
  }

  /** The reign begins with that table. It is laid down as the first round before anything is served. */
  begin({ records, at }: TableAt): TableEffect[] {
    assert(this.#stage === "preparing", "only who stands begins a reign");
    this.#stage = "recovering";
    this.#round = 1;
    this.#base = at;
    const values = new Map<string, RegisterValue>();
    const last: { bytes: Uint8Array | null; value: RegisterValue | null } = { bytes: null, value: null };
    for (const { name, value: bytes } of records) {
      // What was claimed together is one value in many registers.
      const value = last.bytes === bytes && last.value !== null ? last.value : decoded(bytes);
      Object.assign(last, { bytes, value });
      values.set(name, value);
    }
    this.#rounds = [{ round: 1, decisions: [], values, acceptedBy: new Set() }];
    const message = this.beginning;
    const peers = [...this.#promisedBy.keys()];
    for (const peer of peers) this.#following.add(peer);
    return peers.map((to) => ({ kind: "send", to, message }));
  }

  /** False for a ballot that is not this reign's. From here on the peer is sent no round until it has what it lacks. */
  lacks(from: string, ballot: Ballot): boolean {
    if (!this.#reigns(ballot)) return false;
    this.#following.delete(from);
    return true;
  }

  /** It has been sent everything up to the newest round. */
  follow(peer: string): void {
    if (this.#reigns(this.#ballot)) this.#following.add(peer);
  }

  /** Counts a vote. Returns the decisions that are now the domain's, in order. */
  accepted(from: string, ballot: Ballot, round: number): readonly Decision<Ticket>[] {
    if (!this.#reigns(ballot)) return [];
    for (const open of this.#rounds) if (open.round <= round) open.acceptedBy.add(from);
    const decisions: Decision<Ticket>[] = [];
    for (let first = this.#rounds[0]; first !== undefined; first = this.#rounds[0]) {
      if (first.acceptedBy.size < this.#majority) break;
      this.#rounds.shift();
      this.#chosen = first.round;
      this.#quick = new Set([...first.acceptedBy].filter((peer) => peer !== this.#self));
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
  lastTable(): TableAt {
    assert(this.#stage === "closed", "only what is decided for ever is handed over");
    const at: Position = { ballot: this.#ballot, round: this.#round };
    const records = [...this.#committed].map(([name, value]): PromisedRecord => ({
      name,
      value: encodeValue(value),
      ...at,
    }));
    return { records, at, chosen: at };
  }

  propose(register: string, command: Command, ticket: Ticket): void {
    // What follows from the last that was decided here is the next configuration's to decide.
    if (this.#stage === "closed") return;
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
    const newest = (name: string): RegisterValue | null => values.get(name) ?? this.#newest(name);
    for (const { register, command, ticket } of batch) {
      const value = newest(register);
      const known = value === null && fresh.command === command ? fresh.evaluation : null;
      const evaluation = known ?? evaluate(value, command, newest(retiredRegister));
      if (value === null) Object.assign(fresh, { command, evaluation });
      if (evaluation.kind === "changed") {
        values.set(register, evaluation.value);
        this.#closing ||= command.kind === "recharter";
        decisions.push({ ticket, register, command, verdict: "changed", value: evaluation.value });
        continue;
      }
      decisions.push({ ticket, register, command, verdict: "refused", reason: evaluation.reason, value });
    }
    // A refusal changes nothing and has its round all the same: who was succeeded without knowing it refuses nobody.
    this.#round += 1;
    this.#rounds.push({ round: this.#round, decisions, values, acceptedBy: new Set() });
    const records = recordsOf(values);
    const { round, chosen } = this.rounds;
    const message: RegisterMessage = { kind: "accept", ballot: this.#ballot, round, chosen, records };
    // The others are sent to before this peer's own disk is asked: both work at once.
    const others = [...this.#following].filter((peer) => peer !== this.#self);
    const to = this.#following.has(this.#self) ? [...others, this.#self] : others;
    const mayWait = this.#mayWait(to);
    return to.map((peer) => ({
      kind: "send",
      to: peer,
      message,
      ...(mayWait.has(peer) ? { later: true } : {}),
    }));
  }

  /** Those of who is sent a round without whom it is chosen all the same, should the others answer. */
  #mayWait(to: readonly string[]): ReadonlySet<string> {
    const slow = new Set(to.filter((peer) => peer !== this.#self && !this.#quick.has(peer)));
    // The last round of a configuration is for all that are there; and who was slow once may be the faster one again.
    const isForAll = this.#closing || this.#round % limits.askAllEvery === 0;
    return isForAll || to.length - slow.size < this.#majority ? nobody : slow;
  }

  /** What a register will hold when all rounds in flight are chosen. */
  #newest(name: string): RegisterValue | null {
    for (let at = this.#rounds.length - 1; at >= 0; at -= 1) {
      const value = this.#rounds[at]?.values.get(name);
      if (value !== undefined) return value;
    }
    return this.committed(name);
  }

  #reigns(ballot: Ballot): boolean {
    return (
      (this.#stage === "recovering" || this.#stage === "home") && compareBallots(ballot, this.#ballot) === 0
    );
  }

  #commit(round: Round<Ticket>): void {
    const raised = round.values.get(retiredRegister);
    // What this very round closes is forgotten when the watermark is raised the next time, as at every voter.
    if (raised !== undefined) this.#forgetRetired(raised);
    for (const [name, value] of round.values)
      if (value.kind === "run" && value.outcome !== null) {
        this.#closed.add(name.slice(4));
        this.#committed.deleteStepsOf(name.slice(4));
      }
    for (const [name, value] of round.values) if (!this.#isOfClosed(name)) this.#committed.set(name, value);
  }

  /** What was proposed of a step before its run was closed is nobody's any more, as at every voter. */
  #isOfClosed(name: string): boolean {
    const run = this.#closed.size === 0 ? null : runOfStepRegister(name);
    return run !== null && this.#closed.has(run);
  }

  #forgetRetired(watermark: RegisterValue): void {
    for (const [name, value] of this.#committed)
      if (value.kind === "run" && value.outcome !== null && isRetired(value, watermark)) {
        this.#committed.delete(name);
        this.#closed.delete(name.slice(4));
      }
  }
}

const nobody: ReadonlySet<string> = new Set();

function decoded(bytes: Uint8Array): RegisterValue {
  return decodeValue(bytes) as RegisterValue;
}
