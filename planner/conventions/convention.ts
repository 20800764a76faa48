/**
 * What an ecosystem's module says about a repository: the one shape that all of them have.
 *
 * A module looks only at what it is given: the sorted paths of the repository and the text of a few files at
 * its root. It proposes commands with a reason each; `detect.ts` weighs the proposals against each other and
 * makes steps of them. Pure: nothing here reads a disk, so the same files give the same proposal everywhere.
 */

import type { StepCache } from "../../protocol/plan.ts";
import { compareText } from "../../protocol/values.ts";

/** A repository as the conventions see it. */
export type RepositoryFiles = {
  /** What git would see, `/`-separated, relative to the root, sorted by code unit, each once. */
  readonly paths: readonly string[];
  /** The text of a file that `signalFiles` (`detect.ts`) names; of others it is not known. */
  read(path: string): string | undefined;
};

/** A file that spoke for something, or was considered and set aside, and why. */
export type Signal = {
  /** The file, or the folder ending in `/`. */
  readonly signal: string;
  /** A sentence fragment that goes on from the signal: "declares the script \"test\"". */
  readonly reason: string;
};

export type Match = Signal & {
  /** `Node`, `Python`, ...; `Repository` for what belongs to none. */
  readonly ecosystem: string;
};

/**
 * Files that are worth keeping from run to run: what was downloaded, never what was built from the sources. Key files
 * are patterns of which each fits a file of the repository; there is at least one.
 */
export type Cache = StepCache;

/** A compiler, an interpreter or a tool, and where a repository says which version of it is wanted. */
export type Toolchain = {
  /** As people call it: "Node". */
  readonly title: string;
  /** What it is called in `.tool-versions`, `mise.toml` and `.sdkmanrc`. */
  readonly names: readonly string[];
  /** Files of its own at the root; without `says` the first line is the version, else what the first group has. */
  readonly files: readonly { readonly file: string; readonly says?: RegExp }[];
};

/** A command with the signal that speaks for it. */
export type Task = Signal & { readonly command: string };

/**
 * How much a proposal weighs when an ecosystem is not alone at the root: the strongest that are there make the
 * pipeline, all of them; `tooling` never does.
 *
 * - `tested`: the repository declares how to test it, and it is a project of its own.
 * - `secondary`: it declares tests, but beside a tested project it is there for something of that.
 * - `fallback`: a task runner that declares tests, for repositories whose ecosystem does not.
 * - `guessed`: there are tests, but nothing declares how to run them.
 * - `untested`: a project that can be built, with no tests found.
 * - `last`: a task runner that can build but declares no tests, or what can only be linted.
 * - `tooling`: formatters, documentation or releases of something else.
 */
export type Standing = "tested" | "secondary" | "fallback" | "guessed" | "untested" | "last" | "tooling";

export type Cover = {
  readonly ecosystem: string;
  /** Why the other one is a part: "is built by maturin". */
  readonly reason: string;
  /** Even when the other one is tested by itself, or only when it is not. */
  readonly evenIfTested: boolean;
  /** The other one's dependencies are installed as well, before this one's commands. */
  readonly installs: boolean;
};

export type Proposal = {
  readonly standing: Standing;
  /** Why the standing is what it is, said when the proposal is set aside: "declares no test script". */
  readonly because: string;
  /** The file that shows the ecosystem. */
  readonly signal: string;
  /** The project's own name for itself, if it has one. */
  readonly projectName: string | undefined;
  /** Brings the dependencies into a fresh workspace, locked where there is a lock. */
  readonly install: readonly string[];
  /** Variables that the installation and everything after it need. */
  readonly variables: Readonly<Record<string, string>>;
  /** Variables of this ecosystem's own steps; the repository's own CI entry sets such things itself. */
  readonly stepVariables: Readonly<Record<string, string>>;
  /** A command that belongs to no ecosystem, as it is run with what was installed. */
  readonly within: (command: string) => string;
  /** Other ecosystems at the root that this one builds as its part; they get no steps of their own. */
  readonly covers: readonly Cover[];
  /** The repository's own CI entry, when this ecosystem's files declare one. */
  readonly entry: Task | undefined;
  /** Checks that need no tests, in a step of their own. */
  readonly lint: readonly Task[];
  /** Runs before the tests in their workspace, or by itself when there are none. */
  readonly build: readonly Task[];
  readonly test: readonly Task[];
  /** What else spoke: the package manager, the lock. The tasks' own signals are not repeated. */
  readonly matches: readonly Signal[];
  readonly rejected: readonly Signal[];
  /** What its commands download, worth keeping between runs. */
  readonly caches: readonly Cache[];
};

export type Convention = {
  readonly ecosystem: string;
  /** In names of steps when several ecosystems are tested: `test-node`. */
  readonly slug: string;
  /** The files that show it in their folder, as names or `*.ext`: without one of them there is no proposal. */
  readonly signals: readonly string[];
  /** It runs what others install and declares no dependencies of its own, as make does. */
  readonly isRunner?: boolean;
  /** What the repository may declare a version of, said when the ecosystem counts. */
  readonly toolchains: readonly Toolchain[];
  /** Files whose text `propose` wants to see: paths, and patterns with `*` in which no `**` is. */
  readonly reads: readonly string[];
  readonly propose: (repository: Repository) => Proposal | undefined;
};

const plain: Omit<Proposal, "standing" | "because" | "signal"> = {
  projectName: undefined,
  install: [],
  variables: {},
  stepVariables: {},
  within: (command) => command,
  covers: [],
  entry: undefined,
  lint: [],
  build: [],
  test: [],
  matches: [],
  rejected: [],
  caches: [],
};

/** A proposal in which what is not given is not there, and commands need nothing around them. */
export function proposalOf(
  given: Pick<Proposal, "standing" | "because" | "signal"> & Partial<Proposal>,
): Proposal {
  return { ...plain, ...given };
}

/** A repository with the questions that the modules ask of it. */
export type Repository = {
  readonly paths: readonly string[];
  has(path: string): boolean;
  /** The same for a pattern. */
  isThere(glob: string): boolean;
  /** The first of the candidates that exists. */
  first(candidates: readonly string[]): string | undefined;
  /** The first path, by code unit, that fits. */
  find(fits: RegExp): string | undefined;
  /** All files that are one of these, sorted: paths, and patterns with `*` and `**`. */
  all(globs: readonly string[]): readonly string[];
  /** The text of a file that exists, or the empty string. */
  text(path: string): string;
};

/**
 * A cache whose key is the lock, or what declares the dependencies where there is none.
 *
 * @param keys paths, and patterns with `*` and `**` as in a pipeline file.
 */
export function cacheOf(
  repository: Repository,
  { name, paths }: Pick<Cache, "name" | "paths">,
  keys: { readonly locks: readonly string[]; readonly otherwise: readonly string[] },
): readonly Cache[] {
  const present = (files: readonly string[]): string[] =>
    files.filter((file) => repository.isThere(file)).sort(compareText);
  const locks = present(keys.locks);
  const keyFiles = locks.length > 0 ? locks : present(keys.otherwise);
  return keyFiles.length === 0 ? [] : [{ name, paths: paths.toSorted(compareText), keyFiles }];
}
