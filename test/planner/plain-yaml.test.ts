/** The short way through YAML answers what the full parser answers, or nothing. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Mistakes } from "../../planner/diagnostics.ts";
import { parsePlainYaml } from "../../planner/plain-yaml.ts";
import { parseYaml } from "../../planner/yaml.ts";

/** Compares both ways; true when the short way had an answer. */
function agree(text: string): boolean {
  const plain = parsePlainYaml(text);
  if (plain === null) return false;
  const mistakes = new Mistakes();
  const full = parseYaml(text, mistakes);
  expect([mistakes.diagnostics({ text, file: "f" }), full === null]).toEqual([[], false]);
  if (full !== null) expect(plain).toEqual(full);
  return true;
}

const usual = `# A pipeline
otto: 1
pipeline: webapp   # its name

parameters:
  channel: { type: string, enum: [beta, stable], default: beta }
environments:
  prod: {}
steps:
  build:
    run:
      - bundle install
      - "bundle exec rake assets:prepare"
    outputs: { assets: public/assets/** }
    env: { A: 1.10, B: 'x, y', C: true, D: "" }
  test:
    needs: [build]
    matrix: {
      ruby: ["3.3",
        "3.4"],
      include: [
        { ruby: "3.5" },
        ]
      }
    when: git.branch == "main" && trigger != 'push'
    run: |
      one: [
        two
      # three
    timeout: 1h30m
  list:
    run:
    - a
    - b
    needs: test
    matrix:
      "os": [linux]
      include:
        - os: 'mac''s'
          name: "a \\"b\\" \\\\"
  last:
    run: |-
      the

      end
`;

describe("a plain file", () => {
  it("takes the short way", () => {
    expect(agree(usual)).toBe(true);
  });

  it.each([
    "a:\n",
    "a:\nb: 1\n",
    "a: 1",
    "a: []\nb: {}\n",
    "a: x y  z\n",
    "a: x#y\n",
    "a: x:y\n",
    "a: 1.2.3\n",
    "a: [[a, b], {c: d}]\n",
    "a:\n  - [x]\n  - {y: z}\n",
    "a: 10.0\n",
    "a: [x,\n  y\n  ,{ b: c,\n\n d: [\n e ]\n  }\n  ]\nf: [\n  ]\n",
    "a:\n  - [x,\r\n    y,\r\n   ]\r\n  - b: { c: d,\r\n      e: 'f' }\r\n",
    'a: {\n  "b": [\n    1,\n    2\n   ],\n  "c": true\n }\n',
    "a: [x, ]\nb: { c: d , }\ne: [1,2,]\n",
    "a: $HOME/x\n",
    "a: x # y\n",
    "a:\n\n  # c\n  b: c\n\n\nd: e\n",
    'a: "\\n\\\\\\"\\u00e9 x"\n',
    'a: "\\\\"\n',
    "a: 'it''s'\n",
    "a: caf\u00e9\n",
    "a: [\u{1f600}, \u00e9]\n",
    "a: 1\r\nb:\r\n  c: x # y\r\n",
    "a: |\r\n  x\r\n\r\n  y\r\nb: 1\r\n",
    "a: |\n  x\n\n    y\n \n\nb: |-\n  z\n\n\n",
    "a:\n  - b: 1\n    c: [2]\n  - 'd':\n      - e\n    f: |\n      g\n",
    "a:\n- b:\n  - c\n- d: e\n",
    '"a": { "b": 1, \'c d\': "e" }\n',
    "3.4: 1\n1-b: 2\ntrue: 3\nnull: 4\n",
  ])("%j takes the short way", (text) => {
    expect(agree(text)).toBe(true);
  });
});

describe("anything else", () => {
  it.each([
    "",
    "- a\n",
    "a: &x 1\n",
    "a: *x\n",
    "a: !!str 1\n",
    "a: null\n",
    "a: ~\n",
    "a: 0x10\n",
    "a: 1e3\n",
    "a: x\n  y\n",
    'a: "x\n  y"\n',
    "a: [x\n  y]\n",
    "a: [x, # c\n  y]\n",
    "a: ['x\n  y']\n",
    "a: [x,\ny]\n",
    "a: [x,\n]\n",
    "a: { b:\n  c }\n",
    "a: [x,\n  y] # c\n",
    "a:\n  b: [x,\n  y]\n",
    "a: >\n  x\n",
    "a: |2\n   x\n",
    "a: |\n\n  x\n",
    "a: x: y\n",
    "a: 1\na: 2\n",
    "a:\n    b: 1\n  c: 2\n",
    "\ta: 1\n",
    "a: 1\n---\nb: 2\n",
    "? a\n: b\n",
    "<<: { a: 1 }\n",
    "a: [, x]\n",
    "a: [x,, y]\n",
    "a: { b: 1,, c: 2 }\n",
    'a: "\\x41"\n',
    'a: "\\u12"\n',
    "a: \u00a0x\n",
    "a: x\u2028\n",
    "a: x\ufeff\n",
    "a: 1\rb: 2\n",
    '{ "a": 1 }\n',
    "- a: 1\n",
    "a:\n  - b: 1\n   c: 2\n",
    "a: { b }\n",
  ])("%j is left to the full parser", (text) => {
    expect(agree(text)).toBe(false);
  });
});

it("agrees with the full parser on whatever it answers, however a file is changed", () => {
  const lines = usual.split("\n");
  const edit = fc.record({
    line: fc.nat(lines.length - 1),
    column: fc.nat(40),
    remove: fc.nat(3),
    insert: fc.constantFrom(
      ...' |  |    |:|: | #|#|-|- |,|[|]|{|}|"|\'|x|1|.|\n|\n  |\n\n|true|null|~|*|&a |!|\r\n|\r|\u00e9|- a: |"":|\t|\\|0x1|>|%|@|?|$|=|---|...|a: b|\n- x'.split(
        "|",
      ),
      "|",
      "|\n",
      "",
    ),
  });
  const changed = fc.array(edit, { minLength: 1, maxLength: 3 }).map((edits) => {
    const copy = [...lines];
    for (const { line, column, remove, insert } of edits) {
      const old = copy[line] ?? "";
      copy[line] = old.slice(0, column) + insert + old.slice(column + remove);
    }
    return copy.join("\n");
  });
  let answered = 0;
  fc.assert(
    fc.property(changed, (text) => {
      if (agree(text)) answered += 1;
    }),
    { numRuns: 1_500 },
  );
  expect(answered).toBeGreaterThan(200);
});

it("agrees with the full parser on small texts of YAML's own signs", () => {
  const parts =
    "a|b|: |:|\\|''|\r\n|\u00e9|\\n|- a: | |  |\n|\n|\n  |\n    |- |-|[|]|{|}|, |,|\"|'|#| #|1|true|x"
      .split("|")
      .concat("|");
  const text = fc
    .array(fc.constantFrom(...parts), { maxLength: 14 })
    .map((chosen) => `a: ${chosen.join("")}`);
  fc.assert(
    fc.property(text, (written) => {
      agree(written);
    }),
    { numRuns: 20_000 },
  );
});
