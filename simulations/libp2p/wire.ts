/**
 * What carries bytes between simulated machines, as a transport of libp2p: connections with latency, in order, with
 * buffers that fill up; links that break and are told so late; directions that stall and deliver afterwards, as TCP
 * does; and addresses at which nobody answers.
 *
 * Fates are hashes of the seed and of what is sent, not draws, as in `simulations/network.ts`.
 */

import { AbortError } from "@libp2p/interface";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import type { Agenda } from "../agenda.ts";
import type { PeerName } from "../observation.ts";
import { hashBetween } from "../random.ts";
import { addressOf, Host } from "./host.ts";
import type { Reach } from "./virtual-globals.ts";
import { type Link, Wired } from "./wired.ts";

/** A hundredth of a microsecond a byte: 100 MB a second. */
const bytesPerUs = 100;
/** How often a machine that does not answer is asked again, while the dialler waits. */
const synAgainUs = 1_000_000;

export type WireOptions = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly delayUs: readonly [least: number, most: number];
};

export class Wire {
  readonly #options: WireOptions;
  readonly #links = new Map<string, Link>();
  /** Which machine an address is. */
  readonly #machines = new Map<string, PeerName>();
  readonly #hosts = new Map<PeerName, Host>();
  #slowUntilUs = 0;
  #dials = 0;

  constructor(options: WireOptions) {
    this.#options = options;
  }

  get nowUs(): number {
    return this.#options.agenda.nowUs;
  }

  /** The machine's own address. */
  addressOf(name: PeerName): string {
    for (const [address, machine] of this.#machines) if (machine === name) return address;
    const number = this.#machines.size + 1;
    const address = `/ip4/10.0.${Math.floor(number / 250)}.${(number % 250) + 1}/tcp/4105`;
    this.#machines.set(address, name);
    return address;
  }

  /** A process starts on the machine; whatever ran there before is gone. */
  start(name: PeerName, reach: Reach): Host {
    this.stop(name);
    const host = new Host(name, reach, this);
    this.#hosts.set(name, host);
    return host;
  }

  /** The process on the machine is gone, as with `kill -9`: the other ends of its connections are reset. */
  stop(name: PeerName): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    this.#hosts.delete(name);
    host.dead = true;
    for (const link of this.#links.values())
      for (const connection of link.connections) if (connection.host === host) this.#break(connection);
  }

  async dial(from: Host, address: Multiaddr, signal: AbortSignal): Promise<Wired> {
    const to = this.#machines.get(addressOf(address) ?? "");
    if (to === undefined) throw new Error("connection refused: there is no such machine");
    const link = this.#link(from.name, to);
    this.#dials += 1;
    const dial = this.#dials;
    return await new Promise<Wired>((resolve, reject) => {
      const aborted = (): void => reject(new AbortError());
      signal.addEventListener("abort", aborted, { once: true });
      const knock = (): void => {
        if (signal.aborted || from.dead) return;
        const isAway = link.blockedUntilUs > this.nowUs || this.#isStalled(link);
        if (isAway) return this.later(this.nowUs + synAgainUs, knock);
        from.run(() => {
          if (signal.aborted) return;
          const connection = this.#connect(from, to, link, address);
          if (connection === null) reject(new Error("connection refused"));
          else resolve(connection);
        });
      };
      const there = this.#delayUs(link, `dial ${dial}`);
      this.later(this.nowUs + there * 2, knock);
    });
  }

  /** Breaks the link and keeps it from coming back before `untilUs`. */
  block(left: PeerName, right: PeerName, untilUs: number): void {
    const link = this.#link(left, right);
    link.blockedUntilUs = Math.max(link.blockedUntilUs, untilUs);
    for (const connection of link.connections) this.#break(connection);
  }

  stall(from: PeerName, to: PeerName, untilUs: number): void {
    const direction = this.#link(from, to).directions.get(from);
    if (direction !== undefined) direction.stalledUntilUs = Math.max(direction.stalledUntilUs, untilUs);
  }

  slow(untilUs: number): void {
    this.#slowUntilUs = Math.max(this.#slowUntilUs, untilUs);
  }

  /** Nothing is blocked or stalled any more; what was held up is on its way at the latest when its stall was to end. */
  heal(): void {
    this.#slowUntilUs = 0;
    for (const link of this.#links.values()) {
      link.blockedUntilUs = 0;
      for (const direction of link.directions.values()) direction.stalledUntilUs = 0;
    }
  }

  /** No byte passes between the two ends any more. */
  cut(connection: Wired): void {
    for (const end of [connection, connection.other]) {
      end?.lose();
      if (end !== null) end.link.connections.delete(end);
    }
  }

  arrivalUs(from: Wired, bytes: number, notBeforeUs: number): number {
    const { link, host } = from;
    const direction = link.directions.get(host.name);
    if (direction === undefined) throw new Error(`Bug: ${host.name} is not on ${link.name}`);
    direction.sent += 1;
    const takesUs = this.#delayUs(link, `${host.name}${direction.sent}`) + Math.ceil(bytes / bytesPerUs);
    return Math.max(this.nowUs + takesUs, notBeforeUs);
  }

  stalledUntilUs({ link, host }: Wired): number {
    return link.directions.get(host.name)?.stalledUntilUs ?? 0;
  }

  later(atUs: number, action: () => void): void {
    this.#options.agenda.at(atUs, action);
  }

  /** Both ends lose the connection, each in its own time: most at once, some only after seconds. */
  #break(connection: Wired): void {
    const { other, link } = connection;
    this.cut(connection);
    link.breaks += 1;
    for (const end of [connection, other]) {
      if (end === null || end.host.dead) continue;
      const isSoon = this.#chance(link, `notice ${end.host.name}`, 0, 99) < 75;
      const afterUs = isSoon ? 2_000 : this.#chance(link, end.host.name, 0, 3_000_000);
      this.later(this.nowUs + afterUs, () => end.host.run(() => end.abort(new Error("connection lost"))));
    }
  }

  #connect(from: Host, to: PeerName, link: Link, address: Multiaddr): Wired | null {
    const host = this.#hosts.get(to);
    if (host === undefined || host.accept === null || host.log === null) return null;
    const near = new Wired(from, { link, wire: this }, "outbound", address);
    const own = multiaddr(this.addressOf(from.name));
    const far = new Wired(host, { link, wire: this }, "inbound", own);
    near.other = far;
    far.other = near;
    link.connections.add(near).add(far);
    host.run(() => {
      if (host.accept === null) far.abort(new Error("nobody listens"));
      else host.accept(far);
    });
    return near;
  }

  #isStalled(link: Link): boolean {
    return [...link.directions.values()].some(({ stalledUntilUs }) => stalledUntilUs > this.nowUs);
  }

  #link(left: PeerName, right: PeerName): Link {
    const name = left < right ? `${left}~${right}` : `${right}~${left}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      const directions = new Map([left, right].map((end) => [end, { stalledUntilUs: 0, sent: 0 }]));
      link = { name, directions, connections: new Set(), blockedUntilUs: 0, breaks: 0 };
      this.#links.set(name, link);
    }
    return link;
  }

  #delayUs(link: Link, what: string): number {
    const { delayUs } = this.#options;
    const slowness = this.nowUs < this.#slowUntilUs ? this.#chance(link, `slow ${what}`, 1, 10) : 1;
    return this.#chance(link, what, ...delayUs) * slowness;
  }

  #chance(link: Link, what: string, from: number, through: number): number {
    return hashBetween(from, through, this.#options.seed, link.name, link.breaks, what);
  }
}
