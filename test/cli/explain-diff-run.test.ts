/** `otto explain --diff` with a plan that ran: real processes, the embedded mesh in a home of its own. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ottoProgram } from "../built-otto.ts";

const top = mkdtempSync(join(tmpdir(), "otto-diff-run-"));
const repository = join(top, "repository");
const file = `otto: 1
pipeline: shop
environments: { production: , preprod: }
steps:
  test: { run: echo test }
  deploy: { run: echo deploy, environment: production, when: git.branch == "main" }
`;

function git(...words: readonly string[]): string {
  const person = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
  const { status, stdout, stderr } = spawnSync("git", ["-C", repository, ...person, ...words], {
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

function otto(home: string, ...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [ottoProgram, ...words], {
    cwd: repository,
    encoding: "utf8",
    env: { ...process.env, OTTO_HOME: join(top, home) },
  });
  return { code: status, out: stdout, err: stderr };
}

const diff = (base: string, ...words: readonly string[]) => otto("home", "explain", "--diff", base, ...words);

let firstId = "";
beforeAll(() => {
  spawnSync("git", ["init", "-q", "-b", "main", repository]);
  writeFileSync(join(repository, "otto.yaml"), file);
  git("add", "-A");
  git("commit", "-qm", "first");
  const { out, err, code } = otto("home", "run", "--plain");
  expect([code, err], out).toEqual([0, ""]);
  firstId = /plan (bafy\w+)\n$/.exec(otto("home", "explain").out)?.[1] ?? "";
});

afterAll(() => {
  otto("home", "down");
  rmSync(top, { recursive: true, force: true });
});

describe("a plan that ran", () => {
  it("is the base by `last`, by its environment and by its id", () => {
    for (const base of ["last", "environment:production", firstId, firstId.slice(0, 20)])
      expect(diff(base, "--exit-code")).toEqual({
        code: 0,
        out: expect.stringMatching(/^no difference to \S+ \(run \w+\); plan bafy\w+\n$/) as string,
        err: "",
      });
  });

  it("is told apart with its causes, although its file is not at hand", () => {
    git("checkout", "-q", "-b", "topic");
    writeFileSync(join(repository, "otto.yaml"), file.replace("echo test", "echo tests"));
    const { out, code } = diff("environment:production", "--exit-code");
    expect(code).toBe(1);
    expect(out).toContain('branch: "main" -> "topic"; as git says\n');
    expect(out).toContain("~ test\n    commands: echo test -> echo tests; written (otto.yaml:5)\n");
    expect(out).toContain('its condition reads git.branch, which was "main" and is "topic", as git says');
    const { base } = JSON.parse(diff("environment:production", "--json").out) as {
      base: Record<string, string>;
    };
    expect(base).toMatchObject({
      planId: firstId,
      commit: git("rev-parse", "HEAD"),
      run: expect.any(String) as string,
    });
  });

  it.each([
    ["last", "OTTO_NO_SUCH_PLAN", "the pipeline shop has not run on the branch topic"],
    ["environment:preprod", "OTTO_NO_SUCH_PLAN", "has passed in the environment preprod"],
    ["environment:prod", "OTTO_USAGE", 'no environment called "prod"'],
    ["bafyreizzzz", "OTTO_NO_SUCH_PLAN", "begins with bafyreizzzz"],
    ["nowhere", "OTTO_USAGE", 'no commit called "nowhere"'],
  ])("that is not there is said in words: %s", (base, code, words) => {
    const { err, out } = diff(base);
    expect([out, err]).toEqual(["", expect.stringContaining(words)]);
    expect(err).toContain(`Code: ${code}`);
  });

  it("needs a node to ask, and a commit needs none", () => {
    const asked = otto("nobody", "explain", "--diff", "environment:production");
    expect([asked.code, asked.err]).toEqual([5, expect.stringContaining("OTTO_NO_NODE") as string]);
    expect(otto("nobody", "explain", "--diff", "HEAD").code).toBe(0);
  });
});
