/** Peers with the same logs see it by one hash; peers that differ find where. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { LogTree } from "../../protocol/log-tree.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { Chance } from "../../simulations/random.ts";

function nameOf(index: number): string {
  return sha256Hex(Buffer.from(`log ${index}`)).slice(0, 32);
}

const names = Array.from({ length: 700 }, (_, index) => nameOf(index));

function treeOf(logs: readonly string[]): LogTree {
  const tree = new LogTree();
  for (const log of logs) tree.set(log, { seq: 1, hash: log });
  return tree;
}

/** The regions in which two trees differ, as two peers find them. */
function differing(one: LogTree, other: LogTree, prefix = ""): string[] {
  if (one.hash(prefix) === other.hash(prefix)) return [];
  if (one.isListed(prefix)) return [prefix];
  const [left, right] = [one.parts(prefix), other.parts(prefix)];
  const digits = "0123456789abcdef".split("").filter((digit) => left[digit] !== right[digit]);
  return digits.flatMap((digit) => differing(one, other, prefix + digit));
}

describe("a tree of logs", () => {
  it("has one hash for the same logs, in whatever order they came and whatever was there between", () => {
    const chance = new Chance(1, "order");
    const first = treeOf(names);
    for (let round = 0; round < 5; round += 1) {
      const other = treeOf([
        ...chance.shuffled([...names, ...names.map((_, index) => nameOf(1_000 + index))]),
      ]);
      for (const [index] of names.entries()) other.delete(nameOf(1_000 + index));
      expect(other.hash("")).toBe(first.hash(""));
      expect(other.parts("")).toEqual(first.parts(""));
      expect(other.list("")).toEqual(first.list(""));
    }
  });

  it("has another hash as soon as one log is further, frozen, new or gone", () => {
    const tree = treeOf(names);
    const [log = ""] = names;
    const before = tree.hash("");
    const hashes = new Set([before]);
    tree.set(log, { seq: 2, hash: log });
    hashes.add(tree.hash(""));
    tree.set(log, { seq: 2, hash: "other" });
    hashes.add(tree.hash(""));
    tree.set(log, "frozen");
    hashes.add(tree.hash(""));
    tree.delete(log);
    hashes.add(tree.hash(""));
    expect(hashes.size).toBe(5);
    tree.set(log, { seq: 1, hash: log });
    expect(tree.hash("")).toBe(before);
  });

  it("leads to where two differ: few regions of few logs, among many", () => {
    const tree = treeOf(names);
    const other = treeOf(names);
    const changed = [3, 77, 500].map((index) => names[index] ?? "");
    for (const log of changed) other.set(log, { seq: 5, hash: "further" });
    const regions = differing(tree, other);
    expect(regions.length).toBeLessThanOrEqual(changed.length);
    for (const log of changed) expect(regions.some((region) => log.startsWith(region))).toBe(true);
    for (const region of regions) expect(tree.list(region).length).toBeLessThanOrEqual(limits.logsListedMax);
  });

  it("tells as many logs one by one as may be listed, and hashes of parts for one more", () => {
    const tree = treeOf(names.slice(0, limits.logsListedMax));
    expect(tree.isListed("")).toBe(true);
    tree.set(names[limits.logsListedMax] ?? "", { seq: 1, hash: "" });
    expect(tree.isListed("")).toBe(false);
    tree.delete(names[0] ?? "");
    expect(tree.isListed("")).toBe(true);
  });

  it("has nothing to say of a region without logs", () => {
    expect(new LogTree().hash("")).toBe("");
    expect(new LogTree().parts("")).toEqual({});
    expect(treeOf(["00".repeat(16)]).hash("1")).toBe("");
  });
});
