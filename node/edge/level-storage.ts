/**
 * Storage on disk: `level`, with writing apart from making durable, and honest about what a crash left.
 *
 * LevelDB drops a torn last record without a word. Before it is opened, its journal is read here: a torn tail is
 * reported; and a counter of acknowledged syncs kept beside the database shows when something that was acknowledged
 * is gone, in which case the folder is refused: a peer that forgot its promises must not vote.
 */

import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Level } from "level";
import { OttoError } from "../../protocol/errors.ts";
import { wordsOf } from "./error-words.ts";
import type { Storage, StoredEntry, WriteOperation } from "../ports.ts";
import { isDamagedWithin, tornBytes } from "./level-journal.ts";

const syncKey = "$sync";

export type OpenedStorage = {
  readonly storage: Storage;
  /** What was found and repaired at opening, as sentences for the log; empty when all was well. */
  readonly repaired: readonly string[];
};

/** Opens (or makes) the database in a folder. One process at a time. */
export async function openStorage(folder: string): Promise<OpenedStorage> {
  const repaired = tornTails(folder);
  const database = new Level<string, Uint8Array>(folder, { keyEncoding: "utf8", valueEncoding: "view" });
  try {
    await database.open();
  } catch (error) {
    throw openingFailed(folder, error);
  }
  const stored = await database.get(syncKey);
  const durable = stored === undefined ? 0 : Number(Buffer.from(stored).readBigUInt64BE());
  const acknowledged = openCounter(join(folder, "..", "acknowledged"));
  if (acknowledged.value > durable) {
    await database.close();
    acknowledged.close();
    throw new OttoError("OTTO_STORAGE_LOST", {
      what: `The database in ${folder} lost ${acknowledged.value - durable} writes that it had acknowledged.`,
      state: `It was refused: a peer that forgot what it promised must not take part.${repaired.length > 0 ? ` ${repaired.join(" ")}` : ""}`,
      next: afterLoss,
    });
  }
  return { storage: storageOn(database, durable, acknowledged, folder), repaired };
}

function storageOn(
  database: Level<string, Uint8Array>,
  durable: number,
  acknowledged: Counter,
  folder: string,
): Storage {
  let syncs = durable;
  const guarded = async <Value>(what: string, work: () => Promise<Value>): Promise<Value> => {
    try {
      return await work();
    } catch (error) {
      throw writingFailed(folder, what, error);
    }
  };
  /** One by one and not as a list: of each item of a list the library makes a copy with its options, which costs more than the write. */
  const together = (operations: readonly WriteOperation[]) => {
    const batch = database.batch();
    for (const operation of operations) {
      if (operation.kind === "put") batch.put(operation.key, operation.value);
      else batch.del(operation.key);
    }
    return batch;
  };
  /** In one batch with what is to become durable, so that a commit is one trip to the disk. */
  const synced = (operations: readonly WriteOperation[]): Promise<void> =>
    guarded("made durable", async () => {
      const value = Buffer.alloc(8);
      value.writeBigUInt64BE(BigInt((syncs += 1)));
      const mine = syncs;
      await together(operations).put(syncKey, value).write({ sync: true });
      acknowledged.set(mine);
    });
  return {
    get: (key) => guarded("read", () => database.get(key)),
    list: (prefix) =>
      guarded("read", async () => {
        const entries: StoredEntry[] = [];
        const range = { gte: prefix, lt: `${prefix}\uffff` };
        for await (const [key, value] of database.iterator(range)) entries.push([key, value]);
        return entries;
      }),
    write: (operations) => guarded("written", () => together(operations).write()),
    sync: () => synced([]),
    commit: (operations, done) => void synced(operations).then(() => done(null), done),
    close: async () => {
      await database.close();
      acknowledged.close();
    },
  };
}

type Counter = { readonly value: number; set(value: number): void; close(): void };

/** A number in a file of eight bytes, written in place. It may lag behind; it never runs ahead. */
function openCounter(path: string): Counter {
  const file = openSync(path, readableFlags(path));
  const bytes = Buffer.alloc(8);
  const found = readSync(file, bytes, 0, 8, 0) === 8 ? Number(bytes.readBigUInt64BE()) : 0;
  let highest = found;
  return {
    value: found,
    set(value) {
      if (value <= highest) return;
      highest = value;
      bytes.writeBigUInt64BE(BigInt(value));
      writeSync(file, bytes, 0, 8, 0);
    },
    close: () => closeSync(file),
  };
}

function readableFlags(path: string): string {
  try {
    closeSync(openSync(path, "r"));
    return "r+";
  } catch {
    return "w+";
  }
}

function tornTails(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  const sentences: string[] = [];
  for (const name of names.filter((candidate) => candidate.endsWith(".log")).toSorted()) {
    const journal = readFileSync(join(folder, name));
    if (isDamagedWithin(journal)) throw damagedWithin(join(folder, name));
    const torn = tornBytes(journal);
    if (torn > 0)
      sentences.push(
        `The last write in ${join(folder, name)} was torn: ${torn} bytes were dropped; nothing of it had been acknowledged.`,
      );
  }
  return sentences;
}

const afterLoss =
  "Join again as a new peer, with another folder. A control peer of several can stay who it is: remove `db` and `acknowledged` from its folder, start it, and say `otto control replace PEER` of it at another.";

function damagedWithin(path: string): OttoError {
  return new OttoError("OTTO_STORAGE_LOST", {
    what: `The database's journal ${path} is damaged in its middle: writes that were acknowledged cannot be read.`,
    state: "It was refused: a peer that forgot what it promised must not take part.",
    next: afterLoss,
  });
}

function openingFailed(folder: string, error: unknown): OttoError {
  const cause = (error as { cause?: { code?: string } }).cause;
  if (cause?.code === "LEVEL_LOCKED")
    return new OttoError("OTTO_DATA_FOLDER_IN_USE", {
      what: `Another Otto process uses the data folder of ${folder}.`,
      next: "Stop that process, or give this one a data folder of its own with --data.",
      cause: error,
    });
  return writingFailed(folder, "opened", error);
}

function writingFailed(folder: string, what: string, error: unknown): OttoError {
  const text = wordsOf(error);
  const full = /no space left|ENOSPC/iu.test(text);
  return new OttoError(full ? "OTTO_DISK_FULL" : "OTTO_STORAGE_FAILED", {
    what: full
      ? `The disk that holds ${folder} is full.`
      : `The database in ${folder} could not be ${what}: ${text.trim()}.`,
    state: "This peer has stopped; nothing that it acknowledged is lost.",
    next: full ? "Free some space and start the node again." : "Look at the disk and start the node again.",
    cause: error,
  });
}
