/**
 * A peer of a simulated mesh: its disk and blobs, which outlive its processes, and the process that runs now.
 *
 * Stands where `node/edge/` stands in a real process: it performs what the core asks for. What travels between peers
 * is encoded and decoded as on a real link, unless the world is told to pass messages on as they are.
 */

import { ControlCore, controlKeys } from "../node/core/control.ts";
import type { ControlEffect, ControlInput, WorkerEffect, WorkerInput } from "../node/core/effects.ts";
import { WorkerCore, workerKeys } from "../node/core/worker.ts";
import type { Keys, StoredEntry } from "../node/ports.ts";
import { limits } from "../protocol/limits.ts";
import type { Source } from "../protocol/manifest.ts";
import type { Charter } from "../protocol/membership.ts";
import { decodeMessage, encodeMessage, type Message } from "../protocol/messages.ts";
import type { StepReport } from "../protocol/report.ts";
import type { Agenda } from "./agenda.ts";
import { SimulatedExecutor } from "./executor.ts";
import { type ClockTraits, Life } from "./life.ts";
import type { Arrival, SimulatedNetwork } from "./network.ts";
import type { Observation, PeerName } from "./observation.ts";
import { fromDisk, type Telling } from "./kept-entries.ts";
import { pollOutside } from "./outside.ts";
import { hashBetween, hashOf } from "./random.ts";
import { Disk } from "./storage.ts";
import { startWallMs } from "./workload.ts";

/** An observation before it is known when and where it was made. */
export type Seen<Kind = Observation> = Kind extends Observation ? Omit<Kind, "atUs" | "peer"> : never;

export type Surroundings = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly network: SimulatedNetwork;
  readonly charter: Charter;
  /** The peer's name in this world for its id, and the other way round. */
  readonly nameOf: (id: string) => PeerName;
  readonly peer: (name: PeerName) => Peer;
  readonly peers: () => readonly Peer[];
  readonly see: (peer: PeerName, seen: Seen) => void;
  /** The process ended by itself: its fuse burnt down or its core threw. */
  readonly ended: (peer: Peer, why: "fuse" | "bug", cause: unknown) => void;
  readonly encoded: boolean;
  /** True when each start of a process may find the machine's wall clock set anew. */
  readonly clocksAreSet: boolean;
  readonly failing: { readonly failed: number; readonly timedOut: number };
  readonly durationMsMax: number;
};

export type PeerTraits = {
  readonly name: PeerName;
  readonly role: "control" | "worker";
  readonly keys: Keys;
  readonly labels: readonly string[];
  readonly slots: number;
  readonly fastPpm: number;
};

type Wanted = { readonly digest: string; readonly run?: string };

type Input = ControlInput | WorkerInput;
type Effect = ControlEffect | WorkerEffect;
type PeerLife = Life<Input, Effect>;
type Performed = Exclude<Effect, { readonly kind: "store" }>;

export class Peer {
  readonly traits: PeerTraits;
  readonly disk = new Disk();
  /** Bundles and trees that are here, by digest. Blobs are durable at once. */
  readonly blobs = new Map<string, Uint8Array>();
  slowDiskUntilUs = 0;
  readonly #around: Surroundings;
  #life: PeerLife | null = null;
  #executor: SimulatedExecutor | null = null;
  #control: ControlCore | null = null;
  #lives = 0;
  #asks = 0;

  constructor(traits: PeerTraits, around: Surroundings) {
    this.traits = traits;
    this.#around = around;
  }

  get name(): PeerName {
    return this.traits.name;
  }

  /** Of the process that runs, or ran last: a control peer's incarnation. */
  get lifeName(): string {
    return `${this.name}.${this.#lives}`;
  }

  get lives(): boolean {
    return this.#life !== null;
  }

  get answers(): boolean {
    return this.#life !== null && !this.#life.paused;
  }

  /** The logs that a person who asks this control peer is told to be forked. */
  get forks(): readonly string[] {
    return this.#life === null ? [] : (this.#control?.forks ?? []).map(({ log }) => log);
  }

  /** How many entries of a log are on its disk. */
  keptOf(log: string): number {
    return this.disk.list(`${controlKeys.entries}${log}/`).length;
  }

