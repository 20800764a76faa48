/** The lock file beside a pipeline file: `otto.lock` of `otto.yaml`, `ci/nightly.lock` of `ci/nightly.yaml`. */

import { type LockFile, nothingLocked, parseLock } from "../../planner/lock-file.ts";
import { OttoError } from "../../protocol/errors.ts";
import { GitCache } from "./git-cache.ts";
import { LockedPins } from "./pins.ts";
import { type Repository, WorkingFolder } from "./repository.ts";

/** @param path of the pipeline file, as the plan calls it. */
export function lockNameOf(path: string): string {
  return `${path.replace(/\.ya?ml$/, "")}.lock`;
}

/** What is pinned for a pipeline file of a repository; nothing when there is no lock file. Throws `OTTO_LOCK_INVALID`. */
export async function readLock(repository: Repository, path: string): Promise<LockFile> {
  const name = lockNameOf(path);
  const found = await repository.find(name);
  if (found.kind === "none" && found.why === "is not there") return nothingLocked;
  if (found.kind !== "file") throw invalid(name, found.kind === "none" ? found.why : "is a folder");
  const lock = parseLock(new TextDecoder("utf-8").decode(found.bytes));
  if (!lock.ok) throw invalid(name, lock.problem);
  return lock.value;
}

function invalid(name: string, why: string): OttoError {
  return new OttoError("OTTO_LOCK_INVALID", {
    what: `${name} ${why}.`,
    state: "Nothing was started, and nothing was changed.",
    next: `See who changed it, or delete ${name} and make it anew with: otto lock`,
  });
}

export async function pinsIn(repository: Repository, path: string): Promise<LockedPins> {
  return new LockedPins(await readLock(repository, path), new GitCache(), lockNameOf(path));
}

/** Of the pipeline file at `path` in a folder. */
export async function lockedPins(root: string, path: string): Promise<LockedPins> {
  return pinsIn(new WorkingFolder(root), path);
}
