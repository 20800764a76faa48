import { describe, expect, test } from "vitest";

import { commandsOf, detect, find, packageJson, sentences } from "./fixture.ts";

const declared = packageJson({ name: "shop", scripts: { test: "node --test" }, devDependencies: { a: "1" } });

const locked = (scripts: object, more: object = {}) => ({
  "package.json": packageJson({ scripts, ...more }),
  "package-lock.json": "{}",
});

describe("the package manager of a Node repository", () => {
  test.each([
    ["package-lock.json", ["npm ci", "npm test"]],
    ["npm-shrinkwrap.json", ["npm ci", "npm test"]],
    ["pnpm-lock.yaml", ["pnpm install --frozen-lockfile", "pnpm test"]],
    ["yarn.lock", ["yarn install --frozen-lockfile", "yarn test"]],
    ["bun.lock", ["bun install --frozen-lockfile", "bun run test"]],
  ])("is shown by %s", (lock, commands) => {
    expect(commandsOf({ "package.json": declared, [lock]: "" })).toEqual({ test: commands });
  });

  test("is Yarn berry by its configuration or its lock file's own words", () => {
    const berry = { test: ["yarn install --immutable", "yarn test"] };
    expect(commandsOf({ "package.json": declared, "yarn.lock": "", ".yarnrc.yml": "" })).toEqual(berry);
    const lock = "# This file is generated\n\n__metadata:\n  version: 8\n";
    expect(commandsOf({ "package.json": declared, "yarn.lock": lock })).toEqual(berry);
  });

  test.each([
    ["pnpm@9.1.0", ["pnpm install --no-frozen-lockfile", "pnpm test"]],
    ["yarn@1.22.22", ["yarn install", "yarn test"]],
    ["yarn@4.5.0+sha224.abc", ["yarn install --no-immutable", "yarn test"]],
    ["npm@11.0.0", ["npm ci", "npm test"]],
  ])("is what packageManager %s says, whatever the lock file is", (packageManager, commands) => {
    const manifest = packageJson({ packageManager, scripts: { test: "t" }, dependencies: { a: "1" } });
    expect(commandsOf({ "package.json": manifest, "package-lock.json": "{}" })["test"]).toEqual(commands);
  });

  test("without a lock file is npm, and the missing lock is said", () => {
    expect(commandsOf({ "package.json": declared })).toEqual({ test: ["npm install", "npm test"] });
    expect(sentences(find({ "package.json": declared }).matches)[0]).toContain("there is no lock file");
  });

  test("with two lock files takes pnpm's and says that the other one is not used", () => {
    const files = { "package.json": declared, "pnpm-lock.yaml": "", "package-lock.json": "{}" };
    expect(commandsOf(files)["test"]).toEqual(["pnpm install --frozen-lockfile", "pnpm test"]);
    expect(sentences(find(files).rejected)).toEqual([
      "Node: package-lock.json is not used: pnpm-lock.yaml speaks for pnpm",
    ]);
  });

  test("installs nothing where nothing is depended on", () => {
    expect(commandsOf({ "package.json": packageJson({ scripts: { test: "node --test" } }) })).toEqual({
      test: ["npm test"],
    });
  });
});

