/** The register of a schedule: a slot is settled once, whatever is asked and whatever the clocks say. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import type { Evaluation } from "../../protocol/registers/registers.ts";
import {
  dueSlots,
  evaluateSchedule,
  nextSlot,
  type RegisteredOrder,
  type ScheduleCommand,
  type ScheduleValue,
  type SettledSlots,
} from "../../protocol/registers/schedule.ts";
import { slotAfter, slotUntil } from "../../protocol/schedule.ts";

const minute = limits.minuteMs;
const startMs = Date.parse("2026-11-23T03:00:00Z");

function order(id: string, ...slots: RegisteredOrder["slots"]): RegisteredOrder {
  const everyMinute = { cron: "* * * * *", missed: "latest" } as const;
  return { id, digest: "d", submitter: "ada", slots: slots.length === 0 ? [everyMinute] : slots };
}

const set = (id: string, revision: number, nowMs: number): ScheduleCommand => ({
  kind: "set-schedule",
  order: order(id),
  revision,
  nowMs,
});

function fire(slotMs: number, throughMs = slotMs, id = "one"): ScheduleCommand {
  const slots: SettledSlots = {
    throughMs,
    fired: { slotMs, run: `run${slotMs}`, validUntilMs: slotMs + 1 },
    missed: null,
    refused: null,
  };
  return { kind: "fire", order: id, slots };
}

function after(...commands: readonly ScheduleCommand[]): ScheduleValue {
  let value: ScheduleValue | null = null;
  for (const command of commands) {
    const next: Evaluation = evaluateSchedule(value, command);
    if (next.kind === "refused") throw new Error(`${command.kind}: ${next.reason}`);
    if (next.value.kind !== "schedule") throw new Error("not a schedule");
    value = next.value;
  }
  if (value === null) throw new Error("nothing was set");
  return value;
}

const refused = (reason: string) => ({ kind: "refused", reason });

describe("a slot", () => {
  it("is fired once: asked again, or for an earlier one, the register refuses", () => {
    const value = after(set("one", 1, startMs), fire(startMs + minute));
    expect(value).toMatchObject({ settledMs: startMs + minute, fired: { slotMs: startMs + minute } });
    for (const slotMs of [startMs + minute, startMs, startMs - minute])
      expect(evaluateSchedule(value, fire(slotMs))).toEqual(refused("stale"));
    expect(evaluateSchedule(value, fire(startMs + minute, startMs + 2 * minute))).toEqual(refused("stale"));
  });

  it("is never one of before the order was set, nor one after what is settled by it", () => {
    const value = after(set("one", 1, startMs));
    expect(evaluateSchedule(value, fire(startMs))).toEqual(refused("stale"));
    expect(evaluateSchedule(value, fire(startMs + 2 * minute, startMs + minute))).toEqual(refused("stale"));
  });

  it("is fired for the order that is set, and for no other", () => {
    expect(evaluateSchedule(null, fire(startMs))).toEqual(refused("absent"));
    const value = after(set("one", 1, startMs));
    expect(evaluateSchedule(value, fire(startMs + minute, startMs + minute, "other"))).toEqual(
      refused("absent"),
    );
    const removed = after(set("one", 1, startMs), { kind: "remove-schedule", by: "ada" });
    expect(evaluateSchedule(removed, fire(startMs + minute))).toEqual(refused("absent"));
  });
});

describe("an order", () => {
  it("that is given again takes the place of the one before, and none of its slots comes twice", () => {
    const value = after(set("one", 1, startMs), fire(startMs + minute), set("two", 2, startMs + 30_000));
    expect(value).toMatchObject({ order: { id: "two" }, sinceMs: startMs + minute, newest: null });
    expect(nextSlot(value)).toBe(startMs + 2 * minute);
  });

  it("that was overtaken or removed is not set again by who has not heard", () => {
    const two = after(set("one", 1, startMs), set("two", 2, startMs));
    expect(evaluateSchedule(two, set("one", 1, startMs))).toEqual(refused("stale"));
    expect(evaluateSchedule(two, set("two", 2, startMs))).toEqual(refused("duplicate"));
    const removed = after(set("one", 1, startMs), { kind: "remove-schedule", by: "ada" });
    expect(evaluateSchedule(removed, set("one", 1, startMs))).toEqual(refused("stale"));
    expect(evaluateSchedule(removed, { kind: "remove-schedule", by: "ada" })).toEqual(refused("absent"));
  });

  it("that follows a removal begins when it is set: a clock that was far ahead is forgotten", () => {
    const far = startMs + 1_000_000 * minute;
    const value = after(
      set("one", 1, startMs),
      fire(far),
      { kind: "remove-schedule", by: "ada" },
      set("two", 2, startMs),
    );
    expect(nextSlot(value)).toBe(startMs + minute);
  });
});

describe("what is due", () => {
  const due = (nowMs: number, ...slots: RegisteredOrder["slots"]) =>
    dueSlots({ order: order("one", ...slots), settledMs: startMs }, nowMs);
  const hourly = (missed: "latest" | "none") => ({ cron: "0 * * * *", missed }) as const;
  const hour = 60 * minute;

  it("is nothing before a slot has begun, and the slot until its minute is over", () => {
    expect(due(startMs)).toBeNull();
    expect(due(startMs + hour - 1, hourly("none"))).toBeNull();
    const fired = { slotMs: startMs + hour, throughMs: startMs + hour, missed: null };
    expect(due(startMs + hour, hourly("none"))).toEqual(fired);
    expect(due(startMs + hour + minute - 1, hourly("none"))).toEqual(fired);
  });

  it("is the newest of the slots that were missed, and none where none is made up for", () => {
    const missed = { count: 3, fromMs: startMs + hour, throughMs: startMs + 3 * hour };
    const nowMs = startMs + 3 * hour + minute;
    expect(due(nowMs, hourly("latest"))).toEqual({
      slotMs: startMs + 3 * hour,
      throughMs: startMs + 3 * hour,
      missed: { ...missed, madeUpByMs: startMs + 3 * hour },
    });
    expect(due(nowMs, hourly("none"))).toEqual({
      slotMs: null,
      throughMs: startMs + 3 * hour,
      missed: { ...missed, madeUpByMs: null },
    });
  });

  it("is the slot that begins now, which makes up for those that were missed before it", () => {
    expect(due(startMs + 3 * hour, hourly("latest"))).toEqual({
      slotMs: startMs + 3 * hour,
      throughMs: startMs + 3 * hour,
      missed: {
        count: 2,
        fromMs: startMs + hour,
        throughMs: startMs + 2 * hour,
        madeUpByMs: startMs + 3 * hour,
      },
    });
  });

  it("is one slot of several schedules: the newest of those that are made up for", () => {
    const often = { cron: "*/10 * * * *", missed: "none" } as const;
    expect(due(startMs + hour + 25 * minute, hourly("latest"), often)).toEqual({
      slotMs: startMs + hour,
      throughMs: startMs + hour + 20 * minute,
      missed: {
        count: 8,
        fromMs: startMs + 10 * minute,
        throughMs: startMs + hour + 20 * minute,
        madeUpByMs: startMs + hour,
      },
    });
  });

  it("is counted up to a bound after years without anybody, in no time", () => {
    const { missed, throughMs } = due(startMs + 10 * 366 * 24 * hour + 5 * minute) ?? {};
    expect(missed?.count).toBe(limits.missedSlotsCountedMax);
    expect(throughMs).toBe(startMs + 10 * 366 * 24 * hour + 5 * minute);
  });
});

