/**
 * libp2p as Otto uses it: TCP, noise, yamux, identify, gossipsub. The settings undo defaults that do not fit; each
 * says which.
 */

import { hash } from "node:crypto";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { gossipsub, type GossipSub } from "@libp2p/gossipsub";
import { identify, type Identify } from "@libp2p/identify";
import type { ConnectionGater, Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2pOptions } from "libp2p";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { wordsOf } from "./error-words.ts";
import { gathered } from "./gathered-writes.ts";
import type { Identity } from "./identity.ts";

export type GossipingNode = Libp2p<{ pubsub: GossipSub }>;

export type NodeTraits = {
  readonly identity: Identity;
  /** Multiaddrs; empty for a node that only dials. */
  readonly listen: readonly string[];
  /** The one topic that is gossiped. */
  readonly topic: string;
  readonly gater: ConnectionGater;
  readonly role: "control" | "worker";
};

/** How bytes travel: what a simulation puts something else in place of. */
export type Wire = Pick<Libp2pOptions, "transports" | "connectionEncrypters">;

const tcpWire: Wire = { transports: [tcp()], connectionEncrypters: [gathered(noise())] };

/** Starts a node. Throws `OTTO_PORT_IN_USE` or `OTTO_START_FAILED`. */
export async function createNode(traits: NodeTraits, wire: Wire = tcpWire): Promise<GossipingNode> {
  try {
    return await createLibp2p(nodeOptions(traits, wire));
  } catch (error) {
    throw startFailed(error, traits.listen);
  }
}

type Options = Libp2pOptions<{ pubsub: GossipSub; identify: Identify }>;
type NodeOptions = Options & Required<Pick<Options, "services" | "connectionManager">>;

/** What Otto sets of libp2p, each because its default does not fit. */
export function nodeOptions(traits: NodeTraits, wire: Wire = tcpWire): NodeOptions {
  const { identity, listen, gater } = traits;
  return {
    ...wire,
    privateKey: privateKeyFromRaw(identity.raw),
    addresses: { listen: [...listen] },
    // By default a window grows to four times what a paused reader may keep before its stream is reset.
    streamMuxers: [
      yamux({
        streamOptions: {
          maxStreamWindowSize: limits.streamWindowBytesMax,
          maxReadBufferLength: limits.streamWindowBytesMax * 2,
        },
      }),
    ],
    connectionGater: gater,
    // The defaults let in five connections a second and address, ten at once, and prune above 300.
    connectionManager: {
      maxConnections: limits.connectionsMax,
      inboundConnectionThreshold: limits.inboundConnectionsPerSecondMax,
      maxIncomingPendingConnections: limits.inboundConnectionsPendingMax,
      // A peer that is starved of CPU answers late; that it is dialled anew then would only add to its work.
      dialTimeout: limits.dialAddressMsMax,
      addressDialTimeout: limits.dialAddressMsMax,
      inboundUpgradeTimeout: limits.linkMsMax,
      inboundStreamProtocolNegotiationTimeout: limits.linkMsMax,
      outboundStreamProtocolNegotiationTimeout: limits.linkMsMax,
      // Five tries and never again is the default; `dialling.ts` is ours.
      reconnectRetries: 0,
    },
    // A worker that is starved of CPU for five seconds would lose its links.
    connectionMonitor: { pingInterval: 15_000, pingTimeout: { minTimeout: 30_000, maxTimeout: 60_000 } },
    services: { identify: identify(), pubsub: gossipsub(gossiping(traits)) },
  };
}

/** Control peers, to whom all are linked, hand on to many; the others to few, since that is to control peers again. */
const degrees = {
  control: { D: 32, Dlo: 24, Dhi: 64, Dscore: 4, Dout: 2 },
  worker: { D: 2, Dlo: 1, Dhi: 3, Dscore: 1, Dout: 0 },
} as const;

function gossiping({ topic, role }: NodeTraits): NonNullable<Parameters<typeof gossipsub>[0]> {
  return {
    // Eleven peers behind one address are a rack, not an attack.
    scoreParams: { IPColocationFactorWeight: 0 },
    ...degrees[role],
    // Pieces are small: who is told not to send one has sent it by then.
    idontwantMinDataSize: limits.gossipBytesMax,
    // Each piece carries its author's own signature, which is checked before it is handed on.
    globalSignaturePolicy: "StrictNoSign",
    msgIdFn: ({ data }) => hash("sha256", data, "buffer"),
    // By which a piece that comes again is known before anything of it is looked at.
    fastMsgIdFn: ({ data }) => (data === undefined ? "" : hash("sha256", data)),
    allowPublishToZeroTopicPeers: true,
    emitSelf: false,
    allowedTopics: [topic],
    maxInboundDataLength: limits.gossipRpcBytesMax,
    // By default what waits for a peer that does not read has no bound.
    maxOutboundBufferSize: limits.gossipQueueBytesMax,
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
