/**
 * What the home does about schedules: sets standing orders that are held by a majority, fires their slots, and sees to
 * it that the run of each fired slot is admitted.
 *
 *   slot has begun --"fire" decided--> fired --bundle made from the order's, held by a majority--> admitted
 *
 * Everything rests on the register (`protocol/registers/schedule.ts`). A home that dies in between is followed by one that
 * finds in the register what was fired, and makes the same run of it. For one pipeline one thing is done at a time:
 * nothing is fired, set or removed before the run of the slot that was fired last is admitted.
 */

import type { LoggedEvent } from "../../protocol/events.ts";
import { orderOf, type Submission } from "../../protocol/manifest.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { limits } from "../../protocol/limits.ts";
import {
  isRetired,
  type RegisterValue,
  retiredRegister,
  runRegister,
} from "../../protocol/registers/registers.ts";
import {
  dueSlots,
  type FiredSlot,
  nextSlot,
  pipelineOfRegister,
  type RegisteredOrder,
  type ScheduleCommand,
  scheduleRegister,
  type ScheduleValue,
  type SettledSlots,
} from "../../protocol/registers/schedule.ts";
import { runOfSlot } from "../../protocol/standing-order.ts";
import type { Answer, Now } from "./effects.ts";

export type ScheduleTicket = {
  readonly kind: "schedule";
  readonly pipeline: string;
  /** Who asked for it and waits for an answer. */
  readonly question: number | null;
};

type Removal = { readonly pipeline: string; readonly by: string; readonly question: number };

export type SchedulesContext = {
  propose(register: string, command: ScheduleCommand, ticket: ScheduleTicket): void;
  note(event: LoggedEvent): void;
  answer(question: number, answer: Answer): void;
  committed(register: string): RegisterValue | null;
  /** The order of that id, when its bundle is here. */
  order(id: string): Submission | null;
  /** The order's run of a slot becomes a submission of this peer's. */
  start(order: Submission, slotMs: number, now: Now): void;
  /** Why the order's slots are not to be fired now, in one sentence; null: they are. */
  forbidden(order: Submission): string | null;
  /** True for who is a peer or a person of the domain no more. */
  isRevoked(peer: string): boolean;
  /** The order is set, or came too late to be. */
  settled(order: string): void;
  /** The highest moment that the watermark was raised to, or is about to be. */
  readonly retiredMs: () => number;
};

export class Schedules {
  readonly #context: SchedulesContext;
  readonly #values = new Map<string, ScheduleValue>();
  /** The first slot that is not settled, by pipeline. */
  readonly #nextMs = new Map<string, number>();
  /** Pipelines whose register is being changed. */
  readonly #deciding = new Set<string>();
  #removals: Removal[] = [];

  constructor(context: SchedulesContext) {
    this.#context = context;
  }

  /** Takes over. What happened last to each schedule is told again: who did it may have died before it told. */
  begin(entries: Iterable<[string, RegisterValue]>, now: Now): void {
    this.end();
    for (const [name, value] of entries) {
      const pipeline = pipelineOfRegister(name);
      if (pipeline === null || value.kind !== "schedule") continue;
      this.#take(pipeline, value);
      this.#tellSet(pipeline, value, now);
      this.#tellNewest(pipeline, value, now);
    }
  }

  end(): void {
    this.#values.clear();
    this.#nextMs.clear();
    this.#deciding.clear();
    this.#removals = [];
  }

  get values(): ReadonlyMap<string, ScheduleValue> {
    return this.#values;
  }

