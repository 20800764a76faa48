/**
 * What one domain has another run, and what comes of it, in worlds of two domains:
 *
 * - A released step begins only by a release that a majority of the first domain's control peers signed, and that says what that
 *   domain's registers hold: the step waits, what it needs has ended so, and has made just that.
 * - No honest control peer signs a release or an outcome that is otherwise.
 * - The outcome by which the first domain settles the step is what the second one's registers hold, signed by a majority there; and
 *   what has passed there, where nobody lies, has not failed here for want of signatures.
 */

import { openOutcome, runOfRelease, type Release, type ReleasedOutcome } from "../../protocol/release.ts";
import { openEnvelope } from "../../protocol/envelope.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import type { Message, SignedResult } from "../../protocol/messages.ts";
import { stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import type { WireRecord } from "../../protocol/registers/messages.ts";
import type { StepReport } from "../../protocol/report.ts";
import { encodeValue } from "../../protocol/values.ts";
import { decodedOnce } from "../decoded.ts";
import { simulatedKeys, simulatedVerifier } from "../keys.ts";
import type { Assignment } from "../../node/ports.ts";
import { type Checker, type Observation, Violation } from "../observation.ts";
import { neighbourName } from "../workload.ts";
import { KnownLiars } from "./known-liars.ts";
import { ProposedRegisters } from "./proposed-registers.ts";

/** What is known of one of the two domains. */
class Seen {
  readonly charters: Charter[] = [];
  readonly submissions = new Map<string, Submission[]>();
  /** All that was proposed for a step, by its register, and the digest of the bundle by which a run was admitted. */
  readonly values = new Map<string, Set<StepValue>>();
  readonly admitted = new Map<string, Set<string>>();
  /** Who signed a statement: who asked for it, and who was asked. */
  readonly signers = new Map<string, Set<string>>();
  readonly #proposals = new ProposedRegisters();

  observe(observation: Observation): void {
    if (observation.kind === "configured") {
      const opened = openCharter(observation.charter, null, simulatedVerifier);
      if (opened.ok) this.charters.push(opened.value);
    }
    if (observation.kind === "handed" || observation.kind === "submitted") {
      const { submission } = observation;
      this.submissions.set(submission.run, [...(this.submissions.get(submission.run) ?? []), submission]);
    }
    if (observation.kind !== "sent") return;
    const { message, peer } = observation;
    const { peer: id } = simulatedKeys(peer);
    if (message.kind === "accept") this.#proposed(message.records);
    if (message.kind === "endorse") this.#signed(message.statement, id);
    if (message.kind === "endorsed") this.#signed(payloadOf(message), id);
  }

  /** True when more than half of the control peers have signed it, as some charter of the domain counts. */
  hasSigned(statement: unknown): boolean {
    const signers = this.signers.get(keyOf(encodeValue(statement))) ?? new Set();
    return this.charters.some(({ controls, former, size }) => {
      // Who is alone asks nobody.
      if (size === 1) return true;
      const members = new Set([...controls, ...former].map(({ peer }) => peer));
      return [...signers].filter((signer) => members.has(signer)).length * 2 > size;
    });
  }

  done(run: string, index: number): Extract<StepValue, { state: "done" }>[] {
    return [...(this.values.get(stepRegister(run, index)) ?? [])].filter((value) => value.state === "done");
  }

  #signed(statement: Uint8Array, id: string): void {
    const key = keyOf(statement);
    this.signers.set(key, (this.signers.get(key) ?? new Set()).add(id));
  }

  #proposed(records: readonly WireRecord[]): void {
    for (const [name, register] of this.#proposals.newIn(records)) {
      if (register.kind === "step") this.values.set(name, (this.values.get(name) ?? new Set()).add(register));
      if (register.kind === "run") {
        const run = name.slice("run/".length);
        this.admitted.set(run, (this.admitted.get(run) ?? new Set()).add(register.envelope));
      }
    }
  }
}

