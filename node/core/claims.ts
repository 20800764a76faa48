/**
 * Which worker gets which step: pulls wait here for steps that are ready, and become claims; a claim that was decided
 * becomes a lease, and when all claims of a pull are decided its worker is told.
 *
 *   ready --a pull fits--> claiming --decided--> leased --all of the pull--> granted
 */

import { limits } from "../../protocol/limits.ts";
import type { GrantedLease, Message, WorkerMessage } from "../../protocol/messages.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { type Command, stepRegister } from "../../protocol/registers/registers.ts";
import { encodeValue } from "../../protocol/values.ts";
import type { Chronicle } from "./chronicle.ts";
import type { Now } from "./effects.ts";
import type { HeldLease, Leases } from "./leases.ts";
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

export type ClaimsContext = {
  propose(register: string, command: Command, ticket: ClaimTicket): void;
  send(to: string, message: Message): void;
  run(id: string): OpenRun | undefined;
  /** Its worker never heard of the lease, or must not keep it. */
  takeBack(lease: HeldLease): void;
  /** False while runs are being taken over whose plans are not here: what they hold is not known. */
  knowsAllRuns(): boolean;
};

export class Claims {
  readonly #context: ClaimsContext;
  readonly #leases: Leases;
  readonly #chronicle: Chronicle;
  readonly #locks = new Locks();
  readonly #warmth = new Warmth();
  #queue = new ReadyQueue(this.#warmth);

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

  /** A run was taken over: steps that waited for what it might hold try again. */
  adopted(): void {
    if (this.#context.knowsAllRuns()) this.#offerAgain(this.#locks.wake());
  }

  /** A step that was leased before this reign. */
  restored(run: OpenRun, index: number): void {
    const environment = run.lockOf(index);
    if (environment !== null) this.#locks.take(environment, { run: run.submission.run, index });
  }

  /** An attempt is over, whatever comes next. */
  ended(run: OpenRun, index: number): void {
    const environment = run.lockOf(index);
    if (environment === null) return;
    this.#offerAgain(this.#locks.release(environment, { run: run.submission.run, index }));
  }

  #offerAgain(steps: readonly ReadyStep[]): void {
    for (const { run, index } of steps) {
      const open = this.#context.run(run);
      if (open !== undefined) this.offer(open, index);
    }
  }

  /** True when the step's environment is free, or locked by nobody; else it waits for that. */
  #hasLock(open: OpenRun, step: ReadyStep): boolean {
    const environment = open.lockOf(step.index);
    if (environment === null) return true;
    if (this.#context.knowsAllRuns() && this.#locks.take(environment, step)) return true;
    this.#locks.wait(environment, step);
    return false;
  }

  offer(run: OpenRun, index: number): void {
    this.#queue.push({ run: run.submission.run, index }, run.demandOf(index));
  }

  pull(peer: string, message: Extract<WorkerMessage, { kind: "pull" }>): void {
    const session = this.#leases.session(message.session);
    if (session === undefined || session.peer !== peer || message.slots === 0) return;
    const { session: id, nonce, slots, atHand } = message;
    const { labels } = session;
    if (atHand !== undefined) this.#warmth.know(id, { labels, slots: session.slots, names: new Set(atHand) });
    const pull: ParkedPull = { peer, session: id, nonce, labels, slots };
    const granted = message.again ? this.#leases.ofPull(peer, id, nonce) : [];
    if (granted.length > 0) return this.#grantAgain(pull, granted);
    this.#queue.park(pull);
  }

  dropSession(session: string): void {
    this.#queue.dropPull(session);
    this.#warmth.forget(session);
  }

  /** Nothing of the run is given out any more. */
  cancelled(run: string): void {
    this.#queue.drop(run);
  }

  /** Pairs what waits with what is ready. Call after each turn's inputs. */
  serve(now: Now): void {
    const mayGive = (step: ReadyStep): boolean => {
      const open = this.#context.run(step.run);
      if (open === undefined || open.cancelled || open.phase(step.index) !== "ready") return false;
      return this.#hasLock(open, step);
    };
    for (const { pull, steps: claimable } of this.#queue.match(now.monotonicMs, mayGive)) {
      const order: Order = { pull, left: claimable.length, leases: [] };
      const { peer: worker, session, nonce } = pull;
      // One command, and one nonce, for all: a pull that takes several steps tells them apart by their registers.
      const command: Command = { kind: "claim", worker, session, nonce };
      for (const { run, index } of claimable) {
        this.#context.run(run)?.setPhase(index, "claiming");
        this.#context.propose(stepRegister(run, index), command, { kind: "claim", run, index, order });
      }
    }
  }

  decided({ run: id, index, order }: ClaimTicket, decision: Decision<unknown>, now: Now): void {
    const run = this.#context.run(id);
    order.left -= 1;
    const isLeased = decision.value?.kind === "step" && decision.value.state === "leased";
    if (run !== undefined && !isLeased) this.ended(run, index);
    if (run !== undefined && decision.value?.kind === "step") {
      run.apply(index, decision.value, null);
      if (decision.value.state === "leased" && decision.verdict === "changed") {
        const { token, attempt, worker, session, nonce } = decision.value;
        const lease = { run: id, index, token, attempt, worker, session, nonce };
        const held = this.#leases.grant(lease, now.monotonicMs);
        this.#chronicle.started(run, { index, attempt, token, worker }, now);
        // A worker that is gone is not told, so it holds nothing: the step is offered again at once.
        if (run.cancelled || !this.#isPresent(order.pull)) this.#context.takeBack(held);
        else order.leases.push(grantOf(run, { index, token, attempt }));
      }
    }
    if (order.left > 0) return;
    if (order.leases.length > 0) this.#grant(order.pull, order.leases);
    else this.#parkAgain(order.pull);
  }

  /** The grant was decided, and whoever decided it may have died before it was told. */
  #grantAgain(pull: ParkedPull, leases: readonly HeldLease[]): void {
    const granted = leases.flatMap(({ run, index, token, attempt }) => {
      const open = this.#context.run(run);
      return open === undefined ? [] : [grantOf(open, { index, token, attempt })];
    });
    this.#grant(pull, granted);
  }

  /** In one message, or in several when it would be long: they carry what other steps said. */
  #grant({ peer, nonce }: ParkedPull, leases: readonly GrantedLease[]): void {
    let part: GrantedLease[] = [];
    let bytes = 0;
    const tell = (): void => {
      const bundles: Record<string, string> = {};
      for (const { run } of part) bundles[run] ??= this.#context.run(run)?.submission.digest ?? "";
      this.#context.send(peer, { kind: "grant", nonce, leases: part, bundles });
      part = [];
      bytes = 0;
    };
    for (const lease of leases) {
      part.push(lease);
      if (lease.values !== undefined) bytes += encodeValue(lease.values).length;
      if (bytes >= limits.grantedValuesBytesMax) tell();
    }
    if (part.length > 0) tell();
  }

  /** A pull that came away empty waits on, unless its worker is gone or has asked anew. */
  #parkAgain(pull: ParkedPull): void {
    if (this.#isPresent(pull) && !this.#queue.hasPull(pull.session)) this.#queue.park(pull);
  }

  #isPresent(pull: ParkedPull): boolean {
    return this.#leases.session(pull.session)?.peer === pull.peer;
  }
}

function grantOf(run: OpenRun, lease: Pick<GrantedLease, "index" | "token" | "attempt">): GrantedLease {
  const { index } = lease;
  return { run: run.submission.run, ...lease, ...run.given(index) };
}
