/**
 * Permits: with one a step that reaches a guarded environment is given out, and its credentials are used. A majority of the
 * control peers signs it (`quorum.ts`), each after it has judged for itself.
 *
 * A permit is for one step of one submission with exactly what it is given, and for minutes: what was approved for one artifact
 * never serves another. One for after a step lets its outcome count, and names what the step has made, too.
 */

import { failure, type Result, success } from "./errors.ts";
import type { RefusedBecause, Verifier } from "./envelope.ts";
import { limits } from "./limits.ts";
import { type Charter, isNewer, openCharter, wereControls } from "./membership.ts";
import { openQuorum } from "./quorum.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

/** A quorum, and a charter. */
const permitBytesMax = 2 * limits.quorumBytesMax;

/** Before a step begins, or once it has ended well and that does not count yet. */
export type GatePhase = "before" | "after";

export type Permit = {
  readonly otto: "permit/1";
  /** Absent: before. */
  readonly phase?: "after";
  readonly run: string;
  /** CID of the manifest. */
  readonly manifest: string;
  readonly index: number;
  readonly step: string;
  /** Digest of the files and values that the step is given (`inputsDigest`), or of what it has made of them (`endDigest`). */
  readonly given: string;
  /** Keys of the people who approved. */
  readonly approvedBy: readonly string[];
  /** Milliseconds since 1970, by the clock of the home that asked for it. */
  readonly fromMs: number;
  readonly untilMs: number;
};

/**
 * A permit as it is kept: with the charter by which it was signed, as the owner signed that. It is judged once more when the
 * domain has other control peers, or more of them.
 */
export function sealPermit(signed: Uint8Array, charter: Uint8Array): Uint8Array {
  return encodeValue({ signed, charter });
}

/**
 * Opens a permit that a quorum of this charter's control peers signed. Whether it is for this step, and still good, is the caller's
 * to say.
 */
export function openPermit(
  bytes: Uint8Array,
  charter: Charter,
  keys: Verifier,
): Result<Permit, RefusedBecause> {
  return openSigned(partsOf(bytes)?.signed ?? bytes, charter, keys);
}

/**
 * True for a permit that lets this step count with just what it has made.
 *
 * @param sinceMs when its run was submitted, or later, milliseconds since 1970: nobody lets count before what is submitted then, so
 * what a control peer that was alone once signs with a date before the domain grew is worth nothing for it.
 */
export function isToCount(
  permit: Permit,
  { run, manifest, index, given }: Pick<Permit, "run" | "manifest" | "index" | "given">,
  sinceMs: number,
): boolean {
  return (
    permit.phase === "after" &&
    permit.run === run &&
    permit.manifest === manifest &&
    permit.index === index &&
    permit.given === given &&
    permit.fromMs >= sinceMs - limits.signedApartMsMax
  );
}

/** Why a permit is not to begin this step with what it is given; null: it is. */
export function whyNotFor(
  permit: Permit,
  { run, manifest, index, given }: Pick<Permit, "run" | "manifest" | "index" | "given">,
): string | null {
  const isForIt =
    permit.run === run &&
    permit.manifest === manifest &&
    permit.index === index &&
    permit.phase === undefined;
  if (!isForIt) return "its permit is another step's";
  return permit.given === given ? null : "its permit is for other files or values";
}

/** The same, by whoever may not have heard of the newest charter: the permit brings one along. */
export function openShownPermit(
  bytes: Uint8Array,
  known: Charter,
  keys: Verifier,
): Result<Permit, RefusedBecause> {
  const parts = partsOf(bytes);
  const brought = parts === null ? null : openCharter(parts.charter, known.domain, keys);
  return openPermit(
    bytes,
    brought?.ok === true && isNewer(brought.value, known) ? brought.value : known,
    keys,
  );
}

/**
 * The same, long afterwards: also one that a majority of the control peers signed whom an earlier charter names, as long as none
 * of these had been taken out by then.
 */
export function openEarlierPermit(
  bytes: Uint8Array,
  newest: Charter,
  keys: Verifier,
): Result<Permit, RefusedBecause> {
  const now = openPermit(bytes, newest, keys);
  const parts = partsOf(bytes);
  if (now.ok || parts === null) return now;
  const then = openCharter(parts.charter, newest.domain, keys);
  const permit = then.ok ? openSigned(parts.signed, then.value, keys) : then;
  if (!then.ok || !permit.ok) return now;
  return wereControls(then.value, newest, permit.value.fromMs - limits.signedApartMsMax) ? permit : now;
}

function partsOf(bytes: Uint8Array): { readonly signed: Uint8Array; readonly charter: Uint8Array } | null {
  const decoded = bytes.length > permitBytesMax ? null : decodeUntrusted(bytes);
  const { signed, charter } = (decoded?.ok === true ? (decoded.value ?? {}) : {}) as Record<string, unknown>;
  return signed instanceof Uint8Array && charter instanceof Uint8Array ? { signed, charter } : null;
}

function openSigned(bytes: Uint8Array, charter: Charter, keys: Verifier): Result<Permit, RefusedBecause> {
  const signedMs = (value: unknown): number | null => (isPermit(value) ? value.fromMs : null);
  const opened = openQuorum(bytes, { kind: "permit", signedMs }, charter, keys);
  if (!opened.ok) return opened;
  const { value } = opened.value;
  if (!isPermit(value)) return failure("malformed");
  // Whoever signs with an earlier date signs for no longer than was ever allowed.
  return value.untilMs - value.fromMs > limits.permitMs ? failure("malformed") : success(value);
}

export function isPermit(found: unknown): found is Permit {
  const value = found as Permit | null;
  return (
    value?.otto === "permit/1" &&
    (value.phase === undefined || value.phase === "after") &&
    [value.run, value.manifest, value.step, value.given].every((text) => typeof text === "string") &&
    [value.index, value.fromMs, value.untilMs].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    Array.isArray(value.approvedBy) &&
    value.approvedBy.every((peer) => typeof peer === "string")
  );
}
