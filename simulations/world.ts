/**
 * A mesh in virtual time: real cores in real loops, everything else from a schedule.
 *
 * Two phases. While faults last anything may be down and only safety is asked for. Then everything is healed, but
 * for a minority of control peers that may be lost for good, and what was submitted must come to its end.
 */

import { controlKeys } from "../node/core/control.ts";
import { limits } from "../protocol/limits.ts";
import { orderOf, type Submission, validUntilOf } from "../protocol/manifest.ts";
import { type Charter, sealCharter } from "../protocol/membership.ts";
import type { Plan } from "../protocol/plan.ts";
import type { LoggedEvent } from "../protocol/events.ts";
import { Agenda } from "./agenda.ts";
import { Audience } from "./audience.ts";
import { allCheckers } from "./checkers/all.ts";
import { Crossing, type Side } from "./crossing.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { forgeEntry } from "./forging.ts";
import { GatedWork, gatesUs } from "./gated.ts";
import { scheduleOf } from "./generate.ts";
import { guarded } from "./guards.ts";
import { Injection } from "./injection.ts";
import { simulatedKeys, withRealKeys } from "./keys.ts";
import type { Lie } from "./liars.ts";
import { type Carried, SimulatedNetwork } from "./network.ts";
import { type Checker, type Ending, type Observation, type PeerName, Violation } from "./observation.ts";
import { configured, Owner } from "./owner.ts";
import { Peer, type Seen, type Surroundings } from "./peer.ts";
import { Chance, traced } from "./random.ts";
import type { DelayUs, Schedule, ScheduledNeighbour, ScheduledRun } from "./schedule.ts";
import { Revoking } from "./revoking.ts";
import { StandingWork } from "./standing.ts";
import {
  bundleAt,
  type Domain,
  eventsOf,
  exportOf,
  forksOf,
  headsOf,
  lastEntriesOf,
  isClosedAt,
  remembers,
  isPendingAt,
} from "./stored.ts";
import { Traffic } from "./traffic.ts";
import {
  answerOf,
  anyAnswerOf,
  certificateOf,
  charterOf,
  neighbourName,
  runOf,
  startWallMs,
  type Workload,
  yesOf,
} from "./workload.ts";

const livenessUs = 600_000_000;
const happeningsMaxOfAny = 3_000_000;

export type WorldOptions = {
  readonly checkers: readonly Checker[];
  /** Encodes and decodes every message, as on a real link. Dearer; the same otherwise. */
  readonly encoded: boolean;
  /** Everybody signs with real Ed25519 keys. Dearer; the same otherwise. */
  readonly signed?: boolean;
  /** Shown all peers again and again, for whoever measures them. */
  readonly sample?: { readonly everyUs: number; readonly take: (peers: readonly Peer[]) => void };
  /** Told everything that is seen, for a person to read. */
  readonly trace?: (observation: Observation) => void;
  /** Asked after each happening: the world ends when nobody wants to know more. What is asked of its end is not. */
  readonly done?: () => boolean;
  /** Told of every message that a link carries, and how long that takes. */
  readonly carried?: (message: Carried) => void;
  /** Virtual time that everything healed gets to come to its end. */
  readonly patienceUs?: number;
  /** The world ends undecided after so many happenings. */
  readonly happeningsMax?: number;
} & (
  | { readonly schedule: Schedule }
  /** The schedule of this seed. */
  | { readonly seed: number; readonly plans?: readonly Plan[]; readonly kinds?: readonly FaultKind[] }
);

export type WorldResult = {
  readonly seed: number;
  /** Undecided: the bound on happenings was reached before the end. */
  readonly verdict: "passed" | "violated" | "undecided";
  readonly violation: Violation | null;
  readonly traceHash: number;
  readonly happened: number;
  /** That went out on a link. */
  readonly messages: number;
  readonly virtualUs: number;
  readonly peers: number;
  readonly schedule: Schedule;
};

