/**
 * A peer's signed log of events. One log a peer and incarnation; entries are chained by hash, so nothing can be
 * taken out or put between; domain and run are bound into what is signed.
 *
 * A second chain leads through the entries of one run, so that these alone show that none of them is missing. It
 * ends with the run: what is said of it later (`isAfterword`) begins a chain of its own.
 *
 * The end of an attempt is written with its worker's signed result in place of the report, which is in it.
 */

import { failure, type Result, success } from "./errors.ts";
import {
  openEnvelope,
  payloadIn,
  recalled,
  type RefusedBecause,
  sealEnvelope,
  type Signer,
  type Verifier,
} from "./envelope.ts";
import type { AttemptEnded, AttemptStarted, LoggedEvent } from "./events.ts";
import { limits } from "./limits.ts";
import { parseSignedResult } from "./report-check.ts";
import type { StepReport } from "./report.ts";
import { decodeUntrusted, encodeValue, sha256Hex } from "./values.ts";

export type LogEntry = {
  readonly otto: "log-entry/1";
  readonly log: string;
  /** The start of the author's process that the log belongs to: with the author it makes the log's id. */
  readonly incarnation: string;
  /** 1, 2, 3, ... */
  readonly seq: number;
  /** sha256 of the entry before, empty for the first. */
  readonly prev: string;
  /** sha256 of the author's entry before that speaks of the same run, empty for the first. */
  readonly before: string;
  readonly run: string;
  readonly events: readonly LoggedEvent[];
};

/** An event as its author notes it; `result`: the worker's signed result that the report of an attempt is from. */
export type Noted = { readonly event: LoggedEvent; readonly result: Uint8Array | null };

/** Attempts of one pull start together and differ only in their steps: written as one, read as many. */
type StartedTogether = Omit<AttemptStarted, "step"> & { readonly steps: readonly string[] };

type EndedByResult = Omit<AttemptEnded, "report"> & { readonly result: Uint8Array };

type Written = LoggedEvent | StartedTogether | EndedByResult;

type WrittenEntry = Omit<LogEntry, "events"> & { readonly events: readonly Written[] };

export type LogHead = { readonly seq: number; readonly hash: string };

/** An event without its report: a few names of at most 512 characters. */
const eventBytesMax = 2_048;

export const emptyLog: LogHead = { seq: 0, hash: "" };

export function logId(domain: string, peer: string, incarnation: string): string {
  return sha256Hex(encodeValue([domain, peer, incarnation])).slice(0, 32);
}

/** True for what may be said of a run that is over: it closed, and a late result was refused. */
export function isAfterword(events: readonly LoggedEvent[]): boolean {
  return events.every(({ kind }) => kind === "run-closed" || kind === "result-refused");
}

/** Cuts what happened in one turn into entries that fit into a frame, whatever the reports in them hold. */
export function entriesOf(noted: readonly Noted[]): readonly (readonly Noted[])[] {
  const entries: Noted[][] = [];
  let bytes = 0;
  for (const one of noted) {
    const { event, result } = one;
    const report = event.kind === "attempt-ended" && event.report !== null ? limits.reportBytesMax : 0;
    const most = eventBytesMax + (result?.length ?? report);
    bytes += most;
    const last = entries.at(-1);
    if (last !== undefined && bytes <= limits.entryBytesMax) last.push(one);
    else {
      entries.push([one]);
      bytes = most;
    }
  }
  return entries;
}

export function sealEntry(
  log: {
    readonly id: string;
    readonly incarnation: string;
    readonly head: LogHead;
    readonly before: string;
  },
  domain: string,
  run: string,
  noted: readonly Noted[],
  keys: Signer,
): { readonly bytes: Uint8Array; readonly head: LogHead } {
  const seq = log.head.seq + 1;
  const entry: WrittenEntry = {
    otto: "log-entry/1",
    log: log.id,
    incarnation: log.incarnation,
    seq,
    prev: log.head.hash,
    before: log.before,
    run,
    events: gathered(noted),
  };
  const bytes = sealEnvelope("log-entry", domain, entry, keys);
  return { bytes, head: { seq, hash: sha256Hex(bytes) } };
}

export type OpenedEntry = {
  readonly entry: LogEntry;
  /** For each event the worker's signed result that its report was read from, not judged here, or null. */
  readonly results: readonly (Uint8Array | null)[];
  readonly signer: string;
  readonly hash: string;
};

