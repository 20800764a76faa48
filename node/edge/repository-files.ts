/**
 * A folder as the conventions see it: what git would see, and the text of the files that they read.
 *
 * Read beforehand and whole, because the detection is pure. Outside a git repository the folder is walked,
 * without the folders that hold what was downloaded or built.
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import { signalFiles } from "../../planner/conventions/detect.ts";
import type { RepositoryFiles } from "../../planner/conventions/convention.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { git } from "./git.ts";

const skippedFolders: ReadonlySet<string> = new Set([
  ".git",
  ".hg",
  ".svn",
  ".jj",
  "node_modules",
  "target",
  ".venv",
  "venv",
  "__pycache__",
  ".tox",
  ".nox",
  ".gradle",
]);

export async function readRepositoryFiles(folder: string): Promise<RepositoryFiles> {
  const listed = (await listByGit(folder)) ?? listByWalking(folder);
  const texts = new Map<string, string>();
  for (const path of signalFiles(listed)) {
    const text = readBeginning(join(folder, path));
    if (text !== undefined) texts.set(path, text);
  }
  return { paths: listed, read: (path) => texts.get(path) };
}

/**
 * Tracked files that are still there and untracked ones that are not ignored; undefined outside a repository. Git looks
 * for the untracked ones while the tracked ones are looked for here: each takes a while where there are many.
 */
async function listByGit(folder: string): Promise<readonly string[] | undefined> {
  const [present, added] = await Promise.all([
    runGit(folder, "--cached", "-t").then((tracked) =>
      tracked === undefined ? undefined : presentAmong(folder, tracked),
    ),
    runGit(folder, "--others", "--exclude-standard"),
  ]);
  if (present === undefined || added === undefined) return undefined;
  // What is untracked and ends in a `/` is a repository of its own.
  const paths = [...present, ...added.filter((path) => !path.endsWith("/"))].sort();
  // An ignored folder inside a repository has nothing that git sees, yet it is what was asked for.
  return paths.length === 0 ? undefined : paths.filter((path, index) => path !== paths[index - 1]);
}

/** What git lists, or undefined without git or outside a repository: the folder is walked instead. */
async function runGit(folder: string, ...kinds: readonly string[]): Promise<readonly string[] | undefined> {
  try {
    const listing = await git({ folder }, "ls-files", "-z", ...kinds);
    return listing.toString("utf8").split("\0").slice(0, -1);
  } catch (error) {
    const words = error instanceof OttoError ? String(error.cause) : "";
    if (/ENOENT|not a git repository|must be run in a work tree/.test(words)) return undefined;
    throw error;
  }
}

/**
 * Those that are there: a folder of many is read at once, of few each is looked up.
 *
 * @param listed in git's order, a tag and a space before each; `S` is a file that a sparse checkout leaves out.
 */
function presentAmong(root: string, listed: readonly string[]): readonly string[] {
  const present: string[] = [];
  const known = new Map<string, (name: string) => boolean>();
  let folder = "";
  let isThere: ((name: string) => boolean) | undefined;
  for (const [index, entry] of listed.entries()) {
    const path = entry.slice(2);
    const end = path.lastIndexOf("/") + 1;
    if (isThere === undefined || end !== folder.length || !path.startsWith(folder)) {
      folder = path.slice(0, end);
      const isOneOfMany = listed[index + lookedUpOneByOneMax]?.startsWith(folder, 2) === true;
      isThere = known.get(folder) ?? presence(`${root}/${folder}`, isOneOfMany);
      known.set(folder, isThere);
    }
    if (entry.startsWith("S ") || isThere(path.slice(end))) present.push(path);
  }
  return present;
}

const lookedUpOneByOneMax = 3;

function presence(folder: string, isOneOfMany: boolean): (name: string) => boolean {
  if (!isOneOfMany) {
    return (name) => {
      try {
        return lstatSync(folder + name, { throwIfNoEntry: false }) !== undefined;
      } catch (error) {
        return !isOneOf(error, ["ENOENT", "ENOTDIR"]);
      }
    };
  }
  try {
    const names = new Set(readdirSync(folder));
    return (name) => names.has(name);
  } catch (error) {
    const isGone = isOneOf(error, ["ENOENT", "ENOTDIR"]);
    return () => !isGone;
  }
}

function listByWalking(folder: string): readonly string[] {
  const paths: string[] = [];
  const folders = [""];
  for (let inside = folders.pop(); inside !== undefined; inside = folders.pop()) {
    for (const entry of entriesOf(folder, inside)) {
      const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (!entry.isDirectory()) paths.push(path);
      else if (!skippedFolders.has(entry.name)) folders.push(path);
    }
    if (paths.length > limits.sourceFilesMax) throw tooMany(folder);
  }
  return paths.sort();
}

/** What lies in a folder; a subfolder that may not be read is left out, as git does. */
function entriesOf(root: string, inside: string): readonly Dirent[] {
  try {
    return readdirSync(join(root, inside), { withFileTypes: true });
  } catch (error) {
    if (inside !== "" && isOneOf(error, ["EACCES", "EPERM", "ENOENT"])) return [];
    throw unreadable(join(root, inside), error);
  }
}

function readBeginning(path: string): string | undefined {
  let file: number;
  try {
    // Non-blocking, so that a pipe by the name of a signal file holds nobody up.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    // A link to nowhere, or a file that went away since it was listed.
    if (isOneOf(error, ["ENOENT", "ELOOP", "ENOTDIR"])) return undefined;
    throw unreadable(path, error);
  }
  try {
    const status = fstatSync(file);
    if (!status.isFile()) return undefined;
    const bytes = Buffer.alloc(Math.min(status.size, limits.signalFileBytesMax));
    const count = readSync(file, bytes, 0, bytes.length, 0);
    return bytes.toString("utf8", 0, count).replace(/^\uFEFF/, "");
  } finally {
    closeSync(file);
  }
}

function isOneOf(error: unknown, codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

function unreadable(path: string, cause: unknown): OttoError {
  return new OttoError("OTTO_FILE_UNREADABLE", {
    what: `${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`,
    state: "Nothing was detected.",
    next: "Give yourself the right to read it, or name another folder.",
    cause,
  });
}

function tooMany(folder: string): OttoError {
  return new OttoError("OTTO_SOURCE_TOO_LARGE", {
    what: `${folder} has more than ${limits.sourceFilesMax} files and is not a git repository.`,
    state: "Nothing was detected.",
    next: "Run `git init` there and list in .gitignore what is no source, or name a smaller folder.",
  });
}
