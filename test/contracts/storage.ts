/** What every Storage keeps to, on disk or simulated. */

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Storage, WriteOperation } from "../../node/ports.ts";

type StorageUnderTest = {
  readonly storage: Storage;
  /** Ends the process without a word, and opens what it left. */
  readonly crash: () => Promise<Storage>;
  readonly cleanUp: () => Promise<void>;
};

export function storageContract(name: string, make: () => Promise<StorageUnderTest>): void {
  describe(`${name} keeps the contract of storage`, () => {
    let made: StorageUnderTest;
    beforeEach(async () => {
      made = await make();
    });
    afterEach(() => made.cleanUp());

    it("reads what was written before it is durable", async () => {
      await made.storage.write([put("a", 1)]);
      expect(await valueAt(made.storage, "a")).toBe(1);
      expect(await valueAt(made.storage, "b")).toBeUndefined();
    });

    it("applies the operations of a write in their order, and deletes", async () => {
      await made.storage.write([put("a", 1), put("a", 2), put("b", 3), { kind: "delete", key: "b" }]);
      expect(await valueAt(made.storage, "a")).toBe(2);
      expect(await valueAt(made.storage, "b")).toBeUndefined();
    });

    it("lists exactly what begins with a prefix, by code unit", async () => {
      const keys = ["p/b", "p/B", "p/10", "p/9", "p", "p/", "q/a", "o/z", "p/é"];
      await made.storage.write(keys.map((key) => put(key, 1)));
      const listed = (await made.storage.list("p/")).map(([key]) => key);
      expect(listed).toEqual(["p/", "p/10", "p/9", "p/B", "p/b", "p/é"]);
      expect(await made.storage.list("r/")).toEqual([]);
    });

    it("calls back when a commit is on disk, never before it returns, and has it after a crash", async () => {
      let calls = 0;
      const committed = new Promise<unknown>((resolve) => {
        made.storage.commit([put("a", 1), put("b", 2)], (failure) => {
          calls += 1;
          resolve(failure);
        });
      });
      expect(calls).toBe(0);
      expect(await committed).toBeNull();
      await made.storage.write([put("a", 3)]);
      const after = await made.crash();
      expect([await valueAt(after, "a"), await valueAt(after, "b"), calls]).toEqual([
        expect.any(Number),
        2,
        1,
      ]);
    });

    it("has after a crash everything that a sync returned for, and each write whole or not at all", async () => {
      await made.storage.write([put("a", 1), put("b", 1)]);
      await made.storage.sync();
      await made.storage.write([put("a", 2), put("b", 2)]);
      const after = await made.crash();
      const [a, b] = [await valueAt(after, "a"), await valueAt(after, "b")];
      expect([1, 2]).toContain(a);
      expect(b).toBe(a);
    });
  });
}

function put(key: string, value: number): WriteOperation {
  return { kind: "put", key, value: Uint8Array.of(value) };
}

async function valueAt(storage: Storage, key: string): Promise<number | undefined> {
  return (await storage.get(key))?.[0];
}
