/**
 * The caches of a step: unpacked before its commands, packed after they passed when there was none of the same key.
 *
 *   key = sha256 of name, platform, paths, and the files that the plan names, with their content
 *
 * Promises: a step gets copies, so nothing that it does to them reaches another; nothing is unpacked through a link; what
 * goes wrong with a cache is a line of the log and never fails a step. Each line says what happened, and why.
 *
 * Archives are plain tar: on ext4 one is written four times sooner than a copy of its many files, read back as soon, and
 * deleted at once; it has one size, and is whole or not.
 */

import { createHash } from "node:crypto";
import { execFile } from "node:child_process";
import { createReadStream, existsSync, lstatSync, mkdirSync, readlinkSync, realpathSync } from "node:fs";
import { renameSync, rmSync, statSync } from "node:fs";
import { glob, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { limits } from "../../../protocol/limits.ts";
import type { StepCache } from "../../../protocol/plan.ts";
import { sizeWords } from "../../../protocol/sizes.ts";
import { isSafePath } from "../../../protocol/tree.ts";
import { compareText, encodeValue, sha256Hex } from "../../../protocol/values.ts";
import type { Assignment } from "../../ports.ts";
import { wordsOf } from "../error-words.ts";
import {
  archiveOf,
  type CacheEntry,
  type CacheInputs,
  type CacheRoot,
  cacheRoots,
  CacheStore,
  remove,
  sizeOf,
} from "./cache-store.ts";
import { filesNamed } from "./outputs.ts";

export type CacheLimits = Readonly<
  Record<keyof Pick<typeof limits, "cacheBytesMax" | "cachesBytesMax" | "cachesKeptMax">, number>
>;

/** One cache of one attempt, after it was looked for. */
export type SoughtCache = {
  readonly cache: StepCache;
  readonly group: string;
  readonly key: string;
  readonly inputs: CacheInputs;
  readonly isHit: boolean;
};

type Roots = Readonly<Record<CacheRoot, string>>;

export class Caches {
  readonly #store: CacheStore;
  readonly #limits: CacheLimits;

  constructor(options: { readonly folder: string; readonly bounds: CacheLimits }) {
    this.#limits = options.bounds;
    this.#store = new CacheStore(options.folder, this.#limits);
  }

  /** Unpacks what is there. The notes say so, one a cache. */
  async restore(
    { caches, cacheScope, cacheBelow }: Assignment,
    roots: Roots,
    signal: AbortSignal,
  ): Promise<{ readonly sought: readonly SoughtCache[]; readonly notes: readonly string[] }> {
    const sought: SoughtCache[] = [];
    const notes: string[] = [];
    for (const cache of caches) {
      try {
        const inputs = await inputsOf(cache, roots.workspace);
        const key = sha256Hex(encodeValue({ name: cache.name, ...inputs.all }));
        const group = this.#store.groupOf(cacheScope, cache.name);
        const below = cacheBelow === null ? null : this.#store.groupOf(cacheBelow, cache.name);
        const entry = this.#store.find(group, key) ?? (below === null ? null : this.#store.find(below, key));
        const shown = `key ${key.slice(0, 8)}`;
        let isHit = false;
        if (entry === null) {
          notes.push(
            `cache ${cache.name}: miss: ${this.#store.whyMissing(group, key, inputs.known)} (${shown})`,
          );
        } else {
          const problem = await this.#unpack(entry, roots, signal);
          isHit = problem === null;
          notes.push(
            isHit
              ? `cache ${cache.name}: hit (${shown}, ${sizeWords(sizeOf(entry))})`
              : `cache ${cache.name}: miss: it could not be unpacked: ${problem} (${shown})`,
          );
        }
        sought.push({ cache, group, key, inputs: inputs.known, isHit });
      } catch (error) {
        if (signal.aborted) throw error;
        notes.push(`cache ${cache.name}: not used: ${wordsOf(error)}`);
      }
    }
    return { sought, notes };
  }

  /** Keeps what there was no cache of. To be called when the commands passed and nothing of them runs any more. */
  async keep(sought: readonly SoughtCache[], roots: Roots, signal: AbortSignal): Promise<readonly string[]> {
    const notes: string[] = [];
    for (const one of sought) {
      if (one.isHit) continue;
      const { name } = one.cache;
      try {
        notes.push(`cache ${name}: ${await this.#keep(one, roots, signal)}`);
      } catch (error) {
        const why = signal.aborted ? "there was no time left for it" : wordsOf(error);
        notes.push(`cache ${name}: not kept: ${why}`);
      }
    }
    return notes;
  }

  async #keep(
    { cache, group, key, inputs }: SoughtCache,
    roots: Roots,
    signal: AbortSignal,
  ): Promise<string> {
    const kept = await foldersNamed(cache.paths, roots);
    if (kept.length === 0) return `not kept: nothing is named ${cache.paths.join(", ")}`;
    let bytes = 0;
    for (const { root, path } of kept) bytes += await bytesBelow(join(roots[root], path), signal);
    const most = Math.min(this.#limits.cacheBytesMax, this.#limits.cachesBytesMax);
    if (bytes > most)
      return `not kept: ${sizeWords(bytes)} is more than the ${sizeWords(most)} that a cache may have`;
    const made = this.#store.temporary();
    try {
      const sizes: Partial<Record<CacheRoot, number>> = {};
      for (const root of cacheRoots) {
        const paths = kept.filter((one) => one.root === root).map(({ path }) => path);
        if (paths.length === 0) continue;
        const archive = archiveOf(made, root);
        const list = Buffer.from(paths.map((path) => `./${path}\0`).join(""));
        await tar(["-cf", archive, "-C", roots[root], "--null", "-T", "-"], { signal, list });
        sizes[root] = statSync(archive).size;
      }
      signal.throwIfAborted();
      this.#store.add(made, group, { key, inputs, kept, bytes: sizes });
      return `kept (key ${key.slice(0, 8)}, ${sizeWords(sizeOf({ bytes: sizes }))})`;
    } finally {
      remove(made);
    }
  }

  /** Returns why not, or null. What was unpacked is moved into place only when all of it is there. */
  async #unpack(entry: CacheEntry, roots: Roots, signal: AbortSignal): Promise<string | null> {
    const made = this.#store.temporary();
    try {
      for (const root of cacheRoots) {
        if (entry.bytes[root] === undefined) continue;
        mkdirSync(join(made, root));
        await tar(["-xf", archiveOf(entry.folder, root), "-C", join(made, root)], { signal });
      }
      signal.throwIfAborted();
      for (const { root, path } of entry.kept) {
        if (!isSafePath(path)) return `it names "${path}"`;
        const problem = await put(join(made, root, path), {
          root: roots[root],
          path,
          shared: root === "home",
        });
        if (problem !== null) return problem;
      }
      return null;
    } catch (error) {
      if (signal.aborted) throw error;
      const words = wordsOf(error);
      // A full disk says nothing about the cache; anything else does.
      if (!/no space|quota/i.test(words)) this.#store.drop(entry);
      return words;
    } finally {
      remove(made);
    }
  }
}

