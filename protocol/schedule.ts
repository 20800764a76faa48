/**
 * Schedules: five fields of cron (minute, hour, day of the month, month, day of the week), always in UTC, so that no
 * slot is there twice or not at all when somewhere the clocks are changed.
 *
 * A field is `*`, a number, a range `1-5`, a list `1,15`, or any of them with a step `*\/10`. Day 7 is Sunday, as 0 is.
 * When both days are restricted, either will do, as cron has it. A slot is the minute in which it begins.
 *
 * @source crontab(5), POSIX.1-2017 crontab.
 */

import { dateOf, weekdayOf } from "./moments.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
/** Every pattern that can come true does so within this: the 29th of February skips at most eight years. */
const searchMs = 9 * 366 * dayMs;

const fields = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day", min: 1, max: 31 },
  { name: "month", min: 1, max: 12 },
  { name: "weekday", min: 0, max: 7 },
] as const;

type Schedule = {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** True when both kinds of day are restricted. */
  readonly eitherDay: boolean;
};

/** Why a text is no schedule, as the end of a sentence; null when it is one. */
export function cronProblem(cron: string): string | null {
  const parsed = parse(cron);
  if (typeof parsed === "string") return parsed;
  return slotAfter(cron, 0) === null ? "that day never comes" : null;
}

/** The first slot after a moment, in milliseconds since 1970; null when there is none, or `cron` is no schedule. */
export function slotAfter(cron: string, afterMs: number): number | null {
  const schedule = parse(cron);
  if (typeof schedule === "string") return null;
  const first = (Math.floor(afterMs / minuteMs) + 1) * minuteMs;
  let atMs = first;
  while (atMs < first + searchMs) {
    const inDayMs = atMs % dayMs;
    if (!isDay(schedule, Math.floor(atMs / dayMs))) atMs += dayMs - inDayMs;
    else if (!schedule.hours.has(Math.floor(inDayMs / hourMs))) atMs += hourMs - (atMs % hourMs);
    else if (!schedule.minutes.has(Math.floor((atMs % hourMs) / minuteMs))) atMs += minuteMs;
    else return atMs;
  }
  return null;
}

/** The newest slot at or before a moment; null when there is none since 1970, or `cron` is no schedule. */
export function slotUntil(cron: string, untilMs: number): number | null {
  const schedule = parse(cron);
  if (typeof schedule === "string") return null;
  const last = Math.floor(untilMs / minuteMs) * minuteMs;
  let atMs = last;
  while (atMs >= 0 && atMs > last - searchMs) {
    const inDayMs = atMs % dayMs;
    if (!isDay(schedule, Math.floor(atMs / dayMs))) atMs -= inDayMs + minuteMs;
    else if (!schedule.hours.has(Math.floor(inDayMs / hourMs))) atMs -= (atMs % hourMs) + minuteMs;
    else if (!schedule.minutes.has(Math.floor((atMs % hourMs) / minuteMs))) atMs -= minuteMs;
    else return atMs;
  }
  return null;
}

/** @param day days since 1970-01-01. */
function isDay(schedule: Schedule, day: number): boolean {
  const { month, dayOfMonth } = dateOf(day);
  if (!schedule.months.has(month)) return false;
  const inMonth = schedule.days.has(dayOfMonth);
  const inWeek = schedule.weekdays.has(weekdayOf(day));
  return schedule.eitherDay ? inMonth || inWeek : inMonth && inWeek;
}

function parse(cron: string): Schedule | string {
  const written = cron.trim().split(/\s+/);
  if (written.length !== fields.length) return "a schedule has five fields";
  const sets: ReadonlySet<number>[] = [];
  for (const [index, field] of fields.entries()) {
    const values = valuesOf(written[index] ?? "", field);
    if (typeof values === "string") return values;
    sets.push(values);
  }
  const [minutes, hours, days, months, weekdays] = sets;
  if (!minutes || !hours || !days || !months || !weekdays) return "a schedule has five fields";
  const week = new Set([...weekdays].map((day) => day % 7));
  const eitherDay = !written[2]?.startsWith("*") && !written[4]?.startsWith("*");
  return { minutes, hours, days, months, weekdays: week, eitherDay };
}

function valuesOf(
  text: string,
  { name, min, max }: { readonly name: string; readonly min: number; readonly max: number },
): ReadonlySet<number> | string {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (match === null) return `${JSON.stringify(part)} is no ${name}`;
    const [, low, high, step] = match;
    const from = low === undefined ? min : Number(low);
    const to = high !== undefined ? Number(high) : low === undefined || step !== undefined ? max : from;
    const by = step === undefined ? 1 : Number(step);
    if (from < min || to > max || from > to || by === 0) return `${JSON.stringify(part)} is no ${name}`;
    for (let value = from; value <= to; value += by) values.add(value);
  }
  return values;
}
