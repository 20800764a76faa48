/**
 * Schedules that are kept because something was learnt from them: each with what must come of it, now and, where the
 * mistake that it showed can be planted again, with that mistake.
 */

import { failure, type Result, success } from "../protocol/errors.ts";
import { parseJson, parseSchedule } from "./read-schedule.ts";
import type { Schedule } from "./schedule.ts";

export type Kept = {
  readonly otto: "kept/1";
  /** One sentence. */
  readonly learnt: string;
  readonly schedule: Schedule;
  /** "passed", or the checker that must fail. */
  readonly expected: string;
  /** A mistake by its name in `plantings.ts`, and the checker that fails with it. */
  readonly planted: { readonly name: string; readonly expected: string } | null;
};

/** @returns what a file keeps: a schedule alone is one that must pass. */
export function readKept(json: string): Result<Kept, string> {
  const parsed = parseJson(json);
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  const kept = value as Partial<Kept> | null;
  if (kept?.otto !== "kept/1") {
    const schedule = parseSchedule(value);
    if (!schedule.ok) return schedule;
    return success({
      otto: "kept/1",
      learnt: "",
      schedule: schedule.value,
      expected: "passed",
      planted: null,
    });
  }
  const { learnt, expected, planted = null } = kept;
  if (typeof learnt !== "string" || learnt === "") return failure("learnt: one sentence is missing");
  if (typeof expected !== "string") return failure("expected: neither passed nor a checker");
  if (planted !== null && (typeof planted.name !== "string" || typeof planted.expected !== "string"))
    return failure("planted: not a mistake by its name, with the checker that fails");
  const schedule = parseSchedule(kept.schedule);
  if (!schedule.ok) return failure(`schedule.${schedule.problem}`);
  return success({ otto: "kept/1", learnt, schedule: schedule.value, expected, planted });
}

export function keptText(kept: Kept | Schedule): string {
  return `${JSON.stringify(kept, null, 1)}\n`;
}