  start(): void {
    this.#lives += 1;
    const { name, role } = this.traits;
    const { agenda, seed, clocksAreSet } = this.#around;
    const { lifeName } = this;
    const clock: ClockTraits = {
      bootMs: 1_000 + (hashOf(seed, lifeName, "boot") % 1_000_000),
      // In some worlds the wall clock is set anew while the process is down: forwards or backwards.
      wallMs: startWallMs + hashBetween(-2_000, 2_000, seed, clocksAreSet ? lifeName : name, "wall"),
      fastPpm: this.traits.fastPpm,
    };
    this.#executor = this.#newExecutor();
    this.#life = new Life<Input, Effect>({
      name: lifeName,
      agenda,
      clock,
      openStorage: (completes) => this.disk.open(completes),
      syncUs: () => this.#syncUs(),
      core: (now) =>
        role === "control" ? this.#controlCore(lifeName, now) : this.#workerCore(lifeName, now),
      perform: (effect, life) => this.#perform(effect, life),
      tick: { input: { kind: "tick" }, everyMs: limits.tickMs },
      burnt: () => this.#around.ended(this, "fuse", null),
      broken: (cause) => this.#around.ended(this, "bug", cause),
    });
    this.#see({ kind: "up", role, life: lifeName, disk: this.disk });
    this.#life.start();
  }

  /** Ends the process as `kill -9` and a power cut would. */
  crash(why: "crash" | "fuse"): void {
    if (this.#life === null) return;
    const { agenda, seed, network } = this.#around;
    this.#life.crash();
    this.#life = null;
    void this.#executor?.close();
    this.#executor = null;
    this.disk.crash((unsynced) => hashBetween(0, unsynced, seed, this.name, agenda.nowUs, "kept"));
    network.dropPeer(this.name);
    this.#see({ kind: "down", why });
  }

  pause(): void {
    if (this.#life === null) return;
    this.#life.pause();
    this.#see({ kind: "paused" });
  }

  resume(): void {
    if (this.#life === null || !this.#life.paused) return;
    this.#see({ kind: "resumed" });
    this.#life.resume();
  }

  /** A blob by its digest, or the bundle of a run that a control peer has made or keeps. */
  holds({ digest, run }: Wanted): Uint8Array | undefined {
    const { bundles, orders, archive } = controlKeys;
    const kept =
      run === undefined ? [] : [bundles, orders, archive].flatMap((key) => this.disk.list(key + run));
    return this.blobs.get(digest) ?? kept[0]?.[1];
  }

  light(effects: number): void {
    this.#life?.light(effects);
  }

  tell(input: Input): void {
    this.#life?.post(input);
  }

  /** A frame or the news about a link, as the network brings it. */
  arrive(from: PeerName, arrival: Arrival): void {
    const { traits } = this.#around.peer(from);
    const id = traits.keys.peer;
    if (arrival.kind === "up") return this.tell({ kind: "peer-up", peer: id, role: traits.role });
    if (arrival.kind === "down") return this.tell({ kind: "peer-down", peer: id });
    const message = this.#unpack(arrival.frame);
    this.#life?.reach(() => {
      this.#see({ kind: "received", from, message });
      this.tell({ kind: "message", from: id, message });
    });
  }

  #perform(effect: Performed, life: PeerLife): void {
    const { agenda } = this.#around;
    switch (effect.kind) {
      case "send":
        return this.#send(effect.to, effect.message, life);
      case "publish":
        return this.#publish(effect.message);
      case "fetch-bundle":
        return this.#fetch(effect, (bytes, from) => {
          const { run, digest } = effect;
          life.post({ kind: "bundle", run, digest, from: from ?? effect.from, bytes, question: null });
        });
      case "fetch-source": {
        const { run, source, from } = effect;
        return this.#fetch({ digest: digestOf(source), from }, (bytes) => {
          life.post({ kind: "source", run, problem: bytes === null ? "nobody has it" : null });
        });
      }
      case "keep-blobs":
        agenda.in(20_000, () => this.#keep(effect.assignment, effect.report, life));
        return;
      case "send-entries":
        return fromDisk(effect, this.disk, this.#telling(life));
      case "compare-entry":
      case "send-fork":
        return fromDisk(effect, this.disk, this.#telling(life));
      case "log-frozen": {
        const { fork, own } = effect;
        this.#see({ kind: "log-frozen", log: fork.log, own, kept: this.keptOf(fork.log) });
        // As a real process does; it is started again.
        if (own) this.#around.ended(this, "fuse", null);
        return;
      }
      case "start-step":
        this.#see({ kind: "step-started", assignment: effect.assignment, effect: this.#isEffect(effect) });
        this.#executor?.start(effect.assignment);
        return;
      case "stop-step":
        this.#executor?.stop(effect.assignment);
        return;
      case "recorded":
        return this.#see({ kind: "recorded", events: effect.events });
      case "answer":
        return this.#see({ kind: "answered", question: effect.question, answer: effect.answer });
      case "count-refused": {
        const from = effect.from === null ? null : this.#around.nameOf(effect.from);
        return this.#see({ kind: "refused", because: effect.because, from });
      }
      case "poll":
        return pollOutside(effect.request, agenda, this.#around.seed, (polled) =>
          life.post({ kind: "polled", polled }),
        );
      case "show-output":
      case "home-is":
      case "stopped":
        return;
      default:
        throw new Error(`Bug: nobody performs ${String(effect satisfies never)}`);
    }
  }

  #send(to: string, message: Message, life: PeerLife): void {
    const name = this.#around.nameOf(to);
    this.#see({ kind: "sent", to: name, life: life.name, message });
    if (name === this.name) {
      life.post({ kind: "message", from: to, message });
      return;
    }
    this.#around.network.send(this.name, name, this.#around.encoded ? encodeMessage(message) : message);
  }

  #unpack(frame: unknown): Message {
    if (!(frame instanceof Uint8Array)) return frame as Message;
    const decoded = decodeMessage(frame);
    if (!decoded.ok) throw new Error(`Bug: a peer sent what no peer can read: ${decoded.problem}`);
    return decoded.value;
  }

  /** Gossip: it may reach anybody, and need not. */
  #publish(message: Message): void {
    const { agenda, seed, network, peer } = this.#around;
    for (const name of network.linkedTo(this.name)) {
      const chance = hashBetween(0, 99, seed, this.name, name, agenda.nowUs, "gossip");
      if (chance < 20 || peer(name).traits.role === "worker") continue;
      agenda.in(5_000 + chance * 1_000, () => {
        peer(name).tell({ kind: "message", from: this.traits.keys.peer, message });
      });
    }
  }

  /** Brings a blob from the peer named, or from any that is linked and has it. */
  #fetch(
    wanted: Wanted & { readonly from: string | null },
    done: (bytes: Uint8Array | null, from: string | null) => void,
  ): void {
    const { agenda, seed, network, nameOf, peer } = this.#around;
    this.#asks += 1;
    const takesUs = hashBetween(2_000, 250_000, seed, this.name, this.#asks, "fetch");
    agenda.in(takesUs, () => {
      const own = this.blobs.get(wanted.digest);
      if (own !== undefined) return done(own, null);
      const asked = wanted.from === null ? network.linkedTo(this.name) : [nameOf(wanted.from)];
      const giver = asked.find(
        (name) =>
          network.isUp(this.name, name) && peer(name).answers && peer(name).holds(wanted) !== undefined,
      );
      const bytes = giver === undefined ? undefined : peer(giver).holds(wanted);
      if (giver === undefined || bytes === undefined) return done(null, null);
      if (this.lives) this.blobs.set(wanted.digest, bytes);
      done(bytes, peer(giver).traits.keys.peer);
    });
  }

  /** A report's blobs are kept once a control peer has them: asked again until one is there. */
  #keep(assignment: string, report: StepReport, life: PeerLife): void {
    if (life.dead) return;
    const { agenda, network, peer } = this.#around;
    const controls = network.linkedTo(this.name).filter((name) => peer(name).traits.role === "control");
    if (controls.length === 0 || life.paused) {
      agenda.in(200_000, () => this.#keep(assignment, report, life));
      return;
    }
    for (const control of controls)
      for (const { tree } of report.outputs) peer(control).blobs.set(tree, new Uint8Array());
    life.post({ kind: "kept", assignment });
  }

  #controlCore(incarnation: string, now: { monotonicMs: number; wallMs: number }): AnyCore {
    const { bundles, orders, registers, acceptor, heads, forks } = controlKeys;
    const prefixes = [bundles, orders, registers, acceptor, heads, forks];
    const stored = this.#stored(prefixes);
    const { charter } = this.#around;
    this.#control = new ControlCore({ charter, keys: this.traits.keys, incarnation, stored }, now);
    return this.#control as AnyCore;
  }

  #workerCore(incarnation: string, now: { monotonicMs: number; wallMs: number }): AnyCore {
    const { seed, charter } = this.#around;
    const { keys, labels, slots } = this.traits;
    let drawn = 0;
    const integer = (below: number) => {
      drawn += 1;
      return hashOf(seed, incarnation, drawn, "random") % below;
    };
    const stored = this.#stored([workerKeys.pending]);
    const options = { charter, keys, incarnation, labels, slots, random: { integer }, stored };
    return new WorkerCore(options, now) as AnyCore;
  }

  #stored(prefixes: readonly string[]): StoredEntry[] {
    return prefixes.flatMap((prefix) => this.disk.list(prefix));
  }

  #newExecutor(): SimulatedExecutor {
    const { seed, agenda, failing, durationMsMax } = this.#around;
    return new SimulatedExecutor({
      seed,
      agenda,
      failing,
      durationMsMax,
      observer: {
        output: (id, offset, bytes) => this.tell({ kind: "step-output", assignment: id, offset, bytes }),
        ended: (id, report) => {
          this.#see({ kind: "step-over", assignment: id });
          this.tell({ kind: "step-ended", assignment: id, report });
        },
      },
    });
  }

  #telling(life: PeerLife): Telling {
    return {
      send: (to, message) => this.#send(to, message, life),
      contested: (evidence) => life.post({ kind: "contested", evidence }),
    };
  }

  #isEffect(effect: Extract<Effect, { kind: "start-step" }>): boolean {
    return effect.assignment.variables["OTTO_EFFECT"] !== undefined;
  }

  #syncUs(): number {
    this.#asks += 1;
    const { agenda, seed } = this.#around;
    const slowness = agenda.nowUs < this.slowDiskUntilUs ? 40 : 1;
    return hashBetween(300, 8_000, seed, this.name, this.#asks, "sync") * slowness;
  }

  #see(seen: Seen): void {
    this.#around.see(this.name, seen);
  }
}

type AnyCore = {
  readonly decide: (
    inputs: readonly Input[],
    now: { monotonicMs: number; wallMs: number },
  ) => readonly Effect[];
};

function digestOf(source: Source): string {
  return source.kind === "tree" ? source.tree : source.commit;
}
