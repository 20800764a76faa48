/**
 * What must have been let count before a step begins: of the steps that it needs, those that a gate behind them holds back. The
 * home shows for each what a majority of the control peers signed, and the worker looks for itself.
 *
 * A nested pipeline that has passed stands for those of its steps that must have run: none of these has failed. One that may have been
 * left out, as a way back is, says nothing.
 */

import type { Submission } from "../../protocol/manifest.ts";
import type { GrantedLease } from "../../protocol/messages.ts";
import { outcomes, type Plan, type PlannedStep } from "../../protocol/plan.ts";

type Need = PlannedStep["needs"][number];

/**
 * Places in the plan of the nearest steps before one, directly or through others, that a gate holds back and that must have ended well
 * for it to begin, in order. Whoever let them count has looked at what is before them. A need that takes a failure, too, says nothing of
 * how its step ended, unless something is given that it made.
 *
 * @param held places of the steps that a gate is behind.
 */
export function heldBefore(
  { manifest: { plan } }: Pick<Submission, "manifest">,
  index: number,
  given: Pick<GrantedLease, "inputs" | "values">,
  held: ReadonlySet<number>,
): number[] {
  const found = endedWell(plan, [...wellNeeded(plan, index), ...giving(plan, index, given)], held);
  return [...found].filter((at) => held.has(at)).sort((one, other) => one - other);
}

/** Places of all the steps that must have ended well for these to begin, given nothing, whether a gate holds them back or not. */
export function wellBefore(
  { manifest: { plan } }: Pick<Submission, "manifest">,
  begun: readonly number[],
): ReadonlySet<number> {
  return endedWell(
    plan,
    begun.flatMap((index) => wellNeeded(plan, index)),
    new Set(),
  );
}

/** Places of the steps of these names, and of those that must have ended well before them, but for what is before `last` ones. */
function endedWell(plan: Plan, names: readonly string[], last: ReadonlySet<number>): Set<number> {
  const { places } = knownOf(plan);
  const found = new Set<number>();
  const left = [...names];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const at = places.get(name);
    if (at === undefined || found.has(at)) continue;
    found.add(at);
    if (!last.has(at)) left.push(...wellNeeded(plan, at), ...membersRun(plan, at));
  }
  return found;
}

/** Asked for at each step of a run. */
type Known = { readonly places: ReadonlyMap<string, number>; readonly run: Map<number, readonly string[]> };
const none: readonly string[] = [];
const knownOfPlans = new WeakMap<Plan, Known>();

function knownOf(plan: Plan): Known {
  const known = knownOfPlans.get(plan);
  if (known !== undefined) return known;
  const made = { places: new Map(plan.steps.map(({ name }, at) => [name, at])), run: new Map() };
  knownOfPlans.set(plan, made);
  return made;
}

/** Names of the steps of a nested pipeline that have ended well when it has passed; of any other step none. */
function membersRun(plan: Plan, index: number): readonly string[] {
  const whole = plan.steps[index];
  if (whole?.action?.kind !== "pipeline") return none;
  const { places, run } = knownOf(plan);
  const known = run.get(index);
  if (known !== undefined) return known;
  const members = new Set(whole.action.members);
  const ran = new Set<string>();
  const isMet = (need: Need): boolean => {
    const { outcomes: own = [] } = plan.steps[places.get(need.step) ?? -1] ?? {};
    const takes = (ends: readonly string[]): boolean => ends.every((one) => need.outcomes.includes(one));
    if (takes([...outcomes, ...own])) return true;
    // What a member needs that is none, the pipeline needs too.
    if (!members.has(need.step))
      return whole.needs.some((its) => its.step === need.step && takes(its.outcomes));
    return takes(ran.has(need.step) ? ["passed", ...own] : ["passed", "skipped", ...own]);
  };
  // In the order of the plan, in which a step comes behind those that it needs.
  const inOrder = whole.action.members
    .flatMap((name) => places.get(name) ?? [])
    .sort((one, other) => one - other);
  for (const at of inOrder) {
    const member = plan.steps[at];
    if (member?.included === true && member.needs.every(isMet)) ran.add(member.name);
  }
  const names = [...ran];
  run.set(index, names);
  return names;
}

/** Names of the steps that have ended well when this one begins. */
function wellNeeded({ steps }: Plan, index: number): string[] {
  const { needs = [] } = steps[index] ?? {};
  return needs.flatMap((need) => (need.outcomes.every(isWell) ? [need.step] : []));
}

/** As `passed`, or in a way of the step's own. */
export function isWell(outcome: string): boolean {
  return outcome === "passed" || !outcomes.some((usual) => usual === outcome);
}

/** Names of the steps that made what an attempt at this one is given. */
function giving({ steps }: Plan, index: number, given: Pick<GrantedLease, "inputs" | "values">): string[] {
  const { inputs = [], valueInputs = [] } = steps[index] ?? {};
  const names = new Set([...given.inputs, ...(given.values ?? [])].map(({ name }) => name));
  return [...inputs, ...valueInputs].flatMap(({ name, step }) => (names.has(name) ? [step] : []));
}
