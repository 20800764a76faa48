/**
 * What a control peer can show: plans, events and output of runs, as they are and as they happen.
 *
 * Events come from the core once they are stored; a view is a fold of them (`node/view/`). Output of running
 * attempts is kept in memory up to a bound; the whole log of an attempt that ended is a blob. What was heard of an
 * attempt whose worker was lost is kept as one, too.
 */

import type { FoundPlan, RunSummary, WatchItem } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import { type AttemptEnded, type Event, isOfRun } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { openEntry } from "../../protocol/log.ts";
import { compareText, decodeValue, encodeValue } from "../../protocol/values.ts";
import { planOfBundle } from "../../protocol/manifest.ts";
import { controlKeys } from "../core/control.ts";
import { entriesOfRun } from "../core/history.ts";
import type { Keys, Storage } from "../ports.ts";
import { applyItem, newRunView, type RunView } from "../view/run.ts";
import { summarizeRun } from "../view/summary.ts";
import type { Blobs } from "./blobs.ts";
import { ItemQueue } from "./item-queue.ts";

const summaryPrefix = "summary/";
const heardPrefix = "heard/";

type Heard = { offset: number; chunks: Uint8Array[]; bytes: number };

type PlanItem = Extract<WatchItem, { kind: "plan" }>;

type RunRecord = {
  readonly run: string;
  planItem: PlanItem | null;
  readonly events: Event[];
  /** What the first `folded` of the events make of the run; the rest is folded in when somebody asks. */
  readonly view: RunView;
  folded: number;
  readonly heard: Map<string, Heard>;
  readonly watchers: Set<(item: WatchItem) => void>;
};

export type ViewOptions = {
  readonly domain: string;
  readonly keys: Keys;
  readonly storage: Storage;
  readonly blobs: Blobs;
  /** Brings blobs from other peers; throws when nobody has them. */
  readonly fetch: (digests: string[]) => Promise<void>;
};

export class Views {
  readonly #options: ViewOptions;
  readonly #records = new Map<string, RunRecord>();
  readonly #loading = new Map<string, Promise<RunRecord>>();
  readonly #summaries = new Map<string, RunSummary>();
  readonly #awaited = new Map<string, Set<() => void>>();

