/**
 * A mesh as its owner describes it: sites with control peers and workers, how far they are from each other, how long
 * steps take. `mesh-file.ts` reads one; here one becomes the schedule of a world in which nothing goes wrong.
 */

import { isSettledByMesh, type Plan, requirementsOf } from "../protocol/plan.ts";
import { meetsRequirement } from "../protocol/names.ts";
import type { PeerName } from "./observation.ts";
import { hashBetween, hashOf } from "./random.ts";
import type { DelayUs, Schedule, ScheduledPeer } from "./schedule.ts";

export type MeshWorkers = {
  readonly count: number;
  readonly slots: number;
  readonly labels: readonly string[];
};

export type MeshSite = {
  readonly name: string;
  readonly controls: number;
  readonly workers: readonly MeshWorkers[];
};

export type Mesh = {
  readonly leaseMs: number;
  readonly sites: readonly MeshSite[];
  /** One way, on one site and between two; links of two named sites may have a time of their own. */
  readonly latencyUs: {
    readonly within: number;
    readonly between: number;
    readonly links: readonly { readonly between: readonly [string, string]; readonly latencyUs: number }[];
  };
  /** By the name of a step, or of what its cells come from. */
  readonly durationsMs: ReadonlyMap<string, number>;
  /** Of a step of which nothing is said. */
  readonly durationMs: number;
};

export const meshDefaults = {
  leaseMs: 30_000,
  durationMs: 30_000,
  slots: 2,
  latencyUs: { within: 500, between: 10_000, links: [] },
} as const;

/** Steps take up to so much longer or shorter than said. */
const spreadPercent = 20;
const submitUs = 3_000_000;
const answerAfterUs = 10_000_000;

/** Control peers and two workers that can do all that the plan asks for. */
export function defaultMesh(
  plan: Plan,
  {
    controls,
    leaseMs,
  }: { readonly controls: readonly { site: string; count: number }[]; readonly leaseMs: number },
): Mesh {
  const labels = [
    ...new Set(plan.steps.flatMap((step) => requirementsOf(step).map(labelThatMeets))),
  ].toSorted();
  const sites = controls.map(({ site, count }, index) => ({
    name: site,
    controls: count,
    workers: index === 0 ? [{ count: 2, slots: meshDefaults.slots, labels }] : [],
  }));
  const { durationMs, latencyUs } = meshDefaults;
  return { leaseMs, sites, latencyUs, durationsMs: new Map(), durationMs };
}

/** `cores>=8` is met by `cores=8`, `ruby~3` by `ruby=3`. */
function labelThatMeets(requirement: string): string {
  return requirement.replace(/>=|~/u, "=");
}

/** The same workers where they are, and so many control peers over so many sites, as evenly as it goes. */
export function respread(mesh: Mesh, controls: number, sites: number): Mesh {
  const named = mesh.sites.slice(0, sites).map(({ name }) => name);
  for (let letter = 0; named.length < sites; letter += 1) {
    const name = String.fromCharCode("a".charCodeAt(0) + letter);
    if (!mesh.sites.some((site) => site.name === name) && !named.includes(name)) named.push(name);
  }
  const kept = named.map((name, index): MeshSite => {
    const workers = mesh.sites.find((site) => site.name === name)?.workers ?? [];
    return { name, workers, controls: Math.floor(controls / sites) + (index < controls % sites ? 1 : 0) };
  });
  // Workers of sites that are no more stay, at sites without control peers.
  const others = mesh.sites.slice(sites).filter(({ workers }) => workers.length > 0);
  return { ...mesh, sites: [...kept, ...others.map((site) => ({ ...site, controls: 0 }))] };
}

export function controlsOf({ sites }: Mesh): number {
  return sites.reduce((sum, { controls }) => sum + controls, 0);
}

/** "3 control peers on 2 sites": sites where only workers are do not count. */
export function meshWords(mesh: Mesh): string {
  const sites = mesh.sites.filter(({ controls }) => controls > 0).length;
  const controls = controlsOf(mesh);
  return `${controls} control ${controls === 1 ? "peer" : "peers"} on ${sites} ${sites === 1 ? "site" : "sites"}`;
}

