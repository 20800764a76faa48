import { describe, expect, it } from "vitest";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { encodeValue } from "../../../protocol/values.ts";
import { submissionKeys, Submissions } from "../../../node/core/submissions.ts";
import { limits } from "../../../protocol/limits.ts";
import { sealEnvelope } from "../../../protocol/envelope.ts";
import { bundleOfRelease, nameBundle, sealBundle } from "../../../protocol/manifest.ts";
import { sealCharter } from "../../../protocol/membership.ts";
import { sealQuorum } from "../../../protocol/quorum.ts";
import type { Release } from "../../../protocol/release.ts";
import type { Message } from "../../../protocol/messages.ts";
import { simulatedKeys, simulatedVerifier } from "../../../simulations/keys.ts";
import { certificateOf, charterOf, runOf, submissionOf } from "../../../simulations/workload.ts";
import { worker } from "./example.ts";
import { plannedStep } from "../view/example.ts";

const controls = ["control0", "control1", "control2"].map((name) => simulatedKeys(name));
const [, second = "", third = ""] = controls.map(({ peer }) => peer);
const charter = charterOf(controls, 10_000);
const { bundle, submission } = submissionOf([plannedStep("a")], charter, "n1");
const { run, digest } = submission;
const now = { monotonicMs: 5_000, wallMs: 1_700_000_005_000 };

/** The submissions of the first of three control peers, and what it asked for and said. */
function bench(most?: { readonly runs: number; readonly bytes: number }) {
  const effects: ControlEffect[] = [];
  const told: Message[] = [];
  const closed = new Set<string>();
  const gone = new Set<string>();
  const overtaken = new Map<string, "perhaps" | "decided">();
  const forbidden = new Map<string, string>();
  const reign = { isHere: true };
  const trust = { isThere: false };
  const admitted = new Map<string, string>();
  const submissions = new Submissions(
    {
      charter: () => charter,
      keys: simulatedVerifier,
      effect: (effect) => effects.push(effect),
      tellControls: (message) => told.push(message),
      count: (because, from) => effects.push({ kind: "count-refused", because, from }),
      admittedDigest: (name) => admitted.get(name),
      isClosed: (name) => closed.has(name),
      isGone: (submission) => gone.has(submission.run),
      isTrusted: () => trust.isThere,
      knows: () => false,
      isHome: () => reign.isHere,
      forbidden: (submission) => forbidden.get(submission.run) ?? null,
      overtaken: (submission) => overtaken.get(submission.run) ?? "no",
    },
    most,
  );
  const bring = (from: string | null = worker) =>
    submissions.bundle({ kind: "bundle", run, digest, from, bytes: bundle, question: null }, now);
  /** A person submits another run here. */
  const submit = (nonce: string) => {
    const { bundle: bytes, submission: other } = submissionOf([plannedStep("a")], charter, nonce);
    const named = { run: other.run, digest: other.digest };
    return submissions.bundle({ kind: "bundle", ...named, from: null, bytes, question: 7 }, now);
  };
  return {
    effects,
    told,
    closed,
    gone,
    overtaken,
    forbidden,
    reign,
    trust,
    admitted,
    submissions,
    bring,
    submit,
  };
}

