/**
 * An image as the root of a sandbox, in bubblewrap's words: what lies on the top of it is there read-only, each under its own name.
 * Where something of the worker's is to be mounted further down, the folders on the way are the sandbox's own, and hold what the
 * image has in them; so nothing has to be written into the image, and no link of it is ever followed out here.
 */

import { type Dirent, opendirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../../../protocol/limits.ts";

/**
 * @param targets absolute paths inside that something else will be mounted at.
 * @throws when there is more in it than bubblewrap takes, before the worker has been held up by reading all of that.
 */
export function imageRootArguments(root: string, targets: readonly string[]): readonly string[] {
  const words: string[] = [];
  let left = limits.imageEntriesShownMax;
  const place = (folder: string): void => {
    for (const entry of entriesOf(join(root, folder))) {
      left -= 1;
      if (left < 0)
        throw new Error(
          `The step's image has more than ${limits.imageEntriesShownMax} files in / and on the way to the step's folders, so it cannot be used: name another image.`,
        );
      const path = join(folder, entry.name);
      if (targets.includes(path)) continue;
      if (targets.some((target) => target.startsWith(`${path}/`))) {
        words.push("--dir", path);
        // A link there would lead what is mounted elsewhere: the image goes without what is behind it.
        if (entry.isDirectory()) place(path);
      } else if (entry.isSymbolicLink()) words.push("--symlink", readlinkSync(join(root, path)), path);
      else if (entry.isDirectory() || entry.isFile()) words.push("--ro-bind", join(root, path), path);
    }
  };
  place("/");
  return words;
}

/** One by one: there may be a million. */
function* entriesOf(path: string): Generator<Dirent> {
  const folder = opendirSync(path);
  try {
    for (let entry = folder.readSync(); entry !== null; entry = folder.readSync()) yield entry;
  } finally {
    folder.closeSync();
  }
}
