/** Some of the peers of the gossip benchmark, in a process of their own: told by its parent when to do what. */

import { createPrivateKey } from "node:crypto";
import { AddressBook } from "../../node/edge/address-book.ts";
import { realClock, realRandom } from "../../node/edge/clock.ts";
import { identityOf } from "../../node/edge/identity.ts";
import { createNode, type GossipingNode } from "../../node/edge/libp2p-node.ts";
import { type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import { openCharter } from "../../protocol/membership.ts";
import { encodeMessage, type Message } from "../../protocol/messages.ts";
import { Disk } from "../../simulations/storage.ts";

export type Order =
  | {
      readonly kind: "start";
      readonly charter: Uint8Array;
      readonly peers: readonly { key: string; certificate: Uint8Array; listen: readonly string[] }[];
    }
  | { readonly kind: "dial"; readonly controls: Readonly<Record<string, readonly string[]>> }
  /** Each peer announces so many things, all in one turn or one each `everyMs`. */
  | { readonly kind: "announce"; readonly round: string; readonly each: number; readonly everyMs: number }
  /** Whoever misses some of so many asks a control peer for all of them. */
  | { readonly kind: "reconcile"; readonly round: string; readonly total: number }
  | { readonly kind: "end" };

export type Told =
  | { readonly kind: "started"; readonly addresses: Readonly<Record<string, readonly string[]>> }
  | { readonly kind: "linked" }
  /** How many arrived at these peers so far, all together, by gossip and by request. */
  | { readonly kind: "arrived"; readonly gossiped: number; readonly asked: number; readonly cpuMs: number };

type Heard = {
  readonly runs: Set<string>;
  gossiped: number;
  asked: number;
  isAsking: boolean;
  timesAsked: number;
};

class BenchPeer {
  network: RealNetwork | null = null;
  node: GossipingNode | null = null;
  readonly peer: string;
  /** What it has heard, by round: something of the next may come before this process is told that it begins. */
  readonly #rounds = new Map<string, Heard>();

  constructor(peer: string) {
    this.peer = peer;
  }

  in(round: string): Heard {
    const known = this.#rounds.get(round);
    if (known !== undefined) return known;
    const heard = { runs: new Set<string>(), gossiped: 0, asked: 0, isAsking: false, timesAsked: 0 };
    this.#rounds.set(round, heard);
    return heard;
  }

  take(from: string, message: Message): void {
    if (message.kind === "vector") return this.#tellMissing(from, message);
    if (message.kind !== "announce") return;
    const heard = this.in(message.run.slice(0, message.run.indexOf("/")));
    if (heard.runs.has(message.run)) return;
    heard.runs.add(message.run);
    if (heard.isAsking) heard.asked += 1;
    else heard.gossiped += 1;
  }

  /** As logs are compared: of each author, what stands behind the last that the other has without a gap. */
  #tellMissing(to: string, { prefix, heads }: Extract<Message, { kind: "vector" }>): void {
    for (const run of this.in(prefix).runs) {
      const [, author = "", count = ""] = run.split("/");
      const [seq] = heads[author] ?? [0];
      if (Number(count) >= seq) this.network?.send(to, { kind: "announce", run, bundle: "" });
    }
  }

  /** @returns of each author, how many of its announcements are known without a gap. */
  headsOf(round: string): Record<string, readonly [seq: number, hash: string]> {
    const { runs } = this.in(round);
    const heads: Record<string, readonly [seq: number, hash: string]> = {};
    for (const author of new Set([...runs].map((run) => run.split("/")[1] ?? ""))) {
      let seq = 0;
      while (runs.has(`${round}/${author}/${seq}`)) seq += 1;
      heads[author] = [seq, ""];
    }
    return heads;
  }

  announce(round: string, count: number): void {
    const run = `${round}/${this.peer}/${count}`;
    this.in(round).runs.add(run);
    this.network?.publish(encodeMessage({ kind: "announce", run, bundle: "f".repeat(64) }));
  }
}

