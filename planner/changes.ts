/**
 * Which paths differ from a base, and what that means for a step: `when: changed("web/**")` and `paths`.
 *
 * Promises: pure. Where what changed is not known (no base, more than can be looked at), everything counts as changed,
 * and the reason says so: a step is never left out for want of knowledge. The reason names the first path, by code
 * unit, that decided.
 */

import type { Changes } from "../protocol/plan.ts";
import { compareText, sha256Hex } from "../protocol/values.ts";
import { globOf } from "./globs.ts";

export type ChangedPaths =
  | {
      /** Relative to the repository, `/`-separated, sorted by code unit, each once; a renamed file has both. */
      readonly paths: readonly string[];
      /** The commit that they differ from. */
      readonly base: string;
      /** How the base was chosen: "where topic left main". */
      readonly because: string;
    }
  | { readonly paths: null; readonly because: string };

export type ChangeAnswer = { readonly holds: boolean; readonly because: string };

/** What the plan says of the changes. The list itself may be long; its digest tells two of them apart. */
export function changesOf(changed: ChangedPaths): Changes {
  if (changed.paths === null) return { base: null, because: changed.because };
  const { base, because, paths } = changed;
  const digest = sha256Hex(new TextEncoder().encode(paths.map((path) => `${path}\0`).join("")));
  return { base, because, count: paths.length, digest };
}

/** Answers whether something changed that fits one of the patterns. Each pattern is asked once for all steps. */
export function changeAnswers(changed: ChangedPaths): (patterns: readonly string[]) => ChangeAnswer {
  if (changed.paths === null) {
    const answer = { holds: true, because: `what changed is not known: ${changed.because}` };
    return () => answer;
  }
  const { paths } = changed;
  const firsts = new Map<string, string | null>();
  const firstFor = (pattern: string): string | null => {
    const known = firsts.get(pattern);
    if (known !== undefined) return known;
    const first = paths.find(globOf(pattern)) ?? null;
    firsts.set(pattern, first);
    return first;
  };
  return (patterns) => {
    const [first] = patterns
      .map(firstFor)
      .filter((path) => path !== null)
      .sort(compareText);
    if (first !== undefined) return { holds: true, because: `changed ${shown(first)}` };
    return { holds: false, because: `nothing changed that fits ${patternWords(patterns)}` };
  };
}

const patternsShownMax = 5;

function patternWords(patterns: readonly string[]): string {
  const some = patterns.slice(0, patternsShownMax).map(shown);
  const more = patterns.length - some.length;
  return [...some, ...(more > 0 ? [`${more} more`] : [])].join(" or ");
}

const charactersShownMax = 200;

function shown(path: string): string {
  return path.length > charactersShownMax
    ? `${path.slice(0, charactersShownMax - 3).toWellFormed()}...`
    : path;
}
