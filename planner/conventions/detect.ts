/**
 * The pipeline of a repository that has none: detected from its own files, every choice with its reason.
 *
 * The ladder: the repository's own CI entry, then declared tests, then what the lock file and the folders
 * show, then a build with an explicit "no tests found". What is set aside is kept with its reason, so that
 * `otto explain` can say why a file that someone expected to count does not.
 *
 * Pure: the same files give the same detection on every machine. A change of what is detected raises
 * `detectorVersion`, which is in the plan, so that an upgrade of Otto is a visible difference.
 */

import { limits } from "../../protocol/limits.ts";
import { compareText } from "../../protocol/values.ts";
import { lookInto } from "./convention.ts";
import type { Convention, Match, Proposal, Repository, RepositoryFiles, Task } from "./convention.ts";
import { go } from "./go.ts";
import { gradle } from "./gradle.ts";
import { make } from "./make.ts";
import { maven } from "./maven.ts";
import { node } from "./node.ts";
import { otherSignals } from "./other-signals.ts";
import { python } from "./python.ts";
import { ruby } from "./ruby.ts";
import { rust } from "./rust.ts";
import { rejectedOf, setAside, weigh } from "./weigh.ts";
import type { Candidate, Covered } from "./weigh.ts";

export const detectorVersion = 1;

