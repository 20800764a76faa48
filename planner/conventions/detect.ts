/**
 * The pipeline of a repository that has none: detected from its own files, every choice with its reason.
 *
 * The ladder: the repository's own CI entry, then declared tests, then what the lock file and the folders
 * show, then a build with an explicit "no tests found". What is set aside is kept with its reason, so that
 * `otto explain` can say why a file that someone expected to count does not. Where the root shows nothing, each
 * project in a subfolder goes through the same ladder.
 *
 * Pure: the same files give the same detection on every machine. A change of what is detected raises
 * `detectorVersion`, which is in the plan, so that an upgrade of Otto is a visible difference.
 */

import { limits } from "../../protocol/limits.ts";
import { compareText } from "../../protocol/values.ts";
import { choose, entryFiles } from "./choose.ts";
import type { Choice, ChosenStep } from "./choose.ts";
import { endingOf, globTest, lookInto } from "./repository.ts";
import type { Cache, Match, RepositoryFiles } from "./convention.ts";
import { conventions } from "./known.ts";
import { findSubfolders, inFolder, projectsBelow } from "./subfolders.ts";
import { toolVersionFiles } from "./toolchains.ts";

export const detectorVersion = 2;

export type DetectedStep = {
  readonly name: string;
  readonly commands: readonly string[];
  /** Names of steps that must have passed. */
  readonly needs: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Sorted by name. */
  readonly caches: readonly Cache[];
  /** "package.json declares the script \"test\"". */
  readonly reason: string;
};

type DetectedPipeline = {
  readonly name: string;
  /** Sorted by name. */
  readonly steps: readonly DetectedStep[];
};

export type Found = {
  readonly kind: "found";
  readonly pipeline: DetectedPipeline;
  readonly matches: readonly Match[];
  readonly rejected: readonly Match[];
  readonly detectorVersion: number;
};

export type Detection = Found | { readonly kind: "nothing"; readonly rejected: readonly Match[] };

/** What is looked for at the root, for people. */
export const soughtSignals: readonly { ecosystem: string; signals: readonly string[] }[] = [
  { ecosystem: "Repository", signals: entryFiles },
  ...conventions.map(({ ecosystem, signals }) => ({ ecosystem, signals })),
];

const reads = [
  ...toolVersionFiles,
  ...conventions.flatMap((convention) => [
    ...convention.reads,
    ...convention.toolchains.flatMap(({ files }) => files.map(({ file }) => file)),
  ]),
];
const readNames: ReadonlySet<string> = new Set(reads.filter((wanted) => !wanted.includes("*")));
const readEndings: ReadonlySet<string> = new Set(reads.map(endingOf));
const readPatterns = reads
  .filter((wanted) => wanted.includes("*"))
  .map((wanted) => ({ slashes: slashesIn(wanted), fits: globTest(wanted) }));

/**
 * The files whose text `detectPipeline` may ask for, at most `limits.signalFilesMax`, those of the root first.
 *
 * @param paths sorted, as in `RepositoryFiles`.
 */
export function signalFiles(paths: readonly string[]): readonly string[] {
  const found = paths.filter((path) => isRead(path));
  for (const folder of findSubfolders(paths).folders) {
    const start = `${folder}/`;
    found.push(...paths.filter((path) => path.startsWith(start) && isRead(path.slice(start.length))));
  }
  return [...new Set(found)].slice(0, limits.signalFilesMax);
}

function isRead(path: string): boolean {
  if (!readEndings.has(endingOf(path))) return false;
  if (readNames.has(path)) return true;
  const slashesInPath = slashesIn(path);
  return readPatterns.some(({ slashes, fits }) => slashes === slashesInPath && fits(path));
}

function slashesIn(path: string): number {
  let count = 0;
  for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) count += 1;
  return count;
}

export function detectPipeline(files: RepositoryFiles): Detection {
  const repository = lookInto(files);
  const root = choose(repository);
  if (root.steps.length > 0) {
    const rejected = [...root.rejected, ...projectsBelow(repository.paths)];
    return found([{ folder: "", choice: root }], rejected);
  }
  const below = findSubfolders(repository.paths);
  const places = below.folders.map((folder) => ({
    folder,
    choice: choose(lookInto(inFolder(files, folder))),
  }));
  const rejected = [
    ...root.rejected,
    ...places.flatMap(({ folder, choice }) => choice.rejected.map((match) => placed(match, folder))),
    ...below.rejected,
  ];
  const planned = places.filter(({ choice }) => choice.steps.length > 0);
  return planned.length === 0 ? { kind: "nothing", rejected } : found(planned, rejected);
}

/** What was chosen in one folder; the root is the empty name. */
type Place = { readonly folder: string; readonly choice: Choice };

function found(places: readonly Place[], rejected: readonly Match[]): Found {
  const steps = places.flatMap(({ folder, choice }) => choice.steps.map((step) => toDetected(step, folder)));
  return {
    kind: "found",
    pipeline: {
      name: nameOf(places),
      steps: withOwnNames(steps).sort((one, other) => compareText(one.name, other.name)),
    },
    matches: places.flatMap(({ folder, choice }) => choice.matches.map((match) => placed(match, folder))),
    rejected,
    detectorVersion,
  };
}

function toDetected(step: ChosenStep, folder: string): DetectedStep {
  const { kind, slug, commands, variables, signals, note } = step;
  const parts = [kind, folder.replaceAll(/[^A-Za-z0-9_.-]/g, "-"), slug ?? ""].filter((part) => part !== "");
  const reasons = signals.map((signal) => placed(signal, folder));
  return {
    name: parts.join("-").slice(0, limits.nameCharactersMax),
    commands: folder === "" ? commands : commands.map((command) => `cd ${folder} && ${command}`),
    needs: [],
    variables,
    caches: step.caches.map((cache) => placedCache(cache, folder)),
    reason: reasons.map(({ signal, reason }) => `${signal} ${reason}`).join("; ") + note,
  };
}

/** As it is called from the root. */
function placed<S extends { readonly signal: string }>(match: S, folder: string): S {
  return folder === "" ? match : { ...match, signal: `${folder}/${match.signal}` };
}

function placedCache({ name, paths, keyFiles }: Cache, folder: string): Cache {
  if (folder === "") return { name, paths, keyFiles };
  return {
    name,
    paths: paths.map((path) => (path.startsWith("~/") ? path : `${folder}/${path}`)),
    keyFiles: keyFiles.map((path) => `${folder}/${path}`),
  };
}

/** Two folders may come to the same name: `a/b` and `a-b`. The later one gets a number. */
function withOwnNames(steps: readonly DetectedStep[]): DetectedStep[] {
  const taken = new Set<string>();
  return steps.map((step) => {
    let name = step.name;
    for (let number = 2; taken.has(name); number += 1) {
      name = `${step.name.slice(0, limits.nameCharactersMax - 4)}-${number}`;
    }
    taken.add(name);
    return { ...step, name };
  });
}

/** The project's own name, made fit for a pipeline: `@scope/name` is `name`. */
function nameOf(places: readonly Place[]): string {
  if (places.length > 1) return "main";
  const own = places[0]?.choice.projectName?.split("/").at(-1) ?? "";
  const name = own.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").slice(0, limits.nameCharactersMax);
  return /^[A-Za-z]/.test(name) ? name : "main";
}
