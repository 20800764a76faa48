/** One run as a control peer keeps it to be shown: its plan and events, and what they make of it so far. */

import type { RunSummary, WatchItem } from "../../protocol/calls.ts";
import type { Event } from "../../protocol/events.ts";
import { encodeValue, sha256Hex } from "../../protocol/values.ts";
import { applyItem, newRunView, type RunView } from "../view/run.ts";
import { summarizeRun } from "../view/summary.ts";

export type PlanItem = Extract<WatchItem, { kind: "plan" }>;

export type RunRecord = {
  readonly run: string;
  /** What is at hand in the core is not decoded here again. */
  planItem: PlanItem | null;
  readonly events: Event[];
  /** What the first `folded` of the events make of the run; the rest is folded in when somebody asks. */
  readonly view: RunView;
  folded: number;
  /** Of the view; null: more has happened since. */
  summary: RunSummary | null;
  /** Attempts that have output here and have not ended. */
  readonly running: Set<string>;
  /** Woken when something is new. */
  readonly watchers: Set<() => void>;
};

export function newRecord(run: string, events: Event[], running: Set<string>): RunRecord {
  const view = newRunView(run);
  return { run, planItem: null, events, view, folded: 0, summary: null, running, watchers: new Set() };
}

/** Of what came before it, too: a view takes its plan in the middle of the events. */
export function takePlan(record: RunRecord, item: PlanItem | null): void {
  if (record.planItem !== null || item === null) return;
  record.planItem = item;
  record.summary = null;
  applyItem(record.view, item);
}

export function summaryOf(record: RunRecord): RunSummary {
  record.summary ??= summarizeRun(viewOf(record));
  return record.summary;
}

export function viewOf(record: RunRecord): RunView {
  const { view, events } = record;
  for (; record.folded < events.length; record.folded += 1) {
    const event = events[record.folded];
    if (event !== undefined) applyItem(view, { kind: "event", event });
  }
  return view;
}

/** Those of the events that are not among the known. */
export function missingIn(known: readonly Event[], events: readonly Event[]): Event[] {
  const times = new Set(events.map(({ timeMs }) => timeMs));
  const alike = known.filter(({ timeMs }) => times.has(timeMs));
  const digests = new Set(alike.map(digestOf));
  return events.filter((event) => !digests.has(digestOf(event)));
}

export function wake({ watchers }: RunRecord): void {
  for (const watcher of watchers) watcher();
}

/** The same for what was noted here and what was read of it, whose fields are in another order. */
function digestOf(event: Event): string {
  return sha256Hex(encodeValue(event));
}
