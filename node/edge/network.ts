/**
 * The real network: libp2p over TCP with noise and yamux, one message stream each way between two members, gossip
 * for announcements, one stream a call.
 *
 * A link is up when both sides have shown their certificates (`hello`); before that nothing but a stranger's call
 * to join is heard. Frames of one turn are sent as one piece. A peer is dialled for ever, with back-off.
 */

import { TopicValidatorResult } from "@libp2p/gossipsub";
import type { Connection, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { openAnnouncement, sealAnnouncement } from "../../protocol/announcement.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import { OttoError } from "../../protocol/errors.ts";
import { FrameDecoder, joinFrames } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, openCertificate, openCharter, type Role } from "../../protocol/membership.ts";
import { decodeMessage, encodeMessage, type Message } from "../../protocol/messages.ts";
import type { Clock, Network, Random, Timer } from "../ports.ts";
import { type Channel, streamChannel } from "./channel.ts";
import type { Identity } from "./identity.ts";
import { createNode, type GossipingNode } from "./libp2p-node.ts";

const messageProtocol = "/otto/messages/1";
const callProtocol = "/otto/calls/1";

export type Membership = {
  charter: Charter;
  charterBytes: Uint8Array;
  readonly certificate: Uint8Array;
};

export type NetworkObserver = {
  up(peer: string, role: Role): void;
  down(peer: string): void;
  message(from: string, message: Message): void;
  call(channel: Channel, caller: { readonly peer: string }): void;
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
  readonly random: Random;
  readonly observer: NetworkObserver;
};

export type RealNetwork = Network & {
  readonly addresses: readonly string[];
  readonly links: ReadonlyMap<
    string,
    { readonly role: Role; readonly name: string; readonly sinceMs: number }
  >;
  /** Keeps a link to the peer at these addresses, for ever. */
  keepDialling(peer: string, addresses: readonly string[]): void;
  openCall(peer: string): Promise<Channel>;
  /** Shows the charter to every link again: there is a newer one. */
  greetAgain(): void;
  stop(): Promise<void>;
};

type Link = {
  outbound: Stream | null;
  inbound: Stream | null;
  role: Role | null;
  name: string;
  sinceMs: number;
  queue: Uint8Array[];
  queuedBytes: number;
  flushing: boolean;
  opening: boolean;
};

export async function startNetwork(options: NetworkOptions): Promise<RealNetwork> {
  const network = new LinkedNetwork(options);
  await network.start();
  return network;
}

class LinkedNetwork implements RealNetwork {
  readonly #options: NetworkOptions;
  readonly #links = new Map<string, Link>();
  readonly #dialling = new Map<string, Timer>();
  readonly #lastDialFailedMs = new Map<string, number>();
  #node: GossipingNode | null = null;
  #stopped = false;
  /** The message that was sent last. */
  #said: { readonly message: Message; readonly bytes: Uint8Array } | null = null;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { identity, listen } = this.#options;
    const node = await createNode(identity, listen, this.#topic);
    this.#node = node;
    await node.handle(messageProtocol, (stream, connection) => this.#inbound(stream, connection), {
      maxInboundStreams: 4,
    });
    await node.handle(
      callProtocol,
      (stream, connection) => {
        const peer = connection.remotePeer.toString();
        this.#options.observer.call(streamChannel(stream, peer), { peer });
      },
      { maxInboundStreams: limits.callsPerPeerMax, maxOutboundStreams: limits.callsPerPeerMax },
    );
    const topic = this.#topic;
    node.services.pubsub.topicValidators.set(topic, (_from, message) => this.#validate(message.data));
    node.services.pubsub.addEventListener("message", (event) => {
      if (event.detail.topic === topic) this.#gossiped(event.detail.data);
    });
    node.services.pubsub.subscribe(topic);
  }

  get addresses(): readonly string[] {
    return this.#node?.getMultiaddrs().map((address) => address.toString()) ?? [];
  }

