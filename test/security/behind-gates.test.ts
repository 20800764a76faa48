/**
 * A home of ops, alone, that lets what was deployed count though the policy demands approvals first: it writes into its register
 * what it likes and asks the others to sign the outcome for the domain that released the step. Each judges for itself.
 */

import { expect, it } from "vitest";
import { Endorsing } from "../../node/core/endorsing.ts";
import { outcomeOf, outcomeSigned, whyUnsigned } from "../../node/core/released.ts";
import { OpenRun } from "../../node/core/open-run.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import { limits } from "../../protocol/limits.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { type Charter, sealCharter, successorOf } from "../../protocol/membership.ts";
import { endDigest, inputsDigest } from "../../protocol/attempt-content.ts";
import { type Permit, sealPermit } from "../../protocol/permits.ts";
import type { Policy } from "../../protocol/policy.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import type { StepValue } from "../../protocol/registers/registers.ts";
import { sealOutcome } from "../../protocol/release.ts";
import { encodeValue } from "../../protocol/values.ts";
import { simulatedKeys } from "../../simulations/keys.ts";
import { charterOf, submissionOf } from "../../simulations/workload.ts";
import { plannedStep, reportOf } from "../node/view/example.ts";

const controls = ["control0", "control1", "control2"].map((name) => simulatedKeys(name));
const [home, one, two] = controls as [(typeof controls)[0], (typeof controls)[0], (typeof controls)[0]];
const charter = charterOf(controls, 10_000);
const now = { monotonicMs: 1, wallMs: 1_700_000_000_000 };
const deploy = { ...plannedStep("deploy"), environment: "production", effect: true };
const policy: Policy = {
  "otto-policy": 1,
  people: { mia: simulatedKeys("mia").peer },
  environments: { production: { after: { approve: { count: 1, by: ["mia"] } } } },
};
const report = reportOf({ outputs: [{ name: "url", tree: "a".repeat(64), files: 1, bytes: 1 }] });

const { submission: own } = submissionOf([deploy], charter, "n1");
const { run, manifestCid: manifest } = own;
const dev = { ...charter, domain: "dev-id" };
const release = {
  otto: "release/1",
  run: "theirs",
  manifest: "m",
  index: 0,
  step: "deploy",
  inputs: [],
  values: [],
  outcomes: {},
  fromMs: 0,
  untilMs: 1,
} as const;
const submission: Submission = {
  ...own,
  released: { release, from: { charter: dev, bytes: new Uint8Array() }, plan: own.manifest.plan },
};

const permit: Permit = {
  otto: "permit/1",
  phase: "after",
  run,
  manifest,
  index: 0,
  step: "deploy",
  given: endDigest(inputsDigest({ inputs: [] }), { token: 1, outcome: "passed", outputs: report.outputs }),
  approvedBy: [],
  fromMs: 0,
  untilMs: 1,
};

const { phase, ...before } = permit;
expect(phase).toBe("after");
const toBegin: Permit = { ...before, given: inputsDigest({ inputs: [] }) };

/** What the register of the home says, and so that of whoever is asked. */
function done(signed: { readonly permit: Permit; readonly by: typeof controls } | null): StepValue {
  const past = [{ attempt: 1, token: 1, worker: "w", cause: "finished" as const }];
  const value = {
    kind: "step",
    state: "done",
    token: 1,
    past,
    outcome: "passed",
    report: new Uint8Array(1),
  } as const;
  if (signed === null) return value;
  const envelopes = signed.by.map((keys) => sealEnvelope("permit", charter.domain, signed.permit, keys));
  return { ...value, gate: { permit: sealQuorum(envelopes), approvals: [] } };
}