describe("a schedule", () => {
  it("settles every slot once, at whatever moments homes look and however their clocks step", () => {
    const looks = fc.array(fc.integer({ min: -3 * minute, max: 7 * minute }), {
      minLength: 1,
      maxLength: 40,
    });
    const crons = fc.constantFrom("* * * * *", "*/3 * * * *", "1-59/2 * * * *");
    fc.assert(
      fc.property(
        looks,
        crons,
        fc.constantFrom("latest" as const, "none" as const),
        (steps, cron, missed) => {
          let value = after({
            ...set("one", 1, startMs),
            order: order("one", { cron, missed }),
          } as ScheduleCommand);
          const settled: number[] = [];
          let nowMs = startMs;
          for (const step of steps) {
            nowMs += step;
            const found = dueSlots(value, nowMs);
            if (found === null) continue;
            const { slotMs, throughMs } = found;
            const fired = slotMs === null ? null : { slotMs, run: `${slotMs}`, validUntilMs: slotMs + 1 };
            const slots: SettledSlots = { throughMs, fired, missed: found.missed, refused: null };
            const next = evaluateSchedule(value, { kind: "fire", order: "one", slots });
            if (next.kind === "refused" || next.value.kind !== "schedule")
              throw new Error("refused what is due");
            value = next.value;
            const gone =
              found.missed === null ? [] : between(cron, found.missed.fromMs - 1, found.missed.throughMs);
            expect(gone.length).toBe(found.missed?.count ?? 0);
            settled.push(...new Set([...gone, ...(slotMs === null ? [] : [slotMs])].sort((a, b) => a - b)));
          }
          expect(settled).toEqual(between(cron, startMs, value.settledMs));
        },
      ),
    );
  });
});

function between(cron: string, afterMs: number, untilMs: number): number[] {
  const slots: number[] = [];
  for (let atMs = slotAfter(cron, afterMs); atMs !== null && atMs <= untilMs; atMs = slotAfter(cron, atMs))
    slots.push(atMs);
  return slots;
}

describe("the newest slot until a moment", () => {
  it("is the one whose successor is later, and that no other lies behind", () => {
    const cron = fc.constantFrom(
      "* * * * *",
      "0 3 * * *",
      "30 9 * * 1-5",
      "0 0 29 2 *",
      "59 23 31 12 *",
      "0 0 1 * 0",
    );
    fc.assert(
      fc.property(
        cron,
        fc.integer({ min: startMs, max: startMs + 9 * 366 * 24 * 60 * minute }),
        (text, atMs) => {
          const slot = slotUntil(text, atMs);
          if (slot === null) throw new Error("there is one");
          expect(slot).toBeLessThanOrEqual(atMs);
          expect(slotAfter(text, slot - 1)).toBe(slot);
          expect(slotAfter(text, slot)).toBeGreaterThan(atMs);
        },
      ),
    );
  });

  it("is nothing before the first, and for what is no schedule", () => {
    expect(slotUntil("0 3 * * *", 0)).toBeNull();
    expect(slotUntil("never", startMs)).toBeNull();
  });
});