  tick(now: Now): void {
    const removals = this.#removals;
    this.#removals = [];
    for (const removal of removals) this.remove(removal, now);
    for (const [pipeline, value] of this.#values) {
      if (this.#endsRevoked(pipeline, value)) continue;
      this.#startFired(pipeline, now);
      if (!this.#isBusy(pipeline) && this.#isDue(pipeline, now)) this.#fire(pipeline, value, now);
    }
  }

  /** An order of who was revoked ends, whatever is due: of its slots nothing is admitted any more. */
  #endsRevoked(pipeline: string, { order }: ScheduleValue): boolean {
    if (order === null || !this.#context.isRevoked(order.submitter)) return false;
    const because = "its submitter was revoked";
    if (!this.#deciding.has(pipeline))
      this.#propose(pipeline, { kind: "remove-schedule", by: "", because }, null);
    return true;
  }

  /** A standing order that a majority holds. */
  set(submission: Submission, now: Now): void {
    const { pipeline } = submission.manifest.plan;
    const order = orderOf(submission);
    if (order === null || this.hasSettled(submission) || !this.#mayChange(pipeline, now)) return;
    const { run: id, digest, submitter } = submission;
    const registered: RegisteredOrder = { id, digest, submitter: submitter.peer, slots: order.slots };
    const { revision } = order;
    this.#propose(pipeline, { kind: "set-schedule", order: registered, revision, nowMs: now.wallMs }, null);
  }

  /** True for an order that was set before, or that a newer one, or its removal, has overtaken. */
  hasSettled(submission: Submission): boolean {
    const order = orderOf(submission);
    const value = this.#values.get(submission.manifest.plan.pipeline);
    return order !== null && value !== undefined && value.revision >= order.revision;
  }

  decided({ pipeline, question }: ScheduleTicket, decision: Decision<unknown>, now: Now): void {
    this.#deciding.delete(pipeline);
    const { value, command } = decision;
    if (command.kind === "set-schedule") this.#context.settled(command.order.id);
    if (value?.kind === "schedule") this.#take(pipeline, value);
    if (question !== null)
      this.#context.answer(question, decision.verdict === "changed" ? { ok: true } : absent);
    if (decision.verdict === "refused" || value?.kind !== "schedule") return;
    if (command.kind === "fire") this.#tellNewest(pipeline, value, now);
    else this.#tellSet(pipeline, value, now);
    this.#startFired(pipeline, now);
  }

  #take(pipeline: string, value: ScheduleValue): void {
    this.#values.set(pipeline, value);
    const nextMs = nextSlot(value);
    if (nextMs === null) this.#nextMs.delete(pipeline);
    else this.#nextMs.set(pipeline, nextMs);
  }

  /** True while its register is being changed, or the run of the slot that was fired last is not admitted. */
  #isBusy(pipeline: string): boolean {
    return this.#deciding.has(pipeline) || this.#unstarted(pipeline) !== null;
  }

  #isDue(pipeline: string, now: Now): boolean {
    return now.wallMs >= (this.#nextMs.get(pipeline) ?? Infinity);
  }

  /** What the order that is set has begun is settled first: no slot of it goes without a word. */
  #mayChange(pipeline: string, now: Now): boolean {
    return !this.#isBusy(pipeline) && !this.#isDue(pipeline, now);
  }

  #unstarted(pipeline: string): FiredSlot | null {
    const { fired = null, removed = null } = this.#values.get(pipeline) ?? {};
    // What was fired last for who was revoked is refused by everybody.
    if (removed?.because !== undefined) return null;
    if (fired === null || this.#context.committed(runRegister(fired.run)) !== null) return null;
    // It was admitted, and is over and forgotten: the watermark never passes a slot whose run is not admitted.
    return isRetired(fired, this.#context.committed(retiredRegister)) ? null : fired;
  }

  /** Until when the run of the slot that was fired last may be admitted: the only one that is not yet. Null for any other. */
  validUntilMs({ run, manifest }: Submission): number | null {
    const fired = this.#values.get(manifest.plan.pipeline)?.fired;
    return fired?.run === run ? fired.validUntilMs : null;
  }

  /** The watermark must stay below this: the runs of slots that were fired are to be admitted. */
  get unstartedMs(): number {
    if (this.#deciding.size > 0) return -Infinity;
    const unstarted = [...this.#values.keys()].map((pipeline) => this.#unstarted(pipeline));
    return Math.min(...unstarted.map((fired) => fired?.validUntilMs ?? Infinity));
  }

  #startFired(pipeline: string, now: Now): void {
    const fired = this.#unstarted(pipeline);
    const order = this.#orderOf(pipeline);
    if (fired !== null && order !== null) this.#context.start(order, fired.slotMs, now);
  }

  #orderOf(pipeline: string): Submission | null {
    const id = this.#values.get(pipeline)?.order?.id;
    return id === undefined ? null : this.#context.order(id);
  }

  #fire(pipeline: string, value: ScheduleValue, now: Now): void {
    const submission = this.#orderOf(pipeline);
    const due = submission === null ? null : dueSlots(value, now.wallMs);
    if (submission === null || due === null) return;
    const { slotMs, throughMs, missed } = due;
    const { manifestCid, submitter, run: order } = submission;
    const validUntilMs = Math.max(now.wallMs + limits.slotMs, this.#context.retiredMs() + 1);
    let slots: SettledSlots = { throughMs, fired: null, missed, refused: null };
    const isExpired = submitter.expiresMs < now.wallMs;
    const because = isExpired
      ? `the certificate of ${submitter.name} has expired`
      : this.#context.forbidden(submission);
    if (slotMs !== null && because === null)
      slots = { ...slots, fired: { slotMs, run: runOfSlot(manifestCid, slotMs), validUntilMs } };
    else if (slotMs !== null && because !== null) {
      const told = missed === null ? null : { ...missed, madeUpByMs: null };
      slots = { ...slots, missed: told, refused: { slotMs, because } };
    }
    this.#propose(pipeline, { kind: "fire", order, slots }, null);
  }

  remove(removal: Removal, now: Now): void {
    const { pipeline, by, question } = removal;
    if (!this.#mayChange(pipeline, now)) this.#removals.push(removal);
    else this.#propose(pipeline, { kind: "remove-schedule", by }, question);
  }

  #propose(pipeline: string, command: ScheduleCommand, question: number | null): void {
    this.#deciding.add(pipeline);
    this.#context.propose(scheduleRegister(pipeline), command, { kind: "schedule", pipeline, question });
  }

  #tellSet(pipeline: string, { order, removed, revision, sinceMs }: ScheduleValue, now: Now): void {
    const told = { timeMs: now.wallMs, pipeline } as const;
    if (order !== null) {
      const { id: run, submitter } = order;
      this.#context.note({ kind: "schedule-set", run, ...told, submitter, revision, sinceMs });
    } else if (removed !== null)
      this.#context.note({
        kind: "schedule-removed",
        run: removed.id,
        ...told,
        by: removed.by,
        ...(removed.because === undefined ? {} : { because: removed.because }),
      });
  }

  #tellNewest(pipeline: string, { order, newest }: ScheduleValue, now: Now): void {
    if (order === null || newest === null) return;
    const { fired, missed, refused } = newest;
    const told = { run: order.id, timeMs: now.wallMs, pipeline } as const;
    if (missed !== null) this.#context.note({ kind: "slots-missed", ...told, ...missed });
    if (fired !== null)
      this.#context.note({ kind: "slot-fired", ...told, slotMs: fired.slotMs, started: fired.run });
    if (refused !== null)
      this.#context.note({ kind: "slot-refused", ...told, slotMs: refused.slotMs, reason: refused.because });
  }
}

const absent: Answer = { ok: false, reason: "no-such-schedule", detail: "" };
