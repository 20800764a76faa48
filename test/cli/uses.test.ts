/** Templates from the repository and from other git repositories: `otto lock`, and plans that need no network. */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { explain } from "../../cli/commands/explain.ts";
import { lock, type LockOptions } from "../../cli/commands/lock.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import { limits } from "../../protocol/limits.ts";
import type { Plan } from "../../protocol/plan.ts";
import { errorOf } from "./error-of.ts";

let folder = "";
/** The pipeline's own repository, and the one that it uses templates of. */
let own = "";
let other = "";
let address = "";
const homeBefore = process.env["OTTO_HOME"];

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-uses-")));
  [own, other] = [join(folder, "own"), join(folder, "other")];
  process.env["OTTO_HOME"] = join(folder, "home");
  for (const path of [own, other]) {
    mkdirSync(path);
    git(path, "init", "-q", "-b", "main");
  }
  address = `file://${other}`;
});

afterEach(() => {
  if (homeBefore === undefined) delete process.env["OTTO_HOME"];
  else process.env["OTTO_HOME"] = homeBefore;
  rmSync(folder, { recursive: true });
});

function git(path: string, ...words: string[]): string {
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  return execFileSync("git", [...identity, ...words], { cwd: path, encoding: "utf8" }).trim();
}

function write(repository: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), text);
  }
}

/** Commits everything, and moves the tag there. */
function release(repository: string, tag: string): string {
  git(repository, "add", "--all");
  git(repository, "commit", "-q", "--allow-empty", "-m", "next");
  git(repository, "tag", "-f", "-a", tag, "-m", tag);
  return git(repository, "rev-parse", "HEAD");
}

async function plan(): Promise<Plan> {
  return (await loadPlan({ folder: own })).plan;
}

async function locked(options: Partial<LockOptions> = {}): Promise<{ exitCode: number; text: string }> {
  let text = "";
  const output = { write: (words: string) => (text += words) };
  const exitCode = await lock({ folder: own, output, ...options });
  return { exitCode, text };
}

function lockFile(): { uses: Record<string, { kind: string; commit: string; digest: string }> } {
  return JSON.parse(readFileSync(join(own, "otto.lock"), "utf8")) as ReturnType<typeof lockFile>;
}

/** The bare repositories of the cache. */
function cached(): readonly string[] {
  const uses = join(folder, "home", "uses");
  return readdirSync(uses).flatMap((name) =>
    readdirSync(join(uses, name)).map((commit) => join(uses, name, commit)),
  );
}

const template = (command: string): string => `otto: 1
steps:
  build: { run: ${command} }
  rest: { needs: build, pipeline: ./ci/rest.yaml }
`;

/** A pipeline that uses a template of the other repository, which uses another file of that one. */
function prepare(): string {
  write(other, {
    "ci/deploy.yaml": template("make"),
    "ci/rest.yaml": "otto: 1\nsteps: { end: { run: x } }\n",
    "ci/unused.yaml": "not read",
  });
  write(own, {
    "otto.yaml": `otto: 1
uses: { shared: "git+${address}@v1#ci/deploy.yaml" }
steps: { deploy: { pipeline: shared } }
`,
  });
  return release(other, "v1");
}

