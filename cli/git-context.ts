/**
 * What git says about a folder, for the plan's context. Outside of a repository, or without git, nothing is known;
 * that is no error here: a pipeline can be explained anywhere.
 */

import { git } from "../node/edge/git.ts";
import { OttoError } from "../protocol/errors.ts";
import { compareText } from "../protocol/values.ts";

export type GitContext = {
  /** The top folder of the work tree. */
  readonly root: string | null;
  /** Null on a detached head. */
  readonly branch: string | null;
  /** A tag of the commit; of several the last by code unit. */
  readonly tag: string | null;
  /** Null before the first commit. */
  readonly commit: string | null;
};

const nothing: GitContext = { root: null, branch: null, tag: null, commit: null };

export async function readGitContext(folder: string): Promise<GitContext> {
  // The tags are asked for at the same time: most of what a call costs is the start of git.
  const [head, tags] = await Promise.all([
    ask(folder, "rev-parse", "--show-toplevel", "HEAD", "--symbolic-full-name", "HEAD"),
    ask(folder, "tag", "--points-at", "HEAD"),
  ]);
  if (head === null) return beforeFirstCommit(folder);
  const [root = "", commit = "", reference = ""] = head;
  const sorted = (tags ?? []).sort(compareText);
  return {
    root: root === "" ? null : root,
    branch: branchOf(reference),
    tag: sorted.at(-1) ?? null,
    commit: commit === "" ? null : commit,
  };
}

async function beforeFirstCommit(folder: string): Promise<GitContext> {
  const top = await ask(folder, "rev-parse", "--show-toplevel");
  if (top === null) return nothing;
  const reference = await ask(folder, "symbolic-ref", "--quiet", "HEAD");
  return { ...nothing, root: top[0] ?? null, branch: branchOf(reference?.[0] ?? "") };
}

function branchOf(reference: string): string | null {
  const prefix = "refs/heads/";
  return reference.startsWith(prefix) ? reference.slice(prefix.length) : null;
}

/** The lines of git's answer, or null where there is no repository, no git, or nothing of that name. */
async function ask(folder: string, ...words: readonly string[]): Promise<string[] | null> {
  try {
    const answer = await git({ folder }, ...words);
    return answer
      .toString()
      .split("\n")
      .filter((line) => line !== "");
  } catch (error) {
    if (error instanceof OttoError && isAbsence(String(error.cause))) return null;
    throw error;
  }
}

/** What git says when what was asked for is not there; a repository that is broken says other things. */
function isAbsence(words: string): boolean {
  return [
    "ENOENT",
    "not a git repository",
    "must be run in a work tree",
    "ambiguous argument 'HEAD'",
    "malformed object name",
    "bad revision",
    "it ended with 1",
  ].some((absence) => words.includes(absence));
}
