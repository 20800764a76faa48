/**
 * What stands behind a difference when no line of a file says it: another version of the detector, a template or a step
 * library that is pinned to something else, a fact that git or a person gave.
 */

import type { Plan, PlannedStep, PlannedUse, Scalar } from "../../protocol/plan.ts";

/** "detector version 1 -> 2"; null when both plans, or one, come from a file, or the version is the same. */
export function detectorChange(base: Plan | null, current: Plan): string | null {
  const [before, after] = [base?.origin, current.origin];
  if (before?.kind !== "conventions" || after.kind !== "conventions") return null;
  return before.version === after.version ? null : `detector version ${before.version} -> ${after.version}`;
}

/** What a step is made with that is pinned to something else now: "the template shared: commit 1a2b -> 3c4d". */
export function useChange(base: Plan | null, current: Plan, step: PlannedStep): string | null {
  const old = new Map((base?.uses ?? []).map((use) => [use.name, use]));
  const changes = (current.uses ?? []).flatMap((use) => {
    const before = old.get(use.name);
    if (before === undefined || before.digest === use.digest || !isMadeWith(step, use)) return [];
    return [`the ${use.kind} ${use.name}: ${pinned(before)} -> ${pinned(use)}`];
  });
  return changes.length === 0 ? null : changes.join("; ");
}

/** Steps of a nested pipeline have its name before theirs; which template it is from, the plan does not say. */
function isMadeWith({ from, action }: PlannedStep, use: PlannedUse): boolean {
  if (use.kind === "template") return from.includes("/");
  return action?.kind === "uses" && action.library === use.name;
}

function pinned({ commit, digest }: PlannedUse): string {
  return commit === null ? `digest ${digest.slice(0, 12)}` : `commit ${commit.slice(0, 12)}`;
}

/** Why a part of the plan that is of no step is otherwise. @param path as in the plan: `context.branch`. */
export function planCause(path: readonly string[], base: Plan, current: Plan): string {
  const [part = "", field = ""] = path;
  if (part === "origin") {
    const detector = detectorChange(base, current);
    if (detector !== null) return detector;
    return base.origin.kind === current.origin.kind
      ? "as the repository is"
      : "where the pipeline comes from";
  }
  if (part !== "context") return "as the file was then";
  switch (field) {
    case "branch":
    case "tag":
    case "commit":
      return "as git says";
    case "trigger":
      return "what made the plan";
    case "parameters":
      return "as it was given";
    default:
      return "which paths changed";
  }
}

/** What a condition of this plan would have read by that name; undefined for what a plan does not have. */
export function factIn({ context }: Plan, name: string): Scalar | undefined {
  const [group = "", field = ""] = name.split(".");
  if (group === "trigger") return context.trigger;
  if (group === "parameters")
    return Object.hasOwn(context.parameters, field) ? context.parameters[field] : undefined;
  if (group !== "git") return undefined;
  const { branch, tag, commit } = context;
  return { branch, tag, commit }[field as "branch" | "tag" | "commit"] ?? "";
}
