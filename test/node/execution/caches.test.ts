/** The caches of steps, with real processes: when they are there, why not, and that nothing goes wrong with them. */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CacheLimits, Caches } from "../../../node/edge/execution/caches.ts";
import type { Assignment } from "../../../node/ports.ts";
import { limits } from "../../../protocol/limits.ts";
import type { StepCache } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";
import { sha256Hex } from "../../../protocol/values.ts";
import { assignmentOf } from "../../contracts/witness.ts";
import { makeSurroundings, storeTree, type Surroundings } from "./surroundings.ts";

const gems: StepCache = { name: "gems", paths: ["vendor/bundle"], keyFiles: ["Gemfile.lock"] };
/** Makes what is to be kept, unless it is there. */
const install = "mkdir -p vendor/bundle; test -f vendor/bundle/gem || echo $RANDOM_TEXT > vendor/bundle/gem";

let surroundings: Surroundings;
beforeEach(async () => {
  surroundings = await makeSurroundings();
});
afterEach(async () => surroundings.close());

async function from(files: Readonly<Record<string, string>>): Promise<Pick<Assignment, "source">> {
  return { source: { kind: "tree", tree: await storeTree(surroundings.blobs, files) } };
}

async function run(
  commands: readonly string[],
  more: Partial<Assignment> = {},
  files: Readonly<Record<string, string>> = { "Gemfile.lock": "one" },
): Promise<StepReport> {
  return surroundings.run(commands, { caches: [gems], ...(await from(files)), ...more });
}

const folder = (): string => join(surroundings.folder, "execution", "caches");

/** The archives that are kept. */
function archives(): string[] {
  if (!existsSync(folder())) return [];
  const paths = readdirSync(folder(), { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".tar")).map((path) => join(folder(), path));
}

async function withLimits(cacheLimits: Partial<CacheLimits>): Promise<void> {
  await surroundings.close();
  surroundings = await makeSurroundings({ cacheLimits: { ...limits, ...cacheLimits } });
}

describe("a cache", () => {
  it("is kept when the step passed, and there for the next one of the same key", async () => {
    const first = await run([install, "ls -l vendor/bundle"], { variables: { RANDOM_TEXT: "first" } });
    expect(first.tail).toMatch(/^\[otto\] cache gems: miss: never seen \(key [0-9a-f]{8}\)\n/);
    expect(first.tail).toMatch(/\n\[otto\] cache gems: kept \(key [0-9a-f]{8}, \d.*\)\n$/);
    const second = await run([install, "cat vendor/bundle/gem"], { variables: { RANDOM_TEXT: "second" } });
    expect(second.tail).toMatch(/^\[otto\] cache gems: hit \(key [0-9a-f]{8}, .*\)\nfirst\n$/);
    expect(second.commands.map(({ logOffset }) => logOffset)).toEqual([
      second.tail.indexOf("first"),
      second.tail.indexOf("first"),
    ]);
  });

  it("is another when its files are: the log says which changed", async () => {
    const many = { caches: [{ ...gems, keyFiles: ["*.lock"] }] };
    await run([install], many, { "a.lock": "one", "b.lock": "one", "c.lock": "one" });
    const next = await run(["test ! -e vendor"], many, { "a.lock": "two", "b.lock": "one", "d.lock": "one" });
    expect(next.problem).toBe("");
    expect(next.tail).toContain("cache gems: miss: a.lock changed, c.lock is gone, d.lock is new (key ");
    const again = await run(["test ! -e vendor"], { caches: [{ ...gems, keyFiles: [], paths: ["other"] }] });
    expect(again.tail).toContain("miss: its paths changed");
  });

  it("of another pipeline, or of another name, is never read", async () => {
    await run([install]);
    expect((await run(["test ! -e vendor"], { cacheScope: "dev other" })).tail).toContain("miss: never seen");
    const named = { caches: [{ ...gems, name: "others" }] };
    expect((await run(["test ! -e vendor"], named)).tail).toContain("cache others: miss: never seen");
  });

  it("gives each step copies: what one does to them reaches no other", async () => {
    await run([install], { variables: { RANDOM_TEXT: "as it was" } });
    await run(["echo changed > vendor/bundle/gem; rm -rf vendor/bundle/*; echo more > vendor/bundle/more"]);
    expect((await run(["cat vendor/bundle/*"])).tail).toMatch(/\nas it was\n$/);
  });

  it("may be read by several steps at once", async () => {
    await run([install], { variables: { RANDOM_TEXT: "shared" } });
    const reports = await Promise.all([1, 2, 3, 4].map(async () => run(["cat vendor/bundle/gem"])));
    for (const { tail } of reports) expect(tail).toMatch(/hit .*\nshared\n$/);
  });

  it("is not kept of a step that failed, nor without anything to keep", async () => {
    const failed = await run([install, "exit 1"]);
    expect(failed.tail).not.toContain("kept");
    expect(archives()).toEqual([]);
    const empty = await run(["true"]);
    expect(empty.outcome).toBe("passed");
    expect(empty.tail).toContain("cache gems: not kept: nothing is named vendor/bundle\n");
  });

  it("may have patterns, links, what only its owner reads, and empty folders", async () => {
    const modules = {
      caches: [{ name: "modules", paths: ["**/modules", "one/modules/deep"], keyFiles: [] }],
    };
    await run(
      [
        "mkdir -p one/modules/deep two/modules/empty; echo 1 > one/modules/deep/a; chmod 600 one/modules/deep/a",
        "ln -s a one/modules/deep/link; echo 'with space' > 'two/modules/a b'; chmod +x 'two/modules/a b'",
      ],
      modules,
    );
    const list = "find . -path ./Gemfile.lock -o -type f -printf '%P %m\\n' -o -printf '%P %y\\n' | sort";
    expect((await run([list], modules)).tail.split("\n").slice(1, -1)).toEqual([
      " d",
      "one d",
      "one/modules d",
      "one/modules/deep d",
      "one/modules/deep/a 600",
      "one/modules/deep/link l",
      "two d",
      "two/modules d",
      "two/modules/a b 755",
      "two/modules/empty d",
    ]);
  });

  it("below the home is there again after the home was lost, and leaves what is there as it is", async () => {
    const wheels = { caches: [{ name: "wheels", paths: ["~/.cache/pip"], keyFiles: [] }] };
    await run(["mkdir -p ~/.cache/pip; echo wheel > ~/.cache/pip/a"], wheels);
    rmSync(join(surroundings.folder, "execution", "home", ".cache"), { recursive: true });
    const again = await run(["cat ~/.cache/pip/a; echo newer > ~/.cache/pip/a"], wheels);
    expect(again.tail).toMatch(/hit .*\nwheel\n$/);
    expect((await run(["cat ~/.cache/pip/a"], wheels)).tail).toMatch(/hit .*\nnewer\n$/);
  });

  it("is laid over what the source has in its place", async () => {
    const files = {
      "Gemfile.lock": "one",
      "vendor/bundle/README": "read",
      "vendor/bundle/gem": "of the source",
    };
    await run(["echo made > vendor/bundle/gem"], {}, files);
    const next = await run(["cat vendor/bundle/README vendor/bundle/gem"], {}, files);
    expect(next.tail).toMatch(/hit .*\nreadmade\n$/);
  });
});