export type DetectedStep = {
  readonly name: string;
  readonly commands: readonly string[];
  /** Names of steps that must have passed. */
  readonly needs: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
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

/** In the order in which they are named when several count. */
const conventions: readonly Convention[] = [node, ruby, python, go, rust, maven, gradle, make];

/** Entries of the repository that are programs of their own and bring what they need themselves. */
const entryFiles = ["bin/ci", "script/ci", "script/cibuild"];

/** What is looked for at the root, for people. */
export const soughtSignals: readonly { ecosystem: string; signals: readonly string[] }[] = [
  { ecosystem: "Repository", signals: entryFiles },
  ...conventions.map(({ ecosystem, signals }) => ({ ecosystem, signals })),
];

/** True for the files whose text `detectPipeline` reads. */
export function isSignalFile(path: string): boolean {
  return conventions.some((convention) => convention.reads(path));
}

/** What counts, as steps, and why everything else does not. */
type Choice = {
  readonly steps: readonly DetectedStep[];
  readonly matches: readonly Match[];
  readonly rejected: readonly Match[];
};

export function detectPipeline(files: RepositoryFiles): Detection {
  const repository = lookInto(files);
  const candidates = conventions.flatMap((convention): Candidate[] => {
    const proposal = convention.propose(repository);
    return proposal === undefined ? [] : [{ convention, proposal }];
  });
  const entry = findEntry(repository, candidates);
  const choice = entry === undefined ? chooseEcosystems(candidates) : chooseEntry(entry, candidates);
  const rejected = [...choice.rejected, ...otherSignals(repository.paths)];
  if (choice.steps.length === 0) return { kind: "nothing", rejected };
  return {
    kind: "found",
    pipeline: { name: nameOf(candidates), steps: choice.steps },
    matches: choice.matches,
    rejected,
    detectorVersion,
  };
}

/** One step that speaks for the whole repository, and the ecosystem whose file declares it, if one does. */
type Entry = { readonly name: string; readonly tasks: readonly Task[]; readonly by: Candidate | undefined };

/** The first rung: what the repository itself calls its CI. */
function findEntry(repository: Repository, candidates: readonly Candidate[]): Entry | undefined {
  const file = repository.first(entryFiles);
  if (file !== undefined) {
    const task = { signal: file, command: file, reason: "is the repository's own CI entry" };
    return { name: "ci", tasks: [task], by: undefined };
  }
  for (const by of candidates) {
    if (by.proposal.entry !== undefined) return { name: "ci", tasks: [by.proposal.entry], by };
  }
  return undefined;
}

/**
 * The entry, with everything installed that the ecosystems at the root manage: some entries install what they
 * need and find it done, the others rely on it.
 */
function chooseEntry({ name, tasks, by }: Entry, candidates: readonly Candidate[]): Choice {
  const { used, covered, rejected } = weigh(candidates.filter((candidate) => candidate !== by));
  const parts = covered.filter(({ installs }) => installs).map(({ candidate }) => candidate);
  const preparing = [...used, ...parts].filter(({ proposal }) => proposal.install.length > 0);
  const around = by === undefined ? preparing : [...preparing, by];
  const within = (command: string): string =>
    around.reduce((inner, { proposal }) => proposal.within(inner), command);
  const commands = tasks.map(({ command }) => within(command));
  const step: DetectedStep = {
    name,
    commands: [...new Set(around.flatMap(({ proposal }) => proposal.install)), ...commands],
    needs: [],
    variables: sortedRecord(around.flatMap(({ proposal }) => Object.entries(proposal.variables))),
    reason: sentence(tasks),
  };
  const left = used.filter((candidate) => !preparing.includes(candidate));
  const ecosystem = by?.convention.ecosystem ?? "Repository";
  return {
    steps: [step],
    matches: [
      ...tasks.map(({ signal, reason }) => ({ ecosystem, signal, reason })),
      ...around.flatMap((candidate) => matchesOf(candidate, [])),
    ],
    rejected: [
      ...left.map((candidate) => setAside(candidate, `is left to ${tasks[0]?.command ?? name}`)),
      ...rejected.filter(({ signal }) => !parts.some(({ proposal }) => proposal.signal === signal)),
      ...around.flatMap(rejectedOf),
    ],
  };
}

/** The other rungs: every ecosystem at the root that declares tests, or what can be built when none does. */
function chooseEcosystems(candidates: readonly Candidate[]): Choice {
  const { used, rejected, covered } = weigh(candidates);
  const [only] = used;
  if (only?.convention === make && candidates.length > 1) {
    const { proposal } = only;
    const name = proposal.test.length > 0 ? "test" : "build";
    return chooseEntry({ name, tasks: [...proposal.build, ...proposal.test], by: only }, candidates);
  }
  const steps = used.flatMap((candidate) => stepsOf(candidate, { isOneOfSeveral: used.length > 1, covered }));
  const parts = covered.filter(({ installs }) => installs).map(({ candidate }) => candidate);
  return {
    steps: steps.sort((one, other) => compareText(one.name, other.name)),
    matches: [
      ...used.flatMap((candidate) => matchesOf(candidate, tasksOf(candidate.proposal))),
      ...parts.flatMap((candidate) => matchesOf(candidate, [])),
    ],
    rejected: [...rejected, ...used.flatMap(rejectedOf)],
  };
}

function stepsOf(
  { convention, proposal }: Candidate,
  among: { readonly isOneOfSeveral: boolean; readonly covered: readonly Covered[] },
): readonly DetectedStep[] {
  const parts = among.covered
    .filter(({ by, installs }) => installs && by.convention === convention)
    .flatMap(({ candidate }) => candidate.proposal.install);
  const variables = [...Object.entries(proposal.variables), ...Object.entries(proposal.stepVariables)];
  const toStep = (name: string, tasks: readonly Task[], note = ""): DetectedStep => ({
    name: among.isOneOfSeveral ? `${name}-${convention.slug}` : name,
    commands: [...proposal.install, ...parts, ...tasks.map(({ command }) => command)],
    needs: [],
    variables: sortedRecord(variables),
    reason: sentence(tasks) + note,
  });
  const steps: DetectedStep[] = [];
  const { lint, build, test } = proposal;
  const missing = test.length > 0 ? "" : "; no tests found";
  if (lint.length > 0) steps.push(toStep("lint", lint, build.length > 0 ? "" : missing));
  if (test.length > 0) steps.push(toStep("test", [...build, ...test]));
  else if (build.length > 0) steps.push(toStep("build", build, missing));
  return steps;
}

function tasksOf(proposal: Proposal): readonly Task[] {
  return [...proposal.lint, ...proposal.build, ...proposal.test];
}

/** `package.json declares the script "build"; package.json declares the script "test"`, each once. */
function sentence(tasks: readonly Task[]): string {
  return [...new Set(tasks.map(({ signal, reason }) => `${signal} ${reason}`))].join("; ");
}

function matchesOf({ convention, proposal }: Candidate, tasks: readonly Task[]): readonly Match[] {
  const { ecosystem } = convention;
  return [...proposal.matches, ...tasks].map(({ signal, reason }) => ({ ecosystem, signal, reason }));
}

function sortedRecord(entries: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries([...new Map(entries)].sort(([one], [other]) => compareText(one, other)));
}

/** The project's own name, made fit for a pipeline: `@scope/name` is `name`. */
function nameOf(candidates: readonly Candidate[]): string {
  for (const { proposal } of candidates) {
    const own = proposal.projectName?.split("/").at(-1) ?? "";
    const name = own.replaceAll(/[^A-Za-z0-9_.-]+/g, "-").slice(0, limits.nameCharactersMax);
    if (/^[A-Za-z]/.test(name)) return name;
  }
  return "main";
}
