/**
 * Steps that the domain's policy guards, at the home: what is missing for each, who has approved, and the permit that a majority
 * of the control peers signs once nothing is. So it is before a step begins, and once more when it has ended well.
 *
 *   ready --gate decided--> gated --nothing is missing--> asked of the others --a majority signed--> permit decided --> ready
 *                             |                                 |
 *   leased --finish, held---> gated --- the same; its permit is decided --> done, as it ended
 *                             +-- a no, or time --> done        +-- not all of them agree: asked again later
 *
 * Nothing of it is lost when the home dies: since when a step waits and who approved is in its register.
 */

import type { OpenedAnswer } from "../../protocol/answers.ts";
import type { Verifier } from "../../protocol/envelope.ts";
import type { GateSeen } from "../../protocol/calls.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Charter } from "../../protocol/membership.ts";
import { openPermit, type Permit, sealPermit } from "../../protocol/permits.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { type Command, stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import type { Settlement, StepAnswer } from "../../protocol/registers/settling.ts";
import type { Countersigning, Matter } from "./countersigning.ts";
import type { Answer, Now } from "./effects.ts";
import { type Endorsing, type Judged, phaseOf } from "./endorsing.ts";
import type { OpenRun } from "./open-run.ts";

export type GateTicket = {
  readonly kind: "gate";
  readonly run: string;
  readonly index: number;
  /** Whoever approved, and is told; null: nobody asked. */
  readonly question: number | null;
};

export type GatesContext = {
  readonly endorsing: Endorsing;
  readonly countersigning: Countersigning;
  readonly keys: Verifier;
  charter(): Charter;
  /** As its owner signed it. */
  charterBytes(): Uint8Array;
  propose(register: string, command: Command, ticket: GateTicket): void;
  note(event: Event): void;
  answer(question: number, answer: Answer): void;
  run(id: string): OpenRun | undefined;
  committed(register: string): StepValue | null;
};

type Gated = {
  readonly run: string;
  readonly index: number;
  /** True behind the step, which has ended. */
  readonly isBehind: boolean;
  readonly untilWallMs: number;
  approvals: readonly StepAnswer[];
  approvedBy: readonly string[];
  missing: readonly string[];
  dueMs: number;
  /** True once something was proposed that will move it on. */
  moving: boolean;
};

export class Gates {
  readonly #context: GatesContext;
  #gated = new Map<string, Gated>();

  constructor(context: GatesContext) {
    this.#context = context;
  }

  clear(): void {
    this.#gated = new Map();
  }

