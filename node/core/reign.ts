/**
 * What the home does: admits runs, pairs pulls with ready steps, watches leases, judges results, closes runs.
 *
 * It proposes to the register table and acts on what was decided, never on what it hopes for: a grant, an
 * acknowledgement and an event follow the decision. All of its state is rebuilt from the registers when a reign begins.
 */

import type { OpenedAnswer } from "../../protocol/answers.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import { assert, unreachable } from "../../protocol/errors.ts";
import type { AttemptCause, UnreportedCause } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { type Noted, reportWithin } from "../../protocol/log.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import type { LeaseRef, Message, SignedResult, WorkerMessage } from "../../protocol/messages.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import {
  type Command,
  inviteRegister,
  type RegisterValue,
  runRegister,
  stepRegister,
  type StepValue,
} from "../../protocol/registers/registers.ts";
import { isSettledByMesh } from "../../protocol/plan.ts";
import { endOfReport, type StepReport } from "../../protocol/report.ts";
import { Acks } from "./acks.ts";
import { type ClosedRun, endOf, Retiring, type RetireTicket } from "./retiring.ts";
import { RecentLeases } from "./recent-leases.ts";
import { Claims, type ClaimsContext, type ClaimTicket, type RaiseTicket } from "./claims.ts";
import { Chronicle } from "./chronicle.ts";
import type { Answer, Now, PollRequest, ReleaseTold } from "./effects.ts";
import type { HeldLease, Leases } from "./leases.ts";
import type { Matter } from "./countersigning.ts";
import { Gates, type GatesContext, type GateTicket } from "./gates.ts";
import { Outcomes, type OutcomesContext } from "./outcomes.ts";
import { madeBy } from "./released.ts";
import { Releases, type ReleasesContext, type ReleaseTicket } from "./releases.ts";
import { heldBefore } from "./held-before.ts";
import { OpenRun } from "./open-run.ts";
import { Settlements, type SettleTicket } from "./settlements.ts";
import type { ScheduleTicket } from "./schedules.ts";

export type Ticket =
  | { readonly kind: "admit"; readonly submission: Submission; readonly validUntilMs: number }
  | ClaimTicket
  | RaiseTicket
  | {
      readonly kind: "finish";
      readonly from: string;
      readonly result: SignedResult;
      readonly envelope: Uint8Array;
    }
  | {
      readonly kind: "expire";
      readonly lease: HeldLease;
      readonly cause: UnreportedCause;
      readonly why?: string | undefined;
    }
  | { readonly kind: "cancel"; readonly run: string; readonly by: string; readonly question: number }
  | { readonly kind: "close"; readonly run: string }
  | SettleTicket
  | GateTicket
  | ReleaseTicket
  | { readonly kind: "invite"; readonly question: number }
  | { readonly kind: "recharter"; readonly question: number }
  | { readonly kind: "document"; readonly question: number }
  | ScheduleTicket
  | RetireTicket;

export type ReignContext = {
  propose(register: string, command: Command, ticket: Ticket): void;
  send(to: string, message: Message): void;
  note(noted: Noted): void;
  answer(question: number, answer: Answer): void;
  committed(register: string): RegisterValue | null;
  /** Opens a result that is in a register: it was checked before it got there. */
  reportIn(envelope: Uint8Array): StepReport | null;
  admitted(submission: Submission): void;
  poll(request: PollRequest): void;
  count(because: RefusedBecause, from: string): void;
  scheduled(ticket: ScheduleTicket, decision: Decision<Ticket>, now: Now): void;
  /** What is judged and signed with others. */
  readonly signing: Pick<GatesContext, "endorsing" | "countersigning" | "keys" | "charter"> &
    Pick<ReleasesContext, "neighbours"> &
    Pick<OutcomesContext, "charterBytes">;
  /** Tells another domain of a step that is its own. */
  release(told: ReleaseTold): void;
  /** See `RetiringContext`. */
  heldThrough(): number;
  wantHeld(seq: number): void;
  unadmittedMs(): Iterable<number>;
  /** Until when runs of slots could be admitted that were fired and are not. */
  unstartedMs(): number;
};

