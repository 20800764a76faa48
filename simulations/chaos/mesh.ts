/**
 * The mesh of a chaos run: its nodes and the proxies between them, founded with the real commands in one temporary
 * folder; made to be as a set of faults says; ended so that no process is left, whatever happened.
 */

import { randomInt } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor } from "../../node/edge/client.ts";
import { openIdentity } from "../../node/edge/identity.ts";
import { makeInvite } from "../../node/edge/invite-code.ts";
import { connectLocally } from "../../node/edge/local-socket.ts";
import { limits } from "../../protocol/limits.ts";
import type { Asleep, Broken } from "./checks.ts";
import type { ChaosFault, ChaosPeers } from "./faults.ts";
import { Links, type Place, type WayState } from "./links.ts";
import { ChaosNode, healthy, type Wanted } from "./nodes.ts";
import { processesThatName, signalAll } from "./processes.ts";

const leaseSeconds = 2;
const slots = 4;
const homeMsMax = 60_000;
const portMin = 4105;

export type MeshSize = { readonly controls: number; readonly workers: number };

export class ChaosMesh {
  /** For starting each process, one after the other, and for the first home. */
  static readonly foundMsMax = 300_000;
  readonly folder: string;
  readonly peers: ChaosPeers;
  readonly links = new Links();
  /** An address of loopback that is this run's alone: a port that is free while its peer is down stays free. */
  readonly #host = `127.${randomInt(1, 255)}.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  readonly #nodes = new Map<string, ChaosNode>();
  readonly #names = new Map<string, string>();
  readonly #asleep: Asleep[] = [];

