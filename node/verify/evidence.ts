/**
 * The evidence of a run: what in an exported run was really said, and by whom. Every signature is checked here, and
 * whether the signer may say it; nothing is said about the plan yet (`node/verify/replay.ts`).
 *
 * Completeness: each author chains its entries about one run (`protocol/log.ts`), so an entry that was taken out of
 * the middle or the beginning is noticed. One at the end is noticed by what it should have told.
 */

import { openAnswer, type OpenedAnswer } from "../../protocol/answers.ts";
import { openEnvelope, type Verifier } from "../../protocol/envelope.ts";
import { type Event, isOfRun } from "../../protocol/events.ts";
import { type Fork, openFork } from "../../protocol/fork.ts";
import { isAfterword, type OpenedEntry, openEntry } from "../../protocol/log.ts";
import { openBundle, type Submission } from "../../protocol/manifest.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { type Charter, hasSpoken, isFormed, openCharter } from "../../protocol/membership.ts";
import type { SignedResult } from "../../protocol/messages.ts";
import { parseSignedResult } from "../../protocol/report-check.ts";
import { openEarlierPermit, type Permit } from "../../protocol/permits.ts";
import { failure } from "../../protocol/errors.ts";
import { openOutcome } from "../../protocol/release.ts";
import type { ExportedRun } from "../../protocol/run-export.ts";
import { compareText } from "../../protocol/values.ts";
import type { Findings } from "./finding.ts";

/** One event as it was told, with what its worker, or the person who answered, signed about it, once that holds. */
export type Told = {
  readonly event: Event;
  readonly result: SignedResult | null;
  readonly answer: OpenedAnswer | null;
  /** What a majority of the control peers signed about a gate, when it holds. */
  readonly permit: Permit | null;
  /** What another domain's majority signed about a step that is its own. */
  readonly elsewhere: ReturnType<typeof openOutcome> | null;
};

/** What one author told of the run, in its order. */
export type Account = { readonly author: string; readonly log: string; readonly told: readonly Told[] };

export type Evidence = {
  readonly charter: Charter | null;
  readonly submission: Submission | null;
  readonly accounts: readonly Account[];
  readonly entries: number;
  /** Workers whose certificate is not there: that they belong to the domain is the control peers' word. */
  readonly uncertified: readonly string[];
  /**
   * Says of logs that are proven to fork that they do, though what is shown of them stands: where the records show
   * anything amiss, what is missing may be in what nobody takes of such a log.
   */
  readonly tellForks: () => void;
};

/** No certificate has expired at this time: whether it has is a question of its own. */
const beforeAllMs = 0;

export function openEvidence(exported: ExportedRun, keys: Verifier, findings: Findings): Evidence {
  const none = { charter: null, submission: null, accounts: [], entries: 0, uncertified: [] };
  const nothing = { ...none, tellForks: () => undefined };
  const opened = openCharter(exported.charter, null, keys);
  if (!opened.ok) {
    findings.add(
      "charter-invalid",
      null,
      "The charter is signed by the owner whose key names the domain.",
      `The charter does not hold: ${opened.problem}.`,
    );
    return nothing;
  }
  const charter = opened.value;
  const entries = new Evidencing(exported, charter, keys, findings);
  const accounts = entries.accounts();
  return {
    charter,
    submission: entries.submission(accounts),
    accounts,
    entries: entries.count,
    uncertified: entries.uncertified(accounts),
    tellForks: () => entries.tellForks(),
  };
}

class Evidencing {
  readonly #exported: ExportedRun;
  readonly #charter: Charter;
  readonly #keys: Verifier;
  readonly #findings: Findings;
  readonly #forks: Fork[] = [];
  count = 0;

  constructor(exported: ExportedRun, charter: Charter, keys: Verifier, findings: Findings) {
    this.#exported = exported;
    this.#charter = charter;
    this.#keys = keys;
    this.#findings = findings;
    if (!isFormed(charter))
      findings.add(
        "charter-invalid",
        null,
        `A domain decides once all of its ${charter.size} control peers are in its charter.`,
        `The charter lists ${charter.controls.length}.`,
      );
  }

