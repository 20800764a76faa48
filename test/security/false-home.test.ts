/**
 * As the home of the domain, whose key a thief has: it gives a guarded step to a worker though nobody has approved it, with no permit or
 * one that it made alone, and has what a gate holds back count. The worker and the other control peers look for themselves.
 */

import { describe, expect, it } from "vitest";
import { Endorsing } from "../../node/core/endorsing.ts";
import type { WorkerEffect, WorkerInput } from "../../node/core/effects.ts";
import { WorkerCore, workerKeys } from "../../node/core/worker.ts";
import type { StoredEntry } from "../../node/ports.ts";
import { sealAnswer } from "../../protocol/answers.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { sealEnvelope } from "../../protocol/envelope.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, sealCharter, successorOf } from "../../protocol/membership.ts";
import { submittedSinceMs } from "../../protocol/manifest.ts";
import { endDigest, inputsDigest, type LetCount } from "../../protocol/attempt-content.ts";
import type { GrantedLease, Message } from "../../protocol/messages.ts";
import { type Permit, sealPermit } from "../../protocol/permits.ts";
import { outcomes } from "../../protocol/plan.ts";
import type { Policy } from "../../protocol/policy.ts";
import { sealQuorum } from "../../protocol/quorum.ts";
import { stepRegister, type StepValue } from "../../protocol/registers/registers.ts";
import { encodeValue } from "../../protocol/values.ts";
import { simulatedKeys } from "../../simulations/keys.ts";
import { certificateOf, charterOf, submissionOf } from "../../simulations/workload.ts";
import { plannedStep, reportOf } from "../node/view/example.ts";

const [home, one, two, mia] = ["home", "one", "two", "mia"].map((name) => simulatedKeys(name)) as [
  Keys,
  Keys,
  Keys,
  Keys,
];
type Keys = ReturnType<typeof simulatedKeys>;
const owner = simulatedKeys("owner");
const charter = charterOf([home, one, two], 10_000);
const wallMs = 1_700_000_000_000;
const reaching = { environment: "production", effect: true } as const;
const url = "a".repeat(64);
const passed = (step: string) => ({ step, outcomes: ["passed"] });
const nesting = (name: string, members: readonly string[]) => ({
  ...plannedStep(name),
  needs: members.map((step) => ({ step, outcomes })),
  commands: [],
  action: { kind: "pipeline", members } as const,
});
const steps = [
  { ...plannedStep("deploy"), ...reaching, outputs: [{ name: "url", files: ["url"] }] },
  { ...plannedStep("promote", ["deploy"]), ...reaching },
  // Nothing is demanded of these themselves.
  {
    ...plannedStep("announce"),
    needs: [passed("deploy")],
    inputs: [{ name: "url", step: "deploy", output: "url" }],
  },
  { ...plannedStep("archive"), needs: [passed("announce")] },
  { ...plannedStep("clean"), needs: [{ step: "deploy", outcomes: ["passed", "failed", "skipped"] }] },
  // A pipeline nested in another one, with a way back that is left out when all goes well.
  { ...plannedStep("site/inner/up"), ...reaching },
  {
    ...plannedStep("site/inner/down"),
    ...reaching,
    needs: [{ step: "site/inner/up", outcomes: ["failed"] }],
  },
  nesting("site/inner", ["site/inner/up", "site/inner/down"]),
  nesting("site", ["site/inner"]),
  { ...plannedStep("tell"), needs: [passed("site")] },
  {
    ...plannedStep("ask"),
    ...reaching,
    commands: [],
    action: { kind: "approve", question: "ready?", by: [], count: 1 },
  },
  { ...plannedStep("asked"), needs: [passed("ask"), passed("deploy")] },
] as const;
const { submission, bundle } = submissionOf(steps, charter, "n1");
const { run, digest, manifestCid: manifest } = submission;
const approve = { count: 1, by: ["mia"] };
const policy: Policy = {
  "otto-policy": 1,
  people: { mia: mia.peer },
  environments: { production: { approve, after: { approve } } },
};
const nothing = inputsDigest({ inputs: [] });
const permit: Permit = {
  otto: "permit/1",
  run,
  manifest,
  index: 0,
  step: "deploy",
  given: nothing,
  approvedBy: [mia.peer],
  fromMs: wallMs,
  untilMs: wallMs + 60_000,
};

function signed(by: readonly Keys[], said: Permit = permit, of: Charter = charter): Uint8Array {
  const envelopes = by.map((keys) => sealEnvelope("permit", of.domain, said, keys));
  return sealPermit(sealQuorum(envelopes), sealCharter(of, owner));
}

