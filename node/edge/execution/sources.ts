/**
 * The files that a step starts from: its source, then its inputs laid over it.
 *
 * Blobs that are not here are fetched first. A source that is a commit is fetched with git into a bare repository
 * per address, once, and is a tree like any other from then on.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { OttoError } from "../../../protocol/errors.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Source } from "../../../protocol/manifest.ts";
import { parseTree, type Tree } from "../../../protocol/tree.ts";
import { sha256Hex } from "../../../protocol/values.ts";
import type { Assignment } from "../../ports.ts";
import type { Blobs } from "../blobs.ts";
import { git, withoutUserInfo } from "../git.ts";
import { layOutTree } from "../layout.ts";
import { snapshotCommit } from "../snapshot.ts";

/** Trees of at most this many files altogether are kept in memory, the ones used last. */
const cachedFilesMax = 50_000;
const cachedCommitsMax = 1_000;

export class Sources {
  readonly #folder: string;
  readonly #blobs: Blobs;
  readonly #fetch: (digests: string[]) => Promise<void>;
  /** Trees of which every blob is here, oldest use first. */
  readonly #trees = new Map<string, Tree>();
  readonly #arriving = new Map<string, Promise<Tree>>();
  readonly #commits = new Map<string, Promise<string>>();
  /** The last thing asked of each repository: one git at a time in each. */
  readonly #repositories = new Map<string, Promise<unknown>>();
  #cachedFiles = 0;

  constructor(options: {
    readonly folder: string;
    readonly blobs: Blobs;
    readonly fetch: (digests: string[]) => Promise<void>;
  }) {
    this.#folder = join(options.folder, "repositories");
    this.#blobs = options.blobs;
    this.#fetch = options.fetch;
  }

  /** Fills an empty workspace. Throws when something cannot be had; the workspace is to be thrown away then. */
  async fill(workspace: string, assignment: Assignment, signal: AbortSignal): Promise<void> {
    const source = await this.#treeOf(assignment.source);
    signal.throwIfAborted();
    await layOutTree(source, workspace, this.#blobs, { signal });
    for (const input of assignment.inputs) {
      const tree = await this.tree(input.tree);
      signal.throwIfAborted();
      await layOutTree(tree, workspace, this.#blobs, { signal, over: true });
    }
  }

  async #treeOf(source: Source): Promise<Tree> {
    if (source.kind === "tree") return this.tree(source.tree);
    return this.tree(await this.#commitTree(source.repository, source.commit));
  }

  /** The tree, with all of its blobs here. */
  async tree(digest: string): Promise<Tree> {
    const cached = this.#trees.get(digest);
    if (cached !== undefined) {
      this.#trees.delete(digest);
      this.#trees.set(digest, cached);
      return cached;
    }
    // Several steps of one run start from the same tree at the same time: it is fetched for all of them at once.
    const arriving = this.#arriving.get(digest) ?? this.#bring(digest);
    this.#arriving.set(digest, arriving);
    try {
      return await arriving;
    } finally {
      this.#arriving.delete(digest);
    }
  }

  async #bring(digest: string): Promise<Tree> {
    if (!this.#blobs.has(digest)) await this.#fetch([digest]);
    const parsed = parseTree(await this.#blobs.readBytes(digest, limits.treeBytesMax));
    if (!parsed.ok) {
      throw new OttoError("OTTO_MESSAGE_INVALID", {
        what: `The tree ${digest} is not valid: ${parsed.problem}.`,
        state: "No file of it was laid out.",
        next: "Submit the run again from a peer of the same version.",
      });
    }
    const missing = this.#blobs.missing(parsed.value.files.map((file) => file.digest));
    if (missing.length > 0) await this.#fetch([...missing]);
    this.#remember(digest, parsed.value);
    return parsed.value;
  }

  #remember(digest: string, tree: Tree): void {
    this.#trees.set(digest, tree);
    this.#cachedFiles += tree.files.length;
    for (const [oldest, old] of this.#trees) {
      if (this.#cachedFiles <= cachedFilesMax || oldest === digest) break;
      this.#trees.delete(oldest);
      this.#cachedFiles -= old.files.length;
    }
  }

  async #commitTree(repository: string, commit: string): Promise<string> {
    const key = `${commit} ${repository}`;
    const known = this.#commits.get(key);
    if (known !== undefined) return known;
    const before = this.#repositories.get(repository) ?? Promise.resolve();
    const mine = before.then(async () => this.#fetchCommit(repository, commit));
    // A failure belongs to the step that asked, and the next one tries again.
    const settled = mine.then(
      () => undefined,
      () => void this.#commits.delete(key),
    );
    this.#repositories.set(repository, settled);
    this.#commits.set(key, mine);
    for (const oldest of this.#commits.keys()) {
      if (this.#commits.size <= cachedCommitsMax) break;
      this.#commits.delete(oldest);
    }
    return mine;
  }

  async #fetchCommit(repository: string, commit: string): Promise<string> {
    if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(commit) || repository.startsWith("-")) {
      throw new OttoError("OTTO_MESSAGE_INVALID", {
        what: `"${commit}" of "${withoutUserInfo(repository)}" is not a commit that can be fetched.`,
        next: "Name a full commit id and the address of a repository.",
      });
    }
    const folder = join(this.#folder, sha256Hex(Buffer.from(repository)).slice(0, 32));
    mkdirSync(folder, { recursive: true });
    await git({ folder }, "init", "--quiet", "--bare", ".");
    await git({ folder }, "fetch", "--quiet", "--no-tags", "--depth=1", "--", repository, commit);
    const snapshot = await snapshotCommit(folder, commit, this.#blobs);
    return snapshot.tree;
  }
}