  get closed(): readonly GateSeen[] {
    const { countersigning } = this.#context;
    return [...this.#gated.values()].flatMap(({ run, index, missing, approvedBy, untilWallMs }) => {
      const open = this.#context.run(run);
      if (open === undefined) return [];
      const ended = open.ended(index);
      return [
        {
          run,
          step: open.step(index).name,
          environment: open.step(index).environment ?? "",
          ...(ended === null ? {} : { ended }),
          missing,
          refusals: Object.fromEntries(countersigning.refusals(matterOf({ run, index }))),
          approvedBy,
          untilMs: untilWallMs,
          manifest: open.submission.manifestCid,
          given: open.judged(index),
          ...open.given(index),
        },
      ];
    });
  }

  /** True while something must be true before the step is given out, and no permit says that it is. */
  guards(run: OpenRun, index: number, { wallMs }: Now): boolean {
    const { endorsing, keys } = this.#context;
    if (endorsing.policies.gateOf(run.submission, index, "before") === null) return false;
    const value = this.#context.committed(stepRegister(run.submission.run, index));
    if (value?.state !== "queued" || value.gate === undefined) return true;
    const permit = openPermit(value.gate.permit, this.#context.charter(), keys);
    return !permit.ok || wallMs >= permit.value.untilMs;
  }

  /** True when it does not count at once that the step has ended well. */
  holds(run: OpenRun, index: number): boolean {
    return this.#context.endorsing.policies.gateOf(run.submission, index, "after") !== null;
  }

  begin(run: OpenRun, index: number, now: Now): void {
    run.setPhase(index, "claiming");
    this.#propose({ run: run.submission.run, index }, { kind: "gate", sinceMs: now.wallMs }, null);
  }

  /** What was decided by an earlier home, or when the step ended; the run has heard of it. */
  restore(run: OpenRun, index: number, value: StepValue, now: Now): void {
    if (value.state === "gated") this.#waits(run, index, value, now);
    const gate = value.state === "gated" || value.state === "waiting" ? undefined : value.gate;
    const approvals = value.state === "gated" ? value.approvals : (gate?.approvals ?? []);
    for (const approval of approvals) this.#approved(run, index, approval, now);
    if (gate !== undefined) this.#opened(run, index, gate.permit, now);
    if (value.state === "done" && value.settlement !== undefined) this.#settled(run, index, value, now);
  }

  has(run: string, index: number): boolean {
    return this.#gated.has(keyOf({ run, index }));
  }

  tick(now: Now): void {
    for (const [key, gated] of this.#gated) {
      const run = this.#context.run(gated.run);
      if (run === undefined || run.cancelled) this.#gated.delete(key);
      else if (!gated.moving && now.wallMs >= gated.untilWallMs) this.#expire(gated);
      else if (!gated.moving && now.monotonicMs >= gated.dueMs) this.#look(run, gated, now);
    }
  }

  /** A person says yes or no to exactly this step and what it is given. */
  approve({ answer, person }: OpenedAnswer, evidence: Uint8Array, question: number): void {
    const run = this.#context.run(answer.run);
    const index = run?.find(answer.step) ?? null;
    const gated = index === null ? undefined : this.#gated.get(keyOf({ run: answer.run, index }));
    if (run === undefined || index === null || gated === undefined)
      return this.#refuse(question, `${answer.step} does not wait at a gate`);
    const { peer: by } = person;
    const gate = this.#context.endorsing.policies.gateOf(run.submission, index, phaseOf(run, index));
    const isEntitled = gate?.approvals.some(({ keys }) => keys.has(by)) === true;
    if (run.submission.manifestCid !== answer.manifest)
      return this.#refuse(question, "it was signed for another submission than this run's");
    if (answer.given !== run.judged(index))
      return this.#refuse(
        question,
        gated.isBehind
          ? "it was signed for something else than what the step has made"
          : "it was signed for other files or values than the step is given",
      );
    if (answer.verdict !== "passed" && answer.verdict !== "failed")
      return this.#refuse(question, "an approval is yes or no");
    // Whoever shows a provenance does not approve by that: what is shown holds by itself.
    const isShown = (answer.provenances ?? []).length > 0 && (gate?.provenance.length ?? 0) > 0;
    if (!isEntitled && !(isShown && answer.verdict === "passed"))
      return this.#refuse(question, `the policy does not name ${person.name} (${by}) for it`);
    const yes = answer.verdict === "passed";
    const command: Command = { kind: "approve-gate", by, yes, detail: answer.detail, evidence };
    this.#propose({ run: answer.run, index }, command, question);
  }

  /** The step's newest value when it moved on; null when nothing follows. */
  decided(ticket: GateTicket, decision: Decision<unknown>, now: Now): StepValue | null {
    const { index, question } = ticket;
    const run = this.#context.run(ticket.run);
    const value = decision.value?.kind === "step" ? decision.value : null;
    if (question !== null) this.#tell(question, decision);
    if (run === undefined || value === null || run.phase(index) === "done") return null;
    const changed = decision.verdict === "changed" ? decision.command : null;
    if (value.state === "gated") {
      if (changed?.kind === "approve-gate") this.#approved(run, index, changed, now);
      this.#waits(run, index, value, now);
      return null;
    }
    // An approval that came too late has moved nothing.
    if (changed === null) return null;
    this.#gated.delete(keyOf(ticket));
    if (changed.kind === "permit") this.#opened(run, index, changed.permit, now);
    if (value.state === "done" && value.settlement !== undefined) this.#settled(run, index, value, now);
    return value.state === "queued" || value.state === "done" ? value : null;
  }

  #waits(run: OpenRun, index: number, value: Extract<StepValue, { state: "gated" }>, now: Now): void {
    const id = run.submission.run;
    const key = keyOf({ run: id, index });
    const known = this.#gated.get(key);
    run.setPhase(index, "waiting");
    if (known !== undefined) {
      known.approvals = value.approvals;
      known.dueMs = now.monotonicMs;
      this.#judge(run, known, now);
      return;
    }
    const isBehind = value.ended !== undefined;
    const phase = isBehind ? "after" : "before";
    const gate = this.#context.endorsing.policies.gateOf(run.submission, index, phase);
    const untilMs = value.sinceMs + (gate?.waitMs ?? limits.approvalMsDefault);
    const gated: Gated = {
      run: id,
      index,
      isBehind,
      untilWallMs: untilMs,
      approvals: value.approvals,
      approvedBy: [],
      missing: [],
      dueMs: now.monotonicMs,
      moving: false,
    };
    // At once: whoever asks before the next tick is not told that nothing is missing.
    this.#judge(run, gated, now);
    this.#gated.set(key, gated);
    const step = run.step(index).name;
    const told = { step, untilMs, ...behind(isBehind) };
    this.#context.note({ kind: "step-waiting", run: id, timeMs: now.wallMs, ...told });
  }

  #look(run: OpenRun, gated: Gated, now: Now): void {
    gated.dueMs = now.monotonicMs + limits.gateEveryMs;
    const { index } = gated;
    const { missing, approvedBy, given, evidence } = this.#judge(run, gated, now);
    const { countersigning } = this.#context;
    const matter = matterOf(gated);
    if (missing.length > 0) return countersigning.forget(matter);
    if (!countersigning.isAsked(matter, now)) {
      const { run: id, manifestCid: manifest } = run.submission;
      const untilMs = now.wallMs + limits.permitMs;
      const step = run.step(index).name;
      const permit: Permit = {
        otto: "permit/1",
        ...(gated.isBehind ? { phase: "after" } : {}),
        run: id,
        manifest,
        index,
        step,
        given,
        approvedBy,
        fromMs: now.wallMs,
        untilMs,
      };
      countersigning.ask(matter, permit, evidence, now);
    }
    this.#permitIfSigned(gated);
  }

  #judge(run: OpenRun, gated: Gated, now: Now): Judged & { readonly evidence: readonly Uint8Array[] } {
    const evidence = gated.approvals.map((approval) => approval.evidence);
    const judged = this.#context.endorsing.judge(run, gated.index, evidence, now);
    gated.missing = judged.missing;
    gated.approvedBy = judged.approvedBy;
    return { ...judged, evidence };
  }

  /** Call when a control peer has signed something. */
  signed(run: string, index: number): void {
    const gated = this.#gated.get(keyOf({ run, index }));
    if (gated !== undefined) this.#permitIfSigned(gated);
  }

  #permitIfSigned(gated: Gated): void {
    const permit = gated.moving ? null : this.#context.countersigning.takeSigned(matterOf(gated));
    if (permit === null) return;
    gated.moving = true;
    const sealed = sealPermit(permit, this.#context.charterBytes());
    this.#propose(gated, { kind: "permit", permit: sealed }, null);
  }

  #expire(gated: Gated): void {
    gated.moving = true;
    const settlement: Settlement = {
      cause: "expired",
      by: null,
      detail: gated.missing.join("; "),
      evidence: null,
    };
    this.#propose(gated, { kind: "settle", outcome: "timed-out", settlement }, null);
  }

  #settled(run: OpenRun, index: number, value: Extract<StepValue, { state: "done" }>, now: Now): void {
    const { settlement } = value;
    if (settlement === undefined) return;
    const outcome = value.outcome === "timed-out" ? "timed-out" : "failed";
    const fact = { step: run.step(index).name, outcome, ...settlement } as const;
    this.#context.note({ kind: "step-settled", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #approved(run: OpenRun, index: number, { by, detail, evidence }: StepAnswer, now: Now): void {
    const step = run.step(index).name;
    const fact = {
      step,
      by,
      verdict: "passed",
      detail,
      evidence,
      ...behind(run.held(index) !== null),
    } as const;
    this.#context.note({ kind: "step-answered", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #opened(run: OpenRun, index: number, permit: Uint8Array, now: Now): void {
    const fact = { step: run.step(index).name, permit, ...behind(run.held(index) !== null) };
    this.#context.note({ kind: "gate-opened", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #tell(question: number, decision: Decision<unknown>): void {
    if (decision.verdict === "changed") return this.#context.answer(question, { ok: true });
    if (decision.reason === "duplicate") return this.#refuse(question, "this person has answered before");
    this.#context.answer(question, { ok: false, reason: "closed", detail: "" });
  }

  #refuse(question: number, detail: string): void {
    this.#context.answer(question, { ok: false, reason: "refused", detail });
  }

  #propose(
    { run, index }: { readonly run: string; readonly index: number },
    command: Command,
    question: number | null,
  ): void {
    this.#context.propose(stepRegister(run, index), command, { kind: "gate", run, index, question });
  }
}

function behind(is: boolean): { readonly after?: true } {
  return is ? { after: true } : {};
}

function matterOf({ run, index }: { readonly run: string; readonly index: number }): Matter {
  return { what: "permit", run, index };
}

function keyOf({ run, index }: { readonly run: string; readonly index: number }): string {
  return `${run}/${index}`;
}
