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
} from "../../protocol/manifest.ts";
import type { Charter } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import { libraryTrees } from "../../protocol/plan.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { sha256Hex } from "../../protocol/values.ts";
import type { WriteOperation } from "../ports.ts";
import type { ControlEffect, ControlInput, Now } from "./effects.ts";

export const submissionKeys = {
  /** `bundle/<run>` -> the bundle of a run that is not closed */
  bundles: "bundle/",
  /** `archive/<run>` -> the bundle of a closed run */
  archive: "archive/",
  /** `order/<id>` -> the bundle of a standing order that is set, or is to be */
  orders: "order/",
  /** `backlog/<run>` -> nothing: a closed run whose bundle is not here and is asked for */
  backlog: "backlog/",
} as const;

/**
 * For a bundle that was judged before, by this peer or by the domain, and for the run of a slot, which its home judged
 * when it fired the slot: no certificate has expired at this time.
 */
const judgedMs = 0;

export type Known = {
  readonly submission: Submission;
  readonly bytes: Uint8Array;
  source: "asked" | "here" | "missing";
  /** Who is to hear of its admission. */
  readonly announcers: Set<string>;
  /** Other control peers that have its plan and files on their disks. */
  readonly holders: Set<string>;
  /** True when this peer has heard that the domain admitted it. */
  admitted: boolean;
};

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
};

type BundleInput = Extract<ControlInput, { kind: "bundle" }>;

export class Submissions {
  readonly #context: SubmissionsContext;
  readonly #most: { readonly runs: number; readonly bytes: number };
  readonly #known = new Map<string, Known>();
  /** Of all their bundles. */
  #bytes = 0;
  /** Closed runs whose plans are not here: this peer came later. They are asked for a few at a time. */
  readonly #backlog = new Map<string, { triesLeft: number }>();
  /** Runs that were archived lately: to be told again that one is closed is no reason to ask for its plan. */
  readonly #archived = new Set<string>();
  /** Runs whose bundle is being fetched, and who announced it when somebody did. */
  readonly #asked = new Map<string, string | null>();
  /** How many of each announcer's are. */
  readonly #askedFor = new Map<string, number>();
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

  /** Takes up a bundle that a former life of this peer had judged and stored. */
  restore(bytes: Uint8Array): void {
    const known = this.#judge({ bytes, from: null, question: null }, judgedMs);
    if (known !== null) this.#askForSource(known, null);
  }

