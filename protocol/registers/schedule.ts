/**
 * The register of a pipeline's schedule: which standing order counts, and up to which moment its slots are settled.
 *
 *   (absent) --set--> set --fire--> set, settled further --remove--> removed --set--> set
 *
 * A slot is fired by one command that moves `settledMs` over it, and `settledMs` never goes back while an order is set.
 * So a slot is fired once whoever is home, whatever the clocks of homes say, and however often they ask. The run of
 * the slot is admitted afterwards under an id that follows from order and slot (`protocol/standing-order.ts`).
 *
 * Pure: a refusal says why and changes nothing.
 */

import { unreachable } from "../errors.ts";
import { limits } from "../limits.ts";
import { slotAfter, slotUntil } from "../schedule.ts";
import type { OrderedSlots } from "../standing-order.ts";
import type { Evaluation, Refusal } from "./registers.ts";

export type RegisteredOrder = {
  /** The order's id, and the digest of its bundle. */
  readonly id: string;
  readonly digest: string;
  readonly submitter: string;
  readonly slots: readonly OrderedSlots[];
};

/** Slots that passed while the domain had no home that could fire them. */
export type MissedSlots = {
  /** At most `limits.missedSlotsCountedMax`, which then stands for more. */
  readonly count: number;
  readonly fromMs: number;
  readonly throughMs: number;
  /** The slot that was fired to make up for them, or null: none was. */
  readonly madeUpByMs: number | null;
};

export type ScheduleValue = {
  readonly kind: "schedule";
  readonly revision: number;
  /** Null: removed. The rest stays, so that an order that was removed is not set again by who has not heard. */
  readonly order: RegisteredOrder | null;
  readonly removed: {
    readonly id: string;
    readonly by: string;
    /** Why the domain itself ended it; absent: a person did. */
    readonly because?: string;
  } | null;
  /** Only slots after this moment are the order's. Milliseconds since 1970. */
  readonly sinceMs: number;
  /** Every slot up to this moment was fired, refused, or missed. */
  readonly settledMs: number;
  /** What became of the newest of the order's slots that are settled; null while none is. */
  readonly newest: SettledSlots | null;
  /** The newest slot that was fired, and those that were missed last, whichever order it was. */
  readonly fired: FiredSlot | null;
  readonly missed: MissedSlots | null;
};

export type FiredSlot = {
  readonly slotMs: number;
  readonly run: string;
  /** Until when that run may be admitted; milliseconds since 1970, by the clock of the home that fired the slot. */
  readonly validUntilMs: number;
};

export type SettledSlots = {
  readonly throughMs: number;
  readonly fired: FiredSlot | null;
  readonly missed: MissedSlots | null;
  /** The slot that was not fired because who ordered it is no member any more, or the policy refuses it. */
  readonly refused: { readonly slotMs: number; readonly because: string } | null;
};

export type ScheduleCommand =
  | {
      readonly kind: "set-schedule";
      readonly order: RegisteredOrder;
      readonly revision: number;
      /** Wall clock of the home: only slots after it are the order's. */
      readonly nowMs: number;
    }
  | { readonly kind: "remove-schedule"; readonly by: string; readonly because?: string }
  | { readonly kind: "fire"; readonly order: string; readonly slots: SettledSlots };

export function scheduleRegister(pipeline: string): string {
  return `schedule/${pipeline}`;
}

/** The pipeline whose schedule a register is, or null for any other register. */
export function pipelineOfRegister(name: string): string | null {
  return name.startsWith("schedule/") ? name.slice("schedule/".length) : null;
}

export function evaluateSchedule(value: ScheduleValue | null, command: ScheduleCommand): Evaluation {
  switch (command.kind) {
    case "set-schedule":
      return set(value, command);
    case "remove-schedule":
      if (value === null || value.order === null) return refused("absent");
      return {
        kind: "changed",
        value: { ...value, order: null, removed: removalOf(value.order.id, command) },
      };
    case "fire": {
      const { slots, order } = command;
      const { throughMs, fired, missed } = slots;
      if (value?.order?.id !== order) return refused("absent");
      const slotMs = fired?.slotMs ?? throughMs;
      if (throughMs <= value.settledMs || slotMs <= value.settledMs || slotMs > throughMs)
        return refused("stale");
      const shown = { fired: fired ?? value.fired, missed: missed ?? value.missed };
      return { kind: "changed", value: { ...value, ...shown, settledMs: throughMs, newest: slots } };
    }
    default:
      return unreachable(command);
  }
}