export class ReleasesChecker implements Checker {
  readonly name = "releases";
  readonly looksAt = [
    "fault",
    "configured",
    "handed",
    "submitted",
    "sent accept",
    "sent endorse",
    "sent endorsed",
    "recorded",
    "step-started",
  ] as const;
  readonly #here = new Seen();
  readonly #there = new Seen();
  readonly #liarsThere = new KnownLiars();
  #areTwo = false;

  observe(observation: Observation): void {
    this.#here.observe(observation);
    if (!this.#areTwo) return;
    if (
      observation.kind === "sent" &&
      observation.message.kind === "endorsed" &&
      observation.message.what === "release"
    )
      this.#checkRelease(saidBy(observation.message) as Release, `${observation.peer} signs`);
    if (observation.kind === "recorded") for (const event of observation.events) this.#settled(event);
    if (observation.kind === "step-started") this.#startedHere(observation.assignment);
  }

  observeBeyond(observation: Observation): void {
    this.#areTwo = true;
    this.#there.observe(observation);
    this.#liarsThere.observe(observation);
    if (
      observation.kind === "sent" &&
      observation.message.kind === "endorsed" &&
      observation.message.what === "outcome"
    )
      this.#checkOutcome(saidBy(observation.message) as ReleasedOutcome, `${observation.peer} signs`);
    if (observation.kind === "step-started") this.#started(observation.peer, observation.assignment.run);
  }

  finish(): void {
    // Everything was checked as it happened.
  }

  #startedHere({ run, step }: Assignment): void {
    const plan = this.#here.submissions.get(run)?.[0]?.manifest.plan;
    const { environment } = plan?.steps.find(({ name }) => name === step) ?? { environment: null };
    const owner = environment === null ? null : plan?.environments[environment]?.domain;
    if (owner === neighbourName)
      throw this.#violation(`${run}/${step} is begun here, and is the other domain's`);
  }

  #started(peer: string, run: string): void {
    const admitted = this.#there.admitted.get(run);
    const candidates = (this.#there.submissions.get(run) ?? []).filter(
      ({ digest }) => admitted?.has(digest) === true,
    );
    const releases = candidates.flatMap(({ released }) => released?.release ?? []);
    if (releases.length === 0) return;
    if (!releases.some((release) => this.#here.hasSigned(release)))
      throw this.#violation(`${peer} begins ${run}, which no majority has released`);
    for (const release of releases.filter((one) => this.#here.hasSigned(one)))
      this.#checkRelease(release, `${peer} begins what was released:`);
  }

  /** What a release says is what the registers hold of the domain that releases. */
  #checkRelease({ run, index, step, outcomes, inputs }: Release, who: string): void {
    const plan = this.#here.submissions.get(run)?.[0]?.manifest.plan;
    const planned = plan?.steps[index];
    if (plan === undefined || planned === undefined) throw this.#violation(`${who} a release of no run`);
    const place = `${run}/${step}`;
    const values = [...(this.#here.values.get(stepRegister(run, index)) ?? [])];
    if (!values.some(({ state }) => state === "waiting"))
      throw this.#violation(`${who} ${place}, which does not wait`);
    for (const [name, outcome] of Object.entries(outcomes)) {
      const at = plan.steps.findIndex((one) => one.name === name);
      const ends = this.#here.done(run, at).map((value) => value.outcome);
      if (outcome !== "" && outcome !== "skipped" && !ends.includes(outcome))
        throw this.#violation(`${who} ${place} after ${name} ended as ${outcome}, which it has not`);
    }
    for (const need of planned.needs)
      if (outcomes[need.step] === undefined) throw this.#violation(`${who} ${place} without ${need.step}`);
    for (const { name, tree } of inputs) {
      const wanted = planned.inputs.find((one) => one.name === name);
      const at = plan.steps.findIndex((one) => one.name === wanted?.step);
      const made = this.#here.done(run, at).flatMap((value) => this.#madeBy(value));
      if (!made.some((one) => one.name === wanted?.output && one.tree === tree))
        throw this.#violation(`${who} ${place} with ${tree} as ${name}, which nobody made`);
    }
  }

  #madeBy(value: Extract<StepValue, { state: "done" }>): StepReport["outputs"] {
    if (value.settlement?.evidence instanceof Uint8Array && value.settlement.cause === "released") {
      const opened = openOutcome(value.settlement.evidence, simulatedVerifier);
      return opened.ok ? opened.value.outcome.outputs : [];
    }
    return value.report === null ? [] : reportIn(value.report).outputs;
  }

  /** What an outcome says is what the registers hold of the domain that ran the step. */
  #checkOutcome(outcome: ReleasedOutcome, who: string): void {
    const manifest = this.#here.submissions.get(outcome.run)?.[0]?.manifestCid ?? "";
    const run = runOfRelease({ run: outcome.run, manifest, index: outcome.index });
    const isSo = this.#there.done(run, 0).some((value) => {
      const isPassed = value.outcome === "passed" && value.settlement === undefined;
      const made = isPassed && value.report !== null ? reportIn(value.report).outputs : [];
      const ended = value.outcome === "passed" || value.outcome === "timed-out" ? value.outcome : "failed";
      return ended === outcome.outcome && JSON.stringify(made) === JSON.stringify(outcome.outputs);
    });
    if (!isSo)
      throw this.#violation(`${who} that ${outcome.run}/${outcome.index} ${outcome.outcome} elsewhere`);
  }

