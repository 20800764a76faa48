/**
 * What a control peer can show: plans, events and output of runs, as they are and as they happen.
 *
 * Events come from the core once they are stored; a view is a fold of them (`node/view/`). Output of attempts that run, or
 * whose worker was lost, is what was brought here (`outputs.ts`); the log of an attempt that gave a report is in that or a
 * blob. All of one attempt have the same bytes at the same offset, so a watcher is told what lies behind the offset it
 * has reached, from whichever there is, at the pace at which it reads.
 */

import { setImmediate as nextTurn } from "node:timers/promises";
import type { FoundPlan, RunSummary, WatchItem } from "../../protocol/calls.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import type { RunOutcome } from "../../protocol/registers/registers.ts";
import { type AttemptEnded, type Event, isOfRun } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { openEntry } from "../../protocol/log.ts";
import { compareText, decodeValue, encodeValue } from "../../protocol/values.ts";
import { planOfBundle } from "../../protocol/manifest.ts";
import { controlKeys } from "../core/control.ts";
import { entriesOfRun } from "../core/history.ts";
import type { Storage } from "../ports.ts";
import type { RunView } from "../view/run.ts";
import type { OutputPiece } from "../core/output-sender.ts";
import { type AttemptName, attemptKey } from "./outputs.ts";
import {
  missingIn,
  newRecord,
  type PlanItem,
  type RunRecord,
  summaryOf,
  takePlan,
  viewOf,
  wake,
} from "./run-record.ts";
import { RunOutput, type RunOutputOptions } from "./run-output.ts";
import { Wakes } from "./wakes.ts";

/** Where the summaries of runs that are over are kept, from which they are listed. */
export const summaryPrefix = "summary/";
/** What is in this peer's own database was judged before it got there, or is its own: it is only decoded to be shown. */
const judgedBefore: Verifier = { verify: () => true };

export type Watching = {
  readonly run: string;
  /** Also what the steps write. */
  readonly output: boolean;
  /** False: what happened so far, and no more. */
  readonly follow: boolean;
  /** Where in each attempt's log to begin. */
  readonly from?: number | undefined;
  /** Where to begin in the logs of these attempts (`<number>/<step>`) instead. */
  readonly offsets?: Readonly<Record<string, number>> | undefined;
};

export type ViewOptions = {
  readonly domain: string;
  readonly storage: Storage;
  /** Runs that are not closed and whose plans are at hand, and such a plan: asked for whenever somebody lists the runs. */
  readonly openRuns: () => Iterable<string>;
  readonly openPlan: (run: string) => Omit<FoundPlan, "run"> | null;
} & RunOutputOptions;

export class Views {
  readonly #options: ViewOptions;
  readonly #outputs: RunOutput;
  readonly #records = new Map<string, RunRecord>();
  readonly #loading = new Map<string, Promise<RunRecord>>();
  /** Of the newest runs that are over, the oldest first. */
  readonly #summaries = new Map<string, RunSummary>();
  readonly #awaited = new Map<string, Set<() => void>>();

  constructor(options: ViewOptions) {
    this.#options = options;
    this.#outputs = new RunOutput(options);
  }

  async start(): Promise<void> {
    const kept = await this.#options.storage.list(summaryPrefix);
    const summaries = kept.map(([, bytes]) => decodeValue(bytes) as RunSummary);
    for (const summary of summaries.toSorted(byStart).slice(-limits.summariesInMemoryMax))
      this.#summaries.set(summary.run, summary);
  }

  /** Runs that somebody watches right now. */
  get watched(): number {
    let count = 0;
    for (const { watchers } of this.#records.values()) count += watchers.size > 0 ? 1 : 0;
    return count;
  }

  /** The core has stored these events: whoever watches is told. */
  record(events: readonly Event[]): void {
    const byRun = new Map<string, Event[]>();
    for (const event of events) {
      const own = byRun.get(event.run);
      if (own === undefined) byRun.set(event.run, [event]);
      else own.push(event);
    }
    for (const [run, own] of byRun) {
      const known = this.#records.get(run);
      if (known !== undefined) {
        this.#tell(known, own);
        this.#keepIfOver(known, own);
      } else
        this.#load(run).then(
          (loaded) => {
            // What was read from disk may hold these already.
            this.#tell(loaded, missingIn(loaded.events, own));
            for (const event of own) if (event.kind === "attempt-ended") this.#outputOver(loaded, event);
            this.#keepIfOver(loaded, own);
          },
          (cause: unknown) => this.#failed(run, cause),
        );
    }
  }

  /** Takes the next piece of a running attempt's output. Returns how much is kept of it, or null. */
  output(name: AttemptName, piece: OutputPiece): number | null {
    const end = this.#options.outputs.append(name, piece);
    const record = this.#records.get(name.run);
    if (record !== undefined && end !== null && end > 0) {
      record.running.add(attemptKey(name));
      wake(record);
    }
    return end;
  }