/** A step's new value and, when a result brought it, what its worker said and signed. */
type Advance = {
  readonly value: StepValue;
  readonly report: StepReport | null;
  readonly result: Uint8Array | null;
  readonly why?: string | undefined;
};

export class Reign {
  readonly #context: ReignContext;
  readonly #leases: Leases;
  readonly chronicle: Chronicle;
  #runs = new Map<string, OpenRun>();
  readonly claims: Claims;
  readonly settlements: Settlements;
  readonly gates: Gates;
  readonly releases: Releases;
  readonly #outcomes: Outcomes;
  readonly #acks: Acks;
  readonly retiring: Retiring;
  /** Open runs whose step another domain released to this one. */
  readonly #released = new Set<OpenRun>();
  #admitting = new Set<string>();
  /** Open runs whose plan is not here yet. */
  #bodiless = new Set<string>();
  /** Runs that have nothing left to do and are to be closed. */
  #over: string[] = [];
  /** Results accepted lately, so that one sent again is a duplicate and not a late one. */
  readonly #accepted = new RecentLeases();
  /** Results that are being decided: said again meanwhile, they are answered once. */
  readonly #reported = new Set<string>();

  constructor(context: ReignContext, leases: Leases) {
    this.#context = context;
    this.#leases = leases;
    this.chronicle = new Chronicle((noted) => context.note(noted));
    this.#acks = new Acks((to, message) => context.send(to, message));
    const claimsContext: ClaimsContext = {
      propose: (register, command, ticket) => context.propose(register, command, ticket),
      send: (to, message) => context.send(to, message),
      run: (id) => this.#runs.get(id),
      sentBack: (run, index, now) => {
        const isGuarded = this.gates.guards(run, index, now);
        if (isGuarded) this.gates.begin(run, index, now);
        return isGuarded;
      },
      takeBack: (lease) => this.expire(lease, "released"),
      letCount: (run, index, given) => {
        const held = context.signing.endorsing.policies.heldBack(run.submission);
        if (held.size === 0) return [];
        return heldBefore(run.submission, index, given, held).flatMap((at) => run.letCount(at) ?? []);
      },
      acks: (worker) => this.#acks.take(worker),
    };
    this.claims = new Claims(claimsContext, leases, this.chronicle);
    this.settlements = new Settlements({
      propose: (register, command, ticket) => context.propose(register, command, ticket),
      note: (event) => context.note({ event, result: null }),
      answer: (question, answer) => context.answer(question, answer),
      run: (id) => this.#runs.get(id),
      poll: (request) => context.poll(request),
      mayAnswer: (by, person) => context.signing.endorsing.policies.mayAnswer(by, person),
    });
    this.gates = new Gates({
      ...context.signing,
      propose: (register, command, ticket) => context.propose(register, command, ticket),
      note: (event) => context.note({ event, result: null }),
      answer: (question, answer) => context.answer(question, answer),
      run: (id) => this.#runs.get(id),
      committed: (register) => {
        const value = context.committed(register);
        return value?.kind === "step" ? value : null;
      },
    });
    this.releases = new Releases({
      ...context.signing,
      propose: (register, command, ticket) => context.propose(register, command, ticket),
      note: (event) => context.note({ event, result: null }),
      run: (id) => this.#runs.get(id),
      tell: (told) => context.release(told),
    });
    this.#outcomes = new Outcomes({
      ...context.signing,
      value: (register) => context.committed(register),
      reportIn: (envelope) => context.reportIn(envelope),
      note: (event) => context.note({ event, result: null }),
    });
    this.retiring = new Retiring({
      propose: (register, command, ticket) => context.propose(register, command, ticket),
      committed: (register) => context.committed(register),
      tellClosed: (run, end, now) => this.chronicle.closed(run, end, now),
      heldThrough: () => context.heldThrough(),
      wantHeld: (seq) => context.wantHeld(seq),
      endingMs: () => this.#endingMs(),
      unadmittedMs: () => context.unadmittedMs(),
    });
  }

  /** Takes over: every open run in the registers is this home's now. */
  begin(entries: readonly [string, RegisterValue][], known: ReadonlyMap<string, Submission>, now: Now): void {
    this.end();
    this.claims.begin(entries);
    this.retiring.begin(entries);
    for (const [name, value] of entries) {
      if (value.kind !== "run") continue;
      const run = name.slice("run/".length);
      const submission = known.get(run);
      const end = endOf(value);
      if (end !== null) {
        // Still at hand, so its end was never heard of: the home that closed it may have died before it told.
        if (submission !== undefined) this.tellClosed(run, end, now);
        continue;
      }
      this.#bodiless.add(run);
      if (submission !== undefined) this.adopt(submission, now);
    }
  }

  /** Tells of a run's end, as this home's own word. */
  tellClosed(run: string, end: ClosedRun, now: Now): void {
    this.chronicle.closed(run, end, now);
    this.retiring.closed(run, end);
  }

  end(): void {
    this.#runs = new Map();
    this.#released.clear();
    this.retiring.end();
    this.claims.clear();
    this.settlements.clear();
    this.gates.clear();
    this.releases.clear();
    this.#outcomes.clear();
    this.#context.signing.countersigning.clear();
    this.#admitting = new Set();
    this.#bodiless = new Set();
    this.#over = [];
    this.#reported.clear();
    this.#leases.clearHeld();
  }

  /** Runs that have nothing left to do, each named once: they are to be closed when all of it is told and kept. */
  takeOver(): readonly string[] {
    return this.#over.splice(0);
  }

  /** Once a run is closed its steps' registers are forgotten: nothing about them may be left untold, or told to few. */
  close(run: string): void {
    const outcome = this.#runs.get(run)?.outcome;
    if (outcome === undefined) return;
    this.#context.propose(runRegister(run), { kind: "close", outcome }, { kind: "close", run });
  }

  /** True while another run may be admitted. */
  get hasRoom(): boolean {
    return this.#runs.size < limits.openRunsMax && this.claims.waiting < limits.queuedStepsMax;
  }

  isOpen(run: string): boolean {
    return this.#runs.has(run) || this.#bodiless.has(run);
  }

  /** @param validUntilMs until when it may be admitted. */
  admit(submission: Submission, validUntilMs: number): void {
    const { run, manifestCid: manifest, digest: envelope } = submission;
    if (this.isOpen(run) || this.#admitting.has(run) || !this.hasRoom) return;
    this.#admitting.add(run);
    this.#context.propose(
      runRegister(run),
      { kind: "admit", manifest, envelope, validUntilMs },
      { kind: "admit", submission, validUntilMs },
    );
  }

  /** The plan of an open run is here: its steps are rebuilt from their registers. */
  adopt(submission: Submission, now: Now): void {
    const register = this.#context.committed(runRegister(submission.run));
    if (!this.#bodiless.delete(submission.run) || register?.kind !== "run") return;
    const run = this.#open(submission, register.validUntilMs, now);
    if (register.cancelledBy !== null) {
      run.cancelled = true;
      this.chronicle.cancelRequested(submission.run, register.cancelledBy, now);
    }
    for (let index = 0; index < run.stepCount; index += 1) {
      const value = this.#context.committed(stepRegister(submission.run, index));
      if (value?.kind === "step") this.#restore(run, index, value, now);
    }
    if (run.cancelled) this.claims.cancelled(submission.run);
    this.#offerReady(run, now);
    this.#settle(run, now);
  }

  /** Which of these leases belong to runs that are being cancelled: their holder may not have heard. */
  cancelled(held: readonly LeaseRef[]): LeaseRef[] {
    return held.filter(({ run }) => this.#runs.get(run)?.cancelled === true);
  }

  /**
   * Which of these leases are no longer their holder's.
   *
   * @param isForgotten whether a run that this home does not know is over and forgotten (`unknown-runs.ts`).
   */
  superseded(held: readonly LeaseRef[], isForgotten: (run: string) => boolean): LeaseRef[] {
    return held.filter((ref) => {
      const run = this.#runs.get(ref.run);
      if (run !== undefined)
        return !run.has(ref.index) || run.token(ref.index) > ref.token || run.phase(ref.index) === "done";
      const register = this.#context.committed(runRegister(ref.run));
      if (register?.kind !== "run") return isForgotten(ref.run);
      const value = this.#context.committed(stepRegister(ref.run, ref.index));
      const isOver = value?.kind === "step" && (value.token > ref.token || value.state === "done");
      return register.outcome !== null || isOver;
    });
  }

  result(from: string, result: SignedResult, envelope: Uint8Array, now: Now): void {
    const lease: LeaseRef = { run: result.run, index: result.index, token: result.token };
    const run = this.#runs.get(result.run);
    if (run === undefined || !run.has(result.index)) {
      // Over, or never heard of; but whoever was succeeded without knowing it has not heard of much: a majority is asked.
      if (!this.#bodiless.has(result.run))
        this.#finish(from, result, envelope, { cause: "failed", outcome: "failed", again: false });
      return;
    }
    const value = this.#context.committed(stepRegister(lease.run, lease.index));
    const newest = value?.kind === "step" ? value.token : 0;
    // Nobody was told of a later one by this home: it is guessed, or another home's, who is asked again.
    if (result.token > newest) return this.#context.count("malformed", from);
    if (value?.kind === "step" && !isOfLease(result, run, value))
      return this.#context.count("malformed", from);
    const past = value?.kind === "step" ? value.past : [];
    // A worker reports no outcome that the step does not declare; one that did is not believed.
    const own = result.report.ownOutcome;
    const isDeclared = own === undefined || run.step(lease.index).outcomes?.includes(own) === true;
    const cause = isDeclared ? causeOf(result.report) : "failed";
    const outcome = isDeclared ? endOfReport(result.report) : "failed";
    const mayFollow = cause !== "finished" && cause !== "cancelled";
    const again = mayFollow && run.triesAgain(lease.index, past, cause);
    const isHeld = cause === "finished" && !run.cancelled && this.gates.holds(run, lease.index);
    const held = isHeld ? { heldSinceMs: now.wallMs } : {};
    this.#finish(from, result, envelope, { cause, outcome, again, ...held });
  }

  #finish(
    from: string,
    result: SignedResult,
    envelope: Uint8Array,
    end: Pick<Extract<Command, { kind: "finish" }>, "cause" | "outcome" | "again" | "heldSinceMs">,
  ): void {
    const { run, index, token } = result;
    const report = reportOf(from, result);
    if (this.#reported.has(report)) return;
    this.#reported.add(report);
    this.#context.propose(
      stepRegister(run, index),
      { kind: "finish", token, worker: from, ...end, report: envelope },
      { kind: "finish", from, result, envelope },
    );
  }

  /** The worker gives leases back. */
  release(from: string, { leases, how, why }: Extract<WorkerMessage, { kind: "release" }>): void {
    for (const ref of leases) {
      const held = this.#leases.get(ref.run, ref.index);
      if (held !== undefined && held.token === ref.token && held.worker === from)
        this.expire(held, how === "refused" ? "refused" : "released", {
          begun: how === "begun",
          why: why?.slice(0, limits.refusalCharactersMax),
        });
    }
  }

  /**
   * @param said `begun`: true when its worker had started the step: what reaches outside may have done half of its work; `why`: what
   * a worker says that refuses it.
   */
  expire(
    lease: HeldLease,
    because: Exclude<UnreportedCause, "cancelled">,
    { begun = false, why }: { readonly begun?: boolean; readonly why?: string | undefined } = {},
  ): void {
    const run = this.#runs.get(lease.run);
    if (run === undefined) return;
    // A worker that comes back and asks again must not begin what is being taken from it.
    lease.ending = true;
    const cause = run.cancelled ? "cancelled" : because;
    const value = this.#context.committed(stepRegister(lease.run, lease.index));
    const past = value?.kind === "step" ? value.past : [];
    const half = begun && run.step(lease.index).effect;
    const again = cause !== "cancelled" && run.triesAgain(lease.index, past, half ? "lost" : cause);
    this.#context.propose(
      stepRegister(lease.run, lease.index),
      { kind: "expire", token: lease.token, cause, again },
      { kind: "expire", lease, cause, ...(cause === "refused" ? { why } : {}) },
    );
  }

  /** What a peer holds is taken back, since it is none of the domain any more: it is not waited for until its leases run out. */
  takeFrom(worker: string): void {
    for (const lease of this.#leases.heldBy(worker)) if (!lease.ending) this.expire(lease, "lost");
  }

  tick(now: Now): void {
    for (const lease of this.#leases.expired(now.monotonicMs)) {
      this.#leases.postpone(lease, now.monotonicMs);
      this.claims.silent(lease.worker);
      this.expire(lease, "lost");
    }
    this.settlements.tick(now);
    this.gates.tick(now);
    this.releases.tick(now);
    for (const run of this.#released) this.#settle(run, now);
    this.retiring.tick(now);
  }

  cancel(run: string, by: string, question: number): void {
    this.#context.propose(runRegister(run), { kind: "cancel", by }, { kind: "cancel", run, by, question });
  }

  useInvite(nonce: string, peer: string, question: number): void {
    this.#context.propose(inviteRegister(nonce), { kind: "use-invite", peer }, { kind: "invite", question });
  }

  /** Acts on what was decided, in this order. */
  decided(decisions: readonly Decision<Ticket>[], now: Now): void {
    for (const decision of decisions) this.#decided(decision, now);
    this.#acks.tell();
  }

  #decided(decision: Decision<Ticket>, now: Now): void {
    const { ticket } = decision;
    switch (ticket.kind) {
      case "admit":
        this.#admitting.delete(ticket.submission.run);
        if (decision.verdict === "changed") this.#opened(ticket.submission, ticket.validUntilMs, now);
        return;
      case "claim":
        return this.claims.decided(ticket, decision, now);
      case "raise":
        return;
      case "finish":
        return this.#finished(ticket, decision, now);
      case "expire":
        return this.#expired(ticket, decision, now);
      case "cancel":
        return this.#cancelled(ticket, decision, now);
      case "close":
        return this.#closed(ticket.run, decision, now);
      case "retire":
        return this.retiring.decided();
      case "await":
      case "settle":
        return this.#settledStep(ticket, decision, now);
      case "gate":
        return this.#moved(ticket, this.gates.decided(ticket, decision, now), now);
      case "release":
        return this.#moved(ticket, this.releases.decided(ticket, decision, now), now);
      case "invite": {
        const mine = decision.verdict === "changed" || decision.reason === "duplicate";
        const answer: Answer = mine ? { ok: true } : { ok: false, reason: "taken", detail: "" };
        return this.#context.answer(ticket.question, answer);
      }
      case "recharter": {
        const isChosen = decision.verdict === "changed" || decision.reason === "duplicate";
        const answer: Answer = isChosen
          ? { ok: true }
          : { ok: false, reason: "refused", detail: "another one was first" };
        return this.#context.answer(ticket.question, answer);
      }
      case "document": {
        const isPut = decision.verdict === "changed" || decision.reason === "duplicate";
        const answer: Answer = isPut ? { ok: true } : { ok: false, reason: "stale", detail: "" };
        return this.#context.answer(ticket.question, answer);
      }
      case "schedule":
        return this.#context.scheduled(ticket, decision, now);
      default:
        return unreachable(ticket);
    }
  }

  #closed(id: string, decision: Decision<Ticket>, now: Now): void {
    const run = this.#runs.get(id);
    if (decision.verdict === "refused" && decision.reason === "stale" && run !== undefined) {
      // It was cancelled meanwhile: that is told and kept first.
      run.closing = false;
      return this.#settle(run, now);
    }
    const end =
      decision.verdict === "changed" && decision.value.kind === "run" ? endOf(decision.value) : null;
    if (end === null) return;
    this.tellClosed(id, end, now);
    this.#runs.delete(id);
    if (run !== undefined) this.#released.delete(run);
    this.#outcomes.forget(id);
    this.claims.cancelled(id);
  }

  /** The earliest moment until which a run could be admitted that is about to be closed. */
  #endingMs(): number {
    let earliestMs = this.#context.unstartedMs();
    for (const { closing, validUntilMs } of this.#runs.values())
      if (closing) earliestMs = Math.min(earliestMs, validUntilMs);
    return earliestMs;
  }

  /** The run is the domain's: its first steps are offered. */
  #opened(submission: Submission, validUntilMs: number, now: Now): void {
    const run = this.#open(submission, validUntilMs, now);
    this.#offerReady(run, now);
    this.#settle(run, now);
  }

  #offerReady(run: OpenRun, now: Now): void {
    for (let index = 0; index < run.stepCount; index += 1)
      if (run.phase(index) === "ready") this.#offer(run, index, now);
  }

  /** What a step needs has ended: a worker may claim it, or it is asked. */
  #offer(run: OpenRun, index: number, now: Now): void {
    if (run.cancelled) return;
    if (this.releases.domainOf(run, index) !== null) this.releases.begin(run, index, now);
    else if (isSettledByMesh(run.step(index))) this.settlements.begin(run, index, now);
    else if (this.gates.guards(run, index, now)) this.gates.begin(run, index, now);
    else this.claims.offer(run, index);
  }

  /** Also when a run is taken over: whoever admitted it may have died before it told. */
  #open(submission: Submission, validUntilMs: number, now: Now): OpenRun {
    const run = new OpenRun(submission, validUntilMs);
    this.#runs.set(submission.run, run);
    if (submission.released !== undefined) this.#released.add(run);
    this.#context.admitted(submission);
    this.chronicle.admitted(run, now);
    this.chronicle.skipped(run, run.begin().skipped, now);
    return run;
  }

  #restore(run: OpenRun, index: number, value: StepValue, now: Now): void {
    const last = this.#lastEnd(value);
    for (const past of value.past) {
      const known = past === value.past.at(-1) ? last : unknownEnd;
      this.chronicle.ended(run, index, { past, ...known }, now);
    }
    const isSettled = value.state === "done" && value.settlement !== undefined;
    const made = isSettled ? madeBy(value, this.#making()) : last.report;
    const { skipped } = run.apply(index, value, made);
    if (this.releases.domainOf(run, index) !== null) this.releases.restore(run, index, value, now);
    else if (isSettledByMesh(run.step(index))) this.settlements.restore(run, index, value, now);
    else this.gates.restore(run, index, value, now);
    this.chronicle.skipped(run, skipped, now);
    if (value.state !== "leased") return;
    this.#leases.grant({ run: run.submission.run, index }, value, now.monotonicMs);
    this.chronicle.started(run, index, value, now);
  }

  /**
   * What is told of the last attempt of a step by what its register holds. Its worker's signature was checked before the
   * result got there, and is not again: with thousands of steps that would keep everybody waiting for the new home. Of an
   * earlier home that had not checked it, it would say nothing more: whose it is counts, and only that home knew.
   */
  #lastEnd(value: StepValue): Omit<Parameters<Chronicle["ended"]>[2], "past"> {
    const isHeld = value.state === "gated" && value.ended !== undefined;
    const isLetCount = value.state === "done" && value.gate !== undefined;
    const isRefused = value.state === "done" && value.settlement !== undefined;
    const signed = value.state === "done" ? value.report : isHeld ? value.ended.report : null;
    const report = signed === null ? null : reportWithin(signed);
    const held = isHeld || isLetCount || (isRefused && signed !== null);
    return { final: value.state === "done" && !held && !isRefused, held, report, result: signed };
  }

  #making(): Parameters<typeof madeBy>[1] {
    return { keys: this.#context.signing.keys, reportIn: (envelope) => this.#context.reportIn(envelope) };
  }

  #finished(ticket: Extract<Ticket, { kind: "finish" }>, decision: Decision<Ticket>, now: Now): void {
    const { from, result } = ticket;
    const { run: id, index, token } = result;
    this.#reported.delete(reportOf(from, result));
    if (decision.verdict === "refused") {
      if (decision.reason !== "duplicate") return this.#refuseResult(from, result, now);
      return this.#acks.add(from, { lease: { run: id, index, token }, verdict: "duplicate" });
    }
    this.#accepted.add(result, now.monotonicMs);
    this.#leases.end(id, index);
    this.#acks.add(from, { lease: { run: id, index, token }, verdict: "accepted" });
    const run = this.#runs.get(id);
    if (run === undefined || decision.value.kind !== "step") return;
    this.#advance(run, index, { value: decision.value, report: result.report, result: ticket.envelope }, now);
  }

  #expired(ticket: Extract<Ticket, { kind: "expire" }>, decision: Decision<Ticket>, now: Now): void {
    const { lease, why } = ticket;
    const run = this.#runs.get(lease.run);
    if (decision.verdict === "refused" || run === undefined || decision.value.kind !== "step") return;
    this.#leases.end(lease.run, lease.index);
    const { run: id, index, token } = lease;
    const cause = run.cancelled ? "cancelled" : "superseded";
    this.#context.send(lease.worker, { kind: "revoke", lease: { run: id, index, token }, cause });
    this.#advance(run, index, { value: decision.value, report: null, result: null, why }, now);
  }

  #cancelled(ticket: Extract<Ticket, { kind: "cancel" }>, decision: Decision<Ticket>, now: Now): void {
    const { question, run: id, by } = ticket;
    if (decision.verdict === "refused") {
      const reason = decision.reason === "absent" ? "no-such-run" : "closed";
      this.#context.answer(
        question,
        decision.reason === "duplicate" ? { ok: true } : { ok: false, reason, detail: "" },
      );
      return;
    }
    this.#context.answer(question, { ok: true });
    this.chronicle.cancelRequested(id, by, now);
    const run = this.#runs.get(id);
    if (run === undefined) return;
    run.cancelled = true;
    this.claims.cancelled(id);
    for (const index of run.leased()) {
      const lease = this.#leases.get(id, index);
      if (lease === undefined) continue;
      const { token } = lease;
      this.#context.send(lease.worker, {
        kind: "revoke",
        lease: { run: id, index, token },
        cause: "cancelled",
      });
    }
    this.#settle(run, now);
  }

  #settledStep(ticket: SettleTicket, decision: Decision<Ticket>, now: Now): void {
    const value = this.settlements.decided(ticket, decision, now);
    const run = this.#runs.get(ticket.run);
    if (value !== null && run !== undefined) this.#moveOn(run, ticket.index, value, null, now);
  }

  /** @param value the step's newest, when it moved on. */
  #moved({ kind, run: id, index }: GateTicket | ReleaseTicket, value: StepValue | null, now: Now): void {
    const run = this.#runs.get(id);
    if (run === undefined) return;
    if (value !== null) {
      this.#moveOn(run, index, value, null, now);
      // Behind those of its own run that follow from it, a way back among them.
      if (kind === "gate" && value.state === "done") this.claims.ended(run, index);
      return;
    }
    // What has begun to wait in a run that was cancelled meanwhile holds nobody up.
    this.#settle(run, now);
  }

  /** Control peers have signed something that was asked for. */
  signed({ what, run, index }: Matter, now: Now): void {
    if (what === "permit") return this.gates.signed(run, index);
    if (what === "release") return this.releases.signed(run, index, now);
    for (const open of this.#released) this.#settle(open, now);
  }

  /** A person, or the bearer of a callback, says how it is: to a gate, or to a step that waits. */
  answer(
    opened: OpenedAnswer,
    said: Parameters<Settlements["answer"]>[1],
    evidence: Uint8Array,
    question: number,
    now: Now,
  ): void {
    const { run, step } = opened.answer;
    const index = this.#runs.get(run)?.find(step) ?? null;
    if (index !== null && this.gates.has(run, index)) return this.gates.approve(opened, evidence, question);
    return this.settlements.answer(opened, said, evidence, question, now);
  }

  /** A step's register moved on: events, dependants, and the run's end follow. */
  #advance(run: OpenRun, index: number, { value, ...known }: Advance, now: Now): void {
    const past = value.past.at(-1);
    assert(past !== undefined, "an ended attempt is in the past of its step");
    const held = value.state === "gated";
    if (!held) this.claims.ended(run, index);
    this.chronicle.ended(run, index, { past, final: value.state === "done", held, ...known }, now);
    this.#moveOn(run, index, value, known.report, now);
    if (!held) return;
    this.gates.restore(run, index, value, now);
    if (run.cancelled) this.claims.ended(run, index);
    else this.claims.heldBack(run, index);
  }

  /** @param report what its worker said, when that is why it moved on. */
  #moveOn(run: OpenRun, index: number, value: StepValue, report: StepReport | null, now: Now): void {
    const { ready, skipped } = run.apply(index, value, report ?? madeBy(value, this.#making()));
    this.chronicle.skipped(run, skipped, now);
    for (const next of ready) this.#offer(run, next, now);
    this.#settle(run, now);
  }

  #settle(run: OpenRun, now: Now): void {
    if (!run.over || run.closing || this.#outcomes.isOwed(run, now)) return;
    run.closing = true;
    this.#over.push(run.submission.run);
  }

  /** The token is not the newest any more: the result is recorded and cannot win. */
  #refuseResult(from: string, result: SignedResult, now: Now): void {
    const { run, index, token } = result;
    const lease = { run, index, token };
    if (this.#accepted.has(lease)) return this.#acks.add(from, { lease, verdict: "duplicate" });
    this.#acks.add(from, { lease, verdict: "stale" });
    this.chronicle.refused(from, result, now);
  }
}

/** Of an attempt that another one followed. */
const unknownEnd = { final: false, held: false, report: null, result: null } as const;

/** False for a result that speaks of another attempt than the lease under its token is for, or of other inputs than were given. */
function isOfLease(result: SignedResult, run: OpenRun, value: StepValue): boolean {
  if (value.state !== "leased" || value.token !== result.token) return true;
  const { index, attempt, step, inputs } = result;
  const isNamed = attempt === value.attempt && step === run.step(index).name;
  return isNamed && inputs === inputsDigest(run.given(index));
}

function reportOf(from: string, { run, index, token }: SignedResult): string {
  return `${from} ${run}/${index}/${token}`;
}

function causeOf({ outcome, unprepared }: StepReport): Exclude<AttemptCause, UnreportedCause> | "cancelled" {
  if (unprepared === true) return "unprepared";
  return outcome === "passed" ? "finished" : outcome;
}