  get links(): ReadonlyMap<string, { readonly role: Role; readonly name: string; readonly sinceMs: number }> {
    const up = new Map<string, { role: Role; name: string; sinceMs: number }>();
    for (const [peer, { role, name, sinceMs, outbound }] of this.#links)
      if (role !== null && outbound !== null) up.set(peer, { role, name, sinceMs });
    return up;
  }

  send(peer: string, message: Message): void {
    const link = this.#links.get(peer);
    if (link?.outbound === undefined || link.outbound === null || link.role === null) return;
    // What is said to several peers is encoded once.
    if (this.#said?.message !== message) this.#said = { message, bytes: encodeMessage(message) };
    this.#enqueue(peer, link, this.#said.bytes);
  }

  publish(message: Uint8Array): void {
    const { identity, membership } = this.#options;
    const { charter, certificate } = membership;
    const bytes = sealAnnouncement(message, charter.domain, identity, certificate);
    if (bytes.length > limits.gossipBytesMax) return this.#options.observer.refused("oversized", null);
    // Gossip is a hint: whoever misses it learns by anti-entropy.
    this.#node?.services.pubsub
      .publish(this.#topic, bytes)
      .catch(() => this.#options.observer.refused("flood", null));
  }

  keepDialling(peer: string, addresses: readonly string[]): void {
    if (this.#dialling.has(peer) || peer === this.#options.identity.peer) return;
    const { clock, random } = this.#options;
    let backoffMs: number = limits.dialBackoffMsMin;
    const attempt = async (): Promise<void> => {
      const isUp = (this.#links.get(peer)?.sinceMs ?? 0) !== 0;
      if (isUp) backoffMs = limits.dialBackoffMsMin;
      else await this.#dial(peer, addresses);
      const nextMs = Math.floor(backoffMs / 2) + random.integer(backoffMs);
      if (!isUp) backoffMs = Math.min(backoffMs * 2, limits.dialBackoffMsMax);
      if (!this.#stopped)
        this.#dialling.set(
          peer,
          clock.setTimer(nextMs, () => void attempt()),
        );
    };
    this.#dialling.set(
      peer,
      clock.setTimer(0, () => void attempt()),
    );
  }

  async openCall(peer: string): Promise<Channel> {
    const connection = this.#connectionTo(peer);
    if (connection === undefined)
      throw new OttoError("OTTO_UNREACHABLE", {
        what: `There is no connection to peer ${peer}.`,
        next: "Wait until it is back, or ask another peer.",
      });
    return streamChannel(await connection.newStream(callProtocol), peer);
  }

  greetAgain(): void {
    const { certificate, charterBytes: charter } = this.#options.membership;
    const frame = encodeMessage({ kind: "hello", certificate, charter });
    for (const [peer, link] of this.#links) if (link.outbound !== null) this.#enqueue(peer, link, frame);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#dialling.values()) timer.cancel();
    await this.#node?.stop();
  }

  get #topic(): string {
    return `otto/${this.#options.membership.charter.domain}/announcements`;
  }

  #connectionTo(peer: string): Connection | undefined {
    return this.#node
      ?.getConnections()
      .find((connection) => connection.remotePeer.toString() === peer && connection.status === "open");
  }

  /** Tries once. A failure needs no telling: the link stays down and is tried again. */
  async #dial(peer: string, addresses: readonly string[]): Promise<void> {
    try {
      if (this.#connectionTo(peer) === undefined) {
        const targets = addresses.map((address) => multiaddr(withPeer(address, peer)));
        await this.#node?.dial(targets, { signal: AbortSignal.timeout(limits.requestMsMax) });
      }
      await this.#openOutbound(peer);
    } catch {
      this.#lastDialFailedMs.set(peer, this.#options.clock.wallMs());
    }
  }

  #link(peer: string): Link {
    let link = this.#links.get(peer);
    if (link === undefined) {
      const fresh = { outbound: null, inbound: null, role: null, name: "", sinceMs: 0, opening: false };
      link = { ...fresh, queue: [], queuedBytes: 0, flushing: false };
      this.#links.set(peer, link);
    }
    return link;
  }

  async #openOutbound(peer: string): Promise<void> {
    const link = this.#link(peer);
    const connection = this.#connectionTo(peer);
    if (connection === undefined || link.outbound !== null || link.opening) return;
    link.opening = true;
    try {
      const stream = await connection.newStream(messageProtocol);
      link.outbound = stream;
      stream.addEventListener("close", () => this.#linkDown(peer, stream), { once: true });
    } finally {
      link.opening = false;
    }
    const { certificate, charterBytes: charter } = this.#options.membership;
    this.#enqueue(peer, link, encodeMessage({ kind: "hello", certificate, charter }));
    this.#announceUp(peer, link);
  }

  #inbound(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const decoder = new FrameDecoder(limits.helloBytesMax);
    let greeted = false;
    const refuse = (because: RefusedBecause): void => {
      this.#options.observer.refused(because, peer);
      stream.abort(new Error(because));
    };
    stream.addEventListener("message", (event) => {
      const chunk = event.data instanceof Uint8Array ? event.data : event.data.subarray();
      const frames = decoder.push(chunk);
      if (frames === "oversized") return refuse("oversized");
      for (const frame of frames) {
        const message = decodeMessage(frame);
        if (!message.ok) return refuse(message.problem);
        if (greeted && message.value.kind !== "hello") {
          this.#options.observer.message(peer, message.value);
          continue;
        }
        const problem = this.#greet(peer, message.value, stream);
        if (problem !== null) return refuse(problem);
        greeted = true;
      }
    });
    stream.addEventListener("close", () => this.#linkDown(peer, stream), { once: true });
  }

  /** The first message of a stream must show that its sender belongs to the domain. */
  #greet(peer: string, message: Message, stream: Stream): RefusedBecause | null {
    if (message.kind !== "hello") return "stranger";
    const { membership, identity, clock, observer } = this.#options;
    const charter = openCharter(message.charter, membership.charter.domain, identity);
    if (!charter.ok) return charter.problem;
    if (charter.value.version > membership.charter.version) {
      membership.charter = charter.value;
      membership.charterBytes = message.charter;
      observer.charter(message.charter, charter.value);
    }
    const certificate = openCertificate(message.certificate, membership.charter, clock.wallMs(), identity);
    if (!certificate.ok) return certificate.problem;
    if (certificate.value.peer !== peer || certificate.value.role === "person") return "role";
    const link = this.#link(peer);
    link.inbound = stream;
    link.role = certificate.value.role;
    link.name = certificate.value.name;
    observer.certified(peer, message.certificate);
    if (link.outbound === null) this.#openOutbound(peer).catch(() => stream.abort(new Error("no way back")));
    else this.#announceUp(peer, link);
    return null;
  }

  #announceUp(peer: string, link: Link): void {
    if (link.outbound === null || link.role === null || link.sinceMs !== 0) return;
    link.sinceMs = this.#options.clock.wallMs();
    this.#options.observer.up(peer, link.role);
  }

