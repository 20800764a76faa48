import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBlobs } from "../../../node/edge/blobs.ts";
import { parseTree } from "../../../protocol/tree.ts";
import { makeSurroundings, storeTree, type Surroundings } from "./surroundings.ts";

describe("the files of a step", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings();
  });
  afterAll(async () => surroundings.close());

  it("are its source, with its inputs laid over it in their order", async () => {
    const source = await storeTree(surroundings.blobs, {
      "a/one": "source",
      "b/two": "source",
      keep: "source",
    });
    const first = await storeTree(surroundings.blobs, { "a/one": "first", "b/two": "first" });
    const second = await storeTree(surroundings.blobs, { "b/two": "second", "c/new": "second" });
    const report = await surroundings.run(["grep -r . . | sort"], {
      source: { kind: "tree", tree: source },
      inputs: [
        { name: "first", tree: first },
        { name: "second", tree: second },
      ],
    });
    expect(report.tail).toBe("./a/one:first\n./b/two:second\n./c/new:second\n./keep:source\n");
  });

  it("are the step's own: what it writes does not reach the store", async () => {
    const source = await storeTree(surroundings.blobs, { file: "as it was" });
    const assignment = { source: { kind: "tree", tree: source } } as const;
    await surroundings.run(["echo changed > file"], assignment);
    expect((await surroundings.run(["cat file"], assignment)).tail).toBe("as it was");
  });

  it("never get out of the workspace, not even through a link that is in it", async () => {
    const outside = join(surroundings.folder, "outside");
    mkdirSync(outside);
    const source = await storeTree(surroundings.blobs, { way: `-> ${outside}` });
    const input = await storeTree(surroundings.blobs, { "way/out": "escaped" });
    const report = await surroundings.run(["cat way/out; test ! -L way"], {
      source: { kind: "tree", tree: source },
      inputs: [{ name: "input", tree: input }],
    });
    expect(report.outcome, report.problem).toBe("passed");
    expect(report.tail).toBe("escaped");
    expect(existsSync(join(outside, "out"))).toBe(false);
  });
});

describe("the files of a step that are elsewhere", () => {
  let surroundings: Surroundings;
  /** What the fetch of a test does. */
  let fetch: (digests: string[]) => Promise<void> = async () => undefined;
  beforeAll(async () => {
    surroundings = await makeSurroundings({
      passVariables: { PATH: process.env["PATH"] ?? "/bin" },
      fetch: async (digests) => fetch(digests),
    });
  });
  afterAll(async () => surroundings.close());

  it("are fetched when they are not here, each once", async () => {
    const elsewhere = await openBlobs(join(surroundings.folder, "elsewhere"));
    const tree = await storeTree(elsewhere, { one: "far away", two: "far away", three: "also" });
    const asked: string[][] = [];
    fetch = async (digests) => {
      asked.push(digests);
      for (const digest of digests) await surroundings.blobs.write(digest, elsewhere.read(digest, 0));
    };
    const assignment = { source: { kind: "tree", tree } } as const;
    const report = await surroundings.run(["cat one two three"], assignment);
    await surroundings.run(["true"], assignment);
    expect(report.tail).toBe("far awayfar awayalso");
    expect(asked.map((digests) => digests.length)).toEqual([1, 2]);
  });

  it("are fetched once for all steps that start from them at the same time", async () => {
    const elsewhere = await openBlobs(join(surroundings.folder, "elsewhere"));
    const tree = await storeTree(elsewhere, { file: "for everyone" });
    let fetches = 0;
    fetch = async (digests) => {
      fetches += 1;
      for (const digest of digests) await surroundings.blobs.write(digest, elsewhere.read(digest, 0));
    };
    const assignment = { source: { kind: "tree", tree } } as const;
    const reports = [1, 2, 3].map(async () => surroundings.run(["cat file"], assignment));
    const tails = (await Promise.all(reports)).map((report) => report.tail);
    expect(tails).toEqual(["for everyone", "for everyone", "for everyone"]);
    expect(fetches).toBe(2);
  });

  it("that cannot be had fail the attempt with a reason", async () => {
    fetch = async () => {
      throw new Error("nobody has it");
    };
    const report = await surroundings.run(["true"], { source: { kind: "tree", tree: "0".repeat(64) } });
    expect(report).toMatchObject({ outcome: "failed", problem: "nobody has it", commands: [] });
  });

  it("that take too long to come end the attempt as timed out, or as cancelled when it is stopped", async () => {
    fetch = async () => new Promise(() => undefined);
    const source = { kind: "tree", tree: "1".repeat(64) } as const;
    const late = await surroundings.run(["true"], { source, timeoutMs: 50 });
    expect(late).toMatchObject({ outcome: "timed-out", commands: [] });
    const id = surroundings.start(["true"], { source });
    surroundings.executor.stop(id, "cancelled");
    expect(await surroundings.witness.report(id)).toMatchObject({ outcome: "cancelled", commands: [] });
  });

  it("may be a commit, which git fetches", async () => {
    const repository = join(surroundings.folder, "a repository");
    mkdirSync(repository);
    const git = (...words: string[]): string =>
      execFileSync("git", ["-c", "user.name=A", "-c", "user.email=a@example.org", ...words], {
        cwd: repository,
        encoding: "utf8",
      }).trim();
    git("init", "-q");
    writeFileSync(join(repository, "file"), "first\n");
    writeFileSync(join(repository, "run.sh"), "#!/bin/sh\ncat file\n", { mode: 0o755 });
    git("add", ".");
    git("commit", "-q", "-m", "one");
    const commit = git("rev-parse", "HEAD");
    writeFileSync(join(repository, "file"), "second\n");
    git("commit", "-q", "-a", "-m", "two");
    const source = { kind: "commit", repository, commit } as const;
    expect((await surroundings.run(["./run.sh"], { source })).tail).toBe("first\n");
    rmSync(repository, { recursive: true });
    expect((await surroundings.run(["./run.sh"], { source })).tail).toBe("first\n");
    const missing = await surroundings.run(["true"], { source: { ...source, commit: "0".repeat(40) } });
    expect(missing.outcome).toBe("failed");
    expect(missing.problem).toContain("git fetch failed");
  });
});

