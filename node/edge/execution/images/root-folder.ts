/**
 * A folder as the root of a file system: links in it lead where they would lead if it were the root, never out of it. Nothing
 * else may write to it meanwhile.
 */

import { chmodSync, lstatSync, mkdirSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import { limits } from "../../../../protocol/limits.ts";
import { wrongImage } from "./image-messages.ts";

const folderMode = 0o755;
const partBytesMax = 255;
const shownCharactersMax = 100;

export class RootFolder {
  readonly path: string;
  readonly #made: (path: string) => void;

  /** @param made is told each folder before it is made. */
  constructor(path: string, made: (path: string) => void) {
    this.path = path;
    this.#made = made;
  }

  /** What is there, with links followed, also the last; null: nothing. */
  find(parts: readonly string[]): { readonly path: string; readonly stats: Stats } | null {
    const path = this.#walk(parts, false);
    return path === null ? null : { path, stats: lstatSync(path) };
  }

  /** The folder, with links followed; it is made, with those above it, when it is not there. */
  folder(parts: readonly string[]): string {
    const path = this.#walk(parts, true);
    if (path === null) throw wrongImage(`${shown(parts.join("/"))} in it leads in circles`);
    return path;
  }

  makeFolder(path: string): void {
    this.#made(path);
    mkdirSync(path);
    chmodSync(path, folderMode);
  }

  #walk(parts: readonly string[], make: boolean): string | null {
    const at: string[] = [];
    const rest = [...parts].reverse();
    let links = 0;
    for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        // Above the root is the root.
        at.pop();
        continue;
      }
      const path = join(this.path, ...at, part);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found === undefined) {
        if (!make) return null;
        if (at.length >= limits.imagePathPartsMax)
          throw wrongImage("it has folders too deep inside of others");
        this.makeFolder(path);
        at.push(part);
      } else if (found.isDirectory()) {
        at.push(part);
      } else if (found.isSymbolicLink()) {
        links += 1;
        if (links > limits.imageLinksFollowedMax) return null;
        const target = readlinkSync(path);
        if (target.startsWith("/")) at.length = 0;
        rest.push(...target.split("/").reverse());
      } else if (make) {
        throw wrongImage(`${shown(parts.join("/"))} in it leads through something that is no folder`);
      } else {
        return rest.every((more) => more === "") ? path : null;
      }
    }
    return join(this.path, ...at);
  }
}

/** The parts of a name in an archive: below the root, also when it begins with a slash. */
export function partsOf(name: string): readonly string[] {
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || name.includes("\0"))
    throw wrongImage(`it has a file outside of itself, ${shown(name)}`);
  if (
    parts.length > limits.imagePathPartsMax ||
    Buffer.byteLength(name) > limits.imagePathBytesMax ||
    parts.some((part) => Buffer.byteLength(part) > partBytesMax)
  )
    throw wrongImage(`it has a file with too long a name, ${shown(name)}`);
  return parts;
}

/** A name of an image's, for a sentence. */
export function shown(name: string): string {
  return `"${name.length > shownCharactersMax ? `${name.slice(0, shownCharactersMax)}...` : name}"`;
}
