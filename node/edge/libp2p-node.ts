/**
 * libp2p as Otto uses it: TCP, noise, yamux, identify, gossipsub. The settings undo defaults that do not fit; each
 * says which.
 */

import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { gossipsub, type GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { wordsOf } from "./error-words.ts";
import type { Identity } from "./identity.ts";

export type GossipingNode = Libp2p<{ pubsub: GossipSub }>;

export type NodeTraits = {
  readonly identity: Identity;
  /** Multiaddrs; empty for a node that only dials. */
  readonly listen: readonly string[];
  /** The one topic that is gossiped. */
  readonly topic: string;
  readonly gater: ConnectionGater;
};

/** How bytes travel: what a simulation puts something else in place of. */
export type Wire = Pick<Libp2pOptions, "transports" | "connectionEncrypters">;

const tcpWire: Wire = { transports: [tcp()], connectionEncrypters: [noise()] };

/** Starts a node. Throws `OTTO_PORT_IN_USE` or `OTTO_START_FAILED`. */
export async function createNode(traits: NodeTraits, wire: Wire = tcpWire): Promise<GossipingNode> {
  const { identity, listen, topic, gater } = traits;
  try {
    return await createLibp2p({
      ...wire,
      privateKey: privateKeyFromRaw(identity.raw),
      addresses: { listen: [...listen] },
      streamMuxers: [yamux(muxing)],
      connectionGater: gater,
      connectionManager,
      connectionMonitor,
      services: { identify: identify(), pubsub: gossipsub(gossiping(topic)) },
    });
  } catch (error) {
    throw startFailed(error, listen);
  }
}

/** The defaults let in five connections a second and address, ten at once, and prune above 300. */
const connectionManager = {
  maxConnections: limits.connectionsMax,
  inboundConnectionThreshold: limits.inboundConnectionsPerSecondMax,
  maxIncomingPendingConnections: limits.inboundConnectionsPerSecondMax,
  // Five tries and never again is the default; `dialling.ts` is ours.
  reconnectRetries: 0,
} as const;

/** A worker that is starved of CPU for five seconds would lose its links. */
const connectionMonitor = {
  pingInterval: 15_000,
  pingTimeout: { minTimeout: 30_000, maxTimeout: 60_000 },
} as const;

/** By default a window grows to four times what a paused reader may keep before its stream is reset. */
const muxing = {
  streamOptions: {
    maxStreamWindowSize: limits.streamWindowBytesMax,
    maxReadBufferLength: limits.streamWindowBytesMax * 2,
  },
} as const;

function gossiping(topic: string): NonNullable<Parameters<typeof gossipsub>[0]> {
  return {
    // Eleven peers behind one address are a rack, not an attack.
    scoreParams: { IPColocationFactorWeight: 0 },
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    allowedTopics: [topic],
    maxInboundDataLength: limits.gossipBytesMax * 4,
  };
}

function startFailed(error: unknown, listen: readonly string[]): OttoError {
  const text = wordsOf(error);
  const inUse = /EADDRINUSE|address already in use/iu.test(text) || /no valid addresses/iu.test(text);
  if (inUse || /UnsupportedListenAddress|listen/iu.test(text))
    return new OttoError("OTTO_PORT_IN_USE", {
      what: `Otto cannot listen on ${listen.join(", ")}: the address is in use or not this machine's.`,
      state: "Nothing was started.",
      next: "Stop what uses it, or choose another with --listen HOST:PORT.",
      cause: error,
    });
  return new OttoError("OTTO_START_FAILED", {
    what: `The network could not be started: ${text.trim()}.`,
    state: "Nothing was started.",
    next: "Look at the address given with --listen and try again.",
    cause: error,
  });
}
