/**
 * Defaults of libp2p that do not fit, one by one: what happens with Otto's settings, and beside it, where it is cheap,
 * the same with the library's own. Without the comparison a setting could become needless, or useless, unseen.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KEEP_ALIVE, type Libp2p } from "@libp2p/interface";
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { gossipsub, type GossipSub } from "@libp2p/gossipsub";
import { createLibp2p } from "libp2p";
import { Uint8ArrayList } from "uint8arraylist";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { gathered } from "../../node/edge/gathered-writes.ts";
import {
  createNode,
  type GossipingNode,
  nodeOptions,
  type NodeTraits,
  type Wire,
} from "../../node/edge/libp2p-node.ts";
import { tellOfRoomSeldom } from "../../node/edge/window-updates.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeMessage } from "../../protocol/messages.ts";
import { newIdentity, Peers } from "./peers.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

function traits(listens: boolean): NodeTraits {
  const listen = listens ? ["/ip4/127.0.0.1/tcp/0"] : [];
  return { identity: newIdentity(), listen, topic: "otto/test/announcements", gater: {}, role: "control" };
}

async function started<Node extends Libp2p>(making: Promise<Node>): Promise<Node> {
  const node = await making;
  closing.push(() => node.stop());
  return node;
}

/** A control peer's node, with Otto's settings but for those parts that are left to the library. */
async function hub(
  byDefault: { readonly connections?: true; readonly gossip?: true } = {},
): Promise<GossipingNode> {
  const { connectionManager, services, ...rest } = nodeOptions(traits(true));
  const pubsub = gossipsub({ globalSignaturePolicy: "StrictNoSign" });
  return started(
    createLibp2p({
      ...rest,
      ...(byDefault.connections === true ? {} : { connectionManager }),
      services: byDefault.gossip === true ? { identify: identify(), pubsub } : services,
    }),
  );
}

describe("twenty peers behind one address", () => {
  let twenty: readonly Libp2p[];
  beforeAll(async () => {
    twenty = await Promise.all(
      Array.from({ length: 20 }, () =>
        createLibp2p({
          transports: [tcp()],
          connectionEncrypters: [noise()],
          streamMuxers: [yamux()],
          // However busy this machine is, a dial is refused or gets in.
          connectionManager: { dialTimeout: 60_000, addressDialTimeout: 60_000 },
          services: {
            identify: identify(),
            pubsub: gossipsub({ globalSignaturePolicy: "StrictNoSign" }),
          },
        }),
      ),
    );
  });
  afterAll(async () => {
    for (const node of twenty) await node.stop();
  });

  /** How many get in when all dial at once, each once. */
  async function gotIn(to: Libp2p): Promise<number> {
    const addresses = to.getMultiaddrs();
    const dials = await Promise.allSettled(twenty.map((node) => node.dial(addresses)));
    return dials.filter(({ status }) => status === "fulfilled").length;
  }

  it("all get in when they dial in the same second; by default about five do", async () => {
    expect(await gotIn(await hub())).toBe(20);
    expect(await gotIn(await hub({ connections: true }))).toBeLessThan(20);
  });

  it("are all listened to when they gossip; by default they are taken for an attack, and none is", async () => {
    const scores = async (node: GossipingNode): Promise<readonly number[]> => {
      const { pubsub } = node.services;
      pubsub.subscribe("otto/test/announcements");
      expect(await gotIn(node)).toBe(20);
      await until(() => pubsub.getPeers().length === 20);
      const { score } = pubsub as unknown as Scored;
      return pubsub.getPeers().map((peer) => score.score(String(peer)));
    };
    expect((await scores(await hub())).every((score) => score >= 0)).toBe(true);
    // Below -80 nothing is taken from a peer.
    expect((await scores(await hub({ gossip: true }))).every((score) => score < -80)).toBe(true);
  });
});

/** What decides whether anything is taken from a peer. */
type Scored = { readonly score: { score(peer: string): number } };

