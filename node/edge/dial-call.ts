/** A person's or a stranger's way to a peer over libp2p: dials once, opens calls, and leaves. */

import { setTimeout as sleep } from "node:timers/promises";
import { noise } from "@libp2p/noise";
import { yamux } from "@libp2p/yamux";
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { tcp } from "@libp2p/tcp";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p, type Libp2p } from "libp2p";
import { OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Channel, streamChannel } from "./channel.ts";
import type { Identity } from "./identity.ts";

const callProtocol = "/otto/calls/1";

export type Remote = {
  /** Who answers: it has proven so. */
  readonly peer: string;
  readonly open: () => Promise<Channel>;
  readonly close: () => Promise<void>;
};

/** @param addresses multiaddrs that end in `/p2p/<peer>`; the first that answers is used. */
export async function dialForCalls(identity: Identity, addresses: readonly string[]): Promise<Remote> {
  const node = await createLibp2p({
    privateKey: privateKeyFromRaw(identity.raw),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
  for (const address of addresses) {
    try {
      const signal = AbortSignal.timeout(limits.requestMsMax);
      const connection = await node.dial(multiaddr(address), { signal });
      const peer = connection.remotePeer.toString();
      return {
        peer,
        open: async () => streamChannel(await connection.newStream(callProtocol), peer),
        close: () => hangUp(node),
      };
    } catch {
      // The next address may lead there.
      continue;
    }
  }
  await hangUp(node);
  throw new OttoError("OTTO_UNREACHABLE", {
    what: `No peer answers at ${addresses.join(", ")}.`,
    state: "Nothing was done.",
    next: "Check that the node runs, that its address is right and that this machine can reach it.",
  });
}

/**
 * Within a bound: libp2p waits for its connection to close, and one that the other side cut at that moment may never
 * say so. Without a timer nothing else would keep the process, which would end there in the middle of its work.
 */
async function hangUp(node: Libp2p): Promise<void> {
  const ending = new AbortController();
  const bound = sleep(limits.hangUpMsMax, undefined, { signal: ending.signal }).catch(() => undefined);
  await Promise.race([node.stop(), bound]);
  ending.abort();
}
