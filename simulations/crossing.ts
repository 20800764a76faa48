/**
 * What goes between the two domains of a world, as calls between their control peers bring it: a step that one releases to the
 * other, and how it ended. Stands where `node/edge/releasing.ts` and a control node's `release` call stand. Calls fail and get
 * lost; a control peer that lies releases what no majority has, and says how steps ended that did not.
 */

import { outcomeSigned, whyUnsigned } from "../node/core/released.ts";
import type { ReleaseAnswer, ReleaseTold } from "../node/core/effects.ts";
import { type Document, sealDocument } from "../protocol/documents.ts";
import { sealEnvelope } from "../protocol/envelope.ts";
import { limits } from "../protocol/limits.ts";
import { bundleOfRelease, nameBundle, openBundle } from "../protocol/manifest.ts";
import { type Charter, sealCharter, type SignedCharter } from "../protocol/membership.ts";
import { sealQuorum } from "../protocol/quorum.ts";
import { openOutcome, type Release, type ReleasedOutcome, sealOutcome } from "../protocol/release.ts";
import { decodeValue } from "../protocol/values.ts";
import type { Agenda } from "./agenda.ts";
import { simulatedKeys, simulatedVerifier } from "./keys.ts";
import type { PeerName } from "./observation.ts";
import type { Peer, Seen } from "./peer.ts";
import { Chance, hashBetween } from "./random.ts";
import type { ScheduledCrossing } from "./schedule.ts";
import { bundleAt, eventsOf } from "./stored.ts";
import { startWallMs, type Workload } from "./workload.ts";

/** One of the two domains. */
export type Side = {
  readonly name: string;
  readonly controls: () => readonly Peer[];
  /** The newest charter that any of its control peers has heard of. */
  readonly newest: () => SignedCharter;
  readonly see: (peer: PeerName, seen: Seen) => void;
  readonly ask: () => number;
  /** Another domain's step comes to a control peer of this one. */
  readonly comes: (at: PeerName, workload: Workload) => void;
};

const againUs = 700_000;
/** A call that is not answered is given up. */
const impatientUs = 6_000_000;

export class Crossing {
  readonly #schedule: ScheduledCrossing;
  readonly #seed: number;
  readonly #agenda: Agenda;
  readonly #sides: readonly [Side, Side];
  /** Questions about a charter or a step of the other domain: what follows from the answer. */
  readonly #asked = new Map<string, (isOk: boolean, detail: string) => void>();
  readonly #trusted = new Map<string, { readonly bytes: Uint8Array; readonly version: number }>();
  #calls = 0;
  #healed = false;
  /** What was signed for this domain's releases and outcomes, for whoever shows it once more. */
  readonly #signed: { readonly release: Uint8Array; readonly charter: Uint8Array }[] = [];
  readonly #outcomes: Uint8Array[] = [];

  constructor(schedule: ScheduledCrossing, seed: number, agenda: Agenda, sides: readonly [Side, Side]) {
    this.#schedule = schedule;
    this.#seed = seed;
    this.#agenda = agenda;
    this.#sides = sides;
    for (const side of sides) this.#trust(side, null, 0);
    if (schedule.liars.length > 0) this.#lieLater();
  }

  /** True once each domain trusts the other. */
  get isReady(): boolean {
    return this.#trusted.size === 2;
  }

  heal(): void {
    this.#healed = true;
  }

  answered(side: string, question: number, isOk: boolean, detail: string): void {
    this.#asked.get(`${side} ${question}`)?.(isOk, detail);
  }

