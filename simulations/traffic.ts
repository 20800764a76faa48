/**
 * What travels besides messages on links: announcements, which are flooded and may get lost, late, double and damaged,
 * and the answers of calls, which fail or come damaged. Both are judged by whoever gets them; neither is ever relied on.
 */

import type { Agenda } from "./agenda.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { PeerName } from "./observation.ts";
import { hashBetween } from "./random.ts";

export type GossipWeather = {
  readonly untilUs: number;
  readonly lostPercent: number;
  readonly copiesMax: number;
  readonly lateUsMax: number;
  readonly garbledPercent: number;
};

export type CallWeather = {
  readonly untilUs: number;
  readonly failedPercent: number;
  readonly garbledPercent: number;
};

const fairGossip: GossipWeather = {
  untilUs: 0,
  lostPercent: 20,
  copiesMax: 1,
  lateUsMax: 100_000,
  garbledPercent: 0,
};
const fairCalls: CallWeather = { untilUs: 0, failedPercent: 0, garbledPercent: 0 };

export type TrafficOptions = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly network: SimulatedNetwork;
  /** Brings an announcement to a peer. */
  readonly hear: (peer: PeerName, bytes: Uint8Array) => void;
};

export class Traffic {
  readonly #options: TrafficOptions;
  #gossip = fairGossip;
  #calls = fairCalls;
  #published = 0;
  #called = 0;

  constructor(options: TrafficOptions) {
    this.#options = options;
  }

  hurtGossip(weather: GossipWeather): void {
    this.#gossip = weather;
  }

  hurtCalls(weather: CallWeather): void {
    this.#calls = weather;
  }

  heal(): void {
    this.#gossip = fairGossip;
    this.#calls = fairCalls;
  }

  /** It may reach anybody that is linked, and need not. */
  publish(from: PeerName, bytes: Uint8Array): void {
    const { agenda, network, hear } = this.#options;
    const isHurt = agenda.nowUs < this.#gossip.untilUs;
    const { lostPercent, copiesMax, lateUsMax, garbledPercent } = isHurt ? this.#gossip : fairGossip;
    this.#published += 1;
    for (const to of network.linkedTo(from)) {
      const chance = (what: string, through: number) =>
        this.#chance(through, from, to, this.#published, what);
      if (chance("lost", 99) < lostPercent) continue;
      for (let copy = 0; copy <= chance("copies", copiesMax - 1); copy += 1) {
        const isGarbled = chance(`garbled ${copy}`, 99) < garbledPercent;
        const heard = isGarbled ? this.#garbled(bytes, `${from}${to}${copy}`) : bytes;
        agenda.in(5_000 + chance(`late ${copy}`, lateUsMax), () => hear(to, heard));
      }
    }
  }

  /** What comes of a call that would bring these bytes: them, others, or nothing. */
  answer(bytes: Uint8Array): Uint8Array | null {
    const { agenda } = this.#options;
    if (agenda.nowUs >= this.#calls.untilUs) return bytes;
    this.#called += 1;
    if (this.#chance(99, this.#called, "failed") < this.#calls.failedPercent) return null;
    const isGarbled = this.#chance(99, this.#called, "garbled") < this.#calls.garbledPercent;
    return isGarbled ? this.#garbled(bytes, String(this.#called)) : bytes;
  }

  #garbled(bytes: Uint8Array, what: string): Uint8Array {
    if (bytes.length === 0) return Uint8Array.of(1);
    const garbled = bytes.slice();
    const at = this.#chance(bytes.length - 1, what, this.#published, "at");
    garbled[at] = (garbled[at] ?? 0) ^ (1 << this.#chance(7, what, this.#published, "bit"));
    return garbled;
  }

  #chance(through: number, ...of: readonly (string | number)[]): number {
    return hashBetween(0, through, this.#options.seed, ...of);
  }
}