describe("a submission", () => {
  it("is ready when its files are here and another control peer holds it, too", () => {
    const { submissions, bring, told } = bench();
    const known = bring();
    expect(known !== null && submissions.isReady(known)).toBe(false);
    submissions.source(run, null);
    expect(told).toEqual([{ kind: "holds", run, bundle: digest }]);
    expect(known !== null && submissions.isReady(known)).toBe(false);
    submissions.held(second, run, digest);
    expect(known !== null && submissions.isReady(known)).toBe(true);
  });

  it("is not ready without its files, whoever else holds it", () => {
    const { submissions, bring } = bench();
    const known = bring();
    for (const other of [second, third]) submissions.held(other, run, digest);
    expect(known !== null && submissions.isReady(known)).toBe(false);
    submissions.source(run, "nobody has them");
    expect(known !== null && submissions.isReady(known)).toBe(false);
  });

  it("is asked for when another control peer holds it, who still counts when it has come", () => {
    const { submissions, bring, effects } = bench();
    submissions.held(second, run, digest);
    submissions.held(second, run, digest);
    expect(effects).toEqual([{ kind: "fetch-bundle", run, digest, from: second }]);
    const known = bring(second);
    submissions.source(run, null);
    expect(known !== null && submissions.isReady(known)).toBe(true);
  });

  it("is not asked for when its run is closed", () => {
    const { submissions, closed, effects } = bench();
    closed.add(run);
    submissions.held(second, run, digest);
    expect(effects).toEqual([]);
  });

  it("is told to a control peer that comes later: that it is known, and that it is held once it is", () => {
    const { submissions, bring } = bench();
    const known = bring();
    if (known === null) throw new Error("it was refused");
    expect(submissions.reconcile(known)).toEqual([{ kind: "announce", run, bundle: digest }]);
    submissions.source(run, null);
    expect(submissions.reconcile(known)).toEqual([
      { kind: "announce", run, bundle: digest },
      { kind: "holds", run, bundle: digest },
    ]);
  });

  it("comes back from the disk, and its files are asked for again", () => {
    const { submissions, effects } = bench();
    submissions.restore(bundle);
    expect(submissions.get(run)?.submission.digest).toBe(digest);
    expect(effects).toMatchObject([{ kind: "fetch-source", run, from: null }]);
  });

  it("goes to the archive when its run is closed", () => {
    const { submissions, bring, effects } = bench();
    const known = bring();
    if (known !== null) submissions.archive(run, known);
    expect(submissions.size).toBe(0);
    expect(effects.at(-1)).toMatchObject({
      operations: [
        { kind: "put", key: submissionKeys.archive + run },
        { kind: "delete", key: submissionKeys.bundles + run },
      ],
    });
  });
});

describe("somebody who did not hear that a run was taken", () => {
  const again = { kind: "bundle", run, digest, from: null, bytes: bundle, question: 7 } as const;

  it("submits it once more when it is over and long ago, and is not told that it comes too late", () => {
    const { submissions, admitted, closed, effects } = bench();
    admitted.set(run, digest);
    closed.add(run);
    const late = { ...now, wallMs: now.wallMs + 2 * limits.submissionMsMax };
    expect(submissions.bundle(again, late)?.submission.run).toBe(run);
    expect(effects).toEqual([]);
  });

  it("is told of the wrong time when the domain knows nothing of the run", () => {
    const { submissions, effects } = bench();
    const early = { ...now, wallMs: now.wallMs - 2 * 60 * 60_000 };
    expect(submissions.bundle(again, early)).toBeNull();
    expect(effects).toMatchObject([{ kind: "answer", question: 7, answer: { reason: "expired" } }]);
  });
});

describe("a standing order that was overtaken", () => {
  it("is not taken up again from a peer that still keeps it, which hears of it from who knows for sure", () => {
    const { submissions, overtaken, effects, bring } = bench();
    overtaken.set(run, "perhaps");
    expect(bring(second)).toBeNull();
    expect([submissions.size, effects]).toEqual([0, []]);
    overtaken.set(run, "decided");
    expect(bring(second)).toBeNull();
    expect(submissions.size).toBe(0);
    expect(effects).toMatchObject([{ kind: "send", to: second, message: { run, state: "admitted" } }]);
  });
});

describe("the plan of a run that was over before this peer came", () => {
  it("is asked for until it is here, also by its next life", () => {
    const before = bench();
    before.submissions.backlog.want(run, digest);
    before.submissions.backlog.want(run, digest);
    const key = submissionKeys.backlog + run;
    const put = { kind: "put", key, value: encodeValue(digest) };
    expect(before.effects).toEqual([{ kind: "store", operations: [put] }]);
    const { submissions, closed, effects, bring } = bench();
    submissions.backlog.restore(run, digest);
    submissions.fetchBacklog();
    expect(effects).toEqual([{ kind: "fetch-bundle", run, digest, from: null }]);
    // Its own table may come later.
    expect(bring(second)).toBeNull();
    closed.add(run);
    const known = bring(second);
    if (known !== null) submissions.archive(run, known);
    expect(effects.at(-1)).toMatchObject({
      operations: [{ kind: "put" }, { kind: "delete" }, { kind: "delete", key }],
    });
  });
});

