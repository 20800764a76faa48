/**
 * Storing what a step declared as its outputs: the files in its workspace that its patterns name, as trees.
 *
 * Promises: only what is inside the workspace gets into an output; a symbolic link that leads out of it is refused,
 * in a file's place as well as in a folder's. A pattern that names a folder means everything below it. An output
 * that matches nothing is a problem, since the steps that need it could not run. So is one with a secret of the step in
 * it, or in the name of a file: blanked out it would be another file than the step made.
 */

import { createReadStream, lstatSync, readlinkSync, realpathSync } from "node:fs";
import { glob, readdir } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, sep } from "node:path";
import { type Mask, Masker, maskingNothing } from "../../../protocol/credentials/masker.ts";
import { failure, type Result, success } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import type { StepOutput } from "../../../protocol/plan.ts";
import type { OutputReference } from "../../../protocol/report.ts";
import { encodeTree, isSafePath, type TreeFile } from "../../../protocol/tree.ts";
import type { Blobs } from "../blobs.ts";

/** As many as the system itself follows. */
const linksMax = 40;

/** Stores one output. The problem is one sentence. */
export async function storeOutput(
  output: StepOutput,
  workspace: string,
  { blobs, mask }: { readonly blobs: Blobs; readonly mask: Mask },
): Promise<Result<OutputReference, string>> {
  const paths = await filesNamed(`The output "${output.name}"`, output.files, workspace);
  if (!paths.ok) return paths;
  if (paths.value.length === 0) {
    const patterns = output.files.map((pattern) => `"${pattern}"`).join(", ");
    return failure(
      `The output "${output.name}" matches no file: nothing in the workspace is named ${patterns}.`,
    );
  }
  const files: TreeFile[] = [];
  let bytes = 0;
  for (const path of paths.value) {
    if (await hasSecret(path, workspace, mask))
      return failure(`The output "${output.name}" is refused: "${path}" has a secret of the step in it.`);
    const file = await storeFile(path, workspace, blobs);
    if (!file.ok) return failure(`The output "${output.name}" is refused: ${file.problem}.`);
    files.push(file.value);
    bytes += file.value.size;
    if (bytes > limits.sourceBytesMax) {
      return failure(`The output "${output.name}" is larger than ${limits.sourceBytesMax} bytes.`);
    }
  }
  const tree = await blobs.writeBytes(encodeTree(files));
  return success({ name: output.name, tree, files: files.length, bytes });
}

/**
 * Relative paths of all files and links that the patterns name, each once, without what git keeps.
 *
 * @param what is to be stored, as the beginning of a problem's sentence.
 */
export async function filesNamed(
  what: string,
  patterns: readonly string[],
  workspace: string,
): Promise<Result<readonly string[], string>> {
  const found = new Set<string>();
  const add = (path: string): string | null => {
    if (path.split(sep).includes(".git")) return null;
    if (!isSafePath(path)) return `${what} names "${path}", which is outside the workspace.`;
    found.add(path);
    return found.size > limits.sourceFilesMax
      ? `${what} has more than ${limits.sourceFilesMax} files.`
      : null;
  };
  for (const pattern of patterns) {
    if (isAbsolute(pattern) || pattern.split("/").includes("..")) {
      return failure(`${what} names "${pattern}", which is outside the workspace.`);
    }
    for await (const match of glob(pattern, { cwd: workspace })) {
      const isFolder = lstatSync(join(workspace, match), { throwIfNoEntry: false })?.isDirectory() === true;
      const below = isFolder ? await filesBelow(workspace, match) : [match];
      for (const path of below) {
        const problem = add(path);
        if (problem !== null) return failure(problem);
      }
    }
  }
  return success([...found]);
}

/** Every file and link below a folder; links are not followed. */
async function filesBelow(workspace: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(workspace, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(workspace, join(entry.parentPath, entry.name)));
}

async function hasSecret(path: string, workspace: string, mask: Mask): Promise<boolean> {
  if (mask === maskingNothing) return false;
  if (mask.isIn(Buffer.from(path))) return true;
  const full = join(workspace, path);
  const found = lstatSync(full);
  if (found.isSymbolicLink()) return mask.isIn(Buffer.from(readlinkSync(full)));
  // What is neither is refused where it would be stored.
  if (!found.isFile()) return false;
  const masker = new Masker(mask);
  for await (const chunk of createReadStream(full)) {
    masker.push(chunk as Buffer);
    if (masker.found > 0) return true;
  }
  return false;
}

async function storeFile(path: string, workspace: string, blobs: Blobs): Promise<Result<TreeFile, string>> {
  const full = join(workspace, path);
  const folder = dirname(full);
  if (realpathSync(folder) !== join(realpathSync(workspace), dirname(path))) {
    return failure(
      `"${path}" is reached through a link, which may lead out of the workspace; name its real place`,
    );
  }
  const found = lstatSync(full);
  if (found.isSymbolicLink()) {
    const target = readlinkSync(full);
    if (follow(target, { from: folder, within: workspace, linksLeft: linksMax }) === null) {
      return failure(`the link "${path}" leads out of the workspace, to "${target}"`);
    }
    const bytes = Buffer.from(target);
    return success({ path, mode: "link", size: bytes.length, digest: await blobs.writeBytes(bytes) });
  }
  if (!found.isFile()) return failure(`"${path}" is neither a file nor a link`);
  const digest = await blobs.addFile(full);
  const size = lstatSync(blobs.path(digest)).size;
  return success({ path, mode: (found.mode & 0o100) === 0 ? "file" : "executable", size, digest });
}

/**
 * Where a link's target is, segment by segment as the system would go: `a/..` is not the same place as `.` when `a`
 * is a link. Null when the way leaves the folder, is absolute, or turns in circles; it need not lead anywhere.
 */
function follow(
  target: string,
  where: { readonly from: string; readonly within: string; readonly linksLeft: number },
): string | null {
  if (isAbsolute(target) || where.linksLeft === 0) return null;
  let at = where.from;
  for (const segment of target.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") {
      if (at === where.within) return null;
      at = dirname(at);
      continue;
    }
    const next = join(at, segment);
    if (lstatSync(next, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      const led = follow(readlinkSync(next), { ...where, from: at, linksLeft: where.linksLeft - 1 });
      if (led === null) return null;
      at = led;
    } else at = next;
  }
  return at;
}