describe("a template of the repository", () => {
  it("is read from the top of the repository, wherever the command is called", async () => {
    write(own, {
      "otto.yaml": "otto: 1\nsteps: { a: { pipeline: ./ci/a.yaml } }",
      "ci/a.yaml": "otto: 1\nsteps: { b: { pipeline: ./ci/b.yaml } }",
      "ci/b.yaml": "otto: 1\nsteps: { c: { run: x } }",
      "sub/x": "",
    });
    const loaded = await loadPlan({ folder: join(own, "sub") });
    expect(loaded.plan.steps.map(({ name }) => name)).toEqual(["a/b/c", "a/b", "a"]);
    expect(loaded.plan.uses?.map(({ name }) => name)).toEqual(["./ci/a.yaml", "./ci/b.yaml"]);
  });

  it("with a mistake is shown with its line", async () => {
    write(own, {
      "otto.yaml": "otto: 1\nsteps: { a: { pipeline: ./ci/a.yaml } }",
      "ci/a.yaml": "otto: 1\nsteps:\n  b: { rum: x }",
    });
    const error = await errorOf(plan());
    expect(error.message).toContain("ci/a.yaml:3:8: error: the step `b` has no key `rum`");
    expect(error.message).toContain("\n  3 |   b: { rum: x }\n");
    expect(error.message).toContain("the step `a` uses it (otto.yaml:2:25)");
  });

  it("is no file outside of it, nor one beyond the bound, nor a pipe", async () => {
    const cases: readonly (readonly [string, string])[] = [
      ["out.yaml", "is a link that leaves the repository"],
      ["big.yaml", "has more than 1024 KiB"],
      ["pipe", "is neither a file nor a folder"],
      ["gone.yaml", "is not there"],
      ["empty", "has no otto-step.yaml"],
    ];
    writeFileSync(join(folder, "secret.yaml"), "otto: 1\nsteps: { a: { run: x } }");
    symlinkSync("../secret.yaml", join(own, "out.yaml"));
    write(own, { "big.yaml": "#".repeat(limits.pipelineFileBytesMax + 1), "empty/x": "" });
    execFileSync("mkfifo", [join(own, "pipe")]);
    for (const [path, why] of cases) {
      write(own, { "otto.yaml": `otto: 1\nsteps: { a: { pipeline: ./${path} } }` });
      expect((await errorOf(plan())).message).toContain(why);
    }
  });

  it("of the compared commit makes the plan of that commit", async () => {
    write(own, {
      "otto.yaml": "otto: 1\nsteps: { a: { pipeline: ./a.yaml } }",
      "a.yaml": "otto: 1\nsteps:\n  b: { run: x }\n",
    });
    release(own, "first");
    write(own, { "a.yaml": "otto: 1\nsteps:\n  b: { run: y }\n" });
    const output = join(folder, "output");
    expect(await explain({ folder: own, diff: "HEAD", output, exitCode: true })).toBe(1);
    const text = readFileSync(output, "utf8");
    expect(text).toContain(
      "~ a/b\n    commands: x -> y; the template ./a.yaml changed; written (a.yaml:3)\n",
    );
    expect(text).toMatch(/^uses\.\.\/a\.yaml: "\.\/a\.yaml at digest \w{12}" -> .*; the template changed$/m);
  });
});

describe("a template of another repository", () => {
  it("is not used before it is locked", async () => {
    prepare();
    const error = await errorOf(plan());
    expect(error.message).toContain(`otto.lock does not pin \`git+${address}@v1#ci/deploy.yaml\``);
    expect(error.message).toContain("= run `otto lock` and commit what it writes");
    expect(existsSync(join(folder, "home", "uses"))).toBe(false);
  });

  it("is pinned with everything that it uses, by commit and digest", async () => {
    const commit = prepare();
    const { exitCode, text } = await locked();
    expect(exitCode).toBe(0);
    expect(text).toContain(`+ git+${address}@v1#ci/deploy.yaml: commit ${commit.slice(0, 12)}`);
    expect(text).toContain("otto.lock pins 2 sources.");
    expect(Object.entries(lockFile().uses)).toMatchObject([
      [`git+${address}@v1#ci/deploy.yaml`, { kind: "template", commit }],
      [`git+${address}@v1#ci/rest.yaml`, { kind: "template", commit }],
    ]);
    const { steps, uses } = await plan();
    expect(steps.map(({ name }) => name)).toEqual([
      "deploy/build",
      "deploy/rest/end",
      "deploy/rest",
      "deploy",
    ]);
    expect(uses?.map(({ name, commit: pinned }) => [name, pinned])).toEqual([
      [`git+${address}@v1#ci/rest.yaml`, commit],
      ["shared", commit],
    ]);
  });

  it("makes the same plan when its repository is gone, or has moved its tag", async () => {
    prepare();
    await locked();
    const before = await plan();
    write(other, { "ci/deploy.yaml": template("something else") });
    release(other, "v1");
    expect(await plan()).toEqual(before);
    rmSync(other, { recursive: true });
    expect(await plan()).toEqual(before);
    expect(await locked({ check: true })).toMatchObject({ exitCode: 0 });
    expect(await locked()).toMatchObject({ exitCode: 0, text: "otto.lock is as it was: 2 sources.\n" });
  });
});

