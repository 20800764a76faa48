/**
 * What a sandbox needs of a root file system, made where an image has it not: folders that others are laid over, reached by no
 * link, since whoever lays them over follows links out of the root.
 */

import { copyFileSync, lstatSync, readlinkSync, rmSync, type Stats, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../../../protocol/limits.ts";
import { sizeWords } from "../../../../protocol/sizes.ts";
import { wrongImage } from "./image-messages.ts";
import type { RootFolder } from "./root-folder.ts";

/** What the image has in these is laid over, and not missed when it goes; in `etc` and `var` it is. */
const laidOver = ["proc", "dev", "tmp", "run", "var/tmp"];
const ownFolders = ["etc", "var"];
const users = "etc/passwd";
/** Libraries that a loader puts into every program, also into those of Otto's that are not for the image to change. */
const preloaded = "etc/ld.so.preload";

export function finishRoot(root: RootFolder): void {
  for (const name of ownFolders) keepFolder(root, name);
  rmSync(join(root.path, preloaded), { recursive: true, force: true });
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
  const led = found?.isFile() === true ? { path, stats: found } : root.find(users.split("/"));
  // The worker reads it for every slot.
  if (led !== null && led.stats.size > limits.imageUsersBytesMax)
    throw wrongImage(`its /${users} is more than ${sizeWords(limits.imageUsersBytesMax)}`);
  if (found?.isFile() === true) return;
  rmSync(path, { recursive: true, force: true });
  if (led?.stats.isFile() === true) copyFileSync(led.path, path);
  else writeFileSync(path, "", { mode: 0o644, flag: "wx" });
}

function lookAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
