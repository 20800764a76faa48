/** A run that kept to its plan is told so; whatever else its records say is found, one by one. */

import { describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import type { Noted } from "../../../protocol/log.ts";
import { sealCharter } from "../../../protocol/membership.ts";
import { decodeExport, encodeExport } from "../../../protocol/run-export.ts";
import { sha256Hex } from "../../../protocol/values.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { certificateOf, submissionOf } from "../../../simulations/workload.ts";
import {
  admitted,
  afterBuild,
  again,
  buildEnded,
  bundle,
  cancelRequested,
  charter,
  closed,
  codesOf,
  ended,
  endedBy,
  entriesBy,
  exportOf,
  isClosed,
  leftOut,
  neverTold,
  notAsked,
  notTold,
  owner,
  refused,
  run,
  started,
  steps,
  story,
  storyWith,
  submission,
  testEnded,
  testStarted,
  verdictOn,
  verified,
  withEvent,
  worker,
} from "./recorded.ts";

const entries = entriesBy("control0", story);

const failedTwice = [
  testStarted,
  ended("test", "failed", { final: false }),
  started("test", 2),
  ended("test", "failed", { attempt: 2 }),
];

/** Ways that the plan allows, and how the run ends by them. */
const allowed: readonly (readonly [string, readonly Noted[], string])[] = [
  [
    "tried again as the plan allows",
    afterBuild(
      testStarted,
      ended("test", "failed", { final: false }),
      started("test", 2),
      ended("test", "passed", { attempt: 2 }),
      notTold,
      isClosed,
    ),
    "passed",
  ],
  [
    "taking the branch for a failure",
    afterBuild(
      testStarted,
      ended("test", "failed", { final: false }),
      started("test", 2),
      ended("test", "failed", { attempt: 2 }),
      started("tell"),
      ended("tell", "passed"),
      closed("failed"),
    ),
    "failed",
  ],
  [
    "cancelled by somebody",
    afterBuild(testStarted, cancelRequested, endedBy("test", "cancelled"), neverTold, closed("cancelled")),
    "cancelled",
  ],
  [
    "with a worker that was lost, and came too late",
    storyWith(
      buildEnded,
      endedBy("build", "lost", { final: false }),
      started("build", 2),
      refused("build", 1),
      ended("build", "passed", { attempt: 2 }),
    ),
    "passed",
  ],
  [
    "with what was about to be tried again when it was cancelled",
    afterBuild(testStarted, cancelRequested, ended("test", "failed", { final: false }), closed("cancelled")),
    "cancelled",
  ],
  [
    "with a failure that was not tried again, since it was cancelled",
    afterBuild(testStarted, cancelRequested, ended("test", "failed"), closed("cancelled")),
    "cancelled",
  ],
  [
    "with a step that reaches outside, given back half done and for good",
    afterBuild(...failedTwice, started("tell"), endedBy("tell", "released"), closed("failed")),
    "failed",
  ],
  [
    "with a step that reaches outside, given back before it began",
    afterBuild(
      ...failedTwice,
      started("tell"),
      endedBy("tell", "released", { final: false }),
      ...again("tell"),
      closed("failed"),
    ),
    "failed",
  ],
  ["told twice", story.slice(0, -1).flatMap((one) => (one === admitted ? [one] : [one, one])), "open"],
  ["with a late result of a run that was not told of yet", [refused("build", 1), ...story], "passed"],
  ["with a late result after its end", [...story, refused("build", 1), isClosed], "passed"],
  [
    "with a step given back before it began",
    storyWith(buildEnded, endedBy("build", "released", { final: false }), ...again("build")),
    "passed",
  ],
];

describe("a run kept to its plan", () => {
  it("when all went as planned", () => {
    expect(verified(exportOf(entries), "dev")).toEqual({
      otto: "verify/1",
      policy: null,
      environments: [],
      others: [],
      run,
      verdict: "kept",
      state: "passed",
      domain: { id: charter.domain, name: "dev" },
      pipeline: "checks",
      planId: submission.planId,
      submitter: { peer: submission.submitter.peer, name: "ada" },
      steps: 5,
      attempts: 2,
      entries: 9,
      authors: [simulatedKeys("control0").peer],
      workers: [worker.peer],
      uncertified: [],
      findings: [],
      findingsLeft: 0,
    });
  });

  it.each(allowed)("%s", (_, told, state) => {
    expect(verdictOn(told)).toMatchObject({ findings: [], state });
  });

  it("when a second home took over and told all that it found once more", () => {
    const first = entriesBy("control0", story.slice(0, 6));
    const second = entriesBy("control1", [
      admitted,
      leftOut,
      notAsked,
      buildEnded,
      testStarted,
      testEnded,
      notTold,
      isClosed,
    ]);
    expect(verified(exportOf([...first, ...second]))).toMatchObject({ findings: [], attempts: 2 });
  });

  it("when a second home took over that knows how an attempt ended, but not what was reported of it", () => {
    const past = endedBy("test", "failed", { final: false });
    const told = [admitted, leftOut, notAsked, buildEnded, past, ...again("test"), notTold, isClosed];
    expect(verdictOn(told)).toMatchObject({ findings: [], state: "passed" });
  });

  it("when it was cancelled at a home that did not have its plan yet", () => {
    const told = [admitted, leftOut, notAsked, cancelRequested, buildEnded, endedBy("test", "cancelled")];
    expect(verdictOn([cancelRequested, ...told, neverTold, closed("cancelled")])).toMatchObject({
      findings: [],
      state: "cancelled",
    });
  });

  it("when a home came back, and another had closed the run meanwhile", () => {
    const first = entriesBy("control0", [...story.slice(0, 4), isClosed]);
    expect(verified(exportOf([...entriesBy("control1", story), ...first]))).toMatchObject({ findings: [] });
  });

  it("so far, when it has not ended", () => {
    for (let count = 0; count < story.length; count += 1)
      expect(verdictOn(story.slice(0, count))).toMatchObject({ findings: [], state: "open" });
  });

  it("on the control peers' word for workers whose certificates are not shown", () => {
    const verification = verified(exportOf(entries, { certificates: [] }));
    expect(verification).toMatchObject({ verdict: "kept", uncertified: [worker.peer] });
  });
});

describe("it is found when somebody", () => {
  it("takes out any one entry, but for the last, without which the run is open", () => {
    for (const [index] of entries.entries()) {
      const verification = verified(exportOf(entries.toSpliced(index, 1)));
      if (index === entries.length - 1) expect(verification).toMatchObject({ state: "open", findings: [] });
      else expect(codesOf(verification), `entry ${index}`).toContain("entry-missing");
    }
  });

  it("puts entries in another order: that changes nothing, the authors' order is signed", () => {
    expect(verified(exportOf(entries.toReversed()))).toEqual(verified(exportOf(entries)));
  });

  it("lets an author write two different entries in one place", () => {
    const fork = entriesBy("control0", storyWith(isClosed, closed("failed")));
    expect(codesOf(verified(exportOf([...entries, fork.at(-1) ?? new Uint8Array()])))).toEqual([
      "entry-forked",
    ]);
  });

  it("shows that the log which tells of the run forks, from where it does", () => {
    const other = entriesBy("control0", [...story, cancelRequested]);
    const last = other.at(-1) ?? new Uint8Array();
    const third = entriesBy("control0", [...story, withEvent(cancelRequested, { by: "eve" })]).at(-1);
    // The run was told to its end before the branches part: what was told stands.
    expect(codesOf(verified(exportOf(entries, { forks: [[last, third ?? last]] })))).toEqual([]);
    const early = entriesBy("control0", storyWith(testStarted, cancelRequested)).slice(0, 6);
    const [one, two] = [entries[5] ?? last, early[5] ?? last];
    expect(codesOf(verified(exportOf(entries, { forks: [[two, one]] })))).toEqual(["log-forked"]);
    // Nobody tells the run to its end, and who may have told it has told different things.
    const partly = exportOf(entries.slice(0, 3), { forks: [[last, third ?? last]] });
    expect(codesOf(verified(partly))).toEqual(["log-forked"]);
  });

  it("shows a log that forks beside what is missing: it may be in what nobody takes of that log", () => {
    // A home whose log forked told of the end of a step; the next home told all the rest.
    const rest = entriesBy("control1", storyWith(testEnded));
    const [one, two] = [entriesBy("control0", [cancelRequested]), entriesBy("control0", [testStarted])];
    const forks = [[one[0] ?? new Uint8Array(), two[0] ?? new Uint8Array()]] as const;
    const amiss = codesOf(verified(exportOf(rest)));
    expect(amiss).toContain("unfinished test");
    expect(codesOf(verified(exportOf(rest, { forks })))).toEqual(["log-forked", ...amiss]);
  });

  it("calls a fork what is none", () => {
    const [one = new Uint8Array(), two = one] = entries;
    expect(codesOf(verified(exportOf(entries, { forks: [[one, two]] })))).toEqual(["entry-invalid"]);
  });

  it("who is no control peer adds to the records", () => {
    const foreign = entriesBy("mallory", [cancelRequested]);
    expect(codesOf(verified(exportOf([...entries, ...foreign])))).toEqual(["author-not-entitled"]);
  });

  it("adds an entry about another run", () => {
    const other = { ...cancelRequested, event: { ...cancelRequested.event, run: "another" } };
    expect(codesOf(verified(exportOf([...entries, ...entriesBy("control1", [other])])))).toEqual([
      "other-run",
    ]);
  });

  it("shows the signed plan of another run, a changed one, or none", () => {
    const other = submissionOf(steps, charter, "n2");
    expect(codesOf(verified(exportOf(entries, { bundle: other.bundle })))).toEqual(["other-run"]);
    const changed = bundle.with(bundle.length >> 1, (bundle[bundle.length >> 1] ?? 0) ^ 1);
    expect(codesOf(verified(exportOf(entries, { bundle: changed })))).toEqual(["bundle-invalid"]);
    expect(codesOf(verified(exportOf(entries, { bundle: null })))).toEqual(["bundle-missing"]);
  });

  it("submitted with a certificate that had expired when the run was admitted", () => {
    const late = { timeMs: submission.submitter.expiresMs + 1 };
    expect(codesOf(verdictOn(storyWith(admitted, withEvent(admitted, late))))).toEqual([
      "certificate-expired",
    ]);
  });

  it("signs a charter for a domain that is another's", () => {
    const mine = sealCharter(charter, simulatedKeys("mallory"));
    expect(codesOf(verified(exportOf(entries, { charter: mine })))).toEqual(["charter-invalid"]);
  });

  it("shows a run of another domain than the one expected", () => {
    expect(codesOf(verified(exportOf(entries), "production"))).toEqual(["other-domain"]);
    expect(codesOf(verified(exportOf(entries), charter.domain))).toEqual([]);
  });

  it("lets a person work, or somebody whom the domain did not certify", () => {
    const person = certificateOf(charter, worker.peer, "person");
    expect(codesOf(verified(exportOf(entries, { certificates: [person] })))).toEqual(["worker-not-entitled"]);
    const foreign = certificateOf({ ...charter, domain: "another" }, worker.peer, "worker");
    const { findings, uncertified } = verified(exportOf(entries, { certificates: [foreign] }));
    expect([findings.map(({ code }) => code), uncertified]).toEqual([["worker-not-entitled"], [worker.peer]]);
  });

  it("lets a worker work whose certificate had expired", () => {
    const late = { timeMs: submission.submitter.expiresMs + 1 };
    const told = story.map((one) => (one === admitted ? one : withEvent(one, late)));
    expect(codesOf(verdictOn(told))).toEqual(["worker-not-entitled"]);
  });

  it("lets records begin before the domain was complete", () => {
    const forming = sealCharter({ ...charter, size: 3 }, owner);
    expect(codesOf(verified(exportOf(entries, { charter: forming })))).toEqual(["charter-invalid"]);
  });
});

describe("an exported run", () => {
  const bytes = encodeExport(exportOf(entries));

  it("comes back from its bytes, which are the same for the same evidence", () => {
    expect(decodeExport(bytes)).toEqual({ ok: true, value: exportOf(entries) });
    expect(sha256Hex(encodeExport(exportOf(entriesBy("control0", story))))).toBe(sha256Hex(bytes));
  });

  it("is not one when its end is missing, wherever it was cut", () => {
    for (let length = 0; length < bytes.length; length += 97)
      expect(decodeExport(bytes.subarray(0, length))).toEqual({ ok: false, problem: "ends early" });
  });

  it("is not one when it is something else", () => {
    for (const other of ["otto: 1\n", "{}", "PK\u0003\u0004"])
      expect(decodeExport(new TextEncoder().encode(other)).ok).toBe(false);
  });

  it("is not one when it is larger than one may be", () => {
    const large = new Uint8Array(limits.exportBytesMax + 1);
    expect(decodeExport(large)).toEqual({ ok: false, problem: "oversized" });
  });

  it("does not keep to its plan any more with one bit flipped", () => {
    for (let at = 0; at < bytes.length; at += 11) {
      const flipped = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (at % 8)));
      const decoded = decodeExport(flipped);
      const kept = decoded.ok && verified(decoded.value).verdict === "kept";
      expect(kept, `byte ${at}`).toBe(false);
    }
  });
});
