/**
 * A schedule from a seed. One seed in eight each is about something of its own: leases of steps that reach outside,
 * control peers that take each other's places, steps that people settle, homes that follow one another, schedules over minutes; the rest is a mixture.
 * In one world in five steps are guarded, besides (`policies.ts`), in one in ten some are another domain's (`neighbours.ts`). In one world in five runs may be admitted for seconds only, so that they are forgotten while it lasts.
 */

import type { Plan } from "../protocol/plan.ts";
import type { FaultKind, FaultPlan } from "./faults.ts";
import {
  beyondFaults,
  deposingFaults,
  isolatingFaults,
  kindsBeside,
  lastingFaults,
  type Peers,
  randomFaults,
  recharteringFaults,
  rivallingFaults,
  waysBeyond,
} from "./mixes.ts";
import type { PeerName } from "./observation.ts";
import { double, isDouble } from "./neighbours.ts";
import { guarded, isGuarded } from "./policies.ts";
import { Chance } from "./random.ts";
import type { Schedule, ScheduledOrder, ScheduledOrders, ScheduledPeer, ScheduledRun } from "./schedule.ts";
import { randomOrderedPlan, randomPlan } from "./workload.ts";

/**
 * @param plans what is run, in place of plans that are made from the seed. Workers must be able to do it all.
 * @param kinds what alone goes wrong, in a world that is about nothing else.
 */
export function scheduleOf(seed: number, plans?: readonly Plan[], kinds?: readonly FaultKind[]): Schedule {
  const chance = new Chance(seed, "world");
  const controls = range("control", chance.pick([1, 3, 3, 3, 3, 5]));
  const about = kinds === undefined ? seed % 8 : null;
  const outside = about === 3;
  // Half of those have locks by name, over several runs, and homes that die.
  const locked = outside ? (seed % 16 === 3 ? "environment" : "names") : null;
  const waits = about === 5;
  const scheduled = about === 7;
  const workers = range("worker", chance.between(outside ? 2 : 1, 4));
  const spares = about === 4 ? sparesOf(new Chance(seed, "spares"), controls.length) : [];
  const { faults, overUs, lost } = faultsOf(seed, { controls, workers }, spares, kinds);
  const leaseMs = chance.pick(outside ? [2_000] : [1_500, 2_000, 6_000]);
  const delayUs = chance.pick([
    [100, 900],
    [500, 30_000],
    [20_000, 120_000],
  ] as const);
  const failing = { failed: chance.integer(30), timedOut: chance.integer(10) };
  const steps = { ...failing, durationMsMax: chance.pick(outside ? [8_000] : [200, 2_000, 8_000, 20_000]) };
  const members = [...controls, ...workers].map((name, index) =>
    randomPeer(chance, name, index < controls.length ? "control" : "worker"),
  );
  // Nobody submits where it would be gone with the disk.
  const gone = new Set([...lost, ...faults.flatMap((fault) => (fault.kind === "rot" ? [fault.peer] : []))]);
  const survivors = [...controls, ...workers].filter((name) => !gone.has(name));
  const runs: ScheduledRun[] = [];
  const count = plans?.length ?? chance.between(locked === "names" ? 2 : 1, 4);
  for (let run = 0; run < count; run += 1) {
    const nonce = `nonce${seed}-${run}`;
    const traits = { nonce, outside, waits, locked } as const;
    const scheduled = scheduledRun(chance, nonce, plans?.[run] ?? randomPlan(chance, traits), {
      survivors,
      overUs,
    });
    runs.push(
      seed % 5 === 2 && plans === undefined ? { ...scheduled, validForMs: briefly(nonce) } : scheduled,
    );
  }
  const schedule: Schedule = {
    otto: "schedule/1",
    seed,
    peers: [...members, ...spares.map((name) => randomPeer(new Chance(seed, name), name, "control"))].map(
      (peer) => ({ ...peer, startUs: chance.integer(300_000) }),
    ),
    leaseMs,
    delayUs,
    links: [],
    clocksAreSet: scheduled,
    steps,
    runs,
    orders: scheduled ? randomOrders(seed, { survivors, overUs }) : null,
    faults,
    fates: [],
    ...(seed % 8 === 1 ? { forgedUs: forgeries(seed, overUs) } : {}),
    ...(spares.length > 0 ? { spares } : {}),
    overUs,
    lost,
  };
  if (about === null || plans !== undefined) return schedule;
  if (isDouble(seed)) return double(schedule);
  return isGuarded(seed) ? guarded(schedule) : schedule;
}

function faultsOf(
  seed: number,
  peers: Peers,
  spares: readonly PeerName[],
  kinds: readonly FaultKind[] | undefined,
): FaultPlan {
  const chance = new Chance(seed, "faults");
  if (kinds !== undefined) return randomFaults(chance, peers, kinds);
  if (seed % 16 === 5) return rivallingFaults(chance, peers);
  switch (seed % 8) {
    case 3:
      return seed % 16 === 3 ? isolatingFaults(chance, peers) : deposingFaults(chance, peers);
    case 4:
      return recharteringFaults(chance, peers, spares);
    case 6:
      return rivallingFaults(chance, peers);
    case 7:
      return lastingFaults(chance, peers);
    default:
      return randomFaults(chance, peers);
  }
}

