/**
 * Backups of a control peer, made while it runs: its database and its blobs go out as parts of `protocol/backup.ts`.
 *
 * The registers are read at one moment; logs and plans, which only grow, after them, so that they hold at least what the
 * registers speak of.
 */

import { statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type BackupPart, encodePart } from "../../protocol/backup.ts";
import { encodeFrame } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { controlKeys } from "../core/control.ts";
import { entryKey } from "../core/history.ts";
import type { StoredEntry } from "../ports.ts";
import { realClock } from "./clock.ts";
import type { NodeHost } from "./node-host.ts";
import { summaryPrefix } from "./views.ts";

const digestPattern = /^[0-9a-f]{64}$/u;

/** What a control peer keeps besides its vote, in the order in which it is read. */
const prefixes = [
  controlKeys.registers,
  controlKeys.heads,
  controlKeys.forks,
  controlKeys.bundles,
  controlKeys.orders,
  controlKeys.archive,
  controlKeys.runs,
  controlKeys.neighbours,
  summaryPrefix,
  "certificate/",
];

/** The bytes of the backup, in pieces of at most a frame. */
export async function* backupOf(host: NodeHost): AsyncGenerator<Uint8Array, void, void> {
  const { membership, identity } = host;
  const head = { kind: "head", otto: "otto-backup/1", charter: membership.charterBytes } as const;
  yield frame({ ...head, peer: identity.peer, madeMs: realClock.wallMs() });
  let entries = 0;
  for await (const some of storedEntries(host)) {
    entries += some.length;
    yield frame({ kind: "entries", entries: some });
  }
  let blobs = 0;
  for await (const digest of digestsIn(host.blobs.folder)) {
    blobs += 1;
    yield frame({ kind: "blob", digest, size: statSync(host.blobs.path(digest)).size });
    for await (const chunk of host.blobs.read(digest, 0))
      for (let at = 0; at < chunk.length; at += limits.blobChunkBytes)
        yield frame({ kind: "chunk", bytes: chunk.subarray(at, at + limits.blobChunkBytes) });
  }
  yield frame({ kind: "end", entries, blobs });
}

function frame(part: BackupPart): Uint8Array {
  return encodeFrame(encodePart(part));
}

async function* storedEntries({ storage }: NodeHost): AsyncGenerator<readonly StoredEntry[], void, void> {
  const logs: string[] = [];
  for (const prefix of prefixes) {
    const found = await storage.list(prefix);
    if (prefix === controlKeys.heads) logs.push(...found.map(([key]) => key.slice(prefix.length)));
    yield* inPages(found);
  }
  // One log after the other: all of them together may be more than fits into memory.
  for (const log of logs) yield* inPages(await storage.list(entryKey(log, 0).slice(0, -12)));
}

function* inPages(entries: readonly StoredEntry[]): Generator<readonly StoredEntry[], void, void> {
  let page: StoredEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    page.push(entry);
    bytes += entry[0].length + entry[1].length;
    if (bytes < limits.batchBytesMax && page.length < limits.batchRecordsMax) continue;
    yield page;
    page = [];
    bytes = 0;
  }
  if (page.length > 0) yield page;
}

async function* digestsIn(folder: string): AsyncGenerator<string, void, void> {
  for (const group of (await readdir(folder)).toSorted()) {
    if (group.length !== 2) continue;
    for (const name of (await readdir(join(folder, group))).toSorted())
      if (digestPattern.test(name)) yield name;
  }
}