describe("a cache that cannot be", () => {
  it("is never unpacked or packed through a link", async () => {
    const outside = join(surroundings.folder, "outside");
    mkdirSync(outside);
    await run([install]);
    const led = await run(["true"], {}, { "Gemfile.lock": "one", vendor: `-> ${outside}` });
    expect(led.outcome).toBe("passed");
    expect(led.tail).toContain("miss: it could not be unpacked: vendor/bundle is reached through a link");
    expect(readdirSync(outside)).toEqual([]);
    writeFileSync(join(outside, "secret"), "");
    const kept = await run([`rm -rf vendor; ln -s ${outside} vendor; mkdir vendor/bundle`], {}, {});
    expect(kept.tail).toContain("not kept: vendor/bundle is reached through a link");
  });

  it("was half written or damaged: the step runs without it, and keeps a new one", async () => {
    await run([install]);
    const [archive = ""] = archives();
    truncateSync(archive, 700);
    const short = await run([install, "true"]);
    expect([short.outcome, short.tail]).toEqual([
      "passed",
      expect.stringMatching(/miss: never seen.*\n.*kept/s),
    ]);
    const [fresh = ""] = archives();
    const bytes = readFileSync(fresh);
    writeFileSync(fresh, bytes.fill(0x41));
    const broken = await run([install, "true"]);
    expect(broken.outcome).toBe("passed");
    expect(broken.tail).toMatch(/miss: it could not be unpacked: .*\n.*kept/s);
    expect((await run(["true"])).tail).toContain("hit");
  });

  it("was being made when the worker ended: what is left of it goes, what was whole stays", async () => {
    await run([install]);
    mkdirSync(join(folder(), "temporary", "1-1"), { recursive: true });
    writeFileSync(join(folder(), "temporary", "1-1", "workspace.tar"), "half");
    mkdirSync(join(folder(), "0123-gems", "key"), { recursive: true });
    writeFileSync(join(folder(), "0123-gems", "key", "about.json"), "{");
    await surroundings.executor.close();
    surroundings = await makeSurroundings({ folder: surroundings.folder });
    expect((await run(["test -f vendor/bundle/gem"])).tail).toContain("hit");
    expect(readdirSync(join(folder(), "temporary"))).toEqual([]);
    expect(existsSync(join(folder(), "0123-gems", "key"))).toBe(false);
  });
});

