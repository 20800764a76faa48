/** A pattern in `paths` and `changed(...)` means what it means in `outputs`. */

import * as fc from "fast-check";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlobs } from "../../node/edge/blobs.ts";
import { storeOutput } from "../../node/edge/execution/outputs.ts";
import { globOf } from "../../planner/globs.ts";
import { alternativesOf } from "../../protocol/braces.ts";
import { patternProblem } from "../../planner/patterns.ts";
import { maskingNothing } from "../../protocol/credentials/masker.ts";
import { parseTree } from "../../protocol/tree.ts";

const paths = [
  ".env",
  "README.md",
  "a/.hidden/z.ts",
  "a/b/c/d.ts",
  "a/q[1].ts",
  "a/z.ts",
  "api/1/v.json",
  "api/2/v.json",
  "web/.env",
  "web/app.ts",
  "web/app.tsx",
];

const patterns = [
  ..."** * web web/** web/* **/*.ts **/*.{ts,tsx} a/{b,z.ts} a/**/d.ts a/** a/?.ts a/[a-y].ts a/[!a-y].ts".split(
    " ",
  ),
  ..."@(a|web)/* a/!(b|c) +(a|we)* a/{b,c}/** a/q[[]1].ts **/.* {a,web}/**/*.ts a/b** api/{1..3}/* api/[[:digit:]]/*".split(
    " ",
  ),
  ..."[[:alpha:]]/* WEB/* {a} {a,} **/**/d.ts a/*** web/[.]env .env *.md web/*.ts? nothing/** **/b api/?/v.json".split(
    " ",
  ),
  ..."**/[a-c]/** *(a|b)/z.ts web/?(app).ts a{/b,}/z.ts **/c/*.ts .* **/.hidden/*".split(" "),
];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-globs-"));
  for (const path of paths) {
    mkdirSync(join(folder, "workspace", dirname(path)), { recursive: true });
    writeFileSync(join(folder, "workspace", path), path);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(patterns)("%s names the files that it names in `outputs`", async (pattern) => {
  const blobs = await openBlobs(join(folder, "blobs"));
  const into = { blobs, mask: maskingNothing };
  const stored = await storeOutput({ name: "o", files: [pattern] }, join(folder, "workspace"), into);
  const tree = stored.ok ? parseTree(await blobs.readBytes(stored.value.tree, 100_000)) : null;
  const named = tree?.ok === true ? tree.value.files.map(({ path }) => path) : [];
  expect(patternProblem(pattern)).toBeNull();
  expect(paths.filter(globOf(pattern))).toEqual(named);
});

describe("within one name", () => {
  const letters = fc.constantFrom(..."abAB.-1".split(""));
  const part = fc.oneof(
    letters,
    fc.constantFrom("*", "?", "[ab]", "[!ab]", "[a-c]", "[A-Z]", "{a,b}", "{a,b*}", "{1..2}", "@(a|b)"),
  );
  const globs = fc.array(part, { minLength: 1, maxLength: 5 }).map((list) => list.join(""));
  const names = fc.string({ unit: letters, minLength: 1, maxLength: 5 });

  it.runIf(process.platform === "linux")("fits what the glob of Node fits", () => {
    fc.assert(
      fc.property(globs, names, (pattern, name) => {
        // `**` is not a name, and of names that begin with a point the two written ones are no names.
        fc.pre(!/^\.+$/.test(name) && !alternativesOf(pattern)?.includes("**"));
        expect(globOf(pattern)(name)).toBe(posix.matchesGlob(name, pattern));
      }),
      { numRuns: 3_000 },
    );
  });
});

it("does not try twice what it tried before", () => {
  const name = "a".repeat(250);
  for (const pattern of [`${"*a".repeat(120)}b`, `${"+(a|aa)".repeat(20)}b`, "*(*(*(a)))b"])
    expect(globOf(pattern)(name)).toBe(false);
  expect(globOf(`${"**/a/".repeat(60)}b`)(Array.from({ length: 500 }, () => "a").join("/"))).toBe(false);
});

it("refuses braces that come to too many patterns", () => {
  expect(patternProblem("{a,b}".repeat(9))).toBeNull();
  expect(patternProblem("{a,b}".repeat(500))?.message).toBe("its braces come to more than 1000 patterns");
  expect(patternProblem("{1..1000}")).toBeNull();
  expect(patternProblem("{1..1001}")?.message).toBe("its braces come to more than 1000 patterns");
});
