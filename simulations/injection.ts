/**
 * Performs faults: what `faults.ts` says in data happens to links, processes, machines and disks here.
 *
 * Until all is healed. Then nothing is broken any more but for the peers that are lost for good.
 */

import type { Charter } from "../protocol/membership.ts";
import type { Message } from "../protocol/messages.ts";
import type { Agenda } from "./agenda.ts";
import { approvalsInvented, signatureInvented } from "./false-home.ts";
import type { Fault } from "./faults.ts";
import { type Act, isRulingAct, lie, type Lie } from "./liars.ts";
import type { SimulatedNetwork } from "./network.ts";
import type { Observation, PeerName } from "./observation.ts";
import { Overheard } from "./overheard.ts";
import type { Owner } from "./owner.ts";
import type { Peer } from "./peer.ts";
import { Chance, hashOf } from "./random.ts";
import type { Traffic } from "./traffic.ts";
import { certificateOf, startWallMs } from "./workload.ts";

export type InjectionAround = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly network: SimulatedNetwork;
  readonly traffic: Traffic;
  readonly charter: Charter;
  readonly peers: ReadonlyMap<PeerName, Peer>;
  /** Peers that never come back. */
  readonly lost: readonly PeerName[];
  readonly owner: Owner;
  /** Has the owner revoke a peer or a person. */
  readonly revoke: (name: PeerName) => void;
  /** A control peer's disk is gone, with what was only there. */
  readonly wiped: () => void;
  readonly tell: (text: string, fault: Fault | null) => void;
  readonly lied: (peer: PeerName, said: Lie) => void;
};

/** How long a machine whose disk is full waits before it starts its process again. */
const againUs = 700_000;

export class Injection {
  readonly #around: InjectionAround;
  readonly #overheard = new Overheard();
  readonly #hasLiars: boolean;
  #healed = false;
  /** Control peers that misuse their votes, and until when. */
  readonly #misruling = new Set<PeerName>();
  #misrulingUntilUs = 0;
  /** Control peers that lie about permits as soon as they are asked for one. */
  readonly #permitting = new Map<PeerName, readonly Act[]>();

