/** Times at which a gate may open, in UTC: windows of a week such as `mon-fri 08:00-16:00`, and freezes between two moments. */

import { momentText, weekdayOf } from "../../protocol/moments.ts";

const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
const weekMinutes = 7 * 24 * 60;

/** True when one of the windows is open. A window that ends before it begins goes on into the next day. */
export function isOpenAt(windows: readonly string[], nowMs: number): boolean {
  const day = weekdayOf(Math.floor(nowMs / dayMs));
  const minute = Math.floor(nowMs / minuteMs) % (24 * 60);
  return windows.some((written) => {
    const { days, from, until } = windowOf(written);
    if (from < until) return days.has(day) && minute >= from && minute < until;
    return (days.has(day) && minute >= from) || (days.has((day + 6) % 7) && minute < until);
  });
}

/** When one of the windows opens next, in UTC; it is closed now. */
export function nextOpening(windows: readonly string[], nowMs: number): string {
  const startMs = Math.floor(nowMs / minuteMs) * minuteMs;
  for (let minute = 1; minute <= weekMinutes; minute += 1)
    if (isOpenAt(windows, startMs + minute * minuteMs)) return momentText(startMs + minute * minuteMs);
  return "never";
}

function windowOf(written: string): { days: ReadonlySet<number>; from: number; until: number } {
  const [named = "", times = ""] = written.split(" ");
  const [first = "", last = first] = named.split("-");
  const days = new Set<number>();
  for (let day = names.indexOf(first); ; day = (day + 1) % 7) {
    days.add(day);
    if (day === names.indexOf(last) || days.size === 7) break;
  }
  const [from = 0, until = 0] = times.split("-").map((time) => {
    const [hours = 0, minutes = 0] = time.split(":").map(Number);
    return hours * 60 + minutes;
  });
  return { days, from, until };
}

type Freeze = { readonly from: string; readonly until: string; readonly because: string };

/** The freeze that a moment lies in: of several the one that lasts longest. */
export function freezeAt(freezes: readonly Freeze[], nowMs: number): Freeze | null {
  const now = momentText(nowMs);
  const frozen = freezes.filter(({ from, until }) => from <= now && now < until);
  return frozen.toSorted((one, other) => (one.until < other.until ? 1 : -1))[0] ?? null;
}