describe("a cache for which there is no room or time", () => {
  it("is larger than one may be: the log says how large it is", async () => {
    await withLimits({ cacheBytesMax: 100_000 });
    const fill = (bytes: number): string =>
      `mkdir -p vendor/bundle; head -c ${bytes} /dev/zero > vendor/bundle/gem`;
    const over = await run([fill(200_000)]);
    expect(over.outcome).toBe("passed");
    expect(over.tail).toContain(
      "cache gems: not kept: 195 KiB is more than the 98 KiB that a cache may have\n",
    );
    expect((await run([fill(90_000)])).tail).toContain("kept (key");
  });

  it("had to go for others that were used more lately: the log says so", async () => {
    await withLimits({ cachesBytesMax: 300_000 });
    const fill =
      "mkdir -p vendor/bundle; test -f vendor/bundle/gem || head -c 100000 /dev/zero > vendor/bundle/gem";
    const of = async (lock: string): Promise<string> =>
      (await run([fill], {}, { "Gemfile.lock": lock })).tail;
    await of("one");
    await of("two");
    expect(await of("one")).toContain("hit");
    await of("three");
    expect(archives()).toHaveLength(2);
    expect(await of("one")).toContain("hit");
    expect(await of("two")).toContain("miss: evicted, since others were used more lately");
  });

  it("had to go for their number", async () => {
    await withLimits({ cachesKeptMax: 2 });
    for (const lock of ["one", "two", "three"]) await run([install], {}, { "Gemfile.lock": lock });
    expect(archives()).toHaveLength(2);
  });

  it("takes longer than the step has: it is not kept, and nothing is left of it", async () => {
    const own = { folder: join(surroundings.folder, "own"), bounds: limits };
    const workspace = join(surroundings.folder, "workspace");
    mkdirSync(join(workspace, "vendor", "bundle"), { recursive: true });
    const roots = { workspace, home: surroundings.folder };
    const caches = new Caches(own);
    const assignment = assignmentOf(surroundings.emptyTree, [], { caches: [gems] });
    const { sought } = await caches.restore(assignment, roots, new AbortController().signal);
    const notes = await caches.keep(sought, roots, AbortSignal.abort());
    expect(notes).toEqual(["cache gems: not kept: there was no time left for it"]);
    expect(readdirSync(own.folder)).toEqual([]);
    expect(await caches.keep(sought, roots, new AbortController().signal)).toEqual([
      expect.stringContaining("cache gems: kept (key "),
    ]);
    await expect(caches.restore(assignment, roots, AbortSignal.abort())).rejects.toThrow("aborted");
    expect(readdirSync(join(own.folder, "temporary"))).toEqual([]);
  });
});

describe("what is said of caches", () => {
  for (const lines of [1, 668, 2_000]) {
    it(`is in the log as it is kept and as it is watched, also behind ${lines} other lines`, async () => {
      const id = surroundings.start([install, `seq 10000 ${9_999 + lines}`], {
        caches: [gems],
        ...(await from({ "Gemfile.lock": "one" })),
      });
      const report = await surroundings.witness.report(id);
      const watched = surroundings.witness.log(id);
      expect(watched).toMatch(/^\[otto\] cache gems: miss/);
      expect(watched).toMatch(/\n\[otto\] cache gems: kept \(.*\n$/);
      expect(report.log.bytes).toBe(watched.length);
      expect(watched.endsWith(report.tail)).toBe(true);
      const { digest } = report.log;
      const kept = digest === null ? report.tail : readFileSync(surroundings.blobs.path(digest), "latin1");
      expect(kept).toBe(watched);
      expect(digest === null || digest === sha256Hex(Buffer.from(watched))).toBe(true);
    });
  }
});

describe("the folders of a cache", () => {
  it("are laid over links of the source, not over what those lead to", async () => {
    const outside = join(surroundings.folder, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "file"), "mine");
    await run([install, "mkdir vendor/bundle/deep; echo made > vendor/bundle/deep/file"]);
    const links = {
      "Gemfile.lock": "one",
      "vendor/bundle/deep": `-> ${outside}`,
      "vendor/bundle/gem": `-> ${join(outside, "file")}`,
      "vendor/bundle/own": "-> gem",
    };
    const next = await run(["cat vendor/bundle/deep/file; test -L vendor/bundle/own"], {}, links);
    expect([next.outcome, next.tail]).toEqual(["passed", expect.stringMatching(/hit .*\nmade\n$/)]);
    expect(readFileSync(join(outside, "file"), "utf8")).toBe("mine");
  });

  it("are deleted also where a tool has made them read-only, as Go does", () => {
    const base = mkdtempSync(join(tmpdir(), "otto-read-only-"));
    const made = join(base, "mod", "module");
    mkdirSync(made, { recursive: true });
    writeFileSync(join(made, "go.mod"), "");
    // Nothing is read-only to root: there the folders are somebody else's, who deletes them.
    const isRoot = process.getuid?.() === 0;
    const nobody = 65_534;
    if (isRoot) for (const path of [base, join(base, "mod"), made]) chownSync(path, nobody, nobody);
    chmodSync(made, 0o555);
    const fixture = join(import.meta.dirname, "read-only-fixture.ts");
    const user = isRoot ? [`${nobody}`] : [];
    const ran = spawnSync(process.execPath, [fixture, base, "mod", ...user], { encoding: "utf8" });
    expect([ran.stderr, existsSync(join(base, "mod"))]).toEqual(["", false]);
    rmSync(base, { recursive: true });
  });
});
