/**
 * Mixtures of faults from a seed: what goes wrong in a world that nobody wrote.
 *
 * Half of all seeds use a random half of the kinds, a quarter all of them, the rest a single one or none. Only what
 * the design says it survives is in them, but for `beyondFaults`.
 */

import type { Fault, FaultKind, FaultPlan } from "./faults.ts";
import { controlActs, rulingActs, workerActs } from "./liars.ts";
import type { PeerName } from "./observation.ts";
import type { Chance } from "./random.ts";

type KindWithin = Exclude<FaultKind, "amnesia" | "recharter" | "wipe" | "revoke" | "false-home">;

const kinds: readonly KindWithin[] = [
  "partition",
  "link-down",
  "one-way",
  "flap",
  "loss",
  "clog",
  "late",
  "slow-network",
  "gossip",
  "calls",
  "crash",
  "fuse",
  "pause",
  "stop",
  "herd",
  "newer",
  "unruly",
  "clock-jump",
  "suspend",
  "slow-disk",
  "disk-full",
  "rot",
  "liar",
];

export type Peers = { readonly controls: readonly PeerName[]; readonly workers: readonly PeerName[] };

/** @param only these kinds, all of them, in place of a mixture. */
export function randomFaults(chance: Chance, peers: Peers, only?: readonly FaultKind[]): FaultPlan {
  const mix = chance.integer(100);
  const mixed =
    mix < 50
      ? kinds.filter(() => chance.percent(50))
      : mix < 75
        ? kinds
        : mix < 90
          ? [chance.pick(kinds)]
          : [];
  const used = only ?? mixed;
  const overUs = used.length === 0 ? 1_000_000 : chance.between(4, 25) * 1_000_000;
  const count = used.length === 0 ? 0 : chance.between(1, 30);
  const mayLose = used.includes("crash") || used.includes("fuse") || used.includes("rot");
  const minority = Math.ceil(peers.controls.length / 2) - 1;
  const lost =
    mayLose && chance.percent(30)
      ? chance.shuffled(peers.controls).slice(0, chance.between(0, minority))
      : [];
  const around = { ...peers, overUs, lost };
  const faults: Fault[] = [];
  for (let made = 0; made < count; made += 1) faults.push(randomFault(chance, chance.pick(used), around));
  faults.sort((left, right) => left.atUs - right.atUs);
  return { faults, overUs, lost };
}

/** So many faults of these kinds, spread over a time after which nobody is lost. */
export function faultsOver(
  chance: Chance,
  peers: Peers,
  {
    overUs,
    count,
    of,
  }: { readonly overUs: number; readonly count: number; readonly of: readonly FaultKind[] },
): readonly Fault[] {
  const around = { ...peers, overUs, lost: [] };
  const faults: Fault[] = [];
  for (let made = 0; made < count; made += 1) faults.push(randomFault(chance, chance.pick(of), around));
  return faults.toSorted((left, right) => left.atUs - right.atUs);
}

/** Workers that are cut off, or sleep, again and again and for longer than a lease, some with steps that do not stop. */
export function isolatingFaults(chance: Chance, { workers }: Peers): FaultPlan {
  const overUs = 20_000_000;
  const faults: Fault[] = [];
  for (let atUs = chance.integer(3_000_000); atUs < overUs; atUs += chance.between(1_000_000, 4_000_000)) {
    const when = { atUs, lastsUs: chance.between(500_000, 6_000_000) };
    const peer = chance.pick(workers);
    const how = chance.integer(10);
    if (how < 2) faults.push({ ...when, kind: "suspend", peer });
    else {
      faults.push({ ...when, kind: "partition", side: [peer] });
      if (how < 4) faults.push({ ...when, lastsUs: 10_000_000, kind: "unruly", peer });
    }
  }
  return { faults, overUs, lost: [] };
}

/**
 * Workers that are cut off, and besides homes that die and processes that stand still: who holds what must be known to
 * the next home, and who comes back late must do no harm.
 */
