/**
 * Who may be connected at all: decided right after the other side has proven which peer it is, before anything that it
 * says is handed to a protocol.
 *
 * A certificate is shown only later, in `hello`. So what is refused here is who is known not to belong (denied by the
 * domain, or refused again and again), who has connections enough, and strangers beyond what there is room for; and a
 * connection whose peer has neither shown a certificate nor asked anything for a while is closed.
 */

import type { Connection, ConnectionGater, PeerId } from "@libp2p/interface";
import { limits } from "../../protocol/limits.ts";
import type { Clock, Timer } from "../ports.ts";

type GatekeeperOptions = {
  readonly clock: Pick<Clock, "monotonicMs" | "setTimer">;
  /** True for a peer that has shown its certificate and is linked. */
  readonly isLinked: (peer: string) => boolean;
  /** True while a call of this peer is being answered. */
  readonly isCalling: (peer: string) => boolean;
};

type Refusals = { count: number; readonly sinceMs: number };

export class Gatekeeper {
  readonly #options: GatekeeperOptions;
  /** Until when a peer is denied, in monotonic time; `Infinity`: until it is allowed again. */
  readonly #denied = new Map<string, number>();
  readonly #refusals = new Map<string, Refusals>();
  readonly #connections = new Map<string, Set<Connection>>();
  readonly #strangers = new Map<Connection, Timer>();
  /** Refused by each rule since the start. */
  readonly refused = { denied: 0, connections: 0, strangers: 0, silent: 0 };

  constructor(options: GatekeeperOptions) {
    this.#options = options;
  }

  /** What libp2p asks. */
  readonly gater: ConnectionGater = {
    denyDialPeer: (peer: PeerId) => this.#isDenied(peer.toString()),
    denyInboundConnection: () => {
      const full = this.#strangers.size >= limits.strangersMax;
      if (full) this.refused.strangers += 1;
      return full;
    },
    denyInboundEncryptedConnection: (peer: PeerId) => this.#isUnwanted(peer.toString()),
    denyOutboundEncryptedConnection: (peer: PeerId) => this.#isDenied(peer.toString()),
  };

  /** From now on the peer has no connection here. */
  deny(peer: string, forMs = Number.POSITIVE_INFINITY): void {
    this.#forgetOldest(this.#denied);
    this.#denied.set(peer, this.#options.clock.monotonicMs() + forMs);
    for (const connection of this.#connections.get(peer) ?? []) connection.abort(new Error("denied"));
  }

  allow(peer: string): void {
    this.#denied.delete(peer);
    this.#refusals.delete(peer);
  }

  /** Something that the peer said on a stream was refused: who goes on like that is denied for a while. */
  misbehaved(peer: string): void {
    const nowMs = this.#options.clock.monotonicMs();
    const known = this.#refusals.get(peer);
    if (known === undefined || nowMs - known.sinceMs > limits.denialMs) {
      this.#forgetOldest(this.#refusals);
      this.#refusals.set(peer, { count: 1, sinceMs: nowMs });
      return;
    }
    known.count += 1;
    if (known.count < limits.refusalsMax) return;
    this.#refusals.delete(peer);
    this.deny(peer, limits.denialMs);
  }

  opened(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const all = this.#connections.get(peer) ?? new Set();
    this.#connections.set(peer, all.add(connection));
    if (!this.#options.isLinked(peer)) this.#watch(connection, peer);
  }

  closed(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    this.#strangers.get(connection)?.cancel();
    this.#strangers.delete(connection);
    const all = this.#connections.get(peer);
    all?.delete(connection);
    if (all?.size === 0) this.#connections.delete(peer);
  }

  /** The peer has shown its certificate: its connections are no stranger's. */
  welcomed(peer: string): void {
    this.#refusals.delete(peer);
    for (const connection of this.#connections.get(peer) ?? []) {
      this.#strangers.get(connection)?.cancel();
      this.#strangers.delete(connection);
    }
  }

  close(): void {
    for (const timer of this.#strangers.values()) timer.cancel();
    this.#strangers.clear();
  }

  #watch(connection: Connection, peer: string): void {
    const timer = this.#options.clock.setTimer(limits.helloMsMax, () => {
      this.#strangers.delete(connection);
      if (this.#options.isLinked(peer)) return;
      if (this.#options.isCalling(peer)) return this.#watch(connection, peer);
      this.refused.silent += 1;
      connection.abort(new Error("said nothing"));
    });
    this.#strangers.set(connection, timer);
  }

  #isDenied(peer: string): boolean {
    const untilMs = this.#denied.get(peer);
    if (untilMs === undefined) return false;
    if (untilMs > this.#options.clock.monotonicMs()) {
      this.refused.denied += 1;
      return true;
    }
    this.#denied.delete(peer);
    return false;
  }

  #isUnwanted(peer: string): boolean {
    if (this.#isDenied(peer)) return true;
    const full = (this.#connections.get(peer)?.size ?? 0) >= limits.connectionsPerPeerMax;
    if (full) this.refused.connections += 1;
    return full;
  }

  #forgetOldest(map: Map<string, unknown>): void {
    const [oldest] = map.keys();
    if (map.size >= limits.strangersRememberedMax && oldest !== undefined) map.delete(oldest);
  }
}