export async function runWorld(options: WorldOptions): Promise<WorldResult> {
  const schedule =
    "schedule" in options ? options.schedule : scheduleOf(options.seed, options.plans, options.kinds);
  return options.signed === true
    ? withRealKeys(() => new World(schedule, options).run())
    : new World(schedule, options).run();
}

/** More than the wall clocks of two machines differ in the end, when faults are over. */
const clockSkewMsMax = 10_000;

type Question =
  | { readonly kind: "submit"; readonly workload: Workload }
  | { readonly kind: "answer" | "recharter" | "policy" | "crossing" }
  | { readonly kind: "cancel"; readonly run: string }
  | { readonly kind: "remove"; readonly pipeline: string };

type Beside = { readonly agenda: Agenda; readonly beyond: readonly Checker[] };

class World {
  readonly #options: WorldOptions;
  readonly #audience: Audience;
  readonly #schedule: Schedule;
  readonly #agenda: Agenda;
  /** The name of its domain. */
  readonly #name: string;
  /** The other domain, and what goes between the two. */
  #neighbour: World | null = null;
  #crossing: Crossing | null = null;
  /** Who is shown what happens here besides: the first domain's. */
  readonly #beyond: readonly Checker[];
  /** Bundles of steps that the other domain has released to this one, by run and digest. */
  readonly #released = new Map<string, Map<string, Workload>>();
  readonly #network: SimulatedNetwork;
  readonly #traffic: Traffic;
  readonly #injection: Injection;
  readonly #peers = new Map<PeerName, Peer>();
  readonly #names = new Map<string, PeerName>();
  readonly #questions: Question[] = [];
  readonly #handed = new Set<string>();
  readonly #submitted = new Map<string, Submission>();
  readonly #admitted = new Set<string>();
  readonly #closed = new Set<string>();
  readonly #charter: Charter;
  readonly #domain: Domain;
  readonly #owner: Owner;
  readonly #revoking: Revoking;
  readonly #byNonce = new Map<string, Submission>();
  /** What people submitted and a peer keeps. */
  readonly #kept = new Map<string, Workload>();
  #standing: StandingWork | null = null;
  #gated: GatedWork | null = null;
  #violation: Violation | null = null;
  #traceHash = 0;

