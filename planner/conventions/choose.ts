/**
 * What counts in one folder, as steps, and why everything else there does not: the ladder, and which of several
 * ecosystems make the pipeline. Where the folder lies in the repository is added by `detect.ts`.
 */

import { compareText } from "../../protocol/values.ts";
import type { Cache, Match, Proposal, Repository, Signal, Task } from "./convention.ts";
import { conventions } from "./known.ts";
import { readToolVersions, versionSignals } from "./toolchains.ts";
import { rejectedOf, setAside, weigh } from "./weigh.ts";
import type { Candidate, Covered } from "./weigh.ts";

/** Entries of the repository that are programs of their own and bring what they need themselves. */
export const entryFiles: readonly string[] = ["bin/ci", "script/ci", "script/cibuild"];

/** A step before it has its place in the repository. */
export type ChosenStep = {
  /** `ci`, `lint`, `build` or `test`. */
  readonly kind: string;
  /** The ecosystem's, when it is one of several. */
  readonly slug: string | undefined;
  readonly commands: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  readonly caches: readonly Cache[];
  /** What speaks for it, each once. */
  readonly signals: readonly Signal[];
  /** Goes on from the reasons. */
  readonly note: string;
};

export type Choice = {
  readonly steps: readonly ChosenStep[];
  readonly matches: readonly Match[];
  readonly rejected: readonly Match[];
  readonly projectName: string | undefined;
};

export function choose(repository: Repository): Choice {
  const shared = readToolVersions(repository);
  const candidates = conventions.flatMap((convention): Candidate[] => {
    const proposal = convention.propose(repository);
    if (proposal === undefined) return [];
    return [{ convention, proposal, versions: versionSignals(repository, shared, convention.toolchains) }];
  });
  const entry = findEntry(repository, candidates);
  const choice = entry === undefined ? chooseEcosystems(candidates) : chooseEntry(entry, candidates);
  const projectName = candidates
    .map(({ proposal }) => proposal.projectName)
    .find((name) => name !== undefined);
  return { ...choice, projectName };
}

type Chosen = Omit<Choice, "projectName">;

/** One step that speaks for the whole folder, and the ecosystem whose file declares it, if one does. */
type Entry = { readonly kind: string; readonly tasks: readonly Task[]; readonly by: Candidate | undefined };

/** The first rung: what the repository itself calls its CI. */
function findEntry(repository: Repository, candidates: readonly Candidate[]): Entry | undefined {
  const file = repository.first(entryFiles);
  if (file !== undefined) {
    const task = { signal: file, command: file, reason: "is the repository's own CI entry" };
    return { kind: "ci", tasks: [task], by: undefined };
  }
  for (const by of candidates) {
    if (by.proposal.entry !== undefined) return { kind: "ci", tasks: [by.proposal.entry], by };
  }
  return undefined;
}

/**
 * The entry, with everything installed that the ecosystems manage: some entries install what they need and find it
 * done, the others rely on it.
 */
