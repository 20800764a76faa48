import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { allCheckers, checkersBeyond } from "../../simulations/checkers/all.ts";
import { plantings } from "../../simulations/plantings.ts";

const root = new URL("../../", import.meta.url);
/** Those that are no file of their own: an assertion of the code that runs. */
const checkers = new Set([...allCheckers(), ...checkersBeyond()].map(({ name }) => name)).add("assertion");

/** That each is caught is shown by `node simulations/planted.ts`, with a process for each, on every core. */
describe("a mistake to plant", () => {
  it.each(plantings)("$name: is an edit of what is there, for a checker that there is", (planting) => {
    for (const { file, find, replace } of planting.edits) {
      const places = readFileSync(new URL(file, root), "utf8").split(find).length - 1;
      expect({ file, find, places }).toEqual({ file, find, places: 1 });
      expect(replace).not.toBe(find);
    }
    expect(planting.caughtBy.filter((name) => !checkers.has(name))).toEqual([]);
  });

  it("has a name of its own", () => {
    expect(new Set(plantings.map(({ name }) => name)).size).toBe(plantings.length);
  });
});
