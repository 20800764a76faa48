/**
 * What a user asks about: sites that are lost, upgrades, slow machines, keys that are revoked, bad networks. Each is
 * faults in the schedule of a world; the cores in it are the ones of a real process.
 */

import type { Fault } from "./faults.ts";
import type { CalmWorld } from "./mesh.ts";
import type { PeerName } from "./observation.ts";
import { hashBetween, hashOf } from "./random.ts";
import type { Schedule } from "./schedule.ts";

export const scenarioNames = [
  "site-loss",
  "rolling-upgrade",
  "slow-worker",
  "key-revoked",
  "flaky-network",
] as const;
export type ScenarioName = (typeof scenarioNames)[number];

/** What happens, to whom where that is asked, and when. */
export type Scenario = { readonly name: ScenarioName; readonly site: string | null };

export type Window = { readonly fromUs: number; readonly lastsUs: number };

/** How many times as long steps take at the slow worker. */
const slowness = 5;
/** How long a process that is upgraded is away, and how long after it the next one is upgraded. */
const upgradeDownUs = 5_000_000;
const upgradeEveryUs = 20_000_000;

export const scenarioWords: Readonly<Record<ScenarioName, string>> = {
  "site-loss": "every machine of a site loses its power",
  "rolling-upgrade": `one process after another is restarted, each away for ${upgradeDownUs / 1_000_000} s, a new one every ${upgradeEveryUs / 1_000_000} s`,
  "slow-worker": `steps at one worker take ${slowness} times as long`,
  "key-revoked": "one worker's certificate is refused from a moment on, for good",
  "flaky-network": "links break for seconds, stall in one direction and are slow, again and again",
};

/** The same world with the scenario in it. It is over, and all is healed, at the end of the window. */
export function withScenario(world: CalmWorld, { name, site }: Scenario, window: Window): Schedule {
  const { schedule } = world;
  const workers = schedule.peers.filter(({ role }) => role === "worker");
  const chosen = workers[hashOf(schedule.seed, name, "chosen") % Math.max(1, workers.length)]?.name ?? "";
  const plain = { ...schedule, overUs: window.fromUs + window.lastsUs };
  switch (name) {
    case "site-loss":
      return { ...plain, faults: siteLoss(world, site, window) };
    case "rolling-upgrade":
      return { ...plain, faults: upgrades(schedule, window) };
    case "slow-worker":
      return {
        ...plain,
        peers: schedule.peers.map((peer) => (peer.name === chosen ? { ...peer, slowness } : peer)),
      };
    case "key-revoked":
      // All that a peer whose certificate is refused can see: no control peer has a link with it any more.
      return { ...plain, faults: [{ ...when(window), kind: "partition", side: [chosen] }], lost: [chosen] };
    case "flaky-network":
      return { ...plain, faults: flaky(schedule, window) };
    default:
      throw new Error(`Bug: no such scenario ${String(name satisfies never)}`);
  }
}

function when({ fromUs, lastsUs }: Window): { readonly atUs: number; readonly lastsUs: number } {
  return { atUs: fromUs, lastsUs };
}

function siteLoss({ schedule, siteOf }: CalmWorld, site: string | null, window: Window): Fault[] {
  return schedule.peers
    .filter(({ name }) => siteOf.get(name) === site)
    .map(({ name }) => ({ ...when(window), kind: "crash", peer: name }));
}

/** Control peers are killed, as an upgrade that is in a hurry does; workers give their steps back first. */
function upgrades({ peers }: Schedule, { fromUs }: Window): Fault[] {
  return peers.map(({ name, role }, index) => ({
    atUs: fromUs + index * upgradeEveryUs,
    lastsUs: upgradeDownUs,
    kind: role === "control" ? "crash" : "stop",
    peer: name,
  }));
}

/** When the last process that is upgraded has been back for a while. */
export function upgradesLastUs(peers: number): number {
  return peers * upgradeEveryUs + upgradeDownUs;
}

function flaky({ seed, links }: Schedule, { fromUs, lastsUs }: Window): Fault[] {
  const faults: Fault[] = [];
  for (const { between } of links) {
    const [from, to] = between;
    const chance = (least: number, most: number, ...what: readonly (string | number)[]): number =>
      hashBetween(least, most, seed, from, to, ...what);
    let atUs = fromUs + chance(0, 30_000_000, "first");
    for (let count = 0; atUs < fromUs + lastsUs; count += 1) {
      const fault = { atUs, lastsUs: chance(200_000, 8_000_000, count, "lasts") };
      const way: readonly [PeerName, PeerName] = chance(0, 1, count, "way") === 0 ? [from, to] : [to, from];
      if (chance(0, 2, count, "kind") > 0) faults.push({ ...fault, kind: "link-down", between });
      else faults.push({ ...fault, kind: "one-way", from: way[0], to: way[1] });
      atUs += chance(5_000_000, 60_000_000, count, "next");
    }
  }
  for (let atUs = fromUs; atUs < fromUs + lastsUs; atUs += 45_000_000)
    faults.push({ atUs, lastsUs: 10_000_000, kind: "slow-network" });
  return faults.toSorted((left, right) => left.atUs - right.atUs);
}
