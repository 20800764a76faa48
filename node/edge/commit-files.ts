/**
 * Files of a commit, as a plan is made from them: one file by name, or the whole as the conventions see it. Nothing
 * is checked out. The other half, for a folder, is `repository-files.ts`.
 */

import { signalFiles } from "../../planner/conventions/detect.ts";
import type { RepositoryFiles } from "../../planner/conventions/convention.ts";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { git } from "./git.ts";
import { objects } from "./snapshot.ts";

export type CommitFile = { readonly path: string; readonly bytes: Uint8Array };

/**
 * The first of these files that the commit has, null for none. Throws `OTTO_FILE_TOO_LARGE` beyond the bound of a
 * pipeline file, and `OTTO_FILE_UNREADABLE` for a link: what it points at may not be in the commit.
 *
 * @param folder the top folder of the repository.
 * @param paths relative to it, `/`-separated.
 */
export async function readCommitFile(
  folder: string,
  commit: string,
  paths: readonly string[],
): Promise<CommitFile | null> {
  const listed = await git({ folder }, "ls-tree", "-z", "-l", "--full-tree", commit, "--", ...paths);
  const entries = entriesOf(listed.toString("utf8"));
  for (const path of paths) {
    const entry = entries.find((other) => other.path === path && other.kind === "blob");
    if (entry === undefined) continue;
    if (entry.bits === linkBits) throw isLink(path, commit);
    if (entry.size > limits.pipelineFileBytesMax) throw tooLarge(path, commit, entry.size);
    for await (const bytes of objects(folder, [entry])) return { path, bytes };
  }
  return null;
}

/** The commit's files with the text of those that the conventions read; a link has none. */
export async function readCommitFiles(folder: string, commit: string): Promise<RepositoryFiles> {
  const listed = await git({ folder }, "ls-tree", "-r", "-z", "--full-tree", commit);
  const entries = entriesOf(listed.toString("utf8")).filter((entry) => entry.kind === "blob");
  const paths = entries.map((entry) => entry.path).sort();
  const wanted = new Set(signalFiles(paths));
  const signals = entries.filter((entry) => entry.bits !== linkBits && wanted.has(entry.path));
  const texts = new Map<string, string>();
  let index = 0;
  for await (const bytes of objects(folder, signals)) {
    const text = bytes.toString("utf8", 0, limits.signalFileBytesMax).replace(/^\uFEFF/, "");
    texts.set(signals[index]?.path ?? "", text);
    index += 1;
  }
  return { paths, read: (path) => texts.get(path) };
}

const linkBits = "120000";

type Entry = {
  readonly bits: string;
  readonly kind: string;
  readonly object: string;
  /** In bytes; 0 when it was not asked for. */
  readonly size: number;
  readonly path: string;
};

/** From `<mode> <kind> <object>[ <size>]<tab><path>`, each ended by NUL. */
function entriesOf(listed: string): readonly Entry[] {
  return listed.split("\0").flatMap((record) => {
    const tab = record.indexOf("\t");
    const [bits, kind, object, size] = record.slice(0, tab).split(/ +/);
    if (bits === undefined || kind === undefined || object === undefined) return [];
    return [{ bits, kind, object, size: Number(size ?? 0) || 0, path: record.slice(tab + 1) }];
  });
}

function isLink(path: string, commit: string): OttoError {
  return new OttoError("OTTO_FILE_UNREADABLE", {
    what: `${path} is a symbolic link in commit ${commit.slice(0, 12)}, and links are not followed there.`,
    state: "Nothing was started.",
    next: "Name the file that it points at with --file.",
  });
}

function tooLarge(path: string, commit: string, size: number): OttoError {
  return new OttoError("OTTO_FILE_TOO_LARGE", {
    what: `${path} has ${size} bytes in commit ${commit.slice(0, 12)}; a pipeline file has at most ${limits.pipelineFileBytesMax}.`,
    state: "Nothing was started.",
    next: "Compare with another commit.",
  });
}
