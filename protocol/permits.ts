/**
 * Permits: with one a step that reaches a guarded environment is given out, and its credentials are used. A majority of the
 * control peers signs it (`quorum.ts`), each after it has judged for itself.
 *
 * A permit is for one step of one submission with exactly what it is given, and for minutes: what was approved for one artifact
 * never serves another. One for after a step lets its outcome count, and names what the step has made, too.
 */

import { failure, type Result, success } from "./errors.ts";
import type { RefusedBecause, Verifier } from "./envelope.ts";
import type { Charter } from "./membership.ts";
import { openQuorum } from "./quorum.ts";

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

/** Opens a permit that a quorum signed. Whether it is for this step, and still good, is the caller's to say. */
export function openPermit(
  bytes: Uint8Array,
  charter: Charter,
  keys: Verifier,
): Result<Permit, RefusedBecause> {
  const signedMs = (value: unknown): number | null => (isPermit(value) ? value.fromMs : null);
  const opened = openQuorum(bytes, { kind: "permit", signedMs }, charter, keys);
  if (!opened.ok) return opened;
  const { value } = opened.value;
  return isPermit(value) ? success(value) : failure("malformed");
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
