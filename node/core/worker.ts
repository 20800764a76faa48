/**
 * A worker's decisions: what it pulls, which leases it holds, when it starts, stops and reports steps.
 *
 *   granted --bundle is here--> queued --free slot--> running --ended--> keeping --blobs kept--> reported --ack--> gone
 *               |                 |                     |
 *               +--- refused -----+---- revoked: given back or stopped
 *
 * It decides nothing about runs: it asks the home for work and tells it what happened. What it executes is what the
 * submitter signed; it checks that itself. Past its deadline an exclusive step is stopped, and whoever runs it knows the
 * deadline, too, should this process stand still; any other step goes on, since its result counts only if nobody was given a newer
 * token.
 */

import { type RefusedBecause, sealEnvelope, type Signer, type Verifier } from "../../protocol/envelope.ts";
import { unreachable } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { openBundle, orderOf, slotsAreTheDomains, type Submission } from "../../protocol/manifest.ts";
import { type Charter, isNewer } from "../../protocol/membership.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import {
  acksIn,
  type GrantedLease,
  type LeaseRef,
  type Message,
  type Pull,
  type SignedResult,
} from "../../protocol/messages.ts";
import { isExclusive, sandboxLabel } from "../../protocol/plan.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Assignment, Random, StoredEntry, WriteOperation } from "../ports.ts";
import { assignmentOf } from "./assignment.ts";
import { AtHand, cacheAtHand, sourceAtHand } from "./at-hand.ts";
import type { Answer, Now, WorkerEffect, WorkerInput } from "./effects.ts";
import { OutputPushes } from "./output-pushes.ts";
import { workerDeadlineMs } from "./leases.ts";
import { PendingRuns } from "./pending-runs.ts";
import { RecentLeases } from "./recent-leases.ts";
import { ShownPermits } from "./shown-permits.ts";
import { Suspension } from "./suspension.ts";
import { expired, isTimely } from "./timely.ts";

export const workerKeys = {
  /** `pending/<run>` -> a bundle that was submitted here and is not admitted yet */
  pending: "pending/",
  /** what the domain demands, as it was heard last */
  policy: "policy/domain",
} as const;

export type WorkerOptions = {
  readonly charter: Charter;
  readonly keys: Signer & Verifier;
  readonly incarnation: string;
  readonly labels: readonly string[];
  readonly slots: number;
  readonly random: Pick<Random, "integer">;
  /** Every entry under `workerKeys`. */
  readonly stored: readonly StoredEntry[];
};

/** `bundle` is the digest of the run's bundle. */
type Lease = GrantedLease & { readonly bundle: string };

type OpenPull = { readonly nonce: string; readonly slots: number };

type Held = {
  readonly id: string;
  readonly lease: Lease;
  phase: "granted" | "queued" | "running" | "keeping" | "reported";
  readonly heldSinceMs: number;
  /** Monotonic; null until a renewal that named the lease was answered. */
  deadlineMs: number | null;
  startedMs: number;
  endedMs: number;
  /**
   * What becomes of the attempt when it ends without having finished: it is reported, since the home asked for that; given
   * back, since this worker is stopping or it met its deadline unseen; or forgotten, since its lease may have run out, which
   * the home will call lost.
   */
  unfinished: "report" | "give-back" | "forget";
  report: StepReport | null;
};

export class WorkerCore {
  readonly #options: WorkerOptions;
  readonly #session: string;
  readonly #controls: Set<string>;
  /** Control peers that are linked, those among them that the charter does not name yet. */
  readonly #linkedControls = new Set<string>();
  #charter: Charter;
  readonly #linked = new Set<string>();
  readonly #bundles = new Map<string, Submission>();
  readonly #asked = new Set<string>();
  readonly #held = new Map<string, Held>();
  /** Whose steps were begun here. */
  readonly #begun = new RecentLeases();
  readonly #outputs = new OutputPushes();
  readonly #pending = new PendingRuns();
  readonly #atHand = new AtHand();
  #effects: WorkerEffect[] = [];
  #home: string | null = null;
  #hadHome = false;
  #leaseMs: number;
  #pulls = 0;
  /** The pull that was not answered yet. */
  #openPull: OpenPull | null = null;
  /** True when the present home was asked for it. */
  #isPullAsked = false;
  #pullAtMs = 0;
  #renewAtMs = 0;
  #announceAtMs = 0;
  #stepMsAverage = 1_000;
  #stopping = false;
  readonly #suspension = new Suspension();
  readonly #permits: ShownPermits;
  /** When this worker saw last that its machine had been suspended. */
  #awakeSinceMs = -Infinity;
  /** Reports that are to be told together, and since when the first of them waits. */
  #gathered: Held[] = [];
  #gatheredSinceMs: number | null = null;

