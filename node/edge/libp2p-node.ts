/**
 * libp2p as Otto uses it: TCP, noise, yamux, identify, gossipsub. The settings undo defaults that do not fit; each
 * says which.
 */

import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { gossipsub, type GossipSub } from "@libp2p/gossipsub";
import { identify } from "@libp2p/identify";
import type { Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { wordsOf } from "./error-words.ts";
import type { Identity } from "./identity.ts";

export type GossipingNode = Libp2p<{ pubsub: GossipSub }>;

/**
 * Starts a node. Throws `OTTO_PORT_IN_USE` or `OTTO_START_FAILED`.
 *
 * @param listen multiaddrs; empty for a node that only dials.
 * @param topic the one topic that is gossiped.
 */
export async function createNode(
  identity: Identity,
  listen: readonly string[],
  topic: string,
): Promise<GossipingNode> {
  try {
    return await createLibp2p({
      privateKey: privateKeyFromRaw(identity.raw),
      addresses: { listen: [...listen] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      // The defaults let in five connections a second and address, and prune above 300.
      connectionManager: {
        maxConnections: limits.connectionsMax,
        inboundConnectionThreshold: limits.inboundConnectionsPerSecondMax,
        maxIncomingPendingConnections: limits.inboundConnectionsPerSecondMax,
        // Five tries and never again is the default; `keepDialling` is ours.
        reconnectRetries: 0,
      },
      // A worker that is starved of CPU for five seconds would lose its links.
      connectionMonitor: { pingInterval: 15_000, pingTimeout: { minTimeout: 30_000, maxTimeout: 60_000 } },
      services: {
        identify: identify(),
        pubsub: gossipsub({
          // Eleven peers behind one address are a rack, not an attack.
          scoreParams: { IPColocationFactorWeight: 0 },
          allowPublishToZeroTopicPeers: true,
          emitSelf: false,
          allowedTopics: [topic],
          maxInboundDataLength: limits.gossipBytesMax * 4,
        }),
      },
    });
  } catch (error) {
    throw startFailed(error, listen);
  }
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
