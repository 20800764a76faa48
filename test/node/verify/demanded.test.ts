/** A home that ignores the policy writes records that are sound by themselves: the owner's policy tells what is missing in them. */

import { describe, expect, it } from "vitest";
import { History } from "../../../node/core/history.ts";
import { verifyRun } from "../../../node/verify/verify.ts";
import { endDigest, inputsDigest } from "../../../protocol/attempt-content.ts";
import { sealDocument } from "../../../protocol/documents.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import type { Event } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Noted } from "../../../protocol/log.ts";
import { submittedSinceMs } from "../../../protocol/manifest.ts";
import { sealCharter } from "../../../protocol/membership.ts";
import type { SignedResult } from "../../../protocol/messages.ts";
import { type Permit, sealPermit } from "../../../protocol/permits.ts";
import type { Policy } from "../../../protocol/policy.ts";
import { sealQuorum } from "../../../protocol/quorum.ts";
import type { ExportedRun } from "../../../protocol/run-export.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { certificateOf, charterOf, submissionOf } from "../../../simulations/workload.ts";
import { plannedStep, reportOf } from "../view/example.ts";

const controls = ["control0", "control1", "control2"].map((name) => simulatedKeys(name));
const [worker, owner] = [simulatedKeys("worker0"), simulatedKeys("owner")];
const charter = charterOf(controls, 10_000);
const deploy = { ...plannedStep("deploy"), environment: "production", effect: true };
const { bundle, submission } = submissionOf([deploy, plannedStep("announce", ["deploy"])], charter, "n1");
const { run, manifestCid: manifest, planId: plan } = submission;
const timeMs = submittedSinceMs(submission) + 3_600_000;
const longBeforeMs = timeMs - limits.signedApartMsMax - 1;
const approve = { count: 1, by: ["mia"] };
const people = { mia: simulatedKeys("mia").peer };

function policyOf(production: object, signedMs = longBeforeMs, signer = owner): Uint8Array {
  const policy: Policy = { "otto-policy": 1, people, environments: { production } };
  const named = { topic: "policy", name: "domain", version: 4, timeMs: signedMs } as const;
  const document = { otto: "document/1", ...named, body: { text: "", policy } } as const;
  return sealDocument(document, charter.domain, { keys: signer, certificate: null });
}

function told(
  fields: { readonly kind: Event["kind"]; readonly [field: string]: unknown },
  result: Uint8Array | null = null,
): Noted {
  return { event: { run, timeMs, ...fields } as unknown as Event, result };
}

const lease = { step: "deploy", attempt: 1, token: 1, worker: worker.peer };
const report = reportOf();
const result: SignedResult = {
  otto: "result/1",
  run,
  index: 0,
  step: "deploy",
  token: 1,
  attempt: 1,
  inputs: inputsDigest({ inputs: [] }),
  report,
};
const envelope = sealEnvelope("result", charter.domain, result, worker);
const admitted = told({
  kind: "run-admitted",
  manifest,
  plan,
  pipeline: submission.manifest.plan.pipeline,
  submitter: submission.submitter.peer,
  steps: 2,
});
const waits = told({ kind: "step-waiting", step: "deploy", untilMs: timeMs });
const started = told({ kind: "attempt-started", ...lease });
const ended = told({ kind: "attempt-ended", ...lease, cause: "finished", final: true, report }, envelope);
const held = told(
  { kind: "attempt-ended", ...lease, cause: "finished", final: false, held: true, report },
  envelope,
);
const lastLease = { ...lease, step: "announce" };
const lastResult = sealEnvelope("result", charter.domain, { ...result, index: 1, step: "announce" }, worker);
const last = { ...lastLease, cause: "finished", final: true, report };
const announced = [
  told({ kind: "attempt-started", ...lastLease }),
  told({ kind: "attempt-ended", ...last }, lastResult),
];
const waitsBehind = told({ kind: "step-waiting", step: "deploy", untilMs: timeMs, after: true });
const closed = told({ kind: "run-closed", outcome: "passed" });

