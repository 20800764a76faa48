/**
 * The sandbox of level S2, as arguments of bubblewrap: every namespace of its own, no network, no capability, a read-only
 * system, and of the worker's files only those of the slot.
 */

import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Descriptors of bubblewrap. It closes all of them before the first command of the step is there. */
export const descriptors = { control: 3, filter: 4, arguments: 5, info: 6, doors: 7 } as const;

export type BubblewrapPolicy = {
  /** Files and folders that the step may read besides the system. */
  readonly visible: readonly string[];
  /** Folders of the slot, that it may write to. */
  readonly folders: readonly string[];
  readonly workspace: string;
  /** The folder that is there as `/etc`. */
  readonly settings: string;
  /** A file in place of `/etc/passwd`; null: the machine's own. */
  readonly users: string | null;
  readonly hasFilter: boolean;
  /** What /tmp holds at most. */
  readonly temporaryBytesMax: number;
};

/** Parts of the system that programs need. `/home`, `/root`, `/var`, `/run`, `/sys` and `/mnt` are not among them. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];
/** Words for bubblewrap's `--args`, without the program that runs inside. */
export function bubblewrapArguments(policy: BubblewrapPolicy): readonly string[] {
  const { folders, visible, workspace, settings, users, hasFilter, temporaryBytesMax } = policy;
  const words = ["--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"];
  words.push("--cap-drop", "ALL", "--hostname", "otto");
  for (const folder of systemFolders) words.push(...systemFolder(folder));
  words.push("--ro-bind", settings, "/etc");
  if (users !== null) words.push("--ro-bind", users, "/etc/passwd");
  words.push("--proc", "/proc", "--dev", "/dev");
  for (const folder of ["/tmp", "/var/tmp", "/run", "/dev/shm"])
    words.push("--size", String(temporaryBytesMax), "--tmpfs", folder);
  // It is of memory, too, and of no size.
  words.push("--remount-ro", "/dev");
  for (const path of visible) words.push("--ro-bind", path, path);
  for (const path of folders) words.push("--bind", path, path);
  // What was made on the way to them is bubblewrap's own and empty; nothing more is to be made there.
  words.push("--remount-ro", "/", "--chdir", workspace);
  if (hasFilter) words.push("--seccomp", String(descriptors.filter));
  words.push("--info-fd", String(descriptors.info));
  return words;
}

/** Many systems have `/bin` as a link into `/usr`: the same link inside keeps paths as they are outside. */
function systemFolder(path: string): readonly string[] {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (found.isSymbolicLink()) return ["--symlink", readlinkSync(path), path];
  return ["--ro-bind", path, path];
}

/** Where a program of the system is; null when it is nowhere. Never looked for where a step could have put it. */
export function systemProgram(name: string): string | null {
  for (const folder of ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"]) {
    const path = join(folder, name);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return path;
  }
  return null;
}
