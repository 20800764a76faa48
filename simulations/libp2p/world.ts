/**
 * A mesh of real libp2p nodes in virtual time: three control peers and two workers, with the real adapter, gossipsub,
 * noise and yamux over a simulated wire, and real cores in real loops above. For what `simulations/world.ts` takes for
 * granted: that a link is up on both sides or on none, carries what is said in order, and comes back.
 *
 * Two phases, as there: while faults last only order is asked for; then all is healed, every link must be up, every run
 * must come to its end, and all control peers must tell one history of it. One world at a time in a process.
 */

import { sealCharter } from "../../protocol/membership.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import type { Message } from "../../protocol/messages.ts";
import { encodeValue } from "../../protocol/values.ts";
import { Agenda } from "../agenda.ts";
import { simulatedKeys } from "../keys.ts";
import type { PeerName } from "../observation.ts";
import { Chance, hashOf } from "../random.ts";
import { charterOf, randomPlan, runOf, type Workload } from "../workload.ts";
import { type Domain, Machine, type MachineEvents, seededIdentity } from "./machine.ts";
import { inVirtualTime } from "./virtual-globals.ts";
import { Wire } from "./wire.ts";

const controlCount = 3;
const workerCount = 2;
const runCount = 2;
const faultsOverUs = 20_000_000;
/** Virtual time that everything healed gets: the slowest is a connection that died without a word. */
const livenessUs = 240_000_000;

export type Libp2pWorldResult = {
  readonly seed: number;
  /** The promise that was broken, in words, or null. */
  readonly violation: string | null;
  /** The same for the same seed. */
  readonly traceHash: number;
  readonly happened: number;
  readonly messages: number;
  /** Announcements that were heard, most of them by gossip. */
  readonly announced: number;
  readonly linksBroken: number;
  readonly virtualMs: number;
  readonly faults: readonly string[];
};

export type Libp2pWorldOptions = {
  readonly seed: number;
  /** Told everything that is seen, for a person to read. */
  readonly trace?: (line: string) => void;
  /** In place of faults: a worker that gets no CPU for so long, and whose settings watch connections meanwhile. */
  readonly starved?: { readonly forUs: number; readonly settings: "otto" | "library" };
};

export function runLibp2pWorld(options: Libp2pWorldOptions): Promise<Libp2pWorldResult> {
  const agenda = new Agenda();
  return inVirtualTime(agenda, options.seed, () => new Libp2pWorld(agenda, options).run());
}

class Libp2pWorld {
  readonly #options: Libp2pWorldOptions;
  readonly #agenda: Agenda;
  readonly #chance: Chance;
  readonly #wire: Wire;
  readonly #machines: Machine[] = [];
  readonly #names = new Map<string, PeerName>();
  readonly #domain: Domain;
  readonly #runs: { readonly workload: Workload; kept: boolean }[] = [];
  readonly #faults: string[] = [];
  /** What each control peer recorded of runs, as text. */
  readonly #history = new Map<PeerName, Set<string>>();
  readonly #closed = new Map<PeerName, Set<string>>();
  /** What was sent on each direction since it was last up, and how much of it was heard. */
  readonly #said = new Map<string, { readonly sent: string[]; heard: number }>();
  #violation: string | null = null;
  #healed = false;
  #traceHash = 0;
  #messages = 0;
  #announced = 0;
  #linksBroken = 0;

