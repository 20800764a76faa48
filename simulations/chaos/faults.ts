/**
 * What goes wrong between and in real processes, as data from a seed: a schedule is a list, so that one fault can be
 * taken out and the rest stays. Links are cut and slowed by proxies (`links.ts`), processes by signals (`nodes.ts`).
 *
 * Most schedules hold every kind at least once, the others a random half of the kinds, so that one kind does not
 * hide what another would show.
 */

import type { Chance } from "../random.ts";

type Pair = readonly [string, string];

export type ChaosFault = { readonly atMs: number; readonly lastsMs: number } &
  /** Nothing passes between the two sides; what is on its way arrives when the fault is over, as in a pulled cable. */
  (
    | { readonly kind: "partition"; readonly side: readonly string[] }
    /** Nothing passes in one direction, though the link seems up. */
    | { readonly kind: "one-way"; readonly from: string; readonly to: string }
    | { readonly kind: "delay"; readonly between: Pair; readonly delayMs: number }
    | { readonly kind: "throttle"; readonly between: Pair; readonly bytesPerSecond: number }
    /** Both sides are told at once that the connection is gone; they may connect again. */
    | { readonly kind: "reset"; readonly between: Pair }
    /** SIGKILL, and a start on the same folder when the fault is over. */
    | { readonly kind: "kill"; readonly peer: string }
    /** SIGTERM, and a start on the same folder. */
    | { readonly kind: "restart"; readonly peer: string }
    /** SIGSTOP to the node's process alone: its steps go on. */
    | { readonly kind: "pause"; readonly peer: string }
    /** SIGSTOP to everything that the node has started, too: a machine that sleeps. */
    | { readonly kind: "suspend"; readonly peer: string }
  );

export type ChaosFaultKind = ChaosFault["kind"];

export const chaosFaultKinds: readonly ChaosFaultKind[] = [
  "partition",
  "one-way",
  "delay",
  "throttle",
  "reset",
  "kill",
  "restart",
  "pause",
  "suspend",
];

/** One begins this often on average: less, and processes that start are all that is seen. */
const faultEveryMs = 2_500;

export type ChaosPeers = { readonly controls: readonly string[]; readonly workers: readonly string[] };

/** @param overMs when everything is healed: no fault lasts longer. */
export function chaosFaults(chance: Chance, peers: ChaosPeers, overMs: number): readonly ChaosFault[] {
  const kinds = chance.percent(70) ? chaosFaultKinds : halfOf(chance);
  const count = Math.max(1, Math.floor(overMs / faultEveryMs));
  const first = chance.shuffled(kinds).slice(0, count);
  const more = Array.from({ length: count - first.length }, () => chance.pick(kinds));
  const slotMs = overMs / count;
  return [...first, ...more].map((kind, index) => {
    const atMs = Math.floor(index * slotMs + chance.integer(Math.max(1, Math.floor(slotMs))));
    const lastsMs = chance.percent(30) ? chance.between(3_000, 9_000) : chance.between(200, 3_000);
    return faultOf(chance, kind, peers, { atMs, lastsMs: Math.min(lastsMs, overMs - atMs) });
  });
}

function halfOf(chance: Chance): readonly ChaosFaultKind[] {
  const half = chaosFaultKinds.filter(() => chance.percent(50));
  return half.length > 0 ? half : [chance.pick(chaosFaultKinds)];
}

function faultOf(
  chance: Chance,
  kind: ChaosFaultKind,
  { controls, workers }: ChaosPeers,
  when: { readonly atMs: number; readonly lastsMs: number },
): ChaosFault {
  // Control peers are fewer and matter more: they are chosen as often as all workers together.
  const peer = chance.percent(60) ? chance.pick(controls) : chance.pick(workers);
  // Workers are linked to control peers alone.
  const other = chance.pick(controls.filter((control) => control !== peer));
  const between: Pair = [peer, other];
  switch (kind) {
    case "partition": {
      const all = [...controls, ...workers];
      const side = chance.percent(50) ? [peer] : all.filter(() => chance.percent(50));
      return { ...when, kind, side: side.length > 0 ? side : [peer] };
    }
    case "one-way":
      return chance.percent(50)
        ? { ...when, kind, from: peer, to: other }
        : { ...when, kind, from: other, to: peer };
    case "delay":
      return { ...when, kind, between, delayMs: chance.between(20, 800) };
    case "throttle":
      return { ...when, kind, between, bytesPerSecond: chance.between(2, 50) * 1_000 };
    case "reset":
      return { ...when, kind, between };
    case "kill":
    case "restart":
    case "pause":
    case "suspend":
      return { ...when, kind, peer };
    default:
      throw new Error(`Bug: no such fault ${String(kind satisfies never)}`);
  }
}

/** One line, for people. */
export function faultText(fault: ChaosFault): string {
  const { kind, atMs, lastsMs } = fault;
  return `${(atMs / 1_000).toFixed(1).padStart(6)} s  ${kind} ${whatOf(fault)} for ${(lastsMs / 1_000).toFixed(1)} s`;
}

function whatOf(fault: ChaosFault): string {
  switch (fault.kind) {
    case "partition":
      return fault.side.join(" ");
    case "one-way":
      return `${fault.from} -> ${fault.to}`;
    case "delay":
      return `${fault.between.join(" - ")} by ${fault.delayMs} ms`;
    case "throttle":
      return `${fault.between.join(" - ")} to ${fault.bytesPerSecond / 1_000} kB/s`;
    case "reset":
      return fault.between.join(" - ");
    case "kill":
    case "restart":
    case "pause":
    case "suspend":
      return fault.peer;
    default:
      throw new Error(`Bug: no such fault ${JSON.stringify(fault satisfies never)}`);
  }
}
