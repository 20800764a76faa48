/** One run of a process on a simulated machine, as its network sees it: a transport for libp2p, and what listens. */

import {
  type Connection,
  type CreateListenerOptions,
  type Listener,
  type ListenerEvents,
  type Logger,
  type MultiaddrConnection,
  type Transport,
  TypedEventEmitter,
  transportSymbol,
  type Upgrader,
} from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { PeerName } from "../observation.ts";
import { inLife, type Reach } from "./virtual-globals.ts";

/** Who brings a host to another one. */
type Dialler = { dial(from: Host, address: Multiaddr, signal: AbortSignal): Promise<MultiaddrConnection> };

/** One run of a process on a machine, as its network sees it. */
export class Host {
  readonly name: PeerName;
  readonly reach: Reach;
  readonly #wire: Dialler;
  dead = false;
  accept: ((connection: MultiaddrConnection) => void) | null = null;
  log: Logger | null = null;

  constructor(name: PeerName, reach: Reach, wire: Dialler) {
    this.name = name;
    this.reach = reach;
    this.#wire = wire;
  }

  /** Does something in the life of this host, when and if it can be reached. */
  run(action: () => void): void {
    this.reach(() => {
      if (!this.dead) inLife(this.reach, action);
    });
  }

  /** For libp2p's list of transports. */
  readonly transport = (components: {
    readonly logger: { forComponent(name: string): Logger };
  }): Transport => {
    const log = components.logger.forComponent("otto:wire");
    this.log = log;
    const onlyOwn = (addresses: Multiaddr[]): Multiaddr[] =>
      addresses.filter((address) => addressOf(address) !== null);
    return {
      [Symbol.toStringTag]: "otto/wire",
      [transportSymbol]: true,
      listenFilter: onlyOwn,
      dialFilter: onlyOwn,
      createListener: (options) => new WireListener(this, options),
      dial: async (address, options): Promise<Connection> => {
        const connection = await this.#wire.dial(this, address, options.signal);
        try {
          return await options.upgrader.upgradeOutbound(connection, options);
        } catch (error) {
          connection.abort(error instanceof Error ? error : new Error(String(error)));
          throw error;
        }
      },
    };
  };
}

class WireListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #host: Host;
  readonly #upgrader: Upgrader;
  readonly #shutdown = new AbortController();
  #addresses: Multiaddr[] = [];

  constructor(host: Host, { upgrader }: CreateListenerOptions) {
    super();
    this.#host = host;
    this.#upgrader = upgrader;
  }

  listen(address: Multiaddr): Promise<void> {
    this.#addresses = [address];
    this.#host.accept = (connection) => {
      this.#upgrader
        .upgradeInbound(connection, { signal: this.#shutdown.signal })
        .catch((error: unknown) =>
          connection.abort(error instanceof Error ? error : new Error(String(error))),
        );
    };
    this.safeDispatchEvent("listening");
    return Promise.resolve();
  }

  getAddrs(): Multiaddr[] {
    return this.#addresses;
  }

  updateAnnounceAddrs(): void {
    // These addresses are what they are.
  }

  close(): Promise<void> {
    this.#host.accept = null;
    this.#shutdown.abort();
    this.safeDispatchEvent("close");
    return Promise.resolve();
  }
}

/** Without the peer that it names; null when it is no address of this kind. */
export function addressOf(address: Multiaddr): string | null {
  const [place] = address.toString().split("/p2p/");
  return place !== undefined && /^\/ip4\/[\d.]+\/tcp\/\d+$/u.test(place) ? place : null;
}
