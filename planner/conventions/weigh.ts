/**
 * Which ecosystems make the pipeline when several are at the root: the strongest standing that is there, all
 * that have it, without those that another one builds as its part.
 */

import type { Convention, Match, Proposal, Signal, Standing } from "./convention.ts";
import { alternatives } from "./known.ts";

/** An ecosystem that shows at the root. */
export type Candidate = {
  readonly convention: Convention;
  readonly proposal: Proposal;
  /** Which files declare the versions of its tools. */
  readonly versions: readonly Signal[];
};

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

export function weigh(candidates: readonly Candidate[]): Weighed {
  const covered = findCovered(candidates);
  const free = candidates.filter((candidate) => !covered.some((cover) => cover.candidate === candidate));
  const doubled = findDoubled(free);
  const open = free.filter((candidate) => !doubled.some((double) => double.candidate === candidate));
  const strong = strongest(open);
  const used = strong.every(({ convention }) => convention.isRunner === true) ? strong.slice(0, 1) : strong;
  const names = used.map(({ convention }) => convention.ecosystem).join(" and ");
  const beside = used.length === 0 ? "" : `; the pipeline is that of ${names}`;
  const unused = open.filter((candidate) => !used.includes(candidate));
  return {
    used,
    covered,
    rejected: [
      ...covered.map(({ candidate, reason }) => setAside(candidate, `has no steps of its own: it ${reason}`)),
      ...doubled.map(({ candidate, reason }) => setAside(candidate, reason)),
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

/** Of alternatives the one that declares most is kept, then the one that brings its wrapper, then the first. */
function findDoubled(candidates: readonly Candidate[]): readonly { candidate: Candidate; reason: string }[] {
  const doubled: { candidate: Candidate; reason: string }[] = [];
  for (const group of alternatives) {
    const same = group.flatMap((ecosystem) =>
      candidates.filter(
        (candidate) =>
          candidate.convention.ecosystem === ecosystem &&
          candidate.proposal.standing !== "tooling" &&
          !doubled.some((double) => double.candidate === candidate),
      ),
    );
    const [kept] = same.toSorted(
      (one, other) => rank(one) - rank(other) || Number(isWrapped(other)) - Number(isWrapped(one)),
    );
    if (kept === undefined) continue;
    const reason = `builds the same sources as ${kept.proposal.signal}`;
    for (const candidate of same) if (candidate !== kept) doubled.push({ candidate, reason });
  }
  return doubled;
}

function rank({ proposal }: Candidate): number {
  return standings.indexOf(proposal.standing);
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
