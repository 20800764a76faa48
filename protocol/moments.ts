/** Dates and times in UTC, without a clock's help: pure code may say when something is. */

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/**
 * The date of a day since 1970.
 *
 * @source H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
 */
export function dateOf(day: number): {
  readonly year: number;
  readonly month: number;
  readonly dayOfMonth: number;
} {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const centuries =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - centuries) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth };
}

/** The day of the week of a day since 1970, which began with a Thursday; 0 is Sunday. */
export function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** A minute as `2026-11-28T05:10Z`. Of two such texts the smaller by code unit is the earlier. */
export function momentText(ms: number): string {
  const { year, month, dayOfMonth } = dateOf(Math.floor(ms / dayMs));
  const minute = Math.floor(ms / minuteMs) % (24 * 60);
  const two = (count: number): string => String(count).padStart(2, "0");
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(dayOfMonth)}T${two(Math.floor(minute / 60))}:${two(minute % 60)}Z`;
}

/** What `momentText` makes, and nothing else. */
export const momentPattern = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\dZ$/u;
