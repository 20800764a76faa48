/** A libp2p peer that is nobody's: it can say whatever it wants to a real node, on every protocol that Otto speaks. */

import { generateKeyPairSync } from "node:crypto";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { gossipsub, type GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Libp2p, Stream } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { type Identity, identityOf } from "../../node/edge/identity.ts";

export class Stranger {
  readonly identity: Identity;
  readonly #node: Libp2p<{ pubsub: GossipSub }>;
  readonly #address: string;

  private constructor(identity: Identity, node: Libp2p<{ pubsub: GossipSub }>, address: string) {
    this.identity = identity;
    this.#node = node;
    this.#address = address;
  }

  static async meet(address: string, topic: string): Promise<Stranger> {
    const identity = identityOf(generateKeyPairSync("ed25519").privateKey);
    const node = await createLibp2p({
      privateKey: privateKeyFromRaw(identity.raw),
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: {
        identify: identify(),
        // As Otto's own: gossipsub drops what it takes for signed otherwise, before anybody judges it.
        pubsub: gossipsub({ allowPublishToZeroTopicPeers: true, globalSignaturePolicy: "StrictNoSign" }),
      },
    });
    const stranger = new Stranger(identity, node, address);
    await stranger.#connect();
    const meshed = new Promise<void>((resolve) => {
      node.services.pubsub.addEventListener("subscription-change", () => resolve(), { once: true });
    });
    node.services.pubsub.subscribe(topic);
    await meshed;
    return stranger;
  }

  /** Says this on a stream of its own. Returns what comes back until the other side ends the stream. */
  async say(protocol: string, ...payloads: readonly Uint8Array[]): Promise<Uint8Array> {
    const stream = await this.#open(protocol);
    const heard: Uint8Array[] = [];
    const over = new Promise<void>((resolve) => {
      stream.addEventListener("message", (event) => {
        heard.push(event.data instanceof Uint8Array ? event.data : event.data.subarray());
      });
      stream.addEventListener("close", () => resolve(), { once: true });
      stream.addEventListener("remoteCloseWrite", () => resolve(), { once: true });
    });
    for (const payload of payloads) stream.send(payload);
    await over;
    stream.abort(new Error("said"));
    return Buffer.concat(heard);
  }

  /** Says this on a stream of its own that stays open. Returns what ends it. */
  async tell(protocol: string, ...payloads: readonly Uint8Array[]): Promise<() => void> {
    const stream = await this.#open(protocol);
    for (const payload of payloads) stream.send(payload);
    return () => stream.abort(new Error("told"));
  }

  async publish(topic: string, bytes: Uint8Array): Promise<void> {
    await this.#node.services.pubsub.publish(topic, bytes);
  }

  async leave(): Promise<void> {
    await this.#node.stop();
  }

  async #connect(): Promise<void> {
    await this.#node.dial(multiaddr(this.#address));
  }

  async #open(protocol: string): Promise<Stream> {
    const connection = await this.#node.dial(multiaddr(this.#address));
    return connection.newStream(protocol);
  }
}

/** The head of a frame that says it is this long. */
export function frameHead(length: number): Uint8Array {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return head;
}
