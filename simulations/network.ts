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
import { hashBegun, hashBetween, hashFrom, within } from "./random.ts";

/** What a link brings to its end. */
export type Arrival =
  | { readonly kind: "up" }
  | { readonly kind: "down" }
  | { readonly kind: "frame"; readonly frame: unknown };

type Endpoint = {
  /** True when the peer's process is there to hear of it. */
  readonly lives: boolean;
  /** True when the process answers: a paused one keeps its links until the other side gives up. */
  readonly answers: boolean;
  arrive(from: PeerName, arrival: Arrival): void;
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

/** One end of a link, and what goes out from there. */
type Direction = {
  readonly link: Link;
  readonly from: PeerName;
  readonly to: PeerName;
  readyAtUs: number;
  stalledUntilUs: number;
  sent: number;
  /** True while the end sees the link. */
  sees: boolean;
  /** The beginning of what the times of its messages are hashes of, and the epoch that it is for. */
  begun: number;
  begunEpoch: number;
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
  readonly name: string;
  readonly directions: readonly [Direction, Direction];
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

const up: Arrival = { kind: "up" };
const down: Arrival = { kind: "down" };

export class SimulatedNetwork {
  readonly #options: NetworkOptions;
  readonly #links: Link[] = [];
  /** What goes out from each peer, by whom it goes to. */
  readonly #from = new Map<PeerName, Map<PeerName, Direction>>();
  readonly #fates = new Map<string, MessageFate>();
  #slowUntilUs = 0;
  #sent = 0;

  constructor(options: NetworkOptions) {
    this.#options = options;
    for (const fate of options.fates) this.#fates.set(`${fate.from}>${fate.to} ${fate.count}`, fate);
  }

  /** Messages that went out on a link which both ends saw. */
  get sent(): number {
    return this.#sent;
  }

  /** From now on the two keep trying to have a link. */
  connect(left: PeerName, right: PeerName): void {
    const directions: Direction[] = [];
    const link: Link = {
      name: left < right ? `${left}~${right}` : `${right}~${left}`,
      directions: directions as unknown as Link["directions"],
      up: false,
      epoch: 0,
      blockedUntilUs: 0,
      dialling: false,
      lateUntilUs: 0,
      deaths: 0,
    };
    directions.push(this.#newDirection(link, left, right), this.#newDirection(link, right, left));
    this.#links.push(link);
    this.#dialLater(link);
  }

  #newDirection(link: Link, from: PeerName, to: PeerName): Direction {
    const unhurt = { readyAtUs: 0, stalledUntilUs: 0, sent: 0, sees: false, lossy: lossless, clogged: wide };
    const direction: Direction = { link, from, to, ...unhurt, lateUs: 0, begun: 0, begunEpoch: -1 };
    const out = this.#from.get(from) ?? new Map<PeerName, Direction>();
    this.#from.set(from, out.set(to, direction));
    return direction;
  }

  send(from: PeerName, to: PeerName, frame: unknown): void {
    const direction = this.#direction(from, to);
    if (direction === undefined || !direction.sees || !direction.link.up) return;
    this.#sent += 1;
    this.#carry(direction, { kind: "frame", frame });
  }

  /** True when both ends see the link. */
  isUp(left: PeerName, right: PeerName): boolean {
    const link = this.#direction(left, right)?.link;
    return link !== undefined && isSeen(link);
  }

  /** Peers to which this one sees a link. */
  linkedTo(peer: PeerName): PeerName[] {
    const linked: PeerName[] = [];
    for (const { link, to } of this.#directionsOf(peer)) if (isSeen(link)) linked.push(to);
    return linked;
  }

  /** Breaks the link and keeps it from coming back before `untilUs`. */
  block(left: PeerName, right: PeerName, untilUs: number): void {
    const link = this.#direction(left, right)?.link;
    if (link === undefined) return;
    link.blockedUntilUs = Math.max(link.blockedUntilUs, untilUs);
    this.#break(link);
  }

  stall(from: PeerName, to: PeerName, untilUs: number): void {
    const direction = this.#direction(from, to);
    if (direction !== undefined) direction.stalledUntilUs = Math.max(direction.stalledUntilUs, untilUs);
  }

  /** Breaks the link as a side does that is sent what nobody can read. */
  reset(left: PeerName, right: PeerName): void {
    this.block(left, right, 0);
  }

  /** Of a hundred packets so many are lost, both ways. */
  lose(left: PeerName, right: PeerName, lossy: Lossy): void {
    for (const direction of this.#direction(left, right)?.link.directions ?? []) direction.lossy = lossy;
  }

  clog(from: PeerName, to: PeerName, clogged: Clogged): void {
    const direction = this.#direction(from, to);
    if (direction !== undefined) direction.clogged = clogged;
  }

  /** What is under way when the link breaks before then is late, not lost. */
  keepLate(left: PeerName, right: PeerName, untilUs: number): void {
    const link = this.#direction(left, right)?.link;
    if (link !== undefined) link.lateUntilUs = Math.max(link.lateUntilUs, untilUs);
  }

  /** Every message takes up to ten times as long. */
  slow(untilUs: number): void {
    this.#slowUntilUs = Math.max(this.#slowUntilUs, untilUs);
  }

  /** The process is gone: its links break, and it hears of nothing. */
  dropPeer(peer: PeerName): void {
    for (const direction of this.#directionsOf(peer)) {
      direction.sees = false;
      direction.link.deaths += 1;
      this.#break(direction.link);
    }
  }

  /** Nothing is blocked, stalled, lossy or narrow any more. */
  heal(): void {
    this.#slowUntilUs = 0;
    for (const link of this.#links) {
      link.blockedUntilUs = 0;
      for (const direction of link.directions)
        Object.assign(direction, { stalledUntilUs: 0, lossy: lossless, clogged: wide });
    }
  }

  #direction(from: PeerName, to: PeerName): Direction | undefined {
    return this.#from.get(from)?.get(to);
  }

  #directionsOf(peer: PeerName): Iterable<Direction> {
    return this.#from.get(peer)?.values() ?? [];
  }

  #break(link: Link): void {
    if (link.up) {
      link.up = false;
      link.epoch += 1;
      for (const direction of link.directions) this.#noticeBreak(direction);
    }
    this.#dialLater(link);
  }

  #noticeBreak(direction: Direction): void {
    if (!direction.sees) return;
    const { link, from, to } = direction;
    const { agenda, endpoint } = this.#options;
    const afterUs = this.#chance(link, "notice", 0, 20) < 15 ? 2_000 : this.#chance(link, from, 0, 3_000_000);
    const { epoch } = link;
    agenda.in(afterUs, () => {
      if (!direction.sees || link.epoch !== epoch) return;
      direction.sees = false;
      const end = endpoint(from);
      if (end.lives) end.arrive(to, down);
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
    const [one, other] = link.directions;
    const answers = endpoint(one.from).answers && endpoint(other.from).answers;
    if (blocked || one.sees || other.sees || !answers) return this.#dialLater(link);
    link.up = true;
    link.epoch += 1;
    for (const direction of link.directions) direction.readyAtUs = 0;
    this.#carry(one, up);
    // Where that takes too long the link is gone already.
    if (link.up) this.#carry(other, up);
  }

  #carry(direction: Direction, arrival: Arrival): void {
    const { link, from, to } = direction;
    const { agenda, endpoint } = this.#options;
    direction.sent += 1;
    const isFated = this.#fates.size > 0 && arrival.kind === "frame";
    const fate = isFated ? this.#fates.get(`${from}>${to} ${direction.sent}`) : undefined;
    if (fate?.fate === "drop") return;
    const takesUs = fate === undefined ? this.#takesUs(direction) : fate.delayUs;
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
      if (link.epoch !== epoch) return this.#late(direction, arrival, deaths);
      const end = endpoint(to);
      if (!end.lives) return;
      // The end sees the link from the moment that it is told of it.
      if (arrival.kind === "up") backOf(direction).sees = true;
      end.arrive(from, arrival);
    });
  }

  #takesUs(direction: Direction): number {
    const { link, from, to, sent, lossy } = direction;
    const { agenda, delayUs, seed } = this.#options;
    if (direction.begunEpoch !== link.epoch) {
      direction.begunEpoch = link.epoch;
      direction.begun = hashBegun([seed, link.name, link.epoch], from);
    }
    const slowness = agenda.nowUs < this.#slowUntilUs ? this.#chance(link, `slow${from}`, 1, 10) : 1;
    const [least, most] = delayUs(from, to);
    const takesUs = within(hashFrom(direction.begun, String(sent)), least, most) * slowness;
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
  #late(direction: Direction, arrival: Arrival, deaths: number): void {
    const { link, from, to } = direction;
    const { agenda, endpoint } = this.#options;
    const back = backOf(direction);
    if (arrival.kind !== "frame") return;
    if (agenda.nowUs >= link.lateUntilUs || link.deaths !== deaths) return;
    const copies = this.#chance(link, `copies ${from}${agenda.nowUs}`, 1, 2);
    for (let copy = 0; copy < copies; copy += 1) {
      const takesUs = this.#chance(link, `late ${from}${agenda.nowUs}${copy}`, 0, lateUsMax);
      direction.lateUs = Math.max(agenda.nowUs + takesUs, direction.lateUs);
      agenda.at(direction.lateUs, () => {
        const end = endpoint(to);
        if (back.sees && link.deaths === deaths && end.lives) end.arrive(from, arrival);
      });
    }
  }

  #chance(link: Link, what: string, from: number, through: number): number {
    return hashBetween(from, through, this.#options.seed, link.name, link.epoch, what);
  }
}

function isSeen({ up: isUp, directions: [one, other] }: Link): boolean {
  return isUp && one.sees && other.sees;
}

function backOf(direction: Direction): Direction {
  const [one, other] = direction.link.directions;
  return one === direction ? other : one;
}
