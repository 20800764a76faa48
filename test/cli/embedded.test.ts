/** The embedded mesh: started once, used again, and started anew when the shell's tools are others. */

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { DataFolder } from "../../node/edge/data-folder.ts";
import { type Ended, Program } from "../mesh/program.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-embedded-"));
const repository = join(folder, "repository");
const home = join(folder, "home");

beforeAll(() => {
  mkdirSync(join(folder, "tools"));
  writeFileSync(join(folder, "tools", "greet"), "#!/bin/sh\necho hello from the new tool\n");
  chmodSync(join(folder, "tools", "greet"), 0o755);
  mkdirSync(repository);
  execFileSync("git", ["init", "-q"], { cwd: repository });
  writeFileSync(join(repository, "otto.yaml"), "otto: 1\nsteps:\n  greet:\n    run: greet\n");
});
afterAll(async () => {
  await otto(["down"]);
  rmSync(folder, { recursive: true, force: true });
});

function otto(words: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const environment = { HOME: folder, OTTO_HOME: home, ...more };
  return new Program(words, { environment, folder: repository }).ended;
}

function processes(): readonly (number | undefined)[] {
  return ["control", "worker"].map((name) => new DataFolder(join(home, "local", name)).running()?.pid);
}

test("a run sees the tools of the shell that it was started from, also on a warm mesh", async () => {
  const without = await otto(["run"]);
  expect(without.code).toBe(1);
  expect(without.stdout).toContain("greet: not found");
  const before = processes();

  const PATH = `${join(folder, "tools")}:${process.env["PATH"] ?? ""}`;
  const withTool = await otto(["run"], { PATH });
  expect(withTool.stdout).toContain("hello from the new tool");
  expect(withTool.code).toBe(0);
  const after = processes();
  expect(after).not.toEqual(before);

  expect((await otto(["run"], { PATH })).code).toBe(0);
  expect(processes()).toEqual(after);
});
