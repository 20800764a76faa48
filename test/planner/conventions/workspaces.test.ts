import { describe, expect, test } from "vitest";

import { commandsOf, find, packageJson, sentences } from "./fixture.ts";
import type { Files } from "./fixture.ts";

const tested = packageJson({ name: "@acme/cart", scripts: { test: "t", build: "b" } });
const untested = packageJson({ name: "shop", scripts: {} });

function workspaces(fields: object, more: Files = {}): Files {
  return {
    "package.json": packageJson({ name: "root", workspaces: ["packages/*"], ...fields }),
    "packages/cart/package.json": tested,
    "packages/shop/package.json": untested,
    ...more,
  };
}

describe("the workspaces of a Node repository", () => {
  const npm = { "package-lock.json": "" };

  test("are built and tested as their manager does it, for a reason that names one", () => {
    expect(commandsOf(workspaces({}, npm))).toEqual({
      test: ["npm ci", "npm run build --workspaces --if-present", "npm run test --workspaces --if-present"],
    });
    expect(sentences(find(workspaces({}, npm)).matches)).toContain(
      'Node: package.json has workspaces, packages/cart/package.json declares the script "test"',
    );
  });

  test("are left to the root's own script", () => {
    expect(commandsOf(workspaces({ scripts: { test: "t" } }, npm))["test"]?.at(-1)).toBe("npm test");
  });

  test("are each named for Yarn 1, which fails where one has no such script", () => {
    const yarn = { "yarn.lock": "# yarn lockfile v1\n" };
    expect(commandsOf(workspaces({}, yarn))["test"]?.at(-1)).toBe("yarn workspace @acme/cart run test");
    const all = { ...workspaces({}, yarn), "packages/shop/package.json": tested };
    expect(commandsOf(all)["test"]?.at(-1)).toBe("yarn workspaces run test");
  });

  test.each<[string, Files, string]>([
    ["pnpm", { "pnpm-lock.yaml": "" }, "pnpm --recursive --if-present run test"],
    ["bun", { "bun.lock": "" }, "bun run --filter '*' test"],
    ["Yarn", { "yarn.lock": "__metadata:\n" }, "yarn workspaces foreach --all --topological run test"],
  ])("are tested by %s", (_, lock, command) => {
    expect(commandsOf(workspaces({}, lock))["test"]?.at(-1)).toBe(command);
  });

  test("of pnpm are those that its own file names", () => {
    const files = {
      "package.json": packageJson({ name: "root" }),
      "pnpm-lock.yaml": "",
      "pnpm-workspace.yaml": "packages:\n  # all\n  - 'packages/*'\n\ncatalog:\n  a: 1\n",
      "packages/cart/package.json": tested,
      "other/package.json": tested,
    };
    expect(commandsOf(files)["test"]?.at(-1)).toBe("pnpm --recursive --if-present run test");
    expect(Object.keys(commandsOf({ ...files, "packages/cart/package.json": untested }))).toEqual([
      "test-other",
    ]);
  });

  test("without a test in any of them have no step for tests", () => {
    const files = { ...workspaces({ scripts: { build: "b" } }, npm), "packages/cart/package.json": untested };
    expect(commandsOf(files)).toEqual({ build: ["npm ci", "npm run build"] });
    expect(sentences(find(files).rejected)).toContain(
      'Node: package.json has workspaces, of which none declares the script "test"',
    );
  });

  test.each<[string, object, Files, readonly string[]]>([
    [
      "turbo, for the tasks that it knows",
      { devDependencies: { turbo: "2" } },
      { "turbo.json": '{ "tasks": { "test": {}, /* of one */ "cart#build": {}, } }' },
      ["npm ci", "npx turbo run build", "npx turbo run test"],
    ],
    [
      "nx",
      { devDependencies: { nx: "21" } },
      { "nx.json": "{}" },
      ["npm ci", "npx nx run-many --target=build", "npx nx run-many --target=test"],
    ],
    [
      "lerna",
      { devDependencies: { lerna: "8" } },
      { "lerna.json": "{}" },
      ["npm ci", "npx lerna run build", "npx lerna run test"],
    ],
    [
      "the manager where the tool is configured and not among the dependencies",
      {},
      { "turbo.json": '{ "tasks": { "test": {} } }' },
      ["npm ci", "npm run build --workspaces --if-present", "npm run test --workspaces --if-present"],
    ],
  ])("are tested by %s", (_, fields, files, commands) => {
    expect(commandsOf(workspaces(fields, { ...npm, ...files }))["test"]).toEqual(commands);
  });

  test("are linted where a tool runs one task in all of them", () => {
    const files = workspaces(
      { devDependencies: { turbo: "2" } },
      { ...npm, "turbo.json": '{ "tasks": { "lint": {}, "test": {} } }' },
    );
    const linted = packageJson({ name: "cart", scripts: { test: "t", lint: "l" } });
    expect(commandsOf({ ...files, "packages/cart/package.json": linted })["lint"]).toEqual([
      "npm ci",
      "npx turbo run lint",
    ]);
  });
});

describe("a repository of bun", () => {
  test("is tested by bun's own runner where nothing else is declared", () => {
    const files = { "package.json": packageJson({ name: "cart" }), "bun.lock": "", "cart.test.ts": "" };
    expect(commandsOf(files)).toEqual({ test: ["bun install --frozen-lockfile", "bun test"] });
    const beside = { ...files, "Cargo.toml": "[package]\n" };
    expect(commandsOf(beside)).toEqual({ test: ["cargo test"] });
    expect(sentences(find(beside).rejected)).toContain(
      "Node: package.json declares no test, though there are files named like tests; the pipeline is that of Rust",
    );
  });
});

describe("workspaces of other ecosystems", () => {
  test("of uv are installed with their members' dependencies", () => {
    const files = {
      "pyproject.toml":
        '[project]\nname = "a"\n[tool.uv.workspace]\nmembers = ["packages/*"]\n[dependency-groups]\ndev = ["pytest"]\n',
      "uv.lock": "",
      "packages/b/tests/test_b.py": "",
    };
    expect(commandsOf(files)["test"]).toEqual(["uv sync --locked --all-packages", "uv run pytest"]);
  });

  test("of Go are all tested, the root's own module too", () => {
    const files = { "go.mod": "module a\n", "go.work": "go 1.24\nuse (\n.\n./b\n)\n", "b/b_test.go": "" };
    expect(commandsOf(files)["test"]?.at(-1)).toBe("go test $(go list -m -f '{{.Dir}}/...')");
  });

  test("of melos are tested by the script that it declares", () => {
    const files = {
      "pubspec.yaml": "name: a\ndev_dependencies:\n  melos: ^6.0.0\n",
      "melos.yaml": "scripts:\n  test:\n    run: melos exec -- dart test\n",
    };
    expect(commandsOf(files)["test"]?.at(-1)).toBe("dart run melos run test --no-select");
  });
});