  constructor(agenda: Agenda, options: Libp2pWorldOptions) {
    this.#options = options;
    this.#agenda = agenda;
    const { seed } = options;
    this.#chance = new Chance(seed, "libp2p world");
    const delayUs = this.#chance.pick([
      [100, 900],
      [500, 30_000],
      [20_000, 80_000],
    ] as const);
    this.#wire = new Wire({ seed, agenda, delayUs });
    const controls = Array.from({ length: controlCount }, (_, index) => `control${index}`);
    const workers = Array.from({ length: workerCount }, (_, index) => `worker${index}`);
    const identities = new Map(
      [...controls, ...workers].map((name) => [name, seededIdentity(`${seed} ${name}`)]),
    );
    const identity = (name: PeerName) => identities.get(name) ?? seededIdentity(name);
    const charter = charterOf(controls.map(identity), this.#chance.pick([2_000, 6_000]));
    this.#domain = {
      charter,
      charterBytes: sealCharter(charter, simulatedKeys("owner")),
      controls: controls.map((name) => ({
        name,
        peer: identity(name).peer,
        address: this.#wire.addressOf(name),
      })),
    };
    const settings = options.starved?.settings ?? "otto";
    const around = { seed, agenda, wire: this.#wire, domain: this.#domain, events: this.#events(), settings };
    for (const name of [...controls, ...workers]) {
      const role = controls.includes(name) ? "control" : "worker";
      this.#machines.push(new Machine({ name, role, identity: identity(name) }, around));
      this.#names.set(identity(name).peer, name);
    }
    for (let index = 0; index < runCount; index += 1) {
      const traits = { nonce: `nonce${seed}-${index}`, outside: false, waits: false, locked: null };
      const { nonce } = traits;
      const workload = runOf(randomPlan(this.#chance, traits), charter, { nonce });
      const run = { workload, kept: false };
      this.#runs.push(run);
      const at = this.#chance.pick(this.#machines);
      agenda.at(this.#chance.between(2_000_000, faultsOverUs / 2), () => this.#submit(at, index));
    }
    if (options.starved === undefined) this.#planFaults();
    else this.#starve(options.starved.forUs);
    agenda.at(faultsOverUs, () => this.#heal());
  }

  async run(): Promise<Libp2pWorldResult> {
    for (const machine of this.#machines)
      this.#agenda.at(this.#chance.integer(300_000), () => machine.start());
    let nextLookUs = 0;
    await this.#agenda.runDrained(faultsOverUs + livenessUs, () => {
      if (this.#violation !== null) return true;
      if (!this.#healed || this.#agenda.nowUs < nextLookUs) return false;
      nextLookUs = this.#agenda.nowUs + 500_000;
      return this.#open().length === 0;
    });
    const open = this.#open();
    if (open.length > 0) this.#violation ??= `in the end ${open.join("; ")}`;
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      traceHash: this.#traceHash,
      happened: this.#agenda.happened,
      messages: this.#messages,
      announced: this.#announced,
      linksBroken: this.#linksBroken,
      virtualMs: Math.floor(this.#agenda.nowUs / 1_000),
      faults: this.#faults,
    };
  }

  /** A few of each kind, at times and places from the seed; in the end nothing is wrong any more. */
  #planFaults(): void {
    const chance = this.#chance;
    const count = chance.between(1, 4);
    for (let index = 0; index < count; index += 1) {
      const atUs = chance.between(3_000_000, faultsOverUs - 2_000_000);
      const untilUs = Math.min(faultsOverUs, atUs + chance.between(500_000, 9_000_000));
      const [one, other] = chance.shuffled(this.#machines);
      if (one === undefined || other === undefined) continue;
      const kind = chance.pick(["partition", "stall", "crash", "pause", "flap", "slow"] as const);
      this.#faults.push(`${kind} ${one.name}${kind === "stall" ? `>${other.name}` : ""}`);
      this.#agenda.at(atUs, () => {
        this.#see(`fault ${kind} ${one.name} ${other.name} until ${untilUs}`);
        if (kind === "stall") this.#wire.stall(one.name, other.name, untilUs);
        else if (kind === "slow") this.#wire.slow(untilUs);
        else if (kind === "pause") this.#pause(one, untilUs);
        else if (kind === "crash") this.#crash(one, untilUs);
        else
          for (const machine of this.#machines)
            if (machine !== one) this.#wire.block(one.name, machine.name, kind === "flap" ? 0 : untilUs);
      });
    }
  }

  #starve(forUs: number): void {
    const starved = this.#machines.at(-1);
    if (starved === undefined) return;
    this.#faults.push(`starved ${starved.name}`);
    this.#agenda.at(2_000_000, () => this.#pause(starved, 2_000_000 + forUs));
  }

  #heal(): void {
    this.#healed = true;
    this.#wire.heal();
    this.#see("healed");
    for (const machine of this.#machines) {
      machine.resume();
      if (!machine.lives) machine.start();
    }
  }

  #pause(machine: Machine, untilUs: number): void {
    machine.pause();
    this.#agenda.at(untilUs, () => machine.resume());
  }

  #crash(machine: Machine, untilUs: number): void {
    if (!machine.lives) return;
    machine.crash();
    for (const key of this.#said.keys()) if (key.includes(machine.name)) this.#said.delete(key);
    this.#agenda.at(untilUs, () => {
      if (!machine.lives) machine.start();
    });
  }

  /** Submits until the peer has answered that it is kept, as a command line does. */
  #submit(at: Machine, index: number): void {
    const run = this.#runs[index];
    if (run === undefined || run.kept) return;
    const { bundle, submission } = run.workload;
    const { run: id, digest } = submission;
    if (at.answers) at.tell({ kind: "bundle", run: id, digest, from: null, bytes: bundle, question: index });
    this.#agenda.in(700_000, () => this.#submit(at, index));
  }

  #events(): MachineEvents {
    const nameOf = (peer: string): PeerName => this.#names.get(peer) ?? peer;
    return {
      up: (machine, peer) => {
        this.#see(`${machine.name} up ${nameOf(peer)}`);
        this.#said.delete(`${machine.name}>${nameOf(peer)}`);
      },
      down: (machine, peer) => {
        this.#linksBroken += 1;
        this.#see(`${machine.name} down ${nameOf(peer)}`);
      },
      sent: (machine, to, message) => {
        this.#messages += 1;
        this.#see(`${machine.name} sends ${nameOf(to)} ${message.kind}`);
        this.#wasSent(machine.name, nameOf(to), message);
      },
      heard: (machine, from, message) => {
        this.#see(`${machine.name} hears ${nameOf(from)} ${message.kind}`);
        this.#wasHeard(nameOf(from), machine.name, message);
      },
      refused: (machine, because) => {
        if (because !== "role") this.#violation ??= `${machine.name} refused something: ${because}`;
      },
      recorded: (machine, events) => this.#recorded(machine.name, events),
      answered: (_, question, isOk) => {
        const run = this.#runs[question];
        if (run !== undefined && isOk) run.kept = true;
      },
      failed: (machine, cause) => {
        const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
        this.#violation ??= `${machine.name} failed: ${text}`;
      },
    };
  }

  #wasSent(from: PeerName, to: PeerName, message: Message): void {
    // Announcements come by gossip, too.
    if (message.kind === "announce") return;
    const key = `${from}>${to}`;
    const said = this.#said.get(key) ?? { sent: [], heard: 0 };
    this.#said.set(key, said);
    said.sent.push(textOf(message));
  }

  /** In the order in which it was said, each once; what was said on a link that broke may be missing. */
  #wasHeard(from: PeerName, to: PeerName, message: Message): void {
    if (message.kind === "announce") {
      this.#announced += 1;
      return;
    }
    const said = this.#said.get(`${from}>${to}`);
    if (said === undefined) return;
    const at = said.sent.indexOf(textOf(message), said.heard);
    if (at === -1)
      this.#violation ??= `${to} heard ${message.kind} of ${from} twice, or behind what was said later`;
    else said.heard = at + 1;
  }

  #recorded(machine: PeerName, events: readonly LoggedEvent[]): void {
    const history = this.#history.get(machine) ?? new Set();
    this.#history.set(machine, history);
    const closed = this.#closed.get(machine) ?? new Set();
    this.#closed.set(machine, closed);
    for (const event of events) {
      history.add(textOf(event));
      if (event.kind === "run-closed") closed.add(event.run);
    }
  }

  /** What is not yet as it must be in the end, in words. */
  #open(): string[] {
    const open: string[] = [];
    const controls = this.#machines.filter(({ role }) => role === "control");
    for (const control of controls)
      for (const machine of this.#machines)
        if (machine !== control && !(machine.isLinkedTo(control) && control.isLinkedTo(machine)))
          open.push(`${machine.name} and ${control.name} are not linked`);
    for (const { workload, kept } of this.#runs) {
      const { run } = workload.submission;
      if (!kept) open.push(`run ${run} is not kept`);
      else if (!controls.some(({ name }) => this.#closed.get(name)?.has(run) === true))
        open.push(`run ${run} is not closed`);
    }
    const histories = new Set(
      controls.map(({ name }) => [...(this.#history.get(name) ?? [])].toSorted().join("\n")),
    );
    if (histories.size > 1) open.push("control peers tell different histories");
    return open;
  }

  #see(text: string): void {
    this.#traceHash = hashOf(this.#traceHash, this.#agenda.nowUs, text);
    this.#options.trace?.(`${(this.#agenda.nowUs / 1_000_000).toFixed(3)} ${text}`);
  }
}

/** Canonical: the same whatever order its fields are in. */
function textOf(value: Message | LoggedEvent): string {
  return Buffer.from(encodeValue(value)).toString("base64");
}
