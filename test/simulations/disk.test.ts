import { describe, expect, test } from "vitest";
import type { WriteOperation } from "../../node/ports.ts";
import { Disk } from "../../simulations/storage.ts";

describe("a disk that forgets", () => {
  test("says what is synced while something else is written over it", () => {
    const { disk, storage, sync } = diskOf();
    storage.commit([put("key", 1)], ignore);
    sync();
    storage.commit([put("key", 2), put("key", 3)], ignore);
    storage.commit([remove("key")], ignore);
    expect(disk.get("key")).toBeUndefined();
    expect(disk.durable("key")).toEqual(Uint8Array.of(1));
    sync();
    expect(disk.durable("key")).toEqual(Uint8Array.of(3));
    sync();
    expect(disk.durable("key")).toBeUndefined();
  });

  test("keeps the first of the writes that were not synced, and has all behind them as it was before", () => {
    const { disk, storage, sync } = diskOf();
    storage.commit([put("first", 1), put("gone", 1)], ignore);
    sync();
    storage.commit([put("first", 2)], ignore);
    storage.commit([put("first", 3), put("new", 3), put("first", 4)], ignore);
    storage.commit([remove("gone"), put("gone", 5), put("first", 6)], ignore);
    disk.crash(() => 1);
    expect(disk.list("")).toEqual([
      ["first", Uint8Array.of(2)],
      ["gone", Uint8Array.of(1)],
    ]);
    expect(disk.durable("first")).toEqual(Uint8Array.of(2));
  });

  test("a sync makes everything durable that was written before it", () => {
    const { disk, storage, syncLast } = diskOf();
    storage.commit([put("one", 1)], ignore);
    storage.commit([put("other", 2)], ignore);
    syncLast();
    disk.crash(() => 0);
    expect(disk.list("").map(([key]) => key)).toEqual(["one", "other"]);
  });
});

function diskOf() {
  const disk = new Disk();
  const asked: (() => void)[] = [];
  const storage = disk.open((callback) => asked.push(callback));
  return { disk, storage, sync: () => asked.shift()?.(), syncLast: () => asked.pop()?.() };
}

function put(key: string, byte: number): WriteOperation {
  return { kind: "put", key, value: Uint8Array.of(byte) };
}

function remove(key: string): WriteOperation {
  return { kind: "delete", key };
}

function ignore(): void {
  return;
}