  accounts(): readonly Account[] {
    const byLog = new Map<string, Map<number, OpenedEntry>>();
    for (const bytes of this.#exported.entries) {
      const opened = this.#open(bytes);
      if (opened === null) continue;
      const { log, seq } = opened.entry;
      const entries = byLog.get(log) ?? new Map<number, OpenedEntry>();
      byLog.set(log, entries);
      const known = entries.get(seq);
      if (known !== undefined && known.hash !== opened.hash)
        this.#findings.add(
          "entry-forked",
          null,
          "An author writes one entry in each place of its log.",
          `There are two different entries ${seq} of ${opened.signer}.`,
        );
      else entries.set(seq, opened);
    }
    const accounts: Account[] = [];
    for (const [log, entries] of [...byLog].sort(([left], [right]) => compareText(left, right))) {
      const inOrder = [...entries.values()].sort((left, right) => left.entry.seq - right.entry.seq);
      this.count += inOrder.length;
      this.#checkChain(inOrder);
      const author = inOrder[0]?.signer ?? "";
      accounts.push({ author, log, told: inOrder.flatMap((opened) => this.#toldIn(opened)) });
    }
    this.#checkForks(byLog);
    return accounts;
  }

  /**
   * What an author told before its log forked stands, since both branches hold it; what it told from there on does not.
   * Where nobody tells the run from its admission to its end, the rest may be in what nobody takes of a forked log.
   */
  #checkForks(byLog: ReadonlyMap<string, ReadonlyMap<number, OpenedEntry>>): void {
    const isWhole = [...byLog.values()].some((entries) => {
      const kinds = new Set(
        [...entries.values()].flatMap(({ entry }) => entry.events.map(({ kind }) => kind)),
      );
      return kinds.has("run-admitted") && kinds.has("run-closed");
    });
    for (const evidence of this.#exported.forks ?? []) {
      const fork = openFork(evidence, this.#charter.domain, this.#keys);
      if (!fork.ok) {
        this.#findings.add(
          "entry-invalid",
          null,
          "What is shown as a fork is two entries that cannot both be in one log.",
          `It proves nothing: ${fork.problem}.`,
        );
        continue;
      }
      const { log, sinceSeq } = fork.value;
      const toldSince = [...(byLog.get(log)?.keys() ?? [])].some((told) => told >= sinceSeq);
      this.#forks.push(fork.value);
      if (toldSince || !isWhole) this.#tellFork(fork.value);
    }
  }

  tellForks(): void {
    for (const fork of this.#forks) this.#tellFork(fork);
  }

  #tellFork({ log, author, seq }: Fork): void {
    this.#findings.add(
      "log-forked",
      null,
      "Who tells of a run tells everybody the same.",
      `${author} signed two different entries ${seq} of its log ${log}.`,
    );
  }

