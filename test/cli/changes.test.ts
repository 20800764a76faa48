/** Which paths changed, and since when: asked of real repositories. */

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BaseOptions, readChangedPaths } from "../../cli/changes.ts";
import { explain } from "../../cli/commands/explain.ts";
import { readGitContext } from "../../cli/git-context.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import type { ChangedPaths } from "../../planner/changes.ts";

const top = mkdtempSync(join(tmpdir(), "otto-changes-"));
let count = 0;
let folder = "";
const commits = new Map<string, string>();

function git(...words: readonly string[]): string {
  const person = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"];
  const { status, stdout, stderr } = spawnSync("git", ["-C", folder, ...person, ...words], {
    encoding: "utf8",
    env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_SYSTEM: "/dev/null" },
  });
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

function write(path: string, text = `${path} ${Math.random()}`): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

function commit(name: string, ...paths: readonly string[]): void {
  for (const path of paths) write(path);
  git("add", "-A");
  git("commit", "-qm", name);
  commits.set(name, git("rev-parse", "HEAD"));
}

async function changed(options: BaseOptions = {}): Promise<ChangedPaths> {
  return readChangedPaths(await readGitContext(folder), options);
}

/** A base by the name of its commit. */
function since(name: string): string {
  return commits.get(name) ?? name;
}

/** `main` with two commits, and `topic` with two more of its own. */
beforeAll(() => {
  folder = join(top, "first");
  mkdirSync(folder);
  git("init", "-q", "-b", "main");
  write(".gitignore", "ignored\n");
  commit("first", "web/app.ts", "api/server.ts");
  commit("second", "api/server.ts");
  git("checkout", "-qb", "topic");
  commit("third", "web/app.ts");
  commit("fourth", "docs/page.md");
});

beforeEach(() => {
  count += 1;
  folder = join(top, String(count));
  cpSync(join(top, "first"), folder, { recursive: true });
});

afterAll(() => rmSync(top, { recursive: true, force: true }));

describe("the base", () => {
  it("of a branch is where it left the default branch", async () => {
    expect(await changed()).toEqual({
      base: since("second"),
      because: "where topic left main",
      paths: ["docs/page.md", "web/app.ts"],
    });
  });

  it("does not move when the default branch goes on", async () => {
    git("checkout", "-q", "main");
    commit("fifth", "api/other.ts");
    git("checkout", "-q", "topic");
    expect(await changed()).toMatchObject({ base: since("second"), paths: ["docs/page.md", "web/app.ts"] });
  });

  it("of the default branch is the commit before", async () => {
    git("checkout", "-q", "main");
    expect(await changed()).toEqual({
      base: since("first"),
      because: `the commit before ${since("second").slice(0, 12)}`,
      paths: ["api/server.ts"],
    });
  });

  it("of a merge is what was there before on the default branch", async () => {
    git("checkout", "-q", "main");
    git("merge", "-q", "--no-ff", "-m", "merge", "topic");
    expect(await changed()).toMatchObject({ base: since("second"), paths: ["docs/page.md", "web/app.ts"] });
  });

  it("is asked of the remote first, and of what that calls its default branch", async () => {
    const upstream = folder;
    git("branch", "-q", "-m", "main", "trunk");
    git("checkout", "-q", "trunk");
    folder = join(top, `${count}-clone`);
    mkdirSync(folder);
    git("clone", "-q", upstream, ".");
    git("checkout", "-q", "topic");
    // A branch of one's own that is called so says nothing.
    git("branch", "-q", "main", "topic");
    expect(await changed()).toMatchObject({
      base: since("second"),
      because: "where topic left origin/trunk",
    });
    git("checkout", "-q", "trunk");
    expect(await changed()).toMatchObject({ base: since("first"), paths: ["api/server.ts"] });
  });

  it("of a pull request is where it left the branch that it goes into", async () => {
    git("checkout", "-qb", "next", since("first"));
    git("checkout", "-q", "topic");
    expect(await changed({ into: "next" })).toEqual({
      base: since("first"),
      because: "where topic left next",
      paths: ["api/server.ts", "docs/page.md", "web/app.ts"],
    });
  });

  it("is the one that a person names", async () => {
    expect(await changed({ base: "topic~1" })).toEqual({
      base: since("third"),
      because: "named with --base topic~1",
      paths: ["docs/page.md"],
    });
    await expect(changed({ base: "nowhere" })).rejects.toMatchObject({ code: "OTTO_USAGE" });
  });

  it("of a commit that is run by itself is found from there", async () => {
    write("web/app.ts");
    expect(await changed({ commit: since("third") })).toMatchObject({
      base: since("second"),
      paths: ["web/app.ts"],
    });
    expect(await changed({ commit: "main" })).toMatchObject({
      base: since("first"),
      paths: ["api/server.ts"],
    });
  });
});

