/**
 * Laying out a tree: making its files in a folder.
 *
 * Promises: nothing is made outside the folder, not even where the folder holds symbolic links (they are replaced,
 * never followed); a blob that is not there, or has another size than the tree says, is an error and not a hole.
 * The event loop is given back every few milliseconds.
 */

import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { copyFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { OttoError } from "../../protocol/errors.ts";
import type { Tree, TreeFile } from "../../protocol/tree.ts";
import type { Blobs } from "./blobs.ts";

const sliceMs = 8;
/** Larger files are copied by the thread pool instead of making everyone wait. */
const largeFileBytes = 1024 * 1024;

export type LayOutOptions = {
  /** Files of the tree take the place of what is there. Without it the folder is expected to be empty. */
  readonly over?: boolean;
  readonly signal?: AbortSignal;
};

export async function layOutTree(
  tree: Tree,
  folder: string,
  blobs: Blobs,
  options: LayOutOptions = {},
): Promise<void> {
  const folders = new Set<string>(["."]);
  let sliceStart = performance.now();
  for (const file of tree.files) {
    options.signal?.throwIfAborted();
    makeFolder(dirname(file.path), { root: folder, made: folders, over: options.over === true });
    const target = join(folder, file.path);
    if (options.over === true) rmSync(target, { force: true, recursive: true });
    const source = blobs.path(file.digest);
    checkBlob(file, source);
    if (file.mode === "link") symlinkSync(readFileSync(source), target);
    else if (file.size > largeFileBytes) await copyFile(source, target, copyMode);
    else copyFileSync(source, target, copyMode);
    if (file.mode === "executable") chmodSync(target, 0o755);
    if (performance.now() - sliceStart > sliceMs) {
      await nextTurn();
      sliceStart = performance.now();
    }
  }
}

const copyMode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;

function makeFolder(
  path: string,
  where: { readonly root: string; readonly made: Set<string>; readonly over: boolean },
): void {
  if (where.made.has(path)) return;
  makeFolder(dirname(path), where);
  const target = join(where.root, path);
  const found = lstatSync(target, { throwIfNoEntry: false });
  if (found !== undefined && !found.isDirectory()) {
    if (!where.over) throw new Error(`Bug: ${target} is in the way of a folder`);
    rmSync(target);
  }
  if (found?.isDirectory() !== true) mkdirSync(target);
  where.made.add(path);
}

function checkBlob(file: TreeFile, source: string): void {
  const found = statSync(source, { throwIfNoEntry: false });
  if (found?.size === file.size) return;
  throw new OttoError("OTTO_BLOB_MISSING", {
    what:
      found === undefined
        ? `The content of "${file.path}" (blob ${file.digest}) is not here.`
        : `The content of "${file.path}" (blob ${file.digest}) is damaged on this disk.`,
    state: "The files were not laid out.",
    next:
      found === undefined ? "Fetch the blob from a peer that has it." : `Delete ${source}, then try again.`,
  });
}
