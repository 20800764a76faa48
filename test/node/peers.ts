/** Peers of one domain on loopback, each with its own real network in this process, and what each was told. */

import { generateKeyPairSync } from "node:crypto";
import { AddressBook } from "../../node/edge/address-book.ts";
import type { Channel } from "../../node/edge/channel.ts";
import { realClock, realRandom } from "../../node/edge/clock.ts";
import { type Identity, identityOf } from "../../node/edge/identity.ts";
import type { Membership } from "../../node/edge/membership.ts";
import { type NetworkOptions, type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import { sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, domainId, type Role, sealCharter } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import { Disk } from "../../simulations/storage.ts";
import type { Heard } from "../contracts/network.ts";

export type PeerOptions = {
  readonly role: Exclude<Role, "person">;
  readonly identity?: Identity;
  readonly listen?: string;
  /** What outlives the peer: its address book is on it. */
  readonly disk?: Disk;
  readonly createNode?: NetworkOptions["createNode"];
  /** Its clock runs so many times as fast. */
  readonly haste?: number;
  /** A certificate in place of the one that the owner would give. */
  readonly certificate?: Uint8Array;
  /** Takes the streams of workers to its broker. */
  readonly brokered?: NonNullable<NetworkOptions["observer"]["brokered"]>;
};

export class Peers {
  readonly owner = newIdentity();
  readonly charter: Charter;
  readonly all: Peer[] = [];
  readonly #controls: readonly Identity[];
  readonly waiting = new Set<() => void>();

  /** @param controls how many control peers the charter lists; their identities are there before they are started. */
  constructor(controls: number) {
    this.#controls = Array.from({ length: controls }, newIdentity);
    this.charter = {
      otto: "charter/1",
      domain: domainId("test", this.owner.peer),
      name: "test",
      owner: this.owner.peer,
      version: 1,
      configuration: 1,
      size: controls,
      controls: this.#controls.map(({ peer }) => ({ peer, store: "", addresses: [] })),
      former: [],
      leaseMs: 1_000,
    };
  }

  control(index: number, options: Omit<PeerOptions, "role" | "identity"> = {}): Promise<Peer> {
    const identity = this.#controls[index];
    if (identity === undefined) throw new Error(`there is no control peer ${index}`);
    return this.start({ listen: "/ip4/127.0.0.1/tcp/0", ...options, role: "control", identity });
  }

  async start(options: PeerOptions): Promise<Peer> {
    const identity = options.identity ?? newIdentity();
    const { role, haste = 1 } = options;
    const { charter, owner } = this;
    const expiresMs = Date.now() + 600_000;
    const certificate = { otto: "certificate/1", peer: identity.peer, role, name: role, expiresMs } as const;
    const peer = new Peer(identity, () => {
      for (const check of this.waiting) check();
    });
    peer.membership = {
      charter,
      charterBytes: sealCharter(charter, owner),
      certificate: options.certificate ?? sealCertificate(charter.domain, certificate, owner),
    };
    const storage = (options.disk ?? new Disk()).open(setImmediate);
    peer.network = await startNetwork({
      identity,
      membership: peer.membership,
      listen: options.listen === undefined ? [] : [options.listen],
      clock: {
        ...realClock,
        monotonicMs: () => realClock.monotonicMs() * haste,
        setTimer: (afterMs, callback) => realClock.setTimer(afterMs / haste, callback),
      },
      random: realRandom,
      book: await AddressBook.open(storage, realClock),
      observer: {
        ...peer.observer,
        ...(options.brokered === undefined ? {} : { brokered: options.brokered }),
      },
      ...(options.createNode === undefined ? {} : { createNode: options.createNode }),
    });
    this.all.push(peer);
    return peer;
  }

  /** Resolves when the condition holds: looked at whenever a peer was told something. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        this.waiting.delete(check);
        resolve();
      };
      this.waiting.add(check);
      check();
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.all.map((peer) => peer.network.stop()));
  }
}

export class Peer {
  readonly identity: Identity;
  readonly heard: Heard[] = [];
  readonly refused: string[] = [];
  readonly channels: Channel[] = [];
  readonly observer: NetworkOptions["observer"];
  network!: RealNetwork;
  membership!: Membership;

  constructor(identity: Identity, told: () => void) {
    this.identity = identity;
    const tell = (heard: Heard): void => {
      this.heard.push(heard);
      told();
    };
    this.observer = {
      up: (peer) => tell({ kind: "up", peer }),
      down: (peer) => tell({ kind: "down", peer }),
      message: (peer, message) => tell({ kind: "message", peer, message }),
      call: (channel) => {
        this.channels.push(channel);
        told();
      },
      refused: (because) => {
        this.refused.push(because);
        told();
      },
      certified: () => undefined,
      charter: () => undefined,
    };
  }

  get id(): string {
    return this.identity.peer;
  }

  get addresses(): readonly string[] {
    return this.network.addresses;
  }

  isLinked(other: Peer): boolean {
    return this.network.links.has(other.id);
  }

  dials(other: Peer, addresses: readonly string[] = other.addresses): void {
    this.network.keepDialling(other.id, addresses);
  }

  messages(kind: Message["kind"]): Message[] {
    return this.heard.flatMap((heard) =>
      heard.kind === "message" && heard.message.kind === kind ? [heard.message] : [],
    );
  }
}

export function newIdentity(): Identity {
  return identityOf(generateKeyPairSync("ed25519").privateKey);
}
