/**
 * Which worker gets which step: pulls wait here for steps that are ready, and become claims; a claim that was decided
 * becomes a lease, and when all claims of a pull are decided its worker is told.
 *
 *   ready --a pull fits--> claiming --decided--> leased --all of the pull--> granted
 *
 * An exclusive step is claimed with a fencing token, which it shows to whatever it reaches. There is one number for the
 * whole domain, in a register of its own, and it is raised ahead of the claim: rounds are chosen in order, so no claim is
 * chosen without it. Whoever gets the step, the lock or the environment later, in whatever run, has a higher one, and a
 * target that refuses lower ones than it saw is safe from workers that come back late. One number and not one a lock: it
 * never starts anew when a lock is renamed, and leaves nothing behind.
 */

import { limits } from "../../protocol/limits.ts";
import type { LetCount } from "../../protocol/attempt-content.ts";
import type { GrantedLease, Message, Pull } from "../../protocol/messages.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { isExclusive, requirementsOf } from "../../protocol/plan.ts";
import {
  type Command,
  fenceRegister,
  type RegisterValue,
  runOfRegister,
  runOfStepRegister,
  stepRegister,
} from "../../protocol/registers/registers.ts";
import { encodeValue } from "../../protocol/values.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Now } from "./effects.ts";
import { type HeldLease, type Leases, sessionKey, sessionName } from "./leases.ts";
import type { OpenRun } from "./open-run.ts";
import { Locks } from "./locks.ts";
import type { ParkedPull } from "./queue/parking.ts";
import { ReadyQueue } from "./queue/ready-queue.ts";
import type { ReadyStep } from "./queue/shelf.ts";
import { Warmth } from "./queue/warmth.ts";

/** The claims of one pull: the grant goes out when the last of them is decided. */
type Order = { readonly pull: ParkedPull; left: number; readonly leases: GrantedLease[] };

export type ClaimTicket = {
  readonly kind: "claim";
  readonly run: string;
  readonly index: number;
  readonly order: Order;
};

/** Nobody waits for it: what it is for comes behind it. */
export type RaiseTicket = { readonly kind: "raise" };

export type ClaimsContext = {
  propose(register: string, command: Command, ticket: ClaimTicket | RaiseTicket): void;
  send(to: string, message: Message): void;
  run(id: string): OpenRun | undefined;
  /** True when the step must wait at its gate, to which it is sent: its permit is not good any more. */
  sentBack(run: OpenRun, index: number, now: Now): boolean;
  /** Its worker never heard of the lease, or must not keep it. */
  takeBack(lease: HeldLease): void;
  /** What lets the steps count that it needs and that a gate holds back. */
  letCount(run: OpenRun, index: number, given: Pick<GrantedLease, "inputs" | "values">): readonly LetCount[];
  /** What the worker is to be told of its results. */
  acks(worker: string): Pick<Extract<Message, { kind: "grant" }>, "acks">;
};

export class Claims {
  readonly #context: ClaimsContext;
  readonly #leases: Leases;
  readonly #chronicle: Chronicle;
  readonly #locks = new Locks();
  readonly #warmth = new Warmth();
  #queue = new ReadyQueue(this.#warmth);
  /** The highest fencing token that was given out. */
  #fence = 0;

  constructor(context: ClaimsContext, leases: Leases, chronicle: Chronicle) {
    this.#context = context;
    this.#leases = leases;
    this.#chronicle = chronicle;
  }

  /** Steps that wait for a worker. */
  get waiting(): number {
    return this.#queue.length;
  }

  clear(): void {
    this.#warmth.clear();
    this.#queue = new ReadyQueue(this.#warmth);
    this.#locks.clear();
  }

  /** What was decided before this reign: who holds which lock, and the highest token. */
  begin(entries: readonly [string, RegisterValue][]): void {
    this.#fence = 0;
    const over = new Set<string | null>();
    for (const [name, value] of entries) {
      if (value.kind === "fence") this.#fence = value.token;
      if (value.kind === "run" && (value.cancelledBy !== null || value.outcome !== null))
        over.add(runOfRegister(name));
    }
    for (const [name, value] of entries) {
      if (value.kind !== "step" || (value.state !== "leased" && value.state !== "gated")) continue;
      const isBehind = value.state === "gated";
      // What waits in a run that was cancelled holds nobody up.
      if (value.lock === undefined || (isBehind && over.has(runOfStepRegister(name)))) continue;
      this.#locks.hold(value.lock, name.slice("step/".length), isBehind);
    }
  }

