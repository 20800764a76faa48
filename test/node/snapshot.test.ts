import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Blobs, openBlobs } from "../../node/edge/blobs.ts";
import { layOutTree } from "../../node/edge/layout.ts";
import { snapshotCommit, snapshotWorkingTree } from "../../node/edge/snapshot.ts";
import { StatCache } from "../../node/edge/stat-cache.ts";
import { parseTree, type Tree } from "../../protocol/tree.ts";

/** A git repository and a store in a temporary folder. */
class Place {
  readonly base = mkdtempSync(join(tmpdir(), "otto-snapshot-"));
  readonly root = join(this.base, "repository");
  #blobs: Blobs | null = null;

  async open(): Promise<this> {
    this.#blobs = await openBlobs(join(this.base, "blobs"));
    mkdirSync(this.root);
    this.git("init", "-q");
    return this;
  }

  get blobs(): Blobs {
    if (this.#blobs === null) throw new Error("open it first");
    return this.#blobs;
  }

  git(...words: readonly string[]): string {
    const name = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"];
    return execFileSync("git", [...name, ...words], { cwd: this.root, encoding: "utf8" }).trim();
  }

  write(path: string, text: string): void {
    mkdirSync(join(this.root, path, ".."), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  commit(): string {
    this.git("add", "-A");
    this.git("commit", "-q", "-m", "a change");
    return this.git("rev-parse", "HEAD");
  }

  async tree(digest: string): Promise<Tree> {
    const parsed = parseTree(await this.blobs.readBytes(digest, 1_000_000));
    if (!parsed.ok) throw new Error(parsed.problem);
    return parsed.value;
  }

  /** `path: content`, with the mode in front when it is not a plain file. */
  async contents(digest: string): Promise<readonly string[]> {
    const { files } = await this.tree(digest);
    return files.map((file) => {
      const text = readFileSync(this.blobs.path(file.digest), "utf8");
      return `${file.mode === "file" ? "" : `${file.mode} `}${file.path}: ${text}`;
    });
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true });
  }
}

let place: Place;
beforeEach(async () => {
  place = await new Place().open();
});
afterEach(() => place.remove());

describe("a snapshot of a working tree", () => {
  it("is what git would see: tracked and untracked, ignores honoured, deleted files left out", async () => {
    place.write(".gitignore", "*.log\nbuild/\n");
    place.write("kept", "1");
    place.write("changed", "old");
    place.write("deleted", "x");
    const commit = place.commit();
    place.write("changed", "new");
    place.write("untracked/file", "2");
    place.write("a.log", "ignored");
    place.write("build/out", "ignored");
    rmSync(join(place.root, "deleted"));
    const snapshot = await snapshotWorkingTree(place.root, place.blobs);
    expect(await place.contents(snapshot.tree)).toEqual([
      ".gitignore: *.log\nbuild/\n",
      "changed: new",
      "kept: 1",
      "untracked/file: 2",
    ]);
    expect(snapshot).toMatchObject({ commit, dirty: true, files: 4, bytes: 18, notices: [] });
  });

  it("is the same as that of the commit when nothing was changed", async () => {
    place.write("a/b", "1");
    place.write("run", "#!/bin/sh\n");
    chmodSync(join(place.root, "run"), 0o755);
    symlinkSync("a/b", join(place.root, "link"));
    const commit = place.commit();
    const working = await snapshotWorkingTree(join(place.root, "a"), place.blobs);
    const committed = await snapshotCommit(place.root, "HEAD", place.blobs);
    expect(await place.contents(working.tree)).toEqual([
      "a/b: 1",
      "link link: a/b",
      "executable run: #!/bin/sh\n",
    ]);
    expect(working).toEqual({ ...committed, commit, dirty: false });
  });

  it("works before the first commit", async () => {
    place.write("file", "1");
    const snapshot = await snapshotWorkingTree(place.root, place.blobs);
    expect(snapshot).toMatchObject({ commit: null, dirty: true, files: 1 });
  });

  it("leaves submodules and inner repositories out, and says so", async () => {
    const inner = await new Place().open();
    try {
      inner.write("file", "inner");
      inner.commit();
      place.git("submodule", "add", "-q", inner.root, "vendored");
      execFileSync("git", ["clone", "-q", inner.root, join(place.root, "cloned")]);
      place.write("file", "outer");
      const working = await snapshotWorkingTree(place.root, place.blobs);
      expect((await place.tree(working.tree)).files.map((file) => file.path)).toEqual([
        ".gitmodules",
        "file",
      ]);
      expect([...working.notices].sort()).toEqual([
        'The submodule or inner repository "cloned" is left out.',
        'The submodule or inner repository "vendored" is left out.',
      ]);
      place.git("rm", "-q", "--cached", "--ignore-unmatch", "cloned");
      rmSync(join(place.root, "cloned"), { recursive: true });
      place.commit();
      const committed = await snapshotCommit(place.root, "HEAD", place.blobs);
      expect(committed.notices).toEqual(['The submodule or inner repository "vendored" is left out.']);
    } finally {
      inner.remove();
    }
  });

  it("does not look through a folder that became a link", async () => {
    const outside = join(place.base, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "secret");
    place.write("folder/file", "mine");
    place.commit();
    rmSync(join(place.root, "folder"), { recursive: true });
    symlinkSync(outside, join(place.root, "folder"));
    const snapshot = await snapshotWorkingTree(place.root, place.blobs);
    expect(await place.contents(snapshot.tree)).toEqual([`link folder: ${outside}`]);
  });

  it("says that there is no repository", async () => {
    const taking = snapshotWorkingTree(place.base, place.blobs);
    await expect(taking).rejects.toMatchObject({ code: "OTTO_NO_REPOSITORY" });
    await expect(taking).rejects.toThrow("is not in a git repository");
  });
});

describe("the names in a snapshot of a working tree", () => {
  it("keeps any name that is text: spaces, line ends, quotes, other scripts", async () => {
    const names = [" a b ", "line\nend", '"quoted"', "日本", "-rf", ":(glob)x"];
    for (const name of names) place.write(name, name);
    const snapshot = await snapshotWorkingTree(place.root, place.blobs);
    const commit = place.commit();
    const paths = (await place.tree(snapshot.tree)).files.map((file) => file.path);
    expect(paths).toEqual([...names].sort());
    expect((await snapshotCommit(place.root, commit, place.blobs)).tree).toBe(snapshot.tree);
  });

  it("refuses a name that is not UTF-8, and says which", async () => {
    const name = Buffer.concat([Buffer.from(`${place.root}/caf`), Buffer.from([0xe9])]);
    writeFileSync(name, "x");
    const taking = snapshotWorkingTree(place.root, place.blobs);
    await expect(taking).rejects.toMatchObject({ code: "OTTO_FILE_UNREADABLE" });
    await expect(taking).rejects.toThrow('The name of the file "caf\u{fffd}" is not UTF-8.');
  });
});

describe("a snapshot that is taken again", () => {
  it("sees a change of the same size at the same modification time", async () => {
    place.write("file", "one");
    utimesSync(join(place.root, "file"), 1_000, 1_000);
    const first = await snapshotWorkingTree(place.root, place.blobs);
    place.write("file", "two");
    utimesSync(join(place.root, "file"), 1_000, 1_000);
    const second = await snapshotWorkingTree(place.root, place.blobs);
    expect(await place.contents(first.tree)).toEqual(["file: one"]);
    expect(await place.contents(second.tree)).toEqual(["file: two"]);
  });

  it("puts a blob back that was lost from the store", async () => {
    place.write("file", "one");
    const first = await snapshotWorkingTree(place.root, place.blobs);
    const digest = (await place.tree(first.tree)).files[0]?.digest ?? "";
    rmSync(place.blobs.path(digest));
    await snapshotWorkingTree(place.root, place.blobs);
    expect(place.blobs.has(digest)).toBe(true);
  });
});

describe("the memory of a snapshot", () => {
  const second = 1_000_000_000n;
  const digest = "a".repeat(64);
  const status = { size: 3n, ino: 7n, mtimeNs: 100n * second, ctimeNs: 100n * second };

  function remembered(startedNs: bigint): StatCache {
    const path = join(place.base, "cache", "one");
    const cache = new StatCache(path, startedNs);
    cache.remember("a file", status, digest);
    cache.save();
    return new StatCache(path, startedNs);
  }

  it("knows a file again while nothing about it changed", () => {
    const cache = remembered(200n * second);
    expect(cache.find("a file", status)).toBe(digest);
    expect(cache.find("another", status)).toBe(null);
    for (const change of [{ size: 4n }, { ino: 8n }, { mtimeNs: 1n }, { ctimeNs: 1n }]) {
      expect(cache.find("a file", { ...status, ...change })).toBe(null);
    }
  });

  it("does not trust a file that changed about when it was looked at", () => {
    expect(remembered(101n * second).find("a file", status)).toBe(null);
    expect(remembered(103n * second).find("a file", status)).toBe(digest);
  });

  it("is empty when it cannot be read", () => {
    mkdirSync(join(place.base, "cache"));
    writeFileSync(join(place.base, "cache", "one"), "something else");
    expect(new StatCache(join(place.base, "cache", "one"), 0n).find("a file", status)).toBe(null);
  });
});

describe("laying a tree out", () => {
  it("gives back what the snapshot was taken of", async () => {
    place.write("a/b/c", "deep");
    place.write("run", "#!/bin/sh\n");
    chmodSync(join(place.root, "run"), 0o755);
    symlinkSync("a/b", join(place.root, "link"));
    place.write("large", "x".repeat(3_000_000));
    const { tree } = await snapshotWorkingTree(place.root, place.blobs);
    const target = join(place.base, "target");
    mkdirSync(target);
    await layOutTree(await place.tree(tree), target, place.blobs);
    expect(readFileSync(join(target, "link", "c"), "utf8")).toBe("deep");
    expect(statSync(join(target, "run")).mode & 0o111).toBe(0o111);
    expect(statSync(join(target, "large")).size).toBe(3_000_000);
    renameSync(join(place.root, ".git"), join(target, ".git"));
    expect(execFileSync("git", ["status", "--porcelain"], { cwd: target, encoding: "utf8" })).not.toContain(
      " D",
    );
    const again = await snapshotWorkingTree(target, place.blobs);
    expect(again.tree).toBe(tree);
  });

  it("says which content is missing or damaged instead of leaving a hole", async () => {
    place.write("file", "content");
    const { tree } = await snapshotWorkingTree(place.root, place.blobs);
    const parsed = await place.tree(tree);
    const target = join(place.base, "target");
    mkdirSync(target);
    const blob = place.blobs.path(parsed.files[0]?.digest ?? "");
    writeFileSync(blob, "");
    await expect(layOutTree(parsed, target, place.blobs)).rejects.toThrow('The content of "file"');
    rmSync(blob);
    await expect(layOutTree(parsed, target, place.blobs)).rejects.toMatchObject({
      code: "OTTO_BLOB_MISSING",
    });
    expect(readdirSync(target)).toEqual([]);
  });

  it("stops when it is told to", async () => {
    place.write("file", "content");
    const { tree } = await snapshotWorkingTree(place.root, place.blobs);
    const signal = AbortSignal.abort();
    await expect(layOutTree(await place.tree(tree), place.base, place.blobs, { signal })).rejects.toThrow();
  });
});
