/**
 * A mesh in virtual time: real cores in real loops, everything else from a seed.
 *
 * Two phases. While faults last anything may be down and only safety is asked for. Then everything is healed, but
 * for a minority of control peers that may be lost for good, and what was submitted must come to its end.
 */

import { controlKeys } from "../node/core/control.ts";
import { orderOf, type Submission } from "../protocol/manifest.ts";
import { type Charter, sealCharter } from "../protocol/membership.ts";
import type { Plan } from "../protocol/plan.ts";
import { Agenda } from "./agenda.ts";
import {
  type Fault,
  type FaultPlan,
  isolatingFaults,
  lastingFaults,
  randomFaults,
  rivallingFaults,
} from "./faults.ts";
import { forgeEntry } from "./forging.ts";
import { simulatedKeys } from "./keys.ts";
import { SimulatedNetwork } from "./network.ts";
import { type Checker, type Ending, type Observation, type PeerName, Violation } from "./observation.ts";
import { Peer, type Seen, type Surroundings } from "./peer.ts";
import { Chance, hashOf } from "./random.ts";
import { StandingWork } from "./standing.ts";
import { type Domain, eventsOf, exportOf, forksOf, headsOf, isClosedAt } from "./stored.ts";
import { answerOf, certificateOf, charterOf, randomRun, runOf, type Workload } from "./workload.ts";

/** Virtual time that everything healed gets to come to its end. */
const livenessUs = 600_000_000;
const happeningsMax = 3_000_000;

export type WorldOptions = {
  readonly seed: number;
  readonly checkers: readonly Checker[];
  /** Encodes and decodes every message, as on a real link. Dearer; the same otherwise. */
  readonly encoded: boolean;
  /** What is run, in place of plans that are made from the seed. Workers must be able to do it all. */
  readonly plans?: readonly Plan[];
  /** Told everything that is seen, for a person to read. */
  readonly trace?: (observation: Observation) => void;
};

export type WorldResult = {
  readonly seed: number;
  readonly verdict: "passed" | "violated";
  readonly violation: Violation | null;
  readonly traceHash: number;
  readonly happened: number;
  readonly messages: number;
  readonly virtualUs: number;
  readonly peers: number;
  readonly faults: FaultPlan;
};

export async function runWorld(options: WorldOptions): Promise<WorldResult> {
  return await new World(options).run();
}

type Question =
  | { readonly kind: "submit"; readonly workload: Workload }
  | { readonly kind: "answer" }
  | { readonly kind: "cancel"; readonly run: string }
  | { readonly kind: "remove"; readonly pipeline: string };