export function deposingFaults(chance: Chance, peers: Peers): FaultPlan {
  const { faults, ...plan } = isolatingFaults(chance, peers);
  const more: Fault[] = [];
  for (
    let atUs = chance.integer(3_000_000);
    atUs < plan.overUs;
    atUs += chance.between(1_000_000, 5_000_000)
  ) {
    const when = { atUs, lastsUs: chance.between(500_000, 9_000_000) };
    const isControl = chance.percent(60);
    const peer = chance.pick(isControl ? peers.controls : peers.workers);
    more.push({ ...when, kind: isControl && chance.percent(70) ? "crash" : "pause", peer });
  }
  return { ...plan, faults: [...faults, ...more] };
}

/** Control peers that hear each other late or not at all, again and again: one home after the other, and rivals. */
export function rivallingFaults(chance: Chance, { controls }: Peers): FaultPlan {
  const overUs = 20_000_000;
  const faults: Fault[] = [];
  for (let atUs = chance.integer(1_000_000); atUs < overUs; atUs += chance.between(200_000, 1_500_000)) {
    const when = { atUs, lastsUs: chance.between(100_000, 4_000_000) };
    const [from, to] = chance.shuffled(controls);
    if (from === undefined) break;
    if (to === undefined || chance.percent(25)) faults.push({ ...when, kind: "pause", peer: from });
    else if (chance.percent(70)) faults.push({ ...when, kind: "one-way", from, to });
    else faults.push({ ...when, kind: "link-down", between: [from, to] });
  }
  return { faults, overUs, lost: [] };
}

/**
 * Other control peers take over, one at a time or all at once, and disks are lost, while anything else goes wrong.
 *
 * @param spares control peers that are not members at first.
 */
export function recharteringFaults(chance: Chance, peers: Peers, spares: readonly PeerName[]): FaultPlan {
  const plan = randomFaults(chance, peers);
  const overUs = Math.max(plan.overUs, 15_000_000);
  // Who is lost for good is for the owner to replace, and not in these worlds.
  const gone = new Set<PeerName>(plan.lost);
  const faults: Fault[] = plan.faults.filter((fault) => fault.kind !== "rot" || !gone.has(fault.peer));
  let members = peers.controls;
  for (let atUs = chance.integer(4_000_000); atUs < overUs; atUs += chance.between(300_000, 6_000_000)) {
    const when = { atUs, lastsUs: chance.between(100_000, 3_000_000) };
    if (chance.percent(35)) {
      faults.push({ ...when, kind: "wipe", peer: chance.pick(members) });
      continue;
    }
    const others = chance.shuffled([...peers.controls, ...spares].filter((name) => !members.includes(name)));
    members = nextMembers(chance, members, others);
    faults.push({ ...when, kind: "recharter", controls: members });
  }
  faults.sort((left, right) => left.atUs - right.atUs);
  return { faults, overUs, lost: [] };
}

/** One more, one fewer, one in another's place, or as many others as there are. */
function nextMembers(
  chance: Chance,
  members: readonly PeerName[],
  others: readonly PeerName[],
): readonly PeerName[] {
  const kept = chance.shuffled(members);
  const change = chance.integer(5);
  if (change === 0 && others.length > 0 && members.length < 5) return [...members, ...others.slice(0, 1)];
  if (change === 1 && members.length > 1) return kept.slice(1);
  if (change === 2) return [...others, ...kept].slice(0, members.length);
  return [...kept.slice(1), ...others, ...kept.slice(0, 1)].slice(0, members.length);
}

/** Ways to go beyond the design: only that nothing is broken in silence is asked for there. */
export const waysBeyond = ["majority-lost", "amnesia", "lying-controls", "drift"] as const;

export type WayBeyond = (typeof waysBeyond)[number];

/** What goes wrong besides, in a world that goes beyond the design in this way. */
export const kindsBeside: Readonly<Record<WayBeyond, readonly FaultKind[]>> = {
  "majority-lost": ["crash", "partition", "one-way"],
  amnesia: ["crash", "partition", "one-way"],
  "lying-controls": ["partition", "one-way", "crash"],
  drift: ["partition", "slow-network"],
};

