/**
 * A control peer's part in the register table: its vote (`acceptor.ts`), its reign (`home.ts`), and when to stand.
 *
 * Nothing here waits on a wall clock: who stands when is only liveness. Safety is the acceptors' alone.
 * A peer that has heard no home for a while, or whose link to the home broke, canvasses: it asks the others whether they
 * would vote for it. Only when a majority is willing does it stand, and promise itself its new ballot. Who hears a home
 * well is not willing. So one broken link, or a peer that starts anew, neither deposes a home nor ends up with a
 * promise that is ahead of everybody's. The further down the charter (behind a home that broke off, if one did), the
 * later a peer canvasses.
 *
 * @source D. Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 9.6: the pre-vote.
 */

import { unreachable } from "../errors.ts";
import { limits } from "../limits.ts";
import { Acceptor, type TableAt } from "./acceptor.ts";
import { type Ballot, compareBallots, comparePositions, type Position } from "./ballot.ts";
import type { DocumentValue } from "./document.ts";
import { type Decision, Home, type HomeStage } from "./home.ts";
import type { RegisterMessage } from "./messages.ts";
import { type OwnReign, Repairs } from "./repairs.ts";
import {
  type CharterValue,
  type Command,
  type RegisterValue,
  retiredRegister,
  type RetiredValue,
} from "./registers.ts";
import type { ScheduleValue } from "./schedule.ts";

export type TableEffect =
  | {
      readonly kind: "send";
      readonly to: string;
      readonly message: RegisterMessage;
      /** It may wait for `limits.askLaterMs`, but for nothing that is said to the same peer behind it. */
      readonly later?: true;
    }
  | {
      readonly kind: "store";
      readonly operations: readonly (
        | { readonly kind: "put"; readonly key: string; readonly value: Uint8Array }
        | { readonly kind: "delete"; readonly key: string }
      )[];
    };

export type TableOutput<Ticket> = {
  readonly effects: readonly TableEffect[];
  readonly decisions: readonly Decision<Ticket>[];
};

export type TableOptions = {
  readonly self: string;
  /** All control peers of the charter, in its order. */
  readonly peers: readonly string[];
  /** Unique for each start of the process. */
  readonly incarnation: string;
  /** Which configuration of the domain these peers are. One that this peer is not in is only watched: it has no vote. */
  readonly configuration: number;
  readonly stored: readonly (readonly [key: string, value: Uint8Array])[];
};

/** A home that has sent so many heartbeats without hearing from a majority in between is deaf: it steps down. */
const heartbeatsUnansweredMax = (4 * limits.homeSilenceMsMax) / limits.heartbeatMs;

const nothing = { effects: [], decisions: [] } as const;

export class RegisterTable<Ticket> {
  readonly #self: string;
  readonly #peers: readonly string[];
  readonly #incarnation: string;
  readonly #configuration: number;
  readonly #rank: number;
  readonly #acceptor: Acceptor;
  readonly #repairs: Repairs;
  readonly #home: Home<Ticket>;
  readonly #linked = new Set<string>();
  #highestEpoch: number;
  /** The home that this peer follows, or null when it has heard of none lately. */
  #following: { readonly ballot: Ballot; heardMs: number } | null = null;
  #canvassAtMs: number | null;
  /** The ballot that this peer would stand under, and who is willing. */
  #canvass: { readonly ballot: Ballot; readonly willing: Set<string> } | null = null;
  /** How soon it is asked again, who was not willing because it heard a home; longer each time. */
  #retryMs: number = limits.standDelayMs;
  #nextHeartbeatMs = 0;
  /** When this home sent the newest heartbeat that each peer has answered. */
  readonly #heardMs = new Map<string, number>();
  /** Answers to heartbeats that were sent before this say nothing of now. */
  #awakeSinceMs = -Infinity;
  /** Who has answered a heartbeat, however old, since a majority had; and how many were sent since then. */
  readonly #answeredBy = new Set<string>();
  #unanswered = 0;

  constructor(options: TableOptions, nowMs: number) {
    this.#self = options.self;
    this.#peers = options.peers;
    this.#incarnation = options.incarnation;
    this.#configuration = options.configuration;
    this.#rank = options.peers.indexOf(options.self);
    this.#home = new Home(options.self, options.peers, options.configuration);
    this.#acceptor = new Acceptor(options.incarnation);
    this.#repairs = new Repairs(this.#acceptor);
    this.#acceptor.restore(options.stored);
    this.#highestEpoch = this.#acceptor.promised.epoch;
    this.#canvassAtMs = this.votes ? nowMs + this.#rankDelayMs() : null;
    this.#linked.add(options.self);
  }

