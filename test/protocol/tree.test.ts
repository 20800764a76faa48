import { assert, property, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { encodeTree, isSafePath, parseTree, type TreeFile } from "../../protocol/tree.ts";
import { encodeValue } from "../../protocol/values.ts";

const digest = "0".repeat(64);

function file(path: string, more: Partial<TreeFile> = {}): TreeFile {
  return { path, mode: "file", size: 1, digest, ...more };
}

function problemOf(value: unknown): string {
  const parsed = parseTree(encodeValue(value));
  return parsed.ok ? "none" : parsed.problem;
}

describe("a tree", () => {
  it("is the same bytes for the same files in any order, and reads back sorted by code unit", () => {
    const files = ["b", "a/c", "a-b", "Z", "ä"].map((path) => file(path));
    const bytes = encodeTree(files);
    expect(encodeTree(files.toReversed())).toEqual(bytes);
    const parsed = parseTree(bytes);
    expect(parsed.ok && parsed.value.files.map((entry) => entry.path)).toEqual(["Z", "a-b", "a/c", "b", "ä"]);
  });

  it("may be empty", () => {
    expect(parseTree(encodeTree([]))).toEqual({ ok: true, value: { otto: "tree/1", files: [] } });
  });

  const refused: readonly {
    readonly what: string;
    readonly files: readonly unknown[];
    readonly why: RegExp;
  }[] = [
    { what: "not sorted", files: [file("b"), file("a")], why: /not sorted/ },
    { what: "with a path twice", files: [file("a"), file("a")], why: /twice/ },
    { what: "with a file below a link", files: [file("a", { mode: "link" }), file("a/b")], why: /below "a"/ },
    {
      what: "with a file deep below a file",
      files: [file("a"), file("a.b"), file("a/b/c")],
      why: /below "a"/,
    },
    { what: "with a path upwards", files: [file("../a")], why: /unsafe path/ },
    { what: "with an absolute path", files: [file("/a")], why: /unsafe path/ },
    { what: "with a file of git's own", files: [file("a/.git/config")], why: /unsafe path/ },
    { what: "with an unknown mode", files: [{ ...file("a"), mode: "device" }], why: /unknown mode/ },
    { what: "with a negative size", files: [file("a", { size: -1 })], why: /not a count of bytes/ },
    { what: "with a broken size", files: [{ ...file("a"), size: 1.5 }], why: /not a count of bytes/ },
    {
      what: "with a digest in capitals",
      files: [file("a", { digest: "A".repeat(64) })],
      why: /not a sha256/,
    },
    { what: "with a short digest", files: [file("a", { digest: "0" })], why: /not a sha256/ },
    {
      what: "with too many bytes",
      files: [file("a", { size: limits.sourceBytesMax + 1 })],
      why: /more than/,
    },
    { what: "with a very long link", files: [file("a", { mode: "link", size: 10_000 })], why: /too long/ },
    { what: "with an unknown field", files: [{ ...file("a"), owner: "root" }], why: /not a file/ },
    { what: "with a field missing", files: [{ path: "a" }], why: /not a file/ },
    { what: "with something else in it", files: ["a"], why: /not a file/ },
  ];
  for (const { what, files, why } of refused) {
    it(`is refused ${what}`, () => {
      expect(problemOf({ otto: "tree/1", files })).toMatch(why);
    });
  }

  it("is refused when it is something else", () => {
    for (const value of [null, [], {}, { otto: "tree/2", files: [] }, { otto: "tree/1", files: {} }]) {
      expect(problemOf(value)).toBe("not a tree");
    }
    expect(problemOf({ otto: "tree/1", files: [], more: 1 })).toBe("not a tree");
  });

  it("never crashes on any bytes", () => {
    assert(property(uint8Array({ maxLength: 200 }), (bytes) => typeof parseTree(bytes).ok === "boolean"));
  });
});

describe("a path", () => {
  it("is safe only when it stays inside, in one spelling", () => {
    for (const path of ["a", "a/b", ".gitignore", "a/..b", "...", "a b", "-rf"]) {
      expect(isSafePath(path), path).toBe(true);
    }
    for (const path of ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", ".git", "a/.git", "a\0b"]) {
      expect(isSafePath(path), path).toBe(false);
    }
  });
});
