/**
 * The submissions that a control peer knows of and that are not closed: their bundles, whether their files are here, and
 * who else holds both.
 *
 *   announced --bundle fetched, signatures and plan judged--> known --files fetched--> held --a majority holds it--> ready
 *
 * A run is offered for admission only when a majority of the control peers hold its plan and files: whichever of them
 * dies afterwards, the run can be finished. Standing orders are held in the same way, for as long as they are set.
 */

import type { RefusedBecause, Verifier } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import {
  isBundleOfSlot,
  openBundle,
  orderOf,
  slotsAreTheDomains,
  type Submission,
  validUntilOf,
} from "../../protocol/manifest.ts";
import type { Charter, SignedCharter } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import { libraryTrees } from "../../protocol/plan.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { WriteOperation } from "../ports.ts";
import type { Answer, ControlEffect, ControlInput, Now } from "./effects.ts";
import { AskedBundles } from "./asked-bundles.ts";
import { Backlog, backlogKeys } from "./backlog.ts";
import { admittedMessage, holdsMessage, type Known } from "./known.ts";
import { expired, isTimely } from "./timely.ts";

export const submissionKeys = {
  /** `bundle/<run>` -> the bundle of a run that is not closed */
  bundles: "bundle/",
  /** `archive/<run>` -> the bundle of a closed run */
  archive: "archive/",
  /** `order/<id>` -> the bundle of a standing order that is set, or is to be */
  orders: "order/",
  ...backlogKeys,
} as const;

/**
 * For a bundle that was judged before, by this peer or by the domain, and for the run of a slot, which its home judged
 * when it fired the slot: no certificate has expired at this time.
 */
const judgedMs = 0;
const tooLate = "the time in which it could be admitted is over";

export type SubmissionsContext = {
  readonly charter: () => Charter;
  readonly keys: Verifier;
  readonly effect: (effect: ControlEffect) => void;
  /** To every control peer that is linked. */
  readonly tellControls: (message: Message) => void;
  readonly count: (because: RefusedBecause, from: string | null) => void;
  /** The digest of the bundle of a run that was admitted, or of an order that is set, as far as this peer knows. */
  readonly admittedDigest: (run: string) => string | undefined;
  readonly isClosed: (run: string) => boolean;
  /** True for what the domain never admits any more, and for what it admitted and has forgotten. */
  readonly isGone: (submission: Submission) => boolean;
  /** True for another domain whose charter this is, when this one's owner trusts it and knows of no newer one. */
  readonly isTrusted: (from: SignedCharter) => boolean;
  /** True when another domain of this name is trusted, to which steps can be released. */
  readonly knows: (name: string) => boolean;
  /** Why the domain's policy does not admit it, as a sentence; null: it does. */
  readonly forbidden: (submission: Submission) => string | null;
  readonly isHome: () => boolean;
  /** Whether a newer order, or its removal, has overtaken an order: as far as this peer knows, or decided. */
  readonly overtaken: (submission: Submission) => "no" | "perhaps" | "decided";
};

type BundleInput = Extract<ControlInput, { kind: "bundle" }>;

export class Submissions {
  readonly #context: SubmissionsContext;
  readonly #most: { readonly runs: number; readonly bytes: number };
  readonly #known = new Map<string, Known>();
  /** Of all their bundles. */
  #bytes = 0;
  readonly backlog: Backlog;
  readonly #asked: AskedBundles;
  /** Control peers that hold what is not known here yet. */
  readonly #heldElsewhere = new Map<string, Set<string>>();

