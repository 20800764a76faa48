/** `otto explain --diff` in real repositories. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { explain, type ExplainOptions } from "../../cli/commands/explain.ts";
import { limits } from "../../protocol/limits.ts";
import { errorOf } from "./error-of.ts";

let folder = "";

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-explain-diff-")));
  git("init", "-q", "-b", "main");
});

afterEach(() => rmSync(folder, { recursive: true }));

function git(...words: string[]): string {
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  return execFileSync("git", [...identity, ...words], { cwd: folder, encoding: "utf8" }).trim();
}

function write(path: string, text: string): void {
  writeFileSync(join(folder, path), text);
}

function commit(): string {
  git("add", "--all");
  git("commit", "-q", "--allow-empty", "-m", "next");
  return git("rev-parse", "HEAD");
}

/** The exit code, and what was written. */
async function diff(options: Partial<ExplainOptions> = {}): Promise<{ exitCode: number; text: string }> {
  const output = join(folder, ".git", "output");
  const exitCode = await explain({ folder, diff: "HEAD", output, ...options });
  return { exitCode, text: readFileSync(output, "utf8") };
}

const pipeline = "otto: 1\nsteps:\n  a: { run: x }\n";

it("says that there is no difference, whatever else has changed", async () => {
  write("otto.yaml", pipeline);
  commit();
  write("otto.yaml", `# a remark\n${pipeline}`);
  const { exitCode, text } = await diff({ exitCode: true });
  expect(exitCode).toBe(0);
  expect(text).toMatch(/^no difference to HEAD; plan bafyrei\w+\n$/);
});

it("shows what the working tree has otherwise, and ends with 1 only when that is asked for", async () => {
  write("otto.yaml", pipeline);
  const id = commit();
  write("otto.yaml", `${pipeline.replace("x", "y")}  b: { run: z }\n`);
  const { exitCode, text } = await diff();
  expect(exitCode).toBe(0);
  expect(text).toContain("\n~ a\n    commands: x -> y; written (otto.yaml:3)\n+ b: written (otto.yaml:4)\n");
  expect((await diff({ exitCode: true })).exitCode).toBe(1);
  const json = await diff({ json: true, diff: "main" });
  expect(JSON.parse(json.text)).toMatchObject({
    otto: "explain-diff/1",
    same: false,
    base: { name: "main", commit: id },
    steps: [
      { name: "a", kind: "changed" },
      { name: "b", kind: "added" },
    ],
  });
});

it("plans the older files with the facts of now, so that branch and commit are no difference", async () => {
  write("otto.yaml", `${pipeline}  b: { run: x, when: git.branch == "topic" }\n`);
  commit();
  git("tag", "base");
  git("checkout", "-q", "-b", "topic");
  write("other", "");
  commit();
  expect((await diff({ diff: "base", exitCode: true })).exitCode).toBe(0);
});

it("gives the older plan only the parameters that it declares", async () => {
  write("otto.yaml", pipeline);
  commit();
  write("otto.yaml", `${pipeline}parameters: { n: { type: number } }\n`);
  const { text } = await diff({ parameters: ["n=2"] });
  expect(text).toContain("\nparameters.n: nothing -> 2; written (otto.yaml:4)\n");
});

it("compares with what was detected before there was a file, and with nothing", async () => {
  commit();
  write("Makefile", "test:\n\ttrue\n");
  commit();
  write("otto.yaml", "otto: 1\nsteps: { test: { run: make check } }\n");
  const { text } = await diff();
  expect(text).toContain("commands: make test -> make check; written (otto.yaml:2)");
  const first = await diff({ diff: "HEAD~1" });
  expect(first.text).toContain("there was no pipeline at HEAD~1\n\n+ test: written (otto.yaml:2)\n");
  expect((await diff({ file: "otto.yaml" })).text).toContain("there was no pipeline at HEAD");
});

it("refuses what it cannot compare with, and says what to do", async () => {
  write("otto.yaml", "otto: 1\nsteps: { a: { rum: x } }\n");
  commit();
  write("otto.yaml", pipeline);
  const invalid = await errorOf(diff());
  expect(invalid.code).toBe("OTTO_PIPELINE_INVALID");
  expect(invalid.message).toContain("HEAD:otto.yaml:2:");
  expect(invalid.next).toBe("Compare with a commit whose pipeline can be planned.");
  expect((await errorOf(diff({ diff: "nowhere" }))).code).toBe("OTTO_USAGE");
  expect((await errorOf(diff({ diff: "--all" }))).code).toBe("OTTO_USAGE");
  expect((await errorOf(diff({ graph: "svg" }))).code).toBe("OTTO_USAGE");
  expect((await errorOf(explain({ folder, exitCode: true }))).code).toBe("OTTO_USAGE");
});

it("reads no link and no file beyond the bound out of a commit", async () => {
  write("otto.yaml", "#".repeat(limits.pipelineFileBytesMax + 1));
  commit();
  write("otto.yaml", pipeline);
  expect((await errorOf(diff())).code).toBe("OTTO_FILE_TOO_LARGE");
  rmSync(join(folder, "otto.yaml"));
  symlinkSync("other.yaml", join(folder, "otto.yaml"));
  commit();
  rmSync(join(folder, "otto.yaml"));
  write("otto.yaml", pipeline);
  expect((await errorOf(diff())).code).toBe("OTTO_FILE_UNREADABLE");
});
