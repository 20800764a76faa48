/**
 * What a stranger finds who verifies a run by what any one control peer can show: it kept to its plan, and is complete.
 * The plan is explained before the run and verified after it; here the two are held together.
 *
 * A worker that lies about a step whose lease it holds is believed, and found out here: such a finding is no breach.
 */

import type { FindingCode } from "../../node/verify/finding.ts";
import { equals } from "uint8arrays/equals";
import { verifyRun } from "../../node/verify/verify.ts";
import { decodeExport, encodeExport, type ExportedRun } from "../../protocol/run-export.ts";
import { simulatedVerifier } from "../keys.ts";
import { openEnvelope } from "../../protocol/envelope.ts";
import { openFork } from "../../protocol/fork.ts";
import { limits } from "../../protocol/limits.ts";
import type { Document } from "../../protocol/documents.ts";
import { decodedOnce } from "../decoded.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { type Checker, type Observation, type PeerName, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

/** What whoever holds a lease, or guesses that it will, may get away with until it is verified. */
const lieCodes: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "report-differs",
  "outputs-differ",
  "refused-result-won",
]);

/** What it looks like when somebody who was taken out had signed by a clock that was far ahead: as if it was signed since then. */
const clockCodes: ReadonlySet<FindingCode> = new Set<FindingCode>(["permit-invalid"]);

/** What a false home writes down, which a stranger is told. */
const falseHomeCodes: ReadonlySet<FindingCode> = new Set<FindingCode>([
  "permit-invalid",
  "answer-invalid",
  "answer-missing",
  "gate-passed",
  "permit-missing",
  // It admits a step that was never released.
  "bundle-invalid",
]);

export function verificationChecker(domain: string): Checker {
  const liars = new KnownLiars();
  const heard = new Heard();
  return {
    name: "verification",
    looksAt: ["fault", "policy-chosen", "submitted", "handed", "forged", "down"],
    observe: (observation) => {
      liars.observe(observation);
      heard.observe(observation);
    },
    finish: ({ finished, controls, submissions }) => {
      if (!finished) return;
      // What several peers show alike is judged once.
      const judged = new Map<string, ExportedRun>();
      const told = new Set([
        ...(liars.haveFalseHome ? falseHomeCodes : []),
        ...(heard.leftAhead ? clockCodes : []),
      ]);
      for (const { peer, exported, events } of controls)
        for (const { run } of submissions) {
          const shown = heard.shownTo(run, exported(run));
          const before = judged.get(run);
          if (before !== undefined && showAlike(before, shown)) continue;
          judged.set(run, shown);
          const read = decodeExport(encodeExport(shown));
          if (!read.ok) throw new Violation("verification", `${run} as ${peer} exports it ${read.problem}`);
          // In the next place of a log whose author never wrote there again it is no fork, and tells things twice.
          if (heard.isForged(shown, domain)) continue;
          const lied = stepsOf(events, run, (worker) => liars.has(worker));
          judge({ peer, domain }, shown, { lied, told });
        }
    },
  };
}

/**
 * Which runs came when a policy had been decided already: no home that admits them may have another one. And whether somebody was
 * taken out whose clock had been further ahead than a domain takes, or signed with another's key.
 */
class Heard {
  readonly #chosenUs = new Map<number, number>();
  readonly #cameUs = new Map<string, number>();
  #clocksAreSet = false;
  /** By which no clock is further ahead. */
  #aheadMs = 0;
  #isRechartered = false;
  readonly #forged = new Map<string, { readonly author: PeerName; isLast: boolean }>();

