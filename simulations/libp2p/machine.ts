/**
 * One machine of a world with real libp2p: its disk and key, and the process that runs on it now: a real core in the
 * real loop, and the real network adapter over a simulated wire.
 *
 *   running <--resume-- paused        running, paused --crash--> down --start--> running (another life)
 *
 * Files and steps are simulated; messages, gossip and calls for bundles are not.
 */

import { createPrivateKey, hash } from "node:crypto";
import { noise } from "@libp2p/noise";
import { gathered } from "../../node/edge/gathered-writes.ts";
import { createLibp2p } from "libp2p";
import { ControlCore, controlKeys } from "../../node/core/control.ts";
import type { ControlEffect, ControlInput, WorkerEffect, WorkerInput } from "../../node/core/effects.ts";
import { Loop } from "../../node/core/loop.ts";
import { WorkerCore, workerKeys } from "../../node/core/worker.ts";
import { AddressBook } from "../../node/edge/address-book.ts";
import type { Channel } from "../../node/edge/channel.ts";
import { askFor } from "../../node/edge/client.ts";
import { type Identity, identityOf } from "../../node/edge/identity.ts";
import { KeptEntries } from "../../node/edge/kept-entries.ts";
import { createNode, nodeOptions } from "../../node/edge/libp2p-node.ts";
import { type RealNetwork, startNetwork } from "../../node/edge/network.ts";
import type { Clock } from "../../node/ports.ts";
import { encodeItem } from "../../protocol/calls.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Charter } from "../../protocol/membership.ts";
import { encodeMessage, type Message } from "../../protocol/messages.ts";
import { decodeRequest } from "../../protocol/requests.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { Agenda } from "../agenda.ts";
import { SimulatedExecutor } from "../executor.ts";
import { verifySimulated } from "../keys.ts";
import type { PeerName } from "../observation.ts";
import { hashBetween, hashOf } from "../random.ts";
import { Disk } from "../storage.ts";
import { certificateOf, startWallMs, storeOf } from "../workload.ts";
import type { Host } from "./host.ts";
import type { Wire } from "./wire.ts";

type Input = ControlInput | WorkerInput;
type Effect = Exclude<ControlEffect | WorkerEffect, { kind: "store" }>;
type Core = {
  decide(inputs: readonly Input[], now: { monotonicMs: number; wallMs: number }): readonly Effect[];
};

export type Domain = {
  readonly charter: Charter;
  readonly charterBytes: Uint8Array;
  /** Whom a machine dials, and where the charter says that it is. */
  readonly controls: readonly { readonly name: PeerName; readonly peer: string; readonly address: string }[];
};

export type MachineEvents = {
  up(machine: Machine, peer: string): void;
  down(machine: Machine, peer: string): void;
  sent(machine: Machine, to: string, message: Message): void;
  heard(machine: Machine, from: string, message: Message): void;
  refused(machine: Machine, because: string): void;
  recorded(machine: Machine, events: readonly LoggedEvent[]): void;
  answered(machine: Machine, question: number, isOk: boolean): void;
  failed(machine: Machine, cause: unknown): void;
};

type Life = {
  readonly number: number;
  readonly host: Host;
  readonly clock: Clock;
  network: RealNetwork | null;
  loop: Loop<Input, Effect> | null;
  dead: boolean;
  inbox: (() => void)[] | null;
};

export class Machine {
  readonly name: PeerName;
  readonly role: "control" | "worker";
  readonly identity: Identity;
  readonly #seed: number;
  readonly #agenda: Agenda;
  readonly #wire: Wire;
  readonly #domain: Domain;
  readonly #events: MachineEvents;
  /** What watches connections: as Otto sets it, or as the library does by itself. */
  readonly #settings: "otto" | "library";
  readonly #disk = new Disk();
  #life: Life | null = null;
  #lives = 0;
  #syncs = 0;

  constructor(
    traits: { readonly name: PeerName; readonly role: "control" | "worker"; readonly identity: Identity },
    around: {
      readonly seed: number;
      readonly agenda: Agenda;
      readonly wire: Wire;
      readonly domain: Domain;
      readonly events: MachineEvents;
      readonly settings: "otto" | "library";
    },
  ) {
    this.name = traits.name;
    this.role = traits.role;
    this.identity = traits.identity;
    this.#seed = around.seed;
    this.#agenda = around.agenda;
    this.#wire = around.wire;
    this.#domain = around.domain;
    this.#events = around.events;
    this.#settings = around.settings;
  }

  get lives(): boolean {
    return this.#life !== null;
  }

  get answers(): boolean {
    return this.#life !== null && this.#life.inbox === null;
  }

  isLinkedTo(other: Machine): boolean {
    return this.#life?.network?.links.has(other.identity.peer) === true;
  }

