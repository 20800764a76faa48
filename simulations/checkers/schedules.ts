/**
 * Each slot of a standing order is settled exactly once: fired as one run that came to its end, refused, or said to be
 * missed. It is missed only when nobody could fire it in its minute, and never once all is healed.
 */

import type { LoggedEvent } from "../../protocol/events.ts";
import { orderOf, type Submission } from "../../protocol/manifest.ts";
import { slotAfter } from "../../protocol/schedule.ts";
import type { StandingOrder } from "../../protocol/standing-order.ts";
import { type Checker, type Ending, Violation } from "../observation.ts";
import { startWallMs } from "../workload.ts";

const minuteMs = 60_000;
/** What clocks may be off, and how long a home may take to be there and to know the order. */
const toleranceMs = 20_000;

export function schedulesChecker(): Checker {
  let healedMs = Infinity;
  return {
    name: "schedules",
    looksAt: ["fault"],
    observe: (observation) => {
      if (observation.kind === "fault" && observation.text.startsWith("healed"))
        healedMs = startWallMs + observation.atUs / 1_000;
    },
    finish: (ending) => {
      if (!ending.finished) return;
      for (const { events } of ending.controls) {
        firedOnce(events, ending);
        for (const order of ending.orders) checkOrder(order, events, healedMs);
      }
    },
  };
}

/** No slot of a pipeline has two runs, whichever order they are of; and nothing else made runs of it. */
function firedOnce(events: readonly LoggedEvent[], { orders }: Ending): void {
  const runs = new Map<string, string>();
  const pipelines = new Set(orders.map(({ manifest }) => manifest.plan.pipeline));
  for (const event of events) {
    if (event.kind !== "slot-fired") continue;
    const slot = `${event.pipeline} ${event.slotMs}`;
    const before = runs.get(slot) ?? event.started;
    if (before !== event.started)
      throw new Violation("schedules", `${slot} was fired as ${before} and as ${event.started}`);
    runs.set(slot, before);
  }
  const fired = new Set(runs.values());
  const ended = new Set(events.flatMap((event) => (event.kind === "run-closed" ? [event.run] : [])));
  for (const event of events)
    if (event.kind === "run-admitted" && pipelines.has(event.pipeline) && !fired.has(event.run))
      throw new Violation(
        "schedules",
        `${event.run} of ${event.pipeline} was admitted, no slot was fired for it`,
      );
  for (const [slot, run] of runs)
    if (!ended.has(run)) throw new Violation("schedules", `${slot} was fired as ${run}, which did not end`);
}

function checkOrder(submission: Submission, events: readonly LoggedEvent[], healedMs: number): void {
  const { run: id } = submission;
  const order = orderOf(submission);
  const own = events.filter(({ run }) => run === id);
  const since = own.find((event) => event.kind === "schedule-set");
  if (order === null) return;
  if (since?.kind !== "schedule-set") {
    if (own.length > 0) throw new Violation("schedules", `${id} was never set, and ${own[0]?.kind ?? ""}`);
    return;
  }
  const settled = new Map<number, string>();
  for (const event of own) {
    if (event.kind === "slot-fired" || event.kind === "slot-refused") settled.set(event.slotMs, event.kind);
    if (event.kind !== "slots-missed") continue;
    const slots = slotsOf(order, event.fromMs - 1, event.throughMs);
    if (slots.length !== event.count)
      throw new Violation(
        "schedules",
        `${id}: ${event.count} slots are said to be missed, ${slots.length} are`,
      );
    for (const slotMs of slots) {
      if (slotMs >= healedMs + toleranceMs)
        throw new Violation("schedules", `${id}: the slot ${slotMs} was missed when all was healed`);
      if (event.timeMs < slotMs + minuteMs)
        throw new Violation("schedules", `${id}: the slot ${slotMs} was missed before its minute was over`);
      if (!settled.has(slotMs)) settled.set(slotMs, event.kind);
    }
  }
  // Whoever sets the next order settles first what the one before has begun.
  const next = events.filter(
    (event) =>
      event.kind === "schedule-set" && event.pipeline === since.pipeline && event.revision > since.revision,
  );
  const removed = own.some(({ kind }) => kind === "schedule-removed");
  const endMs = Math.min(...next.map((event) => (event.kind === "schedule-set" ? event.sinceMs : Infinity)));
  const lastMs = Math.max(...settled.keys(), removed || endMs === Infinity ? 0 : endMs);
  const expected = slotsOf(order, since.sinceMs, lastMs);
  const left = expected.find((slotMs) => !settled.has(slotMs));
  if (left !== undefined) throw new Violation("schedules", `${id}: nothing became of the slot ${left}`);
  const odd = [...settled.keys()].find((slotMs) => !expected.includes(slotMs));
  if (odd !== undefined) throw new Violation("schedules", `${id}: ${odd} is no slot of it`);
}

function slotsOf({ slots }: StandingOrder, afterMs: number, throughMs: number): number[] {
  const all = new Set<number>();
  for (const { cron } of slots)
    for (
      let atMs = slotAfter(cron, afterMs);
      atMs !== null && atMs <= throughMs;
      atMs = slotAfter(cron, atMs)
    )
      all.add(atMs);
  return [...all];
}