function document(version: number, body: Policy = policy, signer = owner): Uint8Array {
  const named = { topic: "policy", name: "domain", version, timeMs: 0 } as const;
  const document = { otto: "document/1", ...named, body: { text: "", policy: body } } as const;
  return sealDocument(document, charter.domain, { keys: signer, certificate: null });
}

/** A worker that another control peer has told what the domain demands, unless it was told nothing; the home says that it knows of nothing. */
class Worker {
  readonly core: WorkerCore;
  readonly stored: StoredEntry[] = [];
  readonly effects: WorkerEffect[] = [];
  nowMs = 1_000;

  constructor(told: Uint8Array | null = document(2), stored: readonly StoredEntry[] = []) {
    const place = { incarnation: "w", labels: [], slots: 1, random: { integer: () => 0 }, stored };
    this.core = new WorkerCore({ charter, keys: simulatedKeys("worker"), ...place }, this.now);
    for (const { peer } of [one, home]) this.tell({ kind: "peer-up", peer, role: "control" });
    this.hear({ kind: "no-policy" });
    if (told !== null) this.hear({ kind: "policy", document: told }, one.peer);
    this.hear({ kind: "welcome", home: home.peer, leaseMs: charter.leaseMs });
  }

  get now() {
    return { monotonicMs: this.nowMs, wallMs };
  }

  tell(input: WorkerInput): void {
    for (const effect of this.core.decide([input], this.now)) {
      this.effects.push(effect);
      if (effect.kind !== "store") continue;
      for (const write of effect.operations)
        if (write.kind === "put") this.stored.push([write.key, write.value]);
    }
  }

  hear(message: Message, from = home.peer): void {
    this.tell({ kind: "message", from, message });
  }

  /** The home grants the first step, or this one, and renews its lease for as long as the worker waits. */
  given(shown: Uint8Array | null, more: Partial<GrantedLease> = {}): this {
    const lease = { run, index: 0, token: 1, attempt: 1, fence: 1, inputs: [], ...more };
    const leases = [shown === null ? lease : { ...lease, permit: shown }];
    this.hear({ kind: "grant", nonce: "w:1/1", leases, bundles: { [run]: digest } });
    this.tell({ kind: "bundle", run, digest, from: home.peer, bytes: bundle, question: null });
    this.hear({ kind: "renewed", sentMs: this.nowMs, superseded: [] });
    this.tell({ kind: "tick" });
    return this;
  }

  later(afterMs: number): this {
    this.nowMs += afterMs;
    this.tell({ kind: "tick" });
    return this;
  }

  get began(): boolean {
    return this.effects.some(({ kind }) => kind === "start-step");
  }

  get gaveBack(): boolean {
    return this.whyNot !== null;
  }

  /** Why it was given back; null: it was not. */
  get whyNot(): string | null {
    for (const effect of this.effects)
      if (effect.kind === "send" && effect.message.kind === "release" && effect.message.how === "refused")
        return effect.message.why ?? "";
    return null;
  }
}

