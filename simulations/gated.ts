/**
 * Guarded steps in a world: what the domain's owner demands before and behind them, one version after the other, and people
 * who say yes, no, too late, twice, or about something else. Nothing is submitted before the first demand is the domain's.
 */

import type { GateSeen } from "../protocol/calls.ts";
import { type Answer, sealAnswer } from "../protocol/answers.ts";
import { type Document, sealDocument } from "../protocol/documents.ts";
import type { Submission } from "../protocol/manifest.ts";
import type { Charter } from "../protocol/membership.ts";
import { type Policy, policyDocument } from "../protocol/policy.ts";
import { sha256Hex } from "../protocol/values.ts";
import { simulatedKeys } from "./keys.ts";
import type { Observation, PeerName } from "./observation.ts";
import type { Peer, Seen } from "./peer.ts";
import { Chance } from "./random.ts";
import type { Schedule, ScheduledApprover, ScheduledGates } from "./schedule.ts";
import { certificateOf, startWallMs } from "./workload.ts";

/** Whom policies name, alone or in teams. */
const people = ["mia", "noa", "kai"];

const putAgainUs = 700_000;
const lookAgainUs = 1_100_000;
/** Whoever does not say yes says what it says so often. */
const triesMax = 12;

/** Gates stand before steps and behind them, and each waits for minutes, one after the other where an environment is locked. */
const waitsUs = 3_600_000_000;

/**
 * How long worlds with gates get to come to their end, of all their domains. Until when a gate waits is said by the clock of one
 * home; another one, whose clock was set back, or not set forward, waits for that much longer.
 */
export function gatesUs(domains: readonly Pick<Schedule, "peers" | "faults">[]): number {
  return waitsUs + domains.reduce((sumUs, domain) => sumUs + apartUs(domain), 0);
}

/** By how much the clocks of a domain's control peers are set apart. */
function apartUs({ peers, faults }: Pick<Schedule, "peers" | "faults">): number {
  let [earliestMs, latestMs] = [0, 0];
  for (const { name, role } of peers) {
    let aheadMs = 0;
    for (const fault of faults)
      if (role === "control" && fault.kind === "clock-jump" && fault.peer === name) {
        aheadMs += fault.byMs;
        earliestMs = Math.min(earliestMs, aheadMs);
        latestMs = Math.max(latestMs, aheadMs);
      }
  }
  return (latestMs - earliestMs) * 1_000;
}

export type GatedAround = {
  readonly seed: number;
  readonly gates: ScheduledGates;
  readonly charter: Charter;
  readonly nowUs: () => number;
  readonly in: (afterUs: number, action: () => void) => void;
  readonly controls: () => readonly Peer[];
  /** What was submitted under this nonce, and has this step; null: nothing yet. */
  readonly submission: (nonce: string, step: string) => Submission | null;
  readonly isOver: (run: string) => boolean;
  /** The number of a new question. */
  readonly ask: () => number;
  readonly see: (peer: PeerName, seen: Seen) => void;
};

export class GatedWork {
  readonly #around: GatedAround;
  /** Versions of the policy that a control peer has said to be the domain's. */
  #chosen = 0;
  readonly #puts = new Map<number, number>();
  /** What people have signed, for whoever shows it once more. */
  readonly #signed: Uint8Array[] = [];

