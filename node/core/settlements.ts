/**
 * Steps that no worker does: the home asks people, polls, listens for callbacks, watches the time, and proposes what
 * settles them. A wait holds no worker, and nothing of it is lost when the home dies: since when it lasts and who has
 * answered is in the register, so the next home goes on.
 *
 *   ready --await decided--> waiting --an answer, a verdict, a poll, or time--> settle proposed --decided--> done
 *
 * Whatever is decided first settles the step; what comes later is told that it came too late.
 */

import type { OpenedAnswer, Verdict } from "../../protocol/answers.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { PlannedStep, Poll, StepAction } from "../../protocol/plan.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { type Command, stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import type { Settlement, StepAnswer } from "../../protocol/registers/settling.ts";
import type { Answer, Now, PollRequest } from "./effects.ts";
import type { OpenRun } from "./open-run.ts";

export type SettleTicket =
  | { readonly kind: "await"; readonly run: string; readonly index: number }
  | {
      readonly kind: "settle";
      readonly run: string;
      readonly index: number;
      /** Whoever asked for it, and is told. */
      readonly question: number | null;
    };

export type SettlementsContext = {
  propose(register: string, command: Command, ticket: SettleTicket): void;
  note(event: Event): void;
  answer(question: number, answer: Answer): void;
  run(id: string): OpenRun | undefined;
  poll(request: PollRequest): void;
  /** True when the domain's policy has this person among those who are named; whoever, where nobody is. */
  mayAnswer(by: readonly string[], person: { readonly peer: string; readonly name: string }): boolean;
};

type Waiting = {
  readonly run: string;
  readonly index: number;
  readonly action: StepAction;
  readonly untilWallMs: number;
  /** Monotonic; null while a poll is under way, or when there is none. */
  pollAtMs: number | null;
  /** True once something was proposed that will settle it, as far as this home knows. */
  settling: boolean;
  /** What was inconclusive and is written down already, by this home. */
  inconclusive: number;
};

/** What a poll saw. `verdict` null: nothing that settles the wait. */
export type Polled = {
  readonly run: string;
  readonly index: number;
  readonly verdict: "passed" | "failed" | null;
  readonly detail: string;
  /** Of a gate's verdict: its name. */
  readonly verdictOf?: string;
};

const settledOutcomes = ["passed", "failed", "timed-out"] as const;

export class Settlements {
  readonly #context: SettlementsContext;
  #waiting = new Map<string, Waiting>();

  constructor(context: SettlementsContext) {
    this.#context = context;
  }

  clear(): void {
    this.#waiting = new Map();
  }

  /** Everything that the step needs has ended: it is asked, or is over at once. */
  begin(run: OpenRun, index: number, now: Now): void {
    const { action } = run.step(index);
    const id = run.submission.run;
    run.setPhase(index, "claiming");
    if (action?.kind === "pipeline") {
      const { outcome, detail } = run.membersOutcome(index);
      const settlement: Settlement = { cause: "members", by: null, detail, evidence: null };
      return this.#settle({ run: id, index }, outcome, settlement, null);
    }
    const command: Command = { kind: "await", sinceMs: now.wallMs };
    this.#context.propose(stepRegister(id, index), command, { kind: "await", run: id, index });
  }

  /**
   * What an earlier home decided: that the step waits, or how it was settled. Whoever said yes is told of again, since
   * that home may have died before it told.
   */
  restore(run: OpenRun, index: number, value: StepValue, now: Now): void {
    if (value.state !== "waiting" && value.state !== "done") return;
    if (value.state === "waiting") this.#waits(run, index, value, now);
    for (const answer of value.answers ?? []) this.#answered(run, index, answer, now);
    if (value.state === "done") this.#settled(run, index, value, now);
  }

  /** The register says that the step waits: so it was decided, here or by an earlier home. */
  #waits(run: OpenRun, index: number, value: Extract<StepValue, { state: "waiting" }>, now: Now): void {
    const step = run.step(index);
    const { action } = step;
    if (action === undefined) return;
    const id = run.submission.run;
    const untilMs = value.sinceMs + step.timeoutMs;
    const polls = action.kind === "wait" && action.poll !== null;
    this.#waiting.set(keyOf(id, index), {
      run: id,
      index,
      action,
      untilWallMs: untilMs,
      pollAtMs: polls ? now.monotonicMs : null,
      settling: false,
      inconclusive: 0,
    });
    this.#context.note({ kind: "step-waiting", run: id, timeMs: now.wallMs, step: step.name, untilMs });
  }

  tick(now: Now): void {
    for (const [key, waiting] of this.#waiting) {
      const run = this.#context.run(waiting.run);
      if (run === undefined || run.cancelled) this.#waiting.delete(key);
      else if (!waiting.settling && now.wallMs >= waiting.untilWallMs) this.#expire(waiting);
      else if (waiting.pollAtMs !== null && now.monotonicMs >= waiting.pollAtMs) this.#poll(waiting);
    }
  }

  /** A person, or the bearer of a callback, says how it is. @param said what the bearer said. */
  answer(
    { answer, person }: OpenedAnswer,
    said: { readonly verdict: Verdict; readonly detail: string } | null,
    evidence: Uint8Array,
    question: number,
    now: Now,
  ): void {
    const refuse = (detail: string): void =>
      this.#context.answer(question, { ok: false, reason: "refused", detail });
    const run = this.#context.run(answer.run);
    if (run === undefined)
      return this.#context.answer(question, { ok: false, reason: "no-such-run", detail: "" });
    if (run.submission.manifestCid !== answer.manifest)
      return refuse("it was signed for another submission than this run's");
    const index = run.find(answer.step);
    if (index === null) return refuse(`the run has no step ${answer.step}`);
    const step = run.step(index);
    const { action } = step;
    if (action?.kind !== "approve" && action?.kind !== "wait")
      return refuse(`${answer.step} is done by a worker, not by an answer`);
    if (run.phase(index) === "done")
      return this.#context.answer(question, { ok: false, reason: "closed", detail: "" });
    const waiting = this.#waiting.get(keyOf(answer.run, index));
    if (waiting === undefined) return refuse(`${answer.step} does not wait yet: what it needs has not ended`);
    const isBearer = answer.verdict === null;
    const verdict = answer.verdict ?? said?.verdict ?? "inconclusive";
    const detail = isBearer ? (said?.detail ?? "") : answer.detail;
    const place = { run: answer.run, index };
    if (action.kind === "approve") {
      const problem = approvalProblem(isBearer, verdict);
      if (problem !== null) return refuse(problem);
      if (!this.#context.mayAnswer(action.by, person))
        return refuse(`${person.name} is not among those who may answer (${action.by.join(", ")})`);
      const { peer: by } = person;
      const yes = verdict === "passed";
      const command: Command = { kind: "answer", by, yes, detail, evidence, needed: action.count };
      const ticket: SettleTicket = { kind: "settle", ...place, question };
      return this.#context.propose(stepRegister(answer.run, index), command, ticket);
    }
    if (action.callback === null)
      return refuse(`${answer.step} waits for its poll alone, not for a callback`);
    if (verdict !== "inconclusive") {
      const settlement: Settlement = { cause: "callback", by: person.peer, detail, evidence };
      return this.#settle(place, verdict, settlement, question);
    }
    // It settles nothing, and may be a hint that now is a good time to look.
    if (waiting.pollAtMs !== null) waiting.pollAtMs = now.monotonicMs;
    const fact = { step: step.name, by: person.peer, verdict, detail, evidence } as const;
    waiting.inconclusive += 1;
    // Whoever has the callback may say it for ever, and what is noted is kept for ever.
    if (waiting.inconclusive <= limits.inconclusiveNotedMax)
      this.#context.note({ kind: "step-answered", run: answer.run, timeMs: now.wallMs, ...fact });
    this.#context.answer(question, { ok: true });
  }

  polled({ run, index, verdict, detail }: Polled, now: Now): void {
    const waiting = this.#waiting.get(keyOf(run, index));
    if (waiting?.action.kind !== "wait" || waiting.action.poll === null) return;
    if (verdict === null) waiting.pollAtMs = now.monotonicMs + waiting.action.poll.everyMs;
    else this.#settle(waiting, verdict, { cause: "poll", by: null, detail, evidence: null }, null);
  }

  /** The step's newest value when it moved on; null when nothing follows. */
  decided(ticket: SettleTicket, decision: Decision<unknown>, now: Now): StepValue | null {
    const { run: id, index } = ticket;
    const run = this.#context.run(id);
    const value = decision.value?.kind === "step" ? decision.value : null;
    if (ticket.kind === "settle" && ticket.question !== null) this.#tell(ticket.question, decision);
    if (run === undefined || value === null || run.phase(index) === "done") return null;
    if (value.state === "waiting") {
      run.setPhase(index, "waiting");
      if (ticket.kind === "await") this.#waits(run, index, value, now);
      else if (decision.verdict === "changed" && decision.command.kind === "answer")
        this.#answered(run, index, decision.command, now);
      return null;
    }
    if (value.state !== "done" || value.settlement === undefined) return null;
    this.#waiting.delete(keyOf(id, index));
    this.#settled(run, index, value, now);
    return value;
  }

  /** Tells how a step was settled. */
  #settled(run: OpenRun, index: number, value: Extract<StepValue, { state: "done" }>, now: Now): void {
    const { settlement } = value;
    const outcome = settledOutcomes.find((one) => one === value.outcome);
    if (settlement === undefined || outcome === undefined) return;
    const step = run.step(index).name;
    const fact = { step, outcome, ...settlement };
    this.#context.note({ kind: "step-settled", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #answered(run: OpenRun, index: number, { by, detail, evidence }: StepAnswer, now: Now): void {
    const fact = { step: run.step(index).name, by, verdict: "passed", detail, evidence } as const;
    this.#context.note({ kind: "step-answered", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #tell(question: number, decision: Decision<unknown>): void {
    if (decision.verdict === "changed") return this.#context.answer(question, { ok: true });
    const answer: Answer =
      decision.reason === "duplicate"
        ? { ok: false, reason: "refused", detail: "this person has answered before" }
        : { ok: false, reason: "closed", detail: "" };
    this.#context.answer(question, answer);
  }

  #poll(waiting: Waiting): void {
    const { action, run, index } = waiting;
    waiting.pollAtMs = null;
    if (action.kind !== "wait" || action.poll === null) return;
    const { url, until, fails }: Poll = action.poll;
    this.#context.poll({ run, index, url, until, fails });
  }

  #expire(waiting: Waiting): void {
    waiting.settling = true;
    const settlement: Settlement = { cause: "expired", by: null, detail: "", evidence: null };
    this.#settle(waiting, "timed-out", settlement, null);
  }

  #settle(
    { run, index }: { readonly run: string; readonly index: number },
    outcome: "passed" | "failed" | "timed-out",
    settlement: Settlement,
    question: number | null,
  ): void {
    const command: Command = { kind: "settle", outcome, settlement };
    this.#context.propose(stepRegister(run, index), command, { kind: "settle", run, index, question });
  }
}

function keyOf(run: string, index: number): string {
  return `${run}/${index}`;
}

/** Why an answer does not count, whoever gives it, or null. */
function approvalProblem(isBearer: boolean, verdict: Verdict): string | null {
  if (isBearer) return "people approve with a signature of their own, not with a callback";
  return verdict === "inconclusive" ? "an approval is yes or no" : null;
}

/** How a nested pipeline ended: as its steps did. */
export function outcomeOfMembers(
  members: readonly { readonly step: PlannedStep; readonly outcome: string | null }[],
): { readonly outcome: "passed" | "failed"; readonly detail: string } {
  const bad = members.find(
    ({ outcome }) => outcome === "failed" || outcome === "timed-out" || outcome === "cancelled",
  );
  if (bad === undefined) return { outcome: "passed", detail: "" };
  return { outcome: "failed", detail: `${bad.step.name} ${String(bad.outcome).replace("-", " ")}` };
}