describe("a worker that is granted a guarded step", () => {
  it("begins it with what a majority of the control peers has signed for just that", () => {
    expect(new Worker().given(signed([home, one])).began).toBe(true);
  });

  it.each<[string, Uint8Array | null]>([
    ["without a permit", null],
    ["with one that the home alone has signed", signed([home])],
    ["with one that the home has signed twice", signed([home, home])],
    ["with one that strangers signed", signed([mia, owner])],
    ["with one for another run", signed([one, two], { ...permit, run: "other" })],
    ["with one for another submission", signed([one, two], { ...permit, manifest: "other" })],
    ["with one for the step after it", signed([one, two], { ...permit, index: 1, step: "promote" })],
    ["with one for other files", signed([one, two], { ...permit, given: "f".repeat(64) })],
    ["with one that lets it count", signed([one, two], { ...permit, phase: "after" })],
    ["with bytes that are no permit", new Uint8Array(9)],
  ])("does not begin it %s, and gives it back", (_, shown) => {
    const worker = new Worker().given(shown);
    expect([worker.began, worker.gaveBack]).toEqual([false, false]);
    worker.later(limits.permitAwaitedMs);
    expect([worker.began, worker.gaveBack]).toEqual([false, true]);
  });

  it("knows what is guarded after a restart, before anybody has told it anew", () => {
    const { stored } = new Worker();
    expect(stored.map(([key]) => key)).toEqual([workerKeys.policy]);
    const restarted = new Worker(null, stored);
    restarted.hear({ kind: "no-policy" }, two.peer);
    expect(restarted.given(null).began).toBe(false);
  });

  it("does not take the home's word alone that nothing is demanded: it begins once a second of the three knows of nothing either", () => {
    const worker = new Worker(null).given(null);
    worker.hear({ kind: "no-policy" });
    expect(worker.later(1).began).toBe(false);
    worker.hear({ kind: "no-policy" }, two.peer);
    expect(worker.began).toBe(true);
    expect(new Worker(null).given(null).later(limits.permitAwaitedMs).gaveBack).toBe(true);
  });

  it("does not begin it by a permit that was over long ago", () => {
    const signedAt = (untilMs: number) => signed([one, two], { ...permit, fromMs: untilMs - 1, untilMs });
    expect(new Worker().given(signedAt(wallMs - limits.signedApartMsMax)).began).toBe(true);
    expect(new Worker().given(signedAt(wallMs - limits.signedApartMsMax - 1)).began).toBe(false);
  });

  it("is not told by the home that nothing is demanded any more: not by an earlier version, nor by what the owner did not sign", () => {
    const lax: Policy = { "otto-policy": 1 };
    for (const shown of [document(1, lax), document(2, lax), document(3, lax, home), new Uint8Array(9)]) {
      const worker = new Worker();
      worker.hear({ kind: "policy", document: shown });
      expect(worker.given(null).later(limits.permitAwaitedMs).began).toBe(false);
    }
    const worker = new Worker();
    worker.given(null).hear({ kind: "policy", document: document(3, lax) });
    expect(worker.began).toBe(true);
  });

  it("takes the word of control peers of whom it has not heard, when the owner has named them in the charter that comes along", () => {
    const listed = [home, simulatedKeys("new0"), simulatedKeys("new1")];
    const newest = successorOf(
      charter,
      listed.map(({ peer }) => ({ peer, store: "s", addresses: [] })),
      wallMs - 3_600_000,
    );
    expect(new Worker().given(signed(listed.slice(1), permit, newest)).began).toBe(true);
    const ownNaming = sealPermit(
      sealQuorum(listed.slice(1).map((keys) => sealEnvelope("permit", charter.domain, permit, keys))),
      sealCharter(newest, home),
    );
    expect(new Worker().given(ownNaming).began).toBe(false);
  });
});

const report = reportOf();
const counting: Permit = {
  ...permit,
  phase: "after",
  given: endDigest(nothing, { token: 1, outcome: "passed", outputs: report.outputs }),
};

/** Why another control peer does not sign that `promote` may begin, when this is how `deploy` ended; null: it does. */
function whyNot(gate: Uint8Array | null, said: Partial<StepValue> = {}): string | null {
  const past = [{ attempt: 1, token: 1, worker: "w", cause: "finished" as const }];
  const ended = { outcome: "passed", report: new Uint8Array(1) } as const;
  const done = {
    kind: "step",
    state: "done",
    token: 1,
    past,
    ...ended,
    ...(gate === null ? {} : { gate: { permit: gate, approvals: [] } }),
    ...said,
  } as StepValue;
  const endorsing = new Endorsing({
    keys: one,
    charter: () => charter,
    document: () => ({ kind: "document", version: 1, bytes: document(1) }),
    poll: () => undefined,
    submission: () => submission,
    value: (register) => (register === stepRegister(run, 0) ? done : null),
    reportIn: () => report,
    charterOf: () => null,
    releasedAs: () => null,
  });
  const yes = { otto: "answer/1", run, manifest, step: "promote", verdict: "passed", detail: "" } as const;
  const certificate = certificateOf(charter, mia.peer, "person");
  const evidence = [sealAnswer({ ...yes, given: nothing }, charter.domain, { keys: mia, certificate })];
  const statement = encodeValue({ ...permit, index: 1, step: "promote" });
  const told = endorsing.answer(
    { kind: "endorse", what: "permit", statement, evidence },
    { monotonicMs: 1, wallMs },
  );
  return told.kind === "not-endorsed" ? told.why : null;
}

const ended = { token: 1, outcome: "passed", outputs: [{ name: "url", tree: url }] };
const letsCount: Permit = { ...permit, phase: "after", given: endDigest(nothing, ended) };
const files = { inputs: [{ name: "url", tree: url }] };

function letCount(shown: Uint8Array, made = ended): Pick<GrantedLease, "letCount"> {
  return { letCount: [{ index: 0, given: nothing, ended: made, permit: shown }] };
}

