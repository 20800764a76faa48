import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { tornBytes } from "../../node/edge/level-journal.ts";
import { openStorage } from "../../node/edge/level-storage.ts";

let root = "";

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "otto-level-"));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A folder as a `kill -9` leaves it: copied while the database is open. */
async function crashedFolder(writes: number): Promise<string> {
  const live = join(root, "live");
  const { storage } = await openStorage(join(live, "db"));
  for (let index = 0; index < writes; index += 1) {
    await storage.write([{ kind: "put", key: `key/${index}`, value: Buffer.from(`value ${index}`) }]);
    await storage.sync();
  }
  const crashed = join(root, "crashed");
  cpSync(live, crashed, { recursive: true });
  await storage.close();
  return crashed;
}

function journalOf(folder: string): string {
  const [name = ""] = readdirSync(join(folder, "db")).filter((candidate) => candidate.endsWith(".log"));
  return join(folder, "db", name);
}

describe("storage on disk", () => {
  it("knows after a crash everything that was synced", async () => {
    const folder = await crashedFolder(5);
    const { storage, repaired } = await openStorage(join(folder, "db"));
    expect(repaired).toEqual([]);
    expect((await storage.list("key/")).map(([key]) => key)).toEqual(
      [0, 1, 2, 3, 4].map((index) => `key/${index}`),
    );
    await storage.close();
  });

  it("reports a torn last write, drops it, and goes on", async () => {
    const folder = await crashedFolder(3);
    appendFileSync(journalOf(folder), Buffer.from([1, 2, 3, 4, 200, 0, 1, 9, 9, 9]));
    const { storage, repaired } = await openStorage(join(folder, "db"));
    expect(repaired).toHaveLength(1);
    expect(repaired[0]).toContain("10 bytes were dropped");
    expect(await storage.list("key/")).toHaveLength(3);
    await storage.close();
  });

  it("is refused when something that was acknowledged is gone", async () => {
    const folder = await crashedFolder(3);
    const journal = journalOf(folder);
    truncateSync(journal, readFileSync(journal).length - 3);
    await expect(openStorage(join(folder, "db"))).rejects.toMatchObject({ code: "OTTO_STORAGE_LOST" });
  });

  it("is refused when a write before the last is damaged, wherever in the journal it is", async () => {
    const folder = await crashedFolder(1_000);
    const whole = readFileSync(journalOf(folder));
    expect(whole.length).toBeGreaterThan(2 * 32_768);
    for (let at = 100; at < whole.length; at += 7_919) {
      const copy = join(root, `copy-${at}`);
      cpSync(folder, copy, { recursive: true });
      const damaged = Buffer.from(whole);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
      writeFileSync(journalOf(copy), damaged);
      const opening = openStorage(join(copy, "db"));
      await expect(opening, `byte ${at}`).rejects.toMatchObject({ code: "OTTO_STORAGE_LOST" });
    }
  });

  it("is refused to a second user with a code and the next action", async () => {
    const { storage } = await openStorage(join(root, "db"));
    await expect(openStorage(join(root, "db"))).rejects.toMatchObject({
      code: "OTTO_DATA_FOLDER_IN_USE",
      next: expect.stringContaining("--data"),
    });
    await storage.close();
  });
});

describe("the journal's reader", () => {
  it("finds nothing torn in any journal that ends after a whole write, over block boundaries too", async () => {
    const live = join(root, "live");
    const { storage } = await openStorage(join(live, "db"));
    for (let index = 0; index < 40; index += 1) {
      await storage.write([{ kind: "put", key: `key/${index}`, value: Buffer.alloc(index * 157, index) }]);
      await storage.sync();
      expect(tornBytes(readFileSync(journalOf(live)))).toBe(0);
    }
    await storage.close();
  });

  it("finds the torn bytes wherever a journal is cut", async () => {
    const folder = await crashedFolder(4);
    const whole = readFileSync(journalOf(folder));
    const sound = new Set<number>();
    for (let length = 0; length <= whole.length; length += 1) {
      const torn = tornBytes(whole.subarray(0, length));
      expect(torn).toBeLessThanOrEqual(length);
      if (torn === 0) sound.add(length);
      else expect(sound.has(length - torn)).toBe(true);
    }
    // Four writes and four syncs, and the empty journal.
    expect(sound.size).toBe(9);
  });
});
