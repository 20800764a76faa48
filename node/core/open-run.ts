/**
 * One open run as its home sees it: which steps may be claimed, which wait, which are over.
 *
 *   blocked --every need met--> ready --claim proposed--> claiming --granted--> leased --> done
 *      |                          |  (a step that no worker does: --await--> waiting -----> done)
 *      |                          ^                          |                    |
 *      +--a need cannot be met    +------- refused ----------+---- tried again ---+
 *      v
 *     done (skipped)
 *
 * A pure function of the plan and the registers, so a new home rebuilds it after a take-over.
 */

import { assert } from "../../protocol/errors.ts";
import { type AttemptCause, isGivenBack, isOfLostWorker, isOfPlatform } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Submission } from "../../protocol/manifest.ts";
import {
  endDigest,
  type EndedWell,
  type HeldEnd,
  inputsDigest,
  type LetCount,
} from "../../protocol/attempt-content.ts";
import type { GivenValue, GrantedLease } from "../../protocol/messages.ts";
import {
  isSettledByMesh,
  lockOf,
  outcomes,
  type PlannedStep,
  priorities,
  requirementsOf,
} from "../../protocol/plan.ts";
import type { PastAttempt, RunOutcome, StepValue } from "../../protocol/registers/registers.ts";
import type { StepReport } from "../../protocol/report.ts";
import { cacheAtHand, sourceAtHand } from "./at-hand.ts";
import type { Demand } from "./queue/shelf.ts";
import { outcomeOfMembers } from "./settlements.ts";

/** `waiting`: settled by the mesh, and not settled yet. */
export type StepPhase = "blocked" | "ready" | "claiming" | "leased" | "waiting" | "done";

export type Skip = { readonly index: number; readonly reason: string };

/** What became ready or skipped. */
type Changes = { readonly ready: readonly number[]; readonly skipped: readonly Skip[] };

type StepState = {
  phase: StepPhase;
  /** One of the usual outcomes, or one of the step's own. */
  outcome: string | null;
  token: number;
  made: Made;
  /** How it ended, when its gate behind it let that count or has yet to. */
  held: HeldEnd | null;
  /** What let it count. */
  permit: Uint8Array | null;
  /** Workers who had it and could not run it. */
  avoided: readonly string[];
};

/** What a step leaves to those that need it. */
type Made = Pick<StepReport, "outputs" | "values">;

const nothing: Made = { outputs: [] };
const unchanged: Changes = { ready: [], skipped: [] };
const noInputs: GrantedLease["inputs"] = [];
const noValues: readonly GivenValue[] = [];

export class OpenRun {
  readonly submission: Submission;
  /** Until when it could be admitted, milliseconds since 1970, for a home that forgets it some day. */
  readonly validUntilMs: number;
  cancelled = false;
  /** True while the closing of the run is being decided. */
  closing = false;
  readonly #steps: readonly PlannedStep[];
  readonly #states: StepState[];
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #dependents: readonly number[][];
  #left: number;