describe("a worker that is granted what needs a step that a gate holds back", () => {
  it("begins it, and what needs that, with what a majority has signed to let that step count", () => {
    const shown = letCount(signed([one, two], letsCount));
    expect(new Worker().given(null, { index: 2, ...files, ...shown }).began).toBe(true);
    expect(new Worker().given(null, { index: 3, ...shown }).began).toBe(true);
  });

  it("begins what runs whether that has failed or not, as long as it is given nothing of it", () => {
    expect(new Worker().given(null, { index: 4 }).began).toBe(true);
  });

  const other = { ...ended, outputs: [{ name: "url", tree: "b".repeat(64) }] };
  it.each<[string, Pick<GrantedLease, "letCount">]>([
    ["when nothing let it count", {}],
    ["when the home alone did", letCount(signed([home], letsCount))],
    ["when the permit was to begin it", letCount(signed([one, two]))],
    ["when it was let count for another run", letCount(signed([one, two], { ...letsCount, run: "other" }))],
    [
      "when it was let count for another submission",
      letCount(signed([one, two], { ...letsCount, manifest: "other" })),
    ],
    [
      "when another step was let count",
      letCount(signed([one, two], { ...letsCount, index: 1, step: "promote" })),
    ],
    [
      "when something else was let count than it is given",
      letCount(signed([one, two], { ...letsCount, given: endDigest(nothing, other) }), other),
    ],
    ["when it is said to have made what was not let count", letCount(signed([one, two], letsCount), other)],
    [
      "when what is shown is of another step",
      { letCount: [{ ...(letCount(signed([one, two], letsCount)).letCount?.[0] as LetCount), index: 1 }] },
    ],
  ])("does not begin it %s", (_, shown) => {
    expect(
      new Worker().given(null, { index: 2, ...files, ...shown }).later(limits.permitAwaitedMs).began,
    ).toBe(false);
  });

  it("does not begin it by a permit from before it was submitted", () => {
    const sinceMs = submittedSinceMs(submission);
    const at = (fromMs: number) =>
      letCount(signed([one, two], { ...letsCount, fromMs, untilMs: fromMs + 1 }));
    const began = (fromMs: number) => new Worker().given(null, { index: 2, ...files, ...at(fromMs) }).began;
    expect([began(sinceMs - limits.signedApartMsMax), began(sinceMs - limits.signedApartMsMax - 1)]).toEqual([
      true,
      false,
    ]);
  });

  it("does not begin what is further behind it when it is not let count", () => {
    const worker = new Worker().given(null, { index: 3 }).later(limits.permitAwaitedMs);
    expect(worker.began).toBe(false);
    expect(worker.whyNot).toBe("a majority of the control peers has signed nothing that lets deploy count");
  });
});

describe("a worker that is granted what needs a nested pipeline", () => {
  const [up, tell, asked] = ["site/inner/up", "tell", "asked"].map((name) =>
    steps.findIndex((step) => step.name === name),
  ) as [number, number, number];
  const counts: Permit = { ...letsCount, index: up, step: "site/inner/up" };
  const shownUp = (by: readonly Keys[]): Pick<GrantedLease, "letCount"> => ({
    letCount: [{ index: up, given: nothing, ended, permit: signed(by, counts) }],
  });

  it("begins it when a majority has let those of its steps count that have run, and not before", () => {
    const began = (more: Pick<GrantedLease, "letCount">) =>
      new Worker().given(null, { index: tell, ...more }).later(limits.permitAwaitedMs).began;
    expect(began(shownUp([one, two]))).toBe(true);
    expect(began(shownUp([home]))).toBe(false);
    expect(began({})).toBe(false);
  });

  it("begins what needs a person's yes in an environment: nothing more is demanded of that", () => {
    const shown = letCount(signed([one, two], letsCount));
    expect(new Worker().given(null, { index: asked, ...shown }).began).toBe(true);
  });
});

describe("the permit for what needs a step that a gate holds back", () => {
  it("is signed once a majority has let that step count", () => {
    expect(whyNot(signed([home, two], counting))).toBeNull();
  });

  it.each<[string, Uint8Array | null]>([
    ["nothing", null],
    ["the home alone", signed([home], counting)],
    ["a permit to begin", signed([one, two])],
    ["a permit for what another attempt made", signed([one, two], { ...counting, given: "f".repeat(64) })],
  ])("is not signed when %s let it count", (_, gate) => {
    expect(whyNot(gate)).toBe("deploy has ended, and the policy does not let that count");
  });

  it("is not signed however the home says that it came to pass", () => {
    const lost = [{ attempt: 1, token: 1, worker: "w", cause: "lost" as const }];
    const settlement = { cause: "released", by: null, detail: "", evidence: null } as const;
    const uncounted = "deploy has ended, and the policy does not let that count";
    expect(whyNot(null, { past: lost })).toBe(uncounted);
    expect(whyNot(null, { settlement })).toBe(uncounted);
  });

  it("is not signed while a gate holds that step back", () => {
    const held = { outcome: "passed", report: new Uint8Array(1) };
    expect(whyNot(null, { state: "gated", sinceMs: 0, approvals: [], ended: held })).toBe(
      "what it needs has not ended so, as far as it knows",
    );
  });
});
