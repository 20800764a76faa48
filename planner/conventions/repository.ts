/**
 * The questions that the modules ask of a repository, answered quickly when it has very many files: most are about
 * the root, and a name is looked for in what is sorted already.
 */

import { compareText } from "../../protocol/values.ts";
import type { Repository, RepositoryFiles } from "./convention.ts";

/** Control, formatting and separating characters: in a name they could make a reason or a file say otherwise. */
const hidden = /[\p{C}\u2028\u2029]/u;
const plainText = /^[ -~]*$/;

/** Paths with hidden characters in them decide nothing. */
export function lookInto(files: RepositoryFiles): Repository {
  const paths = files.paths.filter((path) => plainText.test(path) || !hidden.test(path));
  const atRoot = paths.filter((path) => !path.includes("/"));
  const has = (path: string): boolean => isAmong(paths, path);
  /** Most questions are about the root, which has few files. */
  const worth = (glob: string): readonly string[] => (glob.includes("/") ? paths : atRoot);
  return {
    paths,
    has,
    isThere: (glob) => (glob.includes("*") ? worth(glob).some(globTest(glob)) : has(glob)),
    first: (candidates) => candidates.find(has),
    find: (fits) => paths.find((path) => fits.test(path)),
    all: (globs) => {
      const found = globs.flatMap((glob) =>
        glob.includes("*") ? worth(glob).filter(globTest(glob)) : has(glob) ? [glob] : [],
      );
      return [...new Set(found)].sort(compareText);
    },
    text: (path) => (has(path) ? (files.read(path) ?? "") : ""),
  };
}

/**
 * What a file's name ends with, from its last dot; the whole name without one. Most files of a large repository have an
 * ending that no file has which is looked for, and that is the quickest question.
 */
export function endingOf(path: string): string {
  const dot = path.lastIndexOf(".");
  const slash = path.lastIndexOf("/");
  return path.slice(dot > slash ? dot : slash + 1);
}

/** @param paths sorted by code unit. */
function isAmong(paths: readonly string[], sought: string): boolean {
  let low = 0;
  let high = paths.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((paths[middle] ?? "") < sought) low = middle + 1;
    else high = middle;
  }
  return paths[low] === sought;
}

/** Whether a path fits a pattern of a key, in which `**` stands for any number of folders, none among them. */
export function globTest(glob: string): (path: string) => boolean {
  const name = glob.startsWith("**/") ? glob.slice(3) : undefined;
  if (name !== undefined && !name.includes("/")) {
    const test = globTest(name);
    return (path) => test(path.slice(path.lastIndexOf("/") + 1));
  }
  if (!glob.includes("*")) return (path) => path === glob;
  if (/^\*[^*/]*$/.test(glob)) {
    const ending = glob.slice(1);
    return (path) => path.endsWith(ending) && !path.includes("/");
  }
  const parts = glob.split("/").map((part) => part.replaceAll(/[.+^${}()|[\]\\?]/g, String.raw`\$&`));
  const body = parts.map((part, index) => {
    if (part === "**") return "(?:[^/]+/)*";
    const word = part.replaceAll("*", "[^/]*");
    return index === parts.length - 1 ? word : `${word}/`;
  });
  const pattern = new RegExp(`^${body.join("")}$`);
  return (path) => pattern.test(path);
}
