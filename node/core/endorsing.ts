/**
 * Whether a guarded step may begin, as one control peer sees it: by the policy, plan, registers and clock that it has itself,
 * whoever asks. The home judges so before it asks the others, and each of them before it signs.
 */

import { missingFor } from "../../planner/policy/judge.ts";
import { openAnswer } from "../../protocol/answers.ts";
import { type Signer, sealEnvelope, type Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import type { Submission } from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import { inputsDigest, type Message } from "../../protocol/messages.ts";
import { type Permit, readPermit } from "../../protocol/permits.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { type RegisterValue, stepRegister } from "../../protocol/registers/registers.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Now, PollRequest } from "./effects.ts";
import { OpenRun } from "./open-run.ts";
import { Policies } from "./policies.ts";
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
    const given = inputsDigest(run.given(index));
    const gate = policies.gateOf(submission, index);
    if (gate === null) return { missing: [], approvedBy: [], given };
    const approvedBy = this.#approvers(run, index, given, evidence, now);
    const missing = missingFor(gate, {
      approvedBy,
      outcomeOf: (step) => run.outcomeOf(step),
      verdicts: verdicts.holding({ run: submission.run, index }, gate, now),
      nowMs: now.wallMs,
    });
    const entitled = [...approvedBy].filter((peer) => gate.approvals.some(({ keys }) => keys.has(peer)));
    return { missing, approvedBy: entitled.toSorted(), given };
  }

  /** Signs what another control peer asks for, or says why not. */
  answer(message: EndorseMessage, now: Now): Message {
    const read = readPermit(message.statement);
    const permit = read.ok ? read.value : null;
    const why = permit === null ? "it is no permit" : this.#whyNot(permit, message.evidence, now);
    if (permit === null || why !== null)
      return { kind: "not-endorsed", run: permit?.run ?? "", index: permit?.index ?? 0, why: why ?? "" };
    return { kind: "endorsed", run: permit.run, index: permit.index, envelope: this.sign(permit) };
  }

  sign(permit: Permit): Uint8Array {
    return sealEnvelope("permit", this.#context.charter().domain, permit, this.#context.keys);
  }

  #whyNot(permit: Permit, evidence: readonly Uint8Array[], now: Now): string | null {
    const run = this.#rebuilt(permit.run);
    if (run === null) return "it does not know the run yet";
    const { manifestCid } = run.submission;
    if (manifestCid !== permit.manifest || !run.has(permit.index)) return "the run is of another submission";
    if (run.step(permit.index).name !== permit.step) return "the plan has another step there";
    const isNow = Math.abs(permit.fromMs - now.wallMs) <= limits.signedApartMsMax;
    if (!isNow || permit.untilMs - permit.fromMs > limits.permitMs)
      return "its clock is of another time, or it would be good for longer than a permit is";
    const { missing, approvedBy, given } = this.judge(run, permit.index, evidence, now);
    if (given !== permit.given) return "the step is given other files or values, as far as it knows";
    if (missing.length > 0) return missing.join("; ");
    return approvedBy.join() === permit.approvedBy.join() ? null : "others approved than it names";
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
      const report = known.state === "done" && known.report !== null ? context.reportIn(known.report) : null;
      run.apply(index, known, report);
    }
    return run;
  }

  /** Whoever said yes to this step of this submission with exactly what it is given. */
  #approvers(
    { submission }: OpenRun,
    index: number,
    given: string,
    evidence: readonly Uint8Array[],
    { wallMs }: Now,
  ): ReadonlySet<string> {
    const approved = new Set<string>();
    for (const bytes of evidence) {
      const opened = openAnswer(bytes, this.#context.charter(), wallMs, this.#context.keys);
      if (!opened.ok) continue;
      const { answer, person } = opened.value;
      const isForIt =
        answer.run === submission.run &&
        answer.manifest === submission.manifestCid &&
        answer.given === given &&
        answer.verdict === "passed";
      if (isForIt && answer.step === submission.manifest.plan.steps[index]?.name) approved.add(person.peer);
    }
    return approved;
  }
}
