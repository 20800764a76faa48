/**
 * The least that a claim can cost through libp2p as Otto uses it: the same messages between the same processes (who claims, a home, one
 * that votes) over TCP, noise and yamux, and the same two synced writes at once; of no more than bytes, that nobody reads. What Otto takes
 * beyond it is Otto's own.
 */

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Libp2p, Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { identityOfSeed } from "../../node/edge/identity.ts";
import { createNode } from "../../node/edge/libp2p-node.ts";
import { type Measurement, percentile } from "./measure.ts";

export type BareRole = "home" | "voter";

export const bareProtocol = "/otto/bare-path/1";

/** About as long as what Otto says and writes for a claim of one step. */
export const bytesOf = {
  pull: new Uint8Array(200),
  round: new Uint8Array(350),
  vote: new Uint8Array(60),
  grant: new Uint8Array(200),
  entry: new Uint8Array(300),
} as const;

export function bareNode(listen: readonly string[]): Promise<Libp2p> {
  return createNode({ identity: identityOfSeed(), listen, topic: "bare", gater: {}, role: "control" });
}

/** Each message is short: it comes whole, and one at a time. */
export function talk(stream: Stream, take: () => unknown): void {
  stream.addEventListener("message", () => void take());
}

/** @returns what waits for the next message. */
export function answered(stream: Stream): () => Promise<void> {
  let come = (): void => undefined;
  talk(stream, () => come());
  return () => new Promise((resolve) => (come = resolve));
}

export class BarePath {
  readonly #children: readonly ChildProcess[];
  readonly #node: Libp2p;
  readonly #stream: Stream;

  private constructor(children: readonly ChildProcess[], node: Libp2p, stream: Stream) {
    this.#children = children;
    this.#node = node;
    this.#stream = stream;
  }

  static async start(): Promise<BarePath> {
    const children: ChildProcess[] = [];
    const start = async (...words: readonly string[]): Promise<string> => {
      const program = join(import.meta.dirname, "bare-path-peer.ts");
      const child = fork(program, words, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
      children.push(child);
      const [address] = (await once(child, "message")) as [string];
      return address;
    };
    const home = await start("home", await start("voter"));
    const node = await bareNode([]);
    return new BarePath(children, node, await node.dialProtocol(multiaddr(home), bareProtocol));
  }

  /** So many, one after the other. */
  async measure(count: number): Promise<Measurement> {
    const latenciesMs: number[] = [];
    const granted = answered(this.#stream);
    const start = performance.now();
    for (let claim = 0; claim < count; claim += 1) {
      const beganMs = performance.now();
      const grant = granted();
      this.#stream.send(bytesOf.pull);
      await grant;
      latenciesMs.push(performance.now() - beganMs);
    }
    const perSecond = (count / (performance.now() - start)) * 1_000;
    return { perSecond, p50Ms: percentile(latenciesMs, 50), p99Ms: percentile(latenciesMs, 99) };
  }

  async stop(): Promise<void> {
    for (const child of this.#children) child.kill();
    await this.#node.stop();
  }
}
