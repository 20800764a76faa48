/** Worlds whose steps are guarded, from a seed: policies, who says what to them, and control peers that lie about it. */

import type { Policy } from "../protocol/policy.ts";
import type { Fault } from "./faults.ts";
import { permitActs } from "./permit-liars.ts";
import { Chance } from "./random.ts";
import {
  type Schedule,
  type ScheduledApprover,
  type ScheduledGates,
  type ScheduledRun,
  votersMin,
} from "./schedule.ts";

type Rules = NonNullable<Policy["environments"]>[string];

/** Among the mixtures, those of control peers that take each other's places, those of rivals, and the encoded ones. */
const guardedSeeds: ReadonlySet<number> = new Set([10, 12, 14, 16, 26, 30]);
/** In those of them somebody is revoked. */
const revokingSeed = 30;

export function isGuarded(seed: number): boolean {
  return guardedSeeds.has(seed % 32);
}

/** For longer than a permit is good no worker is there. */
const idleUs = 760_000_000;

/** The same world, with a policy. */
export function guarded(base: Schedule): Schedule {
  const { seed } = base;
  const chance = new Chance(seed, "guarded");
  const isLocked = new Chance(seed, "locked").percent(50);
  const runs = base.runs.slice(0, 3).map((run) => withGuards(chance, run, isLocked));
  const gates = behindOnly(seed, gatesOf(chance, runs, base.overUs));
  const lasting = seed % 64 === 26;
  // Where nobody sets a clock it can be said when a permit is over.
  const own = lasting
    ? base.faults.filter(({ kind }) => kind !== "clock-jump" && kind !== "stop")
    : base.faults;
  const lying = lies(chance, base);
  const revokes = seed % 32 === revokingSeed ? revocation(base) : { peers: base.peers, faults: [] };
  const faults = [
    ...own,
    ...lying,
    ...falseHome(base, lying),
    ...(lasting ? idle(base) : []),
    ...revokes.faults,
  ];
  const overUs = lasting ? idleUs + chance.between(5_000_000, 60_000_000) : base.overUs;
  faults.sort((left, right) => left.atUs - right.atUs);
  return { ...base, peers: revokes.peers, runs, gates, faults, overUs };
}

/** In some worlds nothing is demanded before a step, and something once it has ended. */
function behindOnly(seed: number, gates: ScheduledGates): ScheduledGates {
  const hasAfter = gates.policies[0]?.policy.environments?.["production"]?.after !== undefined;
  if (!hasAfter || !new Chance(seed, "behind only").percent(40)) return gates;
  const policies = gates.policies.map(({ atUs, policy }) => {
    const { after, waitMinutes } = policy.environments?.["production"] ?? {};
    const production = {
      ...(waitMinutes === undefined ? {} : { waitMinutes }),
      ...(after === undefined ? {} : { after }),
    };
    return { atUs, policy: { ...policy, environments: { production } } };
  });
  return { ...gates, policies };
}

/** What an owner demands of the steps of these runs that reach an environment, and who says what to it. */
export function gatesOf(chance: Chance, runs: readonly ScheduledRun[], overUs: number): ScheduledGates {
  const first = randomPolicy(chance, null);
  const versions = chance.percent(50) ? 1 : chance.between(2, 3);
  const policies = Array.from({ length: versions }, (_, index) => ({
    atUs: index === 0 ? 0 : chance.integer(overUs),
    policy: index === 0 ? first : randomPolicy(chance, first),
  }));
  const people = runs.flatMap(({ nonce, plan }) =>
    plan.steps.flatMap(({ name, environment }) =>
      environment === null ? [] : randomPeople(chance, nonce, name, overUs),
    ),
  );
  return { policies, people };
}

/** @param isLocked one step at a time works in the environment. */
function withGuards(chance: Chance, run: ScheduledRun, isLocked: boolean): ScheduledRun {
  const steps = run.plan.steps.map((step) => {
    if (step.action !== undefined || !chance.percent(60)) return step;
    const variables = { ...step.variables, OTTO_EFFECT: "yes" };
    return { ...step, environment: "production", effect: true, variables };
  });
  if (!isLocked) return { ...run, plan: { ...run.plan, steps } };
  const { production = { domain: null, settings: {} } } = run.plan.environments;
  const environments = { ...run.plan.environments, production: { ...production, lock: true as const } };
  const locked = steps.map((step) =>
    step.environment === "production" && step.action === undefined
      ? { ...step, variables: { ...step.variables, OTTO_LOCK: "production" } }
      : step,
  );
  return { ...run, plan: { ...run.plan, environments, steps: locked } };
}

