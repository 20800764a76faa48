/**
 * Deno: its own tasks first, then the test files, which get every permission because nothing says which they need.
 */

import { describe } from "../describe.ts";
import { objectAt, readJsonObject } from "../jsonc.ts";

const files = ["deno.json", "deno.jsonc"];
const tests = /(^|\/|[._])test\.[cm]?[jt]sx?$/;
const declares = (table: string, name: string) =>
  files.map((file) => ({
    file,
    says: (text: string) => Object.hasOwn(objectAt(readJsonObject(text), table), name),
  }));
const has = (key: string) =>
  files.map((file) => ({ file, says: (text: string) => Object.hasOwn(readJsonObject(text) ?? {}, key) }));

export const deno = describe({
  ecosystem: "Deno",
  slug: "deno",
  signals: files,
  name: /"name"\s*:\s*"([^"\n]+)"/,
  toolchains: [{ title: "Deno", names: ["deno"], files: [{ file: ".dvmrc" }] }],
  lock: { files: ["deno.lock"] },
  install: [
    { on: "deno.lock", run: "deno install --frozen", reason: "locks the dependencies" },
    { on: files, run: "deno install", reason: "names the dependencies", otherwise: true },
  ],
  caches: [{ name: "deno", paths: ["~/.cache/deno"] }],
  keys: files,
  entry: [{ on: declares("tasks", "ci"), run: "deno task ci", reason: 'declares the task "ci"' }],
  lint: [
    { on: declares("tasks", "lint"), run: "deno task lint", reason: 'declares the task "lint"' },
    { on: has("lint"), run: "deno lint", reason: "says what is linted", otherwise: true },
    { on: has("fmt"), run: "deno fmt --check", reason: "says how the code is formatted" },
  ],
  build: [{ on: declares("tasks", "build"), run: "deno task build", reason: 'declares the task "build"' }],
  test: [
    { on: declares("tasks", "test"), run: "deno task test", reason: 'declares the task "test"' },
    { on: tests, run: "deno test --allow-all", reason: "has tests", otherwise: true, isGuess: true },
  ],
  untested: "declares no task for tests and has no test files",
});
