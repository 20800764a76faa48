/**
 * A standing order: what makes a signed manifest one that is run again and again, at the slots of a schedule.
 *
 * The person signs once; each slot is then a run of its own, whose id follows from the manifest and the slot. So
 * whoever starts the run of a slot, and however often, it is the same run, and a run is admitted once.
 */

import { limits } from "./limits.ts";
import type { PlannedTrigger } from "./plan.ts";
import { cronProblem, slotAfter } from "./schedule.ts";
import { encodeValue, bytesCid } from "./values.ts";

export type OrderedSlots = Pick<Extract<PlannedTrigger, { kind: "schedule" }>, "cron" | "missed">;

export type StandingOrder = {
  /** Of two orders for one pipeline the one with the higher revision counts. */
  readonly revision: number;
  /** At least one; a minute that several of them name is one slot. */
  readonly slots: readonly OrderedSlots[];
};

export function isStandingOrder(value: unknown): value is StandingOrder {
  const order = value as StandingOrder | null;
  if (
    typeof order !== "object" ||
    order === null ||
    !Number.isSafeInteger(order.revision) ||
    order.revision < 1
  )
    return false;
  const { slots } = order;
  const isBounded = Array.isArray(slots) && slots.length > 0 && slots.length <= limits.schedulesPerOrderMax;
  return isBounded && slots.every((slot: unknown) => isOrdered(slot));
}

function isOrdered(value: unknown): boolean {
  const slots = value as OrderedSlots | null;
  if (typeof slots?.cron !== "string" || slots.cron.length > limits.cronCharactersMax) return false;
  return (slots.missed === "latest" || slots.missed === "none") && cronProblem(slots.cron) === null;
}

/** True when the moment is the beginning of a minute that the order names. */
export function isSlotOf(order: StandingOrder, slotMs: unknown): slotMs is number {
  if (typeof slotMs !== "number" || !Number.isSafeInteger(slotMs) || slotMs <= 0) return false;
  return order.slots.some(({ cron }) => slotAfter(cron, slotMs - 1) === slotMs);
}

/** The run of a slot, from the CID of the order's manifest. */
export function runOfSlot(manifestCid: string, slotMs: number): string {
  return bytesCid(encodeValue([manifestCid, slotMs])).slice(-12);
}