describe("the cache of a template of another repository", () => {
  it("is filled at the pinned commit where it has nothing", async () => {
    prepare();
    await locked();
    const before = await plan();
    rmSync(join(folder, "home"), { recursive: true });
    write(other, { "ci/deploy.yaml": template("something else") });
    release(other, "v1");
    expect(await plan()).toEqual(before);
    rmSync(join(folder, "home"), { recursive: true });
    rmSync(other, { recursive: true });
    const error = await errorOf(plan());
    expect(error.message).toContain("is not in this machine's cache, and cannot be fetched");
    expect(error.message).toContain("= run `otto lock` where its repository can be reached");
  });

  it("that somebody changed is fetched anew, or refused", async () => {
    prepare();
    await locked();
    const before = await plan();
    const tamper = (): void => {
      const [place = ""] = cached();
      const forged = join(folder, "forged");
      git(folder, "clone", "-q", other, forged);
      write(forged, { "ci/deploy.yaml": template("evil") });
      const evil = release(forged, "evil");
      // The commit's id now leads to other files: git believes what is in its store.
      git(place, "fetch", "-q", "--depth=1", "--", `file://${forged}`, evil);
      git(place, "replace", "-f", git(place, "rev-parse", "refs/otto/used^{commit}"), evil);
      rmSync(forged, { recursive: true });
    };
    tamper();
    expect(await plan()).toEqual(before);
    tamper();
    rmSync(other, { recursive: true });
    const error = await errorOf(plan());
    expect(error.message).toContain("is not what otto.lock pins: its content has another digest");
  });
});

