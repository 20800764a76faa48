/**
 * What a disk holds, by key: one entry is found at once, and those under a prefix without a look at all the others.
 *
 * Kept in folders by the first two parts of the key (`event/<run>/…`), since prefixes end where a part does.
 */

import type { StoredEntry } from "../node/ports.ts";
import { compareText } from "../protocol/values.ts";

type Folder = Map<string, Uint8Array>;

export class KeyedEntries {
  /** By the first part of the key, and by the second. */
  readonly #folders = new Map<string, Map<string, Folder>>();

  get(key: string): Uint8Array | undefined {
    return this.#folder(key)?.get(key);
  }

  set(key: string, value: Uint8Array): void {
    const [first, second] = partsOf(key);
    let folders = this.#folders.get(first);
    if (folders === undefined) this.#folders.set(first, (folders = new Map()));
    const folder = folders.get(second);
    if (folder === undefined) folders.set(second, new Map([[key, value]]));
    else folder.set(key, value);
  }

  delete(key: string): void {
    const folder = this.#folder(key);
    if (folder?.delete(key) !== true || folder.size > 0) return;
    const [first, second] = partsOf(key);
    this.#folders.get(first)?.delete(second);
  }

  clear(): void {
    this.#folders.clear();
  }

  /** All of it, in no order that counts. */
  *[Symbol.iterator](): IterableIterator<[string, Uint8Array]> {
    for (const folders of this.#folders.values()) for (const folder of folders.values()) yield* folder;
  }

  /** Every entry whose key starts with the prefix, ordered by code unit. */
  list(prefix: string): StoredEntry[] {
    const found: StoredEntry[] = [];
    for (const folder of this.#foldersUnder(prefix))
      for (const entry of folder) if (entry[0].startsWith(prefix)) found.push(entry);
    return found.length < 2 ? found : found.sort(([left], [right]) => compareText(left, right));
  }

  #folder(key: string): Folder | undefined {
    const [first, second] = partsOf(key);
    return this.#folders.get(first)?.get(second);
  }

  *#foldersUnder(prefix: string): Iterable<Folder> {
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

/** The first part of a key, and the second where another follows it; else that is empty. */
function partsOf(key: string): readonly [first: string, second: string] {
  const end = key.indexOf("/");
  if (end < 0) return ["", ""];
  const next = key.indexOf("/", end + 1);
  return [key.slice(0, end), next < 0 ? "" : key.slice(end + 1, next)];
}