  /** An attempt has ended well, and a gate behind the step holds it back: it has its lock until it counts, or does not. */
  heldBack(run: OpenRun, index: number): void {
    const lock = run.lockOf(index);
    if (lock !== null) this.#passOn(lock, this.#locks.stay(lock, { run: run.submission.run, index }));
  }

  /** An attempt is over, whatever comes next. */
  ended(run: OpenRun, index: number): void {
    const lock = run.lockOf(index);
    if (lock !== null) this.#passOn(lock, this.#locks.leave(lock, { run: run.submission.run, index }));
  }

  /**
   * The lock goes to whom it may: some who waited for it are not wanted any more.
   *
   * @param left those that may be offered now.
   */
  #passOn(lock: string, left: readonly ReadyStep[]): void {
    const offered = [...left];
    for (let next = offered.pop(); next !== undefined; next = offered.pop()) {
      const open = this.#context.run(next.run);
      if (open !== undefined && this.#isWanted(open, next.index)) this.#push(open, next.index);
      else offered.push(...this.#locks.pass(lock, next));
    }
  }

  offer(run: OpenRun, index: number): void {
    const lock = run.lockOf(index);
    const step = { run: run.submission.run, index };
    if (lock === null || this.#locks.enter(lock, step, requirementsOf(run.step(index))))
      this.#push(run, index);
  }

  #push(run: OpenRun, index: number): void {
    this.#queue.push({ run: run.submission.run, index }, run.demandOf(index));
  }

  #isWanted(run: OpenRun, index: number): boolean {
    return !run.cancelled && run.phase(index) === "ready";
  }

  pull(peer: string, { session: name, nonce, slots, again, atHand, alike = false }: Pull): void {
    const key = sessionKey(peer, name);
    const session = this.#leases.session(key);
    if (session === undefined || slots === 0) return;
    const { labels } = session;
    if (atHand !== undefined)
      this.#warmth.know(key, { labels, slots: session.slots, names: new Set(atHand) });
    const pull: ParkedPull = { peer, session: key, nonce, labels, slots, alike };
    const granted = again ? this.#leases.ofPull(peer, name, nonce) : [];
    if (granted.length > 0) return this.#grantAgain(pull, granted);
    this.#queue.park(pull);
  }

  dropSession(session: string): void {
    this.#queue.dropPull(session);
    this.#warmth.forget(session);
  }

  /** A worker has not been heard of for a lease: what it lets go of is given to it again only where nobody else waits. */
  silent(worker: string): void {
    for (const session of this.#leases.sessionsOf(worker)) {
      this.#warmth.forget(session);
      this.#queue.putLast(session);
    }
  }

  /** Nothing of the run is given out any more. */
  cancelled(id: string): void {
    const run = this.#context.run(id);
    for (const { index } of this.#queue.drop(id)) if (run !== undefined) this.ended(run, index);
    for (const index of run?.heldBack() ?? []) if (run !== undefined) this.ended(run, index);
  }

  /** Pairs what waits with what is ready. Call after each turn's inputs. */
  serve(now: Now): void {
    for (const { pull, steps } of this.#queue.match(now.monotonicMs, (step) => this.#mayGive(step, now)))
      this.#claim(pull, steps);
  }

  #mayGive(step: ReadyStep, now: Now): boolean {
    const run = this.#context.run(step.run);
    if (run === undefined) return false;
    const lock = run.lockOf(step.index);
    if (!this.#isWanted(run, step.index) || this.#context.sentBack(run, step.index, now)) {
      if (lock !== null) this.#passOn(lock, this.#locks.pass(lock, step));
      return false;
    }
    return lock === null || this.#locks.take(lock, step);
  }

  #claim(pull: ParkedPull, steps: readonly ReadyStep[]): void {
    const order: Order = { pull, left: steps.length, leases: [] };
    const { peer: worker, nonce } = pull;
    const session = sessionName(pull.session);
    // One command, and one nonce, for all: a pull that takes several steps tells them apart by their registers.
    const shared = { kind: "claim", worker, session, nonce } as const;
    for (const { run, index } of steps) {
      const open = this.#context.run(run);
      open?.setPhase(index, "claiming");
      const command =
        open === undefined || !isExclusive(open.step(index)) ? shared : this.#fenced(shared, open, index);
      this.#context.propose(stepRegister(run, index), command, { kind: "claim", run, index, order });
    }
  }

