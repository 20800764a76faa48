/**
 * As the home of dev, alone, that would have a step of ops count which ops never ran: it founds a domain of its own, calls that ops, and
 * writes into its register what that domain has signed. The others go by the domain that their owner trusts.
 */

import { expect, it } from "vitest";
import { Endorsing } from "../../node/core/endorsing.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import { sealAnswer } from "../../protocol/answers.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import { sealCharter } from "../../protocol/membership.ts";
import type { Permit } from "../../protocol/permits.ts";
import type { Policy } from "../../protocol/policy.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import { stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import { type ReleasedOutcome, sealOutcome } from "../../protocol/release.ts";
import { encodeValue } from "../../protocol/values.ts";
import { domainId } from "../../protocol/membership.ts";
import { simulatedKeys } from "../../simulations/keys.ts";
import { certificateOf, charterOf, submissionOf } from "../../simulations/workload.ts";
import { plannedStep } from "../node/view/example.ts";

const [one, mia, opsOwner] = [simulatedKeys("one"), simulatedKeys("mia"), simulatedKeys("ops-owner")];
const charter = charterOf([simulatedKeys("home"), one, simulatedKeys("two")], 10_000);
const opsControls = ["ops0", "ops1", "ops2"].map((name) => simulatedKeys(name));
const named = { name: "ops", owner: opsOwner.peer, domain: domainId("ops", opsOwner.peer) };
const ops = { ...charterOf(opsControls, 10_000), ...named };
const thief = simulatedKeys("thief");
const madeUp = {
  ...charterOf([thief], 10_000),
  name: "ops",
  owner: thief.peer,
  domain: domainId("ops", thief.peer),
};

const wallMs = 1_700_000_000_000;
const { submission: own } = submissionOf(
  [plannedStep("deploy"), plannedStep("announce", ["deploy"])],
  charter,
  "n1",
);
const places = ["production", "site"];
const plan = {
  ...own.manifest.plan,
  environments: { production: { domain: "ops", settings: {} }, site: { domain: null, settings: {} } },
  steps: own.manifest.plan.steps.map((step, at) => ({
    ...step,
    environment: places[at] ?? null,
    effect: true,
  })),
};
const submission = { ...own, manifest: { ...own.manifest, plan } };
const { run, manifestCid: manifest } = submission;
const policy: Policy = {
  "otto-policy": 1,
  people: { mia: mia.peer },
  environments: { site: { approve: { count: 1, by: ["mia"] } } },
};
const outcome: ReleasedOutcome = {
  otto: "outcome/1",
  domain: charter.domain,
  run,
  index: 0,
  outcome: "passed",
  detail: "",
  outputs: [],
  values: {},
};

function settled(by: typeof opsControls, of: typeof ops, owner: typeof opsOwner, said = outcome): StepValue {
  const quorum = sealQuorum(by.map((keys) => sealEnvelope("outcome", of.domain, said, keys)));
  const evidence = sealOutcome(quorum, sealCharter(of, owner));
  const settlement = { cause: "released", by: null, detail: "", evidence } as const;
  return { kind: "step", state: "done", token: 1, past: [], outcome: "passed", report: null, settlement };
}

/** Why another control peer does not sign that `announce` may begin, when this is in the register of `deploy`; null: it does. */
function whyNot(deploy: StepValue): string | null {
  const named = {
    topic: "policy",
    name: "domain",
    version: 1,
    timeMs: 0,
    body: { text: "", policy },
  } as const;
  const bytes = sealDocument({ otto: "document/1", ...named }, charter.domain, {
    keys: simulatedKeys("owner"),
    certificate: null,
  });
  const endorsing = new Endorsing({
    keys: one,
    charter: () => charter,
    document: () => ({ kind: "document", version: 1, bytes }),
    poll: () => undefined,
    submission: () => submission,
    value: (register) => (register === stepRegister(run, 0) ? deploy : null),
    reportIn: () => null,
    charterOf: (domain) => (domain === ops.domain ? ops : domain === charter.domain ? charter : null),
    releasedAs: () => null,
  });
  const given = inputsDigest({ inputs: [] });
  const yes = {
    otto: "answer/1",
    run,
    manifest,
    step: "announce",
    verdict: "passed",
    detail: "",
    given,
  } as const;
  const certificate = certificateOf(charter, mia.peer, "person");
  const evidence = [sealAnswer(yes, charter.domain, { keys: mia, certificate })];
  const times = { fromMs: wallMs, untilMs: wallMs + 60_000 };
  const permit: Permit = {
    otto: "permit/1",
    run,
    manifest,
    index: 1,
    step: "announce",
    given,
    approvedBy: [mia.peer],
    ...times,
  };
  const asked = { kind: "endorse", what: "permit", statement: encodeValue(permit), evidence } as const;
  const told = endorsing.answer(asked, { monotonicMs: 1, wallMs });
  return told.kind === "not-endorsed" ? told.why : null;
}

it("is believed of nobody: what follows is permitted by what the trusted domain signed alone", () => {
  expect(whyNot(settled(opsControls.slice(1), ops, opsOwner))).toBeNull();
  const why = "deploy is another domain's, and that has not signed that it has ended so";
  expect(whyNot(settled([thief], madeUp, thief))).toBe(why);
  expect(whyNot(settled([thief], ops, thief))).toBe(why);
  expect(whyNot(settled(opsControls.slice(2), ops, opsOwner))).toBe(why);
  for (const other of [{ run: "other" }, { index: 1 }, { domain: "other" }, { outcome: "failed" as const }])
    expect(whyNot(settled(opsControls, ops, opsOwner, { ...outcome, ...other }))).toBe(why);
});