/** The files that the key is made of, in the workspace as the commands will find it. */
async function inputsOf(
  { name, paths, keyFiles }: StepCache,
  workspace: string,
): Promise<{ readonly all: object; readonly known: CacheInputs }> {
  const found = await filesNamed(`The key of the cache "${name}"`, keyFiles, workspace);
  if (!found.ok) throw new Error(found.problem);
  const files: Record<string, string> = {};
  for (const path of [...found.value].sort(compareText)) files[path] = await digestOf(join(workspace, path));
  const platform = `${process.platform}/${process.arch}`;
  const isLong = found.value.length > limits.cacheKeyFilesNamedMax;
  return {
    all: { platform, paths, files: Object.entries(files) },
    known: { platform, paths, files: isLong ? null : files },
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  const found = lstatSync(path);
  if (found.isSymbolicLink()) hash.update(`link ${readlinkSync(path)}`);
  else for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

/** What is there of the paths, which may be patterns; nothing that is inside of another. */
async function foldersNamed(paths: readonly string[], roots: Roots): Promise<CacheEntry["kept"]> {
  const kept: { readonly root: CacheRoot; readonly path: string }[] = [];
  for (const written of paths) {
    const root = written.startsWith("~/") ? "home" : "workspace";
    const pattern = root === "home" ? written.slice(2) : written;
    for await (const match of glob(pattern, { cwd: roots[root] })) {
      const path = match.replace(/\/+$/, "");
      if (!isSafePath(path)) continue;
      if (!isReal(roots[root], path)) throw new Error(`${path} is reached through a link`);
      kept.push({ root, path });
    }
  }
  kept.sort((left, right) => compareText(left.root, right.root) || compareText(left.path, right.path));
  return kept
    .filter(({ root, path }) => {
      const isInside = (other: string): boolean => path.startsWith(`${other}/`);
      return !kept.some((other) => other.root === root && isInside(other.path));
    })
    .filter((one, index, all) => all[index - 1]?.path !== one.path || all[index - 1]?.root !== one.root);
}

/** False when a link is on the way to it: what is there is somewhere else. */
function isReal(root: string, path: string): boolean {
  return realpathSync(dirname(join(root, path))) === join(realpathSync(root), dirname(path));
}

async function bytesBelow(path: string, signal: AbortSignal): Promise<number> {
  const found = lstatSync(path);
  if (!found.isDirectory()) return found.size;
  let bytes = 0;
  const folders = [path];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    signal.throwIfAborted();
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const below = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(below);
      else bytes += lstatSync(below).size;
    }
  }
  return bytes;
}