/** The same world, and what is beyond the design. */
export function beyondFaults(chance: Chance, way: WayBeyond, peers: Peers, plan: FaultPlan): FaultPlan {
  const { overUs } = plan;
  const shuffled = chance.shuffled(peers.controls);
  const majority = Math.floor(peers.controls.length / 2) + 1;
  const liars = way === "lying-controls" ? shuffled.slice(0, chance.between(1, 2)) : [];
  const lies = liars.map((peer): Fault => {
    const everyUs = chance.between(50_000, 500_000);
    return { atUs: 0, lastsUs: overUs, kind: "liar", peer, acts: rulingActs, everyUs };
  });
  const wiped: Fault[] = [];
  if (way === "amnesia")
    for (let times = chance.between(1, 4); times > 0; times -= 1) {
      const around = chance.integer(overUs);
      for (const peer of chance.shuffled(peers.controls).slice(0, chance.between(1, majority)))
        wiped.push({
          atUs: around + chance.integer(500_000),
          lastsUs: chance.between(50_000, 1_000_000),
          kind: "amnesia",
          peer,
        });
    }
  const lost = way === "majority-lost" ? shuffled.slice(0, majority) : [];
  const faults = [...lies, ...wiped, ...plan.faults].sort((left, right) => left.atUs - right.atUs);
  return { faults, overUs: overUs + 2_000_000, lost };
}

/** A right clock says so many seconds before a full minute when a world begins. */
const firstSlotUs = 40_000_000;

/**
 * Minutes of anything, among it that every control peer is down together, for seconds or for longer than a slot: what a
 * schedule must live through.
 */
export function lastingFaults(chance: Chance, peers: Peers): FaultPlan {
  const plan = randomFaults(chance, peers);
  const outage = {
    atUs: chance.between(10_000_000, 90_000_000),
    lastsUs: chance.between(1_000_000, chance.percent(30) ? 10_000_000 : 170_000_000),
  };
  const isDown = chance.percent(60);
  const overUs = Math.max(chance.between(60, 200) * 1_000_000, isDown ? outage.atUs + outage.lastsUs : 0);
  const stretch = overUs / plan.overUs;
  const isDuring = ({ atUs }: Fault): boolean => atUs >= outage.atUs && atUs <= outage.atUs + outage.lastsUs;
  // Who is down is not killed once more, and then started again before its time.
  const faults = plan.faults
    .map((fault) => ({ ...fault, atUs: Math.floor(fault.atUs * stretch) }))
    // A home whose clock is ahead by hours settles the slots of hours: no schedule is right where the time is wrong.
    .map((fault) => (fault.kind === "clock-jump" ? { ...fault, byMs: Math.min(fault.byMs, 1_500) } : fault))
    .filter((fault) => !isDown || fault.kind !== "crash" || !isDuring(fault));
  if (isDown) for (const peer of peers.controls) faults.push({ ...outage, kind: "crash", peer });
  // Whoever is home may end just when a slot begins, by its clock.
  for (let slotUs = firstSlotUs; slotUs < overUs; slotUs += 60_000_000)
    for (const peer of peers.controls) {
      const when = {
        atUs: slotUs + chance.between(-2_500_000, 2_500_000),
        lastsUs: chance.between(100_000, 4_000_000),
      };
      if (chance.percent(35)) faults.push({ ...when, kind: "fuse", peer, effects: chance.integer(25) });
    }
  faults.sort((left, right) => left.atUs - right.atUs);
  return { ...plan, faults, overUs };
}

type Around = Peers & Pick<FaultPlan, "overUs" | "lost">;
type When = { readonly atUs: number; readonly lastsUs: number };