  constructor(options: WorkerOptions, now: Now) {
    this.#options = options;
    this.#session = `${options.incarnation}:1`;
    this.#charter = options.charter;
    this.#controls = new Set(options.charter.controls.map(({ peer }) => peer));
    this.#leaseMs = options.charter.leaseMs;
    this.#permits = new ShownPermits({ keys: options.keys, charter: () => this.#charter });
    for (const [key, bytes] of options.stored) {
      if (key === workerKeys.policy) {
        this.#permits.know(bytes);
        continue;
      }
      const opened = openBundle(bytes, options.charter, now.wallMs, options.keys);
      if (opened.ok) this.#pending.add(key.slice(workerKeys.pending.length), opened.value.digest);
    }
  }

  get home(): string | null {
    return this.#home;
  }

  get isBusy(): boolean {
    return this.#held.size > 0 || this.#pending.size > 0;
  }

  /** How long until the next tick, should nothing else come: with a lease, or a pull to make, time matters. */
  tickAfterMs({ monotonicMs }: Now): number {
    if (this.#held.size > 0) {
      const pullAtMs = this.#withResultUntilMs();
      return pullAtMs > monotonicMs ? Math.min(limits.tickMs, pullAtMs - monotonicMs) : limits.tickMs;
    }
    if (this.#home === null || this.#isPullAsked || this.#stopping) return limits.idleTickMs;
    return Math.max(1, Math.min(limits.tickMs, this.#pullAtMs - monotonicMs));
  }

  decide(inputs: readonly WorkerInput[], now: Now): readonly WorkerEffect[] {
    this.#watchSuspension(now);
    for (const input of inputs) this.#take(input, now);
    this.#startQueued(now);
    this.#sendGathered(now);
    this.#pushOutputs(now);
    this.#pull(now);
    if (this.#stopping && this.#held.size === 0) this.#effects.push({ kind: "stopped" });
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #take(input: WorkerInput, now: Now): void {
    switch (input.kind) {
      case "tick":
        return this.#tick(now);
      case "peer-up":
        return this.#peerUp(input.peer, input.role);
      case "charter":
        return this.#chartered(input.charter);
      case "peer-down":
        this.#linked.delete(input.peer);
        this.#linkedControls.delete(input.peer);
        this.#outputs.peerDown(input.peer);
        if (input.peer === this.#home) this.#loseHome();
        return;
      case "message":
        return this.#message(input.from, input.message, now);
      case "bundle":
        return this.#bundle(input, now);
      case "step-output":
        return this.#outputs.grew(input.assignment, input.end);
      case "step-ended":
        return this.#ended(input.assignment, input.report, now);
      case "kept":
        return this.#report(input.assignment);
      case "stop":
        return this.#stop();
      default:
        return unreachable(input);
    }
  }

  #tick(now: Now): void {
    for (const held of this.#held.values()) {
      const past = held.deadlineMs !== null && now.monotonicMs > held.deadlineMs;
      if (past) this.#fence(held);
    }
    if (now.monotonicMs >= this.#announceAtMs) {
      // Whoever heard of it may have failed to fetch it, without the link breaking.
      this.#announceAtMs = now.monotonicMs + limits.announceAgainMs;
      // Whoever was taken for home may have named one that is not there, or may have been succeeded without knowing it and be gone:
      // the others have said who is home, and say it again only when asked.
      const asks = this.#home === null;
      for (const peer of this.#linked)
        if (asks) this.#greet(peer);
        else this.#announcePending(peer);
    }
    if (this.#home === null || this.#held.size === 0 || now.monotonicMs < this.#renewAtMs) return;
    this.#renew(now);
    // A home that had not yet fetched the run's plan could not judge the result, and said nothing.
    this.#sendReported();
  }

  /**
   * When the machine was suspended exclusive steps may have lost their lease. No deadline holds that was counted before,
   * nor one that an answer to an earlier renewal would set.
   */
  #watchSuspension(now: Now): void {
    if (!this.#suspension.hasSlept(now)) return;
    this.#awakeSinceMs = now.monotonicMs;
    this.#renewAtMs = now.monotonicMs;
    for (const held of this.#held.values()) {
      this.#fence(held);
      held.deadlineMs = null;
    }
  }

  /** Somebody else may be given the step from now on: one that reaches outside must not go on here. */
  #fence(held: Held): void {
    if (held.phase !== "running" || held.unfinished === "forget" || !this.#isExclusive(held)) return;
    held.unfinished = "forget";
    this.#effects.push({ kind: "stop-step", assignment: held.id, cause: "lease-ended" });
  }

  #peerUp(peer: string, role: string): void {
    if (role !== "control") return;
    this.#linkedControls.add(peer);
    if (this.#controls.has(peer)) this.#greet(peer);
  }

  /** The domain has a newer charter: other control peers count. */
  #chartered(charter: Charter): void {
    if (!isNewer(charter, this.#charter)) return;
    this.#charter = charter;
    this.#controls.clear();
    for (const { peer } of charter.controls) this.#controls.add(peer);
    for (const peer of this.#linked) if (!this.#controls.has(peer)) this.#linked.delete(peer);
    if (this.#home !== null && !this.#controls.has(this.#home)) this.#loseHome();
    for (const peer of this.#linkedControls)
      if (this.#controls.has(peer) && !this.#linked.has(peer)) this.#greet(peer);
  }

  #greet(peer: string): void {
    this.#linked.add(peer);
    const { labels, slots } = this.#options;
    this.#send(peer, { kind: "session", session: this.#session, labels, slots, held: this.#leases() });
    this.#announcePending(peer);
  }

  #announcePending(peer: string): void {
    for (const [run, bundle] of this.#pending.entries()) this.#send(peer, { kind: "announce", run, bundle });
  }

  #message(from: string, message: Message, now: Now): void {
    if (!this.#controls.has(from)) return this.#count("role", from);
    for (const { lease } of acksIn(message)) this.#acknowledged(lease);
    switch (message.kind) {
      case "welcome":
        if (from === this.#home && message.home !== from) this.#loseHome();
        return this.#welcome(message, now);
      case "grant":
        return this.#grant(message, now);
      case "renewed":
        return this.#renewed(message);
      case "ack":
        return;
      case "output-kept": {
        const { run, index, attempt, end } = message;
        return this.#outputs.kept(idOf({ run, index, attempt }), from, end, now.monotonicMs);
      }
      case "revoke":
        return this.#revoke(message.lease, message.cause);
      case "policy": {
        const { document: value } = message;
        if (this.#permits.hear(value, from)) this.#store([{ kind: "put", key: workerKeys.policy, value }]);
        return;
      }
      case "no-policy":
        return this.#permits.hearNone(from);
      case "announced":
        if (!this.#pending.answered(message.run, from, message.state, this.#controls)) return;
        return this.#store([{ kind: "delete", key: workerKeys.pending + message.run }]);
      case "endorse":
      case "endorsed":
      case "not-endorsed":
      case "confirm":
      case "confirmed":
      case "configuration":
      case "install":
      case "canvass":
      case "willing":
      case "prepare":
      case "promise":
      case "reign":
      case "accept":
      case "accepted":
      case "gap":
      case "repair":
      case "more":
      case "nack":
      case "heartbeat":
      case "heard":
      case "session":
      case "pull":
      case "renew":
      case "result":
      case "release":
      case "output":
      case "hello":
      case "revocations":
      case "addresses":
      case "announce":
      case "holds":
      case "events":
      case "vector":
      case "log-parts":
      case "parts-differ":
      case "fork":
        return this.#count("role", from);
      default:
        return unreachable(message);
    }
  }

  #welcome(message: Extract<Message, { kind: "welcome" }>, now: Now): void {
    this.#leaseMs = message.leaseMs;
    if (message.home === null || !this.#linked.has(message.home) || message.home === this.#home) return;
    this.#home = message.home;
    this.#isPullAsked = false;
    this.#atHand.tellAnew();
    // After a take-over all workers pull again: spread over half a second.
    const jitterMs = this.#hadHome ? this.#options.random.integer(limits.pullJitterMsMax) : 0;
    this.#pullAtMs = now.monotonicMs + jitterMs;
    this.#hadHome = true;
    if (this.#held.size > 0) this.#renew(now);
    this.#sendReported();
  }

  #loseHome(): void {
    this.#home = null;
    this.#isPullAsked = false;
  }

  #pull(now: Now): void {
    if (this.#home === null || this.#isPullAsked || this.#stopping) return;
    if (now.monotonicMs < this.#pullAtMs) return;
    // What an earlier home granted may never have arrived here: asked with the same nonce, it is told again.
    if (this.#openPull !== null) return this.#askForSteps(this.#home, this.#openPull, true);
    if (now.monotonicMs < this.#withResultUntilMs()) return;
    const ahead = this.#prefetch();
    const busy = this.#busy();
    const slots = this.#options.slots + ahead - busy;
    // Every pull costs the home a round: while there is work here, half of what may be held is asked for at once.
    const isIdle = busy < this.#options.slots;
    if (slots <= 0 || (!isIdle && slots < ahead / 2)) return;
    this.#pulls += 1;
    const nonce = `${this.#session}/${this.#pulls}`;
    this.#openPull = { nonce, slots: Math.min(slots, limits.pullSlotsMax) };
    this.#askForSteps(this.#home, this.#openPull, false);
  }

  #askForSteps(home: string, pull: OpenPull, again: boolean): void {
    this.#isPullAsked = true;
    const atHand = this.#atHand.news();
    const told = atHand === undefined ? {} : { atHand };
    const alike = pull.slots > 1 ? { alike: true } : {};
    const asked: Pull = { session: this.#session, ...pull, again, ...told, ...alike };
    for (const [index, effect] of this.#effects.entries()) {
      if (effect.kind !== "send" || effect.to !== home || effect.message.kind !== "result") continue;
      this.#effects[index] = { ...effect, message: { ...effect.message, pull: asked } };
      return;
    }
    this.#send(home, { kind: "pull", ...asked });
  }

  /**
   * A slot whose step is over is asked for with its result, in one message and one round of the home, when that is about
   * to be told. Not for longer than a small part of what steps take, nor while something is slow to be kept.
   */
  #withResultUntilMs(): number {
    const waitsMs = Math.min(limits.pullWithResultMs, this.#stepMsAverage * limits.pullWithResultPart);
    let endedMs = Infinity;
    for (const held of this.#held.values())
      if (held.phase === "keeping") endedMs = Math.min(endedMs, held.endedMs);
    return endedMs === Infinity ? -Infinity : endedMs + Math.floor(waitsMs);
  }

  /** Very short steps are asked for ahead, so that a slot never waits for a round; long ones never are. */
  #prefetch(): number {
    const ahead = Math.floor(limits.prefetchMs / Math.max(1, this.#stepMsAverage)) * this.#options.slots;
    return Math.min(limits.prefetchStepsMax, ahead);
  }

  #busy(): number {
    let busy = 0;
    for (const { phase } of this.#held.values()) if (phase !== "keeping" && phase !== "reported") busy += 1;
    return busy;
  }

  #grant(message: Extract<Message, { kind: "grant" }>, now: Now): void {
    // The home knows one pull of a session's: one that answers another has forgotten this one, which is asked again.
    this.#isPullAsked = false;
    if (message.nonce === this.#openPull?.nonce) this.#openPull = null;
    const leases = message.leases.map((lease) => ({ ...lease, bundle: message.bundles[lease.run] ?? "" }));
    for (const lease of leases) {
      const id = idOf(lease);
      // A grant that is told again may come when its step is over, and must not begin it once more.
      if (this.#held.has(id) || this.#begun.has(lease)) continue;
      const { monotonicMs: startedMs, monotonicMs: heldSinceMs } = now;
      this.#held.set(id, {
        id,
        lease,
        phase: "granted",
        heldSinceMs,
        deadlineMs: null,
        startedMs,
        endedMs: startedMs,
        unfinished: "report",
        report: null,
      });
      if (this.#stopping) this.#giveBack(lease, "unstarted");
      else if (this.#bundles.has(lease.bundle)) this.#ready(lease);
      else if (!this.#asked.has(lease.bundle)) {
        this.#asked.add(lease.bundle);
        this.#effects.push({ kind: "fetch-bundle", run: lease.run, digest: lease.bundle, from: null });
      }
    }
    // The lease counts from a message that this worker sent: an exclusive step waits for the answer to this one.
    if (leases.some((lease) => this.#exclusive(lease) !== false)) this.#renew(now);
  }

  #ready(lease: Lease): void {
    for (const held of this.#held.values())
      if (held.lease.bundle === lease.bundle && held.phase === "granted") held.phase = "queued";
  }

  #bundle(input: Extract<WorkerInput, { kind: "bundle" }>, now: Now): void {
    this.#asked.delete(input.digest);
    const { keys } = this.#options;
    const charter = this.#charter;
    // What was granted was admitted: the submitter's certificate held then, and may have expired since.
    const wallMs = input.question === null ? 0 : now.wallMs;
    const opened = input.bytes === null ? null : openBundle(input.bytes, charter, wallMs, keys);
    if (opened !== null && !opened.ok) this.#count(opened.problem.because, input.from);
    const waiting = [...this.#held.values()].filter(
      ({ lease, phase }) => lease.bundle === input.digest && phase === "granted",
    );
    if (input.question !== null) {
      const { question } = input;
      const mayBeSubmitted = opened?.ok === true && opened.value.slotMs === null;
      const problem = opened?.ok === false ? opened.problem : slotsAreTheDomains;
      const detail = `${problem.because}: ${problem.detail}`;
      const answer: Answer =
        mayBeSubmitted && input.bytes !== null
          ? this.#submitted(opened.value, input.bytes, now.wallMs)
          : { ok: false, reason: "refused", detail };
      this.#effects.push({ kind: "answer", question, answer });
      return;
    }
    // A standing order is signed by a person too, and is no run: only its slots are.
    if (opened === null || !opened.ok || opened.value.run !== input.run || orderOf(opened.value) !== null) {
      const why =
        opened?.ok === false
          ? `its plan does not hold there: ${opened.problem.because}`
          : "its plan is not to be had, or another run's";
      for (const { lease } of waiting) this.#giveBack(lease, "refused", why);
      return;
    }
    this.#bundles.set(input.digest, opened.value);
    this.#forgetOldBundles();
    for (const held of waiting) {
      held.phase = "queued";
      if (this.#isExclusive(held)) this.#renew(now);
    }
  }

  /** A person submitted through this worker: it is announced until a home has admitted it. */
  #submitted(submission: Submission, bytes: Uint8Array, wallMs: number): Answer {
    const { run, digest } = submission;
    if (this.#pending.has(run)) return { ok: true };
    if (!isTimely(submission, wallMs)) return expired(submission);
    const { size } = this.#pending;
    if (size >= limits.submissionsPendingMax)
      return { ok: false, reason: "full", detail: `${size} runs wait here for the domain to take them` };
    this.#pending.add(run, digest);
    this.#store([{ kind: "put", key: workerKeys.pending + run, value: bytes }]);
    const message: Message = { kind: "announce", run, bundle: digest };
    this.#effects.push({ kind: "publish", message });
    for (const peer of this.#linked) this.#send(peer, message);
    return { ok: true };
  }

  #forgetOldBundles(): void {
    if (this.#bundles.size <= limits.bundlesKeptMax) return;
    const used = new Set([...this.#held.values()].map(({ lease }) => lease.bundle));
    for (const digest of this.#bundles.keys()) if (!used.has(digest)) this.#bundles.delete(digest);
  }

  #startQueued(now: Now): void {
    let free = this.#options.slots;
    for (const { phase } of this.#held.values()) if (phase === "running") free -= 1;
    for (const held of this.#held.values()) {
      if (free <= 0) return;
      if (held.phase !== "queued") continue;
      const { id, lease } = held;
      const submission = this.#bundles.get(lease.bundle);
      const why = submission === undefined ? null : this.#permits.whyNot(submission, lease, now.wallMs);
      if (why !== null) {
        // The newest policy, or that there is none any more, may be on its way.
        const isAwaited = now.monotonicMs - held.heldSinceMs < limits.permitAwaitedMs;
        if (!isAwaited) this.#giveBack(lease, "refused", why);
        continue;
      }
      const assured = held.deadlineMs !== null && held.deadlineMs > now.monotonicMs;
      if (this.#isExclusive(held) && !assured) continue;
      const { domain } = this.#charter;
      const assignment = assignmentOf({ id, domain, lease }, submission);
      if (assignment === null || !this.#reaches(assignment)) {
        this.#giveBack(lease, "refused", "it cannot be run there as its plan demands");
        continue;
      }
      this.#atHand.tree(sourceAtHand(assignment.source));
      for (const { tree } of assignment.inputs) this.#atHand.tree(tree);
      held.phase = "running";
      held.startedMs = now.monotonicMs;
      this.#outputs.started(id, now.monotonicMs);
      free -= 1;
      this.#begun.add(held.lease, now.monotonicMs);
      if (!this.#isExclusive(held) || held.deadlineMs === null) {
        this.#effects.push({ kind: "start-step", assignment });
        continue;
      }
      held.unfinished = "give-back";
      this.#effects.push({ kind: "start-step", assignment, deadlineMs: held.deadlineMs });
    }
  }

  /** Nobody has it run a step less apart from the rest than its plan demands. */
  #reaches({ sandbox }: Assignment): boolean {
    return sandbox === "S0" || this.#options.labels.includes(sandboxLabel(sandbox));
  }

  /** Brings what running steps have written to a majority of the control peers, the home among them. */
  #pushOutputs(now: Now): void {
    if (this.#held.size === 0) return;
    const others = [...this.#linked].filter((peer) => peer !== this.#home);
    const controls = this.#home === null ? others : [this.#home, ...others];
    const copies = Math.floor(this.#charter.controls.length / 2) + 1;
    for (const { id, ...push } of this.#outputs.due(controls, copies, now.monotonicMs)) {
      const held = this.#held.get(id);
      if (held === undefined) continue;
      const { run, index, attempt } = held.lease;
      this.#effects.push({
        kind: "push-output",
        assignment: id,
        attempt: { run, index, attempt },
        ...push,
      });
    }
  }

  #ended(id: string, report: StepReport, now: Now): void {
    this.#outputs.ended(id);
    const held = this.#held.get(id);
    if (held === undefined) return;
    const tookMs = now.monotonicMs - held.startedMs;
    this.#stepMsAverage = this.#stepMsAverage * 0.8 + tookMs * 0.2;
    if (report.outcome === "cancelled" && held.unfinished === "give-back")
      return this.#giveBack(held.lease, "begun");
    if (report.outcome === "cancelled" && held.unfinished === "forget") {
      this.#held.delete(id);
      return;
    }
    this.#remember(held.lease, report);
    held.report = report;
    held.phase = "keeping";
    held.endedMs = now.monotonicMs;
    if (report.log.digest === null && report.outputs.length === 0) return this.#report(id);
    this.#effects.push({ kind: "keep-blobs", assignment: id, report });
  }

  /** What the step read, wrote and made is here now. */
  #remember({ bundle, index }: Lease, { outcome, outputs }: StepReport): void {
    const plan = this.#bundles.get(bundle)?.manifest.plan;
    if (plan === undefined || outcome !== "passed") return;
    for (const { name } of plan.steps[index]?.caches ?? [])
      this.#atHand.cache(cacheAtHand(plan.pipeline, name));
    for (const { tree } of outputs) this.#atHand.tree(tree);
  }

  #report(id: string): void {
    const held = this.#held.get(id);
    if (held?.report === null || held === undefined) return;
    held.phase = "reported";
    this.#gathered.push(held);
  }

  /**
   * Tells the results of very short steps several at a time, while this worker has others to go on with: one round
   * of the home then accepts them all. Whoever waits for one waits a few milliseconds longer.
   */
  #sendGathered(now: Now): void {
    const [oldest] = this.#gathered;
    if (oldest === undefined) return;
    this.#gatheredSinceMs ??= now.monotonicMs;
    const isFull = this.#gathered.length >= limits.resultsGatheredMax;
    const isDue = now.monotonicMs - this.#gatheredSinceMs >= limits.resultsGatherMs;
    const goesOn = this.#prefetch() > 0 && this.#busy() > this.#options.slots && !this.#stopping;
    if (goesOn && !isFull && !isDue) return;
    for (const held of this.#gathered) this.#sendResult(held);
    this.#forgetGathered();
  }

  /** Sends every result that was not acknowledged yet. */
  #sendReported(): void {
    for (const held of this.#held.values()) if (held.phase === "reported") this.#sendResult(held);
    this.#forgetGathered();
  }

  #forgetGathered(): void {
    this.#gathered = [];
    this.#gatheredSinceMs = null;
  }

  #sendResult(held: Held): void {
    if (this.#home === null || held.report === null) return;
    const { run, index, token, attempt, bundle } = held.lease;
    const step = this.#bundles.get(bundle)?.manifest.plan.steps[index]?.name ?? "";
    const inputs = inputsDigest(held.lease);
    const { report } = held;
    const result: SignedResult = { otto: "result/1", run, index, token, step, attempt, inputs, report };
    const { charter, keys } = this.#options;
    this.#send(this.#home, {
      kind: "result",
      envelope: sealEnvelope("result", charter.domain, result, keys),
    });
  }

  #renew(now: Now): void {
    this.#renewAtMs = now.monotonicMs + Math.floor(this.#leaseMs / limits.renewalsPerLease);
    if (this.#home === null) return;
    const message = { session: this.#session, sentMs: now.monotonicMs, held: this.#leases() };
    this.#send(this.#home, { kind: "renew", ...message });
  }

  #renewed(message: Extract<Message, { kind: "renewed" }>): void {
    const deadlineMs = message.sentMs + workerDeadlineMs(this.#leaseMs);
    // A lease that came after the renewal was sent was not renewed by it: the home counts from the grant. (A
    // session's greeting is answered without a time: it only tells what was superseded.)
    for (const held of this.#held.values())
      if (held.heldSinceMs <= message.sentMs && message.sentMs >= this.#awakeSinceMs)
        this.#assure(held, deadlineMs);
    for (const lease of message.superseded) this.#revoke(lease, "superseded");
  }

  #assure(held: Held, deadlineMs: number): void {
    held.deadlineMs = deadlineMs;
    if (held.phase === "running" && this.#isExclusive(held))
      this.#effects.push({ kind: "set-deadline", assignment: held.id, deadlineMs });
  }

  #acknowledged(lease: LeaseRef): void {
    const held = this.#find(lease);
    if (held?.phase === "reported") this.#held.delete(held.id);
  }

  /** The lease is no longer this worker's, or its run was cancelled. */
  #revoke(lease: LeaseRef, cause: "cancelled" | "superseded"): void {
    const held = this.#find(lease);
    if (held === undefined) return;
    if (held.phase === "running") {
      if (held.unfinished === "give-back" && !this.#stopping) held.unfinished = "report";
      this.#effects.push({ kind: "stop-step", assignment: held.id, cause });
    } else if (held.phase === "granted" || held.phase === "queued") this.#giveBack(held.lease, "unstarted");
  }

  #giveBack(lease: Lease, how: Extract<Message, { kind: "release" }>["how"], why?: string): void {
    const { run, index, token, attempt } = lease;
    this.#held.delete(idOf({ run, index, attempt }));
    const leases = [{ run, index, token }];
    const said = { kind: "release", leases, how, ...(why === undefined ? {} : { why }) } as const;
    if (this.#home !== null) this.#send(this.#home, said);
  }

  #stop(): void {
    this.#stopping = true;
    for (const held of this.#held.values()) {
      if (held.phase === "granted" || held.phase === "queued") this.#giveBack(held.lease, "unstarted");
      else if (held.phase === "running") {
        if (held.unfinished === "report") held.unfinished = "give-back";
        this.#effects.push({ kind: "stop-step", assignment: held.id, cause: "lease-ended" });
      }
    }
  }

  #find(lease: LeaseRef): Held | undefined {
    for (const held of this.#held.values()) {
      const { run, index, token } = held.lease;
      if (run === lease.run && index === lease.index && token === lease.token) return held;
    }
    return undefined;
  }

  #leases(): LeaseRef[] {
    return [...this.#held.values()].map(({ lease: { run, index, token } }) => ({ run, index, token }));
  }

  #isExclusive(held: Held): boolean {
    return this.#exclusive(held.lease) === true;
  }

  /** Undefined while the plan is not here. */
  #exclusive(lease: Lease): boolean | undefined {
    const step = this.#bundles.get(lease.bundle)?.manifest.plan.steps[lease.index];
    return step === undefined ? undefined : isExclusive(step);
  }

  #store(operations: readonly WriteOperation[]): void {
    this.#effects.push({ kind: "store", operations });
  }

  #send(to: string, message: Message): void {
    this.#effects.push({ kind: "send", to, message });
  }

  #count(because: RefusedBecause, from: string | null): void {
    this.#effects.push({ kind: "count-refused", because, from });
  }
}

function idOf({ run, index, attempt }: Pick<GrantedLease, "run" | "index" | "attempt">): string {
  return `${run}-${index}-${attempt}`;
}