  #settled(event: LoggedEvent): void {
    if (event.kind !== "step-settled" || event.cause !== "released") return;
    const place = `${event.run}/${event.step}`;
    if (event.evidence === null) {
      if (event.outcome !== "failed")
        throw this.#violation(`${place} ${event.outcome}, and nobody signed so`);
      if (!this.#liarsThere.haveAny && this.#hasPassedThere(event))
        throw this.#violation(`${place} is said to have failed, and has passed elsewhere`);
      return;
    }
    const opened = openOutcome(event.evidence, simulatedVerifier);
    if (!opened.ok) throw this.#violation(`${place} was settled by what is no outcome`);
    const { outcome } = opened.value;
    const steps = this.#here.submissions.get(event.run)?.[0]?.manifest.plan.steps ?? [];
    const isOfIt = outcome.run === event.run && steps[outcome.index]?.name === event.step;
    if (!isOfIt || outcome.outcome !== event.outcome)
      throw this.#violation(`${place} was settled by another outcome`);
    if (!this.#there.hasSigned(outcome))
      throw this.#violation(`${place} was settled by what no majority signed`);
    this.#checkOutcome(outcome, "it is settled");
  }

  #hasPassedThere({ run: id, step }: { readonly run: string; readonly step: string }): boolean {
    const submission = this.#here.submissions.get(id)?.[0];
    const index = submission?.manifest.plan.steps.findIndex(({ name }) => name === step) ?? -1;
    const run = runOfRelease({ run: id, manifest: submission?.manifestCid ?? "", index });
    return this.#there
      .done(run, 0)
      .some(({ outcome, settlement }) => outcome === "passed" && settlement === undefined);
  }

  #violation(what: string): Violation {
    return new Violation(this.name, what);
  }
}

function payloadOf({ envelope }: Extract<Message, { kind: "endorsed" }>): Uint8Array {
  return (decodedOnce(envelope) as readonly [string, string, string, Uint8Array])[3];
}

function saidBy(message: Extract<Message, { kind: "endorsed" }>): unknown {
  return decodedOnce(payloadOf(message));
}

function reportIn(envelope: Uint8Array): StepReport {
  const opened = openEnvelope(envelope, { kind: "result", domain: null }, simulatedVerifier);
  if (!opened.ok) throw new Error(`Bug: a report is kept that ${opened.problem}`);
  return (opened.value.value as SignedResult).report;
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