describe("more submissions than a control peer keeps", () => {
  it("are turned away, but for those that the domain has admitted", () => {
    for (const most of [
      { runs: 2, bytes: Infinity },
      { runs: Infinity, bytes: 2.5 * bundle.length },
    ]) {
      const { submissions, bring, submit, effects, admitted } = bench(most);
      expect([submit("n2"), submit("n3")]).not.toContain(null);
      expect(submit("n4")).toBe(null);
      const detail = "2 runs wait or are under way";
      expect(effects.at(-1)).toEqual({
        kind: "answer",
        question: 7,
        answer: { ok: false, reason: "full", detail },
      });
      expect(bring()).toBe(null);
      if (most.runs === 2) {
        const said = effects.length;
        submissions.announced(worker, run, digest);
        submissions.held(second, run, digest);
        expect(effects.length, "fetched to be turned away").toBe(said);
      }
      admitted.set(run, digest);
      expect(bring()?.submission.run).toBe(run);
      for (const [name, known] of submissions.entries()) submissions.archive(name, known);
      expect(submit("n4")).not.toBe(null);
    }
  });

  it("cannot fill the memory by being said to be held the memory", () => {
    const { submissions, effects } = bench();
    for (let index = 0; index < limits.openRunsMax + 100; index += 1)
      submissions.held(second, `run${index}`, digest);
    expect(effects.length).toBeLessThanOrEqual(limits.openRunsMax + 1);
  });
});

it("a submission asks for the files of its step libraries with those of its source", () => {
  const { submissions, effects } = bench();
  const tree = "a".repeat(64);
  const use = { name: "acme", source: "./acme", commit: null, digest: tree, kind: "library" } as const;
  const template = { ...use, name: "other", digest: "b".repeat(64), kind: "template" } as const;
  const step = plannedStep("a", [], { commands: [], action: { kind: "uses", library: "acme", with: {} } });
  const { plan, ...rest } = submission.manifest;
  const uses = [{ ...use, entry: { any: "run" } }, template];
  const manifest = { ...rest, plan: { ...plan, uses, steps: [step] } };
  const person = simulatedKeys("person");
  const certificate = certificateOf(charter, person.peer, "person");
  submissions.restore(sealBundle(manifest, charter.domain, person, certificate));
  expect(effects).toMatchObject([{ kind: "fetch-source", libraries: [tree] }]);
});

describe("a submission that the policy does not admit, as this peer knows it", () => {
  const refusals = (reigns: boolean) => {
    const { bring, effects, forbidden, reign } = bench();
    reign.isHere = reigns;
    forbidden.set(run, "only release");
    bring();
    return effects.filter((effect) => effect.kind === "send");
  };

  it("is refused by the home", () => {
    const message = { kind: "announced", run, state: "refused", reason: "only release" };
    expect(refusals(true)).toEqual([{ kind: "send", to: worker, message }]);
  });

  it("is not refused by another control peer, which may not have heard of what the domain demands now", () => {
    expect(refusals(false)).toEqual([]);
  });
});

describe("a step that another domain released", () => {
  const step = { ...plannedStep("deploy"), environment: "production", effect: true };
  const plan = { ...submission.manifest.plan, steps: [step] };
  const environments = { production: { domain: charter.name, settings: {} } };
  const work = runOf({ ...plan, environments }, charter, { nonce: "n9" });
  const { run: of, manifestCid: manifest } = work.submission;
  const release: Release = {
    otto: "release/1",
    run: of,
    manifest,
    index: 0,
    step: "deploy",
    inputs: [],
    values: [],
    outcomes: {},
    fromMs: now.wallMs,
    untilMs: now.wallMs + limits.submissionMsDefault,
  };
  const signed = sealQuorum(controls.map((own) => sealEnvelope("release", charter.domain, release, own)));
  const released = bundleOfRelease(work.bundle, {
    release: signed,
    charter: sealCharter(charter, simulatedKeys("owner")),
  });
  const name = nameBundle(released) ?? { run: "", digest: "" };

  /** Taken up while that domain had the control peers that signed it. */
  const taken = () => {
    const all = bench();
    all.trust.isThere = true;
    const input = { kind: "bundle", ...name, from: null, bytes: released, question: 7 } as const;
    expect(all.submissions.bundle(input, now)?.submission.run).toBe(name.run);
    return all;
  };

  it("is no longer kept when that domain has other control peers, who release it anew", () => {
    const { submissions, trust } = taken();
    submissions.archiveGone();
    expect(submissions.size).toBe(1);
    trust.isThere = false;
    submissions.archiveGone();
    expect(submissions.size).toBe(0);
  });

  it("is kept when this domain has admitted it", () => {
    const { submissions, trust, admitted } = taken();
    admitted.set(name.run, name.digest);
    trust.isThere = false;
    submissions.archiveGone();
    expect(submissions.size).toBe(1);
  });
});
