/** As one control peer that lies: it asks another to sign that a step may begin, and that one has not heard yet what the owner demands. */

import { expect, it } from "vitest";
import { Endorsing } from "../../node/core/endorsing.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { inputsDigest } from "../../protocol/attempt-content.ts";
import type { Permit } from "../../protocol/permits.ts";
import type { Policy } from "../../protocol/policy.ts";
import type { DocumentValue } from "../../protocol/registers/document.ts";
import { encodeValue } from "../../protocol/values.ts";
import { simulatedKeys } from "../../simulations/keys.ts";
import { charterOf, submissionOf } from "../../simulations/workload.ts";
import { plannedStep } from "../node/view/example.ts";

const controls = ["control0", "control1", "control2"].map((name) => simulatedKeys(name));
const [, asked = simulatedKeys("control1")] = controls;
const charter = charterOf(controls, 10_000);
const now = { monotonicMs: 1, wallMs: 1_700_000_000_000 };
const deploy = { ...plannedStep("deploy"), environment: "production", effect: true };
const { submission } = submissionOf([deploy], charter, "n1");

/** Why the other control peer does not sign it; null: it does. */
function whyNot(policy: Policy | null): string | null {
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
  const known: DocumentValue | undefined =
    policy === null ? undefined : { kind: "document", version: 1, bytes };
  const endorsing = new Endorsing({
    keys: asked,
    charter: () => charter,
    document: () => known,
    poll: () => undefined,
    submission: () => submission,
    value: () => null,
    reportIn: () => null,
    charterOf: () => null,
    releasedAs: () => null,
  });
  const permit: Permit = {
    otto: "permit/1",
    run: submission.run,
    manifest: submission.manifestCid,
    index: 0,
    step: "deploy",
    given: inputsDigest({ inputs: [] }),
    approvedBy: [],
    fromMs: now.wallMs,
    untilMs: now.wallMs + 60_000,
  };
  const statement = encodeValue(permit);
  const told = endorsing.answer({ kind: "endorse", what: "permit", statement, evidence: [] }, now);
  return told.kind === "not-endorsed" ? told.why : null;
}

it("is signed by nobody who knows of nothing that is demanded there", () => {
  expect(whyNot(null)).toBe("no policy that it knows demands anything there");
  expect(whyNot({ "otto-policy": 1 })).toBe("no policy that it knows demands anything there");
});

it("is signed by whoever knows it, and lacks nothing", () => {
  const people = { mia: simulatedKeys("mia").peer };
  const approve = { count: 1, by: ["mia"] };
  expect(whyNot({ "otto-policy": 1, people, environments: { production: { approve } } })).toBe(
    "0 of 1 approvals of mia",
  );
  const open = ["mon-sun 00:00-24:00"];
  expect(whyNot({ "otto-policy": 1, environments: { production: { open } } })).toBeNull();
});
