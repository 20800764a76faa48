import { describe, expect, it } from "vitest";
import { growsIn, runDay } from "../../simulations/day.ts";
import { sizesOf } from "../../simulations/sizes.ts";

describe("what a process holds", () => {
  class Inner {
    readonly #list = [1, 2, 3];
    readonly seen = new Set(["one"]);

    get list() {
      return this.#list;
    }
  }

  class Core {
    readonly #inners = new Map([
      ["one", new Inner()],
      ["other", new Inner()],
    ]);
    readonly #own = new Inner();
    readonly #empty: string[] = [];
    readonly #nested = new Map([["run", new Map([[1, ["lease", "lease"]]])]]);

    get all() {
      return [this.#inners, this.#own, this.#empty, this.#nested];
    }
  }

  it("is found in every list, map and set, however deep and private", () => {
    expect(Object.fromEntries(sizesOf(new Core()))).toEqual({
      "#inners": 2,
      "#inners[].#list": 6,
      "#inners[].seen": 2,
      "#own.#list": 3,
      "#own.seen": 1,
      "#empty": 0,
      "#nested": 1,
      "#nested[]": 1,
      "#nested[][]": 2,
    });
  });

  it("is counted for all members of a collection, though only some are looked into", () => {
    const many = new Map(Array.from({ length: 100 }, (_, index) => [index, ["a", "b"]]));
    expect(Object.fromEntries(sizesOf({ many }))).toEqual({ many: 100, "many[]": 200 });
  });

  it("grows when it follows time, and not when it follows the load", () => {
    expect(growsIn([0, 10, 20, 30, 40, 50, 60, 70])).toBe(true);
    expect(growsIn([0, 100, 104, 108, 112, 116, 120, 124])).toBe(true);
    expect(growsIn([5, 70, 60, 75, 58, 72, 61, 70])).toBe(false);
    expect(growsIn([0, 100, 100, 100, 100, 100, 100, 100])).toBe(false);
    expect(growsIn([0, 0, 0, 0, 900, 0, 0, 0])).toBe(false);
    expect(growsIn([0, 1, 2, 3, 3, 3, 4, 4])).toBe(false);
    expect(growsIn([0, 1, 2, 3, 3, 4, 5, 5])).toBe(true);
    // Two days of what a home knows of caches at hand, and the same with a leak.
    const swings = [
      [
        125, 79, 78, 65, 110, 60, 80, 122, 102, 61, 83, 98, 119, 151, 82, 62, 141, 96, 122, 55, 81, 89, 72,
        107,
      ],
      [86, 62, 79, 70, 85, 103, 92, 80, 84, 74, 80, 115, 94, 92, 76, 98, 86, 108, 65, 97, 89, 105, 48, 78],
    ];
    expect(swings.map(growsIn)).toEqual([false, false]);
    expect(swings.map((sizes) => growsIn(sizes.map((size, hour) => size + 4 * hour)))).toEqual([true, true]);
  });
});

describe("a day of a mesh", () => {
  it("leaves nothing in its processes that follows the time", async () => {
    const { verdict, grown } = await runDay({
      seed: 1,
      hours: 7,
      minutesPerHour: 5,
      peers: 14,
      runsPerHour: 12,
    });
    expect({ verdict, grown }).toEqual({ verdict: "passed", grown: [] });
  });
});
