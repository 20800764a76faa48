/**
 * `otto verify`: are the records of a run a path that its plan allows, complete, and signed by those who may?
 *
 *   exported run --signatures, standing, chains--> accounts --each replayed against the plan--> findings
 *                     evidence.ts                     |            replay.ts, reports.ts
 *                                                     +--held against one another--> findings (here)
 *
 * Pure: the same file gives the same verdict anywhere. Several authors may tell of one run, and one thing twice: equal
 * tellings are no deviation. What is not seen: an author's last entries, taken out, when others told all that was in them.
 */

import type { Verifier } from "../../protocol/envelope.ts";
import type { Event } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Plan } from "../../protocol/plan.ts";
import type { RunOutcome } from "../../protocol/registers/registers.ts";
import type { ExportedRun } from "../../protocol/run-export.ts";
import { compareText, encodeValue, sha256Hex } from "../../protocol/values.ts";
import { checkDemanded, isOlder, openPolicy } from "./demanded.ts";
import { type Account, type Evidence, openEvidence } from "./evidence.ts";
import { type Finding, Findings } from "./finding.ts";
import { replay, type Replayed } from "./replay.ts";
import { checkApprovals } from "./settled.ts";

export type Verification = {
  readonly otto: "verify/1";
  readonly run: string;
  readonly verdict: "kept" | "deviates";
  /** `open`: no end of the run is recorded; the verdict is on what there is. */
  readonly state: "open" | RunOutcome;
  readonly domain: { readonly id: string; readonly name: string } | null;
  readonly pipeline: string | null;
  readonly planId: string | null;
  readonly submitter: { readonly peer: string; readonly name: string } | null;
  readonly steps: number;
  readonly attempts: number;
  readonly entries: number;
  readonly authors: readonly string[];
  readonly workers: readonly string[];
  /** The domain's policy in the records, by which gates were judged; `judged` is false when it is newer than the run. Null: there is none. */
  readonly policy: { readonly version: number; readonly signedMs: number; readonly judged: boolean } | null;
  /** That the plan's steps reach, sorted. */
  readonly environments: readonly string[];
  /** Other domains, sorted by id, whose word counts for how steps of theirs ended. */
  readonly others: readonly { readonly id: string; readonly name: string }[];
  /** Workers whose membership rests on the word of the control peers: their certificates are not there. */
  readonly uncertified: readonly string[];
  readonly findings: readonly Finding[];
  /** Findings beyond those that are told. */
  readonly findingsLeft: number;
};

/**
 * @param domain the name or id of the domain that the run must be of; null: any, and the caller looks at the id.
 * @param policyApartMs a policy that is older than the run by less is not held against it; unless told otherwise what a domain
 * takes a signature for, which may be that old.
 */
export function verifyRun(
  exported: ExportedRun,
  domain: string | null,
  keys: Verifier,
  policyApartMs: number = limits.signedApartMsMax,
): Verification {
  const findings = new Findings();
  const evidence = openEvidence(exported, keys, findings);
  const { charter, submission, accounts } = evidence;
  if (charter !== null && domain !== null && domain !== charter.domain && domain !== charter.name)
    findings.add(
      "other-domain",
      null,
      `The run is of domain ${domain}.`,
      `It is of domain ${charter.name}, ${charter.domain}.`,
    );
  const events = accounts.flatMap(({ told }) => told.map(({ event }) => event));
  checkAgreement(events, findings);
  const plan = submission?.manifest.plan ?? null;
  const policy = judgePolicy(exported, evidence, findings, { keys, policyApartMs });
  const end = events.find((event) => event.kind === "run-closed");
  if (submission !== null) {
    const replayed = accounts.flatMap((account) => replay(account, submission, findings));
    checkApprovals(accounts, submission, findings);
    if (end !== undefined) checkEnd(end.outcome, replayed, findings);
  }
  if (findings.all.length > 0) evidence.tellForks();
  const attempts = new Set<string>();
  const workers = new Set<string>();
  for (const event of events)
    if (event.kind === "attempt-started" || event.kind === "attempt-ended") {
      attempts.add(JSON.stringify([event.step, event.attempt]));
      workers.add(event.worker);
    }
  return {
    otto: "verify/1",
    run: exported.run,
    verdict: findings.all.length === 0 ? "kept" : "deviates",
    state: end?.outcome ?? "open",
    domain: charter === null ? null : { id: charter.domain, name: charter.name },
    pipeline: plan?.pipeline ?? null,
    planId: submission?.planId ?? null,
    submitter:
      submission === null ? null : { peer: submission.submitter.peer, name: submission.submitter.name },
    steps: plan?.steps.length ?? 0,
    attempts: attempts.size,
    entries: evidence.entries,
    authors: authorsOf(accounts),
    workers: [...workers].sort(compareText),
    policy,
    environments: environmentsOf(plan),
    others: othersIn(accounts),
    uncertified: evidence.uncertified,
    findings: findings.all,
    findingsLeft: findings.left,
  };
}

function judgePolicy(
  { policy: bytes }: ExportedRun,
  { charter, submission, accounts }: Evidence,
  findings: Findings,
  { keys, policyApartMs }: { readonly keys: Verifier; readonly policyApartMs: number },
): Verification["policy"] {
  if (bytes === undefined || charter === null) return null;
  const shown = openPolicy(bytes, charter, keys);
  if (shown === null) {
    findings.add(
      "policy-invalid",
      null,
      "A domain's policy is signed by its owner.",
      "What is shown as the policy is not.",
    );
    return null;
  }
  const { policy, version, signedMs } = shown;
  const judged = submission !== null && isOlder(shown, accounts, submission, policyApartMs);
  if (judged) checkDemanded(accounts, { submission, policy, domain: charter.name }, findings);
  return { version, signedMs, judged };
}