  private constructor(size: MeshSize) {
    this.folder = mkdtempSync(join(tmpdir(), "otto-chaos-"));
    const names = (role: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${role}-${index + 1}`);
    this.peers = { controls: names("control", size.controls), workers: names("worker", size.workers) };
    // For an end that was not planned, such as a signal's.
    process.once("exit", this.#endNow);
  }

  /** Founds the mesh and waits until it has a home. Throws with words, and leaves the folder, when it cannot. */
  static async found(size: MeshSize): Promise<ChaosMesh> {
    const mesh = new ChaosMesh(size);
    try {
      await mesh.#found();
      return mesh;
    } catch (error) {
      await mesh.end({ keep: true });
      const what = error instanceof Error ? error.message : String(error);
      throw new Error(`${what}\nAll that was said is in ${mesh.folder}.`, { cause: error });
    }
  }

  get nodes(): readonly ChaosNode[] {
    return [...this.#nodes.values()];
  }

  get controls(): readonly ChaosNode[] {
    return this.nodes.filter(({ role }) => role === "control");
  }

  /** When a node was stopped, so far. */
  get asleep(): readonly Asleep[] {
    return this.#asleep;
  }

  /** What a peer is called here. */
  nameOf(peer: string): string {
    return this.#names.get(peer) ?? peer;
  }

  /** From now on links and processes are as these faults make them. */
  apply(active: ReadonlySet<ChaosFault>): void {
    const names = [...this.#nodes.keys()];
    for (const from of names)
      for (const to of names) if (from !== to) this.links.set(from, to, wayOf(from, to, active));
    for (const node of this.#nodes.values()) {
      const wanted = wantedOf(node.name, active);
      this.#noteSleep(node.name, wanted.stopped === "tree");
      node.want(wanted).catch((error: unknown) => (node.died ??= String(error)));
    }
  }

  /** Everything is well again. Resolves when every process is up. */
  async heal(): Promise<void> {
    this.apply(new Set());
    await Promise.all(this.nodes.map((node) => node.want(healthy)));
  }

  /** After a garbage collection; a process that was started anew has another name. */
  async memory(): Promise<ReadonlyMap<string, NodeJS.MemoryUsage>> {
    const memory = new Map<string, NodeJS.MemoryUsage>();
    for (const node of this.nodes) {
      const used = await node.memory();
      if (used !== null) memory.set(`${node.name}, start ${node.starts}`, used);
    }
    return memory;
  }

  /** Processes that ended without having been asked. */
  get deaths(): readonly Broken[] {
    return this.nodes.flatMap(({ died }) => (died === null ? [] : [{ checker: "processes", what: died }]));
  }

  /** Asks every process to end; tells of what did not, and of what they left running. */
  async end({ keep }: { readonly keep: boolean }): Promise<readonly Broken[]> {
    this.apply(new Set());
    await Promise.all(this.nodes.map((node) => node.want({ down: "SIGTERM", stopped: null })));
    const broken = this.deaths;
    let left = processesThatName(this.folder);
    for (const deadlineMs = performance.now() + 2 * limits.killGraceMs; left.length > 0;) {
      if (performance.now() > deadlineMs) break;
      await sleep(50);
      left = processesThatName(this.folder);
    }
    signalAll(left, "SIGKILL");
    await this.links.close();
    process.off("exit", this.#endNow);
    if (!keep) this.#removeFolder();
    const what = `${left.length} processes were left running`;
    return left.length === 0 ? broken : [...broken, { checker: "processes", what }];
  }

  readonly #endNow = (): void => {
    for (const node of this.#nodes.values()) node.killNow();
    signalAll(processesThatName(this.folder), "SIGKILL");
    this.#removeFolder();
  };

  #removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  async #found(): Promise<void> {
    const { controls, workers } = this.peers;
    const home = join(this.folder, "home");
    mkdirSync(home);
    // Who submits is this process, by the same key as the nodes' person.
    process.env["OTTO_HOME"] = home;
    const places = new Map<string, Place>();
    for (const [index, name] of controls.entries())
      places.set(name, { host: this.#host, port: portMin + index });
    for (const name of [...controls, ...workers]) {
      const dials = new Map<string, number>();
      for (const [target, at] of places)
        if (target !== name) dials.set(`${at.host}:${at.port}`, await this.links.open(name, target, at));
      const role = places.has(name) ? "control" : "worker";
      const surroundings = { folder: this.folder, environment: { OTTO_HOME: home }, dials };
      this.#nodes.set(name, new ChaosNode(name, role, surroundings));
    }
    const [founder, ...others] = this.controls;
    if (founder === undefined) throw new Error("A mesh needs a control peer.");
    const words = (node: ChaosNode): string[] => {
      const place = places.get(node.name);
      const own = ["--data", node.folder.path, "--name", node.name];
      const listen = `${place?.host}:${place?.port}`;
      return [...own, ...(place === undefined ? ["--slots", `${slots}`] : ["--listen", listen])];
    };
    const size = ["--control", "--of", `${controls.length}`, "--lease", `${leaseSeconds}`];
    await founder.start(["up", ...size, ...words(founder)]);
    const codes = [...founder.said.matchAll(/otto join (otto1-\S+)/gu)].map(([, code]) => code ?? "");
    for (const [index, node] of others.entries())
      await node.start(["join", codes[index] ?? "", ...words(node)]);
    for (const node of this.nodes.filter(({ role }) => role === "worker"))
      await node.start(["join", await inviteTo(founder), ...words(node)]);
    for (const node of this.nodes) this.#names.set(node.folder.running()?.peer ?? "", node.name);
    await this.#awaitHome();
  }

  async #awaitHome(): Promise<void> {
    for (const deadlineMs = performance.now() + homeMsMax; ; await sleep(50)) {
      const homes = await Promise.all(this.controls.map((node) => node.home().catch(() => null)));
      if (homes[0] !== null && homes.every((home) => home === homes[0])) return;
      if (performance.now() > deadlineMs) throw new Error("The mesh had no home in time.");
    }
  }

  #noteSleep(worker: string, isAsleep: boolean): void {
    const index = this.#asleep.findIndex(
      (each) => each.worker === worker && each.toSeconds === Number.POSITIVE_INFINITY,
    );
    const known = this.#asleep[index];
    if (isAsleep && known === undefined)
      this.#asleep.push({ worker, fromSeconds: upSeconds(), toSeconds: Number.POSITIVE_INFINITY });
    if (!isAsleep && known !== undefined) this.#asleep[index] = { ...known, toSeconds: upSeconds() };
  }
}

function wayOf(from: string, to: string, active: ReadonlySet<ChaosFault>): WayState {
  const way = { isHeld: false, delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };
  for (const fault of active) {
    if (fault.kind === "partition" && fault.side.includes(from) !== fault.side.includes(to))
      way.isHeld = true;
    if (fault.kind === "one-way" && fault.from === from && fault.to === to) way.isHeld = true;
    const isBetween = "between" in fault && fault.between.includes(from) && fault.between.includes(to);
    if (isBetween && fault.kind === "delay") way.delayMs = Math.max(way.delayMs, fault.delayMs);
    if (isBetween && fault.kind === "throttle")
      way.bytesPerSecond = Math.min(way.bytesPerSecond, fault.bytesPerSecond);
  }
  return way;
}

function wantedOf(name: string, active: ReadonlySet<ChaosFault>): Wanted {
  let wanted: Wanted = healthy;
  for (const fault of active) {
    if (!("peer" in fault) || fault.peer !== name) continue;
    if (fault.kind === "kill") wanted = { ...wanted, down: "SIGKILL" };
    if (fault.kind === "restart") wanted = { ...wanted, down: wanted.down ?? "SIGTERM" };
    if (fault.kind === "pause") wanted = { ...wanted, stopped: wanted.stopped ?? "process" };
    if (fault.kind === "suspend") wanted = { ...wanted, stopped: "tree" };
  }
  return wanted;
}

async function inviteTo(founder: ChaosNode): Promise<string> {
  const by = { keys: openIdentity(founder.folder.ownerKey), certificate: null };
  const channel = await connectLocally(founder.folder.socket);
  const seen = await askFor(channel, { call: "control", certificate: null }, "control");
  return makeInvite(by, seen, { role: "worker", validMs: limits.inviteMsDefault });
}

/** The clock of the target's lines. */
function upSeconds(): number {
  return Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
}
