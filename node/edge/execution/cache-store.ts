/**
 * The caches that a worker keeps for its own later steps, each under a key: which are there, which go when room is
 * needed, and why one is not there.
 *
 *   caches / SCOPE-NAME / KEY / about.json, workspace.tar, home.tar
 *   caches / temporary            what is being made or deleted
 *
 * Promises: a cache is there whole or not at all, also after a crash: it is made elsewhere, made durable and renamed. All
 * of them together stay within their limits; of what had to go it is remembered for a while that it did. Only the one
 * process that has the folder uses it.
 */

import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { limits } from "../../../protocol/limits.ts";
import { compareText, sha256Hex } from "../../../protocol/values.ts";

/** Where a path of a cache is: in the workspace, or below the home of the worker's steps. */
export type CacheRoot = "workspace" | "home";
export const cacheRoots: readonly CacheRoot[] = ["workspace", "home"];

/** What the key of a cache is made of. */
export type CacheInputs = {
  readonly platform: string;
  readonly paths: readonly string[];
  /** Digests of the files by their path; null when there are too many to remember. */
  readonly files: Readonly<Record<string, string>> | null;
};

type About = {
  readonly key: string;
  readonly inputs: CacheInputs;
  /** What the archives hold, at their tops. */
  readonly kept: readonly { readonly root: CacheRoot; readonly path: string }[];
  /** Bytes of each archive. */
  readonly bytes: Readonly<Partial<Record<CacheRoot, number>>>;
  /** True when it had to go: only this file is left. */
  readonly evicted: boolean;
};

export type CacheEntry = About & { readonly folder: string; readonly group: string; usedMs: number };

type StoreLimits = Readonly<Record<keyof Pick<typeof limits, "cachesBytesMax" | "cachesKeptMax">, number>>;

const aboutFile = "about.json";

export class CacheStore {
  readonly #folder: string;
  readonly #limits: StoreLimits;
  /** By folder, as it was found at the start and has become since. */
  #entries: Map<string, CacheEntry> | null = null;
  #made = 0;

  constructor(folder: string, bounds: StoreLimits) {
    this.#folder = folder;
    this.#limits = bounds;
  }

  /** The folder of all caches of this name in the scope: no other scope's has the same. */
  groupOf(scope: string, name: string): string {
    return `${sha256Hex(Buffer.from(scope)).slice(0, 16)}-${name}`;
  }

  /** The cache of this very key, ready to be read; it counts as used. */
  find(group: string, key: string): CacheEntry | null {
    const entry = this.#all().get(join(this.#folder, group, key));
    if (entry === undefined || entry.evicted) return null;
    const isWhole = Object.entries(entry.bytes).every(([root, bytes]) => {
      const found = statSync(archiveOf(entry.folder, root), { throwIfNoEntry: false });
      return found?.size === bytes;
    });
    if (!isWhole) {
      this.drop(entry);
      return null;
    }
    entry.usedMs = Date.now();
    utimesSync(join(entry.folder, aboutFile), entry.usedMs / 1_000, entry.usedMs / 1_000);
    return entry;
  }