/** Steps that none of its workers may do, with what they ask for. */
export function stepsForNobody(
  mesh: Mesh,
  plan: Plan,
): readonly { step: string; labels: readonly string[] }[] {
  const workers = mesh.sites.flatMap((site) => site.workers).map(({ labels }) => new Set(labels));
  return plan.steps
    .filter((step) => step.included && !isSettledByMesh(step))
    .map((step) => ({ step: step.name, labels: requirementsOf(step) }))
    .filter(({ labels }) => !workers.some((has) => labels.every((label) => meetsRequirement(has, label))));
}

type Placed = ScheduledPeer & { readonly site: string };

function withoutSite({ site: _site, ...peer }: Placed): ScheduledPeer {
  return peer;
}

/** A world in which nothing goes wrong, and who is where in it. */
export type CalmWorld = { readonly schedule: Schedule; readonly siteOf: ReadonlyMap<PeerName, string> };

/** Everybody of the mesh, by site. */
function placedPeers(mesh: Mesh, seed: number): readonly Placed[] {
  return mesh.sites.flatMap(({ name: site, controls, workers }) => {
    const traits = (
      role: ScheduledPeer["role"],
      index: number,
      machine: Omit<MeshWorkers, "count">,
    ): Placed => {
      const name = `${site}-${role}${index}`;
      return {
        site,
        name,
        role,
        slots: machine.slots,
        labels: machine.labels,
        fastPpm: hashBetween(-100, 100, seed, name, "fast"),
        startUs: hashBetween(0, 1_000_000, seed, name, "start"),
      };
    };
    const every = workers.flatMap(({ count, ...machine }) => Array.from({ length: count }, () => machine));
    return [
      ...Array.from({ length: controls }, (_, index) => traits("control", index, { slots: 1, labels: [] })),
      ...every.map((machine, index) => traits("worker", index, machine)),
    ];
  });
}

/** The plan submitted once at any control peer, everybody there, nothing wrong, and people who say yes. */
export function calmWorld(mesh: Mesh, plan: Plan, seed: number): CalmWorld {
  const peers = placedPeers(mesh, seed);
  const controls = peers.filter(({ role }) => role === "control");
  const at = controls[hashOf(seed, "submitted at") % controls.length]?.name ?? "";
  const answers = plan.steps
    .filter(({ included, action }) => included && (action?.kind === "approve" || action?.kind === "wait"))
    .map(({ name }) => ({ step: name, atUs: submitUs + answerAfterUs, passes: true }));
  const durations = plan.steps.map(({ name, from }) => {
    const ms = mesh.durationsMs.get(name) ?? mesh.durationsMs.get(from) ?? mesh.durationMs;
    const part = Math.floor((ms * spreadPercent) / 100);
    return [name, [ms - part, ms + part]] as const;
  });
  const schedule: Schedule = {
    otto: "schedule/1",
    seed,
    peers: peers.map(withoutSite),
    leaseMs: mesh.leaseMs,
    delayUs: around(mesh.latencyUs.between),
    links: linksOf(mesh, peers),
    clocksAreSet: false,
    steps: {
      failed: 0,
      timedOut: 0,
      durationMsMax: mesh.durationMs,
      durationsMs: Object.fromEntries(durations),
    },
    runs: [{ nonce: `simulated ${seed}`, plan: askingAnybody(plan), at, submitUs, cancelUs: null, answers }],
    orders: null,
    faults: [],
    fates: [],
    overUs: submitUs,
    lost: [],
  };
  return { schedule, siteOf: new Map(peers.map(({ name, site }) => [name, site])) };
}

/** Nobody is asked by name: those people are not of the simulated domain. */
function askingAnybody(plan: Plan): Plan {
  const steps = plan.steps.map((step) =>
    step.action?.kind === "approve" ? { ...step, action: { ...step.action, by: [] } } : step,
  );
  return { ...plan, steps };
}

function linksOf(mesh: Mesh, peers: readonly Placed[]): Schedule["links"] {
  const { within, between, links } = mesh.latencyUs;
  return peers.flatMap((left, index) =>
    peers.slice(index + 1).flatMap((right) => {
      if (left.role === "worker" && right.role === "worker") return [];
      const own = links.find((link) => link.between.includes(left.site) && link.between.includes(right.site));
      const us = left.site === right.site ? within : (own?.latencyUs ?? between);
      return [{ between: [left.name, right.name] as [PeerName, PeerName], delayUs: around(us) }];
    }),
  );
}

/** A network is rarely faster than it is, and sometimes slower. */
function around(latencyUs: number): DelayUs {
  return [latencyUs, Math.ceil(latencyUs * 1.5)];
}
