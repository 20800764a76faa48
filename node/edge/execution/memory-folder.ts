/**
 * Folders that are in memory and on no disk, for the values of secrets that a step is given itself. Each is made for one attempt, under
 * a name that nobody can have taken before, and is closed to all but the worker and the attempt's user.
 */

import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { join } from "node:path";

const memory = "/dev/shm";
/** What Linux says that it is: `tmpfs`. */
const tmpfs = 0x01021994;

/** @param identity of the executor, whose own they are. */
export function makeMemoryFolder(identity: string): string | null {
  if (!isInMemory()) return null;
  try {
    return mkdtempSync(join(memory, prefixOf(identity)));
  } catch {
    // Somebody keeps it from being written to: then there is none.
    return null;
  }
}

export function removeMemoryFolder(folder: string | null): void {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
}

/** What an earlier start left behind. Others may have taken such names, which are left to them. */
export function removeMemoryFolders(identity: string): void {
  if (!isInMemory()) return;
  for (const name of readdirSync(memory)) {
    const path = join(memory, name);
    if (!name.startsWith(prefixOf(identity))) continue;
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Not this worker's to remove.
    }
  }
}

function prefixOf(identity: string): string {
  return `otto-${identity.slice(0, 16)}-`;
}

function isInMemory(): boolean {
  const found = statSync(memory, { throwIfNoEntry: false });
  return found?.isDirectory() === true && statfsSync(memory).type === tmpfs;
}