/**
 * Moves what was unpacked to its place. In the workspace it is laid over what the source has there; in the home, which
 * other steps use at the same time, what is there already stays.
 */
async function put(
  from: string,
  { root, path, shared }: { readonly root: string; readonly path: string; readonly shared: boolean },
): Promise<string | null> {
  const to = join(root, path);
  let folder = dirname(to);
  while (!existsSync(folder)) folder = dirname(folder);
  if (realpathSync(folder) !== join(realpathSync(root), folder.slice(root.length)))
    return `${path} is reached through a link`;
  mkdirSync(dirname(to), { recursive: true });
  const there = lstatSync(to, { throwIfNoEntry: false });
  if (there === undefined) renameSync(from, to);
  else if (!shared && there.isDirectory() && lstatSync(from).isDirectory()) {
    await removeLinks(from, to);
    await run("cp", ["-R", "-p", `${from}/.`, `${to}/`], {});
  }
  return null;
}

/** Links of the source in the place of what is laid over it: it would be written to where they lead. */
async function removeLinks(from: string, to: string): Promise<void> {
  for (const entry of await readdir(to, { withFileTypes: true })) {
    const [over, below] = [join(from, entry.name), join(to, entry.name)];
    const found = lstatSync(over, { throwIfNoEntry: false });
    if (found !== undefined && entry.isSymbolicLink()) rmSync(below);
    else if (found?.isDirectory() === true && entry.isDirectory()) await removeLinks(over, below);
  }
}

async function tar(
  words: readonly string[],
  how: { readonly signal: AbortSignal; readonly list?: Buffer },
): Promise<void> {
  await run("tar", words, how);
}

/** Rejects with the program's own words. */
async function run(
  program: string,
  words: readonly string[],
  { signal, list }: { readonly signal?: AbortSignal; readonly list?: Buffer },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = { env: { ...process.env, LC_ALL: "C" }, ...(signal === undefined ? {} : { signal }) };
    const child = execFile(program, [...words], options, (error, _output, complaint) => {
      if (error === null) return resolve();
      const [first = ""] = complaint.trim().split("\n");
      reject(first === "" ? error : new Error(first));
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(list);
  });
}