  constructor(options: ViewOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    for (const [key, bytes] of await this.#options.storage.list(summaryPrefix))
      this.#summaries.set(key.slice(summaryPrefix.length), decodeValue(bytes) as RunSummary);
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
      if (known !== undefined) this.#tell(known, own);
      else
        this.#load(run).then(
          // What was read from disk may hold these already.
          (loaded) => this.#tell(loaded, missingIn(loaded.events, own)),
          (cause: unknown) => this.#failed(run, cause),
        );
    }
  }

  /** Output of a running attempt, as its worker sent it. */
  output(item: Extract<WatchItem, { kind: "output" }>): void {
    const record = this.#records.get(item.run);
    if (record === undefined) {
      // The run is being read from disk: its first output waits for that.
      this.#loading.get(item.run)?.then(
        () => this.output(item),
        () => undefined,
      );
      return;
    }
    const key = attemptKey(item.step, item.attempt);
    const heard = record.heard.get(key) ?? { offset: item.offset, chunks: [], bytes: 0 };
    record.heard.set(key, heard);
    const end = heard.offset + heard.bytes;
    // Sent again after a take-over: only what is new is taken.
    const fresh = item.offset < end ? item.bytes.subarray(end - item.offset) : item.bytes;
    if (fresh.length === 0) return;
    if (item.offset > end) {
      heard.offset = item.offset;
      heard.chunks = [];
      heard.bytes = 0;
    }
    heard.chunks.push(fresh);
    heard.bytes += fresh.length;
    while (heard.bytes > limits.liveOutputBytesMax && heard.chunks.length > 1) {
      const dropped = heard.chunks.shift()?.length ?? 0;
      heard.offset += dropped;
      heard.bytes -= dropped;
    }
    const offset = Math.max(item.offset, end);
    for (const watcher of record.watchers) watcher({ ...item, offset, bytes: fresh });
  }

  /** The newest runs first. */
  async newest(countMax: number): Promise<RunSummary[]> {
    const all = new Map(this.#summaries);
    for (const [run, record] of this.#records)
      if (record.planItem !== null || viewOf(record).planId !== null)
        all.set(run, summarizeRun(viewOf(record)));
    for (const key of await this.#keysUnder(controlKeys.bundles))
      if (!all.has(key)) all.set(key, summarizeRun(viewOf(await this.#load(key))));
    return [...all.values()]
      .toSorted(
        (left, right) =>
          (right.startedMs ?? Infinity) - (left.startedMs ?? Infinity) || compareText(left.run, right.run),
      )
      .slice(0, countMax);
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
   * Yields the plan, what happened and what happens until the run is closed. Waits a little for a run that is
   * not known yet: its announcement may be on its way.
   */
  async *watch(
    { run, output, follow }: { readonly run: string; readonly output: boolean; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<WatchItem, void, void> {
    const record = await this.#find(run, signal);
    const queue = new ItemQueue(signal);
    if (record.planItem !== null) yield record.planItem;
    const history = [...record.events];
    const heard = [...record.heard];
    const watcher = (item: WatchItem): void => {
      if (item.kind !== "output" || output) queue.push(item);
    };
    record.watchers.add(watcher);
    try {
      for (const event of history) {
        if (output && event.kind === "attempt-ended") yield* this.#logOf(run, event);
        yield { kind: "event", event };
        if (event.kind === "run-closed") return;
      }
      if (output)
        for (const [key, { offset, chunks }] of heard) {
          const { step, attempt } = parseAttemptKey(key);
          if (isOver(history, step, attempt)) continue;
          yield { kind: "output", run, step, attempt, offset, bytes: Buffer.concat(chunks) };
        }
      if (!follow) return;
      for await (const item of queue) {
        yield item;
        if (item.kind === "event" && item.event.kind === "run-closed") return;
      }
    } finally {
      record.watchers.delete(watcher);
      this.#forgetSome();
    }
  }

  async #find(run: string, signal: AbortSignal): Promise<RunRecord> {
    for (let waited = false; ; waited = true) {
      const record = await this.#load(run);
      record.planItem ??= await this.#readPlan(run);
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
    for (const event of events) {
      record.events.push(event);
      if (event.kind === "attempt-ended") this.#keepHeard(record, event);
      for (const watcher of record.watchers) watcher({ kind: "event", event });
      if (event.kind === "run-closed") this.#closed(record);
    }
    this.appeared(record.run);
  }

  #closed(record: RunRecord): void {
    const summary = summarizeRun(viewOf(record));
    this.#summaries.set(record.run, summary);
    this.#write(summaryPrefix + record.run, encodeValue(summary));
    this.#forgetSome();
  }

  /** A lost attempt has no log of its own: what was heard of it is kept. */
  #keepHeard(record: RunRecord, event: AttemptEnded): void {
    const key = attemptKey(event.step, event.attempt);
    const heard = record.heard.get(key);
    record.heard.delete(key);
    if (heard === undefined || event.report !== null) return;
    const value = encodeValue({ offset: heard.offset, bytes: Buffer.concat(heard.chunks) });
    this.#write(`${heardPrefix}${record.run}/${key}`, value);
  }

  async *#logOf(run: string, event: AttemptEnded): AsyncGenerator<WatchItem, void, void> {
    const { step, attempt, report } = event;
    const from = { kind: "output", run, step, attempt } as const;
    if (report === null) {
      const stored = await this.#options.storage.get(`${heardPrefix}${run}/${attemptKey(step, attempt)}`);
      if (stored !== undefined)
        yield { ...from, ...(decodeValue(stored) as { offset: number; bytes: Uint8Array }) };
      return;
    }
    const { digest } = report.log;
    if (digest === null) {
      const bytes = Buffer.from(report.tail);
      if (bytes.length > 0) yield { ...from, offset: 0, bytes };
      return;
    }
    const { blobs, fetch } = this.#options;
    try {
      if (!blobs.has(digest)) await fetch([digest]);
      let offset = 0;
      for await (const bytes of blobs.read(digest, 0)) {
        yield { ...from, offset, bytes };
        offset += bytes.length;
      }
    } catch (error) {
      const bytes = Buffer.from(report.tail);
      const why = error instanceof Error ? error.message : String(error);
      yield { kind: "notice", text: `The whole log of ${step} is not here (${why}); its last lines follow.` };
      yield { ...from, offset: report.log.bytes - bytes.length, bytes };
    }
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
    const { storage, domain, keys } = this.#options;
    const planItem = await this.#readPlan(run);
    const view = newRunView(run);
    if (planItem !== null) applyItem(view, planItem);
    const events: Event[] = [];
    const { prefix, keyOf } = entriesOfRun(run);
    for (const [key] of await storage.list(prefix)) {
      const bytes = await storage.get(keyOf(key));
      const entry = bytes === undefined ? null : openEntry(bytes, domain, keys);
      if (entry?.ok === true) events.push(...entry.value.entry.events.filter(isOfRun));
    }
    // Entries of several authors are read one log after the other: by time they tell the story in order.
    events.sort((left, right) => left.timeMs - right.timeMs);
    const record = { run, planItem, events, view, folded: 0, heard: new Map(), watchers: new Set<never>() };
    const raced = this.#records.get(run);
    if (raced !== undefined) return raced;
    this.#records.set(run, record);
    return record;
  }

  async #readPlan(run: string): Promise<PlanItem | null> {
    const { storage } = this.#options;
    const open = await storage.get(controlKeys.bundles + run);
    const bundle = open ?? (await storage.get(controlKeys.archive + run));
    const opened = bundle === undefined ? null : planOfBundle(bundle);
    return opened === null ? null : { kind: "plan", run, ...opened };
  }

  async #keysUnder(prefix: string): Promise<string[]> {
    const entries = await this.#options.storage.list(prefix);
    return entries.map(([key]) => key.slice(prefix.length));
  }

  #forgetSome(): void {
    if (this.#records.size <= limits.runsInMemoryMax) return;
    for (const [run, record] of this.#records) {
      if (this.#records.size <= limits.runsInMemoryMax) return;
      if (record.watchers.size === 0 && viewOf(record).endedMs !== null) this.#records.delete(run);
    }
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

function viewOf(record: RunRecord): RunView {
  const { view, events } = record;
  for (; record.folded < events.length; record.folded += 1) {
    const event = events[record.folded];
    if (event !== undefined) applyItem(view, { kind: "event", event });
  }
  return view;
}

function attemptKey(step: string, attempt: number): string {
  return `${attempt}/${step}`;
}

function parseAttemptKey(key: string): { readonly step: string; readonly attempt: number } {
  const at = key.indexOf("/");
  return { attempt: Number(key.slice(0, at)), step: key.slice(at + 1) };
}

/** Those of the events that are not among the known. */
function missingIn(known: readonly Event[], events: readonly Event[]): Event[] {
  const times = new Set(events.map(({ timeMs }) => timeMs));
  const alike = known.filter(({ timeMs }) => times.has(timeMs));
  const texts = new Set(alike.map((event) => JSON.stringify(event)));
  return events.filter((event) => !texts.has(JSON.stringify(event)));
}

function isOver(events: readonly Event[], step: string, attempt: number): boolean {
  return events.some(
    (event) => event.kind === "attempt-ended" && event.step === step && event.attempt === attempt,
  );
}
