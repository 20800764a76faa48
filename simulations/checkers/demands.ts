/**
 * What a domain's owner demands of guarded steps, judged once more and by itself: nothing here is taken from the code that is
 * judged by it, but for how bytes are opened. Of a world's policies: each demand is for every guarded step (`policies.ts`).
 */

import { equals } from "uint8arrays/equals";
import type { Answer } from "../../protocol/answers.ts";
import { openEnvelope } from "../../protocol/envelope.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { type Charter, openCharter } from "../../protocol/membership.ts";
import type { GatePhase, Permit } from "../../protocol/permits.ts";
import type { EnvironmentPolicy, Policy } from "../../protocol/policy.ts";
import { decodedOnce } from "../decoded.ts";
import { simulatedKeys, simulatedVerifier } from "../keys.ts";
import type { Observation } from "../observation.ts";
import { startWallMs } from "../workload.ts";

/** A gate of a step. */
export type Place = { readonly submission: Submission; readonly index: number; readonly phase: GatePhase };

type Version = { readonly version: number; readonly policy: Policy; chosenUs: number };
type Signed = { readonly permit: Permit; readonly payload: Uint8Array; readonly signer: string };
type Rules = Pick<EnvironmentPolicy, "approve" | "open" | "freeze">;

const minuteMs = 60_000;
/** Clocks that nobody has set differ by less. */
const apartMs = 15_000;
/** How far a permit's time may be from its signer's clock, and for how long it may be good. */
const permitApartMs = 10 * minuteMs;
const permitMs = 10 * minuteMs;
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

export class Demands {
  readonly #domain: string;
  readonly #charters: Charter[] = [];
  readonly #versions: Version[] = [];
  /** When others were asked first to sign what says this. */
  readonly #asked = new Map<string, number>();
  /** True once a machine's clock was set: then the time that a permit names says nothing. */
  clocksAreSet = false;

  /** @param domain its name. */
  constructor(domain: string) {
    this.#domain = domain;
  }

  get isNothing(): boolean {
    return this.#versions.length === 0;
  }

  configured(bytes: Uint8Array): void {
    const opened = openCharter(bytes, null, simulatedVerifier);
    if (opened.ok) this.#charters.push(opened.value);
  }