function chooseEntry({ kind, tasks, by }: Entry, candidates: readonly Candidate[]): Chosen {
  const others = candidates.filter((candidate) => candidate !== by);
  const runners = others.filter(({ convention }) => convention.isRunner === true);
  const { used, covered, rejected } = weigh(others.filter((candidate) => !runners.includes(candidate)));
  const parts = covered.filter(({ installs }) => installs).map(({ candidate }) => candidate);
  const isPreparing = ({ proposal }: Candidate): boolean => proposal.install.length > 0;
  const preparing = [...used, ...parts].filter(isPreparing);
  const around = by === undefined ? preparing : [...preparing, by];
  const within = (command: string): string =>
    around.reduce((inner, { proposal }) => proposal.within(inner), command);
  const step: ChosenStep = {
    kind,
    slug: undefined,
    commands: [
      ...new Set(around.flatMap(({ proposal }) => proposal.install)),
      ...tasks.map(({ command }) => within(command)),
    ],
    variables: sortedRecord(around.flatMap(({ proposal }) => Object.entries(proposal.variables))),
    caches: mergeCaches(around.flatMap(({ proposal }) => proposal.caches)),
    signals: signalsOf(tasks),
    note: "",
  };
  const leftTo = `is left to ${tasks[0]?.command ?? kind}`;
  const left = used.filter((candidate) => !preparing.includes(candidate));
  const ecosystem = by?.convention.ecosystem ?? "Repository";
  return {
    steps: [step],
    matches: [
      ...tasks.map(({ signal, reason }) => ({ ecosystem, signal, reason })),
      ...around.flatMap((candidate) => matchesOf(candidate, [])),
    ],
    rejected: [
      ...left.map((candidate) => setAside(candidate, leftTo)),
      ...runners.map((candidate) => setAside(candidate, `${candidate.proposal.because}; it ${leftTo}`)),
      ...rejected.filter(({ signal }) => !parts.some(({ proposal }) => proposal.signal === signal)),
      ...around.flatMap(rejectedOf),
    ],
  };
}

/** The other rungs: every ecosystem that declares tests, or what can be built when none does. */
function chooseEcosystems(candidates: readonly Candidate[]): Chosen {
  const { used, rejected, covered } = weigh(candidates);
  const [only] = used;
  if (only?.convention.isRunner === true && candidates.length > 1) {
    const { proposal } = only;
    const kind = proposal.test.length > 0 ? "test" : "build";
    return chooseEntry({ kind, tasks: [...proposal.build, ...proposal.test], by: only }, candidates);
  }
  const parts = covered.filter(({ installs }) => installs).map(({ candidate }) => candidate);
  return {
    steps: used.flatMap((candidate) => stepsOf(candidate, { isOneOfSeveral: used.length > 1, covered })),
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
): readonly ChosenStep[] {
  const parts = among.covered
    .filter(({ by, installs }) => installs && by.convention === convention)
    .map(({ candidate }) => candidate.proposal);
  const installs = [proposal, ...parts];
  const variables = [...Object.entries(proposal.variables), ...Object.entries(proposal.stepVariables)];
  const toStep = (kind: string, tasks: readonly Task[], note = ""): ChosenStep => ({
    kind,
    slug: among.isOneOfSeveral ? convention.slug : undefined,
    commands: [...installs.flatMap(({ install }) => install), ...tasks.map(({ command }) => command)],
    variables: sortedRecord(variables),
    caches: mergeCaches(installs.flatMap(({ caches }) => caches)),
    signals: signalsOf(tasks),
    note,
  });
  const steps: ChosenStep[] = [];
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

/** Each once: several commands may be there for one reason. */
function signalsOf(tasks: readonly Task[]): readonly Signal[] {
  const each = new Map(tasks.map(({ signal, reason }) => [`${signal} ${reason}`, { signal, reason }]));
  return [...each.values()];
}

function matchesOf({ convention, proposal, versions }: Candidate, tasks: readonly Task[]): readonly Match[] {
  const { ecosystem } = convention;
  return [...proposal.matches, ...signalsOf(tasks), ...versions].map(({ signal, reason }) => ({
    ecosystem,
    signal,
    reason,
  }));
}

/** Those of one name are one cache with all that each of them has. Sorted by name. */
function mergeCaches(caches: readonly Cache[]): readonly Cache[] {
  const merged = new Map<string, Cache>();
  for (const cache of caches) {
    const known = merged.get(cache.name);
    const joined = (key: "paths" | "keyFiles"): string[] => [
      ...new Set([...(known?.[key] ?? []), ...cache[key]]),
    ];
    merged.set(cache.name, {
      name: cache.name,
      paths: joined("paths").sort(compareText),
      keyFiles: joined("keyFiles").sort(compareText),
    });
  }
  return [...merged.values()].sort((one, other) => compareText(one.name, other.name));
}

function sortedRecord(entries: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries([...new Map(entries)].sort(([one], [other]) => compareText(one, other)));
}
