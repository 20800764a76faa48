/**
 * A control peer's decisions: what it votes, what it admits, and, while it is home, everything in `reign.ts`.
 *
 * Pure: `decide` takes inputs and the time and returns effects in the order in which they must be performed.
 * The loop (`loop.ts`) performs them. The simulator drives this same class.
 */

import { equals } from "uint8arrays/equals";
import { type Allowed, allowedLabels } from "../../protocol/allowed.ts";
import { openAnswer } from "../../protocol/answers.ts";
import type { FoundPlan, GateSeen } from "../../protocol/calls.ts";
import { documentName, type OpenedDocument, openDocument } from "../../protocol/documents.ts";
import { openEnvelope, type RefusedBecause, type Signer, type Verifier } from "../../protocol/envelope.ts";
import type { StepClaims } from "../../protocol/credentials/issuer.ts";
import { assert, unreachable } from "../../protocol/errors.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import type { Fork } from "../../protocol/fork.ts";
import { limits } from "../../protocol/limits.ts";
import {
  type Charter,
  hasSpoken,
  isNewer,
  openCharter,
  type SignedCharter,
  whyNotSuccessor,
} from "../../protocol/membership.ts";
import type { LeaseRef, Message, SignedResult } from "../../protocol/messages.ts";
import type { TableAt } from "../../protocol/registers/acceptor.ts";
import { documentRegister, type DocumentValue } from "../../protocol/registers/document.ts";
import type { ConfigurationMessage, RegisterMessage } from "../../protocol/registers/messages.ts";
import {
  charterRegister,
  isRetired,
  type RunOutcome,
  runRegister,
  stepRegister,
} from "../../protocol/registers/registers.ts";
import { bundleOfSlot, nameBundle, orderOf, type Submission, validUntilOf } from "../../protocol/manifest.ts";
import type { ScheduleValue } from "../../protocol/registers/schedule.ts";
import { type Revoked, revocationTopic } from "../../protocol/revocation.ts";
import { entriesOf } from "../../protocol/log.ts";
import {
  acceptorKey,
  registerKey,
  registersPrefix,
  storedPlaces,
  storedRecord,
} from "../../protocol/registers/stored.ts";
import { RegisterTable, type TableEffect, type TableOutput } from "../../protocol/registers/table.ts";
import { decodeValue } from "../../protocol/values.ts";
import { parseSignedResult } from "../../protocol/report-check.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { StoredEntry, WriteOperation } from "../ports.ts";
import { Archiving } from "./archiving.ts";
import { configurationKey, Configurations } from "./configurations.ts";
import { Deferred } from "./deferred.ts";
import type { Answer, ControlEffect, ControlInput, Now } from "./effects.ts";
import { AntiEntropy } from "./anti-entropy.ts";
import { EntriesAnswer } from "./entries-answer.ts";
import { areToldAnew, History, historyKeys } from "./history.ts";
import { admittedMessage, type Known } from "./known.ts";
import { Countersigning } from "./countersigning.ts";
import { Endorsing } from "./endorsing.ts";
import { neighbourKeys, Neighbours } from "./neighbours.ts";
import { type LeasedStep, leasedStepOf } from "./leased-step.ts";
import { stepClaimsOf } from "./step-claims.ts";
import { Leases } from "./leases.ts";
import { Notes } from "./notes.ts";
import { Quotas } from "./quotas.ts";
import { Reign, type ReignContext, type Ticket } from "./reign.ts";
import { type ClosedRun, endOf } from "./retiring.ts";
import { Revocations } from "./revocations.ts";
import { Schedules } from "./schedules.ts";
import { submissionKeys, Submissions } from "./submissions.ts";
import { Suspension } from "./suspension.ts";
import { UnknownRuns } from "./unknown-runs.ts";

export const controlKeys = {
  ...submissionKeys,
  registers: registersPrefix,
  acceptor: acceptorKey,
  configuration: configurationKey,
  ...historyKeys,
  ...neighbourKeys,
} as const;

/** All that a control peer begins with again: what is under these keys. */
export const keysAtStart: readonly string[] = [
  controlKeys.bundles,
  controlKeys.orders,
  controlKeys.backlog,
  controlKeys.registers,
  controlKeys.acceptor,
  controlKeys.configuration,
  controlKeys.heads,
  controlKeys.forks,
  controlKeys.neighbours,
];

/** A ballot speaks for its own peer alone: nobody says these in another's name. */
const ownBallots: ReadonlySet<Message["kind"]> = new Set([
  "canvass",
  "prepare",
  "reign",
  "accept",
  "heartbeat",
]);

/** Who decides about steps takes none, and says nothing of how one went. */
const ofWorkers: ReadonlySet<Message["kind"]> = new Set([
  "session",
  "pull",
  "renew",
  "result",
  "release",
  "output",
]);

/** But `events`: each is signed by its author, whoever passes it on. */
const ofControls: ReadonlySet<Message["kind"]> = new Set([
  "holds",
  "vector",
  "log-parts",
  "parts-differ",
  "fork",
  "confirm",
  "confirmed",
  "announced",
]);

export type ControlOptions = {
  /** The newest charter that this peer knows of, opened and as it was signed. */
  readonly charter: SignedCharter;
  /** Names this peer's database (`ControlPeer` of the charter). */
  readonly store: string;
  /** Where other peers reach this one. */
  readonly addresses: readonly string[];
  readonly keys: Signer & Verifier;
  /** Unique for each start of the process. */
  readonly incarnation: string;
  /** Every entry under `keysAtStart`, in the order of keys. */
  readonly stored: readonly StoredEntry[];
};

export class ControlCore {
  readonly #keys: Signer & Verifier;
  readonly #incarnation: string;
  readonly #suspension = new Suspension();
  readonly #configurations: Configurations;
  #peers: ReadonlySet<string> = new Set();
  #table: RegisterTable<Ticket>;
  readonly #history: History;
  readonly #antiEntropy: AntiEntropy;
  readonly #archiving: Archiving;
  readonly #leases: Leases;
  readonly #quotas = new Quotas();
  readonly #unknownRuns = new UnknownRuns();
  readonly #reign: Reign;
  readonly #submissions: Submissions;
  readonly #schedules: Schedules;
  readonly #endorsing: Endorsing;
  readonly #countersigning: Countersigning;
  readonly #neighbours: Neighbours;
  readonly #revocations: Revocations;
  readonly #linked = new Map<string, string>();
  readonly #allowed = new Map<string, Allowed | null>();
  /** Those of them that are control peers: few, where many workers are linked. */
  readonly #linkedControls = new Set<string>();
  /** Linked control peers that vote in the same configuration as this one. */
  readonly #fellows = new Set<string>();
  #effects: (ControlEffect | TableEffect)[] = [];
  readonly #deferred = new Deferred();
  readonly #notes = new Notes();
  #toldPolicy: Uint8Array | null = null;
  /** How many changes of documents the edge was told of; -1: of none in this table. */
  #seenChanges = -1;
  #wasHome = false;
  #toldHome: string | null | undefined = undefined;
  #nextFetchMs = 0;
  /** When this peer has looked at what time brings; and when it is to, having looked up only for what was to be said later. */
  #lookedMs = -Infinity;
  #putOffToMs = Infinity;

