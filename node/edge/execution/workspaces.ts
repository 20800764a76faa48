/**
 * Workspaces: the folder that a step runs in, and its temporary folder.
 *
 * Promises: every attempt finds both empty. A used one is renamed away at once and deleted later, when nothing
 * has been going on for a while: deleting many files slows down making files for the next step. The same slot has
 * the same path each time, because many tools' caches know their files by absolute path.
 *
 *   work / SLOT / workspace      where the commands run
 *   work / SLOT / temporary      their TMPDIR
 *   work / SLOT / said           what they say to Otto; made only for steps that say something
 *   work / SLOT / home           their home, when they do not share the worker's; made only then
 *   trash                        used ones, on their way out
 */

import { spawn } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

/**
 * Deleting starts after this long without a new used workspace, or soon when this many have gathered: not at once,
 * because it is a process of its own, which very short steps share.
 */
const deleteAfterMs = 2_000;
const trashMax = 10;
const deleteSoonMs = 250;
/** Nobody else's business on a machine with several users. */
const folderMode = 0o700;
/** The slot's own user passes through to its folders, and can put nothing in their place. */
const passableMode = 0o711;

/** Deletes also what a tool has made read-only (Go's module cache is). Follows no link. */
const deleteScript = `rm -rf -- "$@" 2>/dev/null || {
  find "$@" -type d -exec chmod u+rwx {} + ; rm -rf -- "$@"; }`;

export type Workspace = {
  readonly slot: number;
  readonly folder: string;
  readonly temporary: string;
  /** Neither is there when the workspace is taken. */
  readonly said: string;
  readonly home: string;
};

export class Workspaces {
  readonly #work: string;
  readonly #trash: string;
  readonly #free: number[] = [];
  /** Folders that are there, and empty. */
  readonly #ready = new Set<string>();
  #slots = 0;
  #thrown = 0;
  #trashCount = 0;
  #timer: NodeJS.Timeout | null = null;
  /** True while the timer is set to `deleteSoonMs`: then it is not put off any more. */
  #isSoon = false;
  #deleting: Promise<void> = Promise.resolve();

  /** What earlier processes left in the folder goes to the trash. */
  constructor(folder: string) {
    this.#work = join(folder, "work");
    this.#trash = join(folder, "trash");
    mkdirSync(this.#trash, { recursive: true });
    this.#trashCount = readdirSync(this.#trash).length;
    this.throwAway(this.#work);
    mkdirSync(this.#work, { recursive: true });
  }

  take(): Workspace {
    let slot = this.#free.pop();
    if (slot === undefined) {
      this.#slots += 1;
      slot = this.#slots;
    }
    const workspace: Workspace = {
      slot,
      folder: join(this.#work, String(slot), "workspace"),
      temporary: join(this.#work, String(slot), "temporary"),
      said: join(this.#work, String(slot), "said"),
      home: join(this.#work, String(slot), "home"),
    };
    const above = join(this.#work, String(slot));
    if (!existsSync(above)) mkdirSync(above, { recursive: true, mode: passableMode });
    for (const path of [workspace.folder, workspace.temporary]) {
      if (!this.#ready.delete(path)) mkdirSync(path, { recursive: true, mode: folderMode });
    }
    return workspace;
  }

  /** Returns the slot. One that cannot be cleared (a full disk) is never used again instead. */
  release(workspace: Workspace): void {
    const { folder, temporary, said, home } = workspace;
    const isClear = [folder, temporary, said, home].map((path) => this.#clear(path));
    if (isClear.every(Boolean)) this.#free.push(workspace.slot);
  }

  /** Renames a file or folder away, to be deleted later. */
  throwAway(path: string): void {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return;
    this.#thrown += 1;
    renameSync(path, join(this.#trash, `${process.pid}-${this.#thrown}`));
    this.#trashCount += 1;
    const isMuch = this.#trashCount > trashMax;
    if (isMuch && this.#isSoon) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isSoon = isMuch;
    this.#timer = setTimeout(() => this.#delete(), isMuch ? deleteSoonMs : deleteAfterMs);
    this.#timer.unref();
  }

  /** Deletes everything. Returns when it is gone. */
  async close(): Promise<void> {
    this.throwAway(this.#work);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#delete();
    await this.#deleting;
  }

  /** A folder that stayed as it was made is kept: removing one costs more than all the rest of a short step. */
  #clear(folder: string): boolean {
    try {
      if (isUntouched(folder)) this.#ready.add(folder);
      else this.throwAway(folder);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return false;
    }
  }

  #delete(): void {
    this.#timer = null;
    this.#isSoon = false;
    this.#deleting = this.#deleting.then(async () => {
      const names = readdirSync(this.#trash).slice(0, 1_000);
      this.#trashCount = 0;
      if (names.length === 0) return;
      await deleteFolders(names.map((name) => join(this.#trash, name)));
    });
  }
}

function isUntouched(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() !== true || (found.mode & 0o7777) !== folderMode) return false;
  return readdirSync(folder).length === 0;
}

async function deleteFolders(paths: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn("/bin/sh", ["-c", deleteScript, "delete", ...paths], { stdio: "ignore" });
    // What could not be deleted stays in the trash; the next start of the executor tries again.
    child.on("error", () => resolve());
    child.on("exit", () => resolve());
  });
}