function randomFault(chance: Chance, kind: FaultKind, around: Around): Fault {
  const { controls, workers, overUs } = around;
  const atUs = chance.integer(overUs);
  const long = chance.percent(45);
  const lastsUs = chance.between(50_000, long ? 12_000_000 : 2_500_000);
  // Control peers are fewer and matter more: they are chosen as often as all workers together.
  const peer = chance.percent(60) ? chance.pick(controls) : chance.pick(workers);
  const when = { atUs, lastsUs };
  switch (kind) {
    case "partition":
    case "link-down":
    case "one-way":
    case "flap":
    case "loss":
    case "clog":
    case "late":
    case "slow-network":
    case "gossip":
    case "calls":
      return trafficFault(chance, kind, { ...around, when, peer });
    case "fuse":
      return { ...when, kind, peer, effects: chance.integer(40) };
    case "crash":
    case "pause":
    case "suspend":
    case "slow-disk":
    case "disk-full":
      return { ...when, kind, peer };
    case "newer":
      // Half of the time for good.
      return { atUs, lastsUs: chance.percent(50) ? lastsUs : 1_000_000_000, kind, peer };
    case "stop":
    case "unruly":
      return { ...when, kind, peer: chance.pick(workers) };
    case "herd": {
      const peers = chance.percent(60) ? workers : [...controls, ...workers];
      return { atUs, lastsUs: chance.between(50_000, 4_000_000), kind, peers };
    }
    case "clock-jump": {
      const farMs = chance.pick([1_500, 60_000, 3_600_000]);
      return { ...when, kind, peer, byMs: chance.between(-farMs, farMs) };
    }
    case "rot":
      return { ...when, kind, peer: rotting(chance, around) };
    case "amnesia":
    case "wipe":
      return { ...when, kind, peer: chance.pick(controls) };
    case "revoke":
      return { ...when, kind, whom: chance.pick(workers) };
    case "recharter":
      return { ...when, kind, controls };
    case "false-home":
      return { ...when, kind, peer: chance.pick(controls), how: "invents", everyUs: 500_000 };
    case "liar": {
      const liar = chance.percent(70) ? chance.pick(workers) : peer;
      const own = controls.includes(liar) ? controlActs : workerActs;
      const acts = chance.percent(40) ? own : [chance.pick(own)];
      return { ...when, kind, peer: liar, acts, everyUs: chance.between(20_000, 1_000_000) };
    }
    default:
      throw new Error(`Bug: no such fault ${String(kind satisfies never)}`);
  }
}

/** Whose disk may be damaged: a control peer that never comes back, or a worker at which nobody submits. */
function rotting(chance: Chance, { workers, lost }: Around): PeerName {
  return lost.length > 0 ? chance.pick(lost) : chance.pick(workers.slice(-1));
}

type TrafficKind = Extract<
  KindWithin,
  | "partition"
  | "link-down"
  | "one-way"
  | "flap"
  | "loss"
  | "clog"
  | "late"
  | "slow-network"
  | "gossip"
  | "calls"
>;

function trafficFault(
  chance: Chance,
  kind: TrafficKind,
  { controls, workers, when, peer }: Around & { readonly when: When; readonly peer: PeerName },
): Fault {
  const all = [...controls, ...workers];
  const others = controls.filter((control) => control !== peer);
  const other = () => chance.pick(others.length > 0 ? others : workers);
  const oneWay = () => {
    const to = other();
    return chance.percent(50) ? { from: peer, to } : { from: to, to: peer };
  };
  switch (kind) {
    case "partition":
      return { ...when, kind, side: chance.percent(50) ? [peer] : all.filter(() => chance.percent(50)) };
    case "link-down":
      return { ...when, kind, between: [peer, other()] };
    case "one-way":
      return { ...when, kind, ...oneWay() };
    case "flap":
      return { ...when, kind, peer, everyUs: chance.between(100_000, 3_000_000) };
    case "loss":
      return { ...when, kind, between: [peer, other()], percent: chance.between(5, 60) };
    case "clog":
      return { ...when, kind, ...oneWay(), messageUs: chance.between(1_000, 400_000) };
    case "late":
      return { ...when, kind, between: [peer, other()] };
    case "slow-network":
      return { ...when, kind };
    case "gossip": {
      const lateUsMax = chance.pick([100_000, 10_000_000]);
      const share = () => chance.pick([0, 30, 100]);
      const copiesMax = chance.between(1, 4);
      return { ...when, kind, lostPercent: share(), copiesMax, lateUsMax, garbledPercent: share() };
    }
    case "calls": {
      const [failedPercent, garbledPercent] = [chance.pick([0, 40, 90]), chance.pick([0, 40, 90])];
      return { ...when, kind, failedPercent, garbledPercent };
    }
    default:
      throw new Error(`Bug: no such fault ${String(kind satisfies never)}`);
  }
}
