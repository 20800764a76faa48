/**
 * What must have been let count before a step begins: of the steps that it needs, those that a gate behind them holds back. The
 * home shows for each what a majority of the control peers signed, and the worker looks for itself.
 */

import type { Submission } from "../../protocol/manifest.ts";
import type { GrantedLease } from "../../protocol/messages.ts";
import { outcomes, type Plan } from "../../protocol/plan.ts";

/**
 * Places in the plan of the steps before one, directly or through others, that must have ended well for it to begin, in order. A
 * need that takes a failure, too, says nothing of how its step ended, unless something is given that it made.
 *
 * @param held places of the steps that count here: those that a gate is behind.
 */
export function heldBefore(
  { manifest: { plan } }: Submission,
  index: number,
  given: Pick<GrantedLease, "inputs" | "values">,
  held: ReadonlySet<number>,
): number[] {
  const places = placesOf(plan);
  const found = new Set<number>();
  const left = [...wellNeeded(plan, index), ...giving(plan, index, given)];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    const at = places.get(name);
    if (at === undefined || found.has(at)) continue;
    found.add(at);
    left.push(...wellNeeded(plan, at));
  }
  return [...found].filter((at) => held.has(at)).sort((one, other) => one - other);
}

/** Asked for at each step of a run. */
const knownPlaces = new WeakMap<Plan, ReadonlyMap<string, number>>();

function placesOf(plan: Plan): ReadonlyMap<string, number> {
  const known = knownPlaces.get(plan) ?? new Map(plan.steps.map(({ name }, at) => [name, at]));
  knownPlaces.set(plan, known);
  return known;
}

/** Names of the steps that have ended well when this one begins. */
function wellNeeded({ steps }: Plan, index: number): string[] {
  const { needs = [] } = steps[index] ?? {};
  return needs.flatMap((need) => (need.outcomes.every(isWell) ? [need.step] : []));
}

/** As `passed`, or in a way of the step's own. */
function isWell(outcome: string): boolean {
  return outcome === "passed" || !outcomes.some((usual) => usual === outcome);
}

/** Names of the steps that made what an attempt at this one is given. */
function giving({ steps }: Plan, index: number, given: Pick<GrantedLease, "inputs" | "values">): string[] {
  const { inputs = [], valueInputs = [] } = steps[index] ?? {};
  const names = new Set([...given.inputs, ...(given.values ?? [])].map(({ name }) => name));
  return [...inputs, ...valueInputs].flatMap(({ name, step }) => (names.has(name) ? [step] : []));
}