  #fenced(claim: Extract<Command, { kind: "claim" }>, run: OpenRun, index: number): Command {
    this.#fence += 1;
    this.#context.propose(fenceRegister, { kind: "raise", token: this.#fence }, { kind: "raise" });
    const lock = run.lockOf(index);
    return { ...claim, fence: this.#fence, ...(lock === null ? {} : { lock }) };
  }

  decided({ run: id, index, order }: ClaimTicket, decision: Decision<unknown>, now: Now): void {
    const run = this.#context.run(id);
    order.left -= 1;
    const isLeased = decision.value?.kind === "step" && decision.value.state === "leased";
    if (run !== undefined && !isLeased) this.ended(run, index);
    if (run !== undefined && decision.value?.kind === "step") {
      run.apply(index, decision.value, null);
      if (decision.value.state === "leased" && decision.verdict === "changed") {
        const held = this.#leases.grant({ run: id, index }, decision.value, now.monotonicMs);
        this.#chronicle.started(run, index, decision.value, now);
        // A worker that is gone is not told, so it holds nothing: the step is offered again at once.
        if (run.cancelled || !this.#isPresent(order.pull)) this.#context.takeBack(held);
        else order.leases.push(this.#grantOf(run, held));
      }
    }
    if (order.left > 0) return;
    if (order.leases.length > 0) this.#grant(order.pull, order.leases);
    else this.#parkAgain(order.pull);
  }

  /** The grant was decided, and whoever decided it may have died before it was told. */
  #grantAgain(pull: ParkedPull, leases: readonly HeldLease[]): void {
    const granted = leases.flatMap((lease) => {
      const open = this.#context.run(lease.run);
      return open === undefined ? [] : [this.#grantOf(open, lease)];
    });
    this.#grant(pull, granted);
  }

  #grantOf(run: OpenRun, { index, token, attempt, fence, permit }: HeldLease): GrantedLease {
    const given = run.given(index);
    const letCount = this.#context.letCount(run, index, given);
    const plain = { run: run.submission.run, index, token, attempt, inputs: given.inputs };
    // Most are no more than this, and there are many.
    const isPlain = fence === undefined && permit === undefined && given.values === undefined;
    if (isPlain && letCount.length === 0) return plain;
    return {
      ...plain,
      ...(fence === undefined ? {} : { fence }),
      ...given,
      ...(permit === undefined ? {} : { permit }),
      ...(letCount.length === 0 ? {} : { letCount }),
    };
  }

  /** In one message, or in several when it would be long: they carry what other steps said, and permits. */
  #grant({ peer, nonce, alike = false }: ParkedPull, leases: readonly GrantedLease[]): void {
    let part: GrantedLease[] = [];
    let bytes = 0;
    const tell = (): void => {
      const bundles: Record<string, string> = {};
      for (const { run } of part) bundles[run] ??= this.#context.run(run)?.submission.digest ?? "";
      const told = alike && part.length > 1 ? { alike } : {};
      const acks = this.#context.acks(peer);
      this.#context.send(peer, { kind: "grant", nonce, leases: part, ...told, bundles, ...acks });
      part = [];
      bytes = 0;
    };
    for (const lease of leases) {
      part.push(lease);
      if (lease.values !== undefined) bytes += encodeValue(lease.values).length;
      bytes += lease.permit?.length ?? 0;
      if (lease.letCount !== undefined) bytes += encodeValue(lease.letCount).length;
      if (bytes >= limits.grantedValuesBytesMax) tell();
    }
    if (part.length > 0) tell();
  }

  /** A pull that came away empty waits on, unless its worker is gone or has asked anew. */
  #parkAgain(pull: ParkedPull): void {
    if (this.#isPresent(pull) && !this.#queue.hasPull(pull.session)) this.#queue.park(pull);
  }

  #isPresent(pull: ParkedPull): boolean {
    return this.#leases.session(pull.session) !== undefined;
  }
}
