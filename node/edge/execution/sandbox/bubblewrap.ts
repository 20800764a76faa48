/**
 * The sandbox of levels S2 and S3, as arguments of bubblewrap: every namespace of its own, no network, no capability, a read-only
 * system, and of the worker's files only those of the slot. The system is the machine's at S2, and an image's at S3.
 */

import { lstatSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { imageRootArguments } from "./image-root.ts";
import type { OwnPrograms } from "./own-programs.ts";

/** Descriptors of bubblewrap. It closes all of them before the first command of the step is there. */
export const descriptors = { control: 3, filter: 4, arguments: 5, info: 6, doors: 7 } as const;

export type BubblewrapPolicy = {
  /** Files and folders that the step may read besides the system. */
  readonly visible: readonly string[];
  /** Folders of the slot, that it may write to. */
  readonly folders: readonly string[];
  readonly workspace: string;
  /** What is there as the system. */
  readonly system: MachineSystem | ImageSystem;
  /** A file in place of `/etc/passwd`; null: the machine's own. */
  readonly users: string | null;
  readonly hasFilter: boolean;
  /** What /tmp holds at most. */
  readonly temporaryBytesMax: number;
};

type MachineSystem = {
  readonly kind: "machine";
  /** The folder that is there as `/etc`. */
  readonly settings: string;
};

type ImageSystem = {
  readonly kind: "image";
  /** The folder that it was unpacked to. */
  readonly root: string;
  /** Of the machine's, what Otto needs in there. */
  readonly own: OwnPrograms;
};

/** Parts of the system that programs need. `/home`, `/root`, `/var`, `/run`, `/sys` and `/mnt` are not among them. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];
/** Empty, in memory, and bounded. */
const temporaryFolders = ["/tmp", "/var/tmp", "/run", "/dev/shm"];

/** Words for bubblewrap's `--args`, without the program that runs inside. */
export function bubblewrapArguments(policy: BubblewrapPolicy): readonly string[] {
  const { folders, visible, workspace, users, hasFilter, temporaryBytesMax } = policy;
  const words = ["--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"];
  words.push("--cap-drop", "ALL", "--hostname", "otto");
  words.push(...systemArguments(policy));
  if (users !== null) words.push("--ro-bind", users, "/etc/passwd");
  words.push("--proc", "/proc", "--dev", "/dev");
  for (const folder of temporaryFolders) words.push("--size", String(temporaryBytesMax), "--tmpfs", folder);
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

function systemArguments({ system, visible, folders }: BubblewrapPolicy): readonly string[] {
  if (system.kind === "machine")
    return [...systemFolders.flatMap(systemFolder), "--ro-bind", system.settings, "/etc"];
  const { root, own } = system;
  const targets = ["/proc", "/dev", "/.otto", ...temporaryFolders, ...visible, ...folders];
  return [
    ...imageRootArguments(root, targets),
    ...own.files.flatMap(([from, to]) => ["--ro-bind", from, to]),
  ];
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