describe("to a working tree", () => {
  it("counts what is not committed, staged or not, deleted, and new, but nothing that is ignored", async () => {
    write("api/server.ts");
    git("add", "-A");
    write('new/file with "signs".ts');
    write("ignored");
    rmSync(join(folder, "web/app.ts"));
    expect((await changed()).paths).toEqual([
      "api/server.ts",
      "docs/page.md",
      'new/file with "signs".ts',
      "web/app.ts",
    ]);
  });

  it("counts both names of a file that was renamed", async () => {
    renameSync(join(folder, "api/server.ts"), join(folder, "api/service.ts"));
    git("add", "-A");
    expect((await changed()).paths).toEqual(expect.arrayContaining(["api/server.ts", "api/service.ts"]));
  });

  it("counts from the top of the repository, wherever it is asked", async () => {
    write("web/more.ts");
    const inside = await readChangedPaths(await readGitContext(join(folder, "web")), {});
    expect(inside.paths).toEqual(["docs/page.md", "web/app.ts", "web/more.ts"]);
  });
});

describe("what changed is not known", () => {
  const unknown = (because: string): ChangedPaths => ({ paths: null, because });

  it("outside of a repository", async () => {
    folder = mkdtempSync(join(top, "none-"));
    expect(await changed()).toEqual(unknown("no base, since the folder is in no git repository"));
  });

  it("before and at the first commit", async () => {
    folder = mkdtempSync(join(top, "empty-"));
    git("init", "-q", "-b", "main");
    expect(await changed()).toEqual(unknown("no base, since nothing was committed yet"));
    commit("only", "file");
    expect(await changed()).toEqual(unknown("no base, since this is the first commit"));
  });

  it("in a clone that is shallow", async () => {
    const upstream = folder;
    git("checkout", "-q", "main");
    folder = mkdtempSync(join(top, "shallow-"));
    git("clone", "-q", "--depth", "1", "--no-single-branch", `file://${upstream}`, ".");
    git("checkout", "-q", "main");
    expect(await changed()).toEqual(unknown("no base, since the clone is shallow"));
    git("checkout", "-q", "topic");
    expect(await changed({ into: "origin/main" })).toEqual(
      unknown("no base, since no commit is known that origin/main has too, and the clone is shallow"),
    );
  });
});

describe("a plan", () => {
  const pipeline = `otto: 1
steps:
  web: { run: make web, paths: [web/**] }
  api: { run: make api, when: changed("api/**") }
`;

  it("leaves out steps that nothing changed for, and says since when", async () => {
    write("otto.yaml", pipeline);
    const { plan } = await loadPlan({ folder });
    expect(plan.context.changes).toMatchObject({
      base: since("second"),
      because: "where topic left main",
      count: 3,
    });
    expect(plan.steps.map(({ name, reason }) => [name, reason])).toEqual([
      ["api", 'when changed("api/**") is false: nothing changed that fits api/**'],
      ["web", "changed web/app.ts"],
    ]);
  });

  it("does not pay for git's answer when no step asks", async () => {
    write("otto.yaml", "otto: 1\nsteps: { a: { run: x } }\n");
    // A base that does not exist would be an error.
    const { plan } = await loadPlan({ folder, base: "nowhere" });
    expect(plan.context.changes).toBeUndefined();
    write("otto.yaml", pipeline);
    await expect(loadPlan({ folder, base: "nowhere" })).rejects.toMatchObject({ code: "OTTO_USAGE" });
  });

  it("is compared with another one as if the same had changed", async () => {
    const output = join(top, "output");
    write("otto.yaml", pipeline);
    commit("pipeline");
    write("otto.yaml", pipeline.replace("[web/**]", "[site/**]"));
    await explain({ folder, diff: "HEAD", json: true, output });
    expect(JSON.parse(readFileSync(output, "utf8"))).toMatchObject({
      plan: [],
      steps: [
        {
          name: "web",
          changes: [
            {
              field: "included",
              before: "in: changed web/app.ts",
              after: "left out: nothing changed that fits site/**",
              because: "nothing changed that fits site/**",
              place: { line: 3 },
            },
          ],
        },
      ],
    });
  });
});
