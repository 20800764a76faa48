/** Whom a policy means when it names people and teams: keys, since a name in a certificate proves nothing. */

import type { Plan } from "../../protocol/plan.ts";
import type { Policy } from "../../protocol/policy.ts";

const teamPrefix = "team/";

/** The keys of those who are named, alone or as members of teams. */
export function keysOf({ people = {}, teams = {} }: Policy, named: readonly string[]): ReadonlySet<string> {
  const names = named.flatMap((one) => {
    const team = teamIn(one);
    if (team === null) return [one];
    return Object.hasOwn(teams, team) ? (teams[team] ?? []) : [];
  });
  return new Set(names.flatMap((one) => (Object.hasOwn(people, one) ? [people[one] ?? ""] : [])));
}

/**
 * True when a person is among those who may answer a step (`approve` in a pipeline); whoever, where nobody is named.
 *
 * Who is in a team is known by their keys. Somebody who is named alone is called so in their certificate, as anybody may be, and has the
 * key that the policy says, if it says one.
 */
export function mayAnswer(
  policy: Policy,
  by: readonly string[],
  { peer, name }: { readonly peer: string; readonly name: string },
): boolean {
  const { people = {} } = policy;
  return (
    by.length === 0 ||
    by.some((named) => {
      if (teamIn(named) !== null) return keysOf(policy, [named]).has(peer);
      return named === name && (!Object.hasOwn(people, named) || people[named] === peer);
    })
  );
}

/** Why nobody, or too few, could ever answer what a plan asks its people, each a sentence: by the policy of the domain that runs it. */
export function approversMissing(policy: Policy, plan: Plan): readonly string[] {
  const { teams = {} } = policy;
  return plan.steps.flatMap(({ name, included, action }) => {
    if (!included || action?.kind !== "approve" || action.by.length === 0) return [];
    const { by, count } = action;
    const named = by.flatMap((one) => teamIn(one) ?? []);
    const unknown = named.filter((team) => !Object.hasOwn(teams, team));
    if (unknown.length > 0)
      return unknown.map(
        (team) => `${name} is to be approved by team/${team}, which the policy does not know`,
      );
    const most =
      keysOf(
        policy,
        by.filter((one) => teamIn(one) !== null),
      ).size +
      by.length -
      named.length;
    return count <= most
      ? []
      : [`${name} is to be approved by ${count}, and ${by.join(", ")} are at most ${most}`];
  });
}

/** The team that is named, or null: it is a person. */
export function teamIn(named: string): string | null {
  return named.startsWith(teamPrefix) ? named.slice(teamPrefix.length) : null;
}
