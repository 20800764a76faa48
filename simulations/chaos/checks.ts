/**
 * What must be true of a chaos run, judged by what really happened: lines that steps left in a target outside of Otto,
 * and what each control peer exports of each run. Pure: a test hands over records of its own.
 *
 * A machine that was suspended cannot keep a deadline: while it sleeps somebody else may be given its step, and when it
 * wakes its own goes on for a moment. There only the token protects, and overlaps are told as excused. A worker whose process alone
 * was stopped keeps it: what runs its steps does.
 */

import { verifyRun } from "../../node/verify/verify.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import { type Event, isOfRun } from "../../protocol/events.ts";
import { openEntry } from "../../protocol/log.ts";
import { decodeExport } from "../../protocol/run-export.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { Effect } from "./workload.ts";

/** A promise that was broken, in one sentence. */
export type Broken = { readonly checker: string; readonly what: string };

/** What a control peer exports of a run, as far as it is judged here. */
export type Account = {
  readonly control: string;
  readonly run: string;
  readonly state: string;
  readonly events: readonly Event[];
  /** Digests of the signed entries, sorted: two peers that know the same have the same. */
  readonly entries: readonly string[];
  readonly broken: readonly Broken[];
};

export function accountOf(control: string, run: string, bytes: Uint8Array, keys: Verifier): Account {
  const decoded = decodeExport(bytes);
  if (!decoded.ok) {
    const broken = [
      { checker: "verification", what: `what ${control} exports of ${run} ${decoded.problem}` },
    ];
    return { control, run, state: "open", events: [], entries: [], broken };
  }
  const { entries } = decoded.value;
  const verification = verifyRun(decoded.value, null, keys);
  const events = entries.flatMap((entry) => {
    const opened = openEntry(entry, verification.domain?.id ?? "", keys);
    return opened.ok ? opened.value.entry.events.filter(isOfRun).filter((event) => event.run === run) : [];
  });
  const broken = verification.findings.map(({ code, step, expected, recorded }) => ({
    checker: "verification",
    what: `${run} by ${control}: ${code} ${step ?? ""}: ${expected} ${recorded}`,
  }));
  const { state } = verification;
  return { control, run, state, events, entries: entries.map((entry) => sha256Hex(entry)).sort(), broken };
}

/** All control peers tell the same story of a run. */
export function checkAgreement(accounts: readonly Account[]): readonly Broken[] {
  const [first] = accounts;
  if (first === undefined) return [];
  return accounts
    .filter(({ entries }) => entries.join() !== first.entries.join())
    .map(({ control, run, entries }) => ({
      checker: "agreement",
      what: `of ${run} ${first.control} keeps ${first.entries.length} entries and ${control} ${entries.length}, not all the same`,
    }));
}

/** One accepted result a step, under a token that no attempt after it exceeds. */
export function checkAttempts({ run, events }: Account): readonly Broken[] {
  const finals = new Map<string, number>();
  const broken: Broken[] = [];
  for (const event of events) {
    if (event.kind !== "attempt-ended" || !event.final) continue;
    const known = finals.get(event.step);
    if (known !== undefined && known !== event.token)
      broken.push({
        checker: "attempts",
        what: `${run}/${event.step} has two accepted ends, under ${known} and ${event.token}`,
      });
    finals.set(event.step, event.token);
  }
  for (const event of events) {
    if (event.kind !== "attempt-started") continue;
    const final = finals.get(event.step);
    if (final !== undefined && event.token > final)
      broken.push({
        checker: "attempts",
        what: `${run}/${event.step} was granted under ${event.token} after its end under ${final}`,
      });
  }
  return broken;
}

/** From when to when all of a node was stopped, on the clock of the target's lines. */
export type Asleep = { readonly worker: string; readonly fromSeconds: number; readonly toSeconds: number };

/** After it goes on, a machine gets this long to see that its time was up, and its step to end. */
const awakeSeconds = 1;

type Ran = {
  readonly key: string;
  readonly kind: Effect["kind"];
  readonly worker: string | null;
  readonly beganSeconds: number;
  readonly first: number;
  last: number;
  readonly step: string;
  ended: boolean;
};

export type EffectsFound = { readonly broken: readonly Broken[]; readonly excused: number };