function opened(phase: "before" | "after"): Noted {
  const nothing = inputsDigest({ inputs: [] });
  const made = endDigest(nothing, { token: 1, outcome: "passed", outputs: report.outputs });
  const times = { fromMs: timeMs, untilMs: timeMs + 1 };
  const named = { run, manifest, index: 0, step: "deploy", approvedBy: [], ...times };
  const permit: Permit =
    phase === "before"
      ? { otto: "permit/1", ...named, given: nothing }
      : { otto: "permit/1", phase, ...named, given: made };
  const signed = controls.slice(1).map((keys) => sealEnvelope("permit", charter.domain, permit, keys));
  const bytes = sealPermit(sealQuorum(signed), sealCharter(charter, owner));
  return told({
    kind: "gate-opened",
    step: "deploy",
    permit: bytes,
    ...(phase === "after" ? { after: true } : {}),
  });
}

/** What a stranger finds, who is shown this policy. */
function found(story: readonly Noted[], policy: Uint8Array | undefined) {
  const home = simulatedKeys("control0");
  const history = new History({ domain: charter.domain, incarnation: "1", keys: home }, []);
  const exported: ExportedRun = {
    otto: "otto-run/1",
    run,
    charter: sealCharter(charter, owner),
    bundle,
    entries: story.map((one) => history.append(run, [one]).bytes),
    certificates: [certificateOf(charter, worker.peer, "worker")],
    ...(policy === undefined ? {} : { policy }),
  };
  const { findings, policy: judgedBy } = verifyRun(exported, null, simulatedVerifier);
  return { codes: findings.map(({ code, step }) => `${code} ${step}`), judgedBy };
}

const ungated = [admitted, started, ended, ...announced, closed];
const gated = [admitted, waits, opened("before"), started, ended, ...announced, closed];
const gatedBehind = [admitted, started, held, waitsBehind, opened("after"), ...announced, closed];

describe("records of a step that the policy guards", () => {
  it("are as the policy demands with what a majority signed", () => {
    expect(found(gated, policyOf({ approve })).codes).toEqual([]);
    expect(found(gatedBehind, policyOf({ after: { approve } })).codes).toEqual([]);
    expect(found(ungated, policyOf({})).codes).toEqual([]);
  });

  it("deviate when it began, or counts, without", () => {
    expect(found(ungated, policyOf({ approve })).codes).toEqual(["permit-missing deploy"]);
    expect(found(ungated, policyOf({ after: { approve } })).codes).toEqual(["permit-missing deploy"]);
    expect(found(gated, policyOf({ after: { approve } })).codes).toEqual(["permit-missing deploy"]);
    expect(found(gatedBehind, policyOf({ approve })).codes).toEqual(["permit-missing deploy"]);
    expect(found(ungated, undefined).codes).toEqual([]);
  });

  it("of a run that was cancelled hold nothing back", () => {
    const cancelled = [
      admitted,
      started,
      told({ kind: "cancel-requested", by: "ada" }),
      ended,
      told({ kind: "run-closed", outcome: "cancelled" }),
    ];
    expect(found(cancelled, policyOf({ after: { approve } })).codes).toEqual([]);
  });

  it("deviate when what needs it began all the same, and the run is said to have been cancelled", () => {
    const saidLast = [
      admitted,
      started,
      ended,
      ...announced,
      told({ kind: "cancel-requested", by: "ada" }),
      told({ kind: "run-closed", outcome: "cancelled" }),
    ];
    expect(found(saidLast, policyOf({ after: { approve } })).codes).toEqual(["permit-missing deploy"]);
  });

  it("are not held against a policy that is no older than the run, whatever time they give for its admission", () => {
    const late = policyOf({ approve }, longBeforeMs + 1);
    expect(found(ungated, late)).toEqual({
      codes: [],
      judgedBy: { version: 4, signedMs: longBeforeMs + 1, judged: false },
    });
    const backdated = [
      { ...admitted, event: { ...admitted.event, timeMs: 0 } },
      started,
      ended,
      ...announced,
      closed,
    ];
    const sinceMs = submittedSinceMs(submission) - limits.signedApartMsMax - 1;
    expect(found(backdated, policyOf({ approve }, sinceMs)).codes).toEqual(["permit-missing deploy"]);
  });

  it("deviate when what is shown as the policy is not the owner's", () => {
    expect(found(gated, policyOf({}, longBeforeMs, controls[0])).codes).toEqual(["policy-invalid null"]);
    expect(found(gated, new Uint8Array(5)).codes).toEqual(["policy-invalid null"]);
  });
});