  constructor(options: ControlOptions, now: Now) {
    const { charter, store, addresses, keys, incarnation, stored } = options;
    this.#keys = keys;
    this.#incarnation = incarnation;
    const under = (prefix: string) => stored.filter(([key]) => key.startsWith(prefix));
    const [, known] = stored.find(([key]) => key === configurationKey) ?? [];
    this.#configurations = new Configurations({
      self: keys.peer,
      store,
      addresses,
      charter,
      stored: known,
      keys,
    });
    if (known === undefined) this.#keepInstalled();
    this.#tellUnheard(charter.charter);
    const registers = [
      ...under(controlKeys.registers),
      ...stored.filter(([key]) => key === controlKeys.acceptor),
    ];
    this.#table = this.#newTable(registers, now);
    const { domain, leaseMs } = charter.charter;
    const logs = [...under(controlKeys.heads), ...under(controlKeys.forks)];
    this.#history = new History({ domain, incarnation, keys }, logs);
    this.#antiEntropy = this.#newAntiEntropy();
    this.#archiving = new Archiving({
      log: this.#history.ownLog,
      // Behind the entries that it asks for, which wait for the disk.
      send: (to, message) => {
        this.#store([]);
        this.#send(to, message);
      },
    });
    this.#leases = new Leases(leaseMs);
    this.#endorsing = this.#newEndorsing();
    this.#revocations = this.#newRevocations();
    this.#neighbours = this.#newNeighbours(under(controlKeys.neighbours));
    this.#countersigning = this.#newCountersigning();
    this.#reign = new Reign(
      {
        propose: (register, command, ticket) => this.#table.propose(register, command, ticket),
        send: (to, message) => this.#send(to, message),
        note: (noted) => this.#notes.add(noted),
        answer: (question, answer) => this.#effects.push({ kind: "answer", question, answer }),
        committed: (register) => this.#table.value(register),
        reportIn: (envelope) => this.#reportIn(envelope),
        admitted: ({ run }) => this.#tellAdmitted(run),
        poll: (request) => this.#effects.push({ kind: "poll", request }),
        count: (because, from) => this.#count(because, from),
        scheduled: (ticket, decision, now) => this.#schedules.decided(ticket, decision, now),
        signing: this.#signing(),
        release: (told) => this.#effects.push({ kind: "release", told }),
        heldThrough: () => this.#archiving.heldThrough(this.#keys.peer, this.#peers),
        wantHeld: (seq) => this.#archiving.want(seq),
        unadmittedMs: () => this.#submissions.unadmittedMs(),
        unstartedMs: () => this.#schedules.unstartedMs,
      },
      this.#leases,
    );
    this.#schedules = new Schedules({
      propose: (register, command, ticket) => this.#table.propose(register, command, ticket),
      note: (event) => this.#notes.add({ event, result: null }),
      answer: (question, answer) => this.#effects.push({ kind: "answer", question, answer }),
      committed: (register) => this.#table.value(register),
      order: (id) => this.#submissions.get(id)?.submission ?? null,
      start: (order, slotMs, now) => this.#startSlot(order, slotMs, now),
      forbidden: (order) => this.#whyForbidden(order),
      isRevoked: (peer) => this.#revocations.all.has(peer),
      settled: (order) => this.#tellAdmitted(order),
      retiredMs: () => this.#reign.retiring.throughMs,
    });
    this.#submissions = this.#newSubmissions();
    for (const [, bytes] of [...under(controlKeys.bundles), ...under(controlKeys.orders)])
      this.#submissions.restore(bytes);
    for (const [key, digest] of under(controlKeys.backlog))
      this.#submissions.backlog.restore(key.slice(controlKeys.backlog.length), decodeValue(digest) as string);
  }

  /** What linked control peers say of themselves: members, and those that could become members. */
  get configurations(): Configurations {
    return this.#configurations;
  }

  get isHome(): boolean {
    return this.#wasHome;
  }

  get home(): string | null {
    return this.#table.home;
  }

  /** Schedules by their pipelines, removed ones included; away from home as far as this peer knows. */
  get schedules(): ReadonlyMap<string, ScheduleValue> {
    return this.#table.stage === "home" ? this.#schedules.values : this.#table.schedules;
  }

  /** True for a control peer of a domain that this one trusts. */
  isNeighbour(peer: string): boolean {
    return this.#neighbours.hasControl(peer);
  }

  /** True for a run that is not closed, and for what may become one. */
  isKnown(run: string): boolean {
    return this.#submissions.get(run) !== undefined || this.#isAdmitted(run);
  }

  /** Runs that are not closed and whose plans are at hand. */
  *openRuns(): Generator<string> {
    for (const [run, { submission }] of this.#submissions.entries())
      if (orderOf(submission) === null) yield run;
  }

  /** The plan of such a run; null: there is none at hand. */
  openPlan(run: string): Pick<FoundPlan, "plan" | "planId"> | null {
    const submission = this.#submissions.get(run)?.submission;
    if (submission === undefined || orderOf(submission) !== null) return null;
    return { plan: submission.manifest.plan, planId: submission.planId };
  }

  /** Gates that are closed; away from home none are known. */
  get closedGates(): readonly GateSeen[] {
    const { gates, releases } = this.#reign;
    return this.#table.stage === "home" ? [...gates.closed, ...releases.waiting] : [];
  }

  /** What the domain's owner demands, as signed last and heard of here. */
  get policy(): Uint8Array | undefined {
    return this.#endorsing.policies.kept?.bytes;
  }

  /** Documents by topic and name, as they were signed (`protocol/documents.ts`). */
  get documents(): ReadonlyMap<string, DocumentValue> {
    return this.#table.documents.all;
  }

  /** Who is a peer of the domain no more. */
  get revoked(): Revoked {
    return this.#revocations.all;
  }

  /** A step that is leased as far as this peer knows: what its worker may have used in its name, and by whose will. */
  leasedStep(run: string, index: number): LeasedStep | null {
    const leased = this.#table.value(stepRegister(run, index));
    const submission = this.#submissions.get(run)?.submission;
    return leased === null || submission === undefined
      ? null
      : leasedStepOf({ run, index }, leased, submission);
  }

  /** What a token says of a leased step to others; null: it is not leased, as far as this peer knows. */
  stepClaims(run: string, index: number): StepClaims | null {
    const leased = this.leasedStep(run, index);
    const submission = this.#submissions.get(run)?.submission;
    const given = this.#endorsing.given(run, index);
    if (leased === null || submission === undefined || given === null) return null;
    return stepClaimsOf(leased, this.#configurations.charter.name, submission, given);
  }

  /** True when the domain's owner lets steps have this secret itself. */
  mayExpose(secret: string): boolean {
    return this.#endorsing.policies.mayExpose(secret);
  }

  /** Why a step that is leased may use no credential: its gate was not opened. Null: it was, or there is none. */
  whyNotPermitted(run: string, index: number, wallMs: number): string | null {
    return this.#endorsing.whyNotPermitted(run, index, wallMs);
  }

  /** Logs that are frozen, since their authors are proven to tell different things in them. */
  get forks(): readonly Fork[] {
    return this.#history.forks;
  }

  /** True while this peer knows of a run that is not closed, or of a standing order. */
  get hasOpenRuns(): boolean {
    return this.#submissions.size > 0;
  }

  /** How long until the next tick, should nothing else come: a home watches leases, another the home's silence. */
  tickAfterMs({ monotonicMs }: Now): number {
    const isBusy = this.#table.stage !== "following" || this.#antiEntropy.isCatchingUp;
    const mostMs = isBusy ? limits.tickMs : limits.idleTickMs;
    const dueMs = isBusy ? this.#notes.dueMs : this.#table.dueMs;
    const soonestMs = Math.min(dueMs, this.#deferred.dueMs, this.#putOffToMs);
    return Math.max(1, Math.min(mostMs, soonestMs - monotonicMs));
  }

  decide(inputs: readonly ControlInput[], now: Now): readonly ControlEffect[] {
    if (this.#suspension.hasSlept(now)) this.#table.slept(now.monotonicMs);
    for (const input of inputs) {
      this.#take(input, now);
      this.#followReign(now);
    }
    this.#serve(now);
    this.#record(now);
    if (this.#closeOver(now)) {
      this.#serve(now);
      this.#record(now);
    }
    if (this.#table.documents.changes !== this.#seenChanges) {
      this.#seenChanges = this.#table.documents.changes;
      this.#neighbours.refresh();
      for (const peer of this.#revocations.refresh()) this.#dropSessions(peer);
      this.#policyChanged();
      this.#effects.push({ kind: "documents-changed" });
    }
    // After the last words of a reign that ended in this turn.
    if (!this.#wasHome) this.#history.forgetClosed();
    const effects = this.#effects;
    this.#effects = [];
    return this.#deferred.ordered(effects, now.monotonicMs);
  }

  /** Behind the events of the same turn. False when there is nothing to close. */
  #closeOver({ monotonicMs }: Now): boolean {
    if (this.#table.stage !== "home") return false;
    for (const run of this.#reign.takeOver())
      this.#archiving.add(run, this.#history.holds(this.#history.ownLog));
    const ready = this.#archiving.ready(this.#keys.peer, this.#peers, this.#fellows, monotonicMs);
    // This peer is one of the majority that holds all of it.
    if (ready.length > 0) this.#store([]);
    for (const run of ready) this.#reign.close(run);
    return ready.length > 0;
  }

  /** Pairs, proposes and starts rounds until nothing more can be decided without hearing from somebody. */
  #serve(now: Now): void {
    while (this.#table.stage === "home") {
      this.#reign.claims.serve(now);
      const output = this.#table.flush();
      if (output.effects.length === 0 && output.decisions.length === 0) return;
      this.#perform(output, now);
    }
  }

  #take(input: ControlInput, now: Now): void {
    switch (input.kind) {
      case "tick":
        return this.#tick(now);
      case "peer-up":
        return this.#peerUp(input, now);
      case "peer-down":
        return this.#peerDown(input.peer, now);
      case "charter":
        return this.#learn(input.charter);
      case "recharter":
        return this.#recharter(input.bytes, input.question);
      case "message":
        return this.#message(input.from, input.message, now);
      case "bundle":
        return this.#bundle(input, now);
      case "source":
        this.#submissions.source(input.run, input.problem);
        return this.#admitReady(now);
      case "cancel":
        if (this.#table.stage === "home") return this.#reign.cancel(input.run, input.by, input.question);
        return this.#notHome(input.question);
      case "answer-step":
        return this.#answerStep(input, now);
      case "contested":
        return this.#antiEntropy.contest(input.evidence, null);
      case "polled":
        if (input.polled.verdictOf !== undefined) this.#endorsing.verdicts.polled(input.polled, now);
        else if (this.#table.stage === "home") this.#reign.settlements.polled(input.polled, now);
        return;
      case "release-told":
        if (this.#table.stage === "home") this.#reign.releases.told(input, input.answer, now);
        return;
      case "remove-schedule":
        if (this.#table.stage === "home") return this.#schedules.remove(input, now);
        return this.#notHome(input.question);
      case "put-document":
        return this.#putDocument(input, now);
      case "use-invite":
        if (this.#table.stage === "home")
          return this.#reign.useInvite(input.nonce, input.peer, input.question);
        return this.#notHome(input.question);
      default:
        return unreachable(input);
    }
  }

  #learn(charter: Charter): void {
    this.#configurations.learn(charter);
    if (this.#configurations.installed === null)
      this.#peers = new Set(this.#configurations.charter.controls.map(({ peer }) => peer));
  }

  /** The owner names the control peers that are to vote after these. */
  #recharter(bytes: Uint8Array, question: number): void {
    const { installed } = this.#configurations;
    if (this.#table.stage !== "home" || installed === null) return this.#notHome(question);
    if (equals(bytes, installed.bytes))
      return void this.#effects.push({ kind: "answer", question, answer: { ok: true } });
    const opened = openCharter(bytes, this.#domain, this.#keys);
    if (!opened.ok) return this.#answerNo(question, "stranger", opened.problem);
    const problem = whyNotSuccessor(installed.charter, opened.value);
    if (problem !== null) return this.#answerNo(question, "refused", problem);
    const { configuration, size } = opened.value;
    const present = this.#configurations.present(opened.value);
    if (present * 2 <= size)
      return this.#answerNo(question, "absent", `${present} of its ${size} control peers are there`);
    this.#table.propose(
      charterRegister,
      { kind: "recharter", configuration, charter: bytes },
      { kind: "recharter", question },
    );
  }

  #putDocument({ bytes, question }: Extract<ControlInput, { kind: "put-document" }>, { wallMs }: Now): void {
    if (this.#table.stage !== "home") return this.#notHome(question);
    const opened = openDocument(bytes, this.#revocations.roll, this.#keys);
    const problem = opened.ok ? this.#whyNotDocument(opened.value, wallMs) : opened.problem;
    if (!opened.ok || problem !== null)
      return this.#answerNo(question, opened.ok ? "refused" : "stranger", problem ?? "");
    const { document } = opened.value;
    const { version } = document;
    const register = documentRegister(documentName(document));
    this.#table.propose(register, { kind: "put-document", version, bytes }, { kind: "document", question });
  }

  #whyNotDocument(opened: OpenedDocument, wallMs: number): string | null {
    const { document } = opened;
    const { all } = this.#table.documents;
    const { owner, owners } = this.#configurations.charter;
    // Nobody fills the domain with theirs, so that it could not get rid of them.
    const isFirst = opened.signer === owner || document.topic === revocationTopic;
    const most = limits.documentsMax - (isFirst ? 0 : limits.documentsKeptFree);
    if (!all.has(documentName(document)) && all.size >= most)
      return `the domain keeps ${most} documents already`;
    // Several owners sign one after the other what one of them has begun.
    const sinceMs = owners !== undefined && opened.signer === owner ? limits.ownersSignMsMax : 0;
    const agoMs = wallMs - document.timeMs;
    const isTimely = agoMs >= -limits.signedApartMsMax && agoMs <= sinceMs + limits.signedApartMsMax;
    if (!isTimely) return "it was signed at another time than now, as this control peer's clock says";
    return this.#revocations.whyNot(opened);
  }

  #answerNo(question: number, reason: Extract<Answer, { ok: false }>["reason"], detail: string): void {
    this.#effects.push({ kind: "answer", question, answer: { ok: false, reason, detail } });
  }

  #answerStep({ bytes, said, question }: Extract<ControlInput, { kind: "answer-step" }>, now: Now): void {
    if (this.#table.stage !== "home") return this.#notHome(question);
    const opened = openAnswer(bytes, this.#revocations.roll, now.wallMs, this.#keys);
    if (opened.ok) return this.#reign.answer(opened.value, said, bytes, question, now);
    this.#count(opened.problem, null);
    this.#answerNo(question, "stranger", opened.problem);
  }

  #tick(now: Now): void {
    const nextMs = this.#lookedMs + limits.tickMs;
    if (this.#deferred.dueMs <= now.monotonicMs && now.monotonicMs < nextMs) {
      this.#putOffToMs = nextMs;
      return;
    }
    this.#lookedMs = now.monotonicMs;
    this.#putOffToMs = Infinity;
    this.#quotas.forgetSilent(now.monotonicMs);
    this.#perform(this.#table.tick(now.monotonicMs), now);
    if (this.#table.stage === "home") {
      for (const peer of this.#revocations.all.keys()) this.#reign.takeFrom(peer);
      this.#reign.tick(now);
      this.#schedules.tick(now);
      this.#admitReady(now);
    }
    if (this.#configurations.mustAskAgain(now.monotonicMs)) this.#greetControls();
    if (now.monotonicMs >= this.#nextFetchMs) {
      this.#nextFetchMs = now.monotonicMs + limits.fetchAgainMs;
      this.#fetchMissing();
      this.#submissions.fetchBacklog();
      this.#submissions.archiveGone();
    }
    const peer = this.#antiEntropy.due(now);
    if (peer !== null) this.#reconcile(peer, now);
  }

  /** Whoever is home: so that any control peer can take an open run over. */
  #fetchMissing(): void {
    // Who was a member once has an older table: what is open in it may have ended, and is no business of its own.
    const open = this.#isMember ? this.#table.openRuns : [];
    this.#submissions.fetchMissing([...open, ...this.#setOrders()]);
    for (const known of [...this.#submissions.entries()].map(([, known]) => known))
      this.#dropOvertaken(known);
  }

  /** Standing orders that are set as far as this peer knows: their ids, and the digests of their bundles. */
  #setOrders(): Map<string, string> {
    const orders = [...this.#table.schedules.values()].map(({ order }) => order);
    return new Map(orders.flatMap((order) => (order === null ? [] : [[order.id, order.digest]])));
  }

  /** An order that was set and is not any more, or that came too late to be, is no longer kept at hand. */
  #dropOvertaken(known: Known): void {
    const { submission } = known;
    const { run } = submission;
    if (!this.#isOvertaken(submission) || !this.#isAdmitted(run)) return;
    this.#tellAdmitted(run);
    this.#submissions.archive(run, known);
  }

  #isOvertaken(submission: Submission): boolean {
    const revision = orderOf(submission)?.revision ?? Infinity;
    const value = this.schedules.get(submission.manifest.plan.pipeline);
    return value !== undefined && value.revision >= revision && value.order?.id !== submission.run;
  }

  /** The run of a slot that was fired: made from its order, and from here on a submission like any other. */
  #startSlot({ run: order }: Submission, slotMs: number, now: Now): void {
    const known = this.#submissions.get(order);
    if (known === undefined) return;
    const bytes = bundleOfSlot(known.bytes, slotMs);
    const name = nameBundle(bytes);
    if (name === null || this.#submissions.get(name.run) !== undefined) return;
    this.#bundle({ kind: "bundle", ...name, from: null, bytes, question: null }, now);
  }

  #peerUp({ peer, role, allowed = null }: Extract<ControlInput, { kind: "peer-up" }>, now: Now): void {
    this.#linked.set(peer, role);
    this.#allowed.set(peer, allowed);
    if (role !== "control") return void this.#linkedControls.delete(peer);
    this.#linkedControls.add(peer);
    this.#send(peer, this.#configurations.up(peer));
    if (this.#peers.has(peer)) this.#reconcile(peer, now);
  }

  #peerDown(peer: string, now: Now): void {
    this.#linked.delete(peer);
    this.#allowed.delete(peer);
    this.#linkedControls.delete(peer);
    this.#deferred.peerDown(peer);
    this.#unknownRuns.peerDown(peer);
    this.#dropSessions(peer);
    this.#configurations.down(peer);
    this.#archiving.peerDown(peer);
    this.#followFellows(now);
  }

  #dropSessions(peer: string): void {
    for (const session of this.#leases.closePeer(peer)) this.#reign.claims.dropSession(session);
  }

  #spoken(from: string, message: Extract<ConfigurationMessage, { kind: "configuration" }>, now: Now): void {
    this.#configurations.heard(from, message);
    this.#followFellows(now);
    this.#installAt(this.#configurations.waiting().filter((peer) => peer === from));
  }

  /** Who votes where was said anew, or somebody is gone who had said so. */
  #followFellows(now: Now): void {
    for (const peer of this.#fellows) if (!this.#configurations.isFellow(peer)) this.#leave(peer, now);
    for (const peer of this.#configurations.spoken.keys())
      if (this.#configurations.isFellow(peer)) this.#join(peer, now);
  }

  #join(peer: string, now: Now): void {
    if (this.#fellows.has(peer)) return;
    this.#fellows.add(peer);
    this.#perform(this.#table.peerUp(peer), now);
  }

  #leave(peer: string, now: Now): void {
    if (this.#fellows.delete(peer)) this.#perform(this.#table.peerDown(peer, now.monotonicMs), now);
  }

  /** Gives members their table: whoever is home or was the last one does, and anybody while nobody is. */
  #installAt(waiting: readonly string[]): void {
    const isOthers = this.#table.home !== null && this.#table.stage !== "home";
    if (waiting.length === 0 || (isOthers && this.#table.successor === null)) return;
    const messages = this.#configurations.installing(this.#table.table());
    for (const peer of waiting) for (const message of messages) this.#send(peer, message);
  }

  #installed(from: string, message: Extract<ConfigurationMessage, { kind: "install" }>, now: Now): void {
    const gathered = this.#configurations.gather(from, message);
    if (gathered === null) return;
    if (typeof gathered === "string") return this.#count(gathered, from);
    this.#begin(gathered, gathered, now);
  }

  /** This home has decided who votes next, and decides no more. */
  #succeed(bytes: Uint8Array, now: Now): void {
    const opened = openCharter(bytes, this.#domain, this.#keys);
    assert(opened.ok, "only a charter that holds is proposed");
    const successor = { charter: opened.value, bytes };
    if (!this.#configurations.choose(successor)) return;
    const table = this.#table.table();
    this.#installAt(this.#configurations.waiting());
    if (this.#configurations.isOwn(successor.charter)) this.#begin(successor, table, now);
    else this.#effects.push({ kind: "chartered", ...successor });
  }

  /** Votes in a configuration from here on, with the table that it begins with. */
  #begin(installed: SignedCharter, { records, at, chosen }: TableAt, now: Now): void {
    const entries = records.map(({ name, ...record }): StoredEntry => [
      registerKey(name),
      storedRecord(record),
    ]);
    // It has promised nobody, and holds what whoever gave it this table had accepted.
    entries.push([acceptorKey, storedPlaces(at.ballot, at, chosen)]);
    const kept = new Set(entries.map(([key]) => key));
    const stale = [...this.#table.registerKeys()];
    this.#store([
      ...stale.filter((key) => !kept.has(key)).map((key): WriteOperation => ({ kind: "delete", key })),
      ...entries.map(([key, value]): WriteOperation => ({ kind: "put", key, value })),
      this.#configurations.install(installed),
    ]);
    this.#fellows.clear();
    this.#table = this.#newTable(entries, now);
    this.#followReign(now);
    this.#effects.push({ kind: "chartered", charter: installed.charter, bytes: installed.bytes });
    this.#greetControls();
    this.#followFellows(now);
    // Others may be gone soon that were members, and know more than this peer does.
    for (const peer of this.#linkedControls) this.#reconcile(peer, now);
  }

  #greetControls(): void {
    for (const { to, message } of this.#configurations.greetings()) this.#send(to, message);
  }

  #newTable(stored: readonly StoredEntry[], now: Now): RegisterTable<Ticket> {
    this.#seenChanges = -1;
    const { installed, charter } = this.#configurations;
    const peers = (installed?.charter ?? charter).controls.map(({ peer }) => peer);
    this.#peers = new Set(peers);
    const configuration = installed?.charter.configuration ?? 0;
    const { peer: self } = this.#keys;
    const members = installed === null ? [] : peers;
    const options = { self, peers: members, configuration, incarnation: this.#incarnation, stored };
    return new RegisterTable(options, now.monotonicMs);
  }

  #newAntiEntropy(): AntiEntropy {
    return new AntiEntropy({
      history: this.#history,
      effect: (effect) => this.#effects.push(effect),
      count: (because, from) => this.#count(because, from),
      mayAuthor: (author) => hasSpoken(this.#configurations.charter, author),
      controls: () => this.#linkedControls,
      learnt: (events) => this.#learnt(events),
    });
  }

  #signing(): ReignContext["signing"] {
    return {
      endorsing: this.#endorsing,
      countersigning: this.#countersigning,
      neighbours: this.#neighbours,
      keys: this.#keys,
      charter: () => this.#configurations.charter,
      charterBytes: () => this.#configurations.installed?.bytes ?? new Uint8Array(),
    };
  }

  /** Of a new peer: what it begins with. */
  #keepInstalled(): void {
    const { installed } = this.#configurations;
    if (installed !== null) this.#store([this.#configurations.install(installed)]);
  }

  /**
   * A former life may have ended between its install and what it had to say of it. Whoever else votes may have ended with it,
   * or there is nobody: the charter is then in this database alone, and the owner can sign none that follows it.
   */
  #tellUnheard(heard: Charter): void {
    const { installed } = this.#configurations;
    if (installed !== null && isNewer(installed.charter, heard))
      this.#effects.push({ kind: "chartered", ...installed });
  }

  #newNeighbours(shown: readonly StoredEntry[]): Neighbours {
    const context = {
      documents: () => this.#table.documents.all,
      charter: () => this.#configurations.charter,
      store: (operation: WriteOperation) => this.#store([operation]),
      keys: this.#keys,
    };
    return new Neighbours(context, shown);
  }

  #newSubmissions(): Submissions {
    return new Submissions({
      charter: () => this.#revocations.roll,
      keys: this.#keys,
      effect: (effect) => this.#effects.push(effect),
      tellControls: (message) => this.#tellControls(message),
      count: (because, from) => this.#count(because, from),
      admittedDigest: (run) =>
        this.#table.openRuns.get(run) ?? this.#setOrders().get(run) ?? this.#endOf(run)?.envelope,
      isClosed: (run) => this.#outcomeOf(run) !== null,
      isGone: (submission) => this.#isGone(submission),
      // Whoever has no table has no documents: those who have one judge.
      isTrusted: (from) => this.#neighbours.accepts(from),
      knows: (name) => !this.#hasTable || this.#neighbours.byName(name) !== null,
      forbidden: (submission) => this.#whyForbidden(submission),
      isHome: () => this.#table.stage === "home",
      overtaken: (submission) => {
        if (!this.#isOvertaken(submission)) return "no";
        return this.#table.stage === "home" ? "decided" : "perhaps";
      },
    });
  }

  #newRevocations(): Revocations {
    return new Revocations({
      documents: () => this.#table.documents.all,
      charter: () => this.#configurations.charter,
      keys: this.#keys,
      mayRevoke: (key) => this.#endorsing.policies.mayRevoke(key),
    });
  }

  #newCountersigning(): Countersigning {
    return new Countersigning({
      keys: this.#keys,
      charter: () => this.#configurations.charter,
      send: (to, message) => this.#send(to, message),
      fellows: () => this.#fellows,
    });
  }

  #newEndorsing(): Endorsing {
    return new Endorsing({
      keys: this.#keys,
      charter: () => this.#revocations.roll,
      document: (name) => this.#table.documents.all.get(name),
      poll: (request) => this.#effects.push({ kind: "poll", request }),
      submission: (run) => this.#submissions.get(run)?.submission ?? null,
      value: (register) => this.#table.value(register),
      reportIn: (envelope) => this.#reportIn(envelope),
      charterOf: (domain) => {
        const { charter } = this.#configurations;
        return charter.domain === domain ? charter : this.#neighbours.byId(domain);
      },
      releasedAs: (domain, run, index) => this.#submissions.releasedAs(domain, run, index),
    });
  }

  /** Anti-entropy: says what is here, and of which submissions it knows; the other side sends what is missing. */
  #reconcile(peer: string, now: Now): void {
    this.#antiEntropy.ask(peer, now);
    for (const [run, known] of this.#submissions.entries()) {
      // A run that is closed and still at hand is one whose end has not been heard of here.
      const told = this.#isAdmitted(run) && this.#outcomeOf(run) === null;
      if (!told) for (const message of this.#submissions.reconcile(known)) this.#send(peer, message);
    }
  }

  #message(from: string, message: Message, now: Now): void {
    if (this.#revocations.all.has(from)) return this.#count("revoked", from);
    if (!this.#peers.has(from) && !this.#quotas.mayAsk(from, message, now.monotonicMs))
      return this.#count("flood", from);
    if ((this.#isControl(from) ? ofWorkers : ofControls).has(message.kind)) return this.#count("role", from);
    switch (message.kind) {
      case "canvass":
      case "willing":
      case "prepare":
      case "promise":
      case "reign":
      case "accept":
      case "accepted":
      case "gap":
      case "repair":
      case "more":
      case "nack":
      case "heartbeat":
      case "heard":
        return this.#registerMessage(from, message, now);
      case "configuration":
      case "install":
        if (!this.#linkedControls.has(from)) return this.#count("role", from);
        return message.kind === "install"
          ? this.#installed(from, message, now)
          : this.#spoken(from, message, now);
      case "session":
        return this.#session(from, message, now);
      case "pull":
        return this.#table.stage === "home" ? this.#reign.claims.pull(from, message) : this.#redirect(from);
      case "renew":
        if (this.#table.stage !== "home") return this.#redirect(from);
        // An answer assures every lease that was named, and one of them is being taken back: it waits for the next time.
        if (this.#leases.isEnding(from, message.held)) return;
        if (this.#table.isAssured(now.monotonicMs)) return this.#renewed(from, message, now);
        // A home that may have been succeeded answers nothing, since its successor is counting; but should it still be
        // home when the others are back, a worker that was heard all the time has not lost its steps.
        return this.#leases.renew(from, message.held, now.monotonicMs);
      case "release":
        return this.#table.stage === "home" ? this.#reign.release(from, message) : this.#redirect(from);
      case "result":
        if (this.#table.stage !== "home") return this.#redirect(from);
        this.#result(from, message.envelope, now);
        if (message.pull !== undefined) this.#reign.claims.pull(from, message.pull);
        return;
      case "output":
        return this.#output(from, message);
      case "announce":
        return this.#announced(from, message, now);
      case "endorse":
      case "endorsed":
      case "not-endorsed":
        return this.#endorsement(from, message, now);
      case "holds":
        this.#submissions.held(from, message.run, message.bundle);
        return this.#admitReady(now);
      case "events":
        return this.#antiEntropy.entries(from, message, now);
      case "vector":
      case "log-parts":
      case "parts-differ":
      case "fork":
        return this.#reconciled(from, message);
      case "confirm":
        return this.#confirm(from, message, now);
      case "confirmed":
        if (message.log === this.#history.ownLog) this.#archiving.confirmed(from, message.seq);
        return;
      case "announced":
        if (message.state === "admitted") return this.#tellAdmitted(message.run);
        // A member goes by its own table.
        if (!this.#isMember) this.#submissions.refused(message.run);
        return;
      case "hello":
      case "revocations":
      case "policy":
      case "no-policy":
      case "addresses":
      case "welcome":
      case "grant":
      case "renewed":
      case "ack":
      case "revoke":
      case "output-kept":
        return this.#count("role", from);
      default:
        return unreachable(message);
    }
  }

  #reconciled(
    from: string,
    message: Extract<Message, { kind: "vector" | "log-parts" | "parts-differ" | "fork" }>,
  ): void {
    if (message.kind === "vector") return this.#antiEntropy.asked(from, message);
    if (message.kind === "log-parts") return this.#antiEntropy.compared(from, message);
    if (message.kind === "parts-differ") return this.#antiEntropy.differs(from, message);
    return this.#antiEntropy.contest(message.evidence, from);
  }

  #registerMessage(from: string, message: RegisterMessage, now: Now): void {
    const impostor = ownBallots.has(message.kind) && message.ballot.peer !== from;
    if (!this.#peers.has(from) || impostor) return this.#count("role", from);
    // It votes in another configuration, or with another database than the charter names.
    if (!this.#fellows.has(from) && from !== this.#keys.peer) return;
    this.#perform(this.#table.receive(from, message, now.monotonicMs), now);
  }

  #session(from: string, message: Extract<Message, { kind: "session" }>, now: Now): void {
    const { session, labels, slots, held } = message;
    for (const forgotten of this.#leases.makeRoom(from, session)) this.#reign.claims.dropSession(forgotten);
    const counting = new Set(allowedLabels(this.#allowed.get(from) ?? null, labels));
    const replaced = this.#leases.open(session, { peer: from, labels: counting, slots });
    this.#send(from, this.#welcome());
    this.#tellPolicy([from]);
    if (this.#table.stage !== "home") return;
    for (const lease of replaced) this.#reign.expire(lease, "superseded");
    return this.#renewed(from, { held, sentMs: 0 }, now);
  }

  #renewed(
    from: string,
    message: { readonly held: readonly LeaseRef[]; readonly sentMs: number },
    now: Now,
  ): void {
    this.#leases.renew(from, message.held, now.monotonicMs);
    for (const lease of this.#reign.cancelled(message.held))
      this.#send(from, { kind: "revoke", lease, cause: "cancelled" });
    // The answer to a greeting assures nothing; one to a renewal every lease that was named, and one of an unknown run may be
    // another home's: it waits for the next time.
    const isRenewal = message.sentMs > 0;
    let isSure = true;
    const superseded = this.#reign.superseded(message.held, (run) => {
      const after = (ms: number): boolean => this.#table.isAssuredAfter(ms);
      const isForgotten = isRenewal && this.#unknownRuns.isForgotten(from, run, now.monotonicMs, after);
      isSure &&= isForgotten;
      return isForgotten;
    });
    if (isRenewal && !isSure) return;
    this.#send(from, { kind: "renewed", sentMs: message.sentMs, superseded });
  }

  /** Only who votes signs, and only for who votes. */
  #endorsement(
    from: string,
    message: Extract<Message, { kind: "endorse" | "endorsed" | "not-endorsed" }>,
    now: Now,
  ): void {
    if (!this.#peers.has(from)) return this.#count("role", from);
    if (message.kind === "endorse") return this.#send(from, this.#endorsing.answer(message, now));
    if (this.#table.stage !== "home") return;
    if (message.kind === "not-endorsed") return this.#countersigning.notEndorsed(from, message);
    this.#countersigning.endorsed(from, message);
    this.#reign.signed(message, now);
  }

  #result(from: string, envelope: Uint8Array, now: Now): void {
    const opened = openEnvelope(envelope, { kind: "result", domain: this.#domain }, this.#keys);
    if (!opened.ok) return this.#count(opened.problem, from);
    if (opened.value.envelope.signer !== from) return this.#count("stranger", from);
    const result = parseSignedResult(opened.value.value);
    if (!result.ok || envelope.length > limits.reportBytesMax * 2) return this.#count("malformed", from);
    this.#reign.result(from, result.value, envelope, now);
  }

  #output(from: string, message: Extract<Message, { kind: "output" }>): void {
    const { run, index, attempt } = message;
    const plan = this.#submissions.get(run)?.submission.manifest.plan;
    const step = plan?.steps[index]?.name;
    const value = this.#table.value(stepRegister(run, index));
    // Only the holder of the lease is heard: a superseded worker's output is not the step's. Away from home this peer
    // goes by what it has voted for last, which is enough to keep what the rest may need.
    const isHolder =
      value?.kind === "step" &&
      value.state === "leased" &&
      value.worker === from &&
      value.attempt === attempt;
    if (isHolder && step !== undefined)
      this.#effects.push({ kind: "keep-output", from, step, output: message });
  }

  #announced(from: string, { run, bundle: digest }: Extract<Message, { kind: "announce" }>, now: Now): void {
    if (!this.#isAdmitted(run)) return this.#submissions.announced(from, run, digest);
    // A control peer that announces a closed run has not heard of its end, and perhaps nobody has.
    const end = this.#endOf(run);
    if (end !== null && this.#table.stage === "home" && this.#isControl(from))
      this.#reign.tellClosed(run, end, now);
    this.#send(from, admittedMessage(run));
  }

  #bundle(input: Extract<ControlInput, { kind: "bundle" }>, now: Now): void {
    const known = this.#submissions.bundle(input, now);
    if (known === null) return;
    const { submission } = known;
    if (this.#outcomeOf(submission.run) !== null || this.#isGone(submission)) {
      // It came after the run's end: kept for whoever asks what the run was.
      this.#tellAdmitted(submission.run);
      this.#submissions.archive(submission.run, known);
    }
    if (input.question !== null)
      this.#effects.push({ kind: "answer", question: input.question, answer: { ok: true } });
    if (this.#table.stage === "home") this.#reign.adopt(submission, now);
    this.#submissions.needSource(known, input.from);
  }

  #admitReady(now: Now): void {
    if (this.#table.stage !== "home") return;
    for (const [run, known] of this.#submissions.entries()) {
      const { submission } = known;
      // Most are admitted, and that is known at once.
      if (known.admitted || !this.#submissions.isReady(known) || this.#isAdmitted(run)) continue;
      // The policy judged a slot when it was fired, and the watermark waits for its run; but not for who was revoked since.
      const isSlots = submission.slotMs !== null;
      const forbidden = isSlots ? this.#whyRevoked(submission) : this.#whyForbidden(submission);
      if (forbidden !== null) {
        this.#refuse(submission, forbidden, now);
        continue;
      }
      const untilMs = validUntilOf(submission);
      const slotUntilMs = this.#schedules.validUntilMs(submission);
      if (orderOf(submission) !== null) this.#schedules.set(submission, now);
      else if (untilMs !== null && now.wallMs < untilMs) this.#reign.admit(submission, untilMs);
      else if (slotUntilMs !== null && !this.#isGone(submission)) this.#reign.admit(submission, slotUntilMs);
    }
  }

  #whyForbidden(submission: Submission): string | null {
    return this.#whyRevoked(submission) ?? this.#endorsing.policies.whyNotAdmitted(submission);
  }

  #whyRevoked({ released, submitter }: Submission): string | null {
    const isRevoked = released === undefined && this.#revocations.all.has(submitter.peer);
    return isRevoked ? "its submitter was revoked" : null;
  }

  /** The policy has changed since it was taken, or its submitter was revoked. */
  #refuse({ run, manifestCid: manifest }: Submission, reason: string, { wallMs: timeMs }: Now): void {
    this.#notes.add({ event: { kind: "run-refused", run, manifest, reason, timeMs }, result: null });
    this.#submissions.refused(run, reason);
  }

  /**
   * Known to be the domain's decision. What this peer voted for may never be chosen, so away from home that counts
   * only for a closed run: nobody closes what was not admitted.
   */
  #isAdmitted(run: string): boolean {
    const known = this.#submissions.get(run);
    if (known?.admitted === true || this.#outcomeOf(run) !== null) return true;
    if (known !== undefined && orderOf(known.submission) !== null)
      return this.#table.stage === "home" && this.#schedules.hasSettled(known.submission);
    return this.#table.stage === "home" && this.#table.value(runRegister(run)) !== null;
  }

  #outcomeOf(run: string): RunOutcome | null {
    return this.#endOf(run)?.outcome ?? null;
  }

  #endOf(run: string): ClosedRun | null {
    const register = this.#table.value(runRegister(run));
    return register?.kind === "run" ? endOf(register) : null;
  }

  /** True for what was never admitted and never will be, and for what was, is closed and forgotten. */
  #isGone(submission: Submission): boolean {
    const { retired } = this.#table;
    const { run, slotMs, manifest } = submission;
    if (retired === null || orderOf(submission) !== null || this.#table.value(runRegister(run)) !== null)
      return false;
    const validUntilMs = validUntilOf(submission);
    if (validUntilMs !== null || slotMs === null)
      return isRetired({ validUntilMs: validUntilMs ?? 0 }, retired);
    // No slot is fired before the run of the one before it was admitted.
    const schedule = this.schedules.get(manifest.plan.pipeline);
    if (schedule?.fired?.run === run) return isRetired(schedule.fired, retired);
    return schedule !== undefined && schedule.settledMs >= slotMs;
  }

  #tellAdmitted(run: string): void {
    const known = this.#submissions.get(run);
    if (known === undefined) return;
    known.admitted = true;
    for (const peer of known.announcers) this.#send(peer, admittedMessage(run));
    known.announcers.clear();
  }

  /** Another's entry says so. */
  #learnt(events: readonly LoggedEvent[]): void {
    for (const { kind, run } of events)
      if (kind === "run-admitted" || kind === "schedule-set") this.#tellAdmitted(run);
    this.#archiveClosed(events);
    for (const event of events)
      if (event.kind === "run-closed") this.#submissions.backlog.want(event.run, event.bundle);
  }

  /** A closed run is no longer kept at hand: its bundle goes to the archive. */
  #archiveClosed(events: readonly LoggedEvent[]): void {
    for (const { kind, run } of events) {
      const known = kind === "run-closed" ? this.#submissions.get(run) : undefined;
      if (known !== undefined) this.#submissions.archive(run, known);
    }
  }

  /** A home asks how much of its log is here; what is missing is asked of it. */
  #confirm(from: string, { log, seq }: Extract<Message, { kind: "confirm" }>, now: Now): void {
    const held = this.#history.holds(log);
    this.#store([]);
    this.#send(from, { kind: "confirmed", log, seq: held });
    if (held < seq) this.#antiEntropy.lacks(from, log, now);
  }

  /** Performs what the table asks and acts on what it decided. */
  #perform(output: TableOutput<Ticket>, now: Now): void {
    for (const effect of output.effects) this.#effects.push(effect);
    this.#followReign(now);
    this.#reign.decided(output.decisions, now);
    if (this.#table.successor !== null) this.#succeed(this.#table.successor.charter, now);
  }

  /** The reign begins or ends; workers are told who is home. */
  #followReign(now: Now): void {
    const isHome = this.#table.stage === "home";
    if (isHome !== this.#wasHome) {
      this.#wasHome = isHome;
      if (isHome) {
        const submissions = new Map(
          [...this.#submissions.entries()].map(([run, { submission }]) => [run, submission]),
        );
        this.#reign.begin([...this.#table.committedEntries()], submissions, now);
        this.#schedules.begin(this.#table.committedEntries(), now);
        this.#fetchMissing();
        this.#admitReady(now);
      } else {
        this.#reign.end();
        this.#unknownRuns.clear();
        this.#archiving.clear();
        this.#schedules.end();
      }
    }
    if (this.#table.home === this.#toldHome) return;
    this.#toldHome = this.#table.home;
    this.#effects.push({ kind: "home-is", home: this.#toldHome });
    for (const [peer, role] of this.#linked) if (role === "worker") this.#send(peer, this.#welcome());
  }

  #policyChanged(): void {
    const { bytes = null } = this.#endorsing.policies.kept ?? {};
    if (bytes === this.#toldPolicy) return;
    this.#toldPolicy = bytes;
    this.#tellPolicy([...this.#linked].flatMap(([peer, role]) => (role === "worker" ? [peer] : [])));
  }

  /** Workers know what is guarded from whichever control peer knows it, and that more than half know of nothing. */
  #tellPolicy(workers: readonly string[]): void {
    const { kept } = this.#endorsing.policies;
    const message: Message =
      kept === undefined ? { kind: "no-policy" } : { kind: "policy", document: kept.bytes };
    for (const peer of workers) this.#send(peer, message);
  }

  #redirect(worker: string): void {
    this.#send(worker, this.#welcome());
  }

  #welcome(): Message {
    return { kind: "welcome", home: this.#table.home, leaseMs: this.#configurations.charter.leaseMs };
  }

  #notHome(question: number): void {
    this.#answerNo(question, "not-home", "");
  }

  #reportIn(envelope: Uint8Array): StepReport | null {
    const opened = openEnvelope(envelope, { kind: "result", domain: this.#domain }, this.#keys);
    return opened.ok ? (opened.value.value as SignedResult).report : null;
  }

  /** Writes what was noted into this peer's log, one signed entry a run or as many as it takes, and tells it together. */
  #record({ monotonicMs }: Now): void {
    // A reign that ended in this turn leaves nothing unsaid.
    const noted = this.#wasHome ? this.#notes.take(monotonicMs) : this.#notes.takeAll();
    const told = new EntriesAnswer((entries) => {
      // Whoever votes and whoever does not: each of them is asked how a run is.
      this.#tellControls({ kind: "events", entries, answer: false });
    });
    for (const [run, all] of noted)
      for (const entry of entriesOf(all)) {
        const { bytes, operations } = this.#history.append(run, entry);
        const events = entry.map(({ event }) => event);
        const soon = areToldAnew(events);
        this.#effects.push({ kind: "store", operations, soon }, { kind: "recorded", events });
        this.#archiveClosed(events);
        told.add(bytes);
      }
    told.end();
    this.#reign.retiring.written(this.#history.holds(this.#history.ownLog));
  }

  #tellControls(message: Message): void {
    for (const peer of this.#linkedControls) this.#send(peer, message);
  }

  /** A member, one that was, or one that could be: it has logs, plans and files, and no vote by that. */
  #isControl(peer: string): boolean {
    return this.#peers.has(peer) || this.#linkedControls.has(peer);
  }

  /** True while this peer is to vote, in the domain's newest configuration that it has heard of. */
  get #isMember(): boolean {
    return this.#configurations.isOwn(this.#configurations.charter);
  }

  /** True once it does. */
  get #hasTable(): boolean {
    const { installed, charter } = this.#configurations;
    return this.#isMember && installed?.charter.configuration === charter.configuration;
  }

  get #domain(): string {
    return this.#configurations.charter.domain;
  }

  #store(operations: readonly WriteOperation[]): void {
    this.#effects.push({ kind: "store", operations });
  }

  #send(to: string, message: Message): void {
    this.#effects.push({ kind: "send", to, message });
  }

  #count(because: RefusedBecause, from: string | null): void {
    this.#effects.push({ kind: "count-refused", because, from });
  }
}