  /** Asks for what nobody could give before. `open` are runs that are open and orders that are set, with the digests of their bundles. */
  fetchMissing(open: Iterable<readonly [run: string, digest: string]>): void {
    for (const [run, digest] of open) if (!this.#known.has(run)) this.#askForBundle(run, digest, null);
    for (const known of this.#known.values()) if (known.source === "missing") this.#askForSource(known, null);
  }

  /** A closed run was told of, whose plan somebody may still have. */
  wantClosed(run: string): void {
    if (this.#archived.has(run) || this.#backlog.size >= limits.openRunsMax) return;
    if (this.#backlog.has(run)) return;
    this.wantAgain(run);
    this.#store([{ kind: "put", key: submissionKeys.backlog + run, value: new Uint8Array() }]);
  }

  /** A former life of this peer had not got its plan. */
  wantAgain(run: string): void {
    this.#backlog.set(run, { triesLeft: limits.backlogTriesMax });
  }

  /** Asks for some of the plans of closed runs that are not here. Call now and then. */
  fetchBacklog(): void {
    const waiting = [...this.#backlog].slice(0, limits.backlogFetchesMax);
    for (const [run, wanted] of waiting) {
      if (this.#asked.size >= limits.backlogFetchesMax) return;
      // Behind the others, should nobody have it now.
      this.#backlog.delete(run);
      wanted.triesLeft -= 1;
      if (wanted.triesLeft > 0) this.#backlog.set(run, wanted);
      else this.#store([{ kind: "delete", key: submissionKeys.backlog + run }]);
      // Only what its register names is taken; a new member may hear of a run before it has its table.
      const digest = this.#context.admittedDigest(run);
      if (digest !== undefined) this.#askForBundle(run, digest, null);
    }
  }

  /** Somebody knows of a submission that is not admitted as far as this peer knows. */
  announced(from: string, run: string, digest: string): void {
    const known = this.#known.get(run);
    if (known === undefined) {
      // What would be turned away is not fetched.
      if (!this.#isUnwanted(run)) this.#askAnnouncer(run, digest, from);
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
    this.#askForBundle(run, digest, from);
    if (!this.#asked.has(run)) return;
    const holders = this.#heldElsewhere.get(run) ?? new Set();
    this.#heldElsewhere.set(run, holders.add(from));
  }

  /** A bundle came, or nobody had it. Returns it when it is good. */
  bundle(input: BundleInput, now: Now): Known | null {
    const asked = this.#asked.get(input.run) ?? null;
    this.#asked.delete(input.run);
    if (asked !== null) this.#fetched(asked);
    const holders = this.#heldElsewhere.get(input.run);
    this.#heldElsewhere.delete(input.run);
    if (input.bytes === null || !this.#mayTake(input)) return null;
    const already = this.#known.get(input.run);
    // What the domain has admitted was judged then: the submitter's certificate may have expired since.
    const isAdmitted = this.#context.admittedDigest(input.run) === sha256Hex(input.bytes);
    const wasJudged = isAdmitted || isBundleOfSlot(input.bytes);
    // What the domain has taken on is kept whatever it costs.
    if (already === undefined && !wasJudged && this.#isFull(input.bytes.length)) return this.#turnAway(input);
    const known = already ?? this.#judge(input, wasJudged ? judgedMs : now.wallMs);
    if (known === null) return null;
    const { run, digest } = known.submission;
    const prefix = orderOf(known.submission) === null ? submissionKeys.bundles : submissionKeys.orders;
    if (input.from !== null) known.announcers.add(input.from);
    for (const holder of holders ?? []) known.holders.add(holder);
    if (already !== undefined || this.#context.isClosed(run)) return known;
    const put: WriteOperation = { kind: "put", key: prefix + run, value: input.bytes };
    this.#context.effect({ kind: "store", operations: [put] });
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
    const wasWanted = this.#backlog.delete(run);
    this.#archived.add(run);
    if (this.#archived.size > limits.openRunsMax)
      for (const oldest of this.#archived) {
        this.#archived.delete(oldest);
        break;
      }
    const operations: WriteOperation[] = [
      { kind: "put", key: submissionKeys.archive + run, value: known.bytes },
      {
        kind: "delete",
        key: (orderOf(known.submission) === null ? submissionKeys.bundles : submissionKeys.orders) + run,
      },
    ];
    if (wasWanted) operations.push({ kind: "delete", key: submissionKeys.backlog + run });
    this.#store(operations);
  }

  #store(operations: readonly WriteOperation[]): void {
    this.#context.effect({ kind: "store", operations });
  }

  #askForBundle(run: string, digest: string, from: string | null): void {
    if (this.#asked.has(run) || this.#asked.size > limits.openRunsMax) return;
    this.#asked.set(run, null);
    this.#context.effect({ kind: "fetch-bundle", run, digest, from });
  }

  /** No more than its share, so that others' are fetched too. */
  #askAnnouncer(run: string, digest: string, from: string): void {
    const asked = this.#askedFor.get(from) ?? 0;
    if (asked >= limits.announcedPerPeerMax) return this.#context.count("flood", from);
    if (this.#asked.has(run)) return;
    this.#askForBundle(run, digest, from);
    if (!this.#asked.has(run)) return;
    this.#asked.set(run, from);
    this.#askedFor.set(from, asked + 1);
  }

  #fetched(announcer: string): void {
    const left = (this.#askedFor.get(announcer) ?? 1) - 1;
    if (left > 0) this.#askedFor.set(announcer, left);
    else this.#askedFor.delete(announcer);
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
    const isAdmitted = this.#context.admittedDigest(run) === sha256Hex(bytes);
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
    const [unsupported] = unsupportedIn(submission.manifest.plan, charter.name);
    if (unsupported !== undefined && wallMs !== judgedMs) {
      const detail = `${unsupported.step}: ${unsupported.why}`;
      if (question !== null)
        this.#context.effect({
          kind: "answer",
          question,
          answer: { ok: false, reason: "unsupported", detail },
        });
      else if (from !== null) {
        const { run } = submission;
        const message: Message = { kind: "announced", run, state: "refused", reason: detail };
        this.#context.effect({ kind: "send", to: from, message });
      }
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

function holdsMessage({ submission: { run, digest } }: Known): Message {
  return { kind: "holds", run, bundle: digest };
}
