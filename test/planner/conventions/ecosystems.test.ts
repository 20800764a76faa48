import { matchesGlob } from "node:path";
import { describe, expect, test } from "vitest";

import { conventions } from "../../../planner/conventions/known.ts";
import { planDetected } from "../../../planner/conventions/plan-detected.ts";
import { parsePlan } from "../../../protocol/plan-check.ts";
import { context, detect, find, sentences } from "./fixture.ts";
import type { Files } from "./fixture.ts";
import { examples } from "./repositories.ts";
import type { Example } from "./repositories.ts";

/** Each cache once, as `name: paths < key files`. */
function cachesOf(files: Files): readonly string[] {
  const { steps } = find(files).pipeline;
  const said = steps.flatMap(({ caches }) =>
    caches.map(({ name, paths, keyFiles }) => `${name}: ${paths.join(", ")} < ${keyFiles.join(", ")}`),
  );
  return [...new Set(said)];
}

test("every ecosystem that is known has an example", () => {
  const known = conventions.map(({ ecosystem }) => ecosystem);
  expect(examples.map(({ ecosystem }) => ecosystem).toSorted()).toEqual(known.toSorted());
});

describe.each(examples.map((example): [string, Example] => [example.ecosystem, example]))(
  "an example of %s",
  (ecosystem, { files, steps, caches, counts, aside = [] }) => {
    test("is installed, checked, built and tested by its own tools", () => {
      const found = find(files).pipeline.steps.map(({ name, commands }) => [name, commands]);
      expect(Object.fromEntries(found)).toEqual(steps);
    });

    test("keeps what it downloads, by its lock or by what names the dependencies", () => {
      expect(cachesOf(files)).toEqual(caches);
    });

    test("says what counts and which versions it wants", () => {
      expect(sentences(find(files).matches)).toEqual(
        expect.arrayContaining(counts.map((words) => `${ecosystem}: ${words}`)),
      );
    });

    test("says what is set aside and why", () => {
      expect(sentences(find(files).rejected).toSorted()).toEqual(aside.toSorted());
    });

    test("comes to a plan that every peer accepts", () => {
      expect(parsePlan(planDetected(find(files), context))).toMatchObject({ ok: true });
    });

    test("keeps only what lies in the workspace or in the home, by files of which each is there", () => {
      for (const { caches: kept } of find(files).pipeline.steps) {
        for (const { paths, keyFiles } of kept) {
          expect(paths.filter((path) => !/^(~\/)?[\w.][\w./-]*$/.test(path) || path.includes(".."))).toEqual(
            [],
          );
          expect(keyFiles.length).toBeGreaterThan(0);
          const isThere = (pattern: string) => Object.keys(files).some((path) => matchesGlob(path, pattern));
          expect(keyFiles.filter((pattern) => !isThere(pattern))).toEqual([]);
        }
      }
    });
  },
);

describe("where tests are not declared", () => {
  const commands = (files: Files): readonly string[] =>
    find(files).pipeline.steps.flatMap((step) => step.commands);

  test.each<[string, Files, string]>([
    ["Deno", { "deno.json": "{}", "cart_test.ts": "" }, "deno test --allow-all"],
    ["Leiningen", { "project.clj": "" }, "lein compile"],
    [".NET", { "Cart.csproj": "" }, "dotnet build Cart.csproj --no-restore"],
    ["Elixir", { "mix.exs": "" }, "mix compile"],
    ["Swift", { "Package.swift": "" }, "swift build"],
    ["CMake", { "CMakeLists.txt": "# enable_testing()\n" }, "cmake -S . -B build"],
    ["Zig", { "build.zig": "" }, "zig build"],
    ["OCaml", { "dune-project": "" }, "opam exec -- dune build"],
  ])("%s is built all the same", (_, files, command) => {
    expect(commands(files)).toContain(command);
  });

  test("the step says so", () => {
    expect(find({ "mix.exs": "" }).pipeline.steps[0]?.reason).toBe(
      "mix.exs describes a project; no tests found",
    );
  });

  test("an alias of Clojure that only adds paths is not run", () => {
    const files = { "deps.edn": '{:aliases {:test {:extra-paths ["test"]}}}', "test/a_test.clj": "" };
    expect(sentences(detect(files).rejected)).toEqual([
      "Clojure: deps.edn declares no alias that runs tests",
    ]);
  });

  test("an environment of Julia that is no package is prepared, not tested", () => {
    const files = { "Project.toml": "[deps]\n", "test/runtests.jl": "" };
    expect(commands(files).at(-1)).toBe("julia --project=. -e 'using Pkg; Pkg.precompile()'");
    expect(sentences(find(files).rejected)).toEqual([
      "Julia: test/runtests.jl is not used: Project.toml describes no package, as it has no uuid",
    ]);
  });
});

describe("a project of PHP", () => {
  const composer = (fields: object): Files => ({ "composer.json": JSON.stringify(fields) });
  const commandsOf = (files: Files) => find(files).pipeline.steps.map(({ commands }) => commands.at(-1));

  test("is tested by its own script before its runner", () => {
    const fields = { scripts: { test: "x" }, "require-dev": { "phpunit/phpunit": "1" } };
    expect(commandsOf({ ...composer(fields), "phpunit.xml": "" })).toEqual(["composer run-script test"]);
    expect(commandsOf(composer({ scripts: { test: "x", ci: "y" } }))).toEqual(["composer run-script ci"]);
  });

  test("is tested by Laravel's own command only where there are tests", () => {
    const laravel = { ...composer({}), artisan: "" };
    expect(commandsOf({ ...laravel, "tests/CartTest.php": "" })).toEqual(["php artisan test"]);
    expect(sentences(find(laravel).rejected)).toContain("PHP: artisan is not used: there are no tests");
  });

  test("gets the settings that Laravel's tests start from", () => {
    const files = { ...composer({}), artisan: "", ".env.example": "", "tests/CartTest.php": "" };
    expect(find(files).pipeline.steps[0]?.commands.slice(1, 3)).toEqual([
      "cp .env.example .env",
      "php artisan key:generate",
    ]);
  });
});