  /** Either half broke: the link is down, and both halves are opened anew. */
  #linkDown(peer: string, stream: Stream): void {
    const link = this.#links.get(peer);
    if (link === undefined || (link.outbound !== stream && link.inbound !== stream)) return;
    this.#links.delete(peer);
    link.outbound?.abort(new Error("link down"));
    link.inbound?.abort(new Error("link down"));
    if (link.sinceMs !== 0 && !this.#stopped) this.#options.observer.down(peer);
  }

  #enqueue(peer: string, link: Link, frame: Uint8Array): void {
    link.queue.push(frame);
    link.queuedBytes += frame.length;
    if (link.queuedBytes > limits.linkQueueBytesMax) {
      this.#options.observer.refused("flood", peer);
      return link.outbound?.abort(new Error("the other side does not read"));
    }
    if (link.flushing) return;
    link.flushing = true;
    setImmediate(() => this.#flush(peer, link));
  }

  #flush(peer: string, link: Link): void {
    link.flushing = false;
    const stream = link.outbound;
    if (stream === null || stream.writeStatus !== "writable" || link.queue.length === 0) return;
    const bytes = joinFrames(link.queue.splice(0));
    link.queuedBytes = 0;
    try {
      if (stream.send(bytes)) return;
    } catch {
      return this.#linkDown(peer, stream);
    }
    link.flushing = true;
    stream.onDrain().then(
      () => this.#flush(peer, link),
      () => this.#linkDown(peer, stream),
    );
  }

  #validate(data: Uint8Array): TopicValidatorResult {
    const opened = this.#openAnnouncement(data);
    if (opened.ok) return TopicValidatorResult.Accept;
    this.#options.observer.refused(opened.problem, null);
    return TopicValidatorResult.Reject;
  }

  #gossiped(data: Uint8Array): void {
    const opened = this.#openAnnouncement(data);
    if (opened.ok) this.#options.observer.message(opened.value.from, opened.value.message);
  }

  #openAnnouncement(data: Uint8Array): ReturnType<typeof openAnnouncement> {
    const { membership, identity, clock } = this.#options;
    return openAnnouncement(data, membership.charter, clock.wallMs(), identity);
  }
}

/** A multiaddr that names the peer it leads to. */
export function withPeer(address: string, peer: string): string {
  return address.includes("/p2p/") ? address : `${address}/p2p/${peer}`;
}
