/**
 * Steps of this domain's runs that are another domain's, at the home: each is released once all that it needs has ended, told to
 * that domain, and settled by the outcome that a majority of its control peers signed.
 *
 *   ready --await decided--> waiting --a majority here signs--> told --asked again and again--> outcome decided --> done
 *                               +------------------- time, or the other domain refuses it ---------------------> done
 *
 * Since when it waits is in its register; all else is found again by the next home.
 */

import { equals } from "uint8arrays/equals";
import type { Verifier } from "../../protocol/envelope.ts";
import type { GateSeen } from "../../protocol/calls.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, wereControls } from "../../protocol/membership.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import { libraryTrees } from "../../protocol/plan.ts";
import { quorumOf } from "../../protocol/quorum.ts";
import { foreignDomainOf, openOutcome, openRelease } from "../../protocol/release.ts";
import type { Decision } from "../../protocol/registers/home.ts";
import { type Command, stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import type { Settlement } from "../../protocol/registers/settling.ts";
import type { Countersigning, Matter } from "./countersigning.ts";
import type { Now, ReleaseAnswer, ReleaseTold } from "./effects.ts";
import type { Endorsing } from "./endorsing.ts";
import type { Neighbours } from "./neighbours.ts";
import type { OpenRun } from "./open-run.ts";
import { releaseOf } from "./released.ts";

export type ReleaseTicket = { readonly kind: "release"; readonly run: string; readonly index: number };

export type ReleasesContext = {
  readonly countersigning: Countersigning;
  readonly endorsing: Pick<Endorsing, "uncounted">;
  readonly neighbours: Neighbours;
  readonly keys: Verifier;
  charter(): Charter;
  /** As its owner signed it. */
  charterBytes(): Uint8Array;
  propose(register: string, command: Command, ticket: ReleaseTicket): void;
  note(event: Event): void;
  run(id: string): OpenRun | undefined;
  tell(told: ReleaseTold): void;
};

type Waiting = {
  readonly run: string;
  readonly index: number;
  readonly sinceWallMs: number;
  /** What the other domain has said last. */
  said: string;
  /** What a majority signed, and the charter by which it is one; null: not yet. */
  signed: Pick<ReleaseTold, "release" | "charter"> | null;
  /** Its control peers that refuse the step, and why. */
  readonly refusals: Map<string, string>;
  /** Monotonic; infinite while the other domain is being asked. */
  dueMs: number;
  moving: boolean;
};

export class Releases {
  readonly #context: ReleasesContext;
  #waiting = new Map<string, Waiting>();

  constructor(context: ReleasesContext) {
    this.#context = context;
  }

  clear(): void {
    this.#waiting = new Map();
  }

  /** The name of the domain that the step is released to; null: it is this one's. */
  domainOf({ submission }: OpenRun, index: number): string | null {
    const { plan } = submission.manifest;
    const step = plan.steps[index];
    // A released step is this domain's by that.
    if (step === undefined || submission.released !== undefined) return null;
    return foreignDomainOf(plan, step, this.#context.charter().name);
  }

  begin(run: OpenRun, index: number, now: Now): void {
    run.setPhase(index, "claiming");
    this.#propose({ run: run.submission.run, index }, { kind: "await", sinceMs: now.wallMs });
  }

  /** What an earlier home decided. */
  restore(run: OpenRun, index: number, value: StepValue, now: Now): void {
    if (value.state === "waiting") this.#waits(run, index, value, now);
    if (value.state === "done") this.#settled(run, index, value, now);
  }

  tick(now: Now): void {
    for (const [key, waiting] of this.#waiting) {
      const run = this.#context.run(waiting.run);
      if (run === undefined || run.cancelled) this.#waiting.delete(key);
      else if (!waiting.moving && now.wallMs >= waiting.sinceWallMs + limits.releasedMsMax)
        this.#settle(
          waiting,
          "timed-out",
          settlementOf("expired", "the other domain did not end it in time"),
        );
      else if (!waiting.moving) this.#look(run, waiting, now);
    }
  }

  /** Call when a control peer has signed something. */
  signed(run: string, index: number, now: Now): void {
    const waiting = this.#waiting.get(keyOf({ run, index }));
    const open = this.#context.run(run);
    if (waiting !== undefined && open !== undefined) this.#look(open, waiting, now);
  }

  told(place: { readonly run: string; readonly index: number }, answer: ReleaseAnswer, now: Now): void {
    const waiting = this.#waiting.get(keyOf(place));
    const run = this.#context.run(place.run);
    if (waiting === undefined || run === undefined || waiting.moving) return;
    waiting.dueMs = now.monotonicMs + limits.releaseEveryMs;
    // Who is not a control peer any more is not heard there: the next ones sign it anew.
    if (answer.state === "refused" && this.#isOutdated(waiting)) return;
    if (answer.state === "refused") return this.#refused(run, waiting, answer, now);
    if (answer.state === "unreachable") waiting.said = `it cannot be reached: ${answer.detail}`;
    if (answer.state === "running") waiting.said = answer.detail;
    // What does not hold says nothing, whoever said it: the domain is asked again.
    if (answer.state === "done") waiting.said = this.#accept(run, waiting, answer.outcome, now) ?? "";
  }

  /**
   * One of its control peers may lag behind the others, or lie: so many must refuse it that too few are left to sign how it ends. Those
   * who do not decide there hand the question to whoever does, so when the domain refuses it they all say so.
   */
  #refused(
    run: OpenRun,
    waiting: Waiting,
    { by, detail }: Extract<ReleaseAnswer, { state: "refused" }>,
    now: Now,
  ): void {
    const to = this.#context.neighbours.byName(this.domainOf(run, waiting.index) ?? "");
    if (to === null) return;
    const { refusals } = waiting;
    // Another one is asked at once; the same one again only after a while.
    if (!refusals.has(by)) waiting.dueMs = now.monotonicMs;
    refusals.set(by, detail);
    const refusing = to.controls.flatMap(({ peer }) => refusals.get(peer) ?? []);
    const needed = to.size - quorumOf(to) + 1;
    if (refusing.length >= needed)
      return this.#settle(waiting, "failed", settlementOf("released", [...new Set(refusing)].join("; ")));
    waiting.said = `${refusing.length} of the ${needed} control peers that it takes refuse it: ${detail}`;
  }

  /** Steps that wait for another domain, as people see them. */
  get waiting(): readonly GateSeen[] {
    return [...this.#waiting.values()].flatMap(({ run, index, sinceWallMs, said }) => {
      const open = this.#context.run(run);
      if (open === undefined) return [];
      const { name, environment } = open.step(index);
      const given = open.given(index);
      const words = `the domain ${this.domainOf(open, index)} is to run it${said === "" ? "" : `: ${said}`}`;
      return [
        {
          run,
          step: name,
          environment: environment ?? "",
          missing: [words],
          refusals: Object.fromEntries(this.#context.countersigning.refusals(matterOf({ run, index }))),
          approvedBy: [],
          untilMs: sinceWallMs + limits.releasedMsMax,
          manifest: open.submission.manifestCid,
          given: inputsDigest(given),
          ...given,
        },
      ];
    });
  }

  /** The step's newest value when it moved on; null when nothing follows. */
  decided({ run: id, index }: ReleaseTicket, decision: Decision<unknown>, now: Now): StepValue | null {
    const run = this.#context.run(id);
    const value = decision.value?.kind === "step" ? decision.value : null;
    if (run === undefined || value === null || run.phase(index) === "done") return null;
    if (value.state === "waiting") {
      this.#waits(run, index, value, now);
      return null;
    }
    if (value.state !== "done") return null;
    this.#waiting.delete(keyOf({ run: id, index }));
    this.#settled(run, index, value, now);
    return value;
  }

  #waits(run: OpenRun, index: number, value: Extract<StepValue, { state: "waiting" }>, now: Now): void {
    const id = run.submission.run;
    run.setPhase(index, "waiting");
    const key = keyOf({ run: id, index });
    if (this.#waiting.has(key)) return;
    const sinceWallMs = value.sinceMs;
    const waiting: Waiting = {
      run: id,
      index,
      sinceWallMs,
      said: "",
      signed: null,
      refusals: new Map(),
      dueMs: now.monotonicMs,
      moving: false,
    };
    this.#waiting.set(key, waiting);
    const untilMs = sinceWallMs + limits.releasedMsMax;
    const step = run.step(index).name;
    this.#context.note({ kind: "step-waiting", run: id, timeMs: now.wallMs, step, untilMs });
    this.#look(run, waiting, now);
  }

  #look(run: OpenRun, waiting: Waiting, now: Now): void {
    const { countersigning, endorsing, neighbours } = this.#context;
    const matter = matterOf(waiting);
    if (this.#isOutdated(waiting)) waiting.signed = null;
    waiting.signed ??= this.#takeSigned(matter);
    const isDue = waiting.signed === null && !countersigning.isAsked(matter, now);
    // An earlier home may have written into the registers what nobody let count.
    if (isDue && endorsing.uncounted(run, waiting.index) === null) {
      const times = { fromMs: now.wallMs, untilMs: now.wallMs + limits.submissionMsDefault };
      countersigning.ask(matter, releaseOf(run, waiting.index, times), [], now);
      waiting.signed = this.#takeSigned(matter);
    }
    const { signed } = waiting;
    const to = neighbours.byName(this.domainOf(run, waiting.index) ?? "");
    if (signed === null || to === null || now.monotonicMs < waiting.dueMs) return;
    waiting.dueMs = Infinity;
    const { source, plan } = run.submission.manifest;
    const inputs = run.given(waiting.index).inputs.map(({ tree }) => tree);
    const sources = source.kind === "tree" ? [source.tree] : [];
    const trees = [...sources, ...inputs, ...libraryTrees(plan)];
    const refusedBy = [...waiting.refusals.keys()];
    this.#context.tell({ run: waiting.run, index: waiting.index, to, ...signed, trees, refusedBy });
  }

  /** What a majority signed, by the charter that the domain has now. */
  #takeSigned(matter: Matter): Waiting["signed"] {
    const release = this.#context.countersigning.takeSigned(matter);
    const signed = release === null ? null : { release, charter: this.#context.charterBytes() };
    return signed !== null && openRelease(signed, this.#context.keys).ok ? signed : null;
  }

  /** True for what was signed before the domain had other control peers. */
  #isOutdated({ signed }: Waiting): boolean {
    return signed !== null && !equals(signed.charter, this.#context.charterBytes());
  }

  /** Null: it holds, and is proposed; else why it counts for nothing. */
  #accept(run: OpenRun, waiting: Waiting, bytes: Uint8Array, { wallMs }: Now): string | null {
    const opened = openOutcome(bytes, this.#context.keys);
    if (!opened.ok) return opened.problem;
    const { outcome, from } = opened.value;
    const { neighbours } = this.#context;
    const isItsName = from.charter.name === this.domainOf(run, waiting.index);
    const known = neighbours.byId(from.charter.domain);
    // It may have other control peers since it signed: what those signed counts who all were ones when the step began to wait.
    // That is no later than now: the clock that said when may have been ahead.
    const sinceMs = Math.min(waiting.sinceWallMs, wallMs) - limits.signedApartMsMax;
    const isSigned =
      neighbours.accepts(from) || (known !== null && wereControls(from.charter, known, sinceMs));
    if (!isItsName || !isSigned) return "it is not signed by the domain that the step was released to";
    const isOfIt =
      outcome.domain === this.#context.charter().domain &&
      outcome.run === waiting.run &&
      outcome.index === waiting.index;
    if (!isOfIt) return "it is the outcome of something else";
    this.#settle(waiting, outcome.outcome, settlementOf("released", outcome.detail, bytes));
    return null;
  }

  #settle(waiting: Waiting, outcome: "passed" | "failed" | "timed-out", settlement: Settlement): void {
    waiting.moving = true;
    this.#propose(waiting, { kind: "settle", outcome, settlement });
  }

  #settled(run: OpenRun, index: number, value: Extract<StepValue, { state: "done" }>, now: Now): void {
    const { settlement } = value;
    const outcome = (["passed", "failed", "timed-out"] as const).find((one) => one === value.outcome);
    if (settlement === undefined || outcome === undefined) return;
    const fact = { step: run.step(index).name, outcome, ...settlement };
    this.#context.note({ kind: "step-settled", run: run.submission.run, timeMs: now.wallMs, ...fact });
  }

  #propose({ run, index }: { readonly run: string; readonly index: number }, command: Command): void {
    this.#context.propose(stepRegister(run, index), command, { kind: "release", run, index });
  }
}

function settlementOf(
  cause: Settlement["cause"],
  detail: string,
  evidence: Uint8Array | null = null,
): Settlement {
  return { cause, by: null, detail, evidence };
}

function matterOf({ run, index }: { readonly run: string; readonly index: number }): Matter {
  return { what: "release", run, index };
}

function keyOf({ run, index }: { readonly run: string; readonly index: number }): string {
  return `${run}/${index}`;
}
