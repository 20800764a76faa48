/**
 * Who is let in, and who is cut off: real connections over loopback, judged at a control peer whose time passes when the
 * test says so.
 */

import type { Connection, Libp2p } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Gatekeeper } from "../../node/edge/gatekeeper.ts";
import { InboundRate } from "../../node/edge/inbound-rate.ts";
import { createNode } from "../../node/edge/libp2p-node.ts";
import { limits } from "../../protocol/limits.ts";
import { Agenda } from "../../simulations/agenda.ts";
import { simulatedClock } from "../../simulations/life.ts";
import { newIdentity } from "./peers.ts";

const protocol = "/otto/test/1";
const agenda = new Agenda();
const clock = simulatedClock(agenda, { bootMs: 0, wallMs: 0, fastPpm: 0 }, (callback) => callback());
const linked = new Set<string>();
const calling = new Set<string>();
const nodes: Libp2p[] = [];
let gatekeeper: Gatekeeper;
let hub: Libp2p;

function pass(ms: number): void {
  agenda.run(agenda.nowUs + ms * 1_000, () => false);
}

beforeEach(async () => {
  gatekeeper = new Gatekeeper({
    clock,
    isLinked: (peer) => linked.has(peer),
    isCalling: (peer) => calling.has(peer),
  });
  const { gater } = gatekeeper;
  const listen = ["/ip4/127.0.0.1/tcp/0"];
  hub = await createNode({ identity: newIdentity(), listen, topic: "otto/test", gater, role: "control" });
  hub.addEventListener("connection:open", ({ detail }) => gatekeeper.opened(detail));
  hub.addEventListener("connection:close", ({ detail }) => gatekeeper.closed(detail));
  nodes.push(hub);
});

afterEach(async () => {
  gatekeeper.close();
  linked.clear();
  calling.clear();
  await Promise.all(nodes.splice(0).map(async (node) => node.stop()));
});

async function visitor(): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: { reconnectRetries: 0, maxConnections: 1_000, maxParallelDials: 1_000 },
  });
  nodes.push(node);
  return node;
}

/** Resolves when the hub has let it in as well. */
async function connected(from: Libp2p): Promise<Connection> {
  const known = hub.getConnections(from.peerId).length;
  const connection = await from.dial(hub.getMultiaddrs(), { force: true });
  await until(() => hub.getConnections(from.peerId).length > known || connection.status !== "open");
  return connection;
}

/** As if the connection that it has were so many more: hundreds of real ones take seconds. */
function openedAgain(from: Libp2p, times: number): void {
  const [connection] = hub.getConnections(from.peerId);
  for (let count = 0; count < times; count += 1)
    gatekeeper.opened(Object.create(connection ?? null) as Connection);
}

/** False when the hub closes the connection, or never lets it come about. */
async function isLetIn(from: Libp2p): Promise<boolean> {
  try {
    const connection = await from.dial(hub.getMultiaddrs(), { force: true });
    await connection.newStream(protocol);
    return true;
  } catch {
    return false;
  }
}

/** Asks until it is so. */
async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 1_000) throw new Error(`was never so: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe("a connection", () => {
  it("is cut when its peer shows no certificate in time, and not when it shows one or asks something", async () => {
    const [silent, member, caller] = [await visitor(), await visitor(), await visitor()];
    const [cut, kept, asked] = [await connected(silent), await connected(member), await connected(caller)];
    gatekeeper.welcomed(member.peerId.toString());
    calling.add(caller.peerId.toString());
    pass(limits.helloMsMax - 1);
    expect(gatekeeper.refused.silent).toBe(0);
    pass(1);
    await until(() => cut.status !== "open");
    expect([kept.status, asked.status, gatekeeper.refused.silent]).toEqual(["open", "open", 1]);
    calling.clear();
    pass(limits.helloMsMax);
    await until(() => asked.status !== "open");
    expect([kept.status, gatekeeper.refused.silent]).toEqual(["open", 2]);
  });

  it("of a peer that is denied is cut, and not let in again before the time is over", async () => {
    const node = await visitor();
    await hub.handle(protocol, () => undefined);
    const connection = await connected(node);
    gatekeeper.deny(node.peerId.toString(), 1_000);
    await until(() => connection.status !== "open");
    expect(await isLetIn(node)).toBe(false);
    await expect(hub.dial(node.peerId)).rejects.toThrow(/.+/u);
    pass(1_000);
    expect(await isLetIn(node)).toBe(true);
    gatekeeper.deny(node.peerId.toString());
    pass(10 * limits.denialMs);
    expect(await isLetIn(node)).toBe(false);
    gatekeeper.allow(node.peerId.toString());
    expect(await isLetIn(node)).toBe(true);
  });

  it("is refused for a while to whoever says again and again what is refused, and counts anew for who is seldom wrong", async () => {
    const node = await visitor();
    const peer = node.peerId.toString();
    await hub.handle(protocol, () => undefined);
    for (let times = 1; times < limits.refusalsMax; times += 1) gatekeeper.misbehaved(peer);
    pass(limits.denialMs + 1);
    gatekeeper.misbehaved(peer);
    expect(await isLetIn(node)).toBe(true);
    for (let times = 1; times < limits.refusalsMax; times += 1) gatekeeper.misbehaved(peer);
    expect(await isLetIn(node)).toBe(false);
    pass(limits.denialMs);
    expect(await isLetIn(node)).toBe(true);
  });

  it("is refused to a peer that has enough of them, and to no other", async () => {
    const [greedy, other] = [await visitor(), await visitor()];
    await hub.handle(protocol, () => undefined);
    await connected(greedy);
    openedAgain(greedy, limits.connectionsPerPeerMax - 2);
    expect(await isLetIn(greedy)).toBe(true);
    expect(await isLetIn(greedy)).toBe(false);
    expect(gatekeeper.refused.connections).toBe(1);
    expect(await isLetIn(other)).toBe(true);
  });

  it("is refused to strangers while there are as many as there is room for, until one is known", async () => {
    const [stranger, other] = [await visitor(), await visitor()];
    await hub.handle(protocol, () => undefined);
    await connected(stranger);
    openedAgain(stranger, limits.strangersMax - 1);
    expect(await isLetIn(other)).toBe(false);
    expect(gatekeeper.refused.strangers).toBe(1);
    gatekeeper.welcomed(stranger.peerId.toString());
    expect(await isLetIn(other)).toBe(true);
  });
});

describe("a stream", () => {
  it("is not read for as long as its peer said too much, and nothing of what it says is lost", async () => {
    const node = await visitor();
    const rate = new InboundRate(clock);
    let read = 0;
    await hub.handle(protocol, (stream) => {
      stream.addEventListener("message", ({ data }) => {
        const bytes = data.byteLength;
        read += bytes;
        // Half a second's worth beyond what may be said at once, whatever its size was.
        rate.took(stream, { messages: limits.messagesPerSecondMax * 2.5, bytes });
      });
    });
    const stream = await (await connected(node)).newStream(protocol);
    stream.send(new Uint8Array(10));
    await until(() => read === 10);
    stream.send(new Uint8Array(7));
    const inbound = hub.getConnections(node.peerId).flatMap(({ streams }) => streams);
    await until(() =>
      inbound.some(({ readStatus, readBufferLength }) => readStatus === "paused" && readBufferLength === 7),
    );
    pass(499);
    expect(read).toBe(10);
    pass(1);
    await until(() => read === 17);
  });
});
