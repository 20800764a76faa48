/** Whom a policy means when it names people and teams: keys, since a name in a certificate proves nothing. */

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

/** The team that is named, or null: it is a person. */
export function teamIn(named: string): string | null {
  return named.startsWith(teamPrefix) ? named.slice(teamPrefix.length) : null;
}
