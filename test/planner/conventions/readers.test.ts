import { describe, expect, test } from "vitest";

import { readMakefile } from "../../../planner/conventions/ecosystems/makefile.ts";
import { hasTable, readToml, stringAt } from "../../../planner/conventions/toml.ts";

describe("the reader of TOML", () => {
  const tables = readToml(
    [
      'top = "a" # a comment',
      "[project]",
      'name = "cart # not a comment"',
      "flag = true",
      "count = 3",
      "list = [",
      '  "one", # first',
      "  'two [x]',",
      "]",
      'inline = [{ include-group = "test" }, "three"]',
      '[tool."poetry".group.dev.dependencies]',
      'pytest = { version = "^8" }',
      "[[bin]]",
      "name = 'b'",
      "not toml at all",
    ].join("\r\n"),
  );

  test("finds strings, booleans and lists of strings by table", () => {
    expect(stringAt(tables, "", "top")).toBe("a");
    expect(stringAt(tables, "project", "name")).toBe("cart # not a comment");
    expect(tables.get("project")?.get("flag")).toBe(true);
    expect(tables.get("project")?.get("list")).toEqual(["one", "two [x]"]);
    expect(tables.get("project")?.get("inline")).toEqual(["three"]);
    expect([...(tables.get("tool.poetry.group.dev.dependencies") ?? [])].map(([key]) => key)).toEqual([
      "pytest",
    ]);
    expect(stringAt(tables, "bin", "name")).toBe("b");
  });

  test("knows a table by those below it, not by a longer name", () => {
    expect(hasTable(tables, "tool.poetry")).toBe(true);
    expect(hasTable(tables, "tool.po")).toBe(false);
  });

  test("reads over a list that never ends", () => {
    expect(readToml('[a]\nb = ["c",\nd = 1').get("a")?.get("b")).toEqual(["c"]);
  });
});

describe("the reader of Makefiles", () => {
  test("finds targets with what they need and do", () => {
    const targets = readMakefile(
      [
        ".PHONY: all test",
        "CFLAGS := -O2",
        "CC ?= cc",
        "all lint: a.o \\",
        "  b.o",
        "\tcc $^",
        "%.o: %.c",
        "\tcc -c $<",
        "test: CFLAGS += -g",
        "test:: all | out ; ./t",
        "\t./u",
        "$(OUT): x",
        "ifeq (a,b)",
        "\tnot a recipe",
      ].join("\n"),
    );
    expect(Object.fromEntries(targets)).toEqual({
      all: { name: "all", prerequisites: ["a.o", "b.o"], recipe: ["cc $^"] },
      lint: { name: "lint", prerequisites: ["a.o", "b.o"], recipe: ["cc $^"] },
      test: { name: "test", prerequisites: ["all", "out"], recipe: ["./t", "./u"] },
    });
  });
});
