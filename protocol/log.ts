/**
 * A peer's signed log of events. One log a peer and incarnation; entries are chained by hash, so nothing can be
 * taken out or put between; domain and run are bound into what is signed.
 */

import { failure, type Result, success } from "./errors.ts";
import { openEnvelope, type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "./envelope.ts";
import type { AttemptStarted, Event } from "./events.ts";
import { limits } from "./limits.ts";
import { encodeValue, sha256Hex } from "./values.ts";

export type LogEntry = {
  readonly otto: "log-entry/1";
  readonly log: string;
  /** The start of the author's process that the log belongs to: with the author it makes the log's id. */
  readonly incarnation: string;
  /** 1, 2, 3, ... */
  readonly seq: number;
  /** sha256 of the entry before, empty for the first. */
  readonly prev: string;
  readonly run: string;
  readonly events: readonly Event[];
};

/** Attempts of one pull start together and differ only in their steps: written as one, read as many. */
type StartedTogether = Omit<AttemptStarted, "step"> & { readonly steps: readonly string[] };

type WrittenEntry = Omit<LogEntry, "events"> & { readonly events: readonly (Event | StartedTogether)[] };

export type LogHead = { readonly seq: number; readonly hash: string };

export const emptyLog: LogHead = { seq: 0, hash: "" };

export function logId(domain: string, peer: string, incarnation: string): string {
  return sha256Hex(encodeValue([domain, peer, incarnation])).slice(0, 32);
}

export function sealEntry(
  log: { readonly id: string; readonly incarnation: string; readonly head: LogHead },
  domain: string,
  run: string,
  events: readonly Event[],
  keys: Signer,
): { readonly bytes: Uint8Array; readonly head: LogHead } {
  const seq = log.head.seq + 1;
  const entry: WrittenEntry = {
    otto: "log-entry/1",
    log: log.id,
    incarnation: log.incarnation,
    seq,
    prev: log.head.hash,
    run,
    events: gathered(events),
  };
  const bytes = sealEnvelope("log-entry", domain, entry, keys);
  return { bytes, head: { seq, hash: sha256Hex(bytes) } };
}

export function openEntry(
  bytes: Uint8Array,
  domain: string,
  keys: Verifier,
): Result<{ readonly entry: LogEntry; readonly signer: string; readonly hash: string }, RefusedBecause> {
  const opened = openEnvelope(bytes, { kind: "log-entry", domain }, keys);
  if (!opened.ok) return opened;
  const written = opened.value.value as WrittenEntry | null;
  const sound =
    written?.otto === "log-entry/1" &&
    typeof written.incarnation === "string" &&
    written.log === logId(domain, opened.value.envelope.signer, written.incarnation) &&
    typeof written.run === "string" &&
    Number.isSafeInteger(written.seq) &&
    Array.isArray(written.events);
  if (!sound) return failure("malformed");
  // A name is a few bytes of an entry and an event a hundred in memory: nobody starts more than a plan has steps.
  const together = written.events.reduce((count, event) => count + namesIn(event), 0);
  if (together > limits.stepsPerPlanMax) return failure("malformed");
  const events: Event[] = [];
  for (const event of written.events.flatMap(apart)) {
    if (event?.run !== written.run) return failure("malformed");
    events.push(event);
  }
  const entry: LogEntry = { ...written, events };
  return success({ entry, signer: opened.value.envelope.signer, hash: sha256Hex(bytes) });
}

function gathered(events: readonly Event[]): (Event | StartedTogether)[] {
  const written: (Event | StartedTogether)[] = [];
  let together: { readonly event: AttemptStarted; readonly steps: string[] } | null = null;
  for (const event of events) {
    if (event.kind !== "attempt-started") {
      together = null;
      written.push(event);
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
  const { run, timeMs, attempt, token, worker } = one;
  return (
    run === other.run &&
    timeMs === other.timeMs &&
    attempt === other.attempt &&
    token === other.token &&
    worker === other.worker
  );
}

function namesIn(written: Event | StartedTogether | null): number {
  const together = written?.kind === "attempt-started" && "steps" in written;
  return together && Array.isArray(written.steps) ? written.steps.length : 0;
}

function apart(written: Event | StartedTogether | null): (Event | null)[] {
  if (written?.kind !== "attempt-started" || !("steps" in written)) return [written];
  const { steps, ...rest } = written;
  if (!Array.isArray(steps)) return [null];
  return steps.map((step: unknown) => (typeof step === "string" ? { ...rest, step } : null));
}