describe("a template of another repository that is not what it should be", () => {
  it("is refused when somebody changed its digest in otto.lock", async () => {
    prepare();
    await locked();
    const text = readFileSync(join(own, "otto.lock"), "utf8");
    writeFileSync(join(own, "otto.lock"), text.replace(/"digest": "[0-9a-f]{4}/, '"digest": "0000'));
    expect((await errorOf(plan())).message).toContain("its content has another digest");
    expect(await locked({ check: true })).toMatchObject({ exitCode: 1 });
  });

  it("cannot reach into the repository that uses it", async () => {
    write(other, { "a.yaml": "otto: 1\nsteps: { b: { pipeline: ./private.yaml } }" });
    release(other, "v1");
    write(own, {
      "otto.yaml": `otto: 1\nuses: { a: "git+${address}@v1#a.yaml" }\nsteps: { a: { pipeline: a } }`,
      "private.yaml": "otto: 1\nsteps: { b: { run: x } }",
    });
    expect((await errorOf(locked())).message).toContain(`\`git+${address}@v1#private.yaml\` is not there`);
    expect(existsSync(join(own, "otto.lock"))).toBe(false);
  });
});

describe("otto lock", () => {
  it("--check says what is stale, and ends with 1", async () => {
    prepare();
    const missing = await locked({ check: true });
    expect(missing.exitCode).toBe(1);
    expect(missing.text).toMatch(
      /^otto\.lock is stale:\n {2}otto\.lock does not pin .*\nNext: run `otto lock`/,
    );
    expect(existsSync(join(own, "otto.lock"))).toBe(false);
    await locked();
    write(own, { "otto.yaml": "otto: 1\nsteps: { a: { run: x } }" });
    const unused = await locked({ check: true });
    expect(unused).toMatchObject({ exitCode: 1 });
    expect(unused.text).toContain("is not used any more");
    expect((await locked()).text).toContain("otto.lock pins 0 sources.");
    expect(await locked({ check: true })).toMatchObject({ exitCode: 0 });
  });

  it("keeps what is pinned until --upgrade, which shows what that does to the plan", async () => {
    prepare();
    await locked();
    const before = lockFile();
    write(other, { "ci/deploy.yaml": template("make faster") });
    const commit = release(other, "v1");
    await locked();
    expect(lockFile()).toEqual(before);
    const { text } = await locked({ upgrade: true });
    expect(lockFile().uses[`git+${address}@v1#ci/deploy.yaml`]?.commit).toBe(commit);
    expect(text).toContain(`~ git+${address}@v1#ci/deploy.yaml: commit `);
    expect(text).toContain("what changed since the old otto.lock");
    expect(text).toMatch(
      /~ deploy\/build\n {4}commands: make -> make faster; the template shared changed; written/,
    );
    expect((await locked({ upgrade: true })).text).toBe("otto.lock is as it was: 2 sources.\n");
  });

  it("writes the same bytes whatever the order in which things are used", async () => {
    prepare();
    await locked();
    const first = readFileSync(join(own, "otto.lock"), "utf8");
    write(own, {
      "otto.yaml": `otto: 1
uses: { zoo: "git+${address}@v1#ci/rest.yaml", shared: "git+${address}@v1#ci/deploy.yaml" }
steps: { deploy: { pipeline: shared } }
`,
    });
    rmSync(join(own, "otto.lock"));
    await locked();
    expect(readFileSync(join(own, "otto.lock"), "utf8")).toBe(first);
  });

  it("says which revision is not there, and writes nothing", async () => {
    prepare();
    write(own, {
      "otto.yaml": `otto: 1\nuses: { a: "git+${address}@v9#ci/rest.yaml" }\nsteps: { a: { pipeline: a } }`,
    });
    const error = await errorOf(locked());
    expect(error.message).toContain("otto.yaml:2:12: error:");
    expect(error.message).toContain("cannot be fetched: git fetch failed:");
    expect(existsSync(join(own, "otto.lock"))).toBe(false);
  });

  it("leaves the lock file as it is when the pipeline has mistakes, and asks for no parameters", async () => {
    prepare();
    await locked();
    const before = lockFile();
    const text = readFileSync(join(own, "otto.yaml"), "utf8");
    write(own, { "otto.yaml": `${text}  broken: [\n` });
    for (const options of [{}, { check: true }, { upgrade: true }])
      expect(await errorOf(locked(options))).toMatchObject({ code: "OTTO_PIPELINE_INVALID" });
    expect(lockFile()).toEqual(before);
    write(own, { "otto.yaml": `${text}parameters: { name: { type: string } }\n` });
    expect(await locked({ check: true })).toMatchObject({ exitCode: 0 });
    expect(await locked()).toMatchObject({ exitCode: 0 });
  });

  it("does not take a lock file that it cannot have written", async () => {
    prepare();
    for (const text of ["{", "[]", '{"otto-lock":2,"uses":{}}', '{"otto-lock":1,"uses":{"./a":{}}}']) {
      writeFileSync(join(own, "otto.lock"), text);
      expect(await errorOf(plan())).toMatchObject({ code: "OTTO_LOCK_INVALID" });
    }
  });
});

describe("a step library", () => {
  const manifest = "otto-step: 1\nname: lint\nentry: { any: ./bin/lint }\n";
  const using = (source: string): string =>
    `otto: 1\nuses: { lint: "${source}" }\nsteps: { a: { uses: lint } }\n`;

  function prepareLibrary(repository: string, path: string): void {
    const at = (name: string): string => (path === "" ? name : `${path}/${name}`);
    write(repository, {
      [at("otto-step.yaml")]: manifest,
      [at("bin/lint")]: "#!/bin/sh\n",
      [at("note")]: "text",
    });
    chmodSync(join(repository, at("bin/lint")), 0o755);
    symlinkSync("note", join(repository, at("link")));
  }

  it("of another repository is its top folder, or a folder in it, pinned by the digest of its tree", async () => {
    prepareLibrary(other, "");
    const commit = release(other, "v1");
    write(own, { "otto.yaml": using(`git+${address}@v1`) });
    await locked();
    const whole = await loadPlan({ folder: own });
    expect(whole.plan.uses).toMatchObject([
      { name: "lint", commit, kind: "library", entry: { any: "bin/lint" } },
    ]);
    const [use] = whole.plan.uses ?? [];
    const files = whole.brought.libraries.get(use?.digest ?? "")?.files ?? [];
    expect(files.map(({ path, mode }) => [path, mode])).toEqual([
      ["bin/lint", "executable"],
      ["link", "link"],
      ["note", "file"],
      ["otto-step.yaml", "file"],
    ]);
    expect(lockFile().uses[`git+${address}@v1`]).toEqual({ kind: "library", commit, digest: use?.digest });

    // The same files are the same library, wherever they are.
    prepareLibrary(own, "ci/lint");
    write(own, { "otto.yaml": using("./ci/lint") });
    expect((await plan()).uses).toMatchObject([{ digest: use?.digest, commit: null }]);
    release(own, "v1");
    write(own, { "otto.yaml": using(`git+file://${own}@v1#ci/lint/`) });
    await locked();
    expect((await plan()).uses).toMatchObject([{ digest: use?.digest }]);
  });

  it("has another digest when a byte, a mode or a name of it changes, and not for what git ignores", async () => {
    prepareLibrary(own, "ci/lint");
    write(own, { "otto.yaml": using("./ci/lint"), ".gitignore": "*.tmp\n" });
    const digest = async (): Promise<string> => (await plan()).uses?.[0]?.digest ?? "";
    const digests = [await digest()];
    write(own, { "ci/lint/x.tmp": "" });
    expect(await digest()).toBe(digests[0]);
    for (const change of [
      () => write(own, { "ci/lint/note": "texT" }),
      () => chmodSync(join(own, "ci/lint/note"), 0o755),
      () => write(own, { "ci/lint/more": "" }),
    ]) {
      change();
      digests.push(await digest());
    }
    expect(new Set(digests).size).toBe(4);
  });

  it("beyond the bound, or without a manifest, is refused with words", async () => {
    write(own, { "otto.yaml": using("./ci/lint"), "ci/lint/otto-step.yaml": manifest });
    writeFileSync(join(own, "ci/lint/big"), Buffer.alloc(limits.libraryBytesMax));
    expect((await errorOf(plan())).message).toContain("has more than 2000 files or 16 MiB");
    write(own, { "ci/lint/big": "" });
    for (let index = 0; index < limits.libraryFilesMax; index += 1)
      write(own, { [`ci/lint/f/${index}`]: "" });
    expect((await errorOf(plan())).message).toContain("has more than 2000 files or 16 MiB");
    rmSync(join(own, "ci/lint/f"), { recursive: true });
    expect((await plan()).steps).toHaveLength(1);
    rmSync(join(own, "ci/lint/otto-step.yaml"));
    expect((await errorOf(plan())).message).toContain("has no otto-step.yaml");
  });
});

describe("a git source", () => {
  it("is an address that git can fetch, a revision and a path, and has no password", async () => {
    const wrong: readonly (readonly [string, string])[] = [
      ["git+https://git.example.org/a", "ends with `@REVISION`"],
      ["git+ext::sh -c touch@v1", "none that git can fetch"],
      ["git+/etc@v1", "none that git can fetch"],
      ["git+https://ann:secret@git.example.org/a@v1", "has no password"],
      ["git+https://git.example.org/a@--upload-pack=x", "git has no such names of revisions"],
      ["git+https://git.example.org/a@v1#../x", "the path leaves the repository"],
      ["git+https://git.example.org/a@v1#.git/config", "the path leaves the repository"],
    ];
    for (const [source, words] of wrong) {
      write(own, { "otto.yaml": `otto: 1\nuses: { a: "${source}" }\nsteps: { a: { pipeline: a } }\n` });
      expect((await errorOf(locked())).message).toContain(words);
    }
    expect(existsSync(join(folder, "home", "uses"))).toBe(false);
  });
});