  start(): void {
    this.#lives += 1;
    const number = this.#lives;
    const reach = (callback: () => void): void => {
      if (life.dead) return;
      if (life.inbox === null) callback();
      else life.inbox.push(callback);
    };
    const host = this.#wire.start(this.name, reach);
    const rest = { network: null, loop: null, dead: false, inbox: null };
    const life: Life = { number, host, clock: this.#clock(host), ...rest };
    this.#life = life;
    host.run(() => {
      this.#begin(life).catch((cause: unknown) => {
        if (!life.dead) this.#events.failed(this, cause);
      });
    });
  }

  /** As `kill -9` and a power cut would. */
  crash(): void {
    if (this.#life === null) return;
    this.#life.dead = true;
    this.#life = null;
    this.#disk.crash((unsynced) =>
      hashBetween(0, unsynced, this.#seed, this.name, this.#agenda.nowUs, "kept"),
    );
    this.#wire.stop(this.name);
  }

  pause(): void {
    if (this.#life !== null) this.#life.inbox ??= [];
  }

  resume(): void {
    const life = this.#life;
    const waiting = life?.inbox ?? [];
    if (life !== null) life.inbox = null;
    for (const callback of waiting) if (life?.dead === false) callback();
  }

  tell(input: Input): void {
    const life = this.#life;
    life?.host.run(() => life.loop?.post(input));
  }

  #clock(host: Host): Clock {
    const agenda = this.#agenda;
    return {
      monotonicMs: () => 1_000 + Math.floor(agenda.nowUs / 1_000),
      wallMs: () => startWallMs + Math.floor(agenda.nowUs / 1_000),
      setTimer: (afterMs, callback) => {
        const happening = agenda.in(Math.ceil(afterMs * 1_000), () => host.run(callback));
        return {
          cancel: () => {
            happening.action = null;
          },
        };
      },
      afterTurn: (callback) => queueMicrotask(callback),
    };
  }

  async #begin(life: Life): Promise<void> {
    const { clock, host } = life;
    const { charter, charterBytes, controls } = this.#domain;
    const storage = this.#disk.open((callback) => {
      const takesUs = hashBetween(300, 8_000, this.#seed, this.name, (this.#syncs += 1), "sync");
      this.#agenda.in(takesUs, () => host.run(callback));
    });
    let drawn = 0;
    const integer = (below: number): number =>
      hashOf(this.#seed, this.name, life.number, (drawn += 1), "random") % Math.max(1, below);
    const core = this.#core(`${this.name}.${life.number}`, clock, { integer });
    const kept = new KeptEntries({
      storage,
      send: (to, message) => this.#send(life, to, message),
      contested: (evidence) => life.loop?.post({ kind: "contested", evidence }),
      failed: (cause) => this.#events.failed(this, cause),
    });
    const executor = this.#executor(life);
    life.loop = new Loop<Input, Effect>({
      decide: (inputs, now) => core.decide(inputs, now),
      perform: (effect) => this.#perform(life, effect, { kept, executor }),
      clock,
      storage,
      tick: { input: { kind: "tick" }, afterMs: () => limits.tickMs },
      failed: (cause) => this.#events.failed(this, cause),
    });
    const own = controls.find(({ name }) => name === this.name);
    const network = await startNetwork({
      identity: this.identity,
      membership: {
        charter,
        charterBytes,
        certificate: certificateOf(charter, this.identity.peer, this.role),
      },
      listen: own === undefined ? [] : [own.address],
      clock,
      random: { integer },
      book: await AddressBook.open(storage, clock),
      observer: {
        up: (peer, role) => {
          this.#events.up(this, peer);
          life.loop?.post({ kind: "peer-up", peer, role });
        },
        down: (peer) => {
          this.#events.down(this, peer);
          life.loop?.post({ kind: "peer-down", peer });
        },
        message: (from, message) => {
          this.#events.heard(this, from, message);
          life.loop?.post({ kind: "message", from, message });
        },
        call: (channel) => void this.#answerCall(channel),
        refused: (because) => this.#events.refused(this, because),
        certified: () => undefined,
        charter: () => undefined,
      },
      createNode: (traits) => {
        const wire = { transports: [host.transport], connectionEncrypters: [gathered(noise())] };
        if (this.#settings === "otto") return createNode(traits, wire);
        return createLibp2p({ ...nodeOptions(traits, wire), connectionMonitor: {} });
      },
    });
    life.network = network;
    life.loop.start();
    network.dialExactly(controls.map(({ peer, address }) => ({ peer, addresses: [address] })));
  }

  #core(incarnation: string, clock: Clock, random: { integer(below: number): number }): Core {
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    const { charter, charterBytes: bytes } = this.#domain;
    const keys = this.identity;
    const stored = this.#disk.list("");
    if (this.role === "control") {
      const place = { store: storeOf(keys.peer), addresses: [this.#wire.addressOf(this.name)] };
      const options = { charter: { charter, bytes }, ...place, keys, incarnation, stored };
      return new ControlCore(options, now) as Core;
    }
    const traits = { labels: ["gpu"], slots: 2, random, stored };
    return new WorkerCore({ charter, keys, incarnation, ...traits }, now) as Core;
  }

  #executor(life: Life): SimulatedExecutor {
    const post = (input: Input): void => life.host.run(() => life.loop?.post(input));
    const options = {
      seed: this.#seed,
      agenda: this.#agenda,
      clock: life.clock,
      failing: { failed: 0, timedOut: 0 },
      durationMsMax: 2_000,
      leaseMs: this.#domain.charter.leaseMs,
      isUnruly: () => false,
      observer: {
        output: (assignment: string, offset: number, bytes: Uint8Array) =>
          post({ kind: "step-output", assignment, end: offset + bytes.length }),
        ended: (assignment: string, report: Extract<WorkerInput, { kind: "step-ended" }>["report"]) =>
          post({ kind: "step-ended", assignment, report }),
      },
    };
    return new SimulatedExecutor(options);
  }

  #perform(
    life: Life,
    effect: Effect,
    { kept, executor }: { readonly kept: KeptEntries; readonly executor: SimulatedExecutor },
  ): void {
    if (life.dead) return;
    const post = (input: Input): void => life.loop?.post(input);
    const later = (input: Input): void =>
      void this.#agenda.in(20_000, () => life.host.run(() => post(input)));
    switch (effect.kind) {
      case "send":
        return this.#send(life, effect.to, effect.message);
      case "publish":
        return life.network?.publish(encodeMessage(effect.message));
      case "fetch-bundle":
        return void this.#fetchBundle(life, effect);
      case "fetch-source":
        return later({ kind: "source", run: effect.run, problem: null });
      case "keep-blobs":
        return later({ kind: "kept", assignment: effect.assignment });
      case "send-entries":
        return kept.sendEntries(effect);
      case "compare-entry":
        return kept.compare(effect);
      case "send-fork":
        return kept.sendFork(effect);
      case "start-step":
        return executor.start(effect.assignment, effect.deadlineMs);
      case "set-deadline":
        return executor.setDeadline(effect.assignment, effect.deadlineMs);
      case "stop-step":
        return executor.stop(effect.assignment);
      case "recorded":
        return this.#events.recorded(this, effect.events);
      case "answer":
        return this.#events.answered(this, effect.question, effect.answer.ok);
      case "count-refused":
        return this.#events.refused(this, effect.because);
      default:
        // What people are shown, and what these worlds' runs have no part of.
        return;
    }
  }

  #send(life: Life, to: string, message: Message): void {
    if (to === this.identity.peer) return life.loop?.post({ kind: "message", from: to, message });
    this.#events.sent(this, to, message);
    life.network?.send(to, message);
  }

  /** Asks as a node does: a call of its own to whoever announced the run, else to every control peer that is linked. */
  async #fetchBundle(life: Life, effect: Extract<Effect, { kind: "fetch-bundle" }>): Promise<void> {
    const { run, digest, from } = effect;
    const linked = [...(life.network?.links.keys() ?? [])];
    const certificate = certificateOf(this.#domain.charter, this.identity.peer, this.role);
    let other: { readonly bytes: Uint8Array; readonly from: string } | null = null;
    for (const peer of from === null ? linked : [from, ...linked.filter((one) => one !== from)]) {
      try {
        const channel = await life.network?.openCall(peer);
        if (channel === undefined) continue;
        const { bytes } = await askFor(channel, { call: "bundle", certificate, run }, "bundle");
        if (bytes === null) continue;
        if (sha256Hex(bytes) === digest)
          return life.loop?.post({ kind: "bundle", run, digest, from: peer, bytes, question: null });
        other ??= { bytes, from: peer };
      } catch {
        // The next one may have it.
        continue;
      }
    }
    const { bytes, from: giver } = other ?? { bytes: null, from };
    life.loop?.post({ kind: "bundle", run, digest, from: giver, bytes, question: null });
  }

  async #answerCall(channel: Channel): Promise<void> {
    try {
      const first = await channel.frames().next();
      const request = first.done === true ? null : decodeRequest(first.value);
      if (request?.ok !== true || request.value.call !== "bundle") return channel.abort();
      const { run } = request.value;
      const { bundles, orders, archive } = controlKeys;
      const [found] = [bundles, orders, archive, workerKeys.pending].flatMap((key) =>
        this.#disk.list(key + run),
      );
      await channel.send(encodeItem({ kind: "bundle", bytes: found?.[1] ?? null }));
      await channel.close();
    } catch {
      channel.abort();
    }
  }
}

/** A real key from a seed. What a person and the owner sign in these worlds is fake, and checked as such. */
export function seededIdentity(seed: string): Identity {
  const head = Buffer.from("302e020100300506032b657004220420", "hex");
  const key = Buffer.concat([head, hash("sha256", seed, "buffer")]);
  const identity = identityOf(createPrivateKey({ key, format: "der", type: "pkcs8" }));
  return {
    ...identity,
    verify: (peer, bytes, signature) =>
      signature.length === 64
        ? identity.verify(peer, bytes, signature)
        : verifySimulated(peer, bytes, signature),
  };
}
