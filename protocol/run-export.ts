/**
 * An exported run: everything that a stranger needs to judge it without a node, as one value, `otto-run/1`.
 *
 * Promises: equal evidence gives equal bytes; nothing in it is believed for being in it. Who may sign follows from
 * the charter, whose domain's id is a hash of its owner's key: whoever knows the id knows the domain.
 */

import { failure, type Result, success } from "./errors.ts";
import type { ForkEvidence } from "./fork.ts";
import { limits } from "./limits.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

export type ExportedRun = {
  readonly otto: "otto-run/1";
  readonly run: string;
  /** The signed charter of the domain. */
  readonly charter: Uint8Array;
  /** The signed manifest with its submitter's certificate (`protocol/manifest.ts`); null: the node has none. */
  readonly bundle: Uint8Array | null;
  /** Every signed entry that speaks of the run, one log after the other, each in its order. */
  readonly entries: readonly Uint8Array[];
  /** What the domain's owner demands, as signed last and known where it was exported; only when something is. */
  readonly policy?: Uint8Array;
  /** What proves that logs of the domain fork (`protocol/fork.ts`); only when some do. */
  readonly forks?: readonly ForkEvidence[];
  /** The certificates of the workers that the entries name, as far as the node has seen them. */
  readonly certificates: readonly Uint8Array[];
};

export type ExportProblem = "ends early" | "foreign" | "oversized";

export function encodeExport(exported: ExportedRun): Uint8Array {
  return encodeValue(exported);
}

/** Reads bytes that anybody may have made. What is in them is still to be judged. */
export function decodeExport(bytes: Uint8Array): Result<ExportedRun, ExportProblem> {
  if (bytes.length > limits.exportBytesMax) return failure("oversized");
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok) return failure(decoded.problem === "the value ends early" ? "ends early" : "foreign");
  return isExport(decoded.value) ? success(decoded.value) : failure("foreign");
}

function isExport(value: unknown): value is ExportedRun {
  const exported = value as ExportedRun | null;
  return (
    exported?.otto === "otto-run/1" &&
    typeof exported.run === "string" &&
    exported.charter instanceof Uint8Array &&
    (exported.bundle === null || exported.bundle instanceof Uint8Array) &&
    areBytes(exported.entries) &&
    (exported.policy === undefined || exported.policy instanceof Uint8Array) &&
    (exported.forks === undefined || areForks(exported.forks)) &&
    areBytes(exported.certificates)
  );
}

function areForks(value: unknown): value is readonly ForkEvidence[] {
  return Array.isArray(value) && value.every((item) => areBytes(item) && item.length === 2);
}

function areBytes(value: unknown): value is readonly Uint8Array[] {
  return Array.isArray(value) && value.every((item) => item instanceof Uint8Array);
}
