/**
 * Commits of other repositories that templates and step libraries come from, kept below the home of Otto: what was
 * fetched once needs no network again. One bare repository a commit, made aside and moved into place when it is
 * whole, so that two commands at once do not meet.
 */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ottoHome } from "../../node/edge/data-folder.ts";
import { git } from "../../node/edge/git.ts";
import { limits } from "../../protocol/limits.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { CommitFolder, type Repository } from "./repository.ts";

const ours = "refs/otto/used";

export class GitCache {
  readonly #folder: string;

  constructor(folder: string = join(ottoHome(), "uses")) {
    this.#folder = folder;
  }

  /** The commit that a revision is now, kept here from then on. Asks the other repository. */
  async resolve(address: string, revision: string): Promise<string> {
    return this.#fetch(address, revision);
  }

  /** The files of a commit; fetched when they are not here. */
  async at(address: string, commit: string): Promise<Repository> {
    const folder = this.#place(address, commit);
    if (!existsSync(folder)) await this.#fetch(address, commit);
    return new CommitFolder(folder, commit);
  }

  /** Fetches a commit anew, and throws away what was here of it once that has arrived. */
  async refresh(address: string, commit: string): Promise<void> {
    await this.#fetch(address, commit, true);
  }

  #place(address: string, commit: string): string {
    return join(this.#folder, sha256Hex(Buffer.from(address)).slice(0, 32), commit);
  }

  async #fetch(address: string, revision: string, instead = false): Promise<string> {
    const folder = join(this.#folder, `arriving-${randomBytes(8).toString("hex")}`);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    try {
      const signal = AbortSignal.timeout(limits.useFetchMsMax);
      await git({ folder }, "init", "--quiet", "--bare", ".");
      const words = ["--quiet", "--no-tags", "--depth=1", "--no-recurse-submodules"];
      await git({ folder, signal }, "fetch", ...words, "--", address, `+${revision}:${ours}`);
      const named = await git({ folder }, "rev-parse", "--verify", "--end-of-options", `${ours}^{commit}`);
      const commit = named.toString().trim();
      const place = this.#place(address, commit);
      await mkdir(join(place, ".."), { recursive: true, mode: 0o700 });
      if (instead) await rm(place, { recursive: true, force: true });
      try {
        await rename(folder, place);
      } catch (error) {
        // Whoever was sooner has the same commit.
        if (!existsSync(place)) throw error;
      }
      return commit;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