  /**
   * The newest runs first; no run that is over takes the place of one that is not. Nothing is read but what was not asked for
   * yet, nor folded but what has happened since.
   */
  async newest(countMax: number): Promise<RunSummary[]> {
    for (const run of this.#options.openRuns()) {
      const record = this.#records.get(run) ?? (await this.#load(run));
      if (record.planItem === null) takePlan(record, this.#openPlan(run));
    }
    await this.#foldAll();
    const all = new Map(this.#summaries);
    for (const [run, record] of this.#records)
      if (record.planItem !== null && !this.#isGone(record)) all.set(run, summaryOf(record));
    const newest = [...all.values()].toSorted((left, right) => byStart(right, left));
    const [open, over] = [newest.filter(isOpen), newest.filter((summary) => !isOpen(summary))];
    return [...open, ...over].slice(0, countMax).toSorted((left, right) => byStart(right, left));
  }

  /** Others go on in between: nobody may have asked for as long as it took all that is queued to be done. */
  async #foldAll(): Promise<void> {
    let left: number = limits.eventsFoldedAtOnceMax;
    for (const record of this.#records.values()) {
      left -= record.events.length - record.folded;
      summaryOf(record);
      if (left > 0) continue;
      left = limits.eventsFoldedAtOnceMax;
      await nextTurn();
    }
  }

  /** All that is told of a run here. */
  async eventsOf(run: string): Promise<readonly Event[]> {
    return (await this.#load(run)).events;
  }

  /** How a run ended; null: it has not, or is not known. */
  async endOf(run: string): Promise<RunOutcome | null> {
    return viewOf(await this.#load(run)).outcome;
  }

  async planOf(run: string): Promise<Omit<FoundPlan, "run"> | null> {
    const item = this.#records.get(run)?.planItem ?? (await this.#readPlan(run));
    return item === null ? null : { plan: item.plan, planId: item.planId };
  }

  async viewOf(run: string): Promise<RunView> {
    const record = await this.#load(run);
    this.#forgetSome();
    return viewOf(record);
  }

  /**
   * Yields the plan, what happened and what happens until the run is closed, an attempt's output before its end. Waits a
   * little for a run that is not known yet: its announcement may be on its way.
   */
  async *watch(
    { run, output, follow, from = 0, offsets = {} }: Watching,
    signal: AbortSignal,
  ): AsyncGenerator<WatchItem, void, void> {
    const record = await this.#find(run, signal);
    const reached = new Map(Object.entries(offsets));
    const woken = new Wakes(signal);
    record.watchers.add(woken.wake);
    try {
      if (record.planItem !== null) yield record.planItem;
      for (let told = 0; !signal.aborted;) {
        const event = record.events[told];
        if (event !== undefined) {
          if (output && event.kind === "attempt-ended")
            yield* this.#outputs.restOf(run, event, reached, from);
          yield { kind: "event", event };
          if (event.kind === "run-closed") return;
          told += 1;
          continue;
        }
        let isBehind = false;
        if (output)
          for (const key of record.running) {
            const item = this.#outputs.next(run, key, reached.get(key) ?? from);
            if (item === null) continue;
            reached.set(key, item.offset + item.bytes.length);
            isBehind = true;
            yield item;
          }
        if (isBehind || told < record.events.length) continue;
        if (!follow) return;
        await woken.next();
      }
    } finally {
      record.watchers.delete(woken.wake);
      this.#forgetSome();
    }
  }

  async #find(run: string, signal: AbortSignal): Promise<RunRecord> {
    for (let waited = false; ; waited = true) {
      const record = await this.#load(run);
      if (record.planItem === null) takePlan(record, await this.#readPlan(run));
      if (record.planItem !== null || record.events.length > 0) return record;
      this.#records.delete(run);
      if (waited || signal.aborted)
        throw new OttoError("OTTO_NO_SUCH_RUN", {
          what: `There is no run ${run} here.`,
          next: "List the runs with `otto status`.",
        });
      await this.#appearance(run);
    }
  }

  /** Resolves when something is heard of the run, or after a while. */
  #appearance(run: string): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#awaited.get(run) ?? new Set();
      this.#awaited.set(run, waiting);
      const done = (): void => {
        clearTimeout(timer);
        waiting.delete(done);
        if (waiting.size === 0) this.#awaited.delete(run);
        resolve();
      };
      const timer = setTimeout(done, limits.unknownRunWaitMs);
      waiting.add(done);
    });
  }

  /** A bundle was stored: watchers that were too early are let in. */
  appeared(run: string): void {
    for (const resolve of this.#awaited.get(run) ?? []) resolve();
  }

  #tell(record: RunRecord, events: readonly Event[]): void {
    record.summary = null;
    for (const event of events) {
      record.events.push(event);
      if (event.kind === "attempt-ended") this.#outputOver(record, event);
    }
    wake(record);
    this.appeared(record.run);
  }

  /** @param events what was heard of it last: the end itself, or of another home's log, what was before it. */
  #keepIfOver(record: RunRecord, events: readonly Event[]): void {
    const isOver = this.#summaries.has(record.run) || events.some(({ kind }) => kind === "run-closed");
    if (!isOver) return;
    const summary = summaryOf(record);
    this.#summaries.set(record.run, summary);
    const [oldest] = this.#summaries.keys();
    if (this.#summaries.size > limits.summariesInMemoryMax && oldest !== undefined)
      this.#summaries.delete(oldest);
    this.#write(summaryPrefix + record.run, encodeValue(summary));
    this.#forgetSome();
  }

  #outputOver(record: RunRecord, event: AttemptEnded): void {
    record.running.delete(attemptKey(event));
    this.#outputs.over(event).catch((cause: unknown) => this.#failed(`the output of ${event.step}`, cause));
  }

  #load(run: string): Promise<RunRecord> {
    const known = this.#records.get(run);
    if (known !== undefined) return Promise.resolve(known);
    let loading = this.#loading.get(run);
    if (loading === undefined) {
      loading = this.#read(run).finally(() => this.#loading.delete(run));
      this.#loading.set(run, loading);
    }
    return loading;
  }