  get configuration(): number {
    return this.#configuration;
  }

  /** False for a peer that is not of this configuration. */
  get votes(): boolean {
    return this.#rank >= 0;
  }

  get stage(): HomeStage {
    return this.#home.stage;
  }

  /** The peer that is home as far as this peer knows, or null. */
  get home(): string | null {
    if (this.#home.stage === "home") return this.#self;
    const followed = this.#following?.ballot.peer ?? null;
    // A candidate follows its own sync before its reign has begun: it must not send workers to itself yet.
    return followed === this.#self ? null : followed;
  }

  /** The register's value as this home has committed it; at any other peer, what that peer accepted last. */
  value(name: string): RegisterValue | null {
    return this.#home.stage === "home" ? this.#home.committed(name) : this.#acceptor.accepted(name);
  }

  /**
   * True while no other home can have reigned for long: so recently did a majority, which had promised nobody more,
   * answer a heartbeat. A successor needs a promise from one of them, and counts every lease anew from its start.
   */
  isAssured(nowMs: number): boolean {
    return this.isAssuredAfter(nowMs - limits.homeAssuredMs - 1);
  }

  /**
   * True when a majority, which had promised nobody more, has answered a heartbeat that was sent after that time: until then
   * nobody else was home.
   */
  isAssuredAfter(sinceMs: number): boolean {
    if (this.#home.stage !== "home") return false;
    const heard = this.#peers.filter(
      (peer) => peer === this.#self || (this.#heardMs.get(peer) ?? -Infinity) > sinceMs,
    );
    return heard.length > this.#peers.length / 2;
  }

  /** The machine was suspended, for nobody knows how long by its monotonic clock: somebody else may reign. */
  slept(nowMs: number): void {
    this.#heardMs.clear();
    this.#awakeSinceMs = nowMs;
  }

  /** Every committed register; only while this peer is home. */
  committedEntries(): Iterable<[string, RegisterValue]> {
    return this.#home.committedEntries();
  }

  /** Runs that are open as far as this peer knows, with the digest of their bundle. */
  get openRuns(): ReadonlyMap<string, string> {
    return this.#acceptor.openRuns;
  }

  /** Schedules by their pipelines, as far as this peer knows; a home asks its committed registers. */
  get schedules(): ReadonlyMap<string, ScheduleValue> {
    return this.#acceptor.schedules;
  }

  /** Documents by topic and name: each is signed, and holds by that; `changes` rises with every change of one. */
  get documents(): { readonly all: ReadonlyMap<string, DocumentValue>; readonly changes: number } {
    return this.#acceptor.documents;
  }

  /** The watermark that is the domain's, as far as this peer knows: never what it has only voted for. */
  get retired(): RetiredValue | null {
    if (this.#home.stage === "home") {
      const value = this.#home.committed(retiredRegister);
      return value?.kind === "retired" ? value : null;
    }
    const { records, chosen } = this.#acceptor;
    const record = records.get(retiredRegister);
    return record === undefined || comparePositions(record, chosen) > 0 ? null : records.retired;
  }

  /** Queues a change. The answer comes as a decision, or never when the reign ends first. */
  propose(register: string, command: Command, ticket: Ticket): void {
    this.#home.propose(register, command, ticket);
  }

  /** Call once after each turn's proposals: gathers them into rounds. */
  flush(): TableOutput<Ticket> {
    return this.#home.flush();
  }

  peerUp(peer: string): TableOutput<Ticket> {
    this.#linked.add(peer);
    const effects = this.#home.peerUp(peer);
    const ballot = this.#canvass?.ballot;
    if (ballot !== undefined) effects.push({ kind: "send", to: peer, message: { kind: "canvass", ballot } });
    return { effects, decisions: [] };
  }

  peerDown(peer: string, nowMs: number): TableOutput<Ticket> {
    this.#linked.delete(peer);
    this.#canvass?.willing.delete(peer);
    this.#home.peerDown(peer);
    this.#repairs.stop(peer);
    this.#acceptor.peerDown(peer);
    if (this.#following?.ballot.peer === peer && this.#following.ballot.peer !== this.#self) {
      this.#following = null;
      this.#retryMs = limits.standDelayMs;
      this.#canvassAtMs = nowMs + this.#successionDelayMs(peer);
    }
    // A candidate may have been given that peer's table.
    return { effects: this.#beginReign(nowMs), decisions: [] };
  }

  /** When a peer that is not home has something to do, should it hear nothing by then. */
  get dueMs(): number {
    const followed = this.#following;
    const silentMs =
      followed === null ? Infinity : followed.heardMs + limits.homeSilenceMsMax + this.#rankDelayMs() + 1;
    return Math.min(silentMs, this.#canvassAtMs ?? Infinity);
  }

  /** Call at least every `limits.heartbeatMs` while this peer stands or reigns, else when it is due. */
  tick(nowMs: number): TableOutput<Ticket> {
    this.#repairs.tick();
    const effects: TableEffect[] = this.#repairOthers();
    // A home that has lost its majority falls silent, so that whom it still reaches may follow another.
    if (this.#reigning() && this.#hasMajority() && nowMs >= this.#nextHeartbeatMs) {
      this.#nextHeartbeatMs = nowMs + limits.heartbeatMs;
      const message = this.#heartbeat(nowMs);
      for (const to of this.#linked) if (to !== this.#self) effects.push({ kind: "send", to, message });
      // Who is heard and hears nobody would keep the others from a home that can decide.
      this.#unanswered += 1;
      if (this.#answeredBy.size + 1 > this.#peers.length / 2) this.#awaitAnswers();
      if (this.#unanswered > heartbeatsUnansweredMax) this.#abdicate(nowMs + limits.homeSilenceMsMax);
    }
    const silent =
      this.#following !== null &&
      nowMs - this.#following.heardMs > limits.homeSilenceMsMax + this.#rankDelayMs();
    if (silent && !this.#reigning()) {
      this.#following = null;
      this.#canvassAtMs = nowMs;
    }
    const due = this.#canvassAtMs !== null && nowMs >= this.#canvassAtMs;
    // A closed home has decided all that it can: others take over, or nobody needs to.
    if (due && !this.#reigning() && this.#home.stage !== "closed") {
      // Who was willing before the majority was lost may have heard of a home since.
      this.#canvass = null;
      if (this.#hasMajority()) effects.push(...this.#canvassOthers(nowMs));
      else this.#canvassAtMs = nowMs + limits.heartbeatMs;
    }
    return { effects, decisions: [] };
  }

  /** The configuration that follows this one, once this home has decided it and nothing more. */
  get successor(): CharterValue | null {
    return this.#home.stage === "closed" ? this.#home.successor : null;
  }

  /** What a member without a table begins with: all that was decided before, and perhaps some of what was proposed. */
  table(): TableAt {
    return this.#home.stage === "closed" ? this.#home.lastTable() : this.#acceptor.table();
  }

  /** Where in its history the table is that this peer holds. */
  get at(): Position {
    return this.#acceptor.at;
  }

  /** Of every entry on its disk that a register may be in. */
  registerKeys(): IterableIterator<string> {
    return this.#acceptor.registerKeys();
  }

  receive(from: string, message: RegisterMessage, nowMs: number): TableOutput<Ticket> {
    if (!this.votes || message.ballot.configuration !== this.#configuration) return nothing;
    const { effects, decisions } = this.#receive(from, message, nowMs);
    const follows = [...this.#beginReign(nowMs), ...this.#repairOthers()];
    return { effects: follows.length === 0 ? effects : [...effects, ...follows], decisions };
  }

  #receive(from: string, message: RegisterMessage, nowMs: number): TableOutput<Ticket> {
    switch (message.kind) {
      case "canvass":
        return { effects: [this.#answerCanvass(message.ballot, nowMs)], decisions: [] };
      case "willing":
        return { effects: this.#countWilling(from, message.ballot, nowMs), decisions: [] };
      case "prepare":
        return { effects: this.#prepare(message.ballot, nowMs), decisions: [] };
      case "reign":
        this.#hear(message.ballot, nowMs);
        return { effects: this.#acceptor.begin(message), decisions: [] };
      case "accept":
        this.#hear(message.ballot, nowMs);
        return { effects: this.#acceptor.accept(message), decisions: [] };
      case "heartbeat":
        this.#hear(message.ballot, nowMs);
        return { effects: this.#acceptor.hear(message), decisions: [] };
      case "heard":
        if (compareBallots(message.ballot, this.#home.ballot) !== 0) return nothing;
        if (message.sentMs >= this.#awakeSinceMs) this.#heardMs.set(from, message.sentMs);
        this.#answeredBy.add(from);
        return nothing;
      case "promise": {
        const state = this.#home.promise(from, message);
        // What it says to hold of this reign is its vote, which may have been lost with a link.
        const { ballot, round } = message.at;
        const decisions = this.#home.accepted(from, ballot, round);
        if (state === null) return { effects: [], decisions };
        // By a heartbeat it hears that there is a home, and how far it is: it asks for what it lacks.
        const answer = state === "begins" ? this.#home.beginning : this.#heartbeat(nowMs);
        return { effects: [{ kind: "send", to: from, message: answer }], decisions };
      }
      case "gap":
        if (this.#home.lacks(from, message.ballot) || this.#serves(from, message.ballot))
          this.#repairs.start(from, message);
        return nothing;
      case "more":
        this.#repairs.more(from, message);
        return nothing;
      case "repair":
        return { effects: this.#acceptor.repair(from, message), decisions: [] };
      case "accepted": {
        const decisions = this.#home.accepted(from, message.ballot, message.round);
        return { effects: [], decisions };
      }
      case "nack":
        return this.#nack(message, nowMs);
      default:
        return unreachable(message);
    }
  }

  /** A candidate that this peer promised takes over its table. */
  #serves(from: string, ballot: Ballot): boolean {
    return from === ballot.peer && compareBallots(ballot, this.#acceptor.promised) === 0;
  }

  #repairOthers(): TableEffect[] {
    if (this.#repairs.isIdle) return [];
    const reign: OwnReign = this.#reigning()
      ? { ballot: this.#home.ballot, round: this.#home.rounds.round }
      : null;
    const { effects, whole } = this.#repairs.pages(reign);
    for (const peer of whole) this.#home.follow(peer);
    return effects;
  }

  /** Once a majority has promised: with the furthest of its tables, which is here or is asked for. */
  #beginReign(nowMs: number): TableEffect[] {
    const { furthest } = this.#home;
    if (furthest === null) return [];
    const { at } = this.#acceptor;
    if (comparePositions(furthest.at, at) <= 0) return this.#home.begin(this.#acceptor.table());
    // As long as it comes nobody needs to stand again.
    this.#canvassAtMs = nowMs + limits.homeSilenceMsMax + this.#rankDelayMs();
    return this.#acceptor.ask(furthest.peer, this.#home.ballot);
  }

  #heartbeat(sentMs: number): RegisterMessage {
    return { kind: "heartbeat", ballot: this.#home.ballot, sentMs, ...this.#home.rounds };
  }

  /** True when this peer hears a home well that is not the candidate, or is one itself. */
  #hasHomeBesides(candidate: string, nowMs: number): boolean {
    if (candidate === this.#self) return false;
    const followed = this.#following;
    const alive =
      followed !== null &&
      followed.ballot.peer !== candidate &&
      this.#linked.has(followed.ballot.peer) &&
      nowMs - followed.heardMs <= limits.homeSilenceMsMax;
    return alive || (this.#home.stage === "home" && this.#hasMajority());
  }

  #answerCanvass(ballot: Ballot, nowMs: number): TableEffect {
    const promised = this.#acceptor.promised;
    const willing = compareBallots(ballot, promised) > 0 && !this.#hasHomeBesides(ballot.peer, nowMs);
    const message: RegisterMessage = willing
      ? { kind: "willing", ballot }
      : { kind: "nack", ballot, promised };
    return { kind: "send", to: ballot.peer, message };
  }

  #countWilling(from: string, ballot: Ballot, nowMs: number): TableEffect[] {
    const canvass = this.#canvass;
    if (canvass === null || compareBallots(ballot, canvass.ballot) !== 0) return [];
    canvass.willing.add(from);
    return canvass.willing.size > this.#peers.length / 2 ? this.#stand(canvass.ballot, nowMs) : [];
  }

  #prepare(ballot: Ballot, nowMs: number): TableEffect[] {
    this.#highestEpoch = Math.max(this.#highestEpoch, ballot.epoch);
    const promised = this.#acceptor.promised;
    const higher = compareBallots(ballot, promised) > 0;
    if (higher && this.#hasHomeBesides(ballot.peer, nowMs))
      return [{ kind: "send", to: ballot.peer, message: { kind: "nack", ballot, promised } }];
    if (higher && ballot.peer !== this.#self) {
      this.#canvass = null;
      this.#abdicate(nowMs + limits.homeSilenceMsMax);
    }
    return this.#acceptor.prepare(ballot);
  }

  #hear(ballot: Ballot, nowMs: number): void {
    this.#highestEpoch = Math.max(this.#highestEpoch, ballot.epoch);
    if (compareBallots(ballot, this.#acceptor.promised) < 0) return;
    const stands = this.#home.stage !== "following";
    if (ballot.peer !== this.#self && stands && compareBallots(ballot, this.#home.ballot) > 0)
      this.#abdicate(nowMs + limits.homeSilenceMsMax);
    this.#canvass = null;
    this.#following = { ballot, heardMs: nowMs };
    this.#canvassAtMs = null;
  }

  #nack(message: Extract<RegisterMessage, { kind: "nack" }>, nowMs: number): TableOutput<Ticket> {
    this.#highestEpoch = Math.max(this.#highestEpoch, message.promised.epoch);
    if (this.#canvass !== null && compareBallots(message.ballot, this.#canvass.ballot) === 0) {
      // Refused only for what that peer had promised before: asked again under a higher ballot.
      if (compareBallots(message.promised, message.ballot) >= 0) this.#canvassAtMs = nowMs;
      // That peer may be about to see that the home is gone, too.
      else this.#canvassAtMs = Math.min(this.#canvassAtMs ?? Infinity, nowMs + this.#retryMs);
      return nothing;
    }
    if (this.#home.stage === "following" || compareBallots(message.ballot, this.#home.ballot) !== 0)
      return nothing;
    // A peer that refuses only because it follows somebody lower, or is home itself, has one vote: others may have more.
    if (compareBallots(message.promised, this.#home.ballot) <= 0) return nothing;
    // Should nobody else be home by then, a canvass finds this peer's followers willing.
    this.#abdicate(nowMs + limits.heartbeatMs);
    return nothing;
  }

  #canvassOthers(nowMs: number): TableEffect[] {
    const ballot = {
      configuration: this.#configuration,
      epoch: this.#highestEpoch + 1,
      peer: this.#self,
      incarnation: this.#incarnation,
    };
    this.#canvass = { ballot, willing: new Set() };
    this.#retryMs = Math.min(2 * this.#retryMs, limits.homeSilenceMsMax);
    this.#canvassAtMs = nowMs + limits.homeSilenceMsMax + this.#rankDelayMs();
    const stood = this.#countWilling(this.#self, ballot, nowMs);
    if (stood.length > 0) return stood;
    const others = [...this.#linked].filter((peer) => peer !== this.#self);
    return others.map((to) => ({ kind: "send", to, message: { kind: "canvass", ballot } }));
  }

  #stand(ballot: Ballot, nowMs: number): TableEffect[] {
    this.#canvass = null;
    this.#highestEpoch = Math.max(this.#highestEpoch, ballot.epoch);
    this.#heardMs.clear();
    this.#repairs.clear();
    this.#awaitAnswers();
    this.#canvassAtMs = nowMs + limits.homeSilenceMsMax + this.#rankDelayMs();
    return this.#home.stand(ballot, [...this.#linked]);
  }

  /** Nobody's home any more; canvasses at the stated time unless another is heard by then. */
  #abdicate(canvassAtMs: number): void {
    this.#home.stepDown();
    this.#repairs.clear();
    if (this.#following?.ballot.peer === this.#self) this.#following = null;
    this.#canvassAtMs = canvassAtMs + this.#rankDelayMs();
  }

  #awaitAnswers(): void {
    this.#answeredBy.clear();
    this.#unanswered = 0;
  }

  #reigning(): boolean {
    return this.#home.stage === "home" || this.#home.stage === "recovering";
  }

  #hasMajority(): boolean {
    return this.#linked.size > this.#peers.length / 2;
  }

  #rankDelayMs(): number {
    return this.#rank * limits.standDelayMs;
  }

  /** Whoever is next in the charter after a home that broke off does not wait. */
  #successionDelayMs(home: string): number {
    const { length } = this.#peers;
    return ((this.#rank - this.#peers.indexOf(home) - 1 + length) % length) * limits.standDelayMs;
  }
}
