/**
 * Where the files of templates and step libraries are read from: a folder, or a commit of a repository without
 * checking it out. Bounded: a file or a folder beyond its limit is refused before it is read.
 */

import { lstat, open, readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { git } from "../../node/edge/git.ts";
import { objects } from "../../node/edge/snapshot.ts";
import { limits } from "../../protocol/limits.ts";
import { OttoError } from "../../protocol/errors.ts";
import { encodeTree, isSafePath, type TreeFile } from "../../protocol/tree.ts";
import { sha256Hex } from "../../protocol/values.ts";

type FolderFile = Pick<TreeFile, "path" | "mode"> & { readonly bytes: Uint8Array };

/** A folder by its content: its digest is the digest of its tree (`protocol/tree.ts`). */
export type Folder = {
  readonly digest: string;
  /** The bytes that have this digest. */
  readonly tree: Uint8Array;
  readonly files: readonly FolderFile[];
};

export type Found =
  | { readonly kind: "file"; readonly bytes: Uint8Array }
  | ({ readonly kind: "folder" } & Folder)
  /** Why it cannot be had, in words that go on from its name. */
  | { readonly kind: "none"; readonly why: string };

export type Repository = {
  /** @param path `/`-separated, "" for the top folder. */
  find(path: string): Promise<Found>;
};

const tooLarge = {
  file: `has more than ${limits.pipelineFileBytesMax / 1024} KiB`,
  folder: `has more than ${limits.libraryFilesMax} files or ${limits.libraryBytesMax / 1024 ** 2} MiB`,
} as const;

function none(why: string): Found {
  return { kind: "none", why };
}

function folderOf(files: readonly FolderFile[]): Folder {
  const tree = encodeTree(
    files.map(({ path, mode, bytes }) => ({ path, mode, size: bytes.length, digest: sha256Hex(bytes) })),
  );
  return { digest: sha256Hex(tree), tree, files };
}

/** A folder of this machine: of a git repository what git would see, of any other all of it. */
export class WorkingFolder implements Repository {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async find(path: string): Promise<Found> {
    const full = join(this.#root, path);
    let real: string;
    try {
      real = await realpath(full);
    } catch {
      return none("is not there");
    }
    const inside = relative(await realpath(this.#root), real);
    if (inside === ".." || inside.startsWith(`..${sep}`)) return none("is a link that leaves the repository");
    const status = await stat(real);
    if (status.isDirectory()) return this.#folder(path, real);
    if (!status.isFile()) return none("is neither a file nor a folder");
    if (status.size > limits.pipelineFileBytesMax) return none(tooLarge.file);
    await using file = await open(real);
    const bytes = new Uint8Array(limits.pipelineFileBytesMax + 1);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    return bytesRead === bytes.length
      ? none(tooLarge.file)
      : { kind: "file", bytes: bytes.slice(0, bytesRead) };
  }

  async #folder(path: string, real: string): Promise<Found> {
    const paths = (await this.#listed(path)) ?? (await walk(real));
    if (paths === null || paths.length > limits.libraryFilesMax) return none(tooLarge.folder);
    const files: FolderFile[] = [];
    let bytesTotal = 0;
    for (const name of paths) {
      const full = join(real, name);
      const status = await lstat(full).catch(() => null);
      if (status === null || (!status.isFile() && !status.isSymbolicLink())) continue;
      if (!isSafePath(name))
        return none(`has the file ${JSON.stringify(name)}, which no other machine could have`);
      bytesTotal += status.size;
      if (bytesTotal > limits.libraryBytesMax) return none(tooLarge.folder);
      if (status.isSymbolicLink())
        files.push({ path: name, mode: "link", bytes: Buffer.from(await readlink(full)) });
      else {
        const mode = (status.mode & 0o100) === 0 ? "file" : "executable";
        files.push({ path: name, mode, bytes: await readFile(full) });
      }
    }
    return { kind: "folder", ...folderOf(files) };
  }

  /** Null outside of a repository. */
  async #listed(path: string): Promise<readonly string[] | null> {
    const folder = this.#root;
    const words = ["-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    try {
      const listed = await git({ folder }, "ls-files", ...words, "--", path === "" ? "." : path);
      return namesOf(listed).map((name) => (path === "" ? name : name.slice(path.length + 1)));
    } catch (error) {
      if (error instanceof OttoError && error.code === "OTTO_GIT_FAILED") return null;
      throw error;
    }
  }
}

/** Every file below a folder, without `.git`; null beyond the bound. */
async function walk(root: string): Promise<readonly string[] | null> {
  const paths: string[] = [];
  const folders = [""];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.name === ".git") continue;
      if (entry.isDirectory()) folders.push(path);
      else paths.push(path);
      if (paths.length + folders.length > limits.libraryFilesMax) return null;
    }
  }
  return paths;
}

function namesOf(listed: Buffer): readonly string[] {
  return listed
    .toString("utf8")
    .split("\0")
    .filter((name) => name !== "");
}

/** A commit, in any repository that has it. */
export class CommitFolder implements Repository {
  readonly #folder: string;
  readonly #commit: string;

  constructor(folder: string, commit: string) {
    this.#folder = folder;
    this.#commit = commit;
  }

  async find(path: string): Promise<Found> {
    const [entry] =
      path === "" ? [{ kind: "tree", path: "" }] : await this.#entries(["-l", this.#commit, "--", path]);
    if (entry?.kind === "tree") return this.#tree(path);
    if (entry === undefined || !("object" in entry) || entry.kind !== "blob") return none("is not there");
    if (entry.bits === linkBits) return none("is a link, and links are not followed in a commit");
    if (entry.size > limits.pipelineFileBytesMax) return none(tooLarge.file);
    for await (const bytes of objects(this.#folder, [entry])) return { kind: "file", bytes };
    return none("is not there");
  }

  async #tree(path: string): Promise<Found> {
    const below = path === "" ? [] : ["--", `${path}/`];
    const entries = (await this.#entries(["-r", "-l", this.#commit, ...below])).filter(
      ({ kind }) => kind === "blob",
    );
    const bytesTotal = entries.reduce((sum, { size }) => sum + size, 0);
    if (entries.length > limits.libraryFilesMax || bytesTotal > limits.libraryBytesMax)
      return none(tooLarge.folder);
    const files: FolderFile[] = [];
    let index = 0;
    for await (const bytes of objects(this.#folder, entries)) {
      const entry = entries[index];
      index += 1;
      if (entry === undefined) break;
      const name = path === "" ? entry.path : entry.path.slice(path.length + 1);
      if (!isSafePath(name))
        return none(`has the file ${JSON.stringify(name)}, which no other machine could have`);
      const mode = entry.bits === linkBits ? "link" : entry.bits === "100755" ? "executable" : "file";
      files.push({ path: name, mode, bytes: Uint8Array.from(bytes) });
    }
    return { kind: "folder", ...folderOf(files) };
  }

  async #entries(words: readonly string[]): Promise<readonly Entry[]> {
    const listed = await git({ folder: this.#folder }, "ls-tree", "-z", "--full-tree", ...words);
    return namesOf(listed).flatMap((record) => {
      const tab = record.indexOf("\t");
      const [bits, kind, object, size] = record.slice(0, tab).split(/ +/);
      if (bits === undefined || kind === undefined || object === undefined) return [];
      return [{ bits, kind, object, size: Number(size ?? 0) || 0, path: record.slice(tab + 1) }];
    });
  }
}

const linkBits = "120000";

type Entry = {
  readonly bits: string;
  readonly kind: string;
  readonly object: string;
  readonly size: number;
  readonly path: string;
};
