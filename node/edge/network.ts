/**
 * The real network: libp2p over TCP with noise and yamux, one message stream each way between two members, gossip
 * for announcements, one stream a call.
 *
 *   none --dialled, or the other side opened a stream--> half --both have said `hello`--> up
 *    ^                                                     |                               |
 *    +---- a stream broke, or nothing was said in time ----+-------------------------------+
 *
 * A link is up when both sides have shown their certificates (`hello`); before that nothing but a stranger's call
 * to join is heard. Who is dialled when is `dialling.ts`'s, where is `address-book.ts`'s, who may be connected at all is
 * `gatekeeper.ts`'s, and announcements are `gossip.ts`'s.
 */

import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Allowed } from "../../protocol/allowed.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { FrameDecoder } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { type Charter, isNewer, openCharter, type Role } from "../../protocol/membership.ts";
import { decodeMessage, encodeMessage, type Message, type PeerAddresses } from "../../protocol/messages.ts";
import type { Clock, Network, Random, Timer } from "../ports.ts";
import type { AddressBook } from "./address-book.ts";
import { type Channel, streamChannel } from "./channel.ts";
import { Dialling } from "./dialling.ts";
import { FrameQueue } from "./frame-queue.ts";
import { Gatekeeper } from "./gatekeeper.ts";
import { Gossip } from "./gossip.ts";
import type { Identity } from "./identity.ts";
import { InboundRate } from "./inbound-rate.ts";
import { type Membership, rollOf } from "./membership.ts";
import { createNode, type GossipingNode, type NodeTraits } from "./libp2p-node.ts";
import { tellOfRoomSeldom } from "./window-updates.ts";
import { withPeer } from "./peer-address.ts";

const messageProtocol = "/otto/messages/1";
const callProtocol = "/otto/calls/1";
const brokerProtocol = "/otto/broker/1";
const streamsMax = Math.max(limits.callsPerPeerMax, limits.brokerStreamsPerPeerMax);

export type NetworkObserver = {
  up(peer: string, role: Role, allowed: Allowed | null): void;
  down(peer: string): void;
  message(from: string, message: Message): void;
  call(channel: Channel, caller: { readonly peer: string }): void;
  /** A worker that is linked has a stream for the broker; where this is missing there is none. */
  brokered?(stream: Stream, worker: string): void;
  refused(because: RefusedBecause, from: string | null): void;
  /** A peer has shown this certificate, and it holds. */
  certified(peer: string, certificate: Uint8Array): void;
  /** A newer charter of this domain, signed by its owner. */
  charter(bytes: Uint8Array, charter: Charter): void;
};

export type NetworkOptions = {
  readonly identity: Identity;
  readonly membership: Membership;
  /** Multiaddrs; empty: this peer only dials. */
  readonly listen: readonly string[];
  readonly clock: Clock;
  readonly random: Pick<Random, "integer">;
  readonly book: AddressBook;
  readonly observer: NetworkObserver;
  /** Makes the libp2p node; a simulation gives its own. */
  readonly createNode?: (traits: NodeTraits) => Promise<GossipingNode>;
};

type LinkSeen = {
  readonly role: Role;
  readonly name: string;
  readonly sinceMs: number;
  /** When the certificate ends that the other side has shown. */
  readonly untilMs: number;
};

export type RealNetwork = Network & {
  readonly addresses: readonly string[];
  readonly links: ReadonlyMap<string, LinkSeen>;
  /** Keeps a link to the peer, for ever. The addresses are the charter's; others are found in the address book. */
  keepDialling(peer: string, addresses: readonly string[]): void;
  /** Keeps links to these peers, and to nobody else. */
  dialExactly(peers: readonly PeerAddresses[]): void;
  /** Keeps no link to the peer any more; one that is there goes on until it breaks. */
  refusedCall(peer: string): void;
  stopDialling(peer: string): void;
  /** Breaks all links with the peer, and takes none from it until it is allowed again. */
  deny(peer: string): void;
  allow(peer: string): void;
  openCall(peer: string): Promise<Channel>;
  /** A stream to the broker of a control peer. */
  openBroker(peer: string): Promise<Stream>;
  /** Shows the charter to every link again: there is a newer one. */
  greetAgain(): void;
  stop(): Promise<void>;
};

