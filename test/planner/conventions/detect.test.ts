import { describe, expect, test } from "vitest";

import { detectorVersion } from "../../../planner/conventions/detect.ts";
import { conventions } from "../../../planner/conventions/known.ts";
import { commandsOf, context, detect, find, packageJson, planOf, sentences } from "./fixture.ts";
import type { Files } from "./fixture.ts";

const node = {
  "package.json": packageJson({ name: "@acme/shop", scripts: { test: "t" }, dependencies: { a: "1" } }),
  "package-lock.json": "{}",
};
const go = { "go.mod": "module shop\n", "shop_test.go": "" };

describe("the ladder", () => {
  test("begins with the repository's own CI entry, after what is installed at the root", () => {
    const files = { ...node, "bin/ci": "", Makefile: "ci:\n\tmake all\n" };
    expect(commandsOf(files)).toEqual({ ci: ["npm ci", "bin/ci"] });
    expect(sentences(find(files).rejected)).toEqual([
      'Make: Makefile declares the target "ci"; it is left to bin/ci',
    ]);
  });

  test("goes on with the script ci, then the target ci", () => {
    const scripted = {
      ...node,
      "package.json": packageJson({ scripts: { ci: "c", test: "t" }, dependencies: { a: "1" } }),
    };
    expect(commandsOf(scripted)).toEqual({ ci: ["npm ci", "npm run ci"] });
    expect(commandsOf({ ...node, Makefile: "ci: lint test\n" })).toEqual({ ci: ["npm ci", "make ci"] });
  });

  test("runs the entry in the environment that was installed", () => {
    const files = { "requirements.txt": "pytest\n", "tests/test_a.py": "", Makefile: "ci:\n\tpytest\n" };
    expect(commandsOf(files)).toEqual({
      ci: [
        "python3 -m venv .venv",
        ".venv/bin/pip install -r requirements.txt",
        ". .venv/bin/activate && make ci",
      ],
    });
  });

  test("ends with nothing, and with what was seen all the same", () => {
    expect(detect({ "README.md": "" })).toEqual({ kind: "nothing", rejected: [] });
    const files = { "package.json": "{}", "docs/package.json": packageJson({ scripts: { test: "t" } }) };
    expect(sentences(detect(files).rejected)).toEqual([
      "Node: package.json declares no test script",
      "Repository: docs/package.json is in a folder that is no project of its own by its name",
    ]);
  });
});

describe("several ecosystems at the root", () => {
  test("are each tested when each is a project of its own", () => {
    expect(Object.keys(commandsOf({ ...node, ...go, "Cargo.toml": "[package]\n" }))).toEqual([
      "test-go",
      "test-node",
      "test-rust",
    ]);
  });

  test.each<[string, Files, string]>([
    [
      "a Makefile without the target ci",
      { ...go, Makefile: "test:\n\tgo test\n" },
      'Make: Makefile declares the target "test"; the pipeline is that of Go',
    ],
    [
      "a package.json for formatting",
      { ...go, "package.json": packageJson({ scripts: { format: "prettier" } }) },
      "Node: package.json declares no test script; the pipeline is that of Go",
    ],
    [
      "a package.json with tests but no lock",
      { ...go, "package.json": packageJson({ scripts: { test: "t" } }) },
      "Node: package.json declares tests, but has no lock file beside it; the pipeline is that of Go",
    ],
    [
      "a pyproject.toml for tools",
      { ...node, "pyproject.toml": "[tool.ruff]\n" },
      "Python: pyproject.toml declares no test and has no test files; the pipeline is that of Node",
    ],
    [
      "test files that nothing declares",
      { ...go, "setup.py": "", "test_a.py": "" },
      "Python: setup.py declares no test, though there is test_a.py; the pipeline is that of Go",
    ],
    [
      "a Gemfile for documentation",
      { ...node, Gemfile: 'gem "jekyll"' },
      "Ruby: Gemfile has neither specs, tests nor a rake task for them; the pipeline is that of Node",
    ],
  ])("set aside %s", (_, files, said) => {
    expect(Object.keys(commandsOf(files))).toEqual(["test"]);
    expect(sentences(find(files).rejected)).toContain(said);
  });

  test("leave a crate to the package that is built from it", () => {
    const files = {
      "Cargo.toml": "[package]\n",
      "pyproject.toml":
        '[project]\nname = "fast"\n[build-system]\nbuild-backend = "maturin"\n[tool.pytest]\n',
      "tests/test_fast.py": "",
    };
    expect(Object.keys(commandsOf(files))).toEqual(["test"]);
    expect(sentences(find(files).rejected)).toEqual([
      "Rust: Cargo.toml has no steps of its own: it is built into the package by maturin",
    ]);
  });

  test("let a Makefile test what its ecosystem has no declared tests for", () => {
    const files = { "setup.py": "", Makefile: "test:\n\tpython check.py\n" };
    expect(commandsOf(files)).toEqual({
      test: ["python3 -m venv .venv", ".venv/bin/pip install -e .", ". .venv/bin/activate && make test"],
    });
  });
});

describe("a detection", () => {
  test("is a plan that says where it comes from", () => {
    expect(planOf(node)).toEqual({
      otto: 1,
      pipeline: "shop",
      origin: { kind: "conventions", version: detectorVersion, found: ["package-lock.json", "package.json"] },
      context,
      environments: {},
      steps: [
        {
          name: "test",
          from: "test",
          cell: {},
          included: true,
          reason: 'package.json declares the script "test"',
          commands: ["npm ci", "npm test"],
          needs: [],
          environment: null,
          variables: {},
          inputs: [],
          outputs: [],
          timeoutMs: 3_600_000,
          retry: { attemptsMax: 3, on: ["lost"] },
          effect: false,
          labels: [],
          caches: [{ name: "npm", paths: ["~/.npm"], keyFiles: ["package-lock.json"] }],
        },
      ],
    });
  });

  test("does not depend on files whose names hide something", () => {
    const files = { ...go, "a\n_test.go": "", "a\u202e_test.go": "" };
    expect(find(files)).toEqual(find(go));
  });
});

describe("a repository of any size", () => {
  test.each([
    " ",
    "\n",
    "\n\n a",
    "[",
    "[a]\n",
    "a = [\n",
    "{",
    "a = [{",
    '"',
    "<!--",
    "<parent>",
    "extras_require={",
    "'a': [",
    "yarn ",
    "task ",
    "task test\n",
    "tool ",
    "a b ",
    "a:",
    "a = \n",
    "\\\n",
    "[metadata]\n",
    "x\n",
    "//",
    "/*",
    '\\"',
    '"tasks":{',
    '"test" ',
    '"test":',
    ":test {",
    "name:",
    "project (",
    "include (",
    "test (",
    "- a\n",
    "packages:\n",
    "resolver:",
    "rust-version = ",
    "'",
    "=",
    "#",
  ])("is looked into when its files are nothing but %j", (piece) => {
    const text = piece.repeat(Math.floor(300_000 / piece.length));
    const names = [...new Set(conventions.flatMap(({ reads }) => reads))].map((wanted) =>
      wanted.replaceAll("*", "a"),
    );
    const script = packageJson({ scripts: { test: text, build: "b" } });
    const files = Object.fromEntries(names.map((name) => [name, text]));
    expect(find({ ...files, "package.json": script, "package-lock.json": "" }).kind).toBe("found");
  });

  test("is looked into when its files are many", () => {
    const many = Object.fromEntries(
      Array.from({ length: 50_000 }, (_, index) => [`src/part${index}/file.c`, ""]),
    );
    expect(commandsOf({ ...many, ...node })).toEqual(commandsOf(node));
  });
});