  constructor(around: InjectionAround, faults: readonly Fault[]) {
    this.#around = around;
    this.#hasLiars = faults.some(({ kind }) => kind === "liar" || kind === "false-home");
    for (const fault of faults) around.agenda.at(fault.atUs, () => this.#inject(fault));
  }

  get healed(): boolean {
    return this.#healed;
  }

  observe(observation: Observation): void {
    if (!this.#hasLiars) return;
    this.#overheard.observe(observation);
    if (observation.kind !== "sent") return;
    const { to, message, peer } = observation;
    if (message.kind === "endorse") this.#signForOther(this.#peer(peer), this.#peer(to), message);
    const acts = message.kind === "endorse" ? this.#permitting.get(to) : undefined;
    if (acts !== undefined) this.#around.agenda.in(0, () => this.#say(to, this.#chanceAt(to).pick(acts)));
    if (observation.atUs >= this.#misrulingUntilUs || !this.#misruling.has(to)) return;
    // Whoever misuses its vote gives it before its honest half has thought about it.
    if (message.kind === "prepare" || message.kind === "accept") {
      const act = message.kind === "prepare" ? "promise-empty" : "vote-twice";
      this.#around.agenda.in(0, () => this.#say(to, act));
    }
  }

  heal(): void {
    const { network, traffic, peers, lost, tell } = this.#around;
    this.#healed = true;
    tell(`healed, lost for good: ${lost.join(" ")}`, null);
    network.heal();
    traffic.heal();
    for (const peer of peers.values()) {
      peer.heal();
      this.#beTrue(peer);
      if (lost.includes(peer.name)) peer.crash("crash");
      else if (!peer.lives) this.#start(peer);
    }
  }

  /** A process ended by itself: it is started again. */
  ended(peer: Peer, why: "fuse" | "storage"): void {
    const { seed, agenda } = this.#around;
    const downUs =
      why === "storage" ? againUs : 100_000 + (hashOf(seed, peer.name, agenda.nowUs) % 4_000_000);
    this.#crash(peer, why, downUs);
  }

  #inject(fault: Fault): void {
    const { network, traffic, agenda, tell } = this.#around;
    if (this.#healed) return;
    const untilUs = agenda.nowUs + fault.lastsUs;
    tell(JSON.stringify(fault), fault);
    switch (fault.kind) {
      case "partition":
        return this.#partition(fault.side, untilUs);
      case "link-down":
        return network.block(...fault.between, untilUs);
      case "one-way":
        return network.stall(fault.from, fault.to, untilUs);
      case "flap":
        return this.#flap(fault.peer, fault.everyUs, untilUs);
      case "loss":
        return network.lose(...fault.between, { untilUs, percent: fault.percent });
      case "clog":
        return network.clog(fault.from, fault.to, { untilUs, messageUs: fault.messageUs });
      case "late":
        return network.keepLate(...fault.between, untilUs);
      case "slow-network":
        return network.slow(untilUs);
      case "gossip":
        return traffic.hurtGossip({ ...fault, untilUs });
      case "calls":
        return traffic.hurtCalls({ ...fault, untilUs });
      case "crash":
        return this.#crash(this.#peer(fault.peer), "crash", fault.lastsUs);
      case "fuse":
        return this.#peer(fault.peer).light(fault.effects);
      case "pause":
      case "suspend":
        return this.#pause(this.#peer(fault.peer), fault.kind, fault.lastsUs);
      case "stop":
        return this.#stop(this.#peer(fault.peer), fault.lastsUs);
      case "herd":
        for (const name of fault.peers) this.#crash(this.#peer(name), "crash", fault.lastsUs);
        return;
      case "liar":
        return this.#beLiar(fault.peer, fault.acts, fault.everyUs, untilUs);
      case "false-home":
        return this.#beFalse(this.#peer(fault.peer), fault, untilUs);
      case "newer":
      case "unruly":
      case "clock-jump":
      case "slow-disk":
      case "disk-full":
        return this.#peer(fault.peer).hurt(fault, untilUs);
      case "recharter":
        return this.#around.owner.want(fault.controls);
      case "revoke":
        return this.#around.revoke(fault.whom);
      case "wipe":
        return this.#wipe(this.#peer(fault.peer), fault.lastsUs);
      case "rot":
      case "amnesia":
        return this.#loseDisk(this.#peer(fault.peer), fault.kind, fault.lastsUs);
      default:
        throw new Error(`Bug: no such fault ${String(fault satisfies never)}`);
    }
  }

  #partition(side: readonly PeerName[], untilUs: number): void {
    const { network, peers } = this.#around;
    for (const left of peers.keys())
      for (const right of peers.keys())
        if (side.includes(left) && !side.includes(right)) network.block(left, right, untilUs);
  }

  #flap(name: PeerName, everyUs: number, untilUs: number): void {
    const { network, agenda, peers } = this.#around;
    if (this.#healed || agenda.nowUs > untilUs) return;
    for (const other of peers.keys()) if (other !== name) network.reset(name, other);
    agenda.in(Math.max(everyUs, 1_000), () => this.#flap(name, everyUs, untilUs));
  }

  #crash(peer: Peer, why: "crash" | "fuse" | "storage", downUs: number): void {
    const { agenda, lost } = this.#around;
    peer.crash(why);
    if (this.#healed && lost.includes(peer.name)) return;
    agenda.in(downUs, () => this.#start(peer));
  }

  #start(peer: Peer): void {
    const isLost = this.#healed && this.#around.lost.includes(peer.name);
    if (!peer.lives && !isLost) peer.start();
  }

  #stop(peer: Peer, downUs: number): void {
    const { seed, agenda } = this.#around;
    peer.tell({ kind: "stop" });
    const { lives } = peer;
    const endsUs = hashOf(seed, peer.name, downUs, "stop") % 2_000_000;
    agenda.in(endsUs, () => {
      if (lives && peer.lives) this.#crash(peer, "crash", downUs);
    });
  }

  /** The process alone is stopped, or its machine sleeps. */
  #pause(peer: Peer, how: "pause" | "suspend", lastsUs: number): void {
    const { seed, agenda, network, peers } = this.#around;
    if (!peer.answers) return;
    peer.pause(how);
    // The others give a silent peer up after a while: its links break, and it learns of that when it goes on.
    const givenUpUs = 1_000_000 + (hashOf(seed, peer.name, lastsUs, "give-up") % 6_000_000);
    agenda.in(givenUpUs, () => {
      if (peer.lives && !peer.answers)
        for (const other of peers.keys()) if (other !== peer.name) network.reset(peer.name, other);
    });
    agenda.in(lastsUs, () => peer.resume());
  }

  /** Its disk is damaged or empty when the process is started again. */
  #loseDisk(peer: Peer, how: "rot" | "amnesia", downUs: number): void {
    peer.crash("crash");
    if (how === "rot") peer.disk.damage();
    else peer.forget();
    this.#start(peer);
    this.#around.agenda.in(downUs, () => {
      // A worker that is refused for its disk is given a new one: it has nothing that others rely on.
      if (peer.traits.role === "worker" && peer.disk.isDamaged) peer.wipe();
      this.#start(peer);
    });
  }

  /** What no majority is left to remember is lost: one member at a time, and its place is taken before the next. */
  #wipe(peer: Peer, downUs: number): void {
    const { owner, wiped } = this.#around;
    if (!peer.lives || !owner.mayLose(peer)) return;
    this.#crash(peer, "crash", downUs);
    peer.wipe();
    wiped();
    owner.letIn();
  }

  #beLiar(name: PeerName, acts: readonly Act[], everyUs: number, untilUs: number): void {
    const { agenda } = this.#around;
    if (this.#healed || agenda.nowUs > untilUs) return;
    if (acts.some((act) => isRulingAct(act))) {
      this.#misruling.add(name);
      this.#misrulingUntilUs = Math.max(this.#misrulingUntilUs, untilUs);
    }
    if (acts.some((act) => act.startsWith("permit-"))) this.#permitting.set(name, acts);
    this.#say(name, this.#chanceAt(name).pick(acts));
    agenda.in(Math.max(everyUs, 1_000), () => this.#beLiar(name, acts, everyUs, untilUs));
  }

  #beFalse(peer: Peer, { how, everyUs }: Extract<Fault, { kind: "false-home" }>, untilUs: number): void {
    const { agenda } = this.#around;
    peer.falseness = how;
    // What it has understood before it does not know any more.
    if (how === "ignores" && peer.lives) this.#crash(peer, "crash", againUs);
    const look = (): void => {
      if (this.#healed) return;
      if (agenda.nowUs > untilUs) return this.#beTrue(peer);
      if (how === "invents") this.#approveForOthers(peer);
      agenda.in(Math.max(everyUs, 1_000), look);
    };
    look();
  }

  #beTrue(peer: Peer): void {
    const was = peer.falseness;
    peer.falseness = null;
    if (was === "ignores" && peer.lives) this.#crash(peer, "crash", againUs);
  }

  /** Nobody is answered: there is no such question. */
  #approveForOthers(peer: Peer): void {
    for (const gate of peer.closedGates)
      for (const bytes of approvalsInvented(gate, this.#around.charter))
        peer.tell({ kind: "answer-step", bytes, said: null, question: 0 });
  }

  #signForOther(asking: Peer, asked: Peer, message: Extract<Message, { kind: "endorse" }>): void {
    const { agenda, charter, lied } = this.#around;
    if (asking.falseness !== "invents" || asking === asked) return;
    const { peer: from } = asked.traits.keys;
    const frame = signatureInvented(message, charter.domain, from);
    if (frame === null) return;
    agenda.in(1_000, () => {
      lied(asking.name, { to: asking.name, frame });
      asking.tell({ kind: "message", from, message: frame });
    });
  }

  #chanceAt(name: PeerName): Chance {
    return new Chance(this.#around.seed, name, this.#around.agenda.nowUs, "act");
  }

  #say(name: PeerName, act: Act): void {
    const { seed, agenda, charter, peers, network, traffic, lied } = this.#around;
    const liar = this.#peer(name);
    if (!liar.answers || this.#healed) return;
    const chance = new Chance(seed, name, agenda.nowUs, "lies");
    const named = (role: "control" | "worker") =>
      [...peers.values()].filter(({ traits }) => traits.role === role).map((peer) => peer.name);
    const around = {
      charter,
      self: name,
      keys: liar.traits.keys,
      certificate: certificateOf(charter, liar.traits.keys.peer, liar.traits.role),
      overheard: this.#overheard,
      wallMs: startWallMs + Math.floor(agenda.nowUs / 1_000),
      controls: named("control"),
      workers: named("worker"),
      idOf: (other: PeerName) => this.#peer(other).traits.keys.peer,
    };
    for (const said of lie(act, around, chance)) {
      const { to, frame } = said;
      lied(name, said);
      if (to !== null) network.send(name, to, frame);
      else if (frame instanceof Uint8Array) traffic.publish(name, frame);
    }
  }

  #peer(name: PeerName): Peer {
    const peer = this.#around.peers.get(name);
    if (peer === undefined) throw new Error(`Bug: no peer ${name}`);
    return peer;
  }
}
