/** The same inputs give the same plan, byte for byte, whatever else is different. */

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { readRepositoryFiles } from "../../node/edge/repository-files.ts";
import { detectPipeline } from "../../planner/conventions/detect.ts";
import { planDetected } from "../../planner/conventions/plan-detected.ts";
import { planId } from "../../planner/plan.ts";
import { packageJson } from "./conventions/fixture.ts";
import { numbersFrom } from "./choices.ts";
import { generatedImports } from "./generated-imports.ts";
import { generatedPipeline, planGenerated } from "./generated-pipelines.ts";
import { goldenFile, goldenIds, goldenText } from "./golden-pipelines.ts";
import { shuffled, type WrittenMap } from "./written-tree.ts";

const count = 1_000;
const top = mkdtempSync(join(tmpdir(), "otto-determinism-"));
afterAll(() => rmSync(top, { recursive: true, force: true }));

/** Several signals at the root and below, so that an order of directories could show. */
const repositories = [
  {
    "package.json": packageJson({ name: "shop", workspaces: ["packages/*"], scripts: { test: "t" } }),
    "package-lock.json": "{}",
    "packages/b/package.json": packageJson({ name: "b", scripts: { test: "b" } }),
    "packages/A/package.json": packageJson({ name: "A", scripts: { test: "a" } }),
    "packages/10/package.json": packageJson({ name: "10", scripts: { test: "c" } }),
  },
  {
    "Cargo.toml": "[package]\nname = 'cart'\n",
    "go.mod": "module a\n",
    "a_test.go": "",
    Makefile: "test:\n\tx\n",
  },
].map((files, index) => {
  const folder = join(top, `repository-${index}`);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
});

async function elsewhere(): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(import.meta.dirname, "other-world-fixture.ts"), String(count), ...repositories],
    {
      cwd: top,
      env: {
        LC_ALL: "tr_TR.UTF-8",
        LANG: "tr_TR.UTF-8",
        TZ: "Pacific/Chatham",
        HOME: top,
        CI: "1",
        OTTO_STEP: "x",
      },
      maxBuffer: 10_000_000,
    },
  );
  return stdout.trimEnd().split("\n");
}

it("with keys in another order, in another process, at another time and place", async () => {
  const asked = elsewhere();
  const ids: string[] = [];
  for (let seed = 0; seed < count; seed += 1) {
    const { plan } = await planGenerated(seed);
    const next = numbersFrom(seed);
    const pipeline = shuffled(generatedPipeline(seed), next) as WrittenMap;
    // Also inside of what it uses; what pins the files stays, or the plans would rightly differ.
    const other = await planGenerated(seed, pipeline, generatedImports(next));
    // The text too: what people and programs are shown has an order of its own.
    expect(JSON.stringify(other.plan), `pipeline ${seed}`).toBe(JSON.stringify(plan));
    ids.push(planId(plan));
    expect(planId(other.plan), `pipeline ${seed}`).toBe(ids.at(-1));
  }
  for (const folder of repositories) {
    const found = detectPipeline(await readRepositoryFiles(folder));
    if (found.kind === "nothing") throw new Error(`nothing was detected in ${folder}`);
    const context = { branch: null, tag: null, commit: null, trigger: "manual", parameters: {} };
    ids.push(planId(planDetected(found, context)));
  }
  const [world, ...others] = await asked;
  expect(world).toBe("tr-TR Pacific/Chatham 1999-12-31T23:59:59.000Z");
  expect(others).toEqual(ids);
  // Most of them are different pipelines, and not one again and again.
  expect(new Set(ids).size).toBeGreaterThan(0.95 * count);
});

it("the ids of known pipelines are what they were", async () => {
  const ids = await goldenIds();
  const kept = new Map(
    readFileSync(goldenFile, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => [line.slice(line.indexOf("  ") + 2), line.slice(0, line.indexOf("  "))] as const),
  );
  const changed = ids.flatMap(([name, id]) => (kept.get(name) === id ? [] : [name]));
  const gone = [...kept.keys()].filter((name) => !ids.some(([other]) => other === name));
  expect(
    [...changed, ...gone],
    "The plans of these pipelines have other ids than before: whoever compares with an older plan, or holds an approval " +
      "of one, sees a difference. A change of an id is a decision: say why in the commit, and write the new ones " +
      "down with `npm run golden-ids`.",
  ).toEqual([]);
  expect(readFileSync(goldenFile, "utf8")).toBe(goldenText(ids));
});