/** Control peers that are not members at first. */
function sparesOf(chance: Chance, members: number): PeerName[] {
  return range("control", members + chance.between(1, 3)).slice(members);
}

/** In such a world much never comes to its end: so long after the healing that is seen. */
export const patienceBeyondUs = 30_000_000;

/** A world in which more goes wrong than the design bears: `checkersBeyond` say what must hold all the same. */
export function scheduleBeyond(seed: number): Schedule {
  const chance = new Chance(seed, "beyond");
  const way = waysBeyond[seed % waysBeyond.length] ?? "drift";
  const base = scheduleOf(seed, undefined, kindsBeside[way]);
  const { controls, workers } = membersOf(base);
  const plan = beyondFaults(chance, way, { controls, workers }, base);
  const farPpm = (): number => chance.pick([-1, 1]) * chance.between(20_000, 100_000);
  const peers = way === "drift" ? base.peers.map((peer) => ({ ...peer, fastPpm: farPpm() })) : base.peers;
  // Whoever is lost has taken what was submitted there with it, which everybody sees.
  const left = [...controls, ...workers].filter((name) => !plan.lost.includes(name));
  const runs = base.runs.map((run) => ({ ...run, at: left.includes(run.at) ? run.at : chance.pick(left) }));
  return { ...base, ...plan, peers, runs };
}

function membersOf({ peers }: Schedule): {
  readonly controls: readonly PeerName[];
  readonly workers: readonly PeerName[];
} {
  const named = (role: ScheduledPeer["role"]) =>
    peers.filter((peer) => peer.role === role).map(({ name }) => name);
  return { controls: named("control"), workers: named("worker") };
}

function randomPeer(
  chance: Chance,
  name: PeerName,
  role: ScheduledPeer["role"],
): Omit<ScheduledPeer, "startUs"> {
  // The first worker can do everything, so that no run waits for ever.
  const labels = name === "worker0" || chance.percent(30) ? ["gpu"] : [];
  return { name, role, labels, slots: chance.between(1, 3), fastPpm: chance.between(-5_000, 5_000) };
}

function briefly(nonce: string): number {
  const chance = new Chance(nonce, "validity");
  return chance.between(2_000, chance.pick([8_000, 30_000, 60_000]));
}

type Around = Pick<FaultPlan, "overUs"> & { readonly survivors: readonly PeerName[] };

/** A person submits at some peer, and may change their mind. */
function scheduledRun(
  chance: Chance,
  nonce: string,
  plan: Plan,
  { survivors, overUs }: Around,
): ScheduledRun {
  const at = chance.pick(survivors);
  const submitUs = chance.integer(Math.ceil(overUs / 2));
  const answers = plan.steps
    .filter(({ action }) => action?.kind === "approve" || action?.kind === "wait")
    .map(({ name }) => ({ step: name, atUs: submitUs + chance.integer(9_000_000) }));
  const cancelUs = chance.percent(30) ? submitUs + chance.integer(4_000_000) : null;
  return { nonce, plan, at, submitUs, cancelUs, answers };
}

/** Orders that are given, given again and removed. */
function randomOrders(seed: number, { survivors, overUs }: Around): ScheduledOrders {
  const chance = new Chance(seed, "standing");
  const times: { readonly pipeline: string; readonly revision: number; readonly giveUs: number }[] = [];
  const removed: { readonly pipeline: string; readonly atUs: number }[] = [];
  for (const pipeline of chance.percent(30) ? ["nightly", "hourly"] : ["nightly"]) {
    const revisions = chance.between(1, 3);
    for (let revision = 1; revision <= revisions; revision += 1) {
      const giveUs = chance.integer(revision === 1 ? 20_000_000 : overUs);
      times.push({ pipeline, revision, giveUs });
      if (chance.percent(15)) removed.push({ pipeline, atUs: giveUs + chance.integer(overUs) });
    }
  }
  const inOrder = times.toSorted((left, right) => left.giveUs - right.giveUs);
  const given = inOrder.map(({ pipeline, revision, giveUs }): ScheduledOrder => {
    const slots: ScheduledOrder["slots"][number][] = [];
    for (let count = chance.between(1, 2); count > 0; count -= 1)
      slots.push({
        cron: chance.pick(["* * * * *", "* * * * *", "*/2 * * * *", "1-59/3 * * * *"]),
        missed: chance.pick(["latest", "none"]),
      });
    const plan = randomOrderedPlan(chance, pipeline);
    const nonce = `order${seed}-${pipeline}-${revision}`;
    return { nonce, plan, at: chance.pick(survivors), giveUs, revision, slots };
  });
  return { given, removed };
}

/** In one world in eight somebody else has a control peer's key. */
function forgeries(seed: number, overUs: number): number[] {
  const chance = new Chance(seed, "forging");
  return Array.from({ length: chance.between(1, 3) }, () => chance.integer(overUs));
}

function range(name: string, count: number): PeerName[] {
  return Array.from({ length: count }, (_, index) => `${name}${index}`);
}
