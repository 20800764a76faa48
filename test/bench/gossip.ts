/**
 * A thousand announcements in a mesh of fifty real peers: five control peers and forty-five others that are linked to
 * each of them, over libp2p on loopback, in two processes. How long until every peer has heard of every one, all said
 * at once, or over a second; by gossip, and for what that missed, by asking a control peer.
 */

import { type ChildProcess, fork } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { identityOf } from "../../node/edge/identity.ts";
import { sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, domainId, sealCharter } from "../../protocol/membership.ts";
import type { Order, Told } from "./gossip-peers.ts";
import { median, type Row } from "./measure.ts";

const peerCount = 50;
const controlCount = 5;
const processCount = 2;
const each = 20;
const total = peerCount * each;
const rounds = 3;
/** When what gossip has not brought is asked for. */
const askAfterMs = 3_000;
const askAgainMs = 2_000;
const giveUpMs = 60_000;

export async function benchGossip(): Promise<Row[]> {
  const mesh = await Mesh.start();
  try {
    await mesh.round("warm-up", 0);
    const rows: Row[] = [];
    for (const { name, everyMs } of [
      { name: "at once", everyMs: 0 },
      { name: "within a second", everyMs: 1_000 / each },
    ]) {
      const measured: Measured[] = [];
      for (let round = 0; round < rounds; round += 1)
        measured.push(await mesh.round(`${name} ${round}`, everyMs));
      const of = (key: keyof Measured): number => median(measured.map((one) => one[key]));
      rows.push(
        {
          name: `${total} said ${name}, heard by all ${peerCount}`,
          value: of("tookMs"),
          unit: "ms",
          target: { most: 5_000 },
        },
        { name: "  of which by gossip", value: of("gossipedPercent"), unit: "%" },
        { name: "  processor time", value: of("cpuMs"), unit: "ms" },
        { name: "  asked for", value: of("asked"), unit: "announcements" },
      );
    }
    return rows;
  } finally {
    mesh.end();
  }
}

type Measured = {
  readonly tookMs: number;
  readonly gossipedPercent: number;
  readonly asked: number;
  readonly cpuMs: number;
};

class Mesh {
  readonly #children: readonly ChildProcess[];
  readonly #arrived = new Map<ChildProcess, { gossiped: number; asked: number; cpuMs: number }>();

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(): Promise<Mesh> {
    const program = join(import.meta.dirname, "gossip-peers.ts");
    const children = Array.from({ length: processCount }, () =>
      fork(program, { serialization: "advanced", stdio: ["ignore", "inherit", "inherit", "ipc"] }),
    );
    const mesh = new Mesh(children);
    try {
      await mesh.#found();
      return mesh;
    } catch (error) {
      mesh.end();
      throw error;
    }
  }

  async #found(): Promise<void> {
    const owner = identityOf(generateKeyPairSync("ed25519").privateKey);
    const all = Array.from({ length: peerCount }, (_, index) => {
      const { privateKey } = generateKeyPairSync("ed25519");
      const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      return { key, peer: identityOf(privateKey).peer, isControl: index < controlCount };
    });
    const charter: Charter = {
      otto: "charter/1",
      domain: domainId("gossip", owner.peer),
      name: "gossip",
      owner: owner.peer,
      version: 1,
      configuration: 1,
      size: controlCount,
      controls: all
        .filter(({ isControl }) => isControl)
        .map(({ peer }) => ({ peer, store: "", addresses: [] })),
      former: [],
      leaseMs: 30_000,
    };
    const members = all.map(({ key, peer, isControl }) => {
      const role = isControl ? "control" : "worker";
      const expiresMs = Date.now() + 600_000;
      const certificate = { otto: "certificate/1", peer, role, name: role, expiresMs } as const;
      return {
        key,
        certificate: sealCertificate(charter.domain, certificate, owner),
        listen: isControl ? ["/ip4/127.0.0.1/tcp/0"] : [],
      };
    });
    const bytes = sealCharter(charter, owner);
    const started = await this.#all("started", (index) => ({
      kind: "start",
      charter: bytes,
      peers: members.filter((_, member) => member % processCount === index),
    }));
    const controls = Object.assign({}, ...started.map(({ addresses }) => addresses)) as Record<
      string,
      readonly string[]
    >;
    await this.#all("linked", () => ({ kind: "dial", controls }));
    for (const child of this.#children)
      child.on("message", (told: Told) => {
        if (told.kind === "arrived") this.#arrived.set(child, told);
      });
  }

  async round(round: string, everyMs: number): Promise<Measured> {
    this.#arrived.clear();
    const wanted = total * peerCount - total;
    const startMs = performance.now();
    for (const child of this.#children) this.#order(child, { kind: "announce", round, each, everyMs });
    const isOver = (): boolean => this.#sum("gossiped") + this.#sum("asked") >= wanted;
    while (!isOver() && performance.now() - startMs < askAfterMs) await this.#more();
    let askedMs = 0;
    while (!isOver()) {
      // Whoever was asked may not have known all of it: asked again, as anti-entropy does.
      if (performance.now() - askedMs > askAgainMs) {
        askedMs = performance.now();
        for (const child of this.#children) this.#order(child, { kind: "reconcile", round, total });
      }
      if (performance.now() - startMs > giveUpMs)
        throw new Error(
          `${wanted - this.#sum("gossiped") - this.#sum("asked")} were never heard, ${this.#sum("cpuMs")} ms of processor`,
        );
      await this.#more();
    }
    const tookMs = performance.now() - startMs;
    return {
      tookMs,
      gossipedPercent: (this.#sum("gossiped") / wanted) * 100,
      asked: this.#sum("asked"),
      cpuMs: this.#sum("cpuMs"),
    };
  }

  end(): void {
    for (const child of this.#children) child.kill();
  }

  #sum(of: "gossiped" | "asked" | "cpuMs"): number {
    return [...this.#arrived.values()].reduce((sum, arrived) => sum + arrived[of], 0);
  }

  #more(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 10));
  }

  async #all<Kind extends Told["kind"]>(
    kind: Kind,
    order: (index: number) => Order,
  ): Promise<Extract<Told, { kind: Kind }>[]> {
    return Promise.all(
      this.#children.map(async (child, index) => {
        const answer = new Promise<Extract<Told, { kind: Kind }>>((resolve, reject) => {
          child.once("exit", () => reject(new Error("a process of the gossip benchmark ended")));
          child.on("message", (told: Told) => {
            if (told.kind === kind) resolve(told as Extract<Told, { kind: Kind }>);
          });
        });
        this.#order(child, order(index));
        return answer;
      }),
    );
  }

  #order(child: ChildProcess, order: Order): void {
    child.send(order);
  }
}
