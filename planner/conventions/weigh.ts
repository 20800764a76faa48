/**
 * Which ecosystems make the pipeline when several are at the root: the strongest standing that is there, all
 * that have it, without those that another one builds as its part.
 */

import type { Convention, Match, Proposal, Standing } from "./convention.ts";

/** An ecosystem that shows at the root. */
export type Candidate = { readonly convention: Convention; readonly proposal: Proposal };

/** A candidate that is a part of another one. */
export type Covered = {
  readonly candidate: Candidate;
  readonly by: Candidate;
  /** Its dependencies are installed before the other one's commands. */
  readonly installs: boolean;
};

export type Weighed = {
  readonly used: readonly Candidate[];
  readonly covered: readonly Covered[];
  readonly rejected: readonly Match[];
};

/** From the strongest. `tooling` is not among them. */
const standings: readonly Standing[] = ["tested", "secondary", "fallback", "guessed", "untested", "last"];

/** Two tools that build the same sources: with both at the root one is chosen. */
const alternatives: readonly string[] = ["Maven", "Gradle"];

export function weigh(candidates: readonly Candidate[]): Weighed {
  const covered = findCovered(candidates);
  const free = candidates.filter((candidate) => !covered.some((cover) => cover.candidate === candidate));
  const doubled = findDoubled(free);
  const open = free.filter((candidate) => candidate !== doubled?.candidate);
  const used = strongest(open);
  const names = used.map(({ convention }) => convention.ecosystem).join(" and ");
  const beside = used.length === 0 ? "" : `; the pipeline is that of ${names}`;
  const unused = open.filter((candidate) => !used.includes(candidate));
  return {
    used,
    covered,
    rejected: [
      ...covered.map(({ candidate, reason }) => setAside(candidate, `has no steps of its own: it ${reason}`)),
      ...(doubled === undefined ? [] : [setAside(doubled.candidate, doubled.reason)]),
      ...unused.map((candidate) => setAside(candidate, `${candidate.proposal.because}${beside}`)),
      ...(used.length === 0 ? unused.flatMap(rejectedOf) : []),
    ],
  };
}

/** What a module set aside itself. */
export function rejectedOf({ convention, proposal }: Candidate): readonly Match[] {
  return proposal.rejected.map(({ signal, reason }) => ({ ecosystem: convention.ecosystem, signal, reason }));
}

export function setAside({ convention, proposal }: Candidate, reason: string): Match {
  return { ecosystem: convention.ecosystem, signal: proposal.signal, reason };
}

function findCovered(candidates: readonly Candidate[]): readonly (Covered & { readonly reason: string })[] {
  const projects = candidates.filter(({ proposal }) => proposal.standing !== "tooling");
  return projects.flatMap((by) =>
    by.proposal.covers.flatMap(({ ecosystem, evenIfTested, installs, reason }) => {
      const candidate = candidates.find(({ convention }) => convention.ecosystem === ecosystem);
      if (candidate === undefined) return [];
      if (candidate.proposal.test.length > 0 && !evenIfTested) return [];
      return [{ candidate, by, installs, reason }];
    }),
  );
}

/** Of two alternatives the one without its wrapper is left out, the later one when both have theirs or neither. */
function findDoubled(candidates: readonly Candidate[]): { candidate: Candidate; reason: string } | undefined {
  const both = candidates.filter(({ convention }) => alternatives.includes(convention.ecosystem));
  const [first, second] = both;
  if (first === undefined || second === undefined) return undefined;
  const [kept, candidate] = isWrapped(second) && !isWrapped(first) ? [second, first] : [first, second];
  return { candidate, reason: `builds the same sources as ${kept.proposal.signal}` };
}

function isWrapped({ proposal }: Candidate): boolean {
  return proposal.matches.some(({ signal }) => signal === "mvnw" || signal === "gradlew");
}

function strongest(candidates: readonly Candidate[]): readonly Candidate[] {
  for (const standing of standings) {
    const fit = candidates.filter(({ proposal }) => proposal.standing === standing);
    if (fit.length > 0) return fit;
  }
  return [];
}