/** Asks until it is so. */
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 1_000) throw new Error(`was never so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a peer that is away for longer than the library tries", () => {
  it("is dialled again by Otto; by default it is forgotten after a few tries", async () => {
    const away = traits(true);
    const there = await createNode(away);
    const [address] = there.getMultiaddrs();
    const keeper = await started(
      createLibp2p({
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        // The default but for its haste: five tries, then never again.
        connectionManager: { reconnectRetryInterval: 5, reconnectBackoffFactor: 1 },
      }),
    );
    await keeper.dial(there.getMultiaddrs());
    await keeper.peerStore.merge(there.peerId, { tags: { [KEEP_ALIVE]: {} } });
    const forgotten = new Promise((resolve) => {
      keeper.addEventListener("peer:reconnect-failure", resolve, { once: true });
    });
    await there.stop();
    await forgotten;
    expect([...(await keeper.peerStore.get(there.peerId)).tags.keys()]).toEqual([]);

    const peers = new Peers(1);
    closing.push(() => peers.end());
    // In a hurry: every wait of the supervisor is a fiftieth.
    let dials = 0;
    const worker = await peers.start({
      role: "worker",
      haste: 50,
      createNode: async (given) => {
        const node = await createNode(given);
        const dial = node.dial.bind(node);
        node.dial = (...words) => {
          dials += 1;
          return dial(...words);
        };
        return node;
      },
    });
    const listen = String(address).split("/p2p/")[0] ?? "";
    worker.network.keepDialling(peers.charter.controls[0]?.peer ?? "", [listen]);
    await until(() => dials > 10);
    const back = await peers.control(0, { listen });
    await peers.until(() => worker.isLinked(back));
  });
});

describe("many connections", () => {
  it("are kept: a control peer's bound is in the thousands; by default connections are pruned above 300", async () => {
    const boundOf = (node: Libp2p): number =>
      (
        node as unknown as { components: { connectionManager: { getMaxConnections(): number } } }
      ).components.connectionManager.getMaxConnections();
    expect(boundOf(await hub())).toBe(limits.connectionsMax);
    expect(limits.connectionsMax).toBeGreaterThanOrEqual(2_000);
    expect(boundOf(await hub({ connections: true }))).toBe(300);
  });
});

describe("gossip", () => {
  it("is about one thing: what else a peer says that it listens to is not kept; by default all of it is", async () => {
    const kept = async (node: GossipingNode): Promise<number> => {
      const { pubsub } = node.services;
      pubsub.subscribe("otto/test/announcements");
      const other = await started(
        createLibp2p({
          transports: [tcp()],
          connectionEncrypters: [noise()],
          streamMuxers: [yamux()],
          services: { identify: identify(), pubsub: gossipsub({ globalSignaturePolicy: "StrictNoSign" }) },
        }),
      );
      for (const topic of ["x", "y", "z", "otto/test/announcements"]) other.services.pubsub.subscribe(topic);
      await other.dial(node.getMultiaddrs());
      await until(() => pubsub.getSubscribers("otto/test/announcements").length === 1);
      return ["x", "y", "z"].filter((topic) => pubsub.getSubscribers(topic).length > 0).length;
    };
    expect(await kept(await hub())).toBe(0);
    expect(await kept(await hub({ gossip: true }))).toBe(3);
  });

  it("of a piece that is too large is refused loudly; by default it reaches nobody and nobody is told", async () => {
    const peers = new Peers(2);
    closing.push(() => peers.end());
    const [one, other] = [await peers.control(0), await peers.control(1)];
    other.dials(one);
    await peers.until(() => other.isLinked(one) && one.isLinked(other));
    const large = "f".repeat(limits.gossipBytesMax);
    one.network.publish(encodeMessage({ kind: "announce", run: "large", bundle: large }));
    expect(one.refused).toEqual(["oversized"]);

    const quiet = await started(createLibp2p(nodeOptions(traits(false))));
    const { pubsub } = quiet.services as { pubsub: GossipSub };
    const said = await pubsub.publish("otto/test/announcements", new Uint8Array(5 * 1_024 * 1_024));
    expect(said.recipients).toEqual([]);
  });

  it("that was said before anybody was there reaches nobody: what matters is told again on the link", async () => {
    const peers = new Peers(2);
    closing.push(() => peers.end());
    const [one, other] = [await peers.control(0), await peers.control(1)];
    one.network.publish(encodeMessage({ kind: "announce", run: "early", bundle: "b" }));
    other.dials(one);
    await peers.until(() => other.isLinked(one) && one.isLinked(other));
    // What control peers send when a link is up: `ControlCore` does so for all that it keeps.
    one.network.send(other.id, { kind: "announce", run: "again", bundle: "b" });
    await peers.until(() => other.messages("announce").length > 0);
    expect(other.messages("announce")).toMatchObject([{ run: "again" }]);
  });

  it("leaves as few pieces as it can: what is said within a second travels together, and all of it arrives", async () => {
    let pieces = 0;
    let node: GossipingNode | null = null;
    const peers = new Peers(2);
    closing.push(() => peers.end());
    const one = await peers.control(0, {
      // Its second lasts for a quarter of an hour: only what is full leaves.
      haste: 0.001,
      createNode: async (given) => {
        node = await createNode(given);
        const { pubsub } = node.services;
        const publish = pubsub.publish.bind(pubsub);
        pubsub.publish = (...words) => {
          pieces += 1;
          return publish(...words);
        };
        return node;
      },
    });
    const other = await peers.control(1);
    other.dials(one);
    await peers.until(() => other.isLinked(one) && one.isLinked(other));
    // Gossip knows of the other side a little later than the link does.
    const { pubsub } = (node as GossipingNode | null)?.services ?? {};
    const [topic = ""] = pubsub?.getTopics() ?? [];
    await until(() => pubsub?.getSubscribers(topic).length === 1);
    const count = 2 * limits.announcementsGatheredMax;
    for (let run = 0; run <= count; run += 1) {
      if (run % 100 === 0) await new Promise(setImmediate);
      one.network.publish(encodeMessage({ kind: "announce", run: `${run}`, bundle: "b".repeat(64) }));
    }
    await peers.until(() => other.messages("announce").length === count);
    expect(pieces).toBe(2);
  });
});

describe("a reader that is slower than its writer", () => {
  it("slows the writer down, bounds what both keep, and gets every byte", async () => {
    const peers = new Peers(1);
    closing.push(() => peers.end());
    const control = await peers.control(0);
    const worker = await peers.start({ role: "worker" });
    worker.dials(control);
    await peers.until(() => worker.isLinked(control) && control.isLinked(worker));
    const channel = await worker.network.openCall(control.id);
    const frame = new Uint8Array(256 * 1_024).fill(7);
    const count = 48;
    let sent = 0;
    const writing = (async () => {
      for (; sent < count; sent += 1) await channel.send(frame);
      await channel.close();
    })();
    await peers.until(() => control.channels.length === 1);
    const [incoming] = control.channels;
    if (incoming === undefined) throw new Error("no call came in");
    // Nobody reads: the writer stops, long before all of it is sent, and stays stopped.
    let last = -1;
    await until(() => {
      const stopped = sent === last && sent > 0;
      last = sent;
      return stopped;
    });
    expect(sent).toBeLessThan(count / 2);
    let bytes = 0;
    for await (const chunk of incoming.frames()) bytes += chunk.length;
    await writing;
    expect(bytes).toBe(count * frame.length);
  });

  it("has its stream reset by default, once more than 4 MiB wait", async () => {
    const [writer, reader] = [await hub(), await plain()];
    const broke = new Promise<string>((resolve) => {
      void reader.handle("/otto/test/1", (stream) => {
        stream.addEventListener("close", ({ error }) => resolve(error?.message ?? ""), { once: true });
      });
    });
    const connection = await writer.dial(reader.getMultiaddrs());
    const stream = await connection.newStream("/otto/test/1");
    // As if what `send` returns did not matter: nothing holds it back.
    for (let count = 0; count < 96; count += 1) stream.send(new Uint8Array(256 * 1_024));
    expect(stream.writeBufferLength).toBeGreaterThan(16 * 1_024 * 1_024);
    expect(await broke).toMatch(/exceeded limit/u);
  });

  it("on a link cuts the sender's queue at its bound and is told of as a flood", async () => {
    const peers = new Peers(1);
    closing.push(() => peers.end());
    const control = await peers.control(0);
    const worker = await peers.start({ role: "worker" });
    worker.dials(control);
    await peers.until(() => worker.isLinked(control) && control.isLinked(worker));
    const bytes = new Uint8Array(4 * 1_024 * 1_024);
    // One turn of the event loop in which nothing can leave.
    for (let count = 0; count <= limits.linkQueueBytesMax / bytes.length; count += 1)
      worker.network.send(control.id, { kind: "result", envelope: bytes });
    expect(worker.refused).toEqual(["flood"]);
    await peers.until(() => worker.heard.some(({ kind }) => kind === "down"));
    // And it comes back.
    await peers.until(() => worker.isLinked(control));
  });

  async function plain(): Promise<Libp2p> {
    return started(
      createLibp2p({
        addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
      }),
    );
  }
});

describe("a stream of many small messages", () => {
  /** How often the reader tells of room while it reads so many pieces one by one, and what it got. */
  async function toldOfRoom(pieces: readonly Uint8Array[], seldom: boolean): Promise<[number, number]> {
    const [writer, reader] = [await hub(), await hub()];
    let told = 0;
    let bytes = 0;
    await reader.handle("/otto/test/1", (stream) => {
      const own = stream as unknown as { sendFrame: (header: { readonly type: number }) => boolean };
      const sendFrame = own.sendFrame.bind(own);
      own.sendFrame = (...words) => {
        told += words[0].type === 1 ? 1 : 0;
        return sendFrame(...words);
      };
      if (seldom) tellOfRoomSeldom(stream);
      stream.addEventListener("message", ({ data }) => (bytes += data.byteLength));
    });
    const connection = await writer.dial(reader.getMultiaddrs());
    const stream = await connection.newStream("/otto/test/1");
    told = 0;
    const before = bytes;
    for (const piece of pieces) {
      const sum = bytes + piece.length;
      if (!stream.send(piece))
        await new Promise((resolve) => stream.addEventListener("drain", resolve, { once: true }));
      await until(() => bytes >= sum);
    }
    return [told, bytes - before];
  }

  it("is not answered piece by piece; by default it is", async () => {
    const small = Array.from({ length: 20 }, () => new Uint8Array(100));
    expect(await toldOfRoom(small, true)).toEqual([0, 2_000]);
    expect(await toldOfRoom(small, false)).toEqual([20, 2_000]);
  });

  it("goes on beyond what its reader first had room for", async () => {
    const large = Array.from({ length: 40 }, () => new Uint8Array(60_000));
    const [told, bytes] = await toldOfRoom(large, true);
    expect(bytes).toBe(2_400_000);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThan(20);
  });
});

describe("an encrypted link", () => {
  type Encryption = NonNullable<Wire["connectionEncrypters"]>[number];
  type Decoding = { readonly decoder: { lengthDecoder(data: Uint8ArrayList): number } };

  /** How it learns, twice, that there are no more packets in what came in. */
  async function toldTwice(encryption: Encryption): Promise<unknown[]> {
    const links: Decoding[] = [];
    const seen: Encryption = (components) => {
      const encrypter = encryption(components);
      const outbound = encrypter.secureOutbound.bind(encrypter);
      const secureOutbound: typeof outbound = async (...words) => {
        const secured = await outbound(...words);
        links.push(secured.connection as unknown as Decoding);
        return secured;
      };
      return Object.assign(encrypter, { secureOutbound });
    };
    const wire = { transports: [tcp()], connectionEncrypters: [seen] };
    const dialler = await started(createNode(traits(false), wire));
    const listener = await started(createNode(traits(true), wire));
    await dialler.dial(listener.getMultiaddrs());
    return [1, 2].map(() => {
      try {
        return links[0]?.decoder.lengthDecoder(new Uint8ArrayList());
      } catch (error) {
        return error;
      }
    });
  }

  it("learns by the same exception each time that all is read; by default each packet costs a new one", async () => {
    const [first, second] = await toldTwice(gathered(noise()));
    expect(first).toBeInstanceOf(RangeError);
    expect(second).toBe(first);
    const [one, other] = await toldTwice(noise());
    expect(one).toBeInstanceOf(RangeError);
    expect(other).not.toBe(one);
  });
});

describe("packages", () => {
  it("that break connections or belong to an older libp2p are not among the dependencies", () => {
    const text = readFileSync(join(import.meta.dirname, "../../package.json"), "utf8");
    const { dependencies } = JSON.parse(text) as { readonly dependencies: Readonly<Record<string, string>> };
    const names = Object.keys(dependencies);
    for (const name of ["@libp2p/pnet", "@chainsafe/libp2p-gossipsub", "@chainsafe/libp2p-noise", "it-pipe"])
      expect(names).not.toContain(name);
  });
});
