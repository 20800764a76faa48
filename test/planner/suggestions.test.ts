/** "Did you mean": close names are found, far ones are not made up. */

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { closest, suggestion } from "../../planner/suggestions.ts";

it.each([
  ["biuld", "build"],
  ["buidl", "build"],
  ["bild", "build"],
  ["buildd", "build"],
  ["BUILD", "build"],
  ["tests", "test"],
  ["b", null],
  ["deploy", null],
  ["", null],
])("%s means %s", (written, meant) => {
  expect(closest(written, ["test", "build"])).toBe(meant);
});

it("lists what is possible when nothing is close", () => {
  expect(suggestion("x", ["beta", "alpha"], "value")).toBe("write one of `alpha`, `beta`");
  expect(suggestion("x", [], "value")).toBe("no value is declared");
});

/** The same distance without a band, as plainly as it can be written. */
function plainDistance(left: string, right: string): number {
  const rows: number[][] = [Array.from({ length: right.length + 1 }, (_, column) => column)];
  const at = (line: number, column: number): number => rows[line]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let line = 1; line <= left.length; line += 1) {
    const row = [line];
    rows.push(row);
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[line - 1] === right[column - 1] ? 0 : 1;
      const swap = left[line - 1] === right[column - 2] && left[line - 2] === right[column - 1];
      row.push(
        Math.min(
          at(line - 1, column - 1) + same,
          at(line - 1, column) + 1,
          at(line, column - 1) + 1,
          swap ? at(line - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(left.length, right.length);
}

it("finds a name exactly when few enough edits lie between", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(word, word, (written, name) => {
      const allowed = Math.min(3, Math.max(1, Math.floor(written.length / 3)));
      expect(closest(written, [name]) === name).toBe(plainDistance(written, name) <= allowed);
    }),
    { numRuns: 2_000 },
  );
});