  /** @param beside the world that releases steps to this one. */
  constructor(schedule: Schedule, options: WorldOptions, beside: Beside | null = null) {
    this.#options = options;
    this.#audience = new Audience(options.checkers);
    this.#schedule = schedule;
    this.#agenda = beside?.agenda ?? new Agenda();
    this.#name = beside === null ? "dev" : neighbourName;
    this.#beyond = beside?.beyond ?? [];
    const { seed, peers, clocksAreSet, steps } = schedule;
    const { controls, workers } = namesIn(schedule);
    const charter = charterOf(
      controls.filter((name) => schedule.spares?.includes(name) !== true).map((name) => simulatedKeys(name)),
      schedule.leaseMs,
      this.#name,
    );
    this.#charter = charter;
    this.#domain = {
      charter: sealCharter(charter, simulatedKeys("owner")),
      certificates: workers.map((name) => certificateOf(charter, simulatedKeys(name).peer, "worker")),
    };
    this.#network = this.#newNetwork();
    this.#traffic = new Traffic({
      seed,
      agenda: this.#agenda,
      network: this.#network,
      hear: (name, bytes) => this.#peer(name).hear(bytes),
    });
    const around: Surroundings = {
      seed,
      agenda: this.#agenda,
      network: this.#network,
      traffic: this.#traffic,
      charter,
      charterBytes: this.#domain.charter,
      nameOf: (id) => this.#names.get(id) ?? id,
      peer: (name) => this.#peer(name),
      peers: () => [...this.#peers.values()],
      see: (peer, seen) => this.#see(peer, seen),
      ended: (peer, why, cause) => this.#ended(peer, why, cause),
      release: (from, told, done) => {
        if (this.#crossing === null) throw new Error("Bug: a world of one domain releases to none");
        this.#crossing.tell(from, told, done);
      },
      encoded: options.encoded,
      clocksAreSet,
      failing: { failed: steps.failed, timedOut: steps.timedOut },
      durationMsMax: steps.durationMsMax,
      durationsMs: steps.durationsMs,
    };
    for (const traits of peers) {
      const keys = simulatedKeys(traits.name);
      this.#peers.set(traits.name, new Peer({ ...traits, keys }, around));
      this.#names.set(keys.peer, traits.name);
    }
    this.#connectAll(controls, workers);
    this.#owner = new Owner({
      first: { charter, bytes: this.#domain.charter },
      controls: () => this.#controls(),
      wallMs: () => startWallMs + Math.floor(this.#agenda.nowUs / 1_000),
      in: (afterUs, action) => this.#agenda.in(afterUs, action),
      ask: (to, bytes) => to.tell({ kind: "recharter", bytes, question: this.#ask({ kind: "recharter" }) }),
    });
    this.#revoking = new Revoking({
      charter,
      wallMs: () => startWallMs + Math.floor(this.#agenda.nowUs / 1_000),
      in: (afterUs, action) => this.#agenda.in(afterUs, action),
      controls: () => this.#controls(),
      ask: () => this.#ask({ kind: "policy" }),
      see: (peer, seen) => this.#see(peer, seen),
    });
    for (const [index, atUs] of (schedule.forgedUs ?? []).entries())
      this.#agenda.at(atUs, () => this.#forge(index));
    for (const run of schedule.runs) this.#planRun(run);
    this.#standing = this.#standingWork();
    this.#gated = this.#gatedWork();
    if (schedule.neighbour !== undefined) this.#besideAnother(schedule.neighbour);
    this.#injection = this.#newInjection();
    this.#agenda.at(schedule.overUs, () => {
      this.#injection.heal();
      this.#crossing?.heal();
    });
  }

  #besideAnother({ schedule, ...crossing }: ScheduledNeighbour): void {
    const named = new Set(this.#options.checkers.map(({ name }) => name));
    const checkers = allCheckers(neighbourName).filter(({ name }) => named.has(name));
    const beside: Beside = { agenda: this.#agenda, beyond: this.#options.checkers };
    const neighbour = new World(schedule, { ...this.#options, checkers }, beside);
    const sides = [this.#side(), neighbour.#side()] as const;
    this.#neighbour = neighbour;
    this.#crossing = new Crossing(crossing, this.#schedule.seed, this.#agenda, sides);
    neighbour.#crossing = this.#crossing;
  }

  /** What the other domain can reach of this one. */
  #side(): Side {
    return {
      name: this.#name,
      controls: () => this.#controls(),
      newest: () => this.#owner.newest,
      see: (peer, seen) => this.#see(peer, seen),
      ask: () => this.#ask({ kind: "crossing" }),
      comes: (at, workload) => {
        const { submission } = workload;
        const { run, digest, released } = submission;
        const all = this.#released.get(run) ?? new Map<string, Workload>();
        this.#released.set(run, all);
        if (all.has(digest)) return;
        all.set(digest, workload);
        const { manifest } = submission;
        this.#byNonce.set(`${manifest.nonce} ${released?.release.step}`, submission);
        this.#see(at, { kind: "submitted", submission });
      },
    };
  }

  /** What one domain's gates hold up may be waited for by another's runs. */
  #patienceUs(): number {
    const guarded = [this, ...this.#others()].flatMap((world) =>
      world.#gated === null ? [] : [world.#schedule],
    );
    return guarded.length === 0 ? livenessUs : gatesUs(guarded);
  }

  run(): WorldResult {
    const { happeningsMax = happeningsMaxOfAny } = this.#options;
    const { done = () => false, patienceUs = this.#patienceUs() } = this.#options;
    this.#begin();
    for (const world of this.#others()) world.#begin();
    this.#sampleLater();
    let nextLookUs = 0;
    const over = () => {
      this.#takeViolation();
      if (this.#violation !== null || this.#agenda.happened > happeningsMax || done()) return true;
      if (!this.#injection.healed || this.#agenda.nowUs < nextLookUs) return false;
      nextLookUs = this.#agenda.nowUs + 500_000;
      return [this, ...this.#others()].every((world) => world.#isAtRest());
    };
    guarded(() => this.#agenda.run(this.#schedule.overUs + patienceUs, over));
    const isBeyond = happeningsMax < happeningsMaxOfAny && this.#agenda.happened > happeningsMax;
    if (this.#violation === null && !isBeyond && !done()) {
      for (const world of [this, ...this.#others()]) world.#finish();
      this.#takeViolation();
    }
    const all = [this, ...this.#others()];
    return {
      seed: this.#schedule.seed,
      verdict: this.#violation !== null ? "violated" : isBeyond ? "undecided" : "passed",
      violation: this.#violation,
      traceHash: all.reduce((hash, world) => traced(hash, 0, world.#name, String(world.#traceHash), ""), 0),
      happened: this.#agenda.happened,
      messages: all.reduce((sum, world) => sum + world.#network.sent, 0),
      virtualUs: this.#agenda.nowUs,
      peers: all.reduce((sum, world) => sum + world.#peers.size, 0),
      schedule: this.#schedule,
    };
  }

  #begin(): void {
    const nameOf = (id: string) => this.#names.get(id) ?? id;
    this.#see("world", configured(this.#owner.newest, nameOf));
    for (const { name, startUs } of this.#schedule.peers)
      this.#agenda.at(startUs, () => {
        if (!this.#peer(name).lives) this.#peer(name).start();
      });
  }

  #others(): readonly World[] {
    return this.#neighbour === null ? [] : [this.#neighbour];
  }

  #takeViolation(): void {
    for (const world of this.#others()) this.#violation ??= world.#violation;
  }

  #isAtRest(): boolean {
    return this.#injection.healed && !this.#isAtWork() && this.#open().next().done === true;
  }

  #finish(): void {
    const ending = this.#ending();
    for (const checker of this.#options.checkers) this.#check(() => checker.finish(ending));
  }

  #sampleLater(): void {
    const { sample } = this.#options;
    if (sample === undefined) return;
    this.#agenda.in(sample.everyUs, () => {
      sample.take([...this.#peers.values()]);
      this.#sampleLater();
    });
  }

  #connectAll(controls: readonly PeerName[], workers: readonly PeerName[]): void {
    for (const [index, control] of controls.entries()) {
      for (const other of controls.slice(index + 1)) this.#network.connect(control, other);
      for (const worker of workers) this.#network.connect(control, worker);
    }
  }

  #newInjection(): Injection {
    const { seed, faults, lost } = this.#schedule;
    const around = {
      seed,
      agenda: this.#agenda,
      network: this.#network,
      traffic: this.#traffic,
      charter: this.#charter,
      peers: this.#peers,
      lost,
      owner: this.#owner,
      revoke: (name: PeerName) => this.#revoking.revoke(name),
      wiped: () => {
        for (const [run, workload] of this.#kept) this.#submitAgain(run, workload);
      },
      tell: (text: string, fault: Fault | null) => this.#see("world", { kind: "fault", text, fault }),
      lied: (peer: PeerName, { to, frame }: Lie) => {
        this.#see(peer, { kind: "lied", to, message: frame instanceof Uint8Array ? null : frame });
      },
    };
    return new Injection(around, faults);
  }

  #newNetwork(): SimulatedNetwork {
    const { seed, fates, delayUs, links } = this.#schedule;
    const own = new Map<string, DelayUs>();
    for (const { between, delayUs: delay } of links)
      for (const [from, to] of [between, between.toReversed()]) own.set(`${from}>${to}`, delay);
    return new SimulatedNetwork({
      seed,
      agenda: this.#agenda,
      fates,
      carried: this.#options.carried,
      delayUs: (from, to) => (own.size > 0 ? own.get(`${from}>${to}`) : undefined) ?? delayUs,
      endpoint: (name) => this.#peer(name),
    });
  }

  /** Somebody else has a control peer's key. */
  #forge(index: number): void {
    const chance = new Chance(this.#schedule.seed, "forging", index);
    const controls = [...this.#peers.values()].filter(({ traits }) => traits.role === "control");
    const { domain } = this.#charter;
    const forged = chance.shuffled(controls).flatMap((author) => {
      const one = forgeEntry(author, domain, chance);
      return one === null ? [] : [{ ...one, author: author.name }];
    });
    const [first] = forged;
    if (first === undefined) return;
    this.#see("world", { kind: "forged", log: first.log, author: first.author });
    const message = { kind: "events", entries: [first.bytes], answer: false } as const;
    for (const peer of chance.shuffled(controls).slice(0, chance.between(1, 2)))
      peer.tell({ kind: "message", from: chance.pick(controls).traits.keys.peer, message });
  }

  /** A person submits at some peer, and may change their mind. */
  #planRun({
    nonce,
    plan,
    at,
    submitUs,
    validForMs = limits.submissionMsDefault,
    ...later
  }: ScheduledRun): void {
    const { cancelUs, answers } = later;
    const validUntilMs = startWallMs + Math.floor(submitUs / 1_000) + validForMs;
    const workload = runOf(plan, this.#charter, { nonce, validUntilMs });
    const { submission } = workload;
    for (const { name } of plan.steps) this.#byNonce.set(`${nonce} ${name}`, submission);
    const peer = this.#peer(at);
    this.#agenda.at(submitUs, () => this.#submit(peer, workload));
    for (const { step, atUs, passes = false } of answers)
      this.#agenda.at(atUs, () => this.#answer(submission, { step, passes }, 0));
    if (cancelUs !== null) this.#agenda.at(cancelUs, () => this.#cancel(submission.run, 0));
  }

  #standingWork(): StandingWork | null {
    const { orders, overUs } = this.#schedule;
    if (orders === null) return null;
    return new StandingWork({
      orders,
      charter: this.#charter,
      overUs,
      at: (atUs, action) => this.#agenda.in(atUs, action),
      controls: () => [...this.#peers.values()].filter(({ traits }) => traits.role === "control"),
      submit: ({ at }, workload) => {
        this.#see("world", { kind: "ordered", submission: workload.submission });
        this.#submit(this.#peer(at), workload);
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

  #gatedWork(): GatedWork | null {
    const { gates, seed } = this.#schedule;
    if (gates === undefined) return null;
    return new GatedWork({
      seed,
      gates,
      charter: this.#charter,
      nowUs: () => this.#agenda.nowUs,
      in: (afterUs, action) => this.#agenda.in(afterUs, action),
      controls: () => this.#controls(),
      submission: (nonce, step) => this.#byNonce.get(`${nonce} ${step}`) ?? null,
      isOver: (run) => this.#closed.has(run),
      ask: () => this.#ask({ kind: "policy" }),
      see: (peer, seen) => this.#see(peer, seen),
    });
  }

  /** Submits until the peer has answered that it is kept, as a command line does. */
  #submit(at: Peer, workload: Workload): void {
    const { run, digest, manifest } = workload.submission;
    if (this.#submitted.has(run) || this.#standing?.isKept(run) === true) return;
    // Whoever has not been answered by then gives up.
    if (this.#isPast(workload.submission)) return this.#submittedAt(at.name, workload);
    if (at.answers && this.#isReady()) {
      at.blobs.set(digest, workload.bundle);
      if (manifest.source.kind === "tree") at.blobs.set(manifest.source.tree, new Uint8Array());
      const { submission } = workload;
      if (!this.#handed.has(run) && orderOf(submission) === null)
        this.#see(at.name, { kind: "handed", submission });
      this.#handed.add(run);
      const question = this.#ask({ kind: "submit", workload });
      at.tell({ kind: "bundle", run, digest, from: null, bytes: workload.bundle, question });
    }
    this.#agenda.in(700_000, () => this.#submit(at, workload));
  }

  /** True once what the owners say first is said. */
  #isReady(): boolean {
    const areReady = [this, ...this.#others()].every((world) => world.#gated?.isReady !== false);
    return areReady && this.#crossing?.isReady !== false;
  }

  /** What only a lost disk had is gone: whoever submitted it misses it, and submits it once more. */
  #submitAgain(run: string, workload: Workload): void {
    const all = [...this.#peers.values()];
    const { source } = workload.submission.manifest;
    const isKept = (peer: Peer) => bundleAt(peer, run).length > 0 || isPendingAt(peer, run);
    const hasFiles = (peer: Peer) =>
      source.kind !== "tree" || peer.blobs.holds({ digest: source.tree }) !== undefined;
    if (this.#closed.has(run) || (all.some(isKept) && all.some(hasFiles))) return;
    this.#submitted.delete(run);
    const members = this.#survivingControls();
    const at = members.find((peer) => peer.answers) ?? members[0];
    if (at !== undefined) this.#submit(at, workload);
  }

  #ask(question: Question): number {
    this.#questions.push(question);
    return this.#questions.length;
  }

  #answered(observation: Extract<Observation, { kind: "answered" }>): void {
    const question = this.#questions[observation.question - 1];
    if (question?.kind === "crossing") {
      const { answer } = observation;
      const why = answer.ok ? "" : answer.reason === "stale" ? "stale" : answer.detail;
      return this.#crossing?.answered(this.#name, observation.question, answer.ok, why);
    }
    if (question?.kind !== "submit" || !observation.answer.ok) return;
    this.#submittedAt(observation.peer, question.workload);
  }

  #submittedAt(peer: PeerName, workload: Workload): void {
    const { submission } = workload;
    if (this.#submitted.has(submission.run)) return;
    if (orderOf(submission) === null) {
      this.#submitted.set(submission.run, submission);
      this.#kept.set(submission.run, workload);
    } else this.#standing?.keep(submission);
    this.#see(peer, { kind: "submitted", submission });
  }

  /** True when the time in which it can be admitted is over, by a clock that is right. */
  #isPast(submission: Submission, graceMs = 0): boolean {
    const validUntilMs = validUntilOf(submission);
    return validUntilMs !== null && startWallMs + this.#agenda.nowUs / 1_000 > validUntilMs + graceMs;
  }

  /** True for what nobody has admitted in time, and nobody keeps. */
  #isMissed(submission: Submission, members: readonly Peer[] = this.#survivingControls()): boolean {
    const { run } = submission;
    if (this.#admitted.has(run) || !this.#isPast(submission)) return false;
    if (members.some((peer) => remembers(peer, run))) return false;
    return this.#survivors().every(
      (peer) => peer.disk.get(controlKeys.bundles + run) === undefined && !isPendingAt(peer, run),
    );
  }

  #isOver(submission: Submission, members: readonly Peer[]): boolean {
    const { run } = submission;
    // Whoever closed it may have ended before it told: then its register says so.
    if (this.#closed.has(run) || members.some((peer) => isClosedAt(peer, run))) return true;
    return this.#isMissed(submission, members);
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
  #answer(
    submission: Submission,
    asked: { readonly step: string; readonly passes: boolean },
    tries: number,
  ): void {
    const { step, passes } = asked;
    if ((tries > 40 && !passes) || this.#closed.has(submission.run)) return;
    const controls = [...this.#peers.values()].filter(
      ({ traits, answers }) => traits.role === "control" && answers,
    );
    const to = controls[tries % Math.max(1, controls.length)];
    if (to !== undefined) {
      const chance = new Chance(this.#schedule.seed, `${step} ${tries}`);
      const said = passes ? yesOf(`person${tries}`) : anyAnswerOf(chance);
      const bytes = answerOf(said, this.#charter, submission, step);
      to.tell({ kind: "answer-step", bytes, said: null, question: this.#ask({ kind: "answer" }) });
    }
    this.#agenda.in(passes ? 5_000_000 : 900_000, () => this.#answer(submission, asked, tries + 1));
  }

  #ended(peer: Peer, why: "fuse" | "storage" | "bug", cause: unknown): void {
    if (why !== "bug") return this.#injection.ended(peer, why);
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    this.#violation ??=
      cause instanceof Violation ? cause : new Violation("assertion", `${peer.name}: ${text}`);
  }

  #see(peer: PeerName, seen: Seen): void {
    const { nowUs: atUs } = this.#agenda;
    const observation = observed(atUs, peer, seen);
    if (observation.kind === "recorded") this.#recorded(observation.events);
    if (observation.kind === "answered") this.#answered(observation);
    this.#standing?.observe(observation);
    this.#gated?.observe(observation);
    this.#revoking?.observe(observation);
    this.#injection?.observe(observation);
    const detail = "message" in observation ? (observation.message?.kind ?? "") : "";
    this.#traceHash = traced(this.#traceHash, atUs, peer, observation.kind, detail);
    this.#options.trace?.(observation);
    if (this.#violation !== null) return;
    try {
      this.#audience.show(observation);
      for (const checker of this.#beyond) checker.observeBeyond?.(observation);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#violation = error;
    }
  }

  #recorded(events: readonly LoggedEvent[]): void {
    for (const { kind, run } of events) {
      if (kind === "run-admitted") this.#admitted.add(run);
      if (kind === "run-closed") this.#closed.add(run);
    }
    for (const event of events) this.#takeReleased(event);
  }

  /** A step of the other domain's is a run here once it is admitted: by one of the bundles that came, of which its end says which. */
  #takeReleased(event: LoggedEvent): void {
    const bundles = this.#released.get(event.run);
    if (bundles === undefined) return;
    const [first] = bundles.values();
    const taken = event.kind === "run-closed" ? bundles.get(event.bundle) : first;
    const isNews =
      event.kind === "run-closed" || (event.kind === "run-admitted" && !this.#submitted.has(event.run));
    if (taken === undefined || !isNews) return;
    this.#submitted.set(event.run, taken.submission);
    this.#kept.set(event.run, taken);
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

  /** True while a run has no end: no need to look further for what is open. */
  #isAtWork(): boolean {
    if (this.#submitted.size < this.#schedule.runs.length) return true;
    const members = this.#survivingControls();
    return [...this.#submitted.values()].some((submission) => !this.#isOver(submission, members));
  }

  /** What is not yet as it must be in the end, in words. Whoever only asks whether anything is need not hear all of it. */
  *#open(): Generator<string> {
    yield* this.#owner.open();
    yield* this.#revoking.open();
    const members = this.#survivingControls();
    yield* this.#standing?.open(this.#agenda.nowUs, members) ?? [];
    yield* this.#gated?.open() ?? [];
    if (this.#submitted.size < this.#schedule.runs.length) yield "something is not submitted";
    for (const [run, submission] of this.#submitted) {
      if (!this.#isOver(submission, members)) yield `run ${run} is not closed`;
      if (!this.#isPast(submission, clockSkewMsMax)) continue;
      for (const peer of members) if (remembers(peer, run)) yield `${peer.name} still remembers ${run}`;
    }
    for (const run of this.#closed)
      if (!members.some((peer) => bundleAt(peer, run).length > 0)) yield `no member keeps the plan of ${run}`;
    yield* this.#differences();
  }

  /** Where the members' histories are not yet one, with all that any control peer knows. */
  *#differences(): Generator<string> {
    // Those that were members, too, hand on what they know.
    const newest: Record<string, number> = {};
    for (const peer of this.#controls())
      if (!this.#schedule.lost.includes(peer.name))
        for (const [log, seq] of Object.entries(headsOf(peer))) newest[log] = Math.max(seq, newest[log] ?? 0);
    const forks = new Set<string>();
    const last = new Map<string, string>();
    for (const peer of this.#survivingControls()) {
      // A forged entry may be where another peer has the true one: they find that out.
      for (const [log, entry] of lastEntriesOf(peer)) {
        if ((last.get(log) ?? entry) !== entry) yield `the last entries of log ${log} differ`;
        last.set(log, entry);
      }
      if (!peer.lives) yield `${peer.name} has not started again`;
      if (peer.forks.some((forked) => !forksOf(peer).includes(forked)))
        yield `${peer.name} has not kept the proof of a fork`;
      const heads = headsOf(peer);
      const own = forksOf(peer);
      forks.add(JSON.stringify(own));
      for (const [log, seq] of Object.entries(newest))
        if ((heads[log] ?? 0) < seq && !own.some((forked) => log.endsWith(forked)))
          yield `${peer.name} has ${heads[log] ?? 0} of the ${seq} entries of log ${log}`;
      for (const [key] of peer.disk.list(controlKeys.bundles))
        if (!this.#isUntaken(peer, key.slice(controlKeys.bundles.length)))
          yield `${peer.name} still keeps ${key}`;
    }
    if (forks.size > 1) yield `frozen logs differ: ${[...forks].join(" / ")}`;
  }

  /**
   * True for a step that the other domain has released and does not want any more, or in another way: it may be taken for a day. And
   * for what a home took up while it was false: nobody else believes that it was released.
   */
  #isUntaken({ name }: Peer, run: string): boolean {
    if (this.#submitted.has(run)) return false;
    const { faults } = this.#schedule;
    const wasFalse = faults.some((fault) => fault.kind === "false-home" && fault.peer === name);
    return wasFalse || this.#released.has(run);
  }

  #survivors(): Peer[] {
    return [...this.#peers.values()].filter(({ name }) => !this.#schedule.lost.includes(name));
  }

  #controls(): Peer[] {
    return [...this.#peers.values()].filter(({ traits }) => traits.role === "control");
  }

  /** Those of the control peers that count in the end. */
  #survivingControls(): Peer[] {
    return this.#survivors().filter((peer) => peer.traits.role === "control" && this.#owner.isMember(peer));
  }

  #ending(): Ending {
    const open = [...this.#open()];
    return {
      finished: open.length === 0,
      open,
      submissions: [...this.#submitted.values()].filter((submission) => !this.#isMissed(submission)),
      orders: this.#standing?.orders ?? [],
      controls: this.#survivingControls().map((peer) => ({
        peer: peer.name,
        heads: headsOf(peer),
        events: eventsOf(peer, this.#charter.domain),
        keys: peer.disk.list("").map(([key]) => key),
        entries: peer.disk.list(controlKeys.entries),
        output: (id) => peer.outputs.read(id),
        forks: peer.forks,
        exported: kept((run) =>
          exportOf(peer, this.#survivingControls(), run, {
            ...this.#domain,
            charter: this.#owner.newest.bytes,
          }),
        ),
      })),
    };
  }

  #peer(name: PeerName): Peer {
    const peer = this.#peers.get(name);
    if (peer === undefined) throw new Error(`Bug: no peer ${name}`);
    return peer;
  }
}

/** Most of what is seen is a message: that is written down field by field, which is cheaper than a copy. */
function observed(atUs: number, peer: PeerName, seen: Seen): Observation {
  if (seen.kind === "sent") {
    const { kind, to, life, message } = seen;
    return { atUs, peer, kind, to, life, message };
  }
  if (seen.kind === "received") {
    const { kind, from, message } = seen;
    return { atUs, peer, kind, from, message };
  }
  return { atUs, peer, ...seen };
}

/** The same, and of the same name not twice. */
function kept<Value>(make: (name: string) => Value): (name: string) => Value {
  const made = new Map<string, Value>();
  return (name) => {
    let value = made.get(name);
    if (value === undefined) made.set(name, (value = make(name)));
    return value;
  };
}

function namesIn({ peers }: Schedule): { controls: PeerName[]; workers: PeerName[] } {
  const names = (role: string) => peers.filter((peer) => peer.role === role).map(({ name }) => name);
  return { controls: names("control"), workers: names("worker") };
}
