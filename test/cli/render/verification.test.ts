/** What `otto verify` found, as a person reads it. */

import { expect, it } from "vitest";
import { verificationText } from "../../../cli/render/verification.ts";
import type { Verification } from "../../../node/verify/verify.ts";

const kept: Verification = {
  otto: "verify/1",
  run: "q4f6rmtw2k7c",
  verdict: "kept",
  state: "passed",
  domain: { id: "49c5", name: "dev" },
  pipeline: "checks",
  planId: "bafyplan",
  submitter: { peer: "12D3KooWsubmitterabcd", name: "ada" },
  steps: 14,
  attempts: 15,
  entries: 40,
  authors: ["a", "b", "c"],
  workers: ["w"],
  policy: null,
  environments: [],
  others: [],
  uncertified: [],
  findings: [],
  findingsLeft: 0,
};
const options = { color: false, hint: null };

it("says of a run that kept to its plan how much was looked at, and by whose word", () => {
  expect(verificationText(kept, { ...options, hint: "--domain" })).toBe(`\
Run q4f6rmtw2k7c kept to its plan bafyplan; it ended as passed.
14 steps, 15 attempts on 1 worker; 40 entries signed by 3 control peers, submitted by ada (12D3…abcd).
Domain dev, 49c5. Whether that is the one you trust is for you to compare (--domain).
`);
});

it("says of each deviation where it is, what is allowed there and what was recorded", () => {
  const code = "extra-attempt";
  const finding = { code, step: "test\u001b[2J", expected: "At most 2.", recorded: "There were 3." } as const;
  const deviating: Verification = {
    ...kept,
    verdict: "deviates",
    findings: [finding],
    findingsLeft: 3,
    uncertified: ["12D3KooWworkerabcd"],
  };
  expect(verificationText(deviating, options)).toBe(`\
Run q4f6rmtw2k7c deviates from its plan bafyplan in 4 places.
✗ test (extra-attempt)
  allowed:  At most 2.
  recorded: There were 3.
and 3 more deviations

14 steps, 15 attempts on 1 worker; 40 entries signed by 3 control peers, submitted by ada (12D3…abcd).
Domain dev, 49c5.
Not shown: certificates of 12D3…abcd. That they are workers of the domain is what its control peers say.
`);
});

it("says by which policy gates were judged, or that it came with the run or later", () => {
  const policy = { version: 3, signedMs: 1_700_000_000_000 };
  expect(verificationText({ ...kept, policy: { ...policy, judged: true } }, options)).toContain(
    "Gates are judged by version 3 of its policy, signed 2023-11-14T22:13:20.000Z.\n",
  );
  expect(verificationText({ ...kept, policy: { ...policy, judged: false } }, options)).toContain(
    "What the records show of gates is judged, and not what was demanded: version 3 of its policy, signed 2023-11-14T22:13:20.000Z, is no older than the run.\n",
  );
});

it("says what it could not judge: what a policy that is not shown demanded, and whose word another domain's is", () => {
  expect(verificationText({ ...kept, environments: ["production"] }, options)).toContain(
    "No policy of the domain is in the records: what it demanded of production is not judged.\n",
  );
  expect(verificationText({ ...kept, others: [{ id: "1a2b", name: "ops" }] }, options)).toContain(
    "Domain ops, 1a2b, signed how its own steps ended. Whether that is the one you trust is for you to compare.\n",
  );
});

it("says of a run that goes on that it does, whatever was found so far", () => {
  const open: Verification = { ...kept, state: "open" };
  expect(verificationText(open, options)).toMatch(
    /^Run q4f6rmtw2k7c has not ended\. So far it keeps to its plan/u,
  );
  const finding = { code: "unknown-step", step: null, expected: "a", recorded: "b" } as const;
  const deviating: Verification = { ...open, verdict: "deviates", findings: [finding] };
  expect(verificationText(deviating, options)).toMatch(
    /^Run q4f6rmtw2k7c has not ended, and deviates from its plan bafyplan in 1 place\./u,
  );
});
