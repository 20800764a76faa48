/**
 * Projects in subfolders: where they are, and a subfolder as if it were a repository of its own. They are planned
 * only where the root shows nothing; else they are named, so that nobody wonders whether they were seen.
 */

import { limits } from "../../protocol/limits.ts";
import { compareText } from "../../protocol/values.ts";
import type { Match, RepositoryFiles } from "./convention.ts";
import { conventions } from "./known.ts";
import { endingOf } from "./repository.ts";

/** Where projects are there to be looked at, tried against or copied from, and not to be worked on. */
const asideFolder =
  /^(\..*|examples?|samples?|demos?|docs?|documentation|tests?|testdata|test-?data|fixtures|spec|third[_-]?party|external|vendor|node_modules|templates?|archive)$/i;

/** Becomes a part of commands and of names of steps. */
const plainFolder = /^\w[\w.+-]*(\/\w[\w.+-]*)?$/;

const signals = conventions.flatMap((convention) => convention.signals);
const signalNames: ReadonlySet<string> = new Set(signals.filter((signal) => !signal.startsWith("*.")));
const signalEndings: ReadonlySet<string> = new Set(
  signals.filter((signal) => signal.startsWith("*.")).map((signal) => signal.slice(1)),
);

const endings: ReadonlySet<string> = new Set(signals.map(endingOf));

/** Whether a file with this name shows an ecosystem in its folder. */
function isShowing(path: string): boolean {
  const ending = endingOf(path);
  if (!endings.has(ending)) return false;
  return signalEndings.has(ending) || signalNames.has(path.slice(path.lastIndexOf("/") + 1));
}

export type Subfolders = {
  /** To be planned, sorted. */
  readonly folders: readonly string[];
  readonly rejected: readonly Match[];
};

/** The projects one folder down, and two down in folders that are no project themselves. */
export function findSubfolders(paths: readonly string[]): Subfolders {
  const showing = new Map<string, string>();
  for (const path of paths) {
    const end = path.lastIndexOf("/");
    if (end < 1 || !isShowing(path)) continue;
    const folder = path.slice(0, end);
    if (folder.split("/", 3).length < 3 && !showing.has(folder)) showing.set(folder, path);
  }
  const rejected: Match[] = [];
  const reject = (signal: string, reason: string): void => {
    rejected.push({ ecosystem: "Repository", signal, reason });
  };
  const folders: string[] = [];
  for (const [folder, signal] of [...showing].sort(([one], [other]) => compareText(one, other))) {
    const [first = "", second] = folder.split("/");
    if (second !== undefined && showing.has(first)) continue;
    if ([first, second ?? ""].some((name) => asideFolder.test(name))) {
      reject(signal, "is in a folder that is no project of its own by its name");
    } else if (!plainFolder.test(folder)) {
      reject(signal, "is in a folder whose name cannot be a part of a command");
    } else if (folders.length === limits.nestedProjectsMax) {
      reject(signal, `is not used: ${limits.nestedProjectsMax} projects in subfolders are planned at most`);
    } else {
      folders.push(folder);
    }
  }
  return { folders, rejected: rejected.slice(0, limits.nestedProjectsMax) };
}

export function inFolder(files: RepositoryFiles, folder: string): RepositoryFiles {
  const start = `${folder}/`;
  return {
    paths: files.paths.filter((path) => path.startsWith(start)).map((path) => path.slice(start.length)),
    read: (path) => files.read(start + path),
  };
}

/** One line for all the projects in subfolders that the root speaks for. */
export function projectsBelow(paths: readonly string[]): readonly Match[] {
  const [below, ...more] = paths.filter((path) => isShowing(path) && path.includes("/"));
  if (below === undefined) return [];
  const others =
    more.length === 0 ? "" : more.length === 1 ? ", as is 1 more" : `, as are ${more.length} more`;
  const reason = `is in a subfolder${others}; only the root decides`;
  return [{ ecosystem: "Repository", signal: below, reason }];
}