  policy(observation: Extract<Observation, { kind: "policy-signed" | "policy-chosen" }>): void {
    const { version, atUs } = observation;
    if (observation.kind === "policy-signed")
      this.#versions.push({ version, policy: observation.policy, chosenUs: Infinity });
    for (const one of this.#versions)
      if (observation.kind === "policy-chosen" && one.version <= version)
        one.chosenUs = Math.min(one.chosenUs, atUs);
  }

  asked(statement: Uint8Array, atUs: number): void {
    const key = keyOf(statement);
    if (!this.#asked.has(key)) this.#asked.set(key, atUs);
  }

  /** True for a step before which something is demanded. */
  guards(submission: Submission, index: number): boolean {
    const [first] = this.#versions;
    if (first === undefined || !this.#mayGuard(submission, index)) return false;
    return rulesOf(first.policy, "before").some(({ approve, open, freeze }) => approve ?? open ?? freeze);
  }

  #mayGuard({ manifest }: Submission, index: number): boolean {
    const step = manifest.plan.steps[index];
    if (step?.included !== true || step.environment === null || step.action !== undefined) return false;
    const owner = manifest.plan.environments[step.environment]?.domain ?? this.#domain;
    return owner === this.#domain;
  }

  holdsBack(submission: Submission, index: number): boolean {
    const [first] = this.#versions;
    if (first === undefined || !this.#mayGuard(submission, index)) return false;
    return rulesOf(first.policy, "after").length > 0;
  }

  permitIn(bytes: Uint8Array): Permit | null {
    const [first] = envelopesIn(bytes);
    return first === undefined ? null : (this.signedIn(first)?.permit ?? null);
  }

  signedIn(envelope: Uint8Array): Signed | null {
    const opened = openEnvelope(envelope, { kind: "permit", domain: null }, simulatedVerifier);
    if (!opened.ok) return null;
    const { signer, payload } = opened.value.envelope;
    return { permit: opened.value.value as Permit, payload, signer };
  }

  /**
   * Why a permit opens no such gate.
   *
   * @param given what the step is given; null: that is not known.
   * @param evidence what people signed.
   */
  whyNot(
    place: Place,
    bytes: Uint8Array,
    { given, evidence }: { readonly given: string | null; readonly evidence: readonly Uint8Array[] },
  ): string | null {
    const signed = envelopesIn(bytes).map((envelope) => this.signedIn(envelope));
    const [first] = signed;
    if (first === undefined || first === null) return "its permit is none";
    const { permit, payload } = first;
    const signers = new Set<string>();
    for (const one of signed) {
      if (one === null || !equals(one.payload, payload))
        return "its permit is not signed by all whom it names";
      signers.add(one.signer);
    }
    if (!this.#charters.some((charter) => isMajority(charter, signers)))
      return `${signers.size} have signed its permit`;
    if (given !== null && permit.given !== given) return "its permit is for something else than it is given";
    const atMs = [permit.fromMs];
    return (
      whyNotOf(place, permit) ??
      this.#whyNotEnough(place, permit, evidence, atMs, this.#since(permit, payload))
    );
  }

  /** Why no honest control peer signs it, by what it was shown. @param nowMs null: its clock is wrong. */
  whyNotSigned(
    place: Place,
    permit: Permit,
    { evidence, nowMs }: { readonly evidence: readonly Uint8Array[]; readonly nowMs: number | null },
  ): string | null {
    const why = whyNotOf(place, permit);
    if (why !== null) return why;
    if (nowMs !== null && Math.abs(permit.fromMs - nowMs) > permitApartMs + apartMs)
      return "it is of another time";
    return this.#whyNotEnough(place, permit, evidence, nowMs === null ? null : around(nowMs), null);
  }

  /** True when some version of the policy lacks nothing that people and time must say. */
  mayLackNothing(
    place: Place,
    given: string,
    evidence: readonly Uint8Array[],
    nowMs: number | null,
  ): boolean {
    const yes = saidYes(place, given, evidence);
    const atMs = nowMs === null ? null : around(nowMs);
    return this.#versions.some(({ policy }) => whyNotBy(policy, place.phase, yes, atMs) === null);
  }

  /** True when every version was content with what people said, at each of these times. */
  hadEnough(place: Place, evidence: readonly Uint8Array[], times: readonly number[]): boolean {
    const givens = new Set(evidence.map((bytes) => answerIn(bytes)?.answer.given ?? ""));
    return [...givens].some((given) => {
      const yes = saidYes(place, given, evidence);
      return this.#versions.every(({ policy }) =>
        times.every((atMs) => whyNotBy(policy, place.phase, yes, [atMs]) === null),
      );
    });
  }

  #whyNotEnough(
    place: Place,
    permit: Permit,
    evidence: readonly Uint8Array[],
    atMs: readonly number[] | null,
    sinceUs: number | null,
  ): string | null {
    const yes = saidYes(place, permit.given, evidence);
    const stranger = permit.approvedBy.find((peer) => !yes.has(peer));
    if (stranger !== undefined) return `its permit names ${stranger}, who has not approved`;
    let why: string | null = "there is no policy";
    for (const { version, policy } of this.#versions) {
      const isOver =
        sinceUs !== null &&
        this.#versions.some((later) => later.version > version && later.chosenUs < sinceUs);
      if (isOver) continue;
      why = whyNotBy(policy, place.phase, yes, atMs);
      if (why === null) return null;
    }
    return why;
  }

  /** When it was begun to be signed, at the earliest; null: nobody can say. */
  #since({ fromMs }: Permit, payload: Uint8Array): number | null {
    const askedUs = this.#asked.get(keyOf(payload));
    if (askedUs !== undefined) return askedUs;
    return this.clocksAreSet ? null : (fromMs - startWallMs - apartMs) * 1_000;
  }
}

/** Why it is for another gate, or good for longer than any is. */
function whyNotOf({ submission, index, phase }: Place, permit: Permit): string | null {
  const { run, manifestCid, manifest } = submission;
  if (permit.run !== run || permit.manifest !== manifestCid) return "its permit is another submission's";
  if (permit.index !== index || permit.step !== manifest.plan.steps[index]?.name)
    return "its permit is another step's";
  if ((permit.phase ?? "before") !== phase) return `its permit is not for ${phase} the step`;
  return permit.untilMs - permit.fromMs > permitMs ? "its permit is good for too long" : null;
}

/** @param atMs at one of these times; null: at any. */
function whyNotBy(
  policy: Policy,
  phase: GatePhase,
  yes: ReadonlySet<string>,
  atMs: readonly number[] | null,
): string | null {
  const rules = rulesOf(policy, phase);
  for (const { approve } of rules) {
    if (approve === undefined) continue;
    const named = approve.by.flatMap((who) => (who === "team/release" ? ["mia", "noa"] : [who]));
    const count = new Set(named.map((name) => simulatedKeys(name).peer).filter((peer) => yes.has(peer))).size;
    if (count < approve.count) return `${count} of ${approve.count} have approved`;
  }
  const isOpen = (ms: number): boolean =>
    rules.every(({ open, freeze = [] }) => {
      const isFrozen = freeze.some(
        ({ from, until }) => ms >= new Date(from).getTime() && ms < new Date(until).getTime(),
      );
      return !isFrozen && (open === undefined || open.some((window) => isIn(window, ms)));
    });
  return atMs === null || atMs.some(isOpen) ? null : "it is not the time for it";
}

function rulesOf({ environments = {} }: Policy, phase: GatePhase): readonly Rules[] {
  const all = Object.values(environments);
  return phase === "before" ? all : all.flatMap(({ after }) => (after === undefined ? [] : [after]));
}

/** None goes on into the next day. */
function isIn(window: string, ms: number): boolean {
  const [named = "", times = ""] = window.split(" ");
  const [first = "", last = first] = named.split("-").map((day) => days.indexOf(day));
  const at = new Date(ms);
  const [from = 0, until = 0] = times.split("-").map((time) => {
    const [hours = 0, minutes = 0] = time.split(":").map(Number);
    return hours * 60 + minutes;
  });
  const minute = at.getUTCHours() * 60 + at.getUTCMinutes();
  return (
    at.getUTCDay() >= Number(first) && at.getUTCDay() <= Number(last) && minute >= from && minute < until
  );
}

/** Who said yes to exactly this. */
function saidYes(
  { submission, index }: Place,
  given: string,
  evidence: readonly Uint8Array[],
): ReadonlySet<string> {
  const { run, manifestCid, manifest } = submission;
  const step = manifest.plan.steps[index]?.name;
  return new Set(
    evidence.flatMap((bytes) => {
      const opened = answerIn(bytes);
      if (opened === null) return [];
      const { answer, signer } = opened;
      const isForIt = answer.run === run && answer.manifest === manifestCid && answer.step === step;
      return isForIt && answer.given === given && answer.verdict === "passed" ? [signer] : [];
    }),
  );
}

function answerIn(bytes: Uint8Array): { readonly answer: Answer; readonly signer: string } | null {
  const [envelope] = decodedOnce(bytes) as [Uint8Array];
  const opened = openEnvelope(envelope, { kind: "answer", domain: null }, simulatedVerifier);
  if (!opened.ok) return null;
  return { answer: opened.value.value as Answer, signer: opened.value.envelope.signer };
}

/** As it is kept, with a charter, or alone. */
function envelopesIn(bytes: Uint8Array): readonly Uint8Array[] {
  const found = decodedOnce(bytes) as readonly Uint8Array[] | { readonly signed: Uint8Array };
  return "signed" in found ? (decodedOnce(found.signed) as readonly Uint8Array[]) : found;
}

function isMajority({ controls, former, size }: Charter, signers: ReadonlySet<string>): boolean {
  const members = new Set([...controls, ...former].map(({ peer }) => peer));
  return [...signers].filter((signer) => members.has(signer)).length * 2 > size;
}

function around(nowMs: number): readonly number[] {
  return [nowMs - apartMs, nowMs, nowMs + apartMs];
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