  /** A home tells the other domain of a step; it is answered later, or not at all while calls get lost. */
  tell(from: Peer, told: ReleaseTold, done: (answer: ReleaseAnswer) => void): void {
    const [own, other] = this.#sidesOf(from);
    this.#calls += 1;
    const chance = new Chance(this.#seed, "call", this.#calls);
    const unreachable = (detail: string) => done({ state: "unreachable", detail });
    const bundle = bundleAt(from, told.run)[0];
    const listed = other.controls().filter(({ traits, answers }) => {
      const isListed = told.to.controls.some(({ peer }) => peer === traits.keys.peer);
      return isListed && answers;
    });
    const lost = this.#healed ? 0 : this.#schedule.lostPercent;
    const { charter } = told;
    this.#signed.push({ release: told.release, charter });
    const takesUs = hashBetween(2_000, 300_000, this.#seed, this.#calls, "call takes");
    if (bundle === undefined || listed.length === 0 || chance.percent(lost))
      return void this.#agenda.in(takesUs, () => unreachable("nobody answers"));
    const unheard = listed.filter(({ traits }) => !told.refusedBy.includes(traits.keys.peer));
    const to = chance.pick(unheard.length > 0 ? unheard : listed);
    const isAnswerLost = chance.percent(lost);
    const answer = (said: ReleaseAnswer): void => {
      this.#agenda.in(takesUs, () => {
        if (said.state === "done") this.#bringOutputs(said.outcome, from);
        if (isAnswerLost) return unreachable("the answer was lost");
        own.see(from.name, { kind: "crossed", to: to.name, release: told.release, answer: said });
        done(said);
      });
    };
    this.#agenda.in(takesUs, () => {
      for (const tree of told.trees) to.blobs.set(tree, new Uint8Array());
      const crossing = bundleOfRelease(bundle, { release: told.release, charter });
      this.#comes(other, to, crossing, answer);
    });
  }

  /** At a control peer of the other domain: what it knows of the run, or it takes the step. */
  #comes(side: Side, at: Peer, bundle: Uint8Array, answer: (said: ReleaseAnswer) => void): void {
    const name = nameBundle(bundle);
    if (!at.answers || name === null) return answer({ state: "unreachable", detail: "it is gone" });
    const { run, digest } = name;
    const chance = new Chance(this.#seed, at.name, this.#agenda.nowUs, "answer");
    const isLiar = !this.#healed && this.#schedule.liars.includes(at.name);
    const lie = isLiar && chance.percent(60) ? this.#falseOutcome(at, bundle, chance) : null;
    if (lie !== null) return answer({ state: "done", outcome: lie });
    const events = eventsOf(at, side.newest().charter.domain).filter((event) => event.run === run);
    const outcome = outcomeSigned(events, side.newest().charter.domain, simulatedVerifier);
    if (outcome !== null) {
      this.#outcomes.push(outcome);
      return answer({ state: "done", outcome });
    }
    const by = at.traits.keys.peer;
    for (const event of events)
      if (event.kind === "run-closed")
        return answer({ state: "refused", detail: whyUnsigned(event.outcome), by });
    if (at.knows(run)) return answer({ state: "running", detail: "" });
    const opened = openBundle(bundle, side.newest().charter, this.#wallMs, simulatedVerifier);
    if (opened.ok) side.comes(at.name, { bundle, submission: opened.value });
    at.blobs.set(digest, bundle);
    let isAnswered = false;
    const once = (said: ReleaseAnswer): void => {
      if (!isAnswered) answer(said);
      isAnswered = true;
    };
    const question = this.#ask(side, (isOk, detail) =>
      once(isOk ? { state: "running", detail: "" } : { state: "refused", detail, by }),
    );
    at.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question });
    this.#agenda.in(impatientUs, () => once({ state: "unreachable", detail: "it is silent" }));
  }

  #bringOutputs(outcome: Uint8Array, to: Peer): void {
    const opened = openOutcome(outcome, simulatedVerifier);
    if (opened.ok) for (const { tree } of opened.value.outcome.outputs) to.blobs.set(tree, new Uint8Array());
  }

  /** The owner of a domain names the other one, and names it anew whenever others are its control peers. */
  #trust(side: Side, put: Uint8Array | null, version: number): void {
    const [, other] = this.#sidesOf(side);
    const { bytes: newest, charter } = other.newest();
    const known = this.#trusted.get(side.name);
    let [bytes, next] = [put, version];
    if (known?.bytes !== newest) {
      if (bytes === null || (known !== undefined && known.version >= next)) {
        next = (known?.version ?? 0) + 1;
        const body = { charter: newest };
        const named = { topic: "domain", name: charter.name, version: next, timeMs: this.#wallMs } as const;
        const document: Document = { otto: "document/1", ...named, body };
        const domain = side.newest().charter.domain;
        bytes = sealDocument(document, domain, { keys: simulatedKeys("owner"), certificate: null });
      }
      const signed = [bytes, next] as const;
      for (const peer of side.controls().filter(({ answers }) => answers)) {
        const question = this.#ask(side, (isOk, detail) => {
          if (isOk || detail === "stale") this.#isTrusted(side, newest, signed[1]);
        });
        peer.tell({ kind: "put-document", bytes: signed[0], question });
      }
    }
    this.#agenda.in(againUs, () => this.#trust(side, bytes, next));
  }

  #isTrusted(side: Side, bytes: Uint8Array, version: number): void {
    if ((this.#trusted.get(side.name)?.version ?? 0) < version)
      this.#trusted.set(side.name, { bytes, version });
  }

  #lieLater(): void {
    const everyUs = hashBetween(200_000, 2_000_000, this.#seed, this.#agenda.nowUs, "lies");
    this.#agenda.in(everyUs, () => {
      if (this.#healed) return;
      this.#lie(new Chance(this.#seed, this.#agenda.nowUs, "crossing lie"));
      this.#lieLater();
    });
  }

  /** A control peer that lies releases a step to the other domain, with what it can sign and has seen. */
  #lie(chance: Chance): void {
    const liar = this.#sides
      .flatMap(({ controls }) => controls())
      .find(({ name }) => this.#schedule.liars.includes(name));
    if (liar?.answers !== true) return;
    const [own, other] = this.#sidesOf(liar);
    const bundles = liar.disk.list("bundle/").map(([, bytes]) => bytes);
    const before = this.#signed.filter(({ charter }) => this.#isOf(charter, own));
    if (bundles.length === 0) return;
    const bundle = chance.pick(bundles);
    const to = chance.pick(other.controls());
    const opened = openBundle(bundle, own.newest().charter, this.#wallMs, simulatedVerifier);
    if (!opened.ok || opened.value.released !== undefined) return;
    const { run, manifestCid: manifest, manifest: signed } = opened.value;
    const index = chance.integer(signed.plan.steps.length);
    const { name: step = "" } = signed.plan.steps[index] ?? {};
    const release: Release = {
      otto: "release/1",
      run,
      manifest,
      index,
      step,
      inputs: [],
      values: [],
      outcomes: {},
      fromMs: this.#wallMs,
      untilMs: this.#wallMs + limits.submissionMsMax,
    };
    const { bytes: charter, charter: now } = own.newest();
    const alone = sealEnvelope("release", now.domain, release, liar.traits.keys);
    const made: Charter = { ...now, size: 1, controls: now.controls.slice(0, 1), version: now.version + 9 };
    const shown = chance.pick([
      { release: sealQuorum([alone]), charter },
      { release: sealQuorum([alone, alone, alone]), charter },
      { release: sealQuorum([alone]), charter: sealCharter(made, liar.traits.keys) },
      ...before.slice(-2).map(({ release: earlier }) => ({ release: mixed(earlier, alone), charter })),
      ...before.slice(-2),
    ]);
    own.see(liar.name, { kind: "lied", to: to.name, message: null });
    this.#agenda.in(5_000, () => this.#comes(other, to, bundleOfRelease(bundle, shown), () => undefined));
  }

  /** How a step ended that did not, as one control peer alone can sign it, or as it was signed for another step. */
  #falseOutcome(liar: Peer, bundle: Uint8Array, chance: Chance): Uint8Array | null {
    const [own] = this.#sidesOf(liar);
    const opened = openBundle(bundle, own.newest().charter, this.#wallMs, simulatedVerifier);
    if (!opened.ok || opened.value.released === undefined) return null;
    const { release, from } = opened.value.released;
    const outcome: ReleasedOutcome = {
      otto: "outcome/1",
      domain: from.charter.domain,
      run: release.run,
      index: release.index,
      outcome: chance.pick(["passed", "failed", "timed-out"]),
      detail: "",
      outputs: [],
      values: {},
    };
    const { bytes, charter } = own.newest();
    const alone = sealEnvelope("outcome", charter.domain, outcome, liar.traits.keys);
    const made: Charter = {
      ...charter,
      size: 1,
      controls: charter.controls.slice(0, 1),
      version: charter.version + 9,
    };
    return chance.pick([
      sealOutcome(sealQuorum([alone]), bytes),
      sealOutcome(sealQuorum([alone, alone, alone]), bytes),
      sealOutcome(sealQuorum([alone]), sealCharter(made, liar.traits.keys)),
      ...this.#outcomes.slice(-3),
    ]);
  }

  #isOf(charter: Uint8Array, { newest }: Side): boolean {
    const [, domain] = decodeValue(charter) as [string, string];
    return domain === newest().charter.domain;
  }

  #ask(side: Side, then: (isOk: boolean, detail: string) => void): number {
    const question = side.ask();
    this.#asked.set(`${side.name} ${question}`, then);
    return question;
  }

  /** The side that a peer is of, or that is meant, and the other. */
  #sidesOf(of: Peer | Side): readonly [Side, Side] {
    const [first, second] = this.#sides;
    const isFirst = "controls" in of ? of === first : first.controls().some(({ name }) => name === of.name);
    return isFirst ? [first, second] : [second, first];
  }

  get #wallMs(): number {
    return startWallMs + Math.floor(this.#agenda.nowUs / 1_000);
  }
}

/** What others signed, and one more. */
function mixed(earlier: Uint8Array, alone: Uint8Array): Uint8Array {
  const envelopes = decodeValue(earlier) as readonly Uint8Array[];
  return sealQuorum([...envelopes.slice(1), alone]);
}
