/**
 * Everything that a world is made of, as data: who is in it, what they are asked to do and when, and what goes wrong.
 *
 * Plain JSON: a schedule can be written to a file, made smaller and run again. `generate.ts` makes one from a seed,
 * `read-schedule.ts` reads one. What is left to chance below this (how long a message takes, how a step ends) is a hash
 * of the seed and of the thing's own name, so taking something out leaves the rest as it was.
 */

import type { OrderedSlots } from "../protocol/standing-order.ts";
import type { Plan } from "../protocol/plan.ts";
import type { Policy } from "../protocol/policy.ts";
import type { Fault } from "./faults.ts";
import type { MessageFate } from "./network.ts";
import type { PeerName } from "./observation.ts";

/** Least and most, in microseconds. */
export type DelayUs = readonly [least: number, most: number];

export type ScheduledPeer = {
  readonly name: PeerName;
  readonly role: "control" | "worker";
  readonly labels: readonly string[];
  readonly slots: number;
  /** Parts per million by which its clocks run fast. */
  readonly fastPpm: number;
  readonly startUs: number;
  /** How many times as long as elsewhere steps take there; 1 when it is not said. */
  readonly slowness?: number;
};

export type ScheduledRun = {
  readonly nonce: string;
  readonly plan: Plan;
  /** The peer that a person submits it at, again and again until that peer has it. */
  readonly at: PeerName;
  readonly submitUs: number;
  /** For how long it may be admitted, from then on; a day when it is not said. */
  readonly validForMs?: number;
  /** When a person wants it cancelled. */
  readonly cancelUs: number | null;
  /** Steps that people, or things outside, begin to settle then. */
  readonly answers: readonly {
    readonly step: string;
    readonly atUs: number;
    /** They say yes until the step is over; else they say what chance has them say, a few times. */
    readonly passes?: boolean;
  }[];
};

export type ScheduledOrder = {
  readonly nonce: string;
  readonly plan: Plan;
  readonly at: PeerName;
  readonly giveUs: number;
  /** Of two orders for one pipeline the one with the higher revision counts. */
  readonly revision: number;
  readonly slots: readonly OrderedSlots[];
};

/** Standing orders, and pipelines whose schedule a person wants removed. */
export type ScheduledOrders = {
  readonly given: readonly ScheduledOrder[];
  readonly removed: readonly { readonly pipeline: string; readonly atUs: number }[];
};

/** What the domain's owner demands of steps, one version after the other, and what people say to that. */
export type ScheduledGates = {
  readonly policies: readonly { readonly atUs: number; readonly policy: Policy }[];
  readonly people: readonly ScheduledApprover[];
};

export type ScheduledApprover = {
  readonly person: string;
  /** The nonce of the run. */
  readonly run: string;
  readonly step: string;
  readonly atUs: number;
  /** Yes or no to what waits, yes to something that does not, or what somebody has signed for another gate. */
  readonly says: "yes" | "no" | "something-else" | "again";
};

/** How calls go between two domains until all is healed, and which control peers of either lie about what crosses. */
export type ScheduledCrossing = { readonly lostPercent: number; readonly liars: readonly PeerName[] };

/** A domain that steps are released to: a world of its own at the same time, in which nobody submits anything. */
export type ScheduledNeighbour = ScheduledCrossing & { readonly schedule: Schedule };

export type Schedule = {
  /** The format; a field that comes later has a value for files that do not name it. */
  readonly otto: "schedule/1";
  readonly seed: number;
  readonly peers: readonly ScheduledPeer[];
  readonly leaseMs: number;
  /** How long messages take, but on the links that have a time of their own. */
  readonly delayUs: DelayUs;
  readonly links: readonly { readonly between: readonly [PeerName, PeerName]; readonly delayUs: DelayUs }[];
  /** True when each start of a process may find the machine's wall clock set anew. */
  readonly clocksAreSet: boolean;
  readonly steps: {
    /** Of a hundred attempts so many fail, and so many run out of time. */
    readonly failed: number;
    readonly timedOut: number;
    readonly durationMsMax: number;
    /** Of these steps, least and most. */
    readonly durationsMs?: Readonly<Record<string, readonly [least: number, most: number]>>;
  };
  readonly runs: readonly ScheduledRun[];
  /** Null where nothing is ordered: such a world need not last until a slot. */
  readonly orders: ScheduledOrders | null;
  readonly gates?: ScheduledGates;
  readonly neighbour?: ScheduledNeighbour;
  readonly faults: readonly Fault[];
  /** Single messages with a fate of their own. */
  readonly fates: readonly MessageFate[];
  /** When somebody else who has a control peer's key forges an entry of its log. */
  readonly forgedUs?: readonly number[];
  /** Control peers that are not members at first. */
  readonly spares?: readonly PeerName[];
  /** When everything is healed. */
  readonly overUs: number;
  /** Peers that never come back: fewer than half of the control peers. */
  readonly lost: readonly PeerName[];
};

/** How many control peers vote while the fewest of them do: spares have no vote at first, and the owner may take one away. */
export function votersMin({ peers, spares = [], faults }: Schedule): number {
  const first = peers.filter(({ name, role }) => role === "control" && !spares.includes(name)).length;
  const later = faults.flatMap((fault) => (fault.kind === "recharter" ? [fault.controls.length] : []));
  return Math.min(first, ...later);
}

/**
 * True when a home that is false may be half of those who vote, or more. One that votes alone is itself the majority that permits, and
 * no promise bears that.
 */
export function isRuledFalsely(schedule: Schedule): boolean {
  return schedule.faults.some(({ kind }) => kind === "false-home") && votersMin(schedule) < 3;
}

/** The kinds of its faults, each once, in the order of the alphabet. */
export function faultKindsOf({ faults, fates }: Schedule): string[] {
  const kinds = [...faults.map(({ kind }) => kind), ...fates.map(({ fate }) => `message-${fate}`)];
  return [...new Set(kinds)].toSorted();
}