/** Why another control peer does not sign that the step has passed; null: it does. */
function whyNot(value: StepValue, newest: Charter = charter, releasedMs = 0): string | null {
  const released = { ...submission.released, release: { ...release, fromMs: releasedMs } };
  const theirs = { ...submission, released } as Submission;
  const body = { text: "", policy };
  const document = {
    otto: "document/1",
    topic: "policy",
    name: "domain",
    version: 1,
    timeMs: 0,
    body,
  } as const;
  const bytes = sealDocument(document, charter.domain, { keys: simulatedKeys("owner"), certificate: null });
  const known = { value: () => value, reportIn: () => report };
  const endorsing = new Endorsing({
    ...known,
    keys: one,
    charter: () => newest,
    document: () => ({ kind: "document", version: 1, bytes }),
    poll: () => undefined,
    submission: () => theirs,
    charterOf: () => null,
    releasedAs: () => run,
  });
  const outcome = outcomeOf(new OpenRun(submission), known);
  expect(outcome).toMatchObject({ outcome: "passed", run: "theirs" });
  const asked = { kind: "endorse", what: "outcome", statement: encodeValue(outcome), evidence: [] } as const;
  const told = endorsing.answer(asked, now);
  return told.kind === "not-endorsed" ? told.why : null;
}

it("is signed as passed when a majority has signed that just this may count", () => {
  expect(whyNot(done({ permit, by: [one, two] }))).toBeNull();
});

it("is shown to the other domain once a majority has signed it, and not what the home wrote down as signed", () => {
  const outcome = outcomeOf(new OpenRun(submission), {
    value: () => done({ permit, by: [one, two] }),
    reportIn: () => report,
  });
  const signedBy = (signers: typeof controls, domain = charter.domain): LoggedEvent => {
    const quorum = sealQuorum(signers.map((keys) => sealEnvelope("outcome", domain, outcome, keys)));
    const bytes = sealOutcome(quorum, sealCharter(charter, simulatedKeys("owner")));
    return { kind: "outcome-signed", run, timeMs: 1, outcome: bytes };
  };
  const shown = (...events: LoggedEvent[]) => outcomeSigned(events, charter.domain, one);
  const sound = signedBy([one, two]);
  expect(shown(signedBy([home]), signedBy([home, home]), sound)).toBe(
    sound.kind === "outcome-signed" ? sound.outcome : null,
  );
  expect(shown(signedBy([home]), signedBy([home, home]))).toBeNull();
  expect(outcomeSigned([sound], "another", one)).toBeNull();
  expect(whyUnsigned("passed")).toBe(
    "it is over there, as passed, and no more than half of the control peers have signed that",
  );
});

it("is signed as passed when others, and more, are control peers by now than those who let it count, and not when these had been taken out", () => {
  const others = ["spare0", "spare1", "spare2", "spare3", "spare4"].map((name) => ({
    peer: simulatedKeys(name).peer,
    store: "s",
    addresses: [],
  }));
  const newest = successorOf(charter, others, now.wallMs);
  const counting = (fromMs: number): StepValue => {
    const signed = { ...permit, fromMs, untilMs: fromMs + 1 };
    const envelopes = [one, two].map((keys) => sealEnvelope("permit", charter.domain, signed, keys));
    const owned = sealCharter(charter, simulatedKeys("owner"));
    return {
      ...done(null),
      gate: { permit: sealPermit(sealQuorum(envelopes), owned), approvals: [] },
    } as StepValue;
  };
  expect(whyNot(counting(now.wallMs), newest)).toBeNull();
  const later = now.wallMs + 2 * limits.signedApartMsMax;
  expect(whyNot(counting(later), newest)).toBe("the policy does not let it count");
  // Signed with a date at which the domain had fewer, of a step that was released only later.
  const releasedMs = now.wallMs + limits.signedApartMsMax;
  expect(whyNot(counting(now.wallMs), newest, releasedMs)).toBeNull();
  expect(whyNot(counting(now.wallMs), newest, releasedMs + 1)).toBe("the policy does not let it count");
});

it.each<[string, StepValue]>([
  ["without any permit", done(null)],
  ["with a permit that the home alone signed", done({ permit, by: [home] })],
  ["with the permit to begin", done({ permit: toBegin, by: [one, two] })],
  [
    "with a permit for what another attempt made",
    done({ permit: { ...permit, given: "b".repeat(64) }, by: [one, two] }),
  ],
  ["with the permit of another run", done({ permit: { ...permit, run: "other" }, by: [one, two] })],
])("is not signed as passed %s", (_, value) => {
  expect(whyNot(value)).toBe("the policy does not let it count");
});
