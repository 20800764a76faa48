/**
 * What it costs to find out how a large repository is tested: 50,000 tracked files, and as many again in an ignored
 * `node_modules`. The function alone, with its files already listed; the listing; and `otto explain` as a person types
 * it, beside the same in a repository of one file.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readRepositoryFiles } from "../../node/edge/repository-files.ts";
import { detectPipeline } from "../../planner/conventions/detect.ts";
import { Bed, inRounds, type Row, runToEnd } from "./measure.ts";

const fileCount = 50_000;
const filesPerFolder = 50;
const rounds = 9;

export async function benchDetection(): Promise<Row[]> {
  await using bed = new Bed();
  const large = await repository(join(bed.folder, "large"), fileCount);
  const small = await repository(join(bed.folder, "small"), 0);
  const files = await readRepositoryFiles(large);
  const timed = async (work: () => unknown): Promise<number> => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const took = await inRounds(rounds, {
    detect: () => timed(() => detectPipeline(files)),
    read: () => timed(() => readRepositoryFiles(large)),
    large: async () => (await bed.otto(large, "explain")).tookMs,
    small: async () => (await bed.otto(small, "explain")).tookMs,
  });
  return [
    { name: `detect in ${fileCount} files, listed`, value: took("detect"), unit: "ms" },
    { name: `list and read ${fileCount} files`, value: took("read"), unit: "ms" },
    { name: `explain, ${fileCount} files detected`, value: took("large"), unit: "ms", target: { most: 300 } },
    { name: "explain, 1 file detected", value: took("small"), unit: "ms" },
  ];
}

/** A Node package with so many sources, all of them tracked, and as many files that git ignores. */
async function repository(folder: string, count: number): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const manifest = { name: "large", scripts: { test: "t" }, dependencies: { a: "1" } };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(folder, ".gitignore"), "node_modules/\n");
  for (const top of ["src", "node_modules"]) {
    for (let index = 0; index < count; index += 1) {
      const inside = join(folder, top, `part${Math.floor(index / filesPerFolder)}`);
      if (index % filesPerFolder === 0) mkdirSync(inside, { recursive: true });
      writeFileSync(join(inside, `file${index}.ts`), `export const value${index} = ${index};\n`);
    }
  }
  const git = (...words: string[]) =>
    runToEnd(["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", ...words], { cwd: folder });
  await git("init", "--quiet");
  await git("add", ".");
  await git("commit", "--quiet", "--message", "benchmark");
  return folder;
}