function removalOf(
  id: string,
  { by, because }: Extract<ScheduleCommand, { kind: "remove-schedule" }>,
): ScheduleValue["removed"] {
  return { id, by, ...(because === undefined ? {} : { because }) };
}

function set(
  value: ScheduleValue | null,
  command: Extract<ScheduleCommand, { kind: "set-schedule" }>,
): Evaluation {
  const { order, revision, nowMs } = command;
  if (value?.order?.id === order.id) return refused("duplicate");
  if (value !== null && revision <= value.revision) return refused("stale");
  // Only who removed the schedule before may let its time begin anew: else a slot could be fired for both orders.
  const sinceMs = value === null || value.order === null ? nowMs : Math.max(value.settledMs, nowMs);
  const shown = { fired: value?.fired ?? null, missed: value?.missed ?? null };
  const begun = { sinceMs, settledMs: sinceMs, newest: null, removed: null };
  return { kind: "changed", value: { kind: "schedule", revision, order, ...begun, ...shown } };
}

function refused(reason: Refusal): Evaluation {
  return { kind: "refused", reason };
}

/** The first slot that is not settled; null when there is none for years, or nothing is set. */
export function nextSlot({ order, settledMs }: Pick<ScheduleValue, "order" | "settledMs">): number | null {
  return earliest((order?.slots ?? []).map(({ cron }) => slotAfter(cron, settledMs)));
}

/**
 * Which slots have begun and are not settled at a moment: the one to fire, and those that were missed. A slot is fired
 * until its minute is over, or else, where its schedule has it made up for, when it is the newest: one fired slot
 * makes up for all that were missed.
 */
export function dueSlots(
  { order, settledMs }: Pick<ScheduleValue, "order" | "settledMs">,
  nowMs: number,
): {
  readonly slotMs: number | null;
  readonly throughMs: number;
  readonly missed: MissedSlots | null;
} | null {
  const slots = order?.slots ?? [];
  const newestOf = (some: readonly OrderedSlots[], untilMs: number): number | null => {
    const newest = latest(some.map(({ cron }) => slotUntil(cron, untilMs)));
    return newest === null || newest <= settledMs ? null : newest;
  };
  const throughMs = newestOf(slots, nowMs);
  if (throughMs === null) return null;
  const isCurrent = nowMs - throughMs < limits.minuteMs;
  const missedUntilMs = isCurrent ? throughMs - 1 : throughMs;
  const madeUpFor = slots.filter(({ missed }) => missed === "latest");
  const wantedMs = newestOf(madeUpFor, missedUntilMs);
  const slotMs = isCurrent ? throughMs : wantedMs;
  const count = countSlots(slots, settledMs, missedUntilMs);
  const [fromMs, lastMs] = [nextSlot({ order, settledMs }), newestOf(slots, missedUntilMs)];
  if (count === 0 || fromMs === null || lastMs === null) return { slotMs, throughMs, missed: null };
  return {
    slotMs,
    throughMs,
    missed: { count, fromMs, throughMs: lastMs, madeUpByMs: wantedMs === null ? null : slotMs },
  };
}

function countSlots(slots: readonly OrderedSlots[], afterMs: number, untilMs: number): number {
  let count = 0;
  for (let atMs: number | null = afterMs; count < limits.missedSlotsCountedMax; count += 1) {
    const fromMs: number = atMs;
    atMs = earliest(slots.map(({ cron }) => slotAfter(cron, fromMs)));
    if (atMs === null || atMs > untilMs) break;
  }
  return count;
}

function earliest(moments: readonly (number | null)[]): number | null {
  return moments.reduce(
    (first, one) => (one !== null && (first === null || one < first) ? one : first),
    null,
  );
}

function latest(moments: readonly (number | null)[]): number | null {
  return moments.reduce((last, one) => (one !== null && (last === null || one > last) ? one : last), null);
}
