/**
 * A peer of a simulated mesh: its disk and blobs, which outlive its processes, and the process that runs now.
 *
 * Stands where `node/edge/` stands in a real process: it performs what the core asks for. What travels between peers
 * is encoded and decoded as on a real link, unless the world is told to pass messages on as they are.
 */

import { ControlCore, controlKeys } from "../node/core/control.ts";
import type { SignedCharter } from "../protocol/membership.ts";
import type {
  ControlEffect,
  ControlInput,
  ReleaseAnswer,
  ReleaseTold,
  WorkerEffect,
  WorkerInput,
} from "../node/core/effects.ts";
import { answerTo, OutputSender } from "../node/core/output-sender.ts";
import type { Keys } from "../node/ports.ts";
import { openAnnouncements, sealAnnouncements } from "../protocol/announcement.ts";
import type { GateSeen } from "../protocol/calls.ts";
import type { Source } from "../protocol/manifest.ts";
import { openCertificate } from "../protocol/certificate.ts";
import { type Charter, isNewer } from "../protocol/membership.ts";
import { decodeMessage, encodeMessage, type Message } from "../protocol/messages.ts";
import { decodeValue, encodeValue } from "../protocol/values.ts";
import type { Agenda } from "./agenda.ts";
import { type Ailment, Ailments } from "./ailments.ts";
import { coreOf } from "./cores.ts";
import { type Falseness, faithless, unknowing } from "./false-home.ts";
import { SimulatedExecutor } from "./executor.ts";
import { type ClockTraits, Life, MachineTime, simulatedClock } from "./life.ts";
import type { Arrival, SimulatedNetwork } from "./network.ts";
import type { Observation, PeerName } from "./observation.ts";
import { KeptOutputs } from "./kept-outputs.ts";
import { fromDisk, type Telling } from "./kept-entries.ts";
import { pollOutside } from "./outside.ts";
import { configured } from "./owner.ts";
import { PeerBlobs } from "./peer-blobs.ts";
import { hashBetween, hashOf } from "./random.ts";
import { Disk, DiskFull } from "./storage.ts";
import type { Traffic } from "./traffic.ts";
import { certificateOf, startWallMs, storeOf } from "./workload.ts";

/** An observation before it is known when and where it was made. */
export type Seen<Kind = Observation> = Kind extends Observation ? Omit<Kind, "atUs" | "peer"> : never;

export type Surroundings = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly network: SimulatedNetwork;
  readonly traffic: Traffic;
  /** The domain's first charter, opened and as it was signed. */
  readonly charter: Charter;
  readonly charterBytes: Uint8Array;
  /** The peer's name in this world for its id, and the other way round. */
  readonly nameOf: (id: string) => PeerName;
  readonly peer: (name: PeerName) => Peer;
  readonly peers: () => readonly Peer[];
  readonly see: (peer: PeerName, seen: Seen) => void;
  /** Tells another domain of a step. */
  readonly release: (from: Peer, told: ReleaseTold, done: (answer: ReleaseAnswer) => void) => void;
  /** The process ended by itself: its fuse burnt down, its disk took no more, or its core threw. */
  readonly ended: (peer: Peer, why: "fuse" | "storage" | "bug", cause: unknown) => void;
  readonly encoded: boolean;
  /** True when each start of a process may find the machine's wall clock set anew. */
  readonly clocksAreSet: boolean;
  readonly failing: { readonly failed: number; readonly timedOut: number };
  readonly durationMsMax: number;
  readonly durationsMs?: Readonly<Record<string, readonly [least: number, most: number]>> | undefined;
};

export type PeerTraits = {
  readonly name: PeerName;
  readonly role: "control" | "worker";
  readonly keys: Keys;
  readonly labels: readonly string[];
  readonly slots: number;
  readonly fastPpm: number;
  readonly slowness?: number;
};

type Input = ControlInput | WorkerInput;
type Effect = ControlEffect | WorkerEffect;
type PeerLife = Life<Input, Effect>;
type Performed = Exclude<Effect, { readonly kind: "store" }>;

