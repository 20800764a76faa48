import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { readRepositoryFiles } from "../../node/edge/repository-files.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-files-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function git(...words: string[]): void {
  execFileSync("git", ["-C", folder, ...words], { stdio: "ignore" });
}

describe("a git repository", () => {
  test("has what git would see: tracked and new files, neither ignored nor deleted ones", async () => {
    write({ ".gitignore": "out/\n", "b.txt": "", "a/gone.txt": "", "B.txt": "", "package.json": "{}" });
    git("init", "-q");
    git("add", ".");
    write({ "new ü\n.txt": "", "out/built.js": "" });
    rmSync(join(folder, "a/gone.txt"));
    const files = await readRepositoryFiles(folder);
    expect(files.paths).toEqual([".gitignore", "B.txt", "b.txt", "new ü\n.txt", "package.json"]);
  });

  test("has what is there of a folder, whether that has many files or few", async () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`many/${index}.txt`, ""]));
    write({ ...many, "few/a.txt": "", "few/b.txt": "", "gone/a.txt": "", "many/in/a.txt": "" });
    git("init", "-q");
    git("add", ".");
    rmSync(join(folder, "many/7.txt"));
    rmSync(join(folder, "few/b.txt"));
    rmSync(join(folder, "gone"), { recursive: true });
    const left = Object.keys(many).filter((path) => path !== "many/7.txt");
    const files = await readRepositoryFiles(folder);
    expect(files.paths).toEqual([...left, "few/a.txt", "many/in/a.txt"].toSorted());
  });

  test("has each file once while a merge is not settled", async () => {
    write({ "a.txt": "one" });
    git("init", "-q");
    git("add", ".");
    const person = ["-c", "user.name=a", "-c", "user.email=a@localhost"];
    git(...person, "commit", "-q", "-m", "one");
    git("checkout", "-q", "-b", "other");
    write({ "a.txt": "two" });
    git(...person, "commit", "-q", "-a", "-m", "two");
    git("checkout", "-q", "-");
    write({ "a.txt": "three" });
    git(...person, "commit", "-q", "-a", "-m", "three");
    expect(() => git(...person, "merge", "-q", "other")).toThrow();
    expect((await readRepositoryFiles(folder)).paths).toEqual(["a.txt"]);
  });

  test("has what a sparse checkout leaves out", async () => {
    write({ "a/a.txt": "", "b/b.txt": "" });
    git("init", "-q");
    git("add", ".");
    git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-q", "-m", "one");
    git("sparse-checkout", "set", "a");
    expect(existsSync(join(folder, "b/b.txt"))).toBe(false);
    expect((await readRepositoryFiles(folder)).paths).toEqual(["a/a.txt", "b/b.txt"]);
  });

  test("is seen from one of its folders as that folder alone", async () => {
    write({ "api/go.mod": "module api", "package.json": "{}" });
    git("init", "-q");
    const files = await readRepositoryFiles(join(folder, "api"));
    expect(files.paths).toEqual(["go.mod"]);
    expect(files.read("go.mod")).toBe("module api");
  });
});

describe("a folder outside git", () => {
  test("is walked without what was downloaded or built", async () => {
    write({
      "z.txt": "",
      "a/b/c.txt": "",
      "node_modules/x/index.js": "",
      "target/debug/x": "",
      ".venv/x": "",
    });
    expect((await readRepositoryFiles(folder)).paths).toEqual(["a/b/c.txt", "z.txt"]);
  });

  test("that is not there is an error that says so", async () => {
    await expect(readRepositoryFiles(join(folder, "missing"))).rejects.toMatchObject({
      code: "OTTO_FILE_UNREADABLE",
    });
  });
});

describe("the text of a file", () => {
  test("is read for signal files alone", async () => {
    write({ "package.json": "\uFEFF{}", "README.md": "words", "a/b/c/package.json": "{}" });
    const files = await readRepositoryFiles(folder);
    expect(files.read("package.json")).toBe("{}");
    expect(files.read("README.md")).toBeUndefined();
    expect(files.read("a/b/c/package.json")).toBeUndefined();
  });

  test("ends after one MiB", async () => {
    write({ "yarn.lock": "x".repeat(1024 * 1024 + 1), "package.json": "y".repeat(1024 * 1024) });
    const files = await readRepositoryFiles(folder);
    expect(files.read("yarn.lock")?.length).toBe(1024 * 1024);
    expect(files.read("package.json")?.length).toBe(1024 * 1024);
  });

  test("is not there for a link to nowhere, a folder or a pipe", async () => {
    symlinkSync("nowhere", join(folder, "package.json"));
    mkdirSync(join(folder, "lib"));
    symlinkSync("lib", join(folder, "Makefile"));
    execFileSync("sh", ["-c", 'mkfifo "$0"', join(folder, "go.mod")]);
    const files = await readRepositoryFiles(folder);
    for (const path of ["package.json", "Makefile", "go.mod"]) expect(files.read(path)).toBeUndefined();
  });
});