type Link = {
  outbound: { readonly stream: Stream; readonly queue: FrameQueue } | null;
  inbound: Stream | null;
  role: Role | null;
  name: string;
  /** What its certificate lets a worker say of itself; null: anything. */
  allowed: Allowed | null;
  /** 0 while only half of the link is there. */
  sinceMs: number;
  opening: boolean;
  /** Ends a link of which only one half came to be. */
  readonly deadline: Timer;
  /** Ends a link whose other side's certificate has ended and was not renewed. */
  expiry: Timer | null;
  untilMs: number;
};

export async function startNetwork(options: NetworkOptions): Promise<RealNetwork> {
  const network = new LinkedNetwork(options);
  await network.start();
  return network;
}

class LinkedNetwork implements RealNetwork {
  readonly #options: NetworkOptions;
  readonly #links = new Map<string, Link>();
  readonly #rates = new Map<string, InboundRate>();
  readonly #calls = new Map<string, number>();
  readonly #dialling: Dialling;
  readonly #gatekeeper: Gatekeeper;
  #node: GossipingNode | null = null;
  #gossip: Gossip | null = null;
  #stopped = false;
  /** The message that was sent last. */
  #said: { readonly message: Message; readonly bytes: Uint8Array } | null = null;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const { clock, random } = options;
    this.#dialling = new Dialling({ clock, random, dial: (peer) => this.#dial(peer) });
    this.#gatekeeper = new Gatekeeper({
      clock,
      isLinked: (peer) => (this.#links.get(peer)?.role ?? null) !== null,
      isCalling: (peer) => (this.#calls.get(peer) ?? 0) > 0,
    });
  }

  async start(): Promise<void> {
    const { identity, listen } = this.#options;
    const topic = this.#topic;
    const { gater } = this.#gatekeeper;
    const isControl = this.#options.membership.charter.controls.some(({ peer }) => peer === identity.peer);
    const role = isControl ? "control" : "worker";
    const node = await (this.#options.createNode ?? createNode)({ identity, listen, topic, gater, role });
    this.#node = node;
    node.addEventListener("connection:open", ({ detail }) => this.#gatekeeper.opened(detail));
    node.addEventListener("connection:close", ({ detail }) => this.#gatekeeper.closed(detail));
    await node.handle(messageProtocol, (stream, connection) => this.#inbound(stream, connection), {
      maxInboundStreams: limits.messageStreamsPerConnectionMax,
    });
    await node.handle(callProtocol, (stream, connection) => this.#called(stream, connection), {
      maxInboundStreams: limits.callsPerPeerMax,
      maxOutboundStreams: limits.callsPerPeerMax,
    });
    const { membership, clock, observer } = this.#options;
    if (observer.brokered !== undefined)
      await node.handle(brokerProtocol, (stream, connection) => this.#brokered(stream, connection), {
        maxInboundStreams: limits.brokerStreamsPerPeerMax,
      });
    this.#gossip = new Gossip({
      pubsub: node.services.pubsub,
      topic,
      identity,
      membership,
      clock,
      heard: (from, message) => observer.message(from, message),
      refused: (because) => observer.refused(because, null),
    });
  }

  get addresses(): readonly string[] {
    return this.#node?.getMultiaddrs().map((address) => address.toString()) ?? [];
  }

  get links(): ReadonlyMap<string, LinkSeen> {
    const up = new Map<string, LinkSeen>();
    for (const [peer, { role, name, sinceMs, untilMs }] of this.#links)
      if (role !== null && sinceMs !== 0) up.set(peer, { role, name, sinceMs, untilMs });
    return up;
  }

  send(peer: string, message: Message): void {
    const link = this.#links.get(peer);
    if (link === undefined || link.outbound === null || link.role === null) return;
    // What is said to several peers is encoded once.
    if (this.#said?.message !== message) this.#said = { message, bytes: encodeMessage(message) };
    link.outbound.queue.push(this.#said.bytes);
  }

  publish(message: Uint8Array): void {
    this.#gossip?.publish(message);
  }

  keepDialling(peer: string, addresses: readonly string[]): void {
    if (peer === this.#options.identity.peer) return;
    const isNew = this.#options.book.learn(peer, addresses, "charter");
    this.#dialling.keep(peer, this.links.has(peer));
    if (isNew) this.#dialling.hasten(peer);
  }

  dialExactly(peers: readonly PeerAddresses[]): void {
    const wanted = new Set(peers.map(({ peer }) => peer));
    for (const peer of this.#dialling.peers) if (!wanted.has(peer)) this.#dialling.stop(peer);
    for (const { peer, addresses } of peers) this.keepDialling(peer, addresses);
  }

  /** Who is nobody of the domain, and goes on asking for what it is refused, has no connection for a while. */
  refusedCall(peer: string): void {
    if ((this.#links.get(peer)?.role ?? null) === null) this.#gatekeeper.misbehaved(peer);
  }

  stopDialling(peer: string): void {
    this.#dialling.stop(peer);
  }

  deny(peer: string): void {
    this.#gatekeeper.deny(peer);
  }

  allow(peer: string): void {
    this.#gatekeeper.allow(peer);
  }

  async openCall(peer: string): Promise<Channel> {
    return streamChannel(await this.#openStream(peer, callProtocol), peer);
  }

  openBroker(peer: string): Promise<Stream> {
    return this.#openStream(peer, brokerProtocol);
  }

  async #openStream(peer: string, protocol: string): Promise<Stream> {
    const connection = this.#connectionTo(peer);
    if (connection !== undefined) return connection.newStream(protocol, { maxOutboundStreams: streamsMax });
    throw new OttoError("OTTO_UNREACHABLE", {
      what: `There is no connection to peer ${peer}.`,
      next: "Wait until it is back, or ask another peer.",
    });
  }

  greetAgain(): void {
    const frame = this.#hello();
    for (const { outbound } of this.#links.values()) outbound?.queue.push(frame);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#dialling.close();
    this.#gatekeeper.close();
    this.#gossip?.close();
    for (const { deadline, expiry } of this.#links.values()) {
      deadline.cancel();
      expiry?.cancel();
    }
    await this.#node?.stop();
  }

  get #topic(): string {
    return `otto/${this.#options.membership.charter.domain}/announcements`;
  }

  #hello(): Uint8Array {
    const { certificate, charterBytes: charter } = this.#options.membership;
    return encodeMessage({ kind: "hello", certificate, charter });
  }

  #connectionTo(peer: string): Connection | undefined {
    return this.#node
      ?.getConnections()
      .find((connection) => connection.remotePeer.toString() === peer && connection.status === "open");
  }

  /** Tries once. A failure needs no telling: the link stays down and is tried again. */
  async #dial(peer: string): Promise<void> {
    const existing = this.#connectionTo(peer);
    const connection = existing ?? (await this.#connect(peer));
    if (connection === null || this.#stopped) return;
    try {
      await this.#openOutbound(peer, connection);
    } catch (error) {
      // Nothing can be said on it, whatever it looks like: the next try begins with a new one.
      connection.abort(error instanceof Error ? error : new Error("no stream"));
    }
  }

  /** A connection at the first address that leads to the peer. */
  async #connect(peer: string): Promise<Connection | null> {
    const { book, clock } = this.#options;
    for (const address of book.addressesOf(peer)) {
      const late = new AbortController();
      const timer = clock.setTimer(limits.dialAddressMsMax, () => late.abort());
      try {
        const target = multiaddr(withPeer(address, peer));
        const connection = await this.#node?.dial(target, { signal: late.signal });
        if (connection?.remotePeer.toString() !== peer) continue;
        book.worked(peer, address);
        return connection;
      } catch {
        // The next address may lead there, and the other side may have come here meanwhile.
        const incoming = this.#connectionTo(peer);
        if (incoming !== undefined) return incoming;
      } finally {
        timer.cancel();
      }
    }
    return null;
  }

  #link(peer: string): Link {
    let link = this.#links.get(peer);
    if (link === undefined) {
      const deadline = this.#options.clock.setTimer(limits.linkMsMax, () => this.#giveUp(peer));
      link = {
        outbound: null,
        inbound: null,
        role: null,
        allowed: null,
        name: "",
        sinceMs: 0,
        opening: false,
        deadline,
        expiry: null,
        untilMs: 0,
      };
      this.#links.set(peer, link);
    }
    return link;
  }

  /** Only half of a link came to be in time: the connection is of no use, and a new one may be. */
  #giveUp(peer: string): void {
    const link = this.#links.get(peer);
    if (link === undefined || link.sinceMs !== 0) return;
    const connection = this.#connectionTo(peer);
    this.#drop(peer, link);
    connection?.abort(new Error("the other half of the link never came"));
  }

  async #openOutbound(peer: string, connection: Connection): Promise<void> {
    const link = this.#link(peer);
    if (link.outbound !== null || link.opening) return;
    link.opening = true;
    try {
      const stream = await connection.newStream(messageProtocol);
      if (this.#links.get(peer) !== link) return stream.abort(new Error("link down"));
      const queue = new FrameQueue(stream, (why) => {
        if (why === "flood") this.#options.observer.refused("flood", peer);
        this.#streamEnded(peer, stream);
      });
      link.outbound = { stream, queue };
      stream.addEventListener("close", () => this.#streamEnded(peer, stream), { once: true });
      queue.push(this.#hello());
    } finally {
      link.opening = false;
    }
    this.#announceUp(peer, link);
  }

  #called(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const open = (this.#calls.get(peer) ?? 0) + 1;
    if (open > limits.callsPerPeerMax) {
      this.#options.observer.refused("flood", peer);
      return stream.abort(new Error("too many calls"));
    }
    this.#calls.set(peer, open);
    const ended = (): void => {
      const left = (this.#calls.get(peer) ?? 1) - 1;
      if (left === 0) this.#calls.delete(peer);
      else this.#calls.set(peer, left);
    };
    stream.addEventListener("close", ended, { once: true });
    this.#options.observer.call(streamChannel(stream, peer), { peer });
  }

  /** Only a peer that has shown its certificate as a worker has steps whose credentials are used. */
  #brokered(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (this.#links.get(peer)?.role === "worker") return this.#options.observer.brokered?.(stream, peer);
    this.#options.observer.refused("role", peer);
    stream.abort(new Error("role"));
  }

  #inbound(stream: Stream, connection: Connection): void {
    tellOfRoomSeldom(stream);
    const peer = connection.remotePeer.toString();
    const decoder = new FrameDecoder(limits.helloBytesMax);
    const rate = this.#rates.get(peer) ?? new InboundRate(this.#options.clock);
    let greeted = false;
    const refuse = (because: RefusedBecause): void => {
      this.#options.observer.refused(because, peer);
      stream.abort(new Error(because));
      this.#gatekeeper.misbehaved(peer);
    };
    // At once: what is read before anybody listens piles up in the stream.
    stream.addEventListener("message", (event) => {
      const chunk = event.data instanceof Uint8Array ? event.data : event.data.subarray();
      const frames = decoder.push(chunk);
      if (frames === "oversized") return refuse("oversized");
      rate.took(stream, { messages: frames.length, bytes: chunk.length });
      for (const frame of frames) {
        const message = decodeMessage(frame);
        if (!message.ok && greeted && message.problem === "unknown") {
          // A peer of a later version: what it says besides is understood.
          this.#options.observer.refused(message.problem, peer);
          continue;
        }
        if (!message.ok) return refuse(message.problem);
        if (greeted && message.value.kind !== "hello") {
          this.#heard(peer, message.value);
          continue;
        }
        const problem = this.#greet(connection, message.value, stream);
        if (problem !== null) return refuse(problem);
        // From here on the peer is somebody, of whom it is remembered how much it said.
        this.#rates.set(peer, rate);
        greeted = true;
      }
    });
    stream.addEventListener("close", () => this.#streamEnded(peer, stream), { once: true });
  }

  /** The first message of a stream must show that its sender belongs to the domain. */
  #greet(connection: Connection, message: Message, stream: Stream): RefusedBecause | null {
    if (message.kind !== "hello") return "stranger";
    const peer = connection.remotePeer.toString();
    const { membership, identity, clock, observer } = this.#options;
    const charter = openCharter(message.charter, membership.charter.domain, identity);
    if (!charter.ok) return charter.problem;
    if (isNewer(charter.value, membership.charter)) {
      membership.charter = charter.value;
      membership.charterBytes = message.charter;
      observer.charter(message.charter, charter.value);
    }
    const certificate = openCertificate(message.certificate, rollOf(membership), clock.wallMs(), identity);
    if (!certificate.ok) return certificate.problem;
    if (certificate.value.peer !== peer || certificate.value.role === "person") return "role";
    // Who begins anew has given up the link that was: what is still under way on it must not come in behind this.
    const before = this.#links.get(peer);
    if (before !== undefined && before.inbound !== null && before.inbound !== stream)
      this.#drop(peer, before);
    const link = this.#link(peer);
    link.inbound = stream;
    link.role = certificate.value.role;
    link.name = certificate.value.name;
    link.allowed = certificate.value.allowed ?? null;
    this.#watchExpiry(peer, link, certificate.value.expiresMs);
    this.#gatekeeper.welcomed(peer);
    observer.certified(peer, message.certificate);
    if (link.outbound === null)
      this.#openOutbound(peer, connection).catch(() => stream.abort(new Error("no way back")));
    else this.#announceUp(peer, link);
    return null;
  }

  #watchExpiry(peer: string, link: Link, expiresMs: number): void {
    const { clock, observer } = this.#options;
    link.untilMs = expiresMs;
    link.expiry?.cancel();
    // No timer is good for a month.
    link.expiry = clock.setTimer(Math.min(expiresMs + 1 - clock.wallMs(), limits.dayMs), () => {
      if (this.#links.get(peer) !== link) return;
      if (clock.wallMs() <= expiresMs) return this.#watchExpiry(peer, link, expiresMs);
      observer.refused("stranger", peer);
      this.#drop(peer, link);
    });
  }

  #heard(peer: string, message: Message): void {
    if (message.kind === "addresses") this.#learn(peer, message.peers);
    else this.#options.observer.message(peer, message);
  }

  #announceUp(peer: string, link: Link): void {
    if (link.outbound === null || link.role === null || link.sinceMs !== 0) return;
    link.sinceMs = this.#options.clock.wallMs();
    link.deadline.cancel();
    this.#dialling.linked(peer);
    const peers = this.#whereabouts(peer);
    if (peers.length > 0) this.send(peer, { kind: "addresses", peers });
    this.#options.observer.up(peer, link.role, link.allowed);
  }

  /** Where this peer listens; and from a control peer, where the others are, so that one that moved is found again. */
  #whereabouts(to: string): PeerAddresses[] {
    const { identity, membership, book } = this.#options;
    const own = { peer: identity.peer, addresses: this.addresses.slice(0, limits.addressesPerPeerMax) };
    const { controls } = membership.charter;
    const others = controls.some(({ peer }) => peer === identity.peer)
      ? controls.map(({ peer }) => peer).filter((peer) => peer !== identity.peer && peer !== to)
      : [];
    return [own, ...others.map((peer) => ({ peer, addresses: book.certainOf(peer) }))]
      .filter(({ addresses }) => addresses.length > 0)
      .slice(0, limits.addressedPeersMax);
  }

  #learn(from: string, told: readonly PeerAddresses[]): void {
    const { book, identity, membership } = this.#options;
    const isControl = (peer: string): boolean =>
      membership.charter.controls.some((control) => control.peer === peer);
    for (const { peer, addresses } of told) {
      if (peer === identity.peer || !isControl(peer) || (peer !== from && !isControl(from))) continue;
      if (!book.learn(peer, addresses, peer === from ? "self" : "told")) continue;
      this.#dialling.hasten(peer);
      if (peer !== from || !isControl(identity.peer)) continue;
      for (const other of this.links.keys())
        if (other !== peer) this.send(other, { kind: "addresses", peers: [{ peer, addresses }] });
    }
  }

  /** Either half broke: the link is down, and both halves are opened anew. */
  #streamEnded(peer: string, stream: Stream): void {
    const link = this.#links.get(peer);
    if (link !== undefined && (link.outbound?.stream === stream || link.inbound === stream))
      this.#drop(peer, link);
  }

  #drop(peer: string, link: Link): void {
    this.#links.delete(peer);
    this.#rates.delete(peer);
    link.deadline.cancel();
    link.expiry?.cancel();
    link.outbound?.stream.abort(new Error("link down"));
    link.inbound?.abort(new Error("link down"));
    if (link.sinceMs === 0 || this.#stopped) return;
    this.#dialling.unlinked(peer);
    this.#options.observer.down(peer);
  }
}