  /** Why there is no cache of this key, as a clause. */
  whyMissing(group: string, key: string, inputs: CacheInputs): string {
    const same = [...this.#all().values()].filter((entry) => entry.group === group);
    if (same.some((entry) => entry.key === key)) return "evicted, since others were used more lately";
    const latest = same.sort((left, right) => right.usedMs - left.usedMs)[0];
    return latest === undefined ? "never seen" : differenceOf(latest.inputs, inputs);
  }

  /** A new folder in which a cache can be made, or unpacked. */
  temporary(): string {
    this.#made += 1;
    const folder = join(this.#folder, "temporary", `${process.pid}-${this.#made}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  /** Takes what was made in a temporary folder, and lets others go when there is no room. */
  add(made: string, group: string, about: Omit<About, "evicted">): void {
    const all = this.#all();
    const folder = join(this.#folder, group, about.key);
    for (const root of cacheRoots) if (about.bytes[root] !== undefined) makeDurable(archiveOf(made, root));
    writeAbout(made, { ...about, evicted: false });
    makeDurable(join(made, aboutFile));
    mkdirSync(join(this.#folder, group), { recursive: true, mode: 0o700 });
    const before = all.get(folder);
    if (before !== undefined) this.drop(before);
    this.#makeRoom(sizeOf(about));
    renameSync(made, folder);
    all.set(folder, { ...about, evicted: false, folder, group, usedMs: Date.now() });
  }

  /** What is damaged is as if it had never been. */
  drop(entry: CacheEntry): void {
    this.#all().delete(entry.folder);
    const gone = join(this.temporary(), "gone");
    renameSync(entry.folder, gone);
    remove(gone);
  }

  #makeRoom(bytes: number): void {
    const all = this.#all();
    const byUse = [...all.values()].sort(
      (left, right) => left.usedMs - right.usedMs || compareText(left.folder, right.folder),
    );
    let total = bytes + byUse.reduce((sum, entry) => sum + sizeOf(entry), 0);
    for (const entry of byUse) {
      if (total <= this.#limits.cachesBytesMax) break;
      total -= sizeOf(entry);
      if (!entry.evicted) this.#evict(entry);
    }
    const remembered = byUse.filter(({ folder }) => all.has(folder));
    for (const entry of remembered.slice(0, Math.max(0, remembered.length + 1 - this.#limits.cachesKeptMax)))
      this.drop(entry);
  }

  /** Said first, then deleted: what is half deleted is never taken for whole. */
  #evict(entry: CacheEntry): void {
    const { key, inputs } = entry;
    const about: About = { key, inputs, kept: [], bytes: {}, evicted: true };
    writeAbout(entry.folder, about);
    for (const root of cacheRoots) rmSync(archiveOf(entry.folder, root), { force: true });
    this.#all().set(entry.folder, { ...entry, ...about });
  }

  #all(): Map<string, CacheEntry> {
    if (this.#entries !== null) return this.#entries;
    const entries = new Map<string, CacheEntry>();
    this.#entries = entries;
    remove(join(this.#folder, "temporary"));
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const group of readdirSync(this.#folder).sort())
      for (const key of readdirSync(join(this.#folder, group)).sort()) {
        const folder = join(this.#folder, group, key);
        const about = readAbout(folder);
        if (about === null) rmSync(folder, { recursive: true, force: true });
        else
          entries.set(folder, { ...about, folder, group, usedMs: statSync(join(folder, aboutFile)).mtimeMs });
      }
    return entries;
  }
}

/** Deletes also what a tool has made read-only (Go's module cache is). Follows no link. */
export function remove(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    makeWritable(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function makeWritable(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) makeWritable(join(folder, entry.name));
}

export function archiveOf(folder: string, root: string): string {
  return join(folder, `${root}.tar`);
}

export function sizeOf({ bytes }: Pick<About, "bytes">): number {
  return Object.values(bytes).reduce((sum, some) => sum + some, 0);
}

/** "Gemfile.lock changed", "a.lock is new, b.lock is gone": what made another key of what made this one. */
function differenceOf(before: CacheInputs, now: CacheInputs): string {
  if (before.platform !== now.platform) return `kept on ${before.platform}, this is ${now.platform}`;
  if (before.paths.join("\0") !== now.paths.join("\0")) return "its paths changed";
  if (before.files === null || now.files === null) return "its files changed";
  const names = [...new Set([...Object.keys(before.files), ...Object.keys(now.files)])].sort(compareText);
  const changed = names.flatMap((name) => {
    const [old, fresh] = [before.files?.[name], now.files?.[name]];
    if (old === fresh) return [];
    return [`${name} ${old === undefined ? "is new" : fresh === undefined ? "is gone" : "changed"}`];
  });
  const more = changed.length - 3;
  return `${changed.slice(0, 3).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function writeAbout(folder: string, about: About): void {
  const path = join(folder, aboutFile);
  writeFileSync(`${path}.new`, JSON.stringify(about));
  renameSync(`${path}.new`, path);
}

function readAbout(folder: string): About | null {
  try {
    const about = JSON.parse(readFileSync(join(folder, aboutFile), "utf8")) as About;
    return typeof about.key === "string" && typeof about.bytes === "object" ? about : null;
  } catch {
    // Nothing that was made by this version, or whole: it is thrown away.
    return null;
  }
}

function makeDurable(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
