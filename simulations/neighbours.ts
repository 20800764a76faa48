/** Worlds of two domains, from a seed: what reaches `production` in the plans of the first is the second's to run. */

import type { Plan, PlannedStep } from "../protocol/plan.ts";
import { outcomes } from "../protocol/plan.ts";
import { type Peers, randomFaults, recharteringFaults } from "./mixes.ts";
import { falseHome, gatesOf, lies } from "./policies.ts";
import { Chance } from "./random.ts";
import type { Schedule, ScheduledPeer, ScheduledRun } from "./schedule.ts";
import { neighbourName } from "./workload.ts";

/** Among the mixtures, those of control peers that take each other's places, and the encoded ones. */
const doubleSeeds: ReadonlySet<number> = new Set([18, 20, 24]);

export function isDouble(seed: number): boolean {
  return doubleSeeds.has(seed % 32);
}

/** The same world, with a domain beside it. */
export function double(base: Schedule): Schedule {
  const { seed } = base;
  const chance = new Chance(seed, "double");
  const runs = base.runs.slice(0, 2).map((run) => ({ ...run, plan: releasing(run.plan) }));
  const beside = other(chance, base, runs);
  const overUs = Math.max(base.overUs, beside.overUs);
  // One that lies is never a majority: not even when others have taken over.
  const able = [base, beside].flatMap(({ peers, spares }) => {
    const controls = peers.filter(({ role }) => role === "control");
    return controls.length < 3 || spares !== undefined ? [] : controls.map(({ name }) => name);
  });
  const liars = able.length > 0 && chance.percent(60) ? [chance.pick(able)] : [];
  const lostPercent = chance.pick([0, 20, 60]);
  const liar = liars[0] ?? null;
  const theirs = falseHome(
    beside,
    beside.faults.filter(({ kind }) => kind === "liar"),
    { liar, domain: neighbourName },
  );
  const schedule = { ...beside, faults: [...beside.faults, ...theirs], overUs };
  const faults = [
    ...base.faults,
    ...falseHome(
      base,
      base.faults.filter(({ kind }) => kind === "liar"),
      { liar },
    ),
  ];
  return { ...base, runs, faults, overUs, neighbour: { lostPercent, liars, schedule } };
}

/** Effects are the other domain's, and no step says a value: what is handed over is files. */
function releasing(plan: Plan): Plan {
  const steps = plan.steps.map((step): PlannedStep => {
    const { values: _, outcomes: __, valueInputs: ___, ...rest } = step;
    const needs = step.needs.map((need) => ({
      ...need,
      outcomes: need.outcomes.filter((one) => (outcomes as readonly string[]).includes(one)),
    }));
    return { ...rest, needs };
  });
  return { ...plan, environments: { production: { domain: neighbourName, settings: {} } }, steps };
}

function other(chance: Chance, base: Schedule, runs: readonly ScheduledRun[]): Schedule {
  const named = (role: string, count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => `${neighbourName}-${role}${from + index}`);
  const controls = named("control", chance.pick([1, 3, 3, 3, 5]));
  const workers = named("worker", chance.between(1, 2));
  const changes = base.seed % 64 >= 32;
  const spares = changes ? named("control", chance.between(1, 2), controls.length) : [];
  const members: Peers = { controls, workers };
  const { faults, overUs, lost } = changes
    ? recharteringFaults(chance, members, spares)
    : randomFaults(chance, members);
  const peers = [...controls, ...spares, ...workers].map((name): ScheduledPeer => ({
    name,
    role: workers.includes(name) ? "worker" : "control",
    labels: name === workers[0] ? ["gpu"] : [],
    slots: chance.between(1, 3),
    fastPpm: chance.between(-5_000, 5_000),
    startUs: chance.integer(300_000),
  }));
  const schedule: Schedule = {
    otto: "schedule/1",
    seed: base.seed,
    peers,
    leaseMs: base.leaseMs,
    delayUs: base.delayUs,
    links: [],
    clocksAreSet: false,
    steps: base.steps,
    runs: [],
    orders: null,
    ...(chance.percent(60) ? { gates: gatesOf(chance, runs, overUs) } : {}),
    faults,
    fates: [],
    ...(spares.length > 0 ? { spares } : {}),
    overUs,
    lost,
  };
  return { ...schedule, faults: [...lies(chance, schedule), ...faults] };
}
