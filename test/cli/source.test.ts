import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ottoProgram } from "../built-otto.ts";

/** Real processes: the embedded mesh, in a home of its own. */
const root = mkdtempSync(join(tmpdir(), "otto-source-"));
const repository = join(root, "repository");
let committed = "";

beforeAll(() => {
  git("init", "-q", repository);
  writeFileSync(
    join(repository, "otto.yaml"),
    "otto: 1\nsteps:\n  show:\n    run: cat file untracked || true\n",
  );
  writeFileSync(join(repository, "file"), "committed\n");
  writeFileSync(join(repository, ".gitignore"), "ignored\n");
  git("-C", repository, "add", "-A");
  git("-C", repository, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "first");
  committed = git("-C", repository, "rev-parse", "HEAD").trim();
  writeFileSync(join(repository, "file"), "changed\n");
  writeFileSync(join(repository, "untracked"), "new\n");
  writeFileSync(join(repository, "ignored"), "never\n");
});

afterAll(() => {
  otto("down");
  rmSync(root, { recursive: true, force: true });
});

function git(...words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("git", words, { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return stdout;
}

function otto(...words: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [ottoProgram, ...words], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, OTTO_HOME: join(root, "home") },
  });
  return { code: status, out: stdout, err: stderr };
}

describe("what a run starts from", () => {
  it("is the working tree as git would see it", () => {
    const { code, out } = otto("run", "--plain", "--folder", repository);
    expect(out).toContain("show | changed");
    expect(out).toContain("show | new");
    expect(out).not.toContain("never");
    expect(code).toBe(0);
  });

  it("is a commit when one is named, whatever the working tree holds", () => {
    const { code, out } = otto("run", "--plain", "--folder", repository, "--commit", "HEAD");
    expect(out).toContain("show | committed");
    expect(out).not.toContain("show | new");
    expect(code).toBe(0);
  });

  it("is a commit that the worker fetches itself when a repository is named", () => {
    const { code, out, err } = otto(
      "run",
      "--plain",
      "--folder",
      repository,
      "--commit",
      committed,
      "--repository",
      `file://${repository}`,
    );
    expect(err).toBe("");
    expect(out).toContain("show | committed");
    expect(code).toBe(0);
  });

  it("fails in words when the named commit is nowhere", () => {
    const { code, out } = otto(
      "run",
      "--plain",
      "--folder",
      repository,
      "--commit",
      "0".repeat(40),
      "--repository",
      `file://${repository}`,
    );
    expect(out).toMatch(/show {2}failed/u);
    expect(code).toBe(1);
  });

  it("is refused in words when the revision does not exist", () => {
    const { code, err } = otto("run", "--folder", repository, "--commit", "no-such-branch");
    expect(err).toContain("Next: ");
    expect(err).not.toContain("    at ");
    expect(code).toBe(2);
  });
});