  /** @param most from where on only what the domain has admitted is taken: runs, and bytes of their bundles. */
  constructor(
    context: SubmissionsContext,
    most: { readonly runs: number; readonly bytes: number } = {
      runs: limits.submissionsKeptMax,
      bytes: limits.submissionsBytesMax,
    },
  ) {
    this.#context = context;
    this.#most = most;
    this.#asked = new AskedBundles((effect) => context.effect(effect));
    this.backlog = new Backlog((operation) => this.#store([operation]));
  }

  get size(): number {
    return this.#known.size;
  }

  get(run: string): Known | undefined {
    return this.#known.get(run);
  }

  entries(): IterableIterator<[string, Known]> {
    return this.#known.entries();
  }

  /** The run that a step of another domain's has become here; null: it has not. */
  releasedAs(domain: string, run: string, index: number): string | null {
    for (const [id, { submission }] of this.#known) {
      const { released } = submission;
      if (released === undefined || released.from.charter.domain !== domain) continue;
      if (released.release.run === run && released.release.index === index) return id;
    }
    return null;
  }

  /** Takes up a bundle that a former life of this peer had judged and stored. */
  restore(bytes: Uint8Array): void {
    const known = this.#judge({ bytes, from: null, question: null }, judgedMs);
    if (known !== null) this.#askForSource(known, null);
  }

  /** Asks for what nobody could give before. `open` are runs that are open and orders that are set, with the digests of their bundles. */
  fetchMissing(open: Iterable<readonly [run: string, digest: string]>): void {
    for (const [run, digest] of open) if (!this.#known.has(run)) this.#asked.ask(run, digest, null);
    for (const known of this.#known.values()) if (known.source === "missing") this.#askForSource(known, null);
  }

  /** Asks for some of the plans of closed runs that are not here. Call now and then. */
  fetchBacklog(): void {
    this.backlog.fetch(
      () => this.#asked.size < limits.backlogFetchesMax,
      (run, digest) => this.#asked.ask(run, digest, null),
    );
  }

  /** Somebody knows of a submission that is not admitted as far as this peer knows. */
  announced(from: string, run: string, digest: string): void {
    const known = this.#known.get(run);
    if (known === undefined) {
      // What would be turned away is not fetched.
      if (!this.#isUnwanted(run) && !this.#asked.askAnnouncer(run, digest, from))
        this.#context.count("flood", from);
      return;
    }
    known.announcers.add(from);
    this.#askForSource(known, from);
  }

  /** Another control peer has the plan and the files of a run on its disk. */
  held(from: string, run: string, digest: string): void {
    const known = this.#known.get(run);
    if (known !== undefined) return void known.holders.add(from);
    if (this.#context.isClosed(run) || this.#isUnwanted(run)) return;
    this.#asked.ask(run, digest, from);
    if (!this.#asked.has(run)) return;
    const holders = this.#heldElsewhere.get(run) ?? new Set();
    this.#heldElsewhere.set(run, holders.add(from));
  }

  /** A bundle came, or nobody had it. Returns it when it is good. */
  bundle(input: BundleInput, now: Now): Known | null {
    this.#asked.came(input.run);
    const holders = this.#heldElsewhere.get(input.run);
    this.#heldElsewhere.delete(input.run);
    if (input.bytes === null || !this.#mayTake(input)) return null;
    const already = this.#known.get(input.run);
    // What the domain has admitted was judged then: the submitter's certificate may have expired since.
    const admitted = this.#admittedDigest(input.run);
    const isAdmitted = admitted !== undefined && admitted === sha256Hex(input.bytes);
    const wasJudged = isAdmitted || isBundleOfSlot(input.bytes);
    // What the domain has taken on is kept whatever it costs.
    if (already === undefined && !wasJudged && this.#isFull(input.bytes.length)) return this.#turnAway(input);
    const known = already ?? this.#judge(input, wasJudged ? judgedMs : now.wallMs);
    if (known === null) return null;
    if (input.from !== null) known.announcers.add(input.from);
    if (!isAdmitted && this.#isTooLate(known, input.question)) return null;
    const { run, digest } = known.submission;
    const isOver = this.#context.isClosed(run) || this.#context.isGone(known.submission);
    // Its table may be on its way here; then it is asked for again.
    const isEarly = !isOver && this.backlog.digest(run) !== undefined;
    if (already === undefined && (isEarly || this.#isOvertaken(known, input.question)))
      return this.#forget(known);
    const prefix = orderOf(known.submission) === null ? submissionKeys.bundles : submissionKeys.orders;
    for (const holder of holders ?? []) known.holders.add(holder);
    if (already !== undefined || isOver) return known;
    this.#store([{ kind: "put", key: prefix + run, value: input.bytes }]);
    if (input.from === null) {
      const message: Message = { kind: "announce", run, bundle: digest };
      this.#context.effect({ kind: "publish", message });
      this.#context.tellControls(message);
    }
    return known;
  }

  /** The files of a run are here, or nobody had them. */
  source(run: string, problem: string | null): void {
    const known = this.#known.get(run);
    if (known === undefined) return;
    known.source = problem === null ? "here" : "missing";
    if (problem === null) this.#context.tellControls(holdsMessage(known));
  }

  /** Asks for the files of a run unless they are here, or are being asked for. */
  needSource(known: Known, from: string | null): void {
    if (this.#known.has(known.submission.run)) this.#askForSource(known, from);
  }

  /** True when a majority of the control peers have what is needed to finish the run. */
  isReady(known: Known): boolean {
    const { controls } = this.#context.charter();
    // This peer has them, and need not be in the list of who said so.
    const others = controls.filter(({ peer }) => known.holders.has(peer)).length;
    return known.source === "here" && (others + 1) * 2 > controls.length;
  }

  /** What a control peer that has just been linked should know of a submission. */
  reconcile(known: Known): Message[] {
    const { run, digest } = known.submission;
    const announce: Message = { kind: "announce", run, bundle: digest };
    return known.source === "here" ? [announce, holdsMessage(known)] : [announce];
  }

  /** The run is closed, or the order is overtaken: its bundle goes to the archive and is no longer kept at hand. */
  archive(run: string, known: Known): void {
    if (this.#known.delete(run)) this.#bytes -= known.bytes.length;
    const wasWanted = this.backlog.archived(run);
    const operations: WriteOperation[] = [
      { kind: "put", key: submissionKeys.archive + run, value: known.bytes },
      {
        kind: "delete",
        key: (orderOf(known.submission) === null ? submissionKeys.bundles : submissionKeys.orders) + run,
      },
    ];
    if (wasWanted !== null) operations.push(wasWanted);
    this.#store(operations);
  }

  /** What the domain will never admit, or has forgotten, is no longer kept at hand. Call now and then. */
  archiveGone(): void {
    for (const [run, known] of this.#known)
      if (this.#context.isGone(known.submission)) this.refused(run);
      else if (this.#isOutdated(known))
        this.refused(run, "the domain that released it has other control peers now");
  }

  /** A step that was released by who had it then: it is released anew, and that is taken in its stead. */
  #isOutdated({ submission: { run, released }, admitted }: Known): boolean {
    const isAdmitted = admitted || this.#context.admittedDigest(run) !== undefined;
    return released !== undefined && !isAdmitted && !this.#context.isTrusted(released.from);
  }

  /** The domain says that it does not admit it: it is no longer kept at hand. */
  refused(run: string, reason = tooLate): void {
    const known = this.#known.get(run);
    if (known === undefined) return;
    this.#tellRefused(run, reason, known.announcers);
    known.announcers.clear();
    this.archive(run, known);
  }

  /** Until when what nobody has admitted yet could be, as far as this peer knows. */
  *unadmittedMs(): Generator<number> {
    for (const [run, { submission }] of this.#known) {
      const validUntilMs = validUntilOf(submission);
      if (validUntilMs !== null && this.#context.admittedDigest(run) === undefined) yield validUntilMs;
    }
  }

  /** Of a run that is open or closed, of an order that is set, or of a closed run whose plan is wanted. */
  #admittedDigest(run: string): string | undefined {
    return this.#context.admittedDigest(run) ?? this.backlog.digest(run);
  }

  /** Peers that drop it at different times would go on giving it to each other. A home tells them what became of it. */
  #isOvertaken({ submission, announcers }: Known, question: number | null): boolean {
    const overtaken = question === null ? this.#context.overtaken(submission) : "no";
    const { run } = submission;
    if (overtaken === "decided")
      for (const to of announcers) this.#context.effect({ kind: "send", to, message: admittedMessage(run) });
    return overtaken !== "no";
  }

  #forget({ submission, bytes }: Known): null {
    if (this.#known.delete(submission.run)) this.#bytes -= bytes.length;
    return null;
  }

  /** Turns away what the domain never admits any more. */
  #isTooLate(known: Known, question: number | null): boolean {
    const { submission } = known;
    if (!this.#context.isGone(submission)) return false;
    this.#forget(known);
    this.#tellRefused(submission.run, tooLate, known.announcers);
    if (question !== null) this.#context.effect({ kind: "answer", question, answer: expired(submission) });
    return true;
  }

  #tellRefused(run: string, reason: string, to: Iterable<string>): void {
    const message: Message = { kind: "announced", run, state: "refused", reason };
    for (const peer of to) this.#context.effect({ kind: "send", to: peer, message });
  }

  #store(operations: readonly WriteOperation[]): void {
    this.#context.effect({ kind: "store", operations });
  }

  #askForSource(known: Known, from: string | null): void {
    if (known.source !== "missing") return;
    known.source = "asked";
    const { run, manifest } = known.submission;
    const [announcer] = known.announcers;
    this.#context.effect({
      kind: "fetch-source",
      run,
      source: manifest.source,
      libraries: libraryTrees(manifest.plan),
      from: from ?? announcer ?? null,
    });
  }

  #isFull(more: number): boolean {
    return this.#known.size >= this.#most.runs || this.#bytes + more > this.#most.bytes;
  }

  /** True while there is no room and the domain, as far as this peer knows, has not admitted it. */
  #isUnwanted(run: string): boolean {
    return this.#isFull(0) && this.#context.admittedDigest(run) === undefined;
  }

  /** Whoever announced it says so again. */
  #turnAway({ question }: BundleInput): null {
    const detail = `${this.#known.size} runs wait or are under way`;
    const answer = { ok: false, reason: "full", detail } as const;
    if (question !== null) this.#context.effect({ kind: "answer", question, answer });
    return null;
  }

  /**
   * The runs of slots are the domain's to start: they come from control peers alone, and from nobody's hands. A
   * bundle that was made here comes from nobody and answers no question.
   */
  #mayTake({ bytes, from, question, run }: BundleInput): boolean {
    if (bytes === null || !isBundleOfSlot(bytes)) return true;
    const isAdmitted = this.#admittedDigest(run) === sha256Hex(bytes);
    const { controls } = this.#context.charter();
    const isEntitled = from === null || isAdmitted || controls.some(({ peer }) => peer === from);
    if (isEntitled && question === null) return true;
    this.#context.count("role", from);
    if (question !== null) {
      const detail = `${slotsAreTheDomains.because}: ${slotsAreTheDomains.detail}`;
      this.#context.effect({ kind: "answer", question, answer: { ok: false, reason: "refused", detail } });
    }
    return false;
  }

  #whyNot(submission: Submission): Extract<Answer, { ok: false }> | null {
    const { released, manifest } = submission;
    if (released !== undefined && !this.#context.isTrusted(released.from)) {
      const detail = `this domain does not trust ${released.from.charter.name}, or knows a newer charter of it`;
      return { ok: false, reason: "forbidden", detail };
    }
    const { name } = this.#context.charter();
    const [unsupported] = unsupportedIn(manifest.plan, name, (other) => this.#context.knows(other));
    if (unsupported !== undefined)
      return { ok: false, reason: "unsupported", detail: `${unsupported.step}: ${unsupported.why}` };
    const forbidden = this.#context.forbidden(submission);
    return forbidden === null ? null : { ok: false, reason: "forbidden", detail: forbidden };
  }

  /** Checks a bundle and takes it up. Null: it was refused and counted. */
  #judge(
    input: {
      readonly bytes: Uint8Array | null;
      readonly from: string | null;
      readonly question: number | null;
    },
    wallMs: number,
  ): Known | null {
    const { bytes, from, question } = input;
    if (bytes === null) return null;
    const { keys } = this.#context;
    const charter = this.#context.charter();
    const opened = openBundle(bytes, charter, wallMs, keys);
    if (!opened.ok) {
      const { because, detail } = opened.problem;
      this.#context.count(because, from);
      if (question !== null) {
        const answer = { ok: false, reason: "refused", detail: `${because}: ${detail}` } as const;
        this.#context.effect({ kind: "answer", question, answer });
      }
      return null;
    }
    const { value: submission } = opened;
    // Somebody who did not hear the answer asks again; what the domain has admitted was in time.
    const wasJudged = wallMs === judgedMs;
    if (question !== null && !wasJudged && !isTimely(submission, wallMs)) {
      this.#context.effect({ kind: "answer", question, answer: expired(submission) });
      return null;
    }
    const refusal = wasJudged ? null : this.#whyNot(submission);
    if (refusal !== null) {
      if (question !== null) this.#context.effect({ kind: "answer", question, answer: refusal });
      // Another may know of a newer policy, or of a domain that this one has not heard of: only a home's no is the domain's.
      else if (from !== null && this.#context.isHome())
        this.#tellRefused(submission.run, refusal.detail, [from]);
      return null;
    }
    const known: Known = {
      submission,
      bytes,
      source: "missing",
      announcers: new Set(),
      holders: new Set(),
      admitted: false,
    };
    this.#bytes += bytes.length - (this.#known.get(submission.run)?.bytes.length ?? 0);
    this.#known.set(submission.run, known);
    return known;
  }
}