class World {
  readonly #options: WorldOptions;
  readonly #agenda = new Agenda();
  readonly #network: SimulatedNetwork;
  readonly #peers = new Map<PeerName, Peer>();
  readonly #names = new Map<string, PeerName>();
  readonly #faults: FaultPlan;
  readonly #questions: Question[] = [];
  readonly #submitted = new Map<string, Submission>();
  readonly #closed = new Set<string>();
  readonly #chance: Chance;
  readonly #charter: Charter;
  readonly #planned: number;
  readonly #domain: Domain;
  #standing: StandingWork | null = null;
  #violation: Violation | null = null;
  #traceHash = 0;
  #messages = 0;
  #healed = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    const { seed } = options;
    this.#chance = new Chance(seed, "world");
    const chance = this.#chance;
    const controls = range("control", chance.pick([1, 3, 3, 3, 3, 5]));
    // One world in eight is about leases of steps that reach outside, whose workers are cut off.
    const outside = seed % 8 === 3;
    const workers = range("worker", chance.between(outside ? 2 : 1, 4));
    // One in eight is about homes that follow one another, or reign at once.
    const rivals = seed % 8 === 6;
    // One in eight is about schedules, and lasts for minutes.
    const scheduled = seed % 8 === 7;
    const faultsOf = outside
      ? isolatingFaults
      : rivals
        ? rivallingFaults
        : scheduled
          ? lastingFaults
          : randomFaults;
    this.#faults = faultsOf(new Chance(seed, "faults"), { controls, workers });
    const controlKeysOf = controls.map((name) => simulatedKeys(name));
    const charter = charterOf(controlKeysOf, chance.pick(outside ? [2_000] : [1_500, 2_000, 6_000]));
    this.#charter = charter;
    this.#domain = {
      charter: sealCharter(charter, simulatedKeys("owner")),
      certificates: workers.map((name) => certificateOf(charter, simulatedKeys(name).peer, "worker")),
    };
    this.#network = new SimulatedNetwork({
      seed,
      agenda: this.#agenda,
      delayUs: chance.pick([
        [100, 900],
        [500, 30_000],
        [20_000, 120_000],
      ]),
      endpoint: (name) => {
        const peer = this.#peer(name);
        return {
          lives: () => peer.lives,
          answers: () => peer.answers,
          arrive: (from, arrival) => peer.arrive(from, arrival),
        };
      },
    });
    const around: Surroundings = {
      seed,
      agenda: this.#agenda,
      network: this.#network,
      charter,
      nameOf: (id) => this.#names.get(id) ?? id,
      peer: (name) => this.#peer(name),
      peers: () => [...this.#peers.values()],
      see: (peer, seen) => this.#see(peer, seen),
      ended: (peer, why, cause) => this.#ended(peer, why, cause),
      encoded: options.encoded,
      clocksAreSet: scheduled,
      failing: { failed: chance.integer(30), timedOut: chance.integer(10) },
      durationMsMax: chance.pick(outside ? [8_000] : [200, 2_000, 8_000, 20_000]),
    };
    for (const [index, name] of [...controls, ...workers].entries()) {
      const role = index < controls.length ? "control" : "worker";
      const keys = simulatedKeys(name);
      // The first worker can do everything, so that no run waits for ever.
      const labels = name === "worker0" || chance.percent(30) ? ["gpu"] : [];
      const traits = {
        name,
        role,
        keys,
        labels,
        slots: chance.between(1, 3),
        fastPpm: chance.between(-5_000, 5_000),
      } as const;
      this.#peers.set(name, new Peer(traits, around));
      this.#names.set(keys.peer, name);
    }
    // In one in eight somebody else has a control peer's key.
    if (seed % 8 === 1) this.#planForging(new Chance(seed, "forging"));
    // One in eight is about steps that people and things outside settle.
    const waits = seed % 8 === 5;
    this.#connectAll(controls, workers);
    const runs = options.plans?.length ?? chance.between(1, 4);
    this.#planned = runs;
    for (let run = 0; run < runs; run += 1) {
      const nonce = `nonce${seed}-${run}`;
      const plan = options.plans?.[run];
      const traits = { nonce, outside, waits, locked: outside && seed % 16 === 3 };
      this.#planRun(
        plan === undefined ? randomRun(chance, charter, traits) : runOf(plan, charter, { nonce }),
      );
    }
    if (scheduled) this.#standing = this.#standingWork(charter);
    for (const fault of this.#faults.faults) this.#agenda.at(fault.atUs, () => this.#inject(fault));
    this.#agenda.at(this.#faults.overUs, () => this.#heal());
  }

  async run(): Promise<WorldResult> {
    const { seed, checkers } = this.#options;
    for (const peer of this.#peers.values())
      this.#agenda.in(this.#chance.integer(300_000), () => {
        if (!peer.lives) peer.start();
      });
    let nextLookUs = 0;
    const over = () => {
      if (this.#violation !== null || this.#agenda.happened > happeningsMax) return true;
      if (!this.#healed || this.#agenda.nowUs < nextLookUs) return false;
      nextLookUs = this.#agenda.nowUs + 500_000;
      return this.#open().length === 0;
    };
    this.#agenda.run(this.#faults.overUs + livenessUs, over);
    if (this.#violation === null) {
      const ending = this.#ending();
      for (const checker of checkers) this.#check(() => checker.finish(ending));
    }
    return {
      seed,
      verdict: this.#violation === null ? "passed" : "violated",
      violation: this.#violation,
      traceHash: this.#traceHash,
      happened: this.#agenda.happened,
      messages: this.#messages,
      virtualUs: this.#agenda.nowUs,
      peers: this.#peers.size,
      faults: this.#faults,
    };
  }

  #connectAll(controls: readonly PeerName[], workers: readonly PeerName[]): void {
    for (const [index, control] of controls.entries()) {
      for (const other of controls.slice(index + 1)) this.#network.connect(control, other);
      for (const worker of workers) this.#network.connect(control, worker);
    }
  }

  /** A person submits at some peer, and may change their mind. */
  #planRun(workload: Workload): void {
    const chance = this.#chance;
    const { submission } = workload;
    const at = chance.pick(this.#survivors());
    const submitUs = chance.integer(Math.ceil(this.#faults.overUs / 2));
    this.#agenda.at(submitUs, () => this.#submit(at, workload));
    for (const { name, action } of submission.manifest.plan.steps)
      if (action?.kind === "approve" || action?.kind === "wait")
        this.#agenda.at(submitUs + chance.integer(9_000_000), () => this.#answer(submission, name, 0));
    if (chance.percent(30))
      this.#agenda.at(submitUs + chance.integer(4_000_000), () => this.#cancel(submission.run, 0));
  }

  #planForging(chance: Chance): void {
    for (let left = chance.between(1, 3); left > 0; left -= 1)
      this.#agenda.at(chance.integer(this.#faults.overUs), () => {
        const controls = [...this.#peers.values()].filter(({ traits }) => traits.role === "control");
        const { domain } = this.#charter;
        const forged = chance.shuffled(controls).map((author) => forgeEntry(author, domain, chance));
        const [first] = forged.filter((one) => one !== null);
        if (first === undefined) return;
        this.#see("world", { kind: "forged", log: first.log });
        const message = { kind: "events", entries: [first.bytes], answer: false } as const;
        for (const peer of chance.shuffled(controls).slice(0, chance.between(1, 2)))
          peer.tell({ kind: "message", from: chance.pick(controls).traits.keys.peer, message });
      });
  }

  #standingWork(charter: Charter): StandingWork {
    const { seed } = this.#options;
    const chance = new Chance(seed, "standing");
    return new StandingWork({
      chance,
      charter,
      seed,
      overUs: this.#faults.overUs,
      at: (atUs, action) => this.#agenda.in(atUs, action),
      controls: () => [...this.#peers.values()].filter(({ traits }) => traits.role === "control"),
      submit: (workload) => {
        this.#see("world", { kind: "ordered", submission: workload.submission });
        this.#submit(chance.pick(this.#survivors()), workload);
      },
      remove: (to, pipeline) => {
        const question = this.#ask({ kind: "remove", pipeline });
        this.#see(to.name, { kind: "asked-to-remove", question, pipeline });
        to.tell({ kind: "remove-schedule", pipeline, by: "person", question });
        return question;
      },
      fired: (submission) => {
        if (this.#submitted.has(submission.run)) return;
        this.#submitted.set(submission.run, submission);
        this.#see("world", { kind: "submitted", submission });
      },
    });
  }

  /** Submits until the peer has answered that it is kept, as a command line does. */
  #submit(at: Peer, workload: Workload): void {
    const { run, digest, manifest } = workload.submission;
    if (this.#submitted.has(run) || this.#standing?.isKept(run) === true) return;
    if (at.answers) {
      at.blobs.set(digest, workload.bundle);
      if (manifest.source.kind === "tree") at.blobs.set(manifest.source.tree, new Uint8Array());
      const question = this.#ask({ kind: "submit", workload });
      at.tell({ kind: "bundle", run, digest, from: null, bytes: workload.bundle, question });
    }
    this.#agenda.in(700_000, () => this.#submit(at, workload));
  }

  #ask(question: Question): number {
    this.#questions.push(question);
    return this.#questions.length;
  }

  #answered(observation: Extract<Observation, { kind: "answered" }>): void {
    const question = this.#questions[observation.question - 1];
    if (question?.kind !== "submit" || !observation.answer.ok) return;
    const { submission } = question.workload;
    if (this.#submitted.has(submission.run)) return;
    if (orderOf(submission) === null) this.#submitted.set(submission.run, submission);
    else this.#standing?.keep(submission);
    this.#see(observation.peer, { kind: "submitted", submission });
  }

  #cancel(run: string, tries: number): void {
    const controls = [...this.#peers.values()].filter(
      ({ traits, answers }) => traits.role === "control" && answers,
    );
    const to = controls[tries % Math.max(1, controls.length)];
    if (tries > 40 || this.#closed.has(run)) return;
    if (to !== undefined) {
      const question = this.#ask({ kind: "cancel", run });
      this.#see(to.name, { kind: "asked-to-cancel", question, run });
      to.tell({ kind: "cancel", run, by: "person", question });
    }
    this.#agenda.in(400_000, () => this.#cancel(run, tries + 1));
  }

  /** People say what they think until the run is over; most of it comes too early, too late or twice. */
  #answer(submission: Submission, step: string, tries: number): void {
    if (tries > 40 || this.#closed.has(submission.run)) return;
    const controls = [...this.#peers.values()].filter(
      ({ traits, answers }) => traits.role === "control" && answers,
    );
    const to = controls[tries % Math.max(1, controls.length)];
    if (to !== undefined) {
      const chance = new Chance(this.#options.seed, `${step} ${tries}`);
      const bytes = answerOf(chance, this.#charter, submission, step);
      to.tell({ kind: "answer-step", bytes, said: null, question: this.#ask({ kind: "answer" }) });
    }
    this.#agenda.in(900_000, () => this.#answer(submission, step, tries + 1));
  }

  #inject(fault: Fault): void {
    const untilUs = this.#agenda.nowUs + fault.lastsUs;
    this.#see("world", { kind: "fault", text: JSON.stringify(fault) });
    switch (fault.kind) {
      case "partition":
        for (const left of this.#peers.keys())
          for (const right of this.#peers.keys())
            if (fault.side.includes(left) && !fault.side.includes(right))
              this.#network.block(left, right, untilUs);
        return;
      case "link-down":
        return this.#network.block(...fault.between, untilUs);
      case "one-way":
        return this.#network.stall(fault.from, fault.to, untilUs);
      case "crash":
        return this.#crash(this.#peer(fault.peer), "crash", fault.lastsUs);
      case "fuse":
        return this.#peer(fault.peer).light(fault.effects);
      case "pause":
        return this.#pause(this.#peer(fault.peer), fault.lastsUs);
      case "stop":
        return this.#stop(this.#peer(fault.peer), fault.lastsUs);
      case "slow-network":
        return this.#network.slow(untilUs);
      case "slow-disk":
        this.#peer(fault.peer).slowDiskUntilUs = untilUs;
        return;
      default:
        throw new Error(`Bug: no such fault ${String(fault satisfies never)}`);
    }
  }

  #crash(peer: Peer, why: "crash" | "fuse", downUs: number): void {
    peer.crash(why);
    if (this.#healed && this.#faults.lost.includes(peer.name)) return;
    this.#agenda.in(downUs, () => {
      const lostForGood = this.#healed && this.#faults.lost.includes(peer.name);
      if (!peer.lives && !lostForGood) peer.start();
    });
  }

  #stop(peer: Peer, downUs: number): void {
    peer.tell({ kind: "stop" });
    const { lives } = peer;
    const endsUs = hashOf(this.#options.seed, peer.name, downUs, "stop") % 2_000_000;
    this.#agenda.in(endsUs, () => {
      if (lives && peer.lives) this.#crash(peer, "crash", downUs);
    });
  }

  #pause(peer: Peer, lastsUs: number): void {
    if (!peer.answers) return;
    peer.pause();
    // The others give a silent peer up after a while: its links break, and it learns of that when it goes on.
    const givenUpUs = 1_000_000 + (hashOf(this.#options.seed, peer.name, lastsUs, "give-up") % 6_000_000);
    this.#agenda.in(givenUpUs, () => {
      if (peer.lives && !peer.answers)
        for (const other of this.#peers.keys())
          if (other !== peer.name) this.#network.block(peer.name, other, 0);
    });
    this.#agenda.in(lastsUs, () => peer.resume());
  }

  #heal(): void {
    this.#healed = true;
    this.#see("world", { kind: "fault", text: `healed, lost for good: ${this.#faults.lost.join(" ")}` });
    this.#network.heal();
    for (const peer of this.#peers.values()) {
      peer.slowDiskUntilUs = 0;
      peer.resume();
      if (this.#faults.lost.includes(peer.name)) peer.crash("crash");
      else if (!peer.lives) peer.start();
    }
  }

  #ended(peer: Peer, why: "fuse" | "bug", cause: unknown): void {
    if (why === "bug") {
      const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      this.#violation ??=
        cause instanceof Violation ? cause : new Violation("assertion", `${peer.name}: ${text}`);
      return;
    }
    this.#crash(
      peer,
      "fuse",
      100_000 + (hashOf(this.#options.seed, peer.name, this.#agenda.nowUs) % 4_000_000),
    );
  }

  #see(peer: PeerName, seen: Seen): void {
    const observation = { atUs: this.#agenda.nowUs, peer, ...seen } as Observation;
    if (observation.kind === "sent") this.#messages += 1;
    if (observation.kind === "recorded")
      for (const { kind, run } of observation.events) if (kind === "run-closed") this.#closed.add(run);
    if (observation.kind === "answered") this.#answered(observation);
    this.#standing?.observe(observation);
    const detail = "message" in observation ? observation.message.kind : "";
    this.#traceHash = hashOf(this.#traceHash, observation.atUs, peer, observation.kind, detail);
    this.#options.trace?.(observation);
    for (const checker of this.#options.checkers) this.#check(() => checker.observe(observation));
  }

  #check(check: () => void): void {
    if (this.#violation !== null) return;
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#violation = error;
    }
  }

  /** What is not yet as it must be in the end, in words. */
  #open(): string[] {
    const open = this.#standing?.open(this.#agenda.nowUs, this.#survivingControls()) ?? [];
    if (this.#submitted.size < this.#planned) open.push("something is not submitted");
    for (const run of this.#submitted.keys())
      if (!this.#survivingControls().some((peer) => isClosedAt(peer, run)))
        open.push(`run ${run} is not closed`);
    const heads = new Set<string>();
    for (const peer of this.#survivingControls()) {
      heads.add(JSON.stringify([headsOf(peer), forksOf(peer)]));
      for (const [key] of peer.disk.list(controlKeys.bundles)) open.push(`${peer.name} still keeps ${key}`);
    }
    if (heads.size > 1) open.push(`histories differ: ${[...heads].join(" / ")}`);
    return open;
  }

  #survivors(): Peer[] {
    return [...this.#peers.values()].filter(({ name }) => !this.#faults.lost.includes(name));
  }

  #survivingControls(): Peer[] {
    return this.#survivors().filter(({ traits }) => traits.role === "control");
  }

  #ending(): Ending {
    const open = this.#open();
    return {
      finished: open.length === 0,
      open,
      submissions: [...this.#submitted.values()],
      orders: this.#standing?.orders ?? [],
      controls: this.#survivingControls().map((peer) => ({
        peer: peer.name,
        heads: headsOf(peer),
        events: eventsOf(peer, this.#options.seed),
        keys: peer.disk.list("").map(([key]) => key),
        entries: peer.disk.list(controlKeys.entries),
        forks: peer.forks,
        exported: (run) => exportOf(peer, this.#survivingControls(), run, this.#domain),
      })),
    };
  }

  #peer(name: PeerName): Peer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`Bug: no peer ${name}`);
    return peer;
  }
}

function range(name: string, count: number): PeerName[] {
  return Array.from({ length: count }, (_, index) => `${name}${index}`);
}
