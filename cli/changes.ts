/**
 * Which paths changed, as git says: from a base to what is run, and how that base was chosen. What follows from it for
 * steps is in `planner/changes.ts`.
 *
 *   --base REVISION                 that revision
 *   a pull request                  where it left the branch that it goes into
 *   another branch                  where it left the default branch
 *   the default branch              the commit before
 *
 * To a working tree everything counts that differs from the base, committed or not, new files too unless git ignores
 * them. Where there is no base the answer says why, and is no error: everything then counts as changed.
 */

import { git } from "../node/edge/git.ts";
import { commitNamed } from "../node/edge/snapshot.ts";
import type { ChangedPaths } from "../planner/changes.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { compareText } from "../protocol/values.ts";
import type { GitContext } from "./git-context.ts";

export type BaseOptions = {
  /** The base, as typed. */
  readonly base?: string;
  /** A pull request: the branch that it is to go into, by a name that git knows here. */
  readonly into?: string;
  /** The revision that is run; without it the working tree. */
  readonly commit?: string;
};

type Base = { readonly commit: string; readonly because: string } | { readonly none: string };

/** Throws `OTTO_USAGE` for a revision that was typed and does not exist, `OTTO_GIT_FAILED` when git cannot compare. */
export async function readChangedPaths(here: GitContext, options: BaseOptions): Promise<ChangedPaths> {
  const { root } = here;
  if (root === null) return { paths: null, because: "no base, since the folder is in no git repository" };
  const head = options.commit === undefined ? here.commit : await commitNamed(root, options.commit);
  if (head === null) return { paths: null, because: "no base, since nothing was committed yet" };
  const branch = head === here.commit ? here.branch : null;
  const base = await chooseBase({ root, head, branch }, options);
  if ("none" in base) return { paths: null, because: `no base, ${base.none}` };
  const paths = await pathsBetween(root, base.commit, options.commit === undefined ? null : head);
  if (paths.length > limits.changedPathsMax) {
    return { paths: null, because: `more than ${limits.changedPathsMax} paths differ from ${base.commit}` };
  }
  return { paths, base: base.commit, because: base.because };
}

type Head = {
  readonly root: string;
  readonly head: string;
  /** Null when detached, or when another commit than the one that is checked out is run. */
  readonly branch: string | null;
};

async function chooseBase({ root, head, branch }: Head, { base, into }: BaseOptions): Promise<Base> {
  if (base !== undefined) {
    return { commit: await commitNamed(root, base), because: `named with --base ${base}` };
  }
  const name = branch ?? head.slice(0, 12);
  if (into !== undefined) {
    const fork = await ask(root, "merge-base", await commitNamed(root, into), head);
    return fork === null
      ? noCommonCommit(root, into)
      : { commit: fork, because: `where ${name} left ${into}` };
  }
  const main = await defaultBranch(root);
  if (main === null || main.branch === branch) return commitBefore(root, head);
  const fork = await ask(root, "merge-base", main.reference, head);
  if (fork === null) return noCommonCommit(root, main.name);
  // A commit that is run by itself may be one of the default branch.
  if (fork === head && branch === null) return commitBefore(root, head);
  return { commit: fork, because: `where ${name} left ${main.name}` };
}

async function commitBefore(root: string, head: string): Promise<Base> {
  const parent = await ask(root, "rev-parse", "--verify", "--quiet", `${head}^1^{commit}`);
  if (parent !== null) return { commit: parent, because: `the commit before ${head.slice(0, 12)}` };
  const why = (await isShallow(root)) ? "since the clone is shallow" : "since this is the first commit";
  return { none: why };
}

async function noCommonCommit(root: string, other: string): Promise<Base> {
  const why = (await isShallow(root)) ? ", and the clone is shallow" : "";
  return { none: `since no commit is known that ${other} has too${why}` };
}

async function isShallow(root: string): Promise<boolean> {
  return (await ask(root, "rev-parse", "--is-shallow-repository")) === "true";
}

type DefaultBranch = { readonly reference: string; readonly name: string; readonly branch: string };

/** What the remote calls its default branch, else `main` or `master`, the remote's before one's own. */
async function defaultBranch(root: string): Promise<DefaultBranch | null> {
  const said = await ask(root, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD");
  const candidates = [
    ...(said === null ? [] : [said]),
    ...["refs/remotes/origin/", "refs/heads/"].flatMap((folder) => [`${folder}main`, `${folder}master`]),
  ];
  for (const reference of candidates) {
    if ((await ask(root, "rev-parse", "--verify", "--quiet", `${reference}^{commit}`)) === null) continue;
    const name = reference.replace(/^refs\/(remotes|heads)\//, "");
    return { reference, name, branch: reference.replace(/^refs\/(remotes\/origin|heads)\//, "") };
  }
  return null;
}

/** @param head null: the working tree. */
async function pathsBetween(root: string, base: string, head: string | null): Promise<readonly string[]> {
  // A renamed file is one that is gone and one that is new.
  const how = [
    "--name-only",
    "-z",
    "--no-renames",
    "--no-relative",
    "--no-ext-diff",
    "--ignore-submodules=dirty",
  ];
  const [differing, untracked] = await Promise.all([
    git({ folder: root }, "diff", ...how, base, ...(head === null ? [] : [head]), "--"),
    head === null
      ? git({ folder: root }, "ls-files", "-z", "--others", "--exclude-standard")
      : Buffer.alloc(0),
  ]);
  const paths = [differing, untracked].flatMap((listed) => listed.toString("utf8").split("\0"));
  return [...new Set(paths.map((path) => path.replace(/\/$/, "")))]
    .filter((path) => path !== "")
    .sort(compareText);
}

/** The one line that git answers, or null where it says without a word that there is none. */
async function ask(root: string, ...words: readonly string[]): Promise<string | null> {
  try {
    return (await git({ folder: root }, ...words)).toString("utf8").trim();
  } catch (error) {
    if (error instanceof OttoError && error.cause === "it ended with 1") return null;
    throw error;
  }
}