describe("the outputs of a step", () => {
  let surroundings: Surroundings;
  beforeAll(async () => {
    surroundings = await makeSurroundings();
  });
  afterAll(async () => surroundings.close());

  async function filesOf(tree: string): Promise<Record<string, string>> {
    const parsed = parseTree(await surroundings.blobs.readBytes(tree, 1_000_000));
    if (!parsed.ok) throw new Error(parsed.problem);
    const texts = parsed.value.files.map(async (file) => {
      const text = await readFile(surroundings.blobs.path(file.digest), "utf8");
      return [`${file.mode} ${file.path}`, text] as const;
    });
    return Object.fromEntries(await Promise.all(texts));
  }

  it("are the files that its patterns name; a folder means everything in it", async () => {
    const report = await surroundings.run(
      [
        "mkdir -p dist/sub .git; echo a > dist/a; echo b > dist/sub/.hidden; echo git > .git/config",
        "echo x > tool; chmod +x tool; ln -s a dist/link; echo log > 1.log; echo no > other",
      ],
      {
        outputs: [
          { name: "build", files: ["dist", "tool"] },
          { name: "logs", files: ["*.log", "1.*"] },
        ],
      },
    );
    expect(report.outcome, report.problem).toBe("passed");
    const [build, logs] = report.outputs;
    expect(build).toMatchObject({ name: "build", files: 4, bytes: 7 });
    expect(await filesOf(build?.tree ?? "")).toEqual({
      "file dist/a": "a\n",
      "link dist/link": "a",
      "file dist/sub/.hidden": "b\n",
      "executable tool": "x\n",
    });
    expect(await filesOf(logs?.tree ?? "")).toEqual({ "file 1.log": "log\n" });
  });

  it("that match nothing fail the step", async () => {
    const report = await surroundings.run(["true"], { outputs: [{ name: "build", files: ["dist/**"] }] });
    expect(report.outcome).toBe("failed");
    expect(report.problem).toBe(
      'The output "build" matches no file: nothing in the workspace is named "dist/**".',
    );
  });

  it("are kept of a failed step, too, as far as they are there", async () => {
    const report = await surroundings.run(["echo report > junit.xml; exit 1"], {
      outputs: [
        { name: "tests", files: ["*.xml"] },
        { name: "build", files: ["dist"] },
      ],
    });
    expect(report.problem).toContain("exited with 1");
    expect(report.outputs.map((output) => output.name)).toEqual(["tests"]);
  });

  const escapes: readonly { readonly what: string; readonly command: string; readonly files: string }[] = [
    { what: "an absolute link", command: "mkdir d; ln -s /etc/hostname d/link", files: "d" },
    { what: "a link upwards", command: "mkdir d; ln -s ../../secret d/link", files: "d" },
    {
      what: "a link by way of another",
      command: "ln -s . here; mkdir d; ln -s ../here/../up d/link",
      files: "d",
    },
    { what: "a folder that is a link", command: "ln -s /etc etc", files: "etc/hostname" },
    { what: "a pattern upwards", command: "true", files: "../*" },
    { what: "an absolute pattern", command: "true", files: "/etc/hostname" },
  ];
  for (const { what, command, files } of escapes) {
    it(`are refused when they lead out of the workspace: ${what}`, async () => {
      const report = await surroundings.run([command], { outputs: [{ name: "out", files: [files] }] });
      expect(report.outcome).toBe("failed");
      expect(report.outputs).toEqual([]);
      expect(report.problem).toMatch(/lead(s)? out of the workspace|outside the workspace/);
    });
  }
});
