/**
 * Where templates and step libraries come from, as people write it:
 *
 *   ./ci/shared.yaml                                      a file or a folder of the same repository, from its top
 *   git+https://git.example.org/acme/ci@v1#deploy.yaml    of another repository, at a revision; without `#` its top folder
 *   otto/http                                             a library that Otto brings itself
 */

import { isPlainName, isSafePattern } from "../protocol/names.ts";

export type UseSource =
  | { readonly kind: "path"; readonly path: string }
  | {
      readonly kind: "git";
      readonly address: string;
      readonly revision: string;
      /** In that repository; null: its top folder. */
      readonly path: string | null;
    }
  | { readonly kind: "standard"; readonly name: string };

const standardPrefix = "otto/";

/** True for what a step may name without declaring it in `uses`. */
export function isDirect(reference: string): boolean {
  return reference.startsWith("./") || reference.startsWith(standardPrefix);
}

/** Null when nothing can be brought from there: `sourceProblem` says why. */
export function parseSource(source: string): UseSource | null {
  if (sourceProblem(source) !== null) return null;
  if (source.startsWith("./")) return { kind: "path", path: withoutEnd(source.slice(2)) };
  if (source.startsWith(standardPrefix))
    return { kind: "standard", name: source.slice(standardPrefix.length) };
  const { address, revision, path } = partsOfGit(source);
  return { kind: "git", address, revision, path: path === null ? null : withoutEnd(path) };
}

/** A folder may be written with a slash at its end. */
function withoutEnd(path: string): string {
  return path.replace(/\/$/, "");
}

function partsOfGit(source: string): { address: string; revision: string; path: string | null } {
  const hash = source.indexOf("#");
  const [, address = "", revision = ""] =
    /^git\+(.*?)@([^@/]+(?:\/[^@]*)?)$/.exec(hash === -1 ? source : source.slice(0, hash)) ?? [];
  return { address, revision, path: hash === -1 ? null : source.slice(hash + 1) };
}

/** Why nothing can be brought from there, or null. */
export function sourceProblem(source: string): string | null {
  if (source.startsWith("git+")) return gitProblem(source);
  if (source.startsWith(standardPrefix)) {
    return isPlainName(source.slice(standardPrefix.length)) ? null : "this is no name of a library";
  }
  if (!source.startsWith("./")) return "a path begins with `./`, a git source with `git+`";
  return isPlainPath(source.slice(2)) ? null : "the path leaves the repository";
}

function gitProblem(source: string): string | null {
  const { address, revision, path } = partsOfGit(source);
  if (address === "" || revision === "") return "a git source ends with `@REVISION`";
  if (!/^[A-Za-z0-9_][A-Za-z0-9_./+-]*$/.test(revision)) return "git has no such names of revisions";
  if (!/^(?:https?|ssh|git|file):\/\//.test(address) || !URL.canParse(address))
    return "its address is none that git can fetch";
  // The address is in otto.lock and in every plan.
  if (new URL(address).password !== "") return "an address has no password; git asks its own helper for it";
  return path === null || isPlainPath(path) ? null : "the path leaves the repository";
}

function isPlainPath(path: string): boolean {
  return isSafePattern(withoutEnd(path)) && !/[*?[\]{}]/.test(path);
}
