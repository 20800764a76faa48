/**
 * Snapshots: a working tree, or a commit, as a tree of blobs.
 *
 * A working tree is what git would see: tracked and untracked files, ignores honoured, deleted files left out,
 * executable bits and symbolic links kept, submodules left out with a notice. Taking it again reads only what
 * changed (see `stat-cache.ts`). The bytes are the files' own: no filter and no line-ending conversion is applied.
 */

import { createReadStream, existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeTree, isSafePath, type TreeFile } from "../../protocol/tree.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { Blobs } from "./blobs.ts";
import { git, gitOutput } from "./git.ts";
import { type FileStatus, StatCache } from "./stat-cache.ts";

export type Snapshot = {
  /** Digest of the tree; it and everything in it are in the blob store. */
  readonly tree: string;
  readonly files: number;
  readonly bytes: number;
  /** What is checked out; null before the first commit. */
  readonly commit: string | null;
  /** Whether the tree differs from that commit. */
  readonly dirty: boolean;
  /** What was left out, and why, in sentences. */
  readonly notices: readonly string[];
};

/** Files up to this size are read whole; larger ones are streamed. */
const wholeFileBytes = 1024 * 1024;
const sliceMs = 8;

/**
 * Takes the working tree of the repository that `folder` is in, whole, whichever folder of it that is.
 *
 * Throws `OTTO_NO_REPOSITORY`, `OTTO_SOURCE_TOO_LARGE`, `OTTO_FILE_UNREADABLE`, `OTTO_GIT_FAILED`, and
 * `OTTO_DISK_FULL` from the store.
 */
export async function snapshotWorkingTree(folder: string, blobs: Blobs): Promise<Snapshot> {
  const root = await repositoryRoot(folder);
  const startedNs = BigInt(Date.now()) * 1_000_000n;
  const [listed, status, commit] = await Promise.all([
    git({ folder: root }, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"),
    git({ folder: root }, "status", "--porcelain", "-z", "--untracked-files=normal"),
    headCommit(root),
  ]);
  const cacheName = sha256Hex(Buffer.from(root)).slice(0, 32);
  const cache = new StatCache(join(blobs.folder, "stat-cache", cacheName), startedNs);
  const notices: string[] = [];
  const collection = new Collection();
  const isRealFolder = realFolders(root);
  let sliceStart = performance.now();
  for (const path of pathsOf(listed)) {
    const file = await takeFile(path, { root, blobs, cache, notices, isRealFolder, collection });
    if (file !== null) collection.add(file);
    if (performance.now() - sliceStart > sliceMs) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
  const tree = await blobs.writeBytes(encodeTree(collection.files));
  cache.save();
  const { files, bytes } = collection;
  return { tree, files: files.length, bytes, commit, dirty: status.length > 0, notices };
}

/**
 * Takes the tree of a commit out of a repository, bare or not.
 *
 * @param revision a commit id, or any name of a commit that git knows.
 */
export async function snapshotCommit(folder: string, revision: string, blobs: Blobs): Promise<Snapshot> {
  const commit = await commitNamed(folder, revision);
  const listed = await git({ folder }, "ls-tree", "-r", "-z", "--full-tree", commit);
  const notices: string[] = [];
  const entries: { readonly path: string; readonly mode: TreeFile["mode"]; readonly object: string }[] = [];
  for (const record of recordsOf(listed)) {
    const tab = record.indexOf("\t");
    const [bits, , object] = record.slice(0, tab).split(" ");
    const path = record.slice(tab + 1);
    if (bits === "160000") notices.push(submoduleNotice(path));
    else if (object !== undefined) {
      checkPath(path);
      entries.push({
        path,
        mode: bits === "120000" ? "link" : bits === "100755" ? "executable" : "file",
        object,
      });
    }
  }
  const collection = new Collection();
  let index = 0;
  for await (const bytes of objects(folder, entries)) {
    const entry = entries[index];
    index += 1;
    if (entry === undefined) break;
    collection.expect(entry.path, bytes.length);
    const digest = await blobs.writeBytes(bytes);
    collection.add({ path: entry.path, mode: entry.mode, size: bytes.length, digest });
  }
  const tree = await blobs.writeBytes(encodeTree(collection.files));
  const { files, bytes } = collection;
  return { tree, files: files.length, bytes, commit, dirty: false, notices };
}

/** Throws `OTTO_NO_REPOSITORY` when a folder is in none. Does not ask git where it can be seen. */
export async function requireRepository(folder: string): Promise<void> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return;
    if (at === dirname(at)) break;
  }
  await repositoryRoot(folder);
}

