/** A step that runs by a permit goes on with its credentials when its domain grows, and nobody makes such a permit afterwards. */

import { describe, expect, it } from "vitest";
import { Endorsing } from "../../../node/core/endorsing.ts";
import { limits } from "../../../protocol/limits.ts";
import { type Charter, sealCharter, successorOf } from "../../../protocol/membership.ts";
import { inputsDigest } from "../../../protocol/attempt-content.ts";
import { type Permit, sealPermit } from "../../../protocol/permits.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import { sealDocument } from "../../../protocol/documents.ts";
import type { RegisterValue } from "../../../protocol/registers/registers.ts";
import { sealQuorum } from "../../../protocol/quorum.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { startWallMs } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { controlKeysOf, exampleCharter, runOf } from "./example.ts";

const owner = simulatedKeys("owner");
const grownMs = startWallMs + 60_000;
const timeoutMs = 120_000;
const three = successorOf(
  exampleCharter,
  ["control0", "control1", "control2"].map((name) => ({
    peer: simulatedKeys(name).peer,
    store: "s",
    addresses: [],
  })),
  grownMs,
);
const deploy: PlannedStep = { ...plannedStep("deploy"), environment: "production", effect: true, timeoutMs };
const { submission } = runOf([deploy]);
const policy = sealDocument(
  {
    otto: "document/1",
    topic: "policy",
    name: "domain",
    version: 1,
    timeMs: startWallMs,
    body: {
      text: "",
      policy: {
        "otto-policy": 1,
        people: { mia: owner.peer },
        environments: { production: { approve: { count: 1, by: ["mia"] } } },
      },
    },
  },
  exampleCharter.domain,
  { keys: owner, certificate: null },
);

/** What a control peer says of the step, leased by a permit that the founder signed alone. */
function saidBy(
  charter: Charter,
  { fromMs, untilMs = fromMs + limits.permitMs }: Partial<Permit> & { fromMs: number },
) {
  const permit: Permit = {
    otto: "permit/1",
    run: submission.run,
    manifest: submission.manifestCid,
    index: 0,
    step: "deploy",
    given: inputsDigest({ inputs: [] }),
    approvedBy: [],
    fromMs,
    untilMs,
  };
  const { domain } = exampleCharter;
  const signed = sealQuorum([sealEnvelope("permit", domain, permit, controlKeysOf)]);
  const gate = { permit: sealPermit(signed, sealCharter(exampleCharter, owner)), approvals: [] };
  const lease = { attempt: 1, worker: "w", session: "s", nonce: "n" };
  const value: RegisterValue = { kind: "step", state: "leased", token: 1, past: [], ...lease, gate };
  const endorsing = new Endorsing({
    keys: { ...simulatedVerifier, ...simulatedKeys("control1") },
    charter: () => charter,
    document: () => ({ kind: "document", version: 1, bytes: policy }),
    poll: () => undefined,
    submission: () => submission,
    value: () => value,
    reportIn: () => null,
    charterOf: () => null,
    releasedAs: () => null,
  });
  return (wallMs: number) => endorsing.whyNotPermitted(submission.run, 0, wallMs);
}

describe("a permit of a founder that was alone", () => {
  it("is good for the step that runs by it, for as long as that may run, also when the domain has grown", () => {
    const before = saidBy(exampleCharter, { fromMs: startWallMs });
    const since = saidBy(three, { fromMs: startWallMs });
    const lastMs = startWallMs + limits.permitMs + timeoutMs + limits.signedApartMsMax;
    expect(before(startWallMs)).toBeNull();
    expect(since(grownMs)).toBeNull();
    expect(since(lastMs)).toBeNull();
    expect(since(lastMs + 1)).toContain("fewer control peers than there are");
  });

  it("is none when it was signed after that, or is to be good for longer than permits are", () => {
    const late = grownMs + limits.signedApartMsMax + 1;
    expect(saidBy(three, { fromMs: late })(late)).toContain("has signed no permit");
    const untilMs = startWallMs + limits.permitMs + 1;
    expect(saidBy(three, { fromMs: startWallMs, untilMs })(grownMs)).toContain("has signed no permit");
  });
});
