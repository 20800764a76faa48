/**
 * The two ways to know what a git source is: as otto.lock pins it, for everybody who plans; and as it is now, for
 * `otto lock`.
 */

import type { Absence } from "../../planner/imports.ts";
import type { LockEntry, LockFile } from "../../planner/lock-file.ts";
import type { UseSource } from "../../planner/sources.ts";
import { type Pins, wordsOfGit } from "./bring.ts";
import type { GitCache } from "./git-cache.ts";
import type { Repository } from "./repository.ts";

type GitSource = Extract<UseSource, { kind: "git" }>;
type At = { readonly commit: string; readonly repository: Repository } | Absence;

function notLocked(message: string, help: string): Absence {
  return { kind: "absent", code: "pipeline/not-locked", message, help };
}

/** As the lock file says. What is not in it is not used, and not fetched. */
export class LockedPins implements Pins {
  readonly #lock: LockFile;
  readonly #cache: GitCache;
  readonly #lockName: string;
  readonly #refreshed = new Set<string>();

  constructor(lock: LockFile, cache: GitCache, lockName: string) {
    this.#lock = lock;
    this.#cache = cache;
    this.#lockName = lockName;
  }

  async at({ address }: GitSource, name: string): Promise<At> {
    const entry = this.#lock.uses.get(name);
    if (entry === undefined)
      return notLocked(
        `${this.#lockName} does not pin \`${name}\``,
        "run `otto lock` and commit what it writes",
      );
    try {
      return { commit: entry.commit, repository: await this.#cache.at(address, entry.commit) };
    } catch (error) {
      return notLocked(
        `\`${name}\` is not in this machine's cache, and cannot be fetched: ${wordsOfGit(error)}`,
        "run `otto lock` where its repository can be reached",
      );
    }
  }

  image(name: string): Promise<string | null> {
    return Promise.resolve(this.#lock.images.get(name) ?? null);
  }

  async check(source: GitSource, name: string, found: LockEntry): Promise<Absence | "again" | null> {
    const pinned = this.#lock.uses.get(name);
    if (pinned?.digest === found.digest && pinned.kind === found.kind) return null;
    const help = `see who changed ${this.#lockName}; \`otto lock --upgrade\` pins what is there now`;
    const what = `\`${name}\` is not what ${this.#lockName} pins: its content has another digest`;
    if (this.#refreshed.has(name)) return notLocked(what, help);
    this.#refreshed.add(name);
    try {
      await this.#cache.refresh(source.address, found.commit);
      return "again";
    } catch (error) {
      return notLocked(`${what}, and it cannot be fetched anew: ${wordsOfGit(error)}`, help);
    }
  }
}

/** As the sources and the tags of images are now; a revision that `kept` pins stays at its commit. Gathers what a lock file is to say. */
export class FreshPins implements Pins {
  readonly uses = new Map<string, LockEntry>();
  readonly images = new Map<string, string>();
  readonly #kept: LockFile;
  readonly #commits: ReadonlyMap<string, string>;
  readonly #cache: GitCache;
  readonly #refreshed = new Set<string>();
  readonly #resolved = new Map<string, Promise<string>>();

  constructor(kept: LockFile, cache: GitCache) {
    this.#cache = cache;
    this.#kept = kept;
    this.#commits = new Map(
      [...kept.uses].map(([name, { commit }]) => [name.replace(/#.*$/, "").slice("git+".length), commit]),
    );
  }

  async at({ address, revision }: GitSource, name: string): Promise<At> {
    const key = `${address}@${revision}`;
    const kept = this.#commits.get(key);
    const resolving =
      this.#resolved.get(key) ??
      (kept === undefined ? this.#cache.resolve(address, revision) : Promise.resolve(kept));
    this.#resolved.set(key, resolving);
    try {
      const commit = await resolving;
      return { commit, repository: await this.#cache.at(address, commit) };
    } catch (error) {
      return notLocked(
        `\`${name}\` cannot be fetched: ${wordsOfGit(error)}`,
        "name an address, and a branch, a tag or a full commit that it has",
      );
    }
  }

  /** A cache that has something else than what was pinned before is not believed. */
  async check(source: GitSource, name: string, entry: LockEntry): Promise<"again" | null> {
    const kept = this.#kept.uses.get(name);
    if (kept?.commit === entry.commit && kept.digest !== entry.digest && !this.#refreshed.has(name)) {
      this.#refreshed.add(name);
      await this.#cache.refresh(source.address, entry.commit);
      return "again";
    }
    this.uses.set(name, entry);
    return null;
  }

  /** One that is pinned stays what it is. @throws when it is not, and its registry does not say. */
  async image(name: string): Promise<string> {
    const digest =
      this.#kept.images.get(name) ?? (await (await import("./resolve-image.ts")).resolveImage(name));
    this.images.set(name, digest);
    return digest;
  }
}
