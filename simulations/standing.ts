/**
 * Standing orders in a world: who gives them and when, that they are given again and removed, and what must be settled
 * in the end. The runs of their slots are the world's like those that people submit.
 */

import { controlKeys } from "../node/core/control.ts";
import { bundleOfSlot, openBundle, orderOf, type Submission } from "../protocol/manifest.ts";
import type { Charter } from "../protocol/membership.ts";
import { readRecord } from "../protocol/registers/stored.ts";
import { nextSlot, scheduleRegister, type ScheduleValue } from "../protocol/registers/schedule.ts";
import { decodeValue } from "../protocol/values.ts";
import { simulatedVerifier } from "./keys.ts";
import type { Observation } from "./observation.ts";
import type { Peer } from "./peer.ts";
import type { ScheduledOrder, ScheduledOrders } from "./schedule.ts";
import { runOf, startWallMs, type Workload } from "./workload.ts";

/** After the healing so long, so that a slot begins in it. */
const afterUs = 75_000_000;
/** By then a slot that has begun is settled: a home is there, and its clock is right within seconds. */
const settledWithinMs = 20_000;
const removalsMax = 40;

export type StandingAround = {
  readonly orders: ScheduledOrders;
  readonly charter: Charter;
  readonly overUs: number;
  readonly at: (atUs: number, action: () => void) => void;
  readonly controls: () => readonly Peer[];
  readonly submit: (order: ScheduledOrder, workload: Workload) => void;
  /** Asks a control peer to remove the schedule of a pipeline. */
  readonly remove: (to: Peer, pipeline: string) => number;
  readonly fired: (submission: Submission) => void;
};

export class StandingWork {
  readonly #around: StandingAround;
  readonly #workloads = new Map<string, Workload>();
  readonly #kept = new Set<string>();
  readonly #removed = new Set<number>();

  constructor(around: StandingAround) {
    this.#around = around;
    const { given, removed } = around.orders;
    for (const order of given) around.at(order.giveUs, () => this.#give(order));
    for (const { pipeline, atUs } of removed) around.at(atUs, () => this.#remove(pipeline, [], 0));
  }

  get orders(): Submission[] {
    return [...this.#workloads.values()].map(({ submission }) => submission);
  }

  /** A peer has answered that it keeps the order. */
  keep({ run }: Submission): void {
    this.#kept.add(run);
  }

  isKept(run: string): boolean {
    return this.#kept.has(run);
  }

  observe(observation: Observation): void {
    if (observation.kind === "answered" && observation.answer.ok) this.#removed.add(observation.question);
    if (observation.kind !== "recorded") return;
    for (const event of observation.events) {
      const order = event.kind === "slot-fired" ? this.#workloads.get(event.run) : undefined;
      if (event.kind === "slot-fired" && order !== undefined) this.#fire(order, event.slotMs);
    }
  }

  /** What is not yet as it must be in the end, in words. */
  open(nowUs: number, survivors: readonly Peer[]): string[] {
    const open: string[] = [];
    if (nowUs < this.#around.overUs + afterUs) open.push("the slots after the healing are awaited");
    for (const { run } of this.orders) if (!this.#kept.has(run)) open.push(`order ${run} is not kept`);
    const current = new Set<string>();
    for (const pipeline of new Set(this.orders.map(({ manifest }) => manifest.plan.pipeline))) {
      const value = newestOf(survivors, pipeline);
      const dueMs = value === null ? 0 : nextSlot(value);
      if (value?.order != null) current.add(value.order.id);
      if (dueMs !== null && dueMs < startWallMs + nowUs / 1_000 - settledWithinMs)
        open.push(`the slot ${dueMs} of ${pipeline} is not settled`);
    }
    for (const { name, disk } of survivors)
      for (const [key] of disk.list(controlKeys.orders))
        if (!current.has(key.slice(controlKeys.orders.length))) open.push(`${name} still keeps ${key}`);
    return open;
  }

  #give(order: ScheduledOrder): void {
    const { charter, submit } = this.#around;
    const { nonce, plan, revision, slots } = order;
    const workload = runOf(plan, charter, { nonce, order: { revision, slots } });
    this.#workloads.set(workload.submission.run, workload);
    submit(order, workload);
  }

  #remove(pipeline: string, asked: readonly number[], tries: number): void {
    const { at, controls, remove } = this.#around;
    if (tries > removalsMax || asked.some((question) => this.#removed.has(question))) return;
    const answering = controls().filter(({ answers }) => answers);
    const to = answering[tries % Math.max(1, answering.length)];
    const question = to === undefined ? [] : [remove(to, pipeline)];
    at(400_000, () => this.#remove(pipeline, [...asked, ...question], tries + 1));
  }

  #fire({ bundle }: Workload, slotMs: number): void {
    const { charter, fired } = this.#around;
    const opened = openBundle(bundleOfSlot(bundle, slotMs), charter, startWallMs, simulatedVerifier);
    if (!opened.ok) throw new Error(`Bug: the slot ${slotMs} is refused: ${opened.problem.detail}`);
    if (orderOf(opened.value) === null) fired(opened.value);
  }
}

/** The schedule as it was decided last, as far as these peers' disks say. */
function newestOf(peers: readonly Peer[], pipeline: string): ScheduleValue | null {
  const values = peers.flatMap(({ disk }) => {
    const stored = disk.durable(controlKeys.registers + scheduleRegister(pipeline));
    if (stored === undefined) return [];
    return [decodeValue(readRecord(stored).value) as ScheduleValue];
  });
  const byAge = values.toSorted(
    (left, right) => left.revision - right.revision || left.settledMs - right.settledMs,
  );
  return byAge.at(-1) ?? null;
}