  constructor(around: GatedAround) {
    this.#around = around;
    const { policies, people: all } = around.gates;
    for (const [index, { atUs, policy }] of policies.entries())
      around.in(atUs, () => this.#give(index + 1, policy, null));
    for (const approver of all) around.in(approver.atUs, () => this.#approve(approver, 0));
  }

  /** True once the domain demands something. */
  get isReady(): boolean {
    return this.#chosen > 0;
  }

  observe(observation: Observation): void {
    if (observation.kind === "answered") {
      const version = this.#puts.get(observation.question) ?? 0;
      const { answer } = observation;
      // Another home may have put it, and nobody heard: then it is no news.
      const isPut = answer.ok || answer.reason === "stale";
      if (!isPut || version <= this.#chosen) return;
      this.#chosen = version;
      this.#around.see("world", { kind: "policy-chosen", version });
    }
    if (observation.kind === "step-started") this.#useCredential(observation.assignment, [0, 300_000]);
    // Whoever has a worker, too, need not begin the step to use what it may.
    if (observation.kind === "sent" && observation.message.kind === "grant")
      for (const lease of observation.message.leases) this.#useCredential(lease, [150_000]);
    const isWaiting =
      observation.kind === "recorded" && observation.events.some(({ kind }) => kind === "step-waiting");
    if (isWaiting) this.#look(this.#around.controls().filter(({ name }) => name === observation.peer));
  }

  /** What is not yet as it must be in the end, in words. */
  open(): string[] {
    const { policies } = this.#around.gates;
    return this.#chosen < policies.length ? [`policy ${this.#chosen + 1} is not the domain's`] : [];
  }

  /** The owner signs a version once the one before is the domain's, and asks until this one is. */
  #give(version: number, policy: Policy, signed: Uint8Array | null): void {
    const { in: later, controls, charter, ask, see, nowUs } = this.#around;
    if (this.#chosen >= version) return;
    let bytes = signed;
    if (this.#chosen === version - 1) {
      if (bytes === null) {
        const named = Object.fromEntries(people.map((name) => [name, simulatedKeys(name).peer]));
        const body = { text: "", policy: { ...policy, people: named } };
        const timeMs = startWallMs + Math.floor(nowUs() / 1_000);
        const document: Document = { otto: "document/1", ...policyDocument, version, timeMs, body };
        bytes = sealDocument(document, charter.domain, { keys: simulatedKeys("owner"), certificate: null });
        see("world", { kind: "policy-signed", version, policy: body.policy });
      }
      for (const to of controls().filter(({ answers }) => answers)) {
        const question = ask();
        this.#puts.set(question, version);
        to.tell({ kind: "put-document", bytes, question });
      }
    }
    later(putAgainUs, () => this.#give(version, policy, bytes));
  }

  /** A person looks at what waits, and says something to it, until the run is over or nobody need be told any more. */
  #approve(approver: ScheduledApprover, tries: number): void {
    const { in: later, submission, isOver, controls, seed } = this.#around;
    const { person, run: nonce, step, says } = approver;
    const submitted = submission(nonce, step);
    if (
      (submitted !== null && isOver(submitted.run)) ||
      ((says !== "yes" || !people.includes(person)) && tries > triesMax)
    )
      return;
    const shown = submitted === null ? [] : this.#look(controls().filter(({ answers }) => answers));
    const [by, gate] = shown.find(([, seen]) => seen.run === submitted?.run && seen.step === step) ?? [];
    const isNew = gate !== undefined && !gate.approvedBy.includes(simulatedKeys(person).peer);
    if (by !== undefined && isNew && submitted !== null) {
      const chance = new Chance(seed, person, step, tries);
      // Where the gate was shown, or anywhere.
      const to = tries % 3 < 2 ? by : chance.pick(controls().filter(({ answers }) => answers));
      this.#say(approver, submitted, gate, to, chance);
    }
    const waits = isNew || says === "yes" ? tries + 1 : tries;
    later(lookAgainUs, () => this.#approve(approver, by === undefined ? tries : waits));
  }

  #say(
    { person, step, says }: ScheduledApprover,
    { run, manifestCid: manifest }: Submission,
    { given, ended }: GateSeen,
    to: Peer,
    chance: Chance,
  ): void {
    const { charter, ask, see } = this.#around;
    const keys = simulatedKeys(person);
    const answer: Answer = {
      otto: "answer/1",
      run,
      manifest,
      step,
      verdict: says === "no" ? "failed" : "passed",
      detail: "",
      given: says === "something-else" ? sha256Hex(keys.sign(new Uint8Array(1))) : given,
    };
    const certificate = certificateOf(charter, keys.peer, "person");
    const sealed = sealAnswer(answer, charter.domain, { keys, certificate });
    const bytes = says === "again" && this.#signed.length > 0 ? chance.pick(this.#signed) : sealed;
    this.#signed.push(sealed);
    const question = ask();
    const what = { run, step, isBehind: ended !== undefined, no: says === "no" };
    see(to.name, { kind: "asked-to-approve", question, ...what, bytes });
    to.tell({ kind: "answer-step", bytes, said: null, question });
  }

  /** What these say to wait at a gate. */
  #look(controls: readonly Peer[]): (readonly [Peer, GateSeen])[] {
    return controls.flatMap((peer) => {
      const gates = peer.closedGates;
      if (gates.length > 0) this.#around.see(peer.name, { kind: "gates-seen", gates });
      return gates.map((gate) => [peer, gate] as const);
    });
  }

  /** A step that somebody has uses a credential: every control peer is asked whether it may. */
  #useCredential(
    { run, index }: { readonly run: string; readonly index: number },
    afterUsEach: readonly number[],
  ): void {
    for (const afterUs of afterUsEach)
      this.#around.in(afterUs, () => {
        for (const peer of this.#around.controls())
          if (peer.permits(run, index)) this.#around.see(peer.name, { kind: "let-use", run, index });
      });
  }
}
