/**
 * Links between peers: in order while they are up, each direction by itself; nothing is delivered twice; what is
 * under way when a link breaks is lost; each side learns of the break in its own time, and until then what it sends
 * goes nowhere. A stalled direction delivers nothing until the stall is over (TCP when packets are dropped one way).
 *
 * What is lost in the wire is sent again, later each time, and all behind it waits; whoever is not answered for too
 * long resets the link, and so does a queue that grows too long. Only what was under way on a link that broke may, where
 * a fault says so, arrive on the next one after all: late, behind what was sent later, and twice.
 */

import type { Agenda } from "./agenda.ts";
import type { PeerName } from "./observation.ts";
import { hashBetween } from "./random.ts";

/** What a link brings to its end. `null`: the life at that end is gone. */
export type Arrival =
  | { readonly kind: "up" }
  | { readonly kind: "down" }
  | { readonly kind: "frame"; readonly frame: unknown };

type Endpoint = {
  /** True when the peer's process is there to hear of it. */
  readonly lives: () => boolean;
  /** True when the process answers: a paused one keeps its links until the other side gives up. */
  readonly answers: () => boolean;
  readonly arrive: (from: PeerName, arrival: Arrival) => void;
};

/** What becomes of one message: the `count`-th that goes from the one to the other, where news of the link counts too. */
export type MessageFate = { readonly from: PeerName; readonly to: PeerName; readonly count: number } & (
  | { readonly fate: "drop" }
  | { readonly fate: "delay"; readonly delayUs: number }
);

/** A message as it is sent on a link, and how long it takes. */
export type Carried = {
  readonly from: PeerName;
  readonly to: PeerName;
  readonly count: number;
  readonly takesUs: number;
};

type Direction = {
  readyAtUs: number;
  stalledUntilUs: number;
  sent: number;
  sees: boolean;
  lossy: Lossy;
  clogged: Clogged;
  /** When the last of what was under way on a link that broke arrives. */
  lateUs: number;
};

type Lossy = { readonly untilUs: number; readonly percent: number };
type Clogged = { readonly untilUs: number; readonly messageUs: number };

const lossless: Lossy = { untilUs: 0, percent: 0 };
const wide: Clogged = { untilUs: 0, messageUs: 0 };

/** The first time that TCP waits before it sends again; it doubles each time, and after so many it gives up. */
const resendUs = 200_000;
const resendsMax = 6;
/** How long what is queued may take to get through before the sender gives the link up. */
const queuedUsMax = 10_000_000;
const lateUsMax = 3_000_000;

type Link = {
  readonly ends: readonly [PeerName, PeerName];
  readonly name: string;
  readonly directions: ReadonlyMap<PeerName, Direction>;
  up: boolean;
  /** Rises with each break and each new start: what was sent before does not arrive after. */
  epoch: number;
  blockedUntilUs: number;
  dialling: boolean;
  lateUntilUs: number;
  /** How many processes at its ends have died: what was sent to one of them reaches no other. */
  deaths: number;
};

export type NetworkOptions = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly delayUs: (from: PeerName, to: PeerName) => readonly [least: number, most: number];
  readonly fates: readonly MessageFate[];
  readonly carried?: ((message: Carried) => void) | undefined;
  readonly endpoint: (peer: PeerName) => Endpoint;
};

