/**
 * A domain from the backup of one of its control peers, when all of them are lost: a new peer that is its only control
 * peer, in a configuration that follows the last one. Its owner alone can say so.
 *
 * What was decided after the backup is lost, and what others were told then still counts out there: so every step that is
 * not over gets a token far above any that can have been granted, and a worker or a target that still knows one of the
 * lost leases is the older one.
 */

import { createReadStream } from "node:fs";
import { type BackupPart, decodePart } from "../../protocol/backup.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { FrameDecoder } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, openCharter, sealCharter, successorOf } from "../../protocol/membership.ts";
import {
  charterRegister,
  type RegisterValue,
  runOfStepRegister,
} from "../../protocol/registers/registers.ts";
import { readRegisters, registerKey, storedRecord } from "../../protocol/registers/stored.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { configurationKey } from "../core/configurations.ts";
import { controlKeys } from "../core/control.ts";
import type { Storage, StoredEntry, WriteOperation } from "../ports.ts";
import { type Blobs, openBlobs } from "./blobs.ts";
import { realClock } from "./clock.ts";
import { DataFolder, newStoreName, type NodeConfig } from "./data-folder.ts";
import { certify } from "./founding.ts";
import { openIdentity, verifySignature } from "./identity.ts";
import { openStorage } from "./level-storage.ts";

export type Restoring = {
  readonly file: string;
  readonly folder: string;
  /** Who signs for it, of whom the backup says who owns it. */
  readonly owner: (charter: Charter) => Signer;
  readonly config: NodeConfig;
  readonly person: string;
};

export type Restored = {
  readonly charter: Charter;
  readonly madeMs: number;
  readonly entries: number;
  readonly blobs: number;
  /** Steps that were not over, whose tokens were raised. */
  readonly raised: number;
};

/** Writes the folder of the new peer. Throws `OTTO_BACKUP_INVALID`. */
export async function restoreDomain(restoring: Restoring): Promise<Restored> {
  const { file, config } = restoring;
  const folder = new DataFolder(restoring.folder);
  const parts = partsOf(file);
  const first = await parts.next();
  if (first.done === true || first.value.kind !== "head") throw invalid(file, "it does not begin as one");
  const { madeMs } = first.value;
  const before = openCharter(first.value.charter, null, { verify: verifySignature });
  if (!before.ok) throw invalid(file, "its charter does not hold");
  const owner = restoring.owner(before.value);
  folder.create();
  const { peer } = openIdentity(folder.key);
  const store = newStoreName();
  const charter = successorOf(before.value, [{ peer, store, addresses: config.listen }], realClock.wallMs());
  const bytes = sealCharter(charter, owner);
  const { storage } = await openStorage(folder.database);
  try {
    const counts = await fill(parts, { file, storage, blobs: await openBlobs(folder.blobs) });
    await storage.write([
      { kind: "put", key: "store", value: Buffer.from(store) },
      { kind: "put", key: configurationKey, value: encodeValue([store, bytes]) },
      { kind: "delete", key: controlKeys.registers + charterRegister },
    ]);
    await storage.sync();
    const { name } = config;
    folder.write("charter", bytes);
    folder.write("certificate", certify(owner, charter, { peer, role: "control", name }));
    folder.write("person.cert", certify(owner, charter, { peer: restoring.person, role: "person", name }));
    folder.saveConfig(config);
    return { charter, madeMs, ...counts };
  } finally {
    await storage.close();
  }
}

type Counts = Pick<Restored, "entries" | "blobs" | "raised">;

async function fill(
  parts: AsyncGenerator<BackupPart, void, void>,
  { file, storage, blobs }: { readonly file: string; readonly storage: Storage; readonly blobs: Blobs },
): Promise<Counts> {
  let [entries, stored] = [0, 0];
  const registers: StoredEntry[] = [];
  for (let next = await parts.next(); next.done !== true; next = await parts.next()) {
    const part = next.value;
    if (part.kind === "entries") {
      entries += part.entries.length;
      for (const entry of part.entries) if (isOfRegisters(entry)) registers.push(entry);
      const others = part.entries.filter((entry) => !isOfRegisters(entry));
      await storage.write(others.map(([key, value]) => ({ kind: "put", key, value })));
    } else if (part.kind === "blob") {
      stored += 1;
      await blobs.write(part.digest, chunksOf(parts, part.size, file));
    } else if (part.kind === "end") {
      if (part.entries !== entries || part.blobs !== stored) break;
      return { entries, blobs: stored, raised: await writeRegisters(registers, storage) };
    } else break;
  }
  throw invalid(file, "it does not end as one: something is missing");
}

function isOfRegisters([key]: StoredEntry): boolean {
  return key.startsWith(controlKeys.registers);
}

/** Writes each register alone, whichever shared an entry. @returns how many steps got a higher token. */
async function writeRegisters(stored: readonly StoredEntry[], storage: Storage): Promise<number> {
  let raised = 0;
  const operations: WriteOperation[] = [];
  for (const [name, record] of readRegisters(stored).registers) {
    const value = runOfStepRegister(name) === null ? null : withRaisedToken(record.value);
    if (value !== null) raised += 1;
    const bytes = storedRecord({ ...record, value: value ?? record.value });
    operations.push({ kind: "put", key: registerKey(name), value: bytes });
  }
  for (let at = 0; at < operations.length; at += limits.batchRecordsMax)
    await storage.write(operations.slice(at, at + limits.batchRecordsMax));
  return raised;
}

/** Null for a step that is over. */
function withRaisedToken(bytes: Uint8Array): Uint8Array | null {
  const value = decodeValue(bytes) as RegisterValue;
  if (value.kind !== "step" || value.state === "done") return null;
  return encodeValue({ ...value, token: value.token + limits.restoredTokenGap });
}

async function* chunksOf(
  parts: AsyncGenerator<BackupPart, void, void>,
  size: number,
  file: string,
): AsyncGenerator<Uint8Array, void, void> {
  for (let left = size; left > 0;) {
    const next = await parts.next();
    if (next.done === true || next.value.kind !== "chunk") throw invalid(file, "a blob in it ends early");
    left -= next.value.bytes.length;
    yield next.value.bytes;
  }
}

async function* partsOf(file: string): AsyncGenerator<BackupPart, void, void> {
  const decoder = new FrameDecoder();
  try {
    for await (const chunk of createReadStream(file)) {
      const frames = decoder.push(chunk as Uint8Array);
      if (frames === "oversized") throw invalid(file, "it is something else");
      for (const frame of frames) {
        const part = decodePart(frame);
        if (part === null) throw invalid(file, "it is something else");
        yield part;
      }
    }
  } catch (error) {
    if (error instanceof OttoError) throw error;
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
      state: "Nothing was restored.",
      next: "Name the file that `otto control backup` wrote.",
      cause: error,
    });
  }
}

function invalid(file: string, why: string): OttoError {
  return new OttoError("OTTO_BACKUP_INVALID", {
    what: `${file} is no whole backup: ${why}.`,
    state: "Nothing was restored.",
    next: "Take another one that `otto control backup` wrote to its end.",
  });
}