/** What steps did outside, held against who was allowed to and what was accepted. */
export function checkEffects(
  effects: readonly Effect[],
  events: readonly Event[],
  asleep: readonly Asleep[],
): EffectsFound {
  const broken: Broken[] = [];
  const holders = new Map<string, { readonly worker: string; readonly fence: number }>();
  for (const event of events)
    if (event.kind === "attempt-started")
      holders.set(attemptOf(event), { worker: event.worker, fence: event.fence ?? 0 });
  const ran = attemptsIn(effects, holders);
  for (const { key, worker } of ran.values())
    if (worker === null) broken.push({ checker: "effects", what: `${key} ran, and nobody was granted it` });
  for (const event of events) {
    if (event.kind !== "attempt-ended" || !event.final || event.cause !== "finished") continue;
    const key = attemptOf(event);
    if (ran.get(key)?.ended !== true)
      broken.push({ checker: "effects", what: `${key} was accepted as finished and never ended` });
  }
  const overlaps = overlapsIn([...ran.values()], asleep);
  return { broken: [...broken, ...overlaps.broken, ...olderAfterNewer(effects)], excused: overlaps.excused };
}

function attemptOf(one: { readonly run: string; readonly step: string; readonly attempt: number }): string {
  return `${one.run}/${one.step} attempt ${one.attempt}`;
}

/** What ran with another fencing token than its attempt was given is nobody's. */
function attemptsIn(
  effects: readonly Effect[],
  holders: ReadonlyMap<string, { readonly worker: string; readonly fence: number }>,
): ReadonlyMap<string, Ran> {
  const ran = new Map<string, Ran>();
  for (const [at, effect] of effects.entries()) {
    const { what, run, step, fence, kind, upSeconds } = effect;
    const attempt = attemptOf(effect);
    const holder = holders.get(attempt);
    const isGranted = holder?.fence === fence;
    const key = isGranted ? attempt : `${attempt} under ${fence}`;
    const known = ran.get(key) ?? {
      key,
      kind,
      worker: isGranted ? holder.worker : null,
      beganSeconds: upSeconds,
      first: at,
      last: at,
      step: `${run}/${step}`,
      ended: false,
    };
    ran.set(key, known);
    known.last = at;
    known.ended ||= what === "end";
  }
  return ran;
}

/** Two attempts that must not run at once did, when the elder has a line behind the first one of the younger. */
function overlapsIn(ran: readonly Ran[], asleep: readonly Asleep[]): EffectsFound {
  const broken: Broken[] = [];
  let excused = 0;
  const exclusive = ran.filter(({ kind }) => kind !== "free").sort((one, other) => one.first - other.first);
  const open: Ran[] = [];
  for (const younger of exclusive) {
    for (const elder of open.splice(0)) {
      if (elder.last < younger.first) continue;
      open.push(elder);
      const excludes = elder.step === younger.step || (elder.kind === "locked" && younger.kind === "locked");
      if (!excludes) continue;
      const wasAsleep = asleep.some(
        ({ worker, fromSeconds, toSeconds }) =>
          worker === elder.worker &&
          fromSeconds <= younger.beganSeconds &&
          toSeconds + awakeSeconds >= elder.beganSeconds,
      );
      if (wasAsleep) excused += 1;
      else broken.push({ checker: "overlap", what: `${elder.key} still ran when ${younger.key} began` });
    }
    open.push(younger);
  }
  return { broken, excused };
}

/** The target took nothing under an older token after it had taken something under a newer one. */
function olderAfterNewer(effects: readonly Effect[]): readonly Broken[] {
  const broken: Broken[] = [];
  const highest = new Map<string, number>();
  for (const { what, run, step, fence, kind } of effects) {
    if (kind === "free" || what === "refused") continue;
    const target = kind === "locked" ? "what is locked" : `${run}/${step}`;
    const known = highest.get(target) ?? 0;
    if (fence < known)
      broken.push({
        checker: "tokens",
        what: `${run}/${step} took effect under ${fence} after ${target} had seen ${known}`,
      });
    highest.set(target, Math.max(known, fence));
  }
  return broken;
}

/** The longest time without a step granted to anybody, and how many were. */
export function claimsIn(events: readonly Event[]): {
  readonly claims: number;
  readonly longestGapMs: number;
} {
  const times = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== "attempt-started") continue;
    const key = `${event.run}/${event.step} ${event.attempt}/${event.token}`;
    times.set(key, Math.min(times.get(key) ?? Number.POSITIVE_INFINITY, event.timeMs));
  }
  const sorted = [...times.values()].sort((one, other) => one - other);
  const gaps = sorted.slice(1).map((time, index) => time - (sorted[index] ?? time));
  return { claims: sorted.length, longestGapMs: Math.max(0, ...gaps) };
}