describe("tools that build the same sources", () => {
  test.each<[string, Files, string, string]>([
    [
      "Stack is kept before Cabal",
      { "stack.yaml": "", "cart.cabal": "test-suite a\n" },
      "stack --no-terminal test",
      "Cabal: cart.cabal builds the same sources as stack.yaml",
    ],
    [
      "CMake is kept before Meson and Autotools",
      {
        "CMakeLists.txt": "enable_testing()",
        "meson.build": "test('a', a)",
        "configure.ac": "AM_INIT_AUTOMAKE",
        "Makefile.am": "TESTS = a",
      },
      "ctest --test-dir build --output-on-failure",
      "Autotools: configure.ac builds the same sources as CMakeLists.txt",
    ],
    [
      "what declares tests is kept before what is named first",
      { "CMakeLists.txt": "", "meson.build": "test('a', a)" },
      "meson test -C build --print-errorlogs",
      "CMake: CMakeLists.txt builds the same sources as meson.build",
    ],
    [
      "CMake in a package of Swift is for those who build Swift itself",
      { "Package.swift": ".testTarget(", "CMakeLists.txt": "enable_testing()" },
      "swift test",
      "CMake: CMakeLists.txt builds the same sources as Package.swift",
    ],
    [
      "a package of Swift without tests leaves the tests to CMake",
      { "Package.swift": "", "CMakeLists.txt": "enable_testing()" },
      "ctest --test-dir build --output-on-failure",
      "Swift: Package.swift builds the same sources as CMakeLists.txt",
    ],
    [
      "of task runners the first is kept",
      { justfile: "test:\n  t\n", Makefile: "test:\n\tt\n", "MODULE.bazel": "", "a_test.cc": "" },
      "just test",
      'Make: Makefile declares the target "test"; it is left to just test',
    ],
  ])("%s", (_, files, last, said) => {
    const { pipeline, rejected } = find(files);
    expect(pipeline.steps.map(({ commands }) => commands.at(-1))).toEqual([last]);
    expect(sentences(rejected)).toContain(said);
  });
});

describe("a version", () => {
  const said = (files: Files) =>
    sentences(find({ "go.mod": "module a\n", "a_test.go": "", ...files }).matches);

  test("is read from the files of every manager of versions", () => {
    expect(said({ ".tool-versions": "# tools\ngolang 1.24.1\n" })).toContain(
      "Go: .tool-versions declares the version of Go: 1.24.1",
    );
    expect(said({ "mise.toml": '[tools]\ngo = "1.24"\n' })).toContain(
      "Go: mise.toml declares the version of Go: 1.24",
    );
  });

  test("that could make the reason say otherwise is left out", () => {
    expect(said({ ".go-version": "1.24\u202e; all is well\n" })).toEqual(said({}));
    expect(said({ ".go-version": "9".repeat(200) })).toEqual(said({}));
  });
});

describe("a project of Leiningen", () => {
  const tested = (project: string): string | undefined =>
    find({ "project.clj": project, "test/a_test.clj": "" }).pipeline.steps[0]?.commands.at(-1);

  test("is tested by its own alias, then in the projects that it names", () => {
    expect(tested('(defproject a "1" :plugins [[lein-sub "0.3"]] :aliases {"test" ["sub" "test"]})')).toBe(
      "lein test",
    );
    expect(tested('(defproject a "1" :plugins [[lein-sub "0.3"]])')).toBe("lein sub test");
  });
});

describe("a Python package that compiles something", () => {
  test.each([
    ["mesonpy", "meson.build", "test('a', a)", "Meson"],
    ["scikit_build_core.build", "CMakeLists.txt", "enable_testing()", "CMake"],
  ])("by %s speaks for it", (backend, file, text, ecosystem) => {
    const files = {
      "pyproject.toml": `[project]\nname = "a"\n[build-system]\nbuild-backend = "${backend}"\n[tool.pytest]\n`,
      "tests/test_a.py": "",
      [file]: text,
    };
    expect(find(files).pipeline.steps.map(({ name }) => name)).toEqual(["test"]);
    expect(sentences(find(files).rejected)[0]).toBe(
      `${ecosystem}: ${file} has no steps of its own: it is built into the package by ${backend.split(".")[0]}`,
    );
  });
});

describe("a Makefile that autoconf makes", () => {
  test("is configured first, and configure made where it is not there", () => {
    const template = { "Makefile.in": "test: a\n\t./t\n", "configure.ac": "AC_INIT" };
    const commands = (files: Files): readonly string[] | undefined => find(files).pipeline.steps[0]?.commands;
    expect(commands(template)).toEqual(["autoreconf --install", "./configure", "make test"]);
    expect(commands({ ...template, configure: "" })).toEqual(["./configure", "make test"]);
  });
});

describe("a Rakefile without gems", () => {
  test("is a task runner beside an ecosystem that declares tests", () => {
    const files = { "go.mod": "module a\n", "a_test.go": "", Rakefile: "task default: :test\n" };
    expect(find(files).pipeline.steps.map(({ name }) => name)).toEqual(["test"]);
    expect(sentences(find(files).rejected)).toEqual([
      "Ruby: Rakefile declares how to test; the pipeline is that of Go",
    ]);
  });
});