export class Peer {
  readonly traits: PeerTraits;
  /** How it opens gates that nobody has opened; null: it does not. */
  falseness: Falseness | null = null;
  readonly disk = new Disk();
  readonly blobs: PeerBlobs;
  /** The newest charter that it has heard of; on its disk, and not in its database. */
  charter: SignedCharter;
  #wipes = 0;
  readonly #machine: MachineTime;
  readonly #ailments: Ailments;
  /** What is kept of the output of attempts; as a real file does, it outlives the process. */
  readonly outputs = new KeptOutputs();
  readonly #sender = new OutputSender((...part) => this.#executor?.read(...part) ?? new Uint8Array());
  readonly #around: Surroundings;
  #life: PeerLife | null = null;
  #executor: SimulatedExecutor | null = null;
  #control: ControlCore | null = null;
  #lives = 0;
  #asks = 0;
  #published = 0;

  constructor(traits: PeerTraits, around: Surroundings) {
    this.traits = { ...traits, keys: faithless(traits.keys, () => this.falseness) };
    this.#around = around;
    this.#machine = new MachineTime(around.agenda);
    this.#ailments = new Ailments(around.agenda, this.#machine, this.disk);
    this.blobs = new PeerBlobs(traits.name, around, this.disk);
    this.charter = { charter: around.charter, bytes: around.charterBytes };
  }