function environmentsOf(plan: Plan | null): readonly string[] {
  const all = (plan?.steps ?? []).flatMap(({ included, environment }) =>
    included && environment !== null ? [environment] : [],
  );
  return [...new Set(all)].sort(compareText);
}

function othersIn(accounts: readonly Account[]): Verification["others"] {
  const names = new Map<string, string>();
  for (const { elsewhere } of accounts.flatMap(({ told }) => told))
    if (elsewhere?.ok === true) {
      const { domain, name } = elsewhere.value.from.charter;
      names.set(domain, name);
    }
  return [...names].map(([id, name]) => ({ id, name })).sort((one, other) => compareText(one.id, other.id));
}

function authorsOf(accounts: readonly Account[]): readonly string[] {
  return [...new Set(accounts.map(({ author }) => author))].sort(compareText);
}

/** Somebody saw the run to its end, and what the steps add up to is how it was closed. */
function checkEnd(outcome: RunOutcome, replayed: readonly Replayed[], findings: Findings): void {
  if (replayed.some((one) => one.outcome === outcome)) return;
  const other = replayed.find((one) => one.outcome !== null);
  if (other !== undefined) {
    findings.add(
      "outcome-differs",
      null,
      `By how its steps ended the run ${other.outcome === "cancelled" ? "was cancelled" : String(other.outcome)}.`,
      `It was closed as ${outcome}.`,
    );
    return;
  }
  const [least] = replayed.toSorted((one, another) => one.left.length - another.left.length);
  const left = least?.left ?? [];
  findings.add(
    "unfinished",
    left[0] ?? null,
    "A run is closed when each of its steps has ended, or when it was cancelled and nothing runs any more.",
    least === undefined
      ? `It was closed as ${outcome}, and nobody tells of its admission.`
      : `It was closed as ${outcome} before these had ended: ${left.slice(0, 10).join(", ")}${left.length > 10 ? ", ..." : ""}.`,
  );
}

/** What several tell, or one tells twice, must be the same but for the time, and but for reports that one did not know. */
function checkAgreement(events: readonly Event[], findings: Findings): void {
  const facts = new Map<string, { readonly text: string; readonly words: string }>();
  const tell = (name: string, step: string | null, fact: object | string, words: string): void => {
    const text = sha256Hex(encodeValue(fact));
    const known = facts.get(name);
    if (known === undefined) facts.set(name, { text, words });
    else if (known.text !== text)
      findings.add("contradiction", step, `One record says: ${known.words}.`, `Another says: ${words}.`);
  };
  const ends = new Map<string, number>();
  const newest = new Map<string, number>();
  const skips = new Set<string>();
  const settled = new Set<string>();
  let cancelRequested = false;
  for (const event of events) {
    if (event.kind === "cancel-requested") cancelRequested = true;
    if (event.kind === "step-skipped") skips.add(event.step);
    if (event.kind === "run-closed")
      tell("closed", null, event.outcome, `the run was closed as ${event.outcome}`);
    if (event.kind === "step-settled") {
      const { step, outcome, cause, by } = event;
      const words = `the step was settled as ${outcome} by ${by ?? cause}`;
      settled.add(step);
      tell(`settled ${step}`, step, { outcome, cause, by }, words);
    }
    if (event.kind !== "attempt-started" && event.kind !== "attempt-ended") continue;
    const { step, attempt, token, worker } = event;
    const name = JSON.stringify([step, attempt]);
    const lease = `attempt ${attempt} ran under token ${token} at ${worker}`;
    tell(`lease ${name}`, step, { token, worker }, lease);
    newest.set(step, Math.max(newest.get(step) ?? 0, attempt));
    if (event.kind !== "attempt-ended") continue;
    const { cause, final, held = false, report } = event;
    const words = `attempt ${attempt} was ${cause}${final ? ", the last" : ""}`;
    tell(`end ${name}`, step, { cause, final, held }, words);
    if (report !== null) tell(`report ${name}`, step, report, `attempt ${attempt}: ${report.outcome}`);
    if (final) ends.set(step, Math.min(ends.get(step) ?? attempt, attempt));
  }
  for (const step of settled)
    if (skips.has(step))
      findings.add(
        "contradiction",
        step,
        "One record says: the step was skipped.",
        "Another says: it was settled.",
      );
  for (const [step, attempt] of newest) {
    const last = ends.get(step) ?? attempt;
    if (last < attempt)
      findings.add(
        "contradiction",
        step,
        `One record says: the step was over with attempt ${last}.`,
        `Another says: there was an attempt ${attempt}.`,
      );
    if (skips.has(step))
      findings.add(
        "contradiction",
        step,
        "One record says: the step was skipped.",
        `Another says: there was an attempt ${attempt}.`,
      );
  }
  checkCancellations(events, cancelRequested, findings);
}

function checkCancellations(events: readonly Event[], requested: boolean, findings: Findings): void {
  if (requested) return;
  const expected = "Only a run that somebody asked to cancel is cancelled, with its steps.";
  for (const event of events) {
    if (event.kind === "run-closed" && event.outcome === "cancelled")
      findings.add("cancelled-by-nobody", null, expected, "The run was closed as cancelled.");
    if (event.kind === "attempt-ended" && event.cause === "cancelled")
      findings.add(
        "cancelled-by-nobody",
        event.step,
        expected,
        `Attempt ${event.attempt} ended as cancelled.`,
      );
  }
}
