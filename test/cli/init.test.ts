import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

import { init } from "../../cli/commands/init.ts";
import { planPipeline } from "../../planner/plan.ts";

let folder: string;
let written = "";
const output = { write: (text: string) => (written += text) };

beforeEach(() => {
  written = "";
  folder = mkdtempSync(join(tmpdir(), "otto-init-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("init writes a file that can be planned, and says what was found, set aside and comes next", async () => {
  writeFileSync(join(folder, "go.mod"), "module cart\n");
  writeFileSync(join(folder, "cart_test.go"), "");
  writeFileSync(join(folder, "Makefile"), "test:\n\tgo test\n");
  expect(await init({ folder, output })).toBe(0);
  const text = readFileSync(join(folder, "otto.yaml"), "utf8");
  const context = { branch: null, tag: null, commit: null, trigger: "hand", parameters: {} };
  const plan = await planPipeline({ text, path: "otto.yaml", context });
  expect(plan).toMatchObject({ ok: true, value: { pipeline: "cart", steps: [{ name: "test" }] } });
  expect(written).toBe(
    [
      "Wrote otto.yaml with 1 step: test.",
      "",
      "Found:",
      "  Go: go.mod requires no other module",
      "  Go: go.mod describes a module",
      "  Go: go.mod comes with a vet",
      "  Go: go.mod has tests: cart_test.go",
      "",
      "Not used:",
      '  Make: Makefile declares the target "test"; the pipeline is that of Go',
      "",
      "Next: read it, see what it means with `otto explain`, and run it with `otto run`.",
      "",
    ].join("\n"),
  );
});

test("init leaves an existing file alone unless it is told to replace it", async () => {
  writeFileSync(join(folder, "Makefile"), "ci:\n\ttrue\n");
  writeFileSync(join(folder, "otto.yaml"), "mine");
  await expect(init({ folder, output })).rejects.toMatchObject({ code: "OTTO_FILE_EXISTS" });
  expect(readFileSync(join(folder, "otto.yaml"), "utf8")).toBe("mine");
  expect(await init({ folder, output, force: true })).toBe(0);
  expect(readFileSync(join(folder, "otto.yaml"), "utf8")).toContain("run: make ci");
  expect(readdirSync(folder).sort()).toEqual(["Makefile", "otto.yaml"]);
});

test("init writes to the root of a repository, under the name that is there", async () => {
  execFileSync("git", ["-C", folder, "init", "-q"]);
  mkdirSync(join(folder, "src"));
  writeFileSync(join(folder, "Makefile"), "ci:\n\ttrue\n");
  expect(await init({ folder: join(folder, "src"), output })).toBe(0);
  renameSync(join(folder, "otto.yaml"), join(folder, "otto.yml"));
  await expect(init({ folder, output })).rejects.toMatchObject({ code: "OTTO_FILE_EXISTS" });
  expect(await init({ folder, output, force: true })).toBe(0);
  expect(readdirSync(folder).sort()).toEqual([".git", "Makefile", "otto.yml", "src"]);
});

test("init prints the file alone, and writes nothing, when asked", async () => {
  writeFileSync(join(folder, "Makefile"), "ci:\n\ttrue\n");
  writeFileSync(join(folder, "otto.yaml"), "mine");
  expect(await init({ folder, output, print: true })).toBe(0);
  expect(written).toMatch(/^# Written by `otto init`[^]*\n {4}run: make ci\n$/);
  expect(readFileSync(join(folder, "otto.yaml"), "utf8")).toBe("mine");
});

test("init names what it looked for and how to begin when nothing is detected", async () => {
  writeFileSync(join(folder, "Makefile"), "deploy:\n\t./deploy\n");
  await expect(init({ folder, output })).rejects.toMatchObject({
    code: "OTTO_NO_PIPELINE",
    state: expect.stringMatching(
      /Node \(package\.json\)[^]*Seen, but not enough: Makefile declares none of the targets/,
    ) as string,
    next: expect.stringContaining("otto: 1") as string,
  });
  expect(readdirSync(folder)).toEqual(["Makefile"]);
});