  /** The name of its database. */
  get store(): string {
    return storeOf(this.traits.keys.peer, this.#wipes);
  }

  /** Hears of a charter, as at the beginning of a link. */
  learn(charter: SignedCharter): void {
    if (!isNewer(charter.charter, this.charter.charter)) return;
    this.charter = charter;
    this.tell({ kind: "charter", charter: charter.charter });
    const { agenda, network, peer } = this.#around;
    // What stands still hears of it when it goes on, as of all that a link brought meanwhile.
    const pass = (other: Peer): void => {
      if (other.answers) other.learn(charter);
      else if (network.linkedTo(this.name).includes(other.name)) agenda.in(100_000, () => pass(other));
    };
    for (const name of network.linkedTo(this.name)) agenda.in(3_000, () => pass(peer(name)));
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

  /** What the domain's owner demands, as this control peer knows it. */
  get policy(): Uint8Array | undefined {
    return this.answers ? this.#control?.policy : undefined;
  }

  /** What a person who asks this control peer is told to wait at a gate. */
  get closedGates(): readonly GateSeen[] {
    return this.answers ? (this.#control?.closedGates ?? []) : [];
  }

  /** True when this control peer would let a step use what its environment has, as it is leased and was permitted. */
  permits(run: string, index: number): boolean {
    const control = this.answers ? this.#control : null;
    return (
      control?.leasedStep(run, index) != null &&
      control.whyNotPermitted(run, index, this.#life?.wallMs ?? 0) === null
    );
  }

  /** True for a run that is not closed, and for what may become one, as this control peer knows. */
  knows(run: string): boolean {
    return this.#control?.isKnown(run) === true;
  }

  /** How many entries of a log are on its disk. */
  keptOf(log: string): number {
    return this.disk.list(`${controlKeys.entries}${log}/`).length;
  }

  /** What the process that runs now holds; null when there is none. */
  get parts(): { readonly core: object; readonly loop: object } | null {
    return this.#life?.parts ?? null;
  }

  start(): void {
    if (this.disk.isDamaged) return this.#see({ kind: "refused-start" });
    this.#machine.wake();
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
    this.#executor = this.#newExecutor(clock);
    this.#life = new Life<Input, Effect>({
      name: lifeName,
      agenda,
      clock,
      machine: this.#machine,
      openStorage: (completes) => this.disk.open(completes),
      syncUs: () => this.#syncUs(),
      core: (now) => {
        const core = coreOf(this.traits, this.#around, this, lifeName, now);
        this.#control = core instanceof ControlCore ? core : null;
        return core;
      },
      perform: (effect, life) => this.#perform(effect, life),
      tick: { kind: "tick" },
      burnt: () => this.#around.ended(this, "fuse", null),
      broken: (cause) => this.#around.ended(this, cause instanceof DiskFull ? "storage" : "bug", cause),
    });
    this.#see({ kind: "up", role, life: lifeName, disk: this.disk });
    this.#life.start();
  }

  /** Ends the process as `kill -9` and a power cut would. */
  crash(why: "crash" | "fuse" | "storage"): void {
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

  /** The process is stopped, or its machine sleeps with all that runs on it. */
  pause(how: "pause" | "suspend"): void {
    if (this.#life === null) return;
    this.#life.pause();
    if (how === "suspend") {
      this.#machine.sleep();
      this.#executor?.freeze();
    }
    this.#see({ kind: "paused", how });
  }

  resume(): void {
    if (this.#life === null || !this.#life.paused) return;
    this.#see({ kind: "resumed" });
    this.#machine.wake();
    this.#executor?.thaw();
    this.#life.resume();
  }

  /** What goes wrong at this peer alone, for a while. */
  hurt(fault: Ailment, untilUs: number): void {
    this.#ailments.hurt(fault, untilUs);
  }

  /** Nothing is wrong here any more. */
  heal(): void {
    this.#ailments.heal();
    this.resume();
  }

  /** Its disk is an empty one, and says so; blobs are on it too. Only while no process runs. */
  wipe(): void {
    this.#wipes += 1;
    this.forget();
  }

  /** Its disk is an empty one, and claims to be the same: as if it had been put back to what it once was. */
  forget(): void {
    this.disk.wipe();
    this.outputs.clear();
    this.#see({ kind: "outputs-gone" });
    this.blobs.clear();
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
    if (arrival.kind === "up") {
      this.learn(this.#around.peer(from).charter);
      return this.tell({ kind: "peer-up", peer: id, role: traits.role });
    }
    if (arrival.kind === "down") return this.tell({ kind: "peer-down", peer: id });
    this.#life?.reach(() => {
      const message = this.#unpack(from, arrival.frame);
      if (message === null) return;
      this.#see({ kind: "received", from, message });
      this.tell({ kind: "message", from: id, message });
    });
  }

  /** An announcement, from whoever signed it. */
  hear(bytes: Uint8Array): void {
    this.#life?.reach(() => {
      const { charter, nameOf } = this.#around;
      const { keys } = this.traits;
      const wallMs = this.#life?.wallMs ?? 0;
      const certified = (shown: Uint8Array) => openCertificate(shown, charter, wallMs, keys);
      const opened = openAnnouncements(bytes, { domain: charter.domain, keys, certified });
      if (!opened.ok) return this.#see({ kind: "refused", because: opened.problem, from: null });
      const { from, messages } = opened.value;
      if (nameOf(from) === this.name) return;
      for (const message of messages) {
        this.#see({ kind: "heard-of", from: nameOf(from), message });
        this.tell({ kind: "message", from, message });
      }
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
        return this.blobs.fetch(effect, (bytes, from) => {
          const { run, digest } = effect;
          life.post({ kind: "bundle", run, digest, from: from ?? effect.from, bytes, question: null });
        });
      case "fetch-source": {
        const { run, source, from } = effect;
        return this.blobs.fetch({ digest: digestOf(source), from }, (bytes) => {
          life.post({ kind: "source", run, problem: bytes === null ? "nobody has it" : null });
        });
      }
      case "keep-blobs":
        agenda.in(20_000, () => {
          const kept = () => life.post({ kind: "kept", assignment: effect.assignment });
          this.blobs.keep(effect.report, life, kept);
        });
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
        if (this.#executor?.isLate(effect.deadlineMs) === false)
          this.#see({ kind: "step-started", assignment: effect.assignment, effect: this.#isEffect(effect) });
        this.#executor?.start(effect.assignment, effect.deadlineMs);
        return;
      case "set-deadline":
        this.#executor?.setDeadline(effect.assignment, effect.deadlineMs);
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
      case "chartered":
        this.#see(configured(effect, this.#around.nameOf));
        return this.learn({ charter: effect.charter, bytes: effect.bytes });
      case "poll":
        return pollOutside(effect.request, agenda, this.#around.seed, (polled) =>
          life.post({ kind: "polled", polled }),
        );
      case "push-output": {
        const { to, assignment, attempt, ask } = effect;
        const piece = this.#sender.cut(assignment, effect);
        if (piece !== null) this.#send(to, { kind: "output", ...attempt, ...piece, ask }, life);
        return;
      }
      case "keep-output":
        return this.#keepOutput(effect, life);
      case "release": {
        const { run, index } = effect.told;
        return this.#around.release(this, effect.told, (answer) =>
          life.post({ kind: "release-told", run, index, answer }),
        );
      }
      case "home-is":
      case "documents-changed":
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
    const { network, encoded } = this.#around;
    const told = unknowing(message, this.falseness);
    if (this.#ailments.isNewer) return this.#sendNewer(name, told);
    network.send(this.name, name, encoded ? encodeMessage(told) : told);
  }

  /** As a later version would say it: with a field more, and something else besides now and then. */
  #sendNewer(to: PeerName, message: Message): void {
    const { network, seed, agenda } = this.#around;
    const told = decodeValue(encodeMessage(message)) as object;
    network.send(this.name, to, encodeValue({ ...told, sinceLater: [1, "more"] }));
    if (hashOf(seed, this.name, to, agenda.nowUs, "newer") % 8 === 0)
      network.send(this.name, to, encodeValue({ kind: "of-a-later-version", of: message.kind }));
  }

  /** Null: not a message that this peer understands. Who sends what is none is cut off, as at a real edge. */
  #unpack(from: PeerName, frame: unknown): Message | null {
    if (!(frame instanceof Uint8Array)) return frame as Message;
    const decoded = decodeMessage(frame);
    if (decoded.ok) return decoded.value;
    this.#see({ kind: "unreadable", because: decoded.problem, from });
    if (decoded.problem !== "unknown") this.#around.network.reset(this.name, from);
    return null;
  }

  #publish(message: Message): void {
    const { charter, traffic } = this.#around;
    const { keys, role } = this.traits;
    const certificate = certificateOf(charter, keys.peer, role);
    this.#published += 1;
    const nonce = `${this.lifeName} ${this.#published}`;
    const sealing = { domain: charter.domain, signer: keys, certificate, nonce };
    const bytes = sealAnnouncements([encodeMessage(message)], sealing);
    this.#see({ kind: "published", bytes, message });
    traffic.publish(this.name, bytes);
  }

  #newExecutor(traits: ClockTraits): SimulatedExecutor {
    const { seed, agenda, charter, failing, durationMsMax, durationsMs } = this.#around;
    return new SimulatedExecutor({
      seed,
      agenda,
      clock: simulatedClock(agenda, traits, (callback) => callback(), this.#machine),
      failing,
      durationMsMax,
      leaseMs: charter.leaseMs,
      isUnruly: () => this.#ailments.isUnruly,
      durationsMs,
      slowness: this.traits.slowness,
      observer: {
        output: (id, offset, bytes) => {
          this.#see({ kind: "step-wrote", assignment: id, bytes });
          this.tell({ kind: "step-output", assignment: id, end: offset + bytes.length });
        },
        ended: (id, report) => {
          this.#see({ kind: "step-over", assignment: id });
          this.tell({ kind: "step-ended", assignment: id, report });
        },
      },
    });
  }

  #keepOutput({ from, output }: Extract<Effect, { kind: "keep-output" }>, life: PeerLife): void {
    const { run, index, attempt } = output;
    const id = `${run}-${index}-${attempt}`;
    const end = this.outputs.append(id, output);
    const by = this.#around.nameOf(from);
    const bytes = this.outputs.read(id);
    if (bytes.length > 0) this.#see({ kind: "output-kept", id, by, bytes });
    const answer = answerTo(output, end);
    if (answer !== null) this.#send(from, answer, life);
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
    const { seed } = this.#around;
    const slowness = this.#ailments.isSlow ? 40 : 1;
    return hashBetween(300, 8_000, seed, this.name, this.#asks, "sync") * slowness;
  }

  #see(seen: Seen): void {
    this.#around.see(this.name, seen);
  }
}

function digestOf(source: Source): string {
  return source.kind === "tree" ? source.tree : source.commit;
}