const peers: BenchPeer[] = [];
let controls: readonly string[] = [];
let watching: NodeJS.Timeout | undefined;

function tell(told: Told): void {
  process.send?.(told);
}

async function start(order: Extract<Order, { kind: "start" }>): Promise<void> {
  for (const { key, certificate, listen } of order.peers) {
    const identity = identityOf(createPrivateKey(key));
    const charter = openCharter(order.charter, null, identity);
    if (!charter.ok) throw new Error(charter.problem);
    controls = charter.value.controls.map(({ peer }) => peer);
    const peer = new BenchPeer(identity.peer);
    peers.push(peer);
    peer.network = await startNetwork({
      identity,
      membership: { charter: charter.value, charterBytes: order.charter, certificate },
      listen,
      clock: realClock,
      random: realRandom,
      book: await AddressBook.open(new Disk().open(setImmediate), realClock),
      observer: {
        up: () => undefined,
        down: () => undefined,
        message: (from, message) => peer.take(from, message),
        call: (channel) => channel.abort(),
        refused: () => undefined,
        certified: () => undefined,
        charter: () => undefined,
      },
      createNode: async (traits) => (peer.node = await createNode(traits)),
    });
  }
  tell({
    kind: "started",
    addresses: Object.fromEntries(peers.map(({ peer, network }) => [peer, network?.addresses ?? []])),
  });
}

/** Resolves when every peer is linked to every control peer, and knows of each that it listens to gossip. */
async function dial(addresses: Readonly<Record<string, readonly string[]>>): Promise<void> {
  for (const { peer, network } of peers)
    for (const control of controls)
      if (control !== peer) network?.keepDialling(control, addresses[control] ?? []);
  const isReady = ({ peer, network, node }: BenchPeer): boolean =>
    controls.every((control) => {
      if (control === peer) return true;
      const [topic = ""] = node?.services.pubsub.getTopics() ?? [];
      const listening = node?.services.pubsub.getSubscribers(topic).map(String) ?? [];
      return network?.links.has(control) === true && listening.includes(control);
    });
  while (!peers.every(isReady)) await new Promise((resolve) => setTimeout(resolve, 50));
  tell({ kind: "linked" });
}

function announce({ round, each, everyMs }: Extract<Order, { kind: "announce" }>): void {
  const say = (count: number): void => {
    for (const peer of peers) peer.announce(round, count);
    if (count + 1 < each && everyMs > 0) setTimeout(() => say(count + 1), everyMs);
    else if (count + 1 < each) say(count + 1);
  };
  say(0);
  clearInterval(watching);
  const before = process.cpuUsage();
  watching = setInterval(() => {
    const sum = (of: "gossiped" | "asked"): number =>
      peers.reduce((total, peer) => total + peer.in(round)[of], 0);
    const { user, system } = process.cpuUsage(before);
    const cpuMs = (user + system) / 1_000;
    tell({ kind: "arrived", gossiped: sum("gossiped"), asked: sum("asked"), cpuMs });
  }, 20);
}

function reconcile({ round, total }: Extract<Order, { kind: "reconcile" }>): void {
  for (const peer of peers) {
    const heard = peer.in(round);
    if (heard.runs.size === total) continue;
    heard.isAsking = true;
    // In turn: whoever was asked may lack the same.
    const linked = controls.filter((control) => peer.network?.links.has(control) === true);
    const control = linked[heard.timesAsked % Math.max(1, linked.length)];
    heard.timesAsked += 1;
    if (control !== undefined)
      peer.network?.send(control, {
        kind: "vector",
        prefix: round,
        heads: peer.headsOf(round),
        frozen: [],
      });
  }
}

process.on("message", (order: Order) => {
  if (order.kind === "start") void start(order);
  else if (order.kind === "dial") void dial(order.controls);
  else if (order.kind === "announce") announce(order);
  else if (order.kind === "reconcile") reconcile(order);
  else process.exit(0);
});
process.on("disconnect", () => process.exit(0));
