/**
 * What one control peer signs: whether a guarded step may begin or counts as it ended, that a step is released to another domain, and how a released
 * one ended; by the policy, plan, registers and clock that it has itself, whoever asks.
 */

import { equals } from "uint8arrays/equals";
import { missingFor } from "../../planner/policy/judge.ts";
import { type Origin, originsOf } from "../../planner/policy/origins.ts";
import { unreachable } from "../../protocol/errors.ts";
import { openAnswer, type OpenedAnswer } from "../../protocol/answers.ts";
import { type Signer, sealEnvelope, type Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import { submittedSinceMs, type Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import type { GrantedLease, Message } from "../../protocol/messages.ts";
import {
  type GatePhase,
  isPermit,
  isToCount,
  openEarlierPermit,
  openPermit,
  type Permit,
  whyNotFor,
} from "../../protocol/permits.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { type RegisterValue, stepRegister } from "../../protocol/registers/registers.ts";
import {
  foreignDomainOf,
  isOutcome,
  isRelease,
  openOutcome,
  type Release,
  type ReleasedOutcome,
} from "../../protocol/release.ts";
import type { StepReport } from "../../protocol/report.ts";
import { decodeUntrusted, encodeValue } from "../../protocol/values.ts";
import type { Countersigned } from "./countersigning.ts";
import type { Now, PollRequest } from "./effects.ts";
import { isWell } from "./held-before.ts";
import { OpenRun } from "./open-run.ts";
import { madeBy, outcomeOf, releaseOf } from "./released.ts";
import { Policies } from "./policies.ts";
import { originsShown } from "./shown-provenance.ts";
import { Verdicts } from "./verdicts.ts";

type EndorsingContext = {
  readonly keys: Signer & Verifier;
  charter(): Charter;
  document(name: string): DocumentValue | undefined;
  poll(request: PollRequest): void;
  submission(run: string): Submission | null;
  /** As this peer has it, chosen or voted for. */
  value(register: string): RegisterValue | null;
  reportIn(envelope: Uint8Array): StepReport | null;
  /** The newest charter of this domain, or of one that its owner trusts; null for any other. */
  charterOf(domain: string): Charter | null;
  /** The run that a step of another domain's has become here. */
  releasedAs(domain: string, run: string, index: number): string | null;
};

export type Judged = {
  /** What the gate lacks, each a sentence; empty: it may open. */
  readonly missing: readonly string[];
  /** Those who approved and may, sorted. */
  readonly approvedBy: readonly string[];
  /** Digest of what the step is given. */
  readonly given: string;
};

type EndorseMessage = Extract<Message, { kind: "endorse" }>;

export class Endorsing {
  readonly #context: EndorsingContext;
  readonly policies: Policies;
  readonly verdicts: Verdicts;

  constructor(context: EndorsingContext) {
    this.#context = context;
    this.policies = new Policies(context);
    this.verdicts = new Verdicts((request) => context.poll(request));
  }

  /** @param evidence what people signed (`protocol/answers.ts`). */
  judge(run: OpenRun, index: number, evidence: readonly Uint8Array[], now: Now): Judged {
    const { policies, verdicts } = this;
    const { submission } = run;
    const given = run.judged(index);
    const gate = policies.gateOf(submission, index, phaseOf(run, index));
    if (gate === null) return { missing: [], approvedBy: [], given };
    const said = this.#said(run, index, given, evidence, now);
    const approvedBy = new Set(said.map(({ person }) => person.peer));
    const { inputs } = run.given(index);
    const shown = said.flatMap(({ answer }) => answer.provenances ?? []);
    const origins = shown.flatMap((one) => originsShown(one, inputs, this.#context));
    const missing = [
      ...missingFor(gate, {
        approvedBy,
        outcomeOf: (step) => run.outcomeOf(step),
        verdicts: verdicts.holding({ run: submission.run, index }, gate, now),
        inputs: inputs.map(({ name }) => name),
        origins: [...this.#origins(run, index), ...origins],
        nowMs: now.wallMs,
      }),
    ];
    const entitled = [...approvedBy].filter((peer) => gate.approvals.some(({ keys }) => keys.has(peer)));
    const uncounted = this.uncounted(run, index);
    if (uncounted !== null) missing.push(uncounted);
    return { missing, approvedBy: entitled.toSorted(), given };
  }

  /** How what the step is given came to be, by the plan and the registers that this peer has, or by a release that it was shown. */
  #origins(run: OpenRun, index: number): readonly Origin[] {
    const { manifest, released } = run.submission;
    const plan = released?.plan ?? manifest.plan;
    const { name, domain: id } = released?.from.charter ?? this.#context.charter();
    const planned = released === undefined ? run.step(index) : plan.steps[released.release.index];
    const repository = manifest.source.kind === "commit" ? manifest.source.repository : null;
    return planned === undefined ? [] : originsOf(plan, planned, { domain: { name, id }, repository });
  }

  /** Signs what another control peer asks for, or says why not. */
  answer({ what, statement, evidence }: EndorseMessage, now: Now): Message {
    const decoded = decodeUntrusted(statement);
    const said = decoded.ok ? decoded.value : null;
    const { run, index } = (said ?? {}) as { readonly run?: unknown; readonly index?: unknown };
    const named = { run: typeof run === "string" ? run : "", index: typeof index === "number" ? index : 0 };
    const place = { what, ...named };
    const why = this.#whyNot(what, said, evidence, now);
    if (why !== null) return { kind: "not-endorsed", ...place, why };
    const { charter, keys } = this.#bound();
    return { kind: "endorsed", ...place, envelope: sealEnvelope(what, charter.domain, said, keys) };
  }

  #whyNot(what: Countersigned, said: unknown, evidence: readonly Uint8Array[], now: Now): string | null {
    switch (what) {
      case "permit":
        return isPermit(said) ? this.#whyNoPermit(said, evidence, now) : "it is no permit";
      case "release":
        return isRelease(said) ? this.#whyNoRelease(said, now) : "it is no release";
      case "outcome":
        return isOutcome(said) ? this.#whyNoOutcome(said) : "it is no outcome";
      default:
        return unreachable(what);
    }
  }

  #whyNoPermit(permit: Permit, evidence: readonly Uint8Array[], now: Now): string | null {
    const run = this.#rebuilt(permit.run);
    if (run === null) return "it does not know the run yet";
    const { manifestCid } = run.submission;
    if (manifestCid !== permit.manifest || !run.has(permit.index)) return "the run is of another submission";
    if (run.step(permit.index).name !== permit.step) return "the plan has another step there";
    if ((permit.phase ?? "before") !== phaseOf(run, permit.index))
      return permit.phase === "after"
        ? "the step has not ended, as far as it knows"
        : "the step has begun, as far as it knows";
    // Whoever has not heard of the policy yet knows nothing that is missing.
    if (this.policies.gateOf(run.submission, permit.index, phaseOf(run, permit.index)) === null)
      return "no policy that it knows demands anything there";
    const isNow = Math.abs(permit.fromMs - now.wallMs) <= limits.signedApartMsMax;
    if (!isNow || permit.untilMs - permit.fromMs > limits.permitMs)
      return "its clock is of another time, or it would be good for longer than a permit is";
    const { missing, approvedBy, given } = this.judge(run, permit.index, evidence, now);
    if (given !== permit.given) return "the step is given other files or values, as far as it knows";
    if (missing.length > 0) return missing.join("; ");
    return approvedBy.join() === permit.approvedBy.join() ? null : "others approved than it names";
  }

  /** Everything that it says of the run, this peer finds in its own registers. */
  #whyNoRelease(release: Release, { wallMs }: Now): string | null {
    const run = this.#rebuilt(release.run);
    if (run === null) return "it does not know the run yet";
    if (!run.has(release.index) || run.phase(release.index) !== "waiting")
      return "the step does not wait to be released, as far as it knows";
    const uncounted = this.uncounted(run, release.index);
    if (uncounted !== null) return uncounted;
    const isNow = Math.abs(release.fromMs - wallMs) <= limits.signedApartMsMax;
    if (!isNow || release.untilMs - release.fromMs > limits.submissionMsMax)
      return "its clock is of another time, or it would be good for too long";
    const own = releaseOf(run, release.index, release);
    return equals(encodeValue(own), encodeValue(release)) ? null : "the run is otherwise, as far as it knows";
  }

  #whyNoOutcome(outcome: ReleasedOutcome): string | null {
    const run = this.#releasedRun(outcome);
    if (run === null) return "it does not know the release";
    const own = outcomeOf(run, this.#context);
    if (own === null) return "the step has not ended, as far as it knows";
    if (own.outcome === "passed" && !this.isLetCount(run, 0)) return "the policy does not let it count";
    return equals(encodeValue(own), encodeValue(outcome))
      ? null
      : "the step ended otherwise, as far as it knows";
  }

  /**
   * Why what a step needs does not count, or has not ended, whatever some home says: of what ended well behind a gate, a majority says
   * that it counts. How it came to its end is the home's word, so that it ended well is enough.
   */
  uncounted(run: OpenRun, index: number): string | null {
    for (const name of run.before(index)) {
      const at = run.indexOf(name);
      const outcome = run.outcomeOf(name);
      if (outcome === null || !isWell(outcome)) continue;
      if (!this.isLetCount(run, at)) return `${name} has ended, and the policy does not let that count`;
      if (!this.#isSettledByItsDomain(run, at))
        return `${name} is another domain's, and that has not signed that it has ended so`;
    }
    return run.isReached(index) ? null : "what it needs has not ended so, as far as it knows";
  }

  /** True for a step of this domain, or one that ended as a majority signed of the domain that it is of, which the owner of this one trusts. */
  #isSettledByItsDomain(run: OpenRun, index: number): boolean {
    const { charter, keys } = this.#bound();
    const owner = foreignDomainOf(run.submission.manifest.plan, run.step(index), charter.name);
    if (owner === null) return true;
    const value = this.#context.value(stepRegister(run.submission.run, index));
    const evidence = value?.kind === "step" && value.state === "done" ? value.settlement?.evidence : null;
    const opened = evidence == null ? null : openOutcome(evidence, keys);
    if (opened?.ok !== true) return false;
    const { outcome, from } = opened.value;
    return (
      this.#context.charterOf(from.charter.domain)?.name === owner &&
      outcome.domain === charter.domain &&
      outcome.run === run.submission.run &&
      outcome.index === index &&
      outcome.outcome === run.outcomeOf(run.step(index).name)
    );
  }

  /** True for a step that nothing is demanded of once it has ended, or that has a permit for just how it did. */
  isLetCount(run: OpenRun, index: number): boolean {
    const { submission } = run;
    if (this.policies.gateOf(submission, index, "after") === null) return true;
    const value = this.#context.value(stepRegister(submission.run, index));
    const gate = value?.kind === "step" && value.state === "done" ? value.gate : undefined;
    const { charter, keys } = this.#bound();
    // For good, by who they were then: nobody signs it anew when the domain has other control peers, or more of them.
    const permit = gate === undefined ? null : openEarlierPermit(gate.permit, charter, keys);
    if (permit?.ok !== true) return false;
    const { run: id, manifestCid: manifest } = submission;
    return isToCount(
      permit.value,
      { run: id, manifest, index, given: run.judged(index) },
      submittedSinceMs(submission),
    );
  }

  #releasedRun({ run, index, domain }: ReleasedOutcome): OpenRun | null {
    const found = this.#context.releasedAs(domain, run, index);
    return found === null ? null : this.#rebuilt(found);
  }

  /** What a step is given, as far as the registers of this peer tell; null: its run is not known here. */
  given(id: string, index: number): Pick<GrantedLease, "inputs" | "values"> | null {
    return this.#rebuilt(id)?.given(index) ?? null;
  }

  /**
   * Why a step that is leased has not passed its gate, as this peer sees it; null: it has, or there is none.
   *
   * What began by a permit goes on by it, also when the domain has more control peers since, whom nobody asks again: for as long as a
   * step may take that was given out while the permit was good. So what a lone founder signs with an earlier date than that on which the
   * domain has grown is worth nothing soon after.
   */
  whyNotPermitted(id: string, index: number, wallMs: number): string | null {
    const run = this.#rebuilt(id);
    if (run === null) return "its run is not known here";
    if (this.policies.gateOf(run.submission, index, "before") === null) return null;
    const value = this.#context.value(stepRegister(id, index));
    const gate = value?.kind === "step" && value.state === "leased" ? value.gate : undefined;
    const { charter: newest, keys } = this.#bound();
    const today = gate === undefined ? null : openPermit(gate.permit, newest, keys);
    const earlier =
      gate === undefined || today?.ok === true ? null : openEarlierPermit(gate.permit, newest, keys);
    const permit = earlier ?? today;
    if (permit?.ok !== true) return "a majority of the control peers has signed no permit for it";
    if (
      earlier !== null &&
      wallMs > permit.value.untilMs + run.step(index).timeoutMs + limits.signedApartMsMax
    )
      return "its permit is of fewer control peers than there are, and nothing that began by it can still be running";
    const { manifestCid: manifest } = run.submission;
    return whyNotFor(permit.value, { run: id, manifest, index, given: inputsDigest(run.given(index)) });
  }

  /** An open run as far as the registers of this peer tell, which may lag behind the home's. */
  #rebuilt(id: string): OpenRun | null {
    const context = this.#context;
    const submission = context.submission(id);
    if (submission === null) return null;
    const run = new OpenRun(submission);
    run.begin();
    for (let index = 0; index < run.stepCount; index += 1) {
      const known = context.value(stepRegister(id, index));
      if (known?.kind !== "step") continue;
      run.apply(index, known, madeBy(known, context));
    }
    return run;
  }

  #bound() {
    return { charter: this.#context.charter(), keys: this.#context.keys };
  }

  /** A yes, each a person's, to this step of this submission with exactly what it is given. */
  #said(
    { submission }: OpenRun,
    index: number,
    given: string,
    evidence: readonly Uint8Array[],
    { wallMs }: Now,
  ): readonly OpenedAnswer[] {
    const said: OpenedAnswer[] = [];
    for (const bytes of evidence) {
      const opened = openAnswer(bytes, this.#context.charter(), wallMs, this.#context.keys);
      if (!opened.ok) continue;
      const { answer } = opened.value;
      const isForIt =
        answer.run === submission.run &&
        answer.manifest === submission.manifestCid &&
        answer.given === given &&
        answer.verdict === "passed";
      if (isForIt && answer.step === submission.manifest.plan.steps[index]?.name) said.push(opened.value);
    }
    return said;
  }
}

/** Behind a step that has ended, and does not count yet; else before it. */
export function phaseOf(run: OpenRun, index: number): GatePhase {
  return run.held(index) === null ? "before" : "after";
}