  async #read(run: string): Promise<RunRecord> {
    const { storage, domain } = this.#options;
    const planItem = await this.#readPlan(run);
    const events: Event[] = [];
    const { prefix, keyOf } = entriesOfRun(run);
    for (const [key] of await storage.list(prefix)) {
      const bytes = await storage.get(keyOf(key));
      const entry = bytes === undefined ? null : openEntry(bytes, domain, judgedBefore);
      if (entry?.ok === true) events.push(...entry.value.entry.events.filter(isOfRun));
    }
    // Entries of several authors are read one log after the other: by time they tell the story in order.
    events.sort((left, right) => left.timeMs - right.timeMs);
    const running = this.#runningIn(run, events);
    const raced = this.#records.get(run);
    if (raced !== undefined) return raced;
    const record = newRecord(run, events, running);
    takePlan(record, planItem);
    this.#records.set(run, record);
    return record;
  }

  /** Attempts that have begun and not ended, as far as something of their output is here. */
  #runningIn(run: string, events: readonly Event[]): Set<string> {
    const running = new Set<string>();
    for (const event of events)
      if (event.kind === "attempt-started") {
        const { step, attempt } = event;
        if (this.#options.outputs.size({ run, step, attempt }) > 0) running.add(attemptKey(event));
      }
    for (const event of events) if (event.kind === "attempt-ended") running.delete(attemptKey(event));
    return running;
  }

  #openPlan(run: string): PlanItem | null {
    const plan = this.#options.openPlan(run);
    return plan === null ? null : { kind: "plan", run, ...plan };
  }

  async #readPlan(run: string): Promise<PlanItem | null> {
    const atHand = this.#openPlan(run);
    if (atHand !== null) return atHand;
    const { storage } = this.#options;
    const open = await storage.get(controlKeys.bundles + run);
    const bundle = open ?? (await storage.get(controlKeys.archive + run));
    const opened = bundle === undefined ? null : planOfBundle(bundle);
    return opened === null ? null : { kind: "plan", run, ...opened };
  }

  #forgetSome(): void {
    if (this.#records.size <= limits.runsInMemoryMax) return;
    for (const [run, record] of this.#records) {
      if (this.#records.size <= limits.runsInMemoryMax) return;
      const isOver = viewOf(record).endedMs !== null || this.#isGone(record);
      if (record.watchers.size === 0 && isOver) this.#records.delete(run);
    }
  }

  /** True for a run whose plan was at hand and is no more, and of which nothing was told: it was never admitted. */
  #isGone({ run, planItem, events }: RunRecord): boolean {
    return planItem !== null && events.length === 0 && this.#options.openPlan(run) === null;
  }

  #write(key: string, value: Uint8Array): void {
    this.#options.storage
      .write([{ kind: "put", key, value }])
      .catch((cause: unknown) => this.#failed(key, cause));
  }

  /** What is shown may lag behind what is stored; it is read again when it is next asked for. */
  #failed(what: string, cause: unknown): void {
    process.stderr.write(
      `otto: showing ${what} failed: ${cause instanceof Error ? cause.message : String(cause)}\n`,
    );
  }
}

function isOpen({ endedMs }: RunSummary): boolean {
  return endedMs === null;
}

/** The earliest first; one that has not begun is the latest. */
function byStart(left: RunSummary, right: RunSummary): number {
  return (left.startedMs ?? Infinity) - (right.startedMs ?? Infinity) || compareText(right.run, left.run);
}
