/**
 * Whom a policy means when it names people and teams: keys, since a name in a certificate proves nothing. Whoever joins says what it
 * is to be called.
 */

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
 * Who is in a team is known by their keys. Somebody who is named alone is called so in their certificate, and has the key that the policy
 * says; where it names no people at all, whoever is called so may answer, and anybody may be.
 */
export function mayAnswer(
  policy: Policy,
  by: readonly string[],
  { peer, name }: { readonly peer: string; readonly name: string },
): boolean {
  return (
    by.length === 0 ||
    by.some((named) => {
      if (teamIn(named) !== null) return keysOf(policy, [named]).has(peer);
      return named === name && (namesNobody(policy) || keysOf(policy, [named]).has(peer));
    })
  );
}

/** Why nobody, or too few, could ever answer what a plan asks its people, each a sentence: by the policy of the domain that runs it. */
export function approversMissing(policy: Policy, plan: Plan): readonly string[] {
  const { people = {}, teams = {} } = policy;
  return plan.steps.flatMap(({ name, included, action }) => {
    if (!included || action?.kind !== "approve" || action.by.length === 0) return [];
    const { by, count } = action;
    const named = by.flatMap((one) => teamIn(one) ?? []);
    const alone = by.filter((one) => teamIn(one) === null);
    const unknown = [
      ...named.filter((team) => !Object.hasOwn(teams, team)).map((team) => `team/${team}, which`),
      ...alone
        .filter((one) => !namesNobody(policy) && !Object.hasOwn(people, one))
        .map((one) => `${one}, whom`),
    ];
    if (unknown.length > 0)
      return unknown.map((whom) => `${name} is to be approved by ${whom} the policy does not know`);
    const most = namesNobody(policy) ? alone.length : keysOf(policy, by).size;
    return count <= most
      ? []
      : [`${name} is to be approved by ${count}, and ${by.join(", ")} are at most ${most}`];
  });
}

function namesNobody({ people = {} }: Policy): boolean {
  return Object.keys(people).length === 0;
}

/** The team that is named, or null: it is a person. */
export function teamIn(named: string): string | null {
  return named.startsWith(teamPrefix) ? named.slice(teamPrefix.length) : null;
}