export class SimulatedNetwork {
  readonly #options: NetworkOptions;
  readonly #links = new Map<string, Link>();
  readonly #fates = new Map<string, MessageFate>();
  #slowUntilUs = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
    for (const fate of options.fates) this.#fates.set(`${fate.from}>${fate.to} ${fate.count}`, fate);
  }

  /** From now on the two keep trying to have a link. */
  connect(left: PeerName, right: PeerName): void {
    const unhurt = { readyAtUs: 0, stalledUntilUs: 0, sent: 0, sees: false, lossy: lossless, clogged: wide };
    const direction = (): Direction => ({ ...unhurt, lateUs: 0 });
    const directions = new Map([
      [left, direction()],
      [right, direction()],
    ]);
    const name = linkName(left, right);
    const link: Link = {
      ends: [left, right],
      name,
      directions,
      up: false,
      epoch: 0,
      blockedUntilUs: 0,
      dialling: false,
      lateUntilUs: 0,
      deaths: 0,
    };
    this.#links.set(name, link);
    this.#dialLater(link);
  }

  send(from: PeerName, to: PeerName, frame: unknown): void {
    const link = this.#links.get(linkName(from, to));
    const direction = link?.directions.get(from);
    if (link === undefined || direction === undefined || !direction.sees || !link.up) return;
    this.#carry(link, { from, to }, { kind: "frame", frame });
  }

  /** True when both ends see the link. */
  isUp(left: PeerName, right: PeerName): boolean {
    const link = this.#links.get(linkName(left, right));
    if (link === undefined || !link.up) return false;
    return [...link.directions.values()].every(({ sees }) => sees);
  }

  /** Peers to which this one sees a link. */
  linkedTo(peer: PeerName): PeerName[] {
    const linked: PeerName[] = [];
    for (const link of this.#links.values())
      if (link.up && link.ends.includes(peer) && this.isUp(...link.ends))
        linked.push(link.ends[0] === peer ? link.ends[1] : link.ends[0]);
    return linked;
  }

  /** Breaks the link and keeps it from coming back before `untilUs`. */
  block(left: PeerName, right: PeerName, untilUs: number): void {
    const link = this.#links.get(linkName(left, right));
    if (link === undefined) return;
    link.blockedUntilUs = Math.max(link.blockedUntilUs, untilUs);
    this.#break(link);
  }

  stall(from: PeerName, to: PeerName, untilUs: number): void {
    const direction = this.#links.get(linkName(from, to))?.directions.get(from);
    if (direction !== undefined) direction.stalledUntilUs = Math.max(direction.stalledUntilUs, untilUs);
  }

  /** Breaks the link as a side does that is sent what nobody can read. */
  reset(left: PeerName, right: PeerName): void {
    this.block(left, right, 0);
  }

  /** Of a hundred packets so many are lost, both ways. */
  lose(left: PeerName, right: PeerName, lossy: Lossy): void {
    for (const direction of this.#links.get(linkName(left, right))?.directions.values() ?? [])
      direction.lossy = lossy;
  }

  clog(from: PeerName, to: PeerName, clogged: Clogged): void {
    const direction = this.#links.get(linkName(from, to))?.directions.get(from);
    if (direction !== undefined) direction.clogged = clogged;
  }

  /** What is under way when the link breaks before then is late, not lost. */
  keepLate(left: PeerName, right: PeerName, untilUs: number): void {
    const link = this.#links.get(linkName(left, right));
    if (link !== undefined) link.lateUntilUs = Math.max(link.lateUntilUs, untilUs);
  }

  /** Every message takes up to ten times as long. */
  slow(untilUs: number): void {
    this.#slowUntilUs = Math.max(this.#slowUntilUs, untilUs);
  }

  /** The process is gone: its links break, and it hears of nothing. */
  dropPeer(peer: PeerName): void {
    for (const link of this.#links.values()) {
      if (!link.ends.includes(peer)) continue;
      const own = link.directions.get(peer);
      if (own !== undefined) own.sees = false;
      link.deaths += 1;
      this.#break(link);
    }
  }

  /** Nothing is blocked, stalled, lossy or narrow any more. */
  heal(): void {
    this.#slowUntilUs = 0;
    for (const link of this.#links.values()) {
      link.blockedUntilUs = 0;
      for (const direction of link.directions.values())
        Object.assign(direction, { stalledUntilUs: 0, lossy: lossless, clogged: wide });
    }
  }

  #break(link: Link): void {
    if (link.up) {
      link.up = false;
      link.epoch += 1;
      for (const end of link.ends) this.#noticeBreak(link, end);
    }
    this.#dialLater(link);
  }

  #noticeBreak(link: Link, end: PeerName): void {
    const direction = link.directions.get(end);
    if (direction === undefined || !direction.sees) return;
    const other = link.ends[0] === end ? link.ends[1] : link.ends[0];
    const { agenda, endpoint } = this.#options;
    const afterUs = this.#chance(link, "notice", 0, 20) < 15 ? 2_000 : this.#chance(link, end, 0, 3_000_000);
    const { epoch } = link;
    agenda.in(afterUs, () => {
      if (!direction.sees || link.epoch !== epoch) return;
      direction.sees = false;
      if (endpoint(end).lives()) endpoint(end).arrive(other, { kind: "down" });
    });
  }

  #dialLater(link: Link): void {
    if (link.dialling || link.up) return;
    link.dialling = true;
    this.#options.agenda.in(this.#chance(link, "dial", 20_000, 400_000), () => {
      link.dialling = false;
      this.#dial(link);
    });
  }

  #dial(link: Link): void {
    const { agenda, endpoint } = this.#options;
    const blocked = link.blockedUntilUs > agenda.nowUs;
    const stillSeen = [...link.directions.values()].some(({ sees }) => sees);
    if (blocked || stillSeen || !link.ends.every((end) => endpoint(end).answers()))
      return this.#dialLater(link);
    link.up = true;
    link.epoch += 1;
    for (const direction of link.directions.values()) direction.readyAtUs = 0;
    const [left, right] = link.ends;
    this.#carry(link, { from: left, to: right }, { kind: "up" });
    this.#carry(link, { from: right, to: left }, { kind: "up" });
  }

  #carry(
    link: Link,
    { from, to }: { readonly from: PeerName; readonly to: PeerName },
    arrival: Arrival,
  ): void {
    const direction = link.directions.get(from);
    const back = link.directions.get(to);
    if (direction === undefined || back === undefined) return;
    const { agenda, endpoint } = this.#options;
    direction.sent += 1;
    const isFated = this.#fates.size > 0 && arrival.kind === "frame";
    const fate = isFated ? this.#fates.get(`${from}>${to} ${direction.sent}`) : undefined;
    if (fate?.fate === "drop") return;
    const takesUs = fate === undefined ? this.#takesUs(link, { from, to }, direction) : fate.delayUs;
    const isNarrow = agenda.nowUs < direction.clogged.untilUs;
    const through = isNarrow ? Math.max(agenda.nowUs, direction.readyAtUs) + direction.clogged.messageUs : 0;
    const arrivesUs = Math.max(
      agenda.nowUs + takesUs,
      direction.readyAtUs,
      direction.stalledUntilUs,
      through,
    );
    direction.readyAtUs = arrivesUs;
    if (arrival.kind === "frame")
      this.#options.carried?.({ from, to, count: direction.sent, takesUs: arrivesUs - agenda.nowUs });
    const { epoch, deaths } = link;
    if (isNarrow && arrivesUs - agenda.nowUs > queuedUsMax) return this.#break(link);
    agenda.at(arrivesUs, () => {
      if (link.epoch !== epoch) return this.#late(link, { from, to }, arrival, deaths);
      if (!endpoint(to).lives()) return;
      // The end sees the link from the moment that it is told of it.
      if (arrival.kind === "up") back.sees = true;
      endpoint(to).arrive(from, arrival);
    });
  }

  #takesUs(
    link: Link,
    { from, to }: { readonly from: PeerName; readonly to: PeerName },
    { sent, lossy }: Direction,
  ): number {
    const { agenda, delayUs } = this.#options;
    const slowness = agenda.nowUs < this.#slowUntilUs ? this.#chance(link, `slow${from}`, 1, 10) : 1;
    const takesUs = this.#chance(link, `${from}${sent}`, ...delayUs(from, to)) * slowness;
    if (agenda.nowUs >= lossy.untilUs) return takesUs;
    let resends = 0;
    while (
      resends < resendsMax &&
      this.#chance(link, `lost ${from}${sent} ${resends}`, 0, 99) < lossy.percent
    )
      resends += 1;
    const waitedUs = resendUs * (2 ** resends - 1);
    if (resends === resendsMax) {
      const { epoch } = link;
      agenda.in(waitedUs, () => {
        if (link.epoch === epoch) this.#break(link);
      });
    }
    return takesUs + waitedUs;
  }

  /** The link that it was sent on is gone. */
  #late(
    link: Link,
    { from, to }: { readonly from: PeerName; readonly to: PeerName },
    arrival: Arrival,
    deaths: number,
  ): void {
    const { agenda, endpoint } = this.#options;
    const direction = link.directions.get(from);
    const back = link.directions.get(to);
    if (arrival.kind !== "frame" || direction === undefined || back === undefined) return;
    if (agenda.nowUs >= link.lateUntilUs || link.deaths !== deaths) return;
    const copies = this.#chance(link, `copies ${from}${agenda.nowUs}`, 1, 2);
    for (let copy = 0; copy < copies; copy += 1) {
      const takesUs = this.#chance(link, `late ${from}${agenda.nowUs}${copy}`, 0, lateUsMax);
      direction.lateUs = Math.max(agenda.nowUs + takesUs, direction.lateUs);
      agenda.at(direction.lateUs, () => {
        if (back.sees && link.deaths === deaths && endpoint(to).lives()) endpoint(to).arrive(from, arrival);
      });
    }
  }

  #chance(link: Link, what: string, from: number, through: number): number {
    return hashBetween(from, through, this.#options.seed, link.name, link.epoch, what);
  }
}

function linkName(left: PeerName, right: PeerName): string {
  return left < right ? `${left}~${right}` : `${right}~${left}`;
}
