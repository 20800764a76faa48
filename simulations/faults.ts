/**
 * What goes wrong, as data from the seed. A schedule is a list, so one fault can be taken out and the rest stays.
 *
 * Half of all seeds use a random half of the kinds, a quarter all of them, the rest a single one or none. Only what
 * the design says it survives is here.
 */

import type { PeerName } from "./observation.ts";
import type { Chance } from "./random.ts";

export type Fault = { readonly atUs: number; readonly lastsUs: number } &
  /** The two sides cannot reach each other. */
  (
    | { readonly kind: "partition"; readonly side: readonly PeerName[] }
    | { readonly kind: "link-down"; readonly between: readonly [PeerName, PeerName] }
    /** Nothing arrives in one direction, though the link seems up. */
    | { readonly kind: "one-way"; readonly from: PeerName; readonly to: PeerName }
    /** The process is killed and its machine forgets what was not synced; it is started again afterwards. */
    | { readonly kind: "crash"; readonly peer: PeerName }
    /** As a crash, between two effects: `effects` more are performed. */
    | { readonly kind: "fuse"; readonly peer: PeerName; readonly effects: number }
    | { readonly kind: "pause"; readonly peer: PeerName }
    /** The worker is asked to stop, ends a little later, and is started again afterwards. */
    | { readonly kind: "stop"; readonly peer: PeerName }
    | { readonly kind: "slow-network" }
    | { readonly kind: "slow-disk"; readonly peer: PeerName }
  );

type FaultKind = Fault["kind"];

const kinds: readonly FaultKind[] = [
  "partition",
  "link-down",
  "one-way",
  "crash",
  "fuse",
  "pause",
  "stop",
  "slow-network",
  "slow-disk",
];

export type FaultPlan = {
  readonly kinds: readonly FaultKind[];
  readonly faults: readonly Fault[];
  /** When everything is healed. */
  readonly overUs: number;
  /** Peers that never come back: fewer than half of the control peers. */
  readonly lost: readonly PeerName[];
};

type Peers = { readonly controls: readonly PeerName[]; readonly workers: readonly PeerName[] };

export function randomFaults(chance: Chance, peers: Peers): FaultPlan {
  const mix = chance.integer(100);
  const used =
    mix < 50
      ? kinds.filter(() => chance.percent(50))
      : mix < 75
        ? kinds
        : mix < 90
          ? [chance.pick(kinds)]
          : [];
  const overUs = used.length === 0 ? 1_000_000 : chance.between(4, 25) * 1_000_000;
  const count = used.length === 0 ? 0 : chance.between(1, 24);
  const faults: Fault[] = [];
  for (let made = 0; made < count; made += 1)
    faults.push(randomFault(chance, chance.pick(used), peers, overUs));
  faults.sort((left, right) => left.atUs - right.atUs);
  const mayLose = used.includes("crash") || used.includes("fuse");
  const minority = Math.ceil(peers.controls.length / 2) - 1;
  const lost =
    mayLose && chance.percent(30)
      ? chance.shuffled(peers.controls).slice(0, chance.between(0, minority))
      : [];
  return { kinds: used, faults, overUs, lost };
}

/** Workers that are cut off again and again, for longer than a lease, while nothing else goes wrong. */
export function isolatingFaults(chance: Chance, { workers }: Peers): FaultPlan {
  const overUs = 20_000_000;
  const faults: Fault[] = [];
  for (let atUs = chance.integer(3_000_000); atUs < overUs; atUs += chance.between(1_000_000, 4_000_000))
    faults.push({
      atUs,
      lastsUs: chance.between(500_000, 6_000_000),
      kind: "partition",
      side: [chance.pick(workers)],
    });
  return { kinds: ["partition"], faults, overUs, lost: [] };
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
  return { kinds: ["one-way", "link-down", "pause"], faults, overUs, lost: [] };
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

function randomFault(chance: Chance, kind: FaultKind, peers: Peers, overUs: number): Fault {
  const atUs = chance.integer(overUs);
  const long = chance.percent(45);
  const lastsUs = chance.between(50_000, long ? 12_000_000 : 2_500_000);
  const all = [...peers.controls, ...peers.workers];
  // Control peers are fewer and matter more: they are chosen as often as all workers together.
  const peer = chance.percent(60) ? chance.pick(peers.controls) : chance.pick(peers.workers);
  const when = { atUs, lastsUs };
  switch (kind) {
    case "partition":
      return { ...when, kind, side: chance.percent(50) ? [peer] : all.filter(() => chance.percent(50)) };
    case "link-down":
    case "one-way": {
      const others = peers.controls.filter((control) => control !== peer);
      const other = chance.pick(others.length > 0 ? others : peers.workers);
      return kind === "one-way"
        ? { ...when, kind, ...(chance.percent(50) ? { from: peer, to: other } : { from: other, to: peer }) }
        : { ...when, kind, between: [peer, other] };
    }
    case "fuse":
      return { ...when, kind, peer, effects: chance.integer(40) };
    case "crash":
    case "pause":
    case "slow-disk":
      return { ...when, kind, peer };
    case "stop":
      return { ...when, kind, peer: chance.pick(peers.workers) };
    case "slow-network":
      return { ...when, kind };
    default:
      throw new Error(`Bug: no such fault ${String(kind satisfies never)}`);
  }
}