/** The top folder of the repository that `folder` is in. */
async function repositoryRoot(folder: string): Promise<string> {
  try {
    const root = await git({ folder }, "rev-parse", "--show-toplevel");
    return root.toString().replace(/\n$/, "");
  } catch (error) {
    throw isOutside(error) ? noRepository(folder, error) : error;
  }
}

/** The full id of a commit. */
export async function commitNamed(folder: string, revision: string): Promise<string> {
  const name = `${revision}^{commit}`;
  try {
    return (await git({ folder }, "rev-parse", "--verify", "--quiet", "--end-of-options", name))
      .toString()
      .trim();
  } catch (error) {
    if (isOutside(error)) throw noRepository(folder, error);
    // Asked quietly, git says nothing when there is no such commit.
    if (!(error instanceof OttoError) || error.cause !== "it ended with 1") throw error;
    throw new OttoError("OTTO_USAGE", {
      what: `There is no commit called "${revision}" in ${folder}.`,
      state: "Nothing was read.",
      next: "Name one that `git log` shows, or fetch it first.",
      cause: error,
    });
  }
}

function isOutside(error: unknown): boolean {
  const words = error instanceof OttoError ? String(error.cause) : "";
  return words.includes("not a git repository") || words.includes("must be run in a work tree");
}

function noRepository(folder: string, cause: unknown): OttoError {
  return new OttoError("OTTO_NO_REPOSITORY", {
    what: `${folder} is not in a git repository.`,
    state: "Nothing was read.",
    next: "Go to a folder of your project, or make it a repository with: git init",
    cause,
  });
}

async function headCommit(root: string): Promise<string | null> {
  try {
    const commit = await git({ folder: root }, "rev-parse", "--verify", "--quiet", "HEAD");
    return commit.toString().trim();
  } catch (error) {
    // Before the first commit there is none, and git says so without a word.
    if (error instanceof OttoError && error.code === "OTTO_GIT_FAILED") return null;
    throw error;
  }
}

/** Gathers files and refuses to go beyond the bounds, before the file that would is read. */
class Collection {
  readonly files: TreeFile[] = [];
  bytes = 0;

  expect(path: string, size: number): void {
    if (this.files.length < limits.sourceFilesMax && this.bytes + size <= limits.sourceBytesMax) return;
    const gibibytes = limits.sourceBytesMax / 1024 ** 3;
    throw new OttoError("OTTO_SOURCE_TOO_LARGE", {
      what: `The source has more than ${limits.sourceFilesMax} files or ${gibibytes} GiB; the bound is passed at "${path}".`,
      state: "Nothing was submitted.",
      next: "Name what does not belong to the source in .gitignore.",
    });
  }

  add(file: TreeFile): void {
    this.files.push(file);
    this.bytes += file.size;
  }
}

type Taking = {
  readonly root: string;
  readonly blobs: Blobs;
  readonly cache: StatCache;
  readonly notices: string[];
  readonly isRealFolder: (path: string) => boolean;
  readonly collection: Collection;
};

/** Null for what git would not see as a file: deleted, a submodule, or only there through a link. */
async function takeFile(listedPath: string, taking: Taking): Promise<TreeFile | null> {
  // A repository inside the working tree is listed as a folder.
  const path = listedPath.replace(/\/$/, "");
  const full = join(taking.root, path);
  const status = lstatSync(full, { bigint: true, throwIfNoEntry: false });
  if (status === undefined || !taking.isRealFolder(dirname(path))) return null;
  if (status.isDirectory()) {
    taking.notices.push(submoduleNotice(path));
    return null;
  }
  if (!status.isFile() && !status.isSymbolicLink()) {
    taking.notices.push(`"${path}" is neither a file nor a link and is left out.`);
    return null;
  }
  checkPath(path);
  taking.collection.expect(path, Number(status.size));
  if (status.isSymbolicLink()) {
    const target = readlinkSync(full, { encoding: "buffer" });
    return { path, mode: "link", size: target.length, digest: await taking.blobs.writeBytes(target) };
  }
  const mode = (status.mode & 0o100n) === 0n ? "file" : "executable";
  const known = taking.cache.find(path, status);
  if (known !== null && taking.blobs.has(known)) {
    taking.cache.remember(path, status, known);
    return { path, mode, size: Number(status.size), digest: known };
  }
  return storeFile({ path, mode, full, status }, taking);
}

