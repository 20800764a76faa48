/**
 * What a sandbox needs of a root file system, made where an image has it not: folders that others are laid over, reached by no
 * link, since whoever lays them over follows links out of the root.
 */

import { copyFileSync, lstatSync, readlinkSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wrongImage } from "./image-messages.ts";
import type { RootFolder } from "./root-folder.ts";

/** What the image has in these is laid over, and not missed when it goes; in `etc` and `var` it is. */
const laidOver = ["proc", "dev", "tmp", "run", "var/tmp"];
const ownFolders = ["etc", "var"];
const users = "etc/passwd";

export function finishRoot(root: RootFolder): void {
  for (const name of ownFolders) keepFolder(root, name);
  for (const name of laidOver) {
    const path = join(root.path, name);
    const found = lookAt(path);
    if (found?.isDirectory() === true) continue;
    rmSync(path, { force: true });
    root.makeFolder(path);
  }
  makeUsers(root);
  const shell = root.find(["bin", "sh"]);
  if (shell === null || !shell.stats.isFile() || (shell.stats.mode & 0o111) === 0)
    throw wrongImage("it has no /bin/sh that can be run");
}

function keepFolder(root: RootFolder, name: string): void {
  const path = join(root.path, name);
  const found = lookAt(path);
  if (found?.isDirectory() === true) return;
  // A link that leads nowhere inside of the root hides nothing that the image has.
  if (found !== undefined && (!found.isSymbolicLink() || root.find([name]) !== null)) {
    const is = found.isSymbolicLink() ? `a link to ${JSON.stringify(readlinkSync(path))}` : "a file";
    throw wrongImage(`its /${name} is ${is}, and has to be a folder`);
  }
  rmSync(path, { force: true });
  root.makeFolder(path);
}

function makeUsers(root: RootFolder): void {
  const path = join(root.path, users);
  const found = lookAt(path);
  if (found?.isFile() === true) return;
  const led = root.find(users.split("/"));
  rmSync(path, { recursive: true, force: true });
  if (led?.stats.isFile() === true) copyFileSync(led.path, path);
  else writeFileSync(path, "", { mode: 0o644, flag: "wx" });
}

function lookAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