describe("the steps of a Node repository", () => {
  test("build before the tests in one workspace, and lint in another", () => {
    expect(commandsOf(locked({ lint: "eslint .", build: "vite build", test: "vitest" }))).toEqual({
      lint: ["npm ci", "npm run lint"],
      test: ["npm ci", "npm run build", "npm test"],
    });
  });

  test("check types after the build, or with the linter where nothing is built", () => {
    const scripts = { lint: "eslint .", typecheck: "tsc", test: "vitest" };
    expect(commandsOf(locked(scripts))["lint"]).toEqual(["npm ci", "npm run lint", "npm run typecheck"]);
    expect(commandsOf(locked({ ...scripts, build: "b" }))).toEqual({
      lint: ["npm ci", "npm run lint"],
      test: ["npm ci", "npm run build", "npm run typecheck", "npm test"],
    });
  });

  test.each([
    ["prepare", { prepare: "npm run build", build: "tsc", test: "t" }],
    ["pretest", { pretest: "npm run -s build", build: "tsc", test: "t" }],
    ["test", { build: "tsc", test: "npm run build && mocha" }],
  ])("do not build again what %s builds", (script, scripts) => {
    expect(commandsOf(locked(scripts))).toEqual({ test: ["npm ci", "npm test"] });
    expect(sentences(find(locked(scripts)).rejected)).toEqual([
      `Node: package.json the script "build" is run by "${script}" already`,
    ]);
  });

  test("build what only a package manager that runs prepare would have built", () => {
    const manifest = packageJson({ scripts: { prepare: "npm run build", build: "tsc", test: "t" } });
    expect(commandsOf({ "package.json": manifest })).toEqual({ test: ["npm install", "npm test"] });
    const berry = { "package.json": manifest, "yarn.lock": "__metadata:\n" };
    expect(commandsOf(berry)["test"]).toEqual(["yarn install --immutable", "yarn run build", "yarn test"]);
  });

  test("make a git repository first when installing puts hooks into one", () => {
    const scripts = { prepare: "husky install && npm run hooks", hooks: "husky set a b", test: "t" };
    expect(commandsOf(locked(scripts))).toEqual({ test: ["git init --quiet", "npm ci", "npm test"] });
    expect(commandsOf(locked({ prepare: "husky", test: "t" }))).toEqual({ test: ["npm ci", "npm test"] });
  });

  test("build all the same when a script only has a name that begins so", () => {
    expect(commandsOf(locked({ build: "tsc", test: "npm run build:fixtures && mocha" }))["test"]).toEqual([
      "npm ci",
      "npm run build",
      "npm test",
    ]);
  });

  test("do not lint apart what the tests lint", () => {
    expect(
      Object.keys(commandsOf(locked({ lint: "eslint .", posttest: "npm run lint", test: "t" }))),
    ).toEqual(["test"]);
  });

  test("follow what a script runs through other scripts, around in a circle too", () => {
    const through = { lint: "eslint .", check: "npm run lint && npm test", test: "npm run check && t" };
    expect(commandsOf(locked(through))).toEqual({ test: ["npm ci", "npm test"] });
    expect(Object.keys(commandsOf(locked({ ...through, check: "npm test" })))).toEqual(["lint", "test"]);
  });
});

describe("the tests of a Node repository", () => {
  test("take npm's placeholder for no test", () => {
    const scripts = { test: 'echo "Error: no test specified" && exit 1', build: "tsc" };
    expect(commandsOf(locked(scripts))).toEqual({ build: ["npm ci", "npm run build"] });
    const { pipeline, rejected } = find(locked(scripts));
    expect(pipeline.steps[0]?.reason).toBe('package.json declares the script "build"; no tests found');
    expect(sentences(rejected)).toEqual([
      'Node: package.json the script "test" is a placeholder, not a test',
    ]);
  });

  test("prefer the script for CI, and one that ends to one that watches", () => {
    expect(commandsOf(locked({ test: "t", "test:ci": "t" }))["test"]).toEqual(["npm ci", "npm run test:ci"]);
    expect(commandsOf(locked({ test: "jest --watch", "test:run": "jest" }))["test"]).toEqual([
      "npm ci",
      "npm run test:run",
    ]);
    expect(commandsOf(locked({ test: "ng test" }))["test"]).toEqual(["npm ci", "npm test -- --watch=false"]);
  });

  test("use the runner among the dependencies when no script declares it", () => {
    const files = { ...locked({}, { devDependencies: { vitest: "5" } }), "src/sum.test.ts": "" };
    expect(commandsOf(files)).toEqual({ test: ["npm ci", "npx vitest run"] });
  });

  test.each([
    [
      "package-lock.json",
      ["npm ci", "npm run build --workspaces --if-present", "npm run test --workspaces --if-present"],
    ],
    [
      "pnpm-lock.yaml",
      [
        "pnpm install --frozen-lockfile",
        "pnpm --recursive --if-present run build",
        "pnpm --recursive --if-present run test",
      ],
    ],
  ])("with %s go through the workspaces when the root has no script", (lock, commands) => {
    const files = { "package.json": packageJson({ workspaces: ["packages/*"] }), [lock]: "" };
    expect(commandsOf(files)).toEqual({ test: commands });
  });

  test("take pnpm-workspace.yaml for workspaces only when it names packages", () => {
    const files = { "package.json": packageJson({}), "pnpm-lock.yaml": "" };
    expect(detect({ ...files, "pnpm-workspace.yaml": "onlyBuiltDependencies: [a]\n" }).kind).toBe("nothing");
    expect(detect({ ...files, "pnpm-workspace.yaml": "packages:\n  - packages/*\n" }).kind).toBe("found");
  });

  test("are lint alone where that is all that is declared", () => {
    expect(commandsOf(locked({ lint: "markdownlint ." }))).toEqual({ lint: ["npm ci", "npm run lint"] });
    expect(find(locked({ lint: "l" })).pipeline.steps[0]?.reason).toContain("; no tests found");
  });

  test("are none when package.json cannot be read, and that is said", () => {
    for (const text of ["{", "[]", "null", '"a"', ""]) {
      expect(sentences(detect({ "package.json": text }).rejected)).toContain(
        "Node: package.json is not a JSON object that can be read",
      );
    }
  });
});
