/** Everything that this node has about one run, for whoever wants to judge it elsewhere (`protocol/run-export.ts`). */

import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { ForkEvidence } from "../../protocol/fork.ts";
import { openEntry } from "../../protocol/log.ts";
import { nameBundle } from "../../protocol/manifest.ts";
import { encodeExport } from "../../protocol/run-export.ts";
import { decodeValue, sha256Hex } from "../../protocol/values.ts";
import { controlKeys } from "../core/control.ts";
import { entriesOfRun } from "../core/history.ts";
import { certificateKey, type NodeHost } from "./node-host.ts";

/**
 * The bytes of the export. Throws when nothing is known of the run here, or more than an export may hold.
 *
 * @param policy as the domain's owner signed it; undefined: there is none.
 */
export async function exportRun(
  host: NodeHost,
  run: string,
  policy: Uint8Array | undefined,
): Promise<Uint8Array> {
  const { storage, membership, identity } = host;
  const entries: Uint8Array[] = [];
  const workers = new Set<string>();
  /** The digest of the bundle that the run was, once it is over; null: not told yet. */
  let admitted: string | null = null;
  let bytesLeft = limits.exportBytesMax - limits.manifestBytesMax;
  const { prefix, keyOf } = entriesOfRun(run);
  for (const [key] of await storage.list(prefix)) {
    const bytes = await storage.get(keyOf(key));
    const opened = bytes === undefined ? null : openEntry(bytes, membership.charter.domain, identity);
    if (bytes === undefined || opened?.ok !== true) continue;
    entries.push(bytes);
    bytesLeft -= bytes.length;
    if (bytesLeft < 0) throw tooLarge(run);
    for (const event of opened.value.entry.events) {
      if (event.kind === "attempt-started" || event.kind === "attempt-ended") workers.add(event.worker);
      if (event.kind === "run-closed" && event.run === run) admitted = event.bundle;
    }
  }
  const bundle = await bundleOf(host, run, admitted);
  if (bundle === null && entries.length === 0)
    throw new OttoError("OTTO_NO_SUCH_RUN", {
      what: `There is no run ${run} here.`,
      next: "List the runs with `otto status`.",
    });
  const forks: ForkEvidence[] = [];
  // Also of logs that are not among the entries: what they told of the run may be what is missing here.
  for (const [, evidence] of await storage.list(controlKeys.forks)) {
    bytesLeft -= evidence.length;
    if (bytesLeft < 0) throw tooLarge(run);
    forks.push(decodeValue(evidence) as ForkEvidence);
  }
  const certificates: Uint8Array[] = [];
  for (const worker of [...workers].sort()) {
    const certificate = await storage.get(certificateKey(worker));
    if (certificate !== undefined) certificates.push(certificate);
  }
  const { charterBytes: charter } = membership;
  return encodeExport({
    otto: "otto-run/1",
    run,
    charter,
    bundle,
    entries,
    certificates,
    ...(policy === undefined ? {} : { policy }),
    ...(forks.length > 0 ? { forks } : {}),
  });
}

/**
 * The signed plan; from another peer when the run was over before this one heard of it, or where it keeps another bundle of the run's.
 *
 * @param digest of the one that the domain admitted; null: any.
 */
async function bundleOf(
  { storage, fetching }: NodeHost,
  run: string,
  digest: string | null,
): Promise<Uint8Array | null> {
  const own =
    (await storage.get(controlKeys.bundles + run)) ?? (await storage.get(controlKeys.archive + run)) ?? null;
  if (own !== null && (digest === null || sha256Hex(own) === digest)) return own;
  const found = await fetching.bundle({ run, digest }, null);
  if (found === null || nameBundle(found.bytes)?.run !== run) return own;
  return own === null || sha256Hex(found.bytes) === digest ? found.bytes : own;
}

function tooLarge(run: string): OttoError {
  return new OttoError("OTTO_FILE_TOO_LARGE", {
    what: `The records of run ${run} are larger than ${limits.exportBytesMax / 1024 / 1024} MiB.`,
    state: "Nothing was exported.",
    next: "Look at the run with `otto status` and `otto logs`.",
  });
}
