/** Schedules as a table, and what became of slots that nobody was there for, in words. */

import type { ScheduleSeen } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { nextSlot } from "../../protocol/registers/schedule.ts";
import { countWords, momentWords, shortId } from "../words.ts";
import { paint } from "./line.ts";
import { tableLines } from "./table.ts";

type Options = {
  readonly nowMs: number;
  readonly color: boolean;
  /** Of the terminal; null in a pipe, where nothing is cut. */
  readonly columns: number | null;
};

export function schedulesTable(schedules: readonly ScheduleSeen[], options: Options): readonly string[] {
  if (schedules.length === 0) return ["No schedules. Register one with `otto schedule add`."];
  const rows = schedules.map(({ pipeline, order, settledMs, fired }) => {
    const nextMs = nextSlot({ order, settledMs: Math.max(settledMs, options.nowMs) });
    return [
      { text: pipeline },
      { text: (order?.slots ?? []).map(({ cron }) => cron).join("; ") },
      { text: nextMs === null ? "" : momentWords(nextMs) },
      { text: fired === null ? "" : momentWords(fired.slotMs) },
      { text: fired?.run ?? "" },
      { text: order === null ? "" : shortId(order.submitter) },
    ];
  });
  const titles = ["PIPELINE", "SCHEDULE (UTC)", "NEXT", "LAST", "RUN", "BY"];
  const lines = tableLines(
    titles.map((title) => ({ title })),
    rows,
  );
  return lines.map((line) => paint(line, { width: options.columns, color: options.color }));
}

/** One line for each schedule that missed slots, whose newest slot was refused, or that the domain itself ended. */
export function missedLines(
  schedules: readonly ScheduleSeen[],
  { color }: Pick<Options, "color">,
): readonly string[] {
  const lines = schedules.flatMap(({ pipeline, order, missed, newest, removed }) => {
    if (order === null)
      return removed?.because === undefined ? [] : [`${pipeline} was ended: ${removed.because}`];
    const told: string[] = [];
    if (missed !== null) told.push(`${pipeline} missed ${missedWords(missed)}`);
    const refused = newest?.refused ?? null;
    if (refused !== null)
      told.push(`${pipeline} was not started at ${momentWords(refused.slotMs)}: ${refused.because}`);
    return told;
  });
  return lines.map((text) => paint([{ text, style: "yellow" }], { width: null, color }));
}

function missedWords({ count, fromMs, throughMs, madeUpByMs }: NonNullable<ScheduleSeen["missed"]>): string {
  const many =
    count >= limits.missedSlotsCountedMax
      ? `${countWords(count, "slot")} or more`
      : countWords(count, "slot");
  const when =
    fromMs === throughMs ? momentWords(fromMs) : `${momentWords(fromMs)} to ${momentWords(throughMs)}`;
  const done =
    madeUpByMs === null ? "none was made up for" : `the run of ${momentWords(madeUpByMs)} made up for it`;
  return `${many} (${when}), when no control peer was there to start it; ${done}`;
}