  /** True when somebody who had a control peer's key signed what no fork proves to be another's. */
  isForged({ forks = [] }: ExportedRun, domain: string): boolean {
    if (this.#forged.size === 0) return false;
    const opened = forks.map((evidence) => openFork(evidence, domain, simulatedVerifier));
    return [...this.#forged].some(
      ([log, { isLast }]) => isLast && !opened.some((fork) => fork.ok && fork.value.log === log),
    );
  }

  get leftAhead(): boolean {
    return this.#aheadMs > limits.signedApartMsMax && this.#isRechartered;
  }

  observe(observation: Observation): void {
    const { kind, atUs } = observation;
    if (kind === "policy-chosen") this.#chosenUs.set(observation.version, atUs);
    if ((kind === "submitted" || kind === "handed") && !this.#cameUs.has(observation.submission.run))
      this.#cameUs.set(observation.submission.run, atUs);
    if (kind === "forged") this.#forged.set(observation.log, { author: observation.author, isLast: false });
    // The log of a life that is over is written no further.
    if (kind === "down")
      for (const forged of this.#forged.values()) forged.isLast ||= forged.author === observation.peer;
    const fault = kind === "fault" ? observation.fault : null;
    if (fault?.kind === "recharter") this.#isRechartered = true;
    if (fault?.kind !== "clock-jump") return;
    this.#clocksAreSet = true;
    this.#aheadMs += Math.max(0, fault.byMs);
  }

  /** A policy that came later is left out: whether it may be held against the run is for clocks to say. */
  shownTo(run: string, { policy, ...exported }: ExportedRun): ExportedRun {
    const version = policy === undefined ? null : versionOf(policy);
    const chosenUs = version === null ? Infinity : (this.#chosenUs.get(version) ?? Infinity);
    const isFirst = chosenUs < (this.#cameUs.get(run) ?? -Infinity) && !this.#clocksAreSet;
    return policy !== undefined && isFirst ? { ...exported, policy } : exported;
  }
}

function versionOf(policy: Uint8Array): number | null {
  const [envelope] = decodedOnce(policy) as [Uint8Array];
  const opened = openEnvelope(envelope, { kind: "document", domain: null }, simulatedVerifier);
  return opened.ok ? (opened.value.value as Document).version : null;
}

/** The same entries in the same order, of the same plan. Evidence of forks is compared as it would be handed over. */
function showAlike(one: ExportedRun, other: ExportedRun): boolean {
  if (one.forks !== undefined || other.forks !== undefined)
    return equals(encodeExport(one), encodeExport(other));
  const isSame = (left: Uint8Array | null, right: Uint8Array | null | undefined): boolean =>
    left === right || (left instanceof Uint8Array && right instanceof Uint8Array && equals(left, right));
  return (
    isSame(one.bundle, other.bundle) &&
    one.entries.length === other.entries.length &&
    one.entries.every((entry, index) => isSame(entry, other.entries[index]))
  );
}

/** Steps of a run that such a worker had. */
function stepsOf(
  events: readonly LoggedEvent[],
  run: string,
  isSuch: (worker: string) => boolean,
): ReadonlySet<string> {
  return new Set(
    events.flatMap((event) =>
      event.run === run && event.kind === "attempt-ended" && isSuch(event.worker) ? [event.step] : [],
    ),
  );
}

/** @param lied steps of whoever lies. @param told what is enough to be found. */
function judge(
  { peer, domain }: { readonly peer: PeerName; readonly domain: string },
  shown: ExportedRun,
  { lied, told }: { readonly lied: ReadonlySet<string>; readonly told: ReadonlySet<FindingCode> },
): void {
  const { run } = shown;
  const { findings, state, uncertified } = verifyRun(shown, domain, simulatedVerifier, 0);
  // Who told of the run told different things, or opened gates that nobody has: whatever else is found, a stranger is told so.
  if (findings.some(({ code }) => code === "log-forked" || told.has(code))) return;
  const [first] = findings.filter(
    ({ step, code }) => step === null || !lied.has(step) || !lieCodes.has(code),
  );
  if (first !== undefined)
    throw new Violation(
      "verification",
      `${run} by ${peer}: ${first.code} ${first.step ?? ""}: ${first.expected} ${first.recorded}`,
    );
  if (state === "open" || uncertified.length > 0)
    throw new Violation("verification", `${run} by ${peer} is ${state}, ${uncertified.length} unknown`);
}
