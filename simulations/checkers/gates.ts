/**
 * What the owner demands of a step holds, whoever says what about it (`demands.ts` judges that anew):
 *
 * - No worker begins a guarded step, and no control peer lets one use a credential, without a permit that more than half of
 *   the control peers signed, for exactly this submission, step and what it is given, after enough people had approved that.
 * - No honest control peer signs a permit for which the approvals that it was shown are not enough.
 * - What a gate behind a step holds back counts for nothing until it is opened: nothing that needs it begins.
 * - A no that was taken, or time, ends it for ever; and nothing times out that could have begun for long.
 * - What waits is said to lack nothing only when nothing is lacking.
 */

import type { GateSeen } from "../../protocol/calls.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { type Outcome, outcomes } from "../../protocol/plan.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import { stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import type { StepAnswer } from "../../protocol/registers/settling.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import { type Checker, type Ending, type Observation, type PeerName, Violation } from "../observation.ts";
import { startWallMs } from "../workload.ts";
import { Demands, type Place } from "./demands.ts";
import { KnownLiars } from "./known-liars.ts";
import { ProposedRegisters } from "./proposed-registers.ts";

/** Clocks that nobody has set differ by less. */
const apartMs = 15_000;
/** No policy of a world has a gate wait for less. */
const minuteMs = 60_000;
/** Within so long what may begin has begun, when nothing is wrong any more. */
const soonUs = 30_000_000;

type Of<Kind extends Observation["kind"]> = Extract<Observation, { kind: Kind }>;

export class GatesChecker implements Checker {
  readonly name = "gates";
  readonly looksAt = [
    "configured",
    "policy-signed",
    "policy-chosen",
    "handed",
    "submitted",
    "asked-to-approve",
    "answered",
    "gates-seen",
    "let-use",
    "fault",
    "step-started",
    "recorded",
    "sent accept",
    "sent grant",
    "sent endorse",
    "sent endorsed",
    "received endorse",
  ] as const;
  readonly #demands: Demands;
  readonly #submissions = new Map<string, Submission>();
  /** What was ever proposed for a step, by its register: all of it, and what holds a lease by its token. */
  readonly #values = new Map<string, Set<StepValue>>();
  readonly #proposals = new ProposedRegisters();
  /** What was granted, by run, place and token: digests. */
  readonly #given = new Map<string, string>();
  readonly #noes = new Map<number, string>();
  /** Steps that a no or time has ended, by run and step. */
  readonly #ended = new Map<string, string>();
  /** Steps whose result was held back, and those that a gate behind them let count; by run and step. */
  /** Answers that a home has told of, once they were decided. */
  readonly #told = new Set<string>();
  readonly #held = new Set<string>();
  readonly #letCount = new Set<string>();
  /** Openings that somebody has told of. */
  readonly #opened = new Set<string>();
  readonly #jumped = new Set<PeerName>();
  readonly #liars = new KnownLiars();
  /** What a control peer was shown when it was asked to sign something. */
  readonly #shown = new Map<string, readonly Uint8Array[]>();
  #healedUs = Infinity;

  /** @param domain its name. */
  constructor(domain: string) {
    this.#demands = new Demands(domain);
  }

  observe(observation: Observation): void {
    switch (observation.kind) {
      case "configured":
        return this.#demands.configured(observation.charter);
      case "policy-signed":
      case "policy-chosen":
        return this.#demands.policy(observation);
      case "handed":
      case "submitted":
        return void this.#submissions.set(observation.submission.run, observation.submission);
      case "fault":
        this.#liars.observe(observation);
        if (observation.fault === null) this.#healedUs = observation.atUs;
        if (observation.fault?.kind === "clock-jump") {
          this.#demands.clocksAreSet = true;
          this.#jumped.add(observation.fault.peer);
        }
        return;
      default:
        if (this.#demands.isNothing) return;
        return this.#guarded(observation);
    }
  }

  finish({ finished }: Ending): void {
    if (!finished) return;
    for (const key of this.#held)
      if (!this.#letCount.has(key) && !this.#ended.has(key)) this.#openForEver(key);
  }

  #guarded(observation: Observation): void {
    switch (observation.kind) {
      case "asked-to-approve":
        if (observation.no) this.#noes.set(observation.question, `${observation.run}/${observation.step}`);
        return;
      case "answered": {
        const step = observation.answer.ok ? this.#noes.get(observation.question) : undefined;
        if (step !== undefined) this.#ended.set(step, "a no");
        return;
      }
      case "sent":
        if (observation.message.kind === "grant")
          for (const lease of observation.message.leases)
            this.#given.set(`${lease.run}/${lease.index} ${lease.token}`, inputsDigest(lease));
        if (observation.message.kind === "accept") this.#proposed(observation.message.records);
        if (observation.message.kind === "endorse")
          this.#demands.asked(observation.message.statement, observation.atUs);
        if (observation.message.kind === "endorsed" && observation.message.what === "permit")
          this.#endorsed(observation, observation.message.envelope);
        return;
      case "received":
        if (observation.message.kind === "endorse") {
          const { statement, evidence } = observation.message;
          // Asked twice, it may answer either.
          const key = `${observation.peer} ${Buffer.from(statement).toString("base64")}`;
          this.#shown.set(key, [...(this.#shown.get(key) ?? []), ...evidence]);
        }
        return;
      case "step-started":
        return this.#started(observation);
      case "let-use":
        return this.#letUse(observation);
      case "gates-seen":
        for (const gate of observation.gates) this.#seen(observation, gate);
        return;
      case "recorded":
        for (const event of observation.events) this.#recorded(event, observation.atUs);
        return;
      default:
        return;
    }
  }

  #proposed(records: readonly WireRecord[]): void {
    for (const [name, step] of this.#proposals.newIn(records)) {
      const all = this.#values.get(name) ?? new Set();
      if (step.kind === "step") this.#values.set(name, all.add(step));
    }
  }

  #started({ atUs, peer, assignment }: Of<"step-started">): void {
    const { run, index, token, step } = assignment;
    const submission = this.#submissions.get(run);
    if (submission === undefined) return;
    this.#checkNeeds(submission, step, `${run}/${step} begins`);
    if (!this.#demands.guards(submission, index)) return;
    if (this.#ended.has(`${run}/${step}`))
      throw this.#violation(
        `${run}/${step} was ended by ${this.#ended.get(`${run}/${step}`)}, and ${peer} begins it`,
      );
    const given = this.#given.get(`${run}/${index} ${token}`) ?? null;
    const why = this.#whyNone({ submission, index, phase: "before" }, { token, given, atUs });
    if (why !== null) throw this.#violation(`${peer} begins ${run}/${step} under ${token}: ${why}`);
  }

  /** A control peer takes a leased step for one that may use what its environment has. */
  #letUse({ peer, run, index }: Of<"let-use">): void {
    const submission = this.#submissions.get(run);
    if (submission === undefined || this.#liars.has(peer) || !this.#demands.guards(submission, index)) return;
    const why = this.#whyNone(
      { submission, index, phase: "before" },
      { token: null, given: null, atUs: null },
    );
    if (why !== null) throw this.#violation(`${peer} lets ${run}/${index} use a credential: ${why}`);
  }

  /** Why no lease of the step, or none under this token, has a permit that holds. */
  #whyNone(
    place: Place,
    { token, given, atUs }: { token: number | null; given: string | null; atUs: number | null },
  ): string | null {
    const { submission, index } = place;
    let why = "nobody proposed such a lease";
    for (const value of this.#values.get(stepRegister(submission.run, index)) ?? []) {
      if (value.state !== "leased" || (token !== null && value.token !== token)) continue;
      const problem =
        value.gate === undefined
          ? "it has no permit"
          : this.#demands.whyNot(place, value.gate.permit, {
              given,
              evidence: evidenceOf(value.gate.approvals),
            });
      const isLate = problem === null && value.gate !== undefined && this.#isLate(value.gate.permit, atUs);
      if (problem === null && !isLate) return null;
      why = problem ?? "its permit was over";
    }
    return why;
  }

  #isLate(permit: Uint8Array, atUs: number | null): boolean {
    if (atUs === null || this.#jumped.size > 0) return false;
    const untilMs = this.#demands.permitIn(permit)?.untilMs ?? 0;
    // What was granted in time may be long on its way.
    return startWallMs + atUs / 1_000 > untilMs + 4 * apartMs;
  }

  /** An honest control peer has signed a permit: by what it was shown that was right. */
  #endorsed({ atUs, peer }: Of<"sent">, envelope: Uint8Array): void {
    const signed = this.#demands.signedIn(envelope);
    if (signed === null) throw this.#violation(`${peer} signs a permit that is none`);
    const { permit, payload } = signed;
    const submission = this.#submissions.get(permit.run);
    if (submission === undefined) return;
    const evidence = this.#shown.get(`${peer} ${Buffer.from(payload).toString("base64")}`) ?? [];
    const place: Place = { submission, index: permit.index, phase: permit.phase ?? "before" };
    const nowMs = this.#jumped.has(peer) ? null : startWallMs + atUs / 1_000;
    const why = this.#demands.whyNotSigned(place, permit, { evidence, nowMs });
    if (why !== null)
      throw this.#violation(`${peer} signs a permit for ${permit.run}/${permit.step}: ${why}`);
    this.#checkNeeds(submission, permit.step, `${peer} signs a permit for ${permit.run}/${permit.step}`);
  }

  /** What needs a step that was held begins only once that counts, and is permitted only then. */
  #checkNeeds({ manifest, run }: Submission, step: string, what: string): void {
    const own = manifest.plan.steps.findIndex(({ name }) => name === step);
    const needs = manifest.plan.steps[own]?.needs ?? [];
    for (const need of needs) {
      const index = manifest.plan.steps.findIndex(({ name }) => name === need.step);
      const submission = this.#submissions.get(run);
      if (submission === undefined || !this.#demands.holdsBack(submission, index)) continue;
      // A home that lies may say that it has failed to whatever begins then, too.
      const isTold = need.outcomes.some(
        (outcome) => outcomes.includes(outcome as Outcome) && outcome !== "passed",
      );
      if (this.#liars.haveFalseHome && isTold) continue;
      const values = [...(this.#values.get(stepRegister(run, index)) ?? [])];
      const ends = values.filter((value) => value.state === "done");
      const isRight = ends.some((value) => this.#whyNotCounting(submission, index, value) === null);
      if (ends.length > 0 && !isRight)
        throw this.#violation(
          `${what}, and ${need.step} does not count yet: ${this.#whyNotCounting(submission, index, ends[0] as StepValue)}`,
        );
    }
  }

  /** Why a step that has ended, and that a gate behind it guards, may not count as it says. */
  #whyNotCounting(submission: Submission, index: number, value: StepValue): string | null {
    if (value.state !== "done" || value.settlement !== undefined) return null;
    const last = value.past.at(-1);
    if (last?.cause !== "finished") return null;
    if (value.gate === undefined) return "nothing let it count";
    const evidence = evidenceOf(value.gate.approvals);
    return this.#demands.whyNot({ submission, index, phase: "after" }, value.gate.permit, {
      given: null,
      evidence,
    });
  }

  #recorded(event: LoggedEvent, atUs: number): void {
    if (!("step" in event) || !("run" in event)) return this.#closed(event);
    const key = `${event.run}/${event.step}`;
    if (event.kind === "attempt-ended" && event.held === true) this.#held.add(key);
    if (event.kind === "step-answered" && event.evidence !== null)
      this.#told.add(Buffer.from(event.evidence).toString("base64"));
    if (event.kind === "gate-opened") {
      const opening = `${key} ${Buffer.from(event.permit).toString("base64")}`;
      // Whoever was away hears late of what was opened before it was ended.
      if (this.#ended.has(key) && !this.#opened.has(opening))
        throw this.#violation(`the gate of ${key} was opened after ${this.#ended.get(key)} had ended it`);
      this.#opened.add(opening);
      if (event.after === true) this.#letCount.add(key);
    }
    if (event.kind !== "step-settled") return;
    if (this.#ended.get(key) === "a no" && event.cause === "expired")
      throw this.#violation(`${key} was ended by a no, and is said to have waited for too long`);
    if (event.cause !== "expired" && event.cause !== "declined") return;
    this.#ended.set(key, event.cause === "expired" ? "time" : "a no");
    if (event.cause === "expired") this.#expired(event.run, event.step, atUs);
  }

  /** Nothing times out that had all that it needed for long, when nothing was wrong. */
  #expired(run: string, step: string, atUs: number): void {
    const submission = this.#submissions.get(run);
    if (submission === undefined || this.#jumped.size > 0) return;
    const index = submission.manifest.plan.steps.findIndex(({ name }) => name === step);
    const nowMs = startWallMs + atUs / 1_000;
    const waits = [...(this.#values.get(stepRegister(run, index)) ?? [])].flatMap((value) =>
      value.state === "gated" ? [nowMs - value.sinceMs] : [],
    );
    if (Math.max(0, ...waits) < minuteMs - apartMs)
      throw this.#violation(`${run}/${step} is said to have waited for too long, and has not for a minute`);
    // What a false home has written down holds up what follows from it; and whose approval it was may count no more.
    const isSpoilt = this.#liars.haveFalseHome || ["mia", "noa", "kai"].some((name) => this.#liars.has(name));
    if (atUs < this.#healedUs + soonUs || isSpoilt) return;
    for (const value of this.#values.get(stepRegister(run, index)) ?? []) {
      const isBehind = this.#held.has(`${run}/${step}`);
      if (value.state !== "gated" || (value.ended !== undefined) !== isBehind) continue;
      const place: Place = { submission, index, phase: isBehind ? "after" : "before" };
      // What a home took that had been succeeded without knowing it was never decided, and is told by nobody.
      const told = evidenceOf(value.approvals).filter((evidence) =>
        this.#told.has(Buffer.from(evidence).toString("base64")),
      );
      if (this.#demands.hadEnough(place, told, [nowMs - soonUs / 1_000, nowMs]))
        throw this.#violation(`${run}/${step} waited for too long, and had all that it needs`);
    }
  }

  /** A run ends once every step counts that was held back, or does not. */
  #closed(event: LoggedEvent): void {
    if (event.kind !== "run-closed" || event.outcome === "cancelled") return;
    // What it let count that lies is found by whoever verifies the run.
    if (this.#liars.haveFalseHome) return;
    const submission = this.#submissions.get(event.run);
    for (const [index, { name }] of (submission?.manifest.plan.steps ?? []).entries()) {
      if (submission === undefined || !this.#demands.holdsBack(submission, index)) continue;
      const ends = [...(this.#values.get(stepRegister(event.run, index)) ?? [])].filter(
        ({ state }) => state === "done",
      );
      const problems = ends.map((value) => this.#whyNotCounting(submission, index, value));
      if (problems.length > 0 && problems.every((problem) => problem !== null))
        throw this.#violation(`${event.run} is closed, and ${name} does not count: ${problems[0]}`);
      if (problems.length === 0 && this.#held.has(`${event.run}/${name}`))
        throw this.#violation(`${event.run} is closed as ${event.outcome}, and ${name} is held back`);
    }
  }

  #openForEver(key: string): void {
    const [run = ""] = key.split("/");
    const closed = this.#submissions.has(run);
    // A run that was cancelled ends whatever waits.
    if (!closed) throw this.#violation(`${key} was held back and is in no run`);
  }

  #seen({ atUs, peer }: Of<"gates-seen">, gate: GateSeen): void {
    const submission = this.#submissions.get(gate.run);
    if (submission === undefined || gate.missing.length > 0 || this.#liars.has(peer)) return;
    const index = submission.manifest.plan.steps.findIndex(({ name }) => name === gate.step);
    const phase = gate.ended === undefined ? "before" : "after";
    const values = [...(this.#values.get(stepRegister(gate.run, index)) ?? [])];
    const waiting = values.filter((value) => value.state === "gated");
    const nowMs = this.#jumped.has(peer) ? null : startWallMs + atUs / 1_000;
    const isEnough = waiting.some(({ approvals }) =>
      this.#demands.mayLackNothing({ submission, index, phase }, gate.given, evidenceOf(approvals), nowMs),
    );
    if (!isEnough) throw this.#violation(`${peer} says that ${gate.run}/${gate.step} lacks nothing`);
  }

  #violation(what: string): Violation {
    return new Violation(this.name, what);
  }
}

function evidenceOf(approvals: readonly StepAnswer[]): readonly Uint8Array[] {
  return approvals.map(({ evidence }) => evidence);
}