async function storeFile(
  file: {
    readonly path: string;
    readonly mode: TreeFile["mode"];
    readonly full: string;
    readonly status: FileStatus;
  },
  taking: Taking,
): Promise<TreeFile | null> {
  const { path, mode, full } = file;
  let digest: string;
  try {
    digest =
      file.status.size <= wholeFileBytes
        ? await taking.blobs.writeBytes(readFileSync(full))
        : await taking.blobs.write(null, createReadStream(full, { highWaterMark: limits.blobChunkBytes }));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT") return null;
    if (code !== "EACCES" && code !== "EPERM" && code !== "EIO") throw error;
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `"${path}" cannot be read: ${code === "EIO" ? "the disk failed" : "permission is missing"}.`,
      state: "Nothing was submitted.",
      next: `Make ${full} readable, or name it in .gitignore.`,
      cause: error,
    });
  }
  // What was stored counts, should the file have changed since it was looked at.
  const size = lstatSync(taking.blobs.path(digest)).size;
  if (BigInt(size) === file.status.size) taking.cache.remember(path, file.status, digest);
  return { path, mode, size, digest };
}

/** Whether every folder on the way is a folder, and none a link. Each folder is looked at once. */
function realFolders(root: string): (path: string) => boolean {
  const known = new Map<string, boolean>([[".", true]]);
  const isReal = (path: string): boolean => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const here = lstatSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() === true;
    const real = here && isReal(dirname(path));
    known.set(path, real);
    return real;
  };
  return isReal;
}

function pathsOf(listed: Buffer): readonly string[] {
  return recordsOf(listed);
}

/** Records that end in NUL. File names are bytes; those that are not UTF-8 cannot be named in a tree. */
function recordsOf(listed: Buffer): readonly string[] {
  if (listed.length === 0) return [];
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(listed);
  } catch (error) {
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `The name of the file "${firstBadName(listed)}" is not UTF-8.`,
      state: "Nothing was submitted.",
      next: "Rename that file, or name it in .gitignore.",
      cause: error,
    });
  }
  return text.split("\0").slice(0, -1);
}

function firstBadName(listed: Buffer): string {
  for (let start = 0; start < listed.length;) {
    const end = listed.indexOf(0, start);
    const record = listed.subarray(start, end < 0 ? listed.length : end);
    const name = record.subarray(record.indexOf(9) + 1);
    if (!Buffer.from(name.toString("utf8")).equals(name)) return name.toString("utf8");
    start += record.length + 1;
  }
  return "?";
}

function checkPath(path: string): void {
  if (isSafePath(path)) return;
  throw new OttoError("OTTO_FILE_UNREADABLE", {
    what: `The file name "${path}" cannot be used on another machine.`,
    state: "Nothing was submitted.",
    next: "Rename that file, or name it in .gitignore.",
  });
}

function submoduleNotice(path: string): string {
  return `The submodule or inner repository "${path}" is left out.`;
}

/** The bytes of each object in order, from one git process. */
export async function* objects(
  folder: string,
  entries: readonly { readonly object: string }[],
): AsyncGenerator<Buffer> {
  if (entries.length === 0) return;
  const input = entries.map((entry) => `${entry.object}\n`).join("");
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let wantedBytes = 1;
  for await (const chunk of gitOutput({ folder, input }, "cat-file", "--batch")) {
    pending.push(chunk);
    pendingBytes += chunk.length;
    while (pendingBytes >= wantedBytes) {
      const bytes = pending.length === 1 && pending[0] !== undefined ? pending[0] : Buffer.concat(pending);
      pending = [bytes];
      const lineEnd = bytes.indexOf(10);
      if (lineEnd < 0) {
        wantedBytes = bytes.length + 1;
        break;
      }
      const end = lineEnd + 1 + objectBytes(bytes.toString("latin1", 0, lineEnd));
      // A line feed follows the object.
      wantedBytes = end + 1;
      if (bytes.length < wantedBytes) break;
      yield bytes.subarray(lineEnd + 1, end);
      pending = [bytes.subarray(wantedBytes)];
      pendingBytes -= wantedBytes;
      wantedBytes = 1;
    }
  }
}

/** From `<object> blob <bytes>`. */
function objectBytes(line: string): number {
  const [object, kind, size] = line.split(" ");
  if (kind === "blob" && size !== undefined) return Number(size);
  throw new OttoError("OTTO_GIT_FAILED", {
    what: `The repository has no content for the object ${object}.`,
    next: "Run git fsck there to see what is missing.",
  });
}