/** @param before the first of the versions: what it demands behind steps every version does. */
function randomPolicy(chance: Chance, before: Policy | null): Policy {
  const production: Rules = {
    approve: approvals(chance),
    ...(chance.percent(30) ? { open: [window(chance)] } : {}),
    waitMinutes: chance.pick([1, 1, 2]),
  };
  const hadAfter = before?.environments?.["production"]?.after !== undefined;
  const hasAfter = before === null ? chance.percent(50) : hadAfter;
  const after = {
    approve: approvals(chance),
    ...(chance.percent(20) ? { open: [window(chance)] } : {}),
    waitMinutes: chance.pick([1, 2]),
  };
  const more: Record<string, Rules> = chance.percent(30)
    ? { "prod*": chance.percent(50) ? { freeze: [freeze(chance)] } : { approve: approvals(chance) } }
    : {};
  return {
    "otto-policy": 1,
    teams: { release: ["mia", "noa"] },
    environments: { production: { ...production, ...(hasAfter ? { after } : {}) }, ...more },
  };
}

function approvals(chance: Chance): NonNullable<Rules["approve"]> {
  const by = chance.pick([["team/release"], ["mia", "kai"], ["team/release", "kai"], ["noa"]]);
  return { count: by[0] === "noa" ? 1 : chance.between(1, 2), by };
}

/** A world begins on a Tuesday at 22:13:20, by a clock that is right. */
function window(chance: Chance): string {
  return chance.pick(["tue 22:14-22:40", "mon-wed 22:00-22:14", "tue 22:13-23:00", "tue 22:14-24:00"]);
}

function freeze(chance: Chance): NonNullable<Rules["freeze"]>[number] {
  const until = chance.pick(["2023-11-14T22:14Z", "2023-11-14T22:15Z"]);
  return { from: "2023-11-14T22:00Z", until, because: "a holiday" };
}

/** Enough say yes sooner or later, to most steps; some say no, and some say what counts for nothing. */
function randomPeople(chance: Chance, run: string, step: string, overUs: number): ScheduledApprover[] {
  const when = () => chance.integer(chance.percent(70) ? 6_000_000 : overUs + 20_000_000);
  const said = (person: string, says: ScheduledApprover["says"]): ScheduledApprover => ({
    person,
    run,
    step,
    says,
    atUs: when(),
  });
  const willing = chance.percent(80) ? ["mia", "noa", "kai"] : [chance.pick(["mia", "noa", "kai"])];
  const other = chance.pick(["mia", "noa", "kai"]);
  return [
    ...willing.map((person) => said(person, "yes")),
    ...(chance.percent(12) ? [said(other, "no")] : []),
    ...(chance.percent(50) ? [said("eve", "yes")] : []),
    ...(chance.percent(30) ? [said(chance.pick(["mia", "noa", "kai"]), "something-else")] : []),
    ...(chance.percent(40) ? [said(chance.pick(["mia", "noa", "eve"]), "again")] : []),
  ];
}

export function lies(chance: Chance, { peers, overUs }: Schedule): Fault[] {
  const controls = peers.filter(({ role }) => role === "control");
  if (controls.length === 1 || !chance.percent(70)) return [];
  const peer = chance.pick(controls).name;
  const everyUs = chance.between(100_000, 1_000_000);
  return [{ atUs: 0, lastsUs: overUs, kind: "liar", peer, acts: permitActs, everyUs }];
}

/**
 * In some of these worlds one control peer is false while it is home: whoever lies already, and never half of those who vote.
 *
 * @param liar whoever else lies about something.
 */
export function falseHome(
  schedule: Schedule,
  lying: readonly Fault[],
  { liar = null, domain = "dev" }: { readonly liar?: string | null; readonly domain?: string } = {},
): Fault[] {
  const { seed, peers, overUs } = schedule;
  const chance = domain === "dev" ? new Chance(seed, "false home") : new Chance(seed, domain, "false home");
  const controls = peers.filter(({ role }) => role === "control").map(({ name }) => name);
  if (votersMin(schedule) < 3 || !chance.percent(40)) return [];
  const liars = [liar, ...lying.map((fault) => (fault.kind === "liar" ? fault.peer : null))].filter(
    (name) => name !== null && controls.includes(name),
  );
  if (new Set(liars).size > 1) return [];
  const peer = liars[0] ?? chance.pick(controls);
  const atUs = chance.between(1_000_000, Math.max(2_000_000, Math.floor(overUs / 2)));
  const how = chance.percent(70) ? "invents" : "ignores";
  const everyUs = chance.between(100_000, 2_000_000);
  return [{ atUs, lastsUs: overUs, kind: "false-home", peer, how, everyUs }];
}

/** One more worker than there was, at which nobody submits, or somebody whom policies name: some time revoked. */
function revocation({ seed, peers, overUs }: Schedule): Pick<Schedule, "peers" | "faults"> {
  const chance = new Chance(seed, "revocation");
  const name = `worker${peers.filter(({ role }) => role === "worker").length}`;
  const more = { name, role: "worker", labels: ["gpu"], slots: 3, fastPpm: 0, startUs: 0 } as const;
  const whom = chance.percent(60) ? name : "kai";
  const atUs = chance.between(1_000_000, Math.max(2_000_000, overUs));
  return { peers: [...peers, more], faults: [{ atUs, lastsUs: 0, kind: "revoke", whom }] };
}

function idle({ peers }: Schedule): Fault[] {
  const workers = peers.filter(({ role }) => role === "worker").map(({ name }) => name);
  return [{ atUs: 400_000, lastsUs: idleUs, kind: "herd", peers: workers }];
}