export function openEntry(
  bytes: Uint8Array,
  domain: string,
  keys: Verifier,
): Result<OpenedEntry, RefusedBecause> {
  return recalled(keys, { what: "entry", domain }, bytes, () => judgeEntry(bytes, domain, keys));
}

function judgeEntry(bytes: Uint8Array, domain: string, keys: Verifier): Result<OpenedEntry, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "log-entry", domain }, keys);
  if (!opened.ok) return opened;
  const written = opened.value.value as WrittenEntry | null;
  const sound =
    written?.otto === "log-entry/1" &&
    typeof written.incarnation === "string" &&
    written.log === logId(domain, opened.value.envelope.signer, written.incarnation) &&
    typeof written.run === "string" &&
    typeof written.prev === "string" &&
    typeof written.before === "string" &&
    Number.isSafeInteger(written.seq) &&
    written.seq >= 1 &&
    // Only the first follows none.
    (written.seq === 1) === (written.prev === "") &&
    Array.isArray(written.events);
  if (!sound) return failure("malformed");
  // A name is a few bytes of an entry and an event a hundred in memory: nobody starts more than a plan has steps.
  const together = written.events.reduce((count, event) => count + namesIn(event), 0);
  if (together > limits.stepsPerPlanMax) return failure("malformed");
  const events: LoggedEvent[] = [];
  const results: (Uint8Array | null)[] = [];
  for (const noted of written.events.flatMap(apart)) {
    if (noted?.event.run !== written.run) return failure("malformed");
    events.push(noted.event);
    results.push(noted.result);
  }
  const entry: LogEntry = { ...written, events };
  return success({ entry, results, signer: opened.value.envelope.signer, hash: sha256Hex(bytes) });
}

function gathered(noted: readonly Noted[]): Written[] {
  const written: Written[] = [];
  let together: { readonly event: AttemptStarted; readonly steps: string[] } | null = null;
  for (const { event, result } of noted) {
    if (event.kind !== "attempt-started") {
      together = null;
      written.push(withResult(event, result));
    } else if (together !== null && startTogether(together.event, event)) together.steps.push(event.step);
    else {
      const { step, ...rest } = event;
      together = { event, steps: [step] };
      written.push({ ...rest, steps: together.steps });
    }
  }
  return written;
}

function startTogether(one: AttemptStarted, other: AttemptStarted): boolean {
  const { run, timeMs, attempt, token, worker, fence } = one;
  return (
    run === other.run &&
    timeMs === other.timeMs &&
    attempt === other.attempt &&
    token === other.token &&
    fence === other.fence &&
    worker === other.worker
  );
}

function withResult(event: LoggedEvent, result: Uint8Array | null): LoggedEvent | EndedByResult {
  if (event.kind !== "attempt-ended" || result === null) return event;
  const { report: _, ...rest } = event;
  return { ...rest, result };
}

function namesIn(written: Written | null): number {
  const together = written?.kind === "attempt-started" && "steps" in written;
  return together && Array.isArray(written.steps) ? written.steps.length : 0;
}

function apart(written: Written | null): (Noted | null)[] {
  if (written === null || typeof written !== "object") return [null];
  if (written.kind === "attempt-ended" && "result" in written) return [reportRead(written)];
  if (written.kind !== "attempt-started" || !("steps" in written)) return [{ event: written, result: null }];
  const { steps, ...rest } = written;
  if (!Array.isArray(steps)) return [null];
  return steps.map((step: unknown) =>
    typeof step === "string" ? { event: { ...rest, step }, result: null } : null,
  );
}

/** The event with the report that its worker signed. Null: the result is none, or a report is there besides. */
function reportRead({ result, ...rest }: EndedByResult): Noted | null {
  if (!(result instanceof Uint8Array) || "report" in rest) return null;
  const report = reportWithin(result);
  return report === null ? null : { event: { ...rest, report }, result };
}

/** The report that a worker's signed result holds; the signature is not judged here. Null: the bytes are no result. */
export function reportWithin(result: Uint8Array): StepReport | null {
  const payload = payloadIn(result);
  const decoded = payload === null ? null : decodeUntrusted(payload);
  const signed = decoded?.ok === true ? parseSignedResult(decoded.value) : null;
  return signed?.ok === true ? signed.value.report : null;
}