  constructor(submission: Submission, validUntilMs = Infinity) {
    this.submission = submission;
    this.validUntilMs = validUntilMs;
    this.#steps = submission.manifest.plan.steps;
    this.#indexOf = new Map(this.#steps.map(({ name }, index) => [name, index]));
    this.#states = this.#steps.map(() => ({
      phase: "blocked",
      outcome: null,
      token: 0,
      made: nothing,
      held: null,
      permit: null,
      avoided: [],
    }));
    this.#dependents = this.#steps.map(() => []);
    this.#left = this.#steps.length;
    for (const [index, step] of this.#steps.entries())
      for (const need of step.needs) this.#dependents[this.indexOf(need.step)]?.push(index);
  }

  /** The steps that can be told apart from the plan alone: what is ready at once, what is left out. */
  begin(): { readonly ready: number[]; readonly skipped: Skip[] } {
    const changes = { ready: [] as number[], skipped: [] as Skip[] };
    for (const [index, step] of this.#steps.entries()) {
      if (step.included) continue;
      changes.skipped.push({ index, reason: step.reason });
      this.#end(index, "skipped");
    }
    for (let index = 0; index < this.#steps.length; index += 1) this.#release(index, changes);
    return changes;
  }

  get stepCount(): number {
    return this.#steps.length;
  }

  step(index: number): PlannedStep {
    const step = this.#steps[index];
    assert(step !== undefined, `run ${this.submission.run} has a step ${index}`);
    return step;
  }

  has(index: number): boolean {
    return index < this.#steps.length;
  }

  /** The place of a step by its name; null when the plan has none of it. */
  find(name: string): number | null {
    return this.#indexOf.get(name) ?? null;
  }

  indexOf(name: string): number {
    const index = this.#indexOf.get(name);
    assert(index !== undefined, `the plan has a step ${name}`);
    return index;
  }

  /** What no other step may have while this one runs, or null. */
  lockOf(index: number): string | null {
    return lockOf(this.submission.manifest.plan, this.step(index));
  }

  /** What whoever runs the step must be, and had better have. */
  demandOf(index: number): Demand {
    const step = this.step(index);
    const { caches = [] } = step;
    const { plan, source } = this.submission.manifest;
    return {
      labels: requirementsOf(step),
      level: priorities.indexOf(plan.priority ?? "normal"),
      caches: caches.map(({ name }) => cacheAtHand(plan.pipeline, name)),
      inputs: this.#inputsOf(index).map(({ tree }) => tree),
      source: sourceAtHand(source),
      avoided: this.#state(index).avoided,
    };
  }

  phase(index: number): StepPhase {
    return this.#state(index).phase;
  }

  /** How a step ended, by its name; null: it has not. */
  outcomeOf(name: string): string | null {
    const index = this.find(name);
    if (index !== null) return this.#state(index).outcome;
    // Of a released step: what the domain that released it has said.
    const { outcomes: said = {} } = this.submission.released?.release ?? {};
    return Object.hasOwn(said, name) ? (said[name] ?? null) : null;
  }

  /** Names of the steps that a step needs, directly or through others. */
  before(index: number): ReadonlySet<string> {
    const found = new Set<string>();
    const left = this.step(index).needs.map(({ step }) => step);
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (found.has(name)) continue;
      found.add(name);
      left.push(...this.step(this.indexOf(name)).needs.map(({ step }) => step));
    }
    return found;
  }

  /** True once all that the step needs has ended as it must. */
  isReached(index: number): boolean {
    return this.#unmetNeed(index) === null;
  }

  token(index: number): number {
    return this.#state(index).token;
  }

  setPhase(index: number, phase: Exclude<StepPhase, "done">): void {
    this.#state(index).phase = phase;
  }

  /** Steps that were granted and are not over. */
  leased(): number[] {
    return [...this.#states.keys()].filter((index) => this.#states[index]?.phase === "leased");
  }

  /** Steps that have ended well and that a gate behind them holds back. */
  heldBack(): number[] {
    return [...this.#states.keys()].filter((index) => {
      const state = this.#states[index];
      return state?.phase === "waiting" && state.held !== null;
    });
  }

  /** True when nothing is left that could run. */
  get over(): boolean {
    if (this.#left === 0) return true;
    if (!this.cancelled) return false;
    // What waits for an answer holds nobody up: no worker has it.
    return !this.#states.some(
      ({ phase }, index) =>
        phase === "leased" || (phase === "claiming" && !isSettledByMesh(this.step(index))),
    );
  }

  get outcome(): RunOutcome {
    if (this.cancelled) return "cancelled";
    // A step that was cancelled though nobody cancelled the run did not pass.
    const unmet: readonly (string | null)[] = ["failed", "timed-out", "cancelled"];
    return this.#states.some(({ outcome }) => unmet.includes(outcome)) ? "failed" : "passed";
  }

  /** Takes the register's newest value. Returns what became ready or skipped by it. */
  apply(index: number, value: StepValue, made: Made | null): Changes {
    const state = this.#state(index);
    state.token = value.token;
    if (value.state === "leased" || value.state === "waiting") {
      state.phase = value.state;
      return unchanged;
    }
    const changes = { ready: [] as number[], skipped: [] as Skip[] };
    if (value.state === "gated") {
      state.phase = "waiting";
      state.held = value.ended === undefined ? null : heldEnd(value, value.ended.outcome, made);
    } else if (value.state === "queued") {
      state.phase = "ready";
      state.avoided = value.past.filter(({ cause }) => isOfPlatform(cause)).map(({ worker }) => worker);
      changes.ready.push(index);
    } else if (state.phase !== "done") {
      state.made = made ?? nothing;
      state.held = value.gate === undefined ? null : heldEnd(value, value.outcome, made);
      state.permit = value.gate?.permit ?? null;
      this.#end(index, value.outcome);
      for (const dependent of this.#dependents[index] ?? []) this.#release(dependent, changes);
    }
    return changes;
  }

  /** What an attempt at the step is given. */
  given(index: number): Pick<GrantedLease, "inputs" | "values"> {
    const { released } = this.submission;
    const values = released === undefined ? this.#valuesOf(index) : released.release.values;
    const inputs = this.#inputsOf(index);
    return values.length === 0 ? { inputs } : { inputs, values };
  }

  /** How the step ended, while that does not count yet, or where a gate let it count. */
  held(index: number): HeldEnd | null {
    return this.#state(index).held;
  }

  /** What is shown of a step that a gate behind it has let count; null: none has. */
  letCount(index: number): LetCount | null {
    const { permit } = this.#state(index);
    const ended = this.ended(index);
    if (ended === null || permit === null) return null;
    return { index, given: inputsDigest(this.given(index)), ended, permit };
  }

  /** What is told others of how the step ended, where a gate is behind it: nothing more of its report than they need; null: it has not. */
  ended(index: number): EndedWell | null {
    const { held } = this.#state(index);
    if (held === null) return null;
    const { token, outcome, values } = held;
    const outputs = held.outputs.map(({ name, tree }) => ({ name, tree }));
    return { token, outcome, outputs, ...(values === undefined ? {} : { values }) };
  }

  /** What a gate judges, by content: what the step is given or, behind it, what it has made of that. */
  judged(index: number): string {
    const given = inputsDigest(this.given(index));
    const { held } = this.#state(index);
    return held === null ? given : endDigest(given, held);
  }

  /** The trees that the step's declared inputs stand for; empty for an output that was never made. */
  #inputsOf(index: number): GrantedLease["inputs"] {
    const { released } = this.submission;
    if (released !== undefined) return released.release.inputs;
    const { inputs } = this.step(index);
    if (inputs.length === 0) return noInputs;
    return inputs.flatMap(({ name, step, output }) => {
      const made = this.#state(this.indexOf(step)).made.outputs.find(
        (candidate) => candidate.name === output,
      );
      return made === undefined ? [] : [{ name, tree: made.tree }];
    });
  }

  /** How the steps of a nested pipeline ended, all of which have. */
  membersOutcome(index: number): ReturnType<typeof outcomeOfMembers> {
    const { action } = this.step(index);
    const members = action?.kind === "pipeline" ? action.members : [];
    return outcomeOfMembers(
      members.map((name) => {
        const member = this.indexOf(name);
        return { step: this.step(member), outcome: this.#state(member).outcome };
      }),
    );
  }

  /** The values that the step takes, as their steps said them; a step that ended another way said none. */
  #valuesOf(index: number): readonly GivenValue[] {
    const { valueInputs } = this.step(index);
    if (valueInputs === undefined) return noValues;
    return valueInputs.flatMap(({ name, step, value }) => {
      const said = this.#state(this.indexOf(step)).made.values;
      const given = said !== undefined && Object.hasOwn(said, value) ? said[value] : undefined;
      return given === undefined ? [] : [{ name, value: given }];
    });
  }

  /** True when the step gets another attempt after one that ended for `cause`. */
  triesAgain(
    index: number,
    past: readonly PastAttempt[],
    cause: Exclude<AttemptCause, "finished" | "cancelled">,
  ): boolean {
    if (this.cancelled || past.length + 1 >= limits.attemptsMax) return false;
    if (isGivenBack(cause)) return true;
    if (cause === "unprepared")
      return past.filter((attempt) => attempt.cause === cause).length + 1 < limits.unpreparedAttemptsMax;
    const { attemptsMax, on } = this.step(index).retry;
    const used = past.filter((attempt) => !isOfPlatform(attempt.cause)).length + 1;
    return used < attemptsMax && on.some((one) => one === cause || (one === "lost" && isOfLostWorker(cause)));
  }

  #release(index: number, changes: { ready: number[]; skipped: Skip[] }): void {
    const work = [index];
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      const state = this.#state(next);
      if (state.phase !== "blocked") continue;
      const unmet = this.#unmetNeed(next);
      if (unmet === "waiting") continue;
      if (unmet === null) {
        state.phase = "ready";
        changes.ready.push(next);
        continue;
      }
      changes.skipped.push({ index: next, reason: unmet.reason });
      this.#end(next, "skipped");
      work.push(...(this.#dependents[next] ?? []));
    }
  }

  /** Null when every need is met, "waiting" when it is too early to say, or why the step can never run. */
  #unmetNeed(index: number): { readonly reason: string } | "waiting" | null {
    let waiting = false;
    for (const need of this.step(index).needs) {
      const { outcome } = this.#state(this.indexOf(need.step));
      if (outcome === null) waiting = true;
      else if (!need.outcomes.includes(outcome)) return { reason: `${need.step} ${endedAs(outcome)}` };
    }
    return waiting ? "waiting" : null;
  }

  #end(index: number, outcome: string): void {
    const state = this.#state(index);
    state.phase = "done";
    state.outcome = outcome;
    this.#left -= 1;
  }

  #state(index: number): StepState {
    const state = this.#states[index];
    assert(state !== undefined, `run ${this.submission.run} has a step ${index}`);
    return state;
  }
}

function heldEnd({ past, token }: StepValue, outcome: string, made: Made | null): HeldEnd {
  return { token: past.at(-1)?.token ?? token, outcome, ...(made ?? nothing) };
}

function endedAs(outcome: string): string {
  if (!outcomes.some((usual) => usual === outcome)) return `ended as ${outcome}`;
  return outcome === "skipped" || outcome === "cancelled" ? `was ${outcome}` : outcome.replace("-", " ");
}
