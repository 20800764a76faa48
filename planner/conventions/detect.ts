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

export type DetectedPipeline = {
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

type Candidate = { readonly convention: Convention; readonly proposal: Proposal };

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
  const choice = chooseEntry(repository, candidates) ?? chooseEcosystems(candidates);
  const rejected = [...choice.rejected, ...otherSignals(files.paths)];
  if (choice.steps.length === 0) return { kind: "nothing", rejected };
  return {
    kind: "found",
    pipeline: { name: nameOf(candidates), steps: choice.steps },
    matches: choice.matches,
    rejected,
    detectorVersion,
  };
}

/** The first rung: what the repository itself calls its CI. */
function chooseEntry(repository: Repository, candidates: readonly Candidate[]): Choice | undefined {
  const file = repository.first(entryFiles);
  if (file !== undefined) {
    const reason = "is the repository's own CI entry";
    const step = { name: "ci", commands: [file], needs: [], variables: {}, reason: `${file} ${reason}` };
    return {
      steps: [step],
      matches: [{ ecosystem: "Repository", signal: file, reason }],
      rejected: candidates.map((candidate) => setAside(candidate, `is left to ${file}`)),
    };
  }
  const entering = candidates.find(({ proposal }) => proposal.entry !== undefined);
  const entry = entering?.proposal.entry;
  if (entering === undefined || entry === undefined) return undefined;

  const others = candidates.filter((candidate) => candidate !== entering);
  const { used, rejected } = weigh(others.filter(({ convention }) => convention !== make));
  // The dependencies come first: the entry of one tool seldom installs what another one manages.
  const installed = [...used.filter(({ proposal }) => proposal.install.length > 0), entering];
  const around = installed[0] ?? entering;
  const command = around.proposal.within(entry.command);
  const step = {
    name: "ci",
    commands: [...new Set(installed.flatMap(({ proposal }) => proposal.install)), command],
    needs: [],
    variables: mergeVariables(installed),
    reason: sentence([entry]),
  };
  const left = others.filter((candidate) => !installed.includes(candidate) && !isIn(rejected, candidate));
  return {
    steps: [step],
    matches: [
      ...matchesOf(entering, [entry]),
      ...installed.slice(0, -1).flatMap((other) => matchesOf(other, [])),
    ],
    rejected: [
      ...left.map((candidate) => setAside(candidate, `is left to ${entry.command}`)),
      ...rejected,
      ...installed.flatMap(rejectedOf),
    ],
  };
}

