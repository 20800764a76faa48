/** What a peer's disk says when a world has ended. */

import type { LoggedEvent } from "../protocol/events.ts";
import type { ForkEvidence } from "../protocol/fork.ts";
import { openEntry } from "../protocol/log.ts";
import { readRecord } from "../protocol/registers/stored.ts";
import { runRegister, type RunValue } from "../protocol/registers/registers.ts";
import type { ExportedRun } from "../protocol/run-export.ts";
import { decodeValue } from "../protocol/values.ts";
import { controlKeys } from "../node/core/control.ts";
import { entriesOfRun } from "../node/core/history.ts";
import { workerKeys } from "../node/core/worker.ts";
import { decodedOnce, once } from "./decoded.ts";
import { simulatedVerifier } from "./keys.ts";
import type { Peer } from "./peer.ts";
import type { Disk } from "./storage.ts";

export function isClosedAt({ disk }: Peer, run: string): boolean {
  return isClosedOn(disk, run);
}

export function isClosedOn(disk: Disk, run: string): boolean {
  const stored = disk.durable(controlKeys.registers + runRegister(run));
  if (stored === undefined) return false;
  return isClosed(stored);
}

const isClosed = once((record) => (decodeValue(readRecord(record).value) as RunValue).outcome !== null);

/** Whether a peer's disk has the register of a run. */
export function remembers(peer: Pick<Peer, "disk">, run: string): boolean {
  return peer.disk.durable(controlKeys.registers + runRegister(run)) !== undefined;
}

export function headsOf(peer: Peer): Record<string, number> {
  const heads = peer.disk.list(controlKeys.heads);
  return Object.fromEntries(heads.map(([key, value]) => [key, (decodedOnce(value) as [number])[0]]));
}

/** The logs that a peer takes for sound, each with how much of it is here and what its last entry hashes to. */
export function lastEntriesOf(peer: Peer): ReadonlyMap<string, string> {
  const heads = peer.disk.list(controlKeys.heads);
  return new Map(
    heads.map(([key, value]) => {
      const [seq, hash] = decodedOnce(value) as [number, string];
      return [key.slice(controlKeys.heads.length), `${seq} ${hash}`];
    }),
  );
}

/** Logs of whose forking a peer keeps the proof. */
export function forksOf(peer: Peer): string[] {
  return peer.disk.list(controlKeys.forks).map(([key]) => key.slice(controlKeys.forks.length));
}

/** What of a domain is shown with every run. */
export type Domain = { readonly charter: Uint8Array; readonly certificates: readonly Uint8Array[] };

/** @param others whom a peer asks for a plan that it never had: the run was over when it came back. */
export function exportOf(peer: Peer, others: readonly Peer[], run: string, domain: Domain): ExportedRun {
  const { disk } = peer;
  const { prefix, keyOf } = entriesOfRun(run);
  const entries = disk.list(prefix).flatMap(([key]) => disk.get(keyOf(key)) ?? []);
  const forks = disk.list(controlKeys.forks).map(([, bytes]) => decodedOnce(bytes) as ForkEvidence);
  const [bundle = null] = [peer, ...others].flatMap((one) => bundleAt(one, run));
  return {
    otto: "otto-run/1",
    run,
    bundle,
    entries,
    ...domain,
    ...(peer.policy === undefined ? {} : { policy: peer.policy }),
    ...(forks.length > 0 ? { forks } : {}),
  };
}

/** True when a worker keeps a submission that it has not heard to be admitted. */
export function isPendingAt({ disk }: Peer, run: string): boolean {
  return disk.get(workerKeys.pending + run) !== undefined;
}

export function bundleAt({ disk }: Peer, run: string): Uint8Array[] {
  return [controlKeys.bundles, controlKeys.archive].flatMap((prefix) => disk.get(prefix + run) ?? []);
}

export function eventsOf(peer: Peer, domain: string): LoggedEvent[] {
  return peer.disk.list(controlKeys.entries).flatMap(([, bytes]) => {
    const opened = openEntry(bytes, domain, simulatedVerifier);
    return opened.ok ? [...opened.value.entry.events] : [];
  });
}
