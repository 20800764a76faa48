/**
 * What a disk holds, by key: one entry is found at once, and those under a prefix without a look at all the others.
 *
 * Disks are written all the time and listed now and then: when a process starts, and when somebody looks from outside. So
 * the keys are put in order only for whoever lists, by the first two parts of the key (`event/<run>/…`), since prefixes
 * end where a part does.
 */

import type { StoredEntry } from "../node/ports.ts";
import { compareText } from "../protocol/values.ts";

/** Keys by their first part, and by their second. */
type Folders = Map<string, Map<string, string[]>>;

export class KeyedEntries {
  readonly #entries = new Map<string, Uint8Array>();
  /** Of the keys that are there; null once there are others. */
  #folders: Folders | null = null;

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Uint8Array): void {
    if (this.#folders !== null && !this.#entries.has(key)) this.#folders = null;
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#folders = null;
  }

  clear(): void {
    this.#entries.clear();
    this.#folders = null;
  }

  /** Every entry whose key starts with the prefix, ordered by code unit. */
  list(prefix: string): StoredEntry[] {
    const found: string[] = [];
    for (const folder of this.#foldersUnder(prefix))
      for (const key of folder) if (key.startsWith(prefix)) found.push(key);
    if (found.length > 1) found.sort(compareText);
    return found.map((key) => [key, this.#entries.get(key) as Uint8Array]);
  }

  *#foldersUnder(prefix: string): Iterable<string[]> {
    this.#folders ??= inFolders(this.#entries.keys());
    const end = prefix.indexOf("/");
    if (end < 0) {
      for (const folders of this.#folders.values()) yield* folders.values();
      return;
    }
    const folders = this.#folders.get(prefix.slice(0, end));
    if (folders === undefined) return;
    const [, second] = partsOf(prefix);
    if (second === "") return yield* folders.values();
    const folder = folders.get(second);
    if (folder !== undefined) yield folder;
  }
}

function inFolders(keys: Iterable<string>): Folders {
  const all: Folders = new Map();
  for (const key of keys) {
    const [first, second] = partsOf(key);
    let folders = all.get(first);
    if (folders === undefined) all.set(first, (folders = new Map()));
    const folder = folders.get(second);
    if (folder === undefined) folders.set(second, [key]);
    else folder.push(key);
  }
  return all;
}

/** The first part of a key, and the second where another follows it; else that is empty. */
function partsOf(key: string): readonly [first: string, second: string] {
  const end = key.indexOf("/");
  if (end < 0) return ["", ""];
  const next = key.indexOf("/", end + 1);
  return [key.slice(0, end), next < 0 ? "" : key.slice(end + 1, next)];
}
