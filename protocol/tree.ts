/**
 * A tree: a set of files by content. Source snapshots and step outputs are trees; the bytes of each file are
 * a blob of its own, so two snapshots share what they have in common and a transfer can resume.
 *
 * The encoded tree (DAG-CBOR, files sorted by path in code units) is itself a blob; its sha256 names the tree.
 */

import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import { compareText, decodeUntrusted, encodeValue } from "./values.ts";

export type TreeFile = {
  /** Relative, `/`-separated, no empty, `.` or `..` segment, never absolute. */
  readonly path: string;
  readonly mode: "file" | "executable" | "link";
  readonly size: number;
  /** sha256 in hex of the file's bytes; of a link: of its target. */
  readonly digest: string;
};

export type Tree = { readonly otto: "tree/1"; readonly files: readonly TreeFile[] };

const digestPattern = /^[0-9a-f]{64}$/;

/** True for a path that stays inside the folder it is laid out in. */
export function isSafePath(path: string): boolean {
  if (path === "" || path.startsWith("/") || path.includes("\0")) return false;
  return path
    .split("/")
    .every((segment) => segment !== "" && segment !== "." && segment !== ".." && segment !== ".git");
}

/** The bytes of the tree of these files, in any order given. Equal sets of files give equal bytes. */
export function encodeTree(files: readonly TreeFile[]): Uint8Array {
  const tree: Tree = {
    otto: "tree/1",
    files: [...files].sort((left, right) => compareText(left.path, right.path)),
  };
  return encodeValue(tree);
}

/**
 * Reads a tree that anybody may have made: sorted, each path once and safe, nothing below a file or a link,
 * sizes and counts within `limits.source*`. What comes out can be laid out in an empty folder.
 */
export function parseTree(bytes: Uint8Array): Result<Tree, string> {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok) return decoded;
  const value = decoded.value;
  if (!hasExactly(value, ["otto", "files"]) || value["otto"] !== "tree/1" || !Array.isArray(value["files"])) {
    return failure("not a tree");
  }
  const entries: readonly unknown[] = value["files"];
  if (entries.length > limits.sourceFilesMax) return failure(`more than ${limits.sourceFilesMax} files`);
  const files: TreeFile[] = [];
  const paths = new Set<string>();
  let bytesTotal = 0;
  let before = "";
  for (const entry of entries) {
    const file = parseFile(entry);
    if (!file.ok) return file;
    const { path, size } = file.value;
    if (compareText(before, path) >= 0) return failure(`not sorted, or twice the same path, at "${path}"`);
    bytesTotal += size;
    if (bytesTotal > limits.sourceBytesMax) return failure(`more than ${limits.sourceBytesMax} bytes`);
    before = path;
    paths.add(path);
    files.push(file.value);
  }
  for (const { path } of files) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const above = path.slice(0, at);
      if (paths.has(above)) return failure(`"${path}" is below "${above}", which is not a folder`);
    }
  }
  return success({ otto: "tree/1", files });
}

function parseFile(value: unknown): Result<TreeFile, string> {
  if (!hasExactly(value, ["path", "mode", "size", "digest"])) return failure("an entry is not a file");
  const { path, mode, size, digest } = value;
  if (typeof path !== "string" || !isSafePath(path)) return failure(`unsafe path ${JSON.stringify(path)}`);
  if (mode !== "file" && mode !== "executable" && mode !== "link")
    return failure(`unknown mode of "${path}"`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    return failure(`the size of "${path}" is not a count of bytes`);
  }
  if (typeof digest !== "string" || !digestPattern.test(digest)) {
    return failure(`the digest of "${path}" is not a sha256 in hex`);
  }
  if (mode === "link" && size > limits.linkTargetBytesMax)
    return failure(`the target of "${path}" is too long`);
  return success({ path, mode, size, digest });
}

function hasExactly<Key extends string>(value: unknown, keys: readonly Key[]): value is Record<Key, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const found = Object.keys(value);
  return found.length === keys.length && keys.every((key) => Object.hasOwn(value, key));
}
