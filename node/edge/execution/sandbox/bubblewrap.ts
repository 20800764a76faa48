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
  /** A file in place of `/etc/passwd`; null: the machine's own. */
  readonly users: string | null;
  readonly hasFilter: boolean;
  /** What /tmp holds at most. */
  readonly temporaryBytesMax: number;
};

/** Parts of the system that programs need. `/home`, `/root`, `/var`, `/run`, `/sys` and `/mnt` are not among them. */
const systemFolders = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store"];
/** Of `/etc` only what programs look up and what holds no secret: users, names, certificates, the dynamic linker, tools. */
const settings =
  "passwd group nsswitch.conf hosts host.conf services protocols resolv.conf localtime " +
  "timezone os-release debian_version machine-id login.defs shells ld.so.cache ld.so.conf ld.so.conf.d " +
  "alternatives profile profile.d bash.bashrc ssl pki ca-certificates ca-certificates.conf crypto-policies " +
  "gai.conf inputrc mime.types magic magic.mime fonts terminfo gitconfig locale.alias " +
  "xml sgml perl python3 java-11-openjdk java-17-openjdk java-21-openjdk maven gradle " +
  "R";

/** Words for bubblewrap's `--args`, without the program that runs inside. */
export function bubblewrapArguments(policy: BubblewrapPolicy): readonly string[] {
  const { folders, visible, workspace, users, hasFilter, temporaryBytesMax } = policy;
  const words = ["--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"];
  words.push("--cap-drop", "ALL", "--hostname", "otto");
  for (const folder of systemFolders) words.push(...systemFolder(folder));
  for (const name of settings.split(" ")) words.push("--ro-bind-try", `/etc/${name}`, `/etc/${name}`);
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
