/** One end of a simulated connection: what it sends arrives in order, and its sender waits when too much is under way. */

import { AbstractMultiaddrConnection, type SendResult } from "@libp2p/utils";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Uint8ArrayList } from "uint8arraylist";
import type { PeerName } from "../observation.ts";
import type { Host } from "./host.ts";

/** What a machine takes in before the sender is told to wait. */
const inFlightBytesMax = 256 * 1_024;

type Direction = { stalledUntilUs: number; sent: number };

export type Link = {
  readonly name: string;
  readonly directions: ReadonlyMap<PeerName, Direction>;
  readonly connections: Set<Wired>;
  blockedUntilUs: number;
  breaks: number;
};

/** What decides when something arrives. */
type Carrier = {
  readonly nowUs: number;
  arrivalUs(from: Wired, bytes: number, notBeforeUs: number): number;
  stalledUntilUs(from: Wired): number;
  later(atUs: number, action: () => void): void;
  /** No byte passes between the two ends any more. */
  cut(connection: Wired): void;
};

type Item =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly atUs: number }
  | { readonly kind: "end"; readonly atUs: number };

/** One end of a connection. */
export class Wired extends AbstractMultiaddrConnection {
  readonly host: Host;
  readonly link: Link;
  readonly #wire: Carrier;
  other: Wired | null = null;
  /** What is under way to the other end, in order. */
  #underWay: Item[] = [];
  #inFlightBytes = 0;
  #waitsForRoom = false;
  #readyAtUs = 0;
  #pumping = false;
  /** What arrived while the reader was paused. */
  #held: Uint8Array[] = [];
  #paused = false;
  /** Nothing passes any more. */
  cut = false;

  constructor(
    host: Host,
    around: { readonly link: Link; readonly wire: Carrier },
    direction: "inbound" | "outbound",
    remoteAddr: Multiaddr,
  ) {
    if (host.log === null) throw new Error("Bug: a host without a transport");
    super({ remoteAddr, direction, log: host.log });
    this.host = host;
    this.link = around.link;
    this.#wire = around.wire;
  }

  sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.slice();
    if (!this.cut) {
      this.#readyAtUs = this.#wire.arrivalUs(this, bytes.length, this.#readyAtUs);
      this.#underWay.push({ kind: "bytes", bytes, atUs: this.#readyAtUs });
      this.#inFlightBytes += bytes.length;
      this.#pump();
    }
    this.#waitsForRoom = this.#inFlightBytes > inFlightBytesMax;
    return { sentBytes: bytes.length, canSendMore: !this.#waitsForRoom };
  }

  sendClose(): Promise<void> {
    if (!this.cut) {
      this.#readyAtUs = this.#wire.arrivalUs(this, 0, this.#readyAtUs);
      this.#underWay.push({ kind: "end", atUs: this.#readyAtUs });
      this.#pump();
    }
    return Promise.resolve();
  }

  sendReset(): void {
    if (this.cut) return;
    const { other } = this;
    this.#wire.cut(this);
    other?.host.run(() => other.abort(new Error("connection reset")));
  }

  sendPause(): void {
    this.#paused = true;
  }

  sendResume(): void {
    this.#paused = false;
    for (const bytes of this.#held.splice(0)) this.onData(bytes);
  }

  /** The wire is gone; whoever is at this end learns of it at its own time. */
  lose(): void {
    this.cut = true;
    this.#underWay = [];
  }

  /** Moves on what has arrived by now, in order; waits for the rest, and for a stall to be over. */
  #pump(): void {
    const [head] = this.#underWay;
    if (this.#pumping || this.cut || head === undefined) return;
    this.#pumping = true;
    this.#wire.later(Math.max(head.atUs, this.#wire.stalledUntilUs(this)), () => {
      this.#pumping = false;
      if (this.cut) return;
      if (this.#wire.stalledUntilUs(this) <= this.#wire.nowUs) {
        const item = this.#underWay.shift();
        if (item !== undefined) this.#arrive(item);
      }
      this.#pump();
    });
  }

  #arrive(item: Item): void {
    const { other } = this;
    if (other === null) return;
    if (item.kind === "end") {
      this.#wire.cut(this);
      return other.host.run(() => other.onTransportClosed());
    }
    other.host.run(() => other.#take(item.bytes));
    this.#inFlightBytes -= item.bytes.length;
    if (!this.#waitsForRoom || this.#inFlightBytes > inFlightBytesMax / 2) return;
    this.#waitsForRoom = false;
    this.host.run(() => this.safeDispatchEvent("drain"));
  }

  #take(bytes: Uint8Array): void {
    if (this.#paused) this.#held.push(bytes);
    else if (this.status === "open") this.onData(bytes);
  }
}