/** The other rungs: every ecosystem at the root that declares tests, or what can be built when none does. */
function chooseEcosystems(candidates: readonly Candidate[]): Choice {
  const { used, rejected, covered } = weigh(candidates);
  const steps = used
    .flatMap((candidate) => stepsOf(candidate, { suffix: used.length > 1, covered }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  const installing = covered.filter(({ installs }) => installs).map(({ candidate }) => candidate);
  return {
    steps,
    matches: [
      ...used.flatMap((candidate) => matchesOf(candidate, tasksOf(candidate.proposal))),
      ...installing.flatMap((candidate) => matchesOf(candidate, [])),
    ],
    rejected: [...rejected, ...used.flatMap(rejectedOf)],
  };
}

type Covered = { readonly candidate: Candidate; readonly by: Candidate; readonly installs: boolean };

type Weighed = {
  readonly used: readonly Candidate[];
  readonly covered: readonly Covered[];
  readonly rejected: readonly Match[];
};

/** Decides which ecosystems count when several are at the root. */
function weigh(candidates: readonly Candidate[]): Weighed {
  const covered: Covered[] = [];
  const rejected: Match[] = [];
  for (const by of candidates.filter(({ proposal }) => proposal.standing !== "tooling")) {
    for (const cover of by.proposal.covers) {
      const candidate = candidates.find(({ convention }) => convention.ecosystem === cover.ecosystem);
      if (candidate === undefined) continue;
      if (candidate.proposal.standing === "tested" && !cover.evenIfTested) continue;
      covered.push({ candidate, by, installs: cover.installs });
      rejected.push(setAside(candidate, `has no steps of its own: it ${cover.reason}`));
    }
  }
  const free = candidates.filter((candidate) => !covered.some((cover) => cover.candidate === candidate));
  const used = pickStanding(oneOfTheJvm(free, rejected));
  const names = used.map(({ convention }) => convention.ecosystem).join(" and ");
  for (const candidate of free) {
    if (used.includes(candidate) || isIn(rejected, candidate)) continue;
    const { because } = candidate.proposal;
    rejected.push(
      setAside(candidate, used.length === 0 ? because : `${because}; the pipeline is that of ${names}`),
    );
    if (used.length === 0) rejected.push(...rejectedOf(candidate));
  }
  return { used, covered, rejected };
}

function pickStanding(candidates: readonly Candidate[]): readonly Candidate[] {
  const alone = candidates.filter(({ convention }) => convention !== make);
  for (const standing of ["tested", "guessed", "untested"] as const) {
    const fit = alone.filter(({ proposal }) => proposal.standing === standing);
    // A Makefile's tests are declared, which outweighs a guess; beside declared tests it has no say.
    if (fit.length > 0 && standing === "tested") return fit;
    const makes = candidates.filter(
      ({ convention, proposal }) => convention === make && proposal.standing === "tested",
    );
    if (makes.length > 0) return makes;
    if (fit.length > 0) return fit;
  }
  return candidates.filter(({ proposal }) => proposal.standing === "untested");
}

/** Maven and Gradle at one root build the same sources: the one that brings its wrapper, Maven if both do. */
function oneOfTheJvm(candidates: readonly Candidate[], rejected: Match[]): readonly Candidate[] {
  const jvm = candidates.filter(({ convention }) => convention === maven || convention === gradle);
  if (jvm.length < 2) return candidates;
  const wrapped = jvm.find(({ proposal }) =>
    proposal.matches.some(({ signal }) => /^(mvnw|gradlew)$/.test(signal)),
  );
  const kept = wrapped ?? jvm[0];
  const other = jvm.find((candidate) => candidate !== kept);
  if (kept === undefined || other === undefined) return candidates;
  rejected.push(setAside(other, `builds the same sources as ${kept.proposal.signal}`));
  return candidates.filter((candidate) => candidate !== other);
}

function stepsOf(
  { convention, proposal }: Candidate,
  around: { suffix: boolean; covered: readonly Covered[] },
): readonly DetectedStep[] {
  const before = around.covered
    .filter(({ by, installs }) => installs && by.convention === convention)
    .flatMap(({ candidate }) => candidate.proposal.install);
  const install = [...proposal.install, ...before];
  const toStep = (name: string, tasks: readonly Task[], note = ""): DetectedStep => ({
    name: around.suffix ? `${name}-${convention.slug}` : name,
    commands: [...install, ...tasks.map(({ command }) => command)],
    needs: [],
    variables: proposal.variables,
    reason: sentence(tasks) + note,
  });
  const steps: DetectedStep[] = [];
  if (proposal.lint.length > 0) steps.push(toStep("lint", proposal.lint));
  if (proposal.test.length > 0) steps.push(toStep("test", [...proposal.build, ...proposal.test]));
  else if (proposal.build.length > 0) steps.push(toStep("build", proposal.build, "; no tests found"));
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
  const spoken = [...proposal.matches, ...tasks.map(({ signal, reason }) => ({ signal, reason }))];
  return spoken.map(({ signal, reason }) => ({ ecosystem, signal, reason }));
}

function rejectedOf({ convention, proposal }: Candidate): readonly Match[] {
  return proposal.rejected.map(({ signal, reason }) => ({ ecosystem: convention.ecosystem, signal, reason }));
}

function setAside({ convention, proposal }: Candidate, reason: string): Match {
  return { ecosystem: convention.ecosystem, signal: proposal.signal, reason };
}

function isIn(rejected: readonly Match[], { convention, proposal }: Candidate): boolean {
  return rejected.some(
    (match) => match.ecosystem === convention.ecosystem && match.signal === proposal.signal,
  );
}

function mergeVariables(candidates: readonly Candidate[]): Readonly<Record<string, string>> {
  return Object.assign({}, ...candidates.map(({ proposal }) => proposal.variables)) as Record<string, string>;
}

/** The project's own name, made fit for a pipeline: `@scope/name` is `name`. */
function nameOf(candidates: readonly Candidate[]): string {
  for (const { proposal } of candidates) {
    const name = proposal.projectName
      ?.split("/")
      .at(-1)
      ?.replaceAll(/[^A-Za-z0-9_.-]+/g, "-");
    if (name !== undefined && /^[A-Za-z]/.test(name)) return name;
  }
  return "pipeline";
}
