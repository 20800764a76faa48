/** Files and folders of a worker's as the users of its slots get to them, who have no rights of their own on the way there. */

import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** Where a worker that runs as root keeps workspaces when its data is behind folders that are closed to others. */
const elsewhere = "/var/lib/otto";
/** Says in there whose it is. */
const ownerFile = "data-folder";

export function passableFolder(folder: string, identity: string): string {
  if (isPassable(folder)) return folder;
  const other = join(elsewhere, identity);
  mkdirSync(other, { recursive: true, mode: 0o711 });
  writeFileSync(join(other, ownerFile), folder, { mode: 0o600 });
  for (const name of readdirSync(elsewhere)) removeIfLeft(join(elsewhere, name));
  return other;
}

/** A worker whose own folder was removed comes back for nothing. */
function removeIfLeft(folder: string): void {
  const owner = join(folder, ownerFile);
  if (existsSync(owner) && !existsSync(readFileSync(owner, "utf8")))
    rmSync(folder, { recursive: true, force: true });
}

/**
 * Of a source that has no types in it: a copy that Node takes as it is. To get ready for types takes it longer than all else that a step
 * with a credential waits for.
 */
export function plainFile(path: string, folder: string): string {
  if (!path.endsWith(".ts")) return path;
  const plain = join(folder, basename(path).replace(/\.ts$/, ".mjs"));
  copyFileSync(path, plain);
  chmodSync(plain, 0o755);
  return plain;
}

/** The file itself, or a copy in the folder where the way to it is closed. */
export function passableFile(path: string, folder: string): string {
  if (isPassable(dirname(path))) return path;
  // Outside of its package a module is told by its name.
  const other = join(folder, basename(path).replace(/\.(js|ts)$/, ".m$1"));
  if (other === path) return other;
  rmSync(other, { force: true });
  try {
    copyFileSync(path, other, constants.COPYFILE_FICLONE);
  } catch (error) {
    rmSync(other, { force: true });
    throw error;
  }
  chmodSync(other, 0o755);
  return other;
}

/** Whether everybody can pass through the folder and all above it. */
function isPassable(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  return folder === dirname(folder) || isPassable(dirname(folder));
}

/** Without what an earlier start left there; everybody passes through it. */
export function emptyFolder(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o711);
  return path;
}
