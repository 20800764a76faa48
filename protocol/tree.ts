/**
 * A tree: a set of files by content. Source snapshots and step outputs are trees; the bytes of each file are
 * a blob of its own, so two snapshots share what they have in common and a transfer can resume.
 *
 * The encoded tree (DAG-CBOR, files sorted by path in code units) is itself a blob; its sha256 names the tree.
 */

export type TreeFile = {
  /** Relative, `/`-separated, no empty, `.` or `..` segment, never absolute. */
  readonly path: string;
  readonly mode: "file" | "executable" | "link";
  readonly size: number;
  /** sha256 in hex of the file's bytes; of a link: of its target. */
  readonly digest: string;
};

export type Tree = { readonly otto: "tree/1"; readonly files: readonly TreeFile[] };

/** True for a path that stays inside the folder it is laid out in. */
export function isSafePath(path: string): boolean {
  if (path === "" || path.startsWith("/") || path.includes("\0"))
    return false;
  return path
    .split("/")
    .every((segment) => segment !== "" && segment !== "." && segment !== ".." && segment !== ".git");
}