  submission(accounts: readonly Account[]): Submission | null {
    const { bundle, run } = this.#exported;
    if (bundle === null) {
      this.#findings.add(
        "bundle-missing",
        null,
        "A run has a plan, signed by its submitter.",
        "It is not there.",
      );
      return null;
    }
    const opened = openBundle(bundle, this.#charter, beforeAllMs, this.#keys);
    if (!opened.ok) {
      const { because, detail } = opened.problem;
      this.#findings.add(
        "bundle-invalid",
        null,
        "The plan is sound, and signed by a person whom the domain has certified.",
        `The plan does not hold: ${because} (${detail}).`,
      );
      return null;
    }
    const submission = opened.value;
    if (submission.run !== run) {
      this.#findings.add(
        "other-run",
        null,
        `The signed plan is that of run ${run}.`,
        `It is that of run ${submission.run}.`,
      );
      return null;
    }
    const admittedMs = timesOf(accounts, "run-admitted").reduce(
      (one, other) => Math.min(one, other),
      Infinity,
    );
    if (admittedMs > submission.submitter.expiresMs && admittedMs < Infinity)
      this.#findings.add(
        "certificate-expired",
        null,
        `The certificate of ${submission.submitter.peer} is good when the run is admitted.`,
        "It had expired by then.",
      );
    return submission;
  }

  /** Checks the certificates that are there. Returns the workers that have none. */
  uncertified(accounts: readonly Account[]): readonly string[] {
    const seenMs = new Map<string, number>();
    for (const { told } of accounts)
      for (const { event } of told)
        if (event.kind === "attempt-started" || event.kind === "attempt-ended")
          seenMs.set(event.worker, Math.min(seenMs.get(event.worker) ?? Infinity, event.timeMs));
    const certified = new Set<string>();
    for (const bytes of this.#exported.certificates) {
      const opened = openCertificate(bytes, this.#charter, beforeAllMs, this.#keys);
      if (!opened.ok) {
        this.#findings.add(
          "worker-not-entitled",
          null,
          "A certificate is signed by the owner, or by more than half of the domain's control peers.",
          `One of the certificates does not hold: ${opened.problem}.`,
        );
        continue;
      }
      const { peer, role, expiresMs } = opened.value;
      const atMs = seenMs.get(peer);
      if (atMs === undefined) continue;
      certified.add(peer);
      if (role === "person" || expiresMs < atMs)
        this.#findings.add(
          "worker-not-entitled",
          null,
          `${peer} is certified as a worker while it works.`,
          role === "person" ? "It is certified as a person." : "Its certificate had expired.",
        );
    }
    return [...seenMs.keys()].filter((peer) => !certified.has(peer)).sort(compareText);
  }

  #open(bytes: Uint8Array): OpenedEntry | null {
    const opened = openEntry(bytes, this.#charter.domain, this.#keys);
    if (!opened.ok) {
      this.#findings.add(
        "entry-invalid",
        null,
        "Every entry is as its author signed it, for this domain.",
        `An entry does not hold: ${opened.problem}.`,
      );
      return null;
    }
    const { entry, signer } = opened.value;
    if (!hasSpoken(this.#charter, signer)) {
      this.#findings.add(
        "author-not-entitled",
        null,
        "Only the control peers of the charter record what happens.",
        `An entry is signed by ${signer}.`,
      );
      return null;
    }
    if (entry.run !== this.#exported.run) {
      this.#findings.add(
        "other-run",
        null,
        `Every entry speaks of run ${this.#exported.run}.`,
        `An entry of ${signer} speaks of run ${entry.run}.`,
      );
      return null;
    }
    return opened.value;
  }

  #checkChain(entries: readonly OpenedEntry[]): void {
    let newest = "";
    for (const { entry, hash, signer } of entries) {
      const afterword = isAfterword(entry.events);
      const follows = entry.before === newest || (entry.before === "" && afterword);
      if (!follows)
        this.#findings.add(
          "entry-missing",
          null,
          `The entries of ${signer} about the run follow one another without a gap.`,
          `What it wrote before its entry ${entry.seq} is not there.`,
        );
      if (entry.before !== "" || !afterword) newest = hash;
    }
  }

  #toldIn({ entry, results }: OpenedEntry): Told[] {
    return entry.events.flatMap((event, index) => {
      // What is told of a schedule is told of no run.
      if (!isOfRun(event)) return [];
      const envelope = results[index] ?? null;
      const result = envelope === null ? null : this.#result(event, envelope);
      return [
        {
          event,
          result,
          answer: this.#answer(event),
          permit: this.#permit(event),
          elsewhere: this.#elsewhere(event),
        },
      ];
    });
  }

  /** A person's own words about a step that waits, when that person really signed them about this step. */
  #answer(event: Event): OpenedAnswer | null {
    if (event.kind !== "step-answered" && event.kind !== "step-settled") return null;
    if (event.kind === "step-settled" && event.cause === "released") return null;
    const { step, by, run, evidence } = event;
    if (evidence === null) return null;
    const invalid = (what: string): null => {
      this.#findings.add("answer-invalid", step, `${by ?? "Somebody"} signed the answer.`, what);
      return null;
    };
    const opened = openAnswer(evidence, this.#charter, beforeAllMs, this.#keys);
    if (!opened.ok) return invalid(`The answer does not hold: ${opened.problem}.`);
    const { answer, person } = opened.value;
    if (person.peer !== by) return invalid(`The answer is signed by ${person.peer}.`);
    if (answer.run !== run || answer.step !== step)
      return invalid(`It is signed for ${answer.step} in run ${answer.run}.`);
    return opened.value;
  }

  #elsewhere(event: Event): Told["elsewhere"] {
    const isReleased = event.kind === "step-settled" && event.cause === "released";
    const opened = isReleased && event.evidence !== null ? openOutcome(event.evidence, this.#keys) : null;
    const isForUs = opened?.ok !== true || opened.value.outcome.domain === this.#charter.domain;
    return isForUs ? opened : failure("other-domain");
  }

  #permit(event: Event): Permit | null {
    if (event.kind !== "gate-opened") return null;
    const opened = openEarlierPermit(event.permit, this.#charter, this.#keys);
    if (opened.ok) return opened.value;
    const expected = "More than half of the control peers signed that it may begin, or counts.";
    this.#findings.add(
      "permit-invalid",
      event.step,
      expected,
      `The permit does not hold: ${opened.problem}.`,
    );
    return null;
  }

  /** The worker's own words about an attempt, when it really signed them about this attempt. */
  #result(event: Event, envelope: Uint8Array): SignedResult | null {
    if (event.kind !== "attempt-ended") return null;
    const invalid = (what: string): null => {
      const { step, attempt, worker } = event;
      const expected = `Attempt ${attempt} ended as its worker ${worker} signed it.`;
      this.#findings.add("result-invalid", step, expected, what);
      return null;
    };
    const opened = openEnvelope(envelope, { kind: "result", domain: this.#charter.domain }, this.#keys);
    if (!opened.ok) return invalid(`The result does not hold: ${opened.problem}.`);
    const { signer } = opened.value.envelope;
    if (signer !== event.worker) return invalid(`The result is signed by ${signer}.`);
    const result = parseSignedResult(opened.value.value);
    if (!result.ok) return invalid(`The result is none: ${result.problem}.`);
    const { run, step, attempt, token } = result.value;
    const same =
      run === event.run && step === event.step && attempt === event.attempt && token === event.token;
    if (!same) return invalid(`It signed attempt ${attempt} of ${step} in run ${run}, under token ${token}.`);
    return result.value;
  }
}

function timesOf(accounts: readonly Account[], kind: Event["kind"]): number[] {
  return accounts.flatMap(({ told }) =>
    told.flatMap(({ event }) => (event.kind === kind ? [event.timeMs] : [])),
  );
}
