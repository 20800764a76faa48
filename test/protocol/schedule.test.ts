import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cronProblem, slotAfter } from "../../protocol/schedule.ts";

const at = (text: string): number => Date.parse(text);
const after = (cron: string, text: string): string | null => {
  const slot = slotAfter(cron, at(text));
  return slot === null ? null : new Date(slot).toISOString();
};

describe("the slot after a moment", () => {
  it.each([
    ["0 3 * * *", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00.000Z"],
    ["0 3 * * *", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00.000Z"],
    ["*/15 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:15:00.000Z"],
    ["30 9 * * 1-5", "2026-11-20T10:00:00Z", "2026-11-23T09:30:00.000Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000Z"],
    ["0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00.000Z"],
    ["0 0 1 * 0", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00.000Z"],
    ["0 0 1 * 7", "2026-11-29T00:00:00Z", "2026-12-01T00:00:00.000Z"],
    ["59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00.000Z"],
  ])("of %s after %s is %s", (cron, from, slot) => {
    expect(after(cron, from)).toBe(slot);
  });

  it("is a minute whose fields the schedule names, as another calendar has it", () => {
    const day = fc.integer({ min: 1, max: 28 });
    const minute = fc.integer({ min: 0, max: 59 });
    const hour = fc.integer({ min: 0, max: 23 });
    const from = fc.integer({ min: 0, max: at("2200-01-01T00:00:00Z") });
    fc.assert(
      fc.property(minute, hour, day, from, (m, h, d, fromMs) => {
        const date = new Date(slotAfter(`${m} ${h} ${d} * *`, fromMs) ?? Number.NaN);
        expect([date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate()]).toEqual([m, h, d]);
        expect(date.getTime()).toBeGreaterThan(fromMs);
        expect(date.getTime() - fromMs).toBeLessThanOrEqual(31 * 86_400_000);
      }),
    );
  });
});

it.each([
  "",
  "* * * *",
  "60 * * * *",
  "* 24 * * *",
  "* * 0 * *",
  "* * * 13 *",
  "* * * * 8",
  "5-1 * * * *",
  "*/0 * * * *",
  "a * * * *",
  "0 0 31 4 *",
])("%j is no schedule", (cron) => {
  expect(cronProblem(cron)).not.toBeNull();
});
