import { describe, expect, it, vi } from "vitest";
import { ControlCore, controlKeys } from "../../../node/core/control.ts";
import type { ControlEffect, ControlInput } from "../../../node/core/effects.ts";
import { reofferAfterMs } from "../../../node/core/leases.ts";
import { openEnvelope, sealEnvelope } from "../../../protocol/envelope.ts";
import type { LoggedEvent } from "../../../protocol/events.ts";
import { limits } from "../../../protocol/limits.ts";
import { openEntry } from "../../../protocol/log.ts";
import { inputsDigest } from "../../../protocol/attempt-content.ts";
import { encodeMessage, type Message, type SignedResult } from "../../../protocol/messages.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { charterOf, submissionOf } from "../../../simulations/workload.ts";
import { answers, Bench, events, said } from "./bench.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { controlKeysOf, exampleCharter, home, memberOf, worker, workerKeysOf } from "./example.ts";

describe("a home", () => {
  it("admits a run once its files are here, and says so to whoever announced it", () => {
    const bench = new Bench();
    const { bundle, submission } = submissionOf([plannedStep("a")], exampleCharter, "n1");
    const { run, digest } = submission;
    const asked = bench.hear({ kind: "announce", run, bundle: digest });
    expect(asked).toContainEqual({ kind: "fetch-bundle", run, digest, from: worker });
    const fetched = bench.tell({ kind: "bundle", run, digest, from: worker, bytes: bundle, question: null });
    expect(events(fetched)).toEqual([]);
    const here = bench.tell({ kind: "source", run, problem: null });
    expect(events(here)).toMatchObject([{ kind: "run-admitted", run, steps: 1 }]);
    expect(said(here, "announced")).toMatchObject([{ run, state: "admitted" }]);
    expect(said(bench.hear({ kind: "announce", run, bundle: digest }), "announced")).toHaveLength(1);
  });

  it("grants what was pulled, under one token a step, and tells of it only when it is decided", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b"), plannedStep("c", ["a"])]);
    const effects = bench.pull(5);
    const [grant] = said(effects, "grant");
    expect(grant?.leases.map(({ index, token }) => [index, token])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    const vote = effects.findIndex((effect) => effect.kind === "send" && effect.message.kind === "accepted");
    const told = effects.findIndex((effect) => effect.kind === "send" && effect.message.kind === "grant");
    expect(vote).toBeLessThan(told);
    expect(events(effects)).toMatchObject([
      { kind: "attempt-started", run, step: "a" },
      { kind: "attempt-started", run, step: "b" },
    ]);
  });

  it("tells a worker leases together only when it has said that it reads them so", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a"), plannedStep("b"), plannedStep("c"), plannedStep("d")]);
    const [apart] = said(bench.pullOnly(2), "grant");
    expect(apart?.leases).toHaveLength(2);
    expect(apart?.alike).toBeUndefined();
    const session = "w:2";
    bench.hear({ kind: "session", session, labels: [], slots: 2, held: [] });
    const pull: Message = { kind: "pull", session, nonce: "w:2/1", slots: 2, again: false, alike: true };
    expect(said(bench.hear(pull), "grant")).toMatchObject([{ alike: true, leases: [{}, {}] }]);
  });

  it("accepts a result once, offers what waited for it, and refuses a later one under an older token", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b", ["a"])]);
    bench.pull();
    expect(said(bench.result(run, 0, 1), "ack")).toMatchObject([{ verdict: "accepted" }]);
    expect(said(bench.result(run, 0, 1), "ack")).toMatchObject([{ verdict: "duplicate" }]);
    expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ index: 1, token: 1 }] }]);
    bench.tick(reofferAfterMs(exampleCharter.leaseMs));
    const late = bench.result(run, 1, 1);
    expect(said(late, "ack")).toMatchObject([{ verdict: "stale" }]);
    expect(events(late)).toMatchObject([{ kind: "result-refused", step: "b", token: 1 }]);
  });

  it("takes a result and fills the slot that it left in one round, and tells its worker of both in one message", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b")]);
    bench.pull();
    const pull = { session: "w:1", nonce: "w:1/2", slots: 1, again: false };
    const effects = bench.hear({ ...bench.resultOf(run, 0, 1), pull } as Message);
    expect(said(effects, "accept").map(({ round }) => round)).toHaveLength(1);
    const lease = { run, index: 0, token: 1 };
    expect(said(effects, "grant")).toMatchObject([
      { nonce: "w:1/2", leases: [{ index: 1 }], acks: [{ lease, verdict: "accepted" }] },
    ]);
    expect(said(effects, "ack")).toEqual([]);
  });

  it("decides and answers a result once, however often it was said while it could not be decided", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    const result = { kind: "message", from: worker, message: bench.resultOf(run, 0, 1) } as const;
    expect(said(bench.tell(result, result, result), "ack")).toMatchObject([{ verdict: "accepted" }]);
  });

  it("offers a step again when its lease runs out, and ends it when it may not be tried again", () => {
    const bench = new Bench();
    const once = { retry: { attemptsMax: 2, on: ["lost"] as const } };
    const { run } = bench.submit([plannedStep("a", [], once)]);
    bench.pull();
    const first = bench.tick(reofferAfterMs(exampleCharter.leaseMs));
    expect(events(first)).toMatchObject([{ kind: "attempt-ended", cause: "lost", final: false }]);
    expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ token: 3, attempt: 2 }] }]);
    const second = bench.tick(reofferAfterMs(exampleCharter.leaseMs));
    expect(events(second)).toMatchObject([
      { kind: "attempt-ended", cause: "lost", final: true },
      { kind: "run-closed", run, outcome: "failed" },
    ]);
  });
});

/** What one life of the peer has written into its log. */
function toldBy(incarnation: string, { disk }: Bench): LoggedEvent[] {
  return [...disk].flatMap(([key, bytes]) => {
    const opened = key.startsWith(controlKeys.entries)
      ? openEntry(bytes, exampleCharter.domain, controlKeysOf)
      : null;
    return opened?.ok === true && opened.value.entry.incarnation === incarnation
      ? [...opened.value.entry.events]
      : [];
  });
}

describe("a home and its workers", () => {
  it("tells a grant again to a worker that asks again for the same", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a"), plannedStep("b")]);
    const [grant] = said(bench.pull(), "grant");
    const pull = { kind: "pull", session: "w:1", nonce: grant?.nonce ?? "", slots: 1 } as const;
    expect(said(bench.hear({ ...pull, again: true }), "grant")).toEqual([grant]);
    bench.restart();
    bench.tell({ kind: "peer-up", peer: worker, role: "worker" });
    bench.hear({ kind: "session", session: "w:1", labels: [], slots: 1, held: [] });
    expect(said(bench.hear({ ...pull, again: true }), "grant")).toEqual([grant]);
    // What it was never granted, it is granted now.
    const other = { ...pull, nonce: "w:1/other", again: true };
    expect(said(bench.hear(other), "grant")).toMatchObject([{ leases: [{ index: 1 }] }]);
  });

  it("offers a step that was given back again, but not one that reaches outside and was begun", () => {
    const effect = { effect: true, retry: { attemptsMax: 3, on: [] } } as const;
    for (const [begun, again] of [
      [false, true],
      [true, false],
    ] as const) {
      const bench = new Bench();
      const { run } = bench.submit([plannedStep("deploy", [], effect), plannedStep("test")]);
      bench.pull(2);
      for (const index of [0, 1]) {
        const leases = [{ run, index, token: 1 }];
        const released = bench.hear({ kind: "release", leases, how: begun ? "begun" : "unstarted" });
        const final = index === 0 ? !again : false;
        expect(events(released)).toMatchObject([{ kind: "attempt-ended", cause: "released", final }]);
      }
    }
  });

  it("keeps what the holder of a step's lease writes, and nobody else's words", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    const piece = { offset: 0, bytes: Uint8Array.of(1), digest: "d", ask: true };
    const output = { kind: "output", run, index: 0, attempt: 1, ...piece } as const;
    const kept = (effects: readonly ControlEffect[]) => effects.filter(({ kind }) => kind === "keep-output");
    expect(kept(bench.hear(output))).toEqual([]);
    bench.pull();
    expect(kept(bench.hear(output))).toEqual([{ kind: "keep-output", from: worker, step: "a", output }]);
    expect(kept(bench.hear({ ...output, attempt: 2 }))).toEqual([]);
    expect(kept(bench.hear({ ...output, index: 1 }))).toEqual([]);
    const stranger = simulatedKeys("worker1").peer;
    expect(kept(bench.tell({ kind: "message", from: stranger, message: output }))).toEqual([]);
    bench.result(run, 0, 1);
    expect(kept(bench.hear(output))).toEqual([]);
  });

  it("ends the leases of a worker's former process as soon as its next one comes", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a")]);
    bench.pull();
    const back = bench.pull(1, "w2");
    expect(events(back)).toMatchObject([
      { kind: "attempt-ended", cause: "superseded" },
      { kind: "attempt-started", attempt: 2 },
    ]);
  });

  it("names why an attempt that nobody reported on ended, and counts only what its plan counts", () => {
    const bench = new Bench();
    const once = { retry: { attemptsMax: 2, on: ["lost"] as const } };
    const { run } = bench.submit([plannedStep("a", [], once)]);
    bench.pull();
    const why = "its permit is over ".repeat(20);
    const leases = [{ run, index: 0, token: 1 }];
    const refused = bench.hear({ kind: "release", leases, how: "refused", why });
    expect(events(refused)).toMatchObject([
      {
        kind: "attempt-ended",
        cause: "refused",
        final: false,
        why: why.slice(0, limits.refusalCharactersMax),
      },
    ]);
    bench.pull();
    // A worker whose process was replaced is a lost one, and is tried again as one.
    expect(events(bench.pull(1, "w2"))).toMatchObject([
      { kind: "attempt-ended", cause: "superseded", final: false },
      { kind: "attempt-started", attempt: 3 },
    ]);
    expect(events(bench.pull(1, "w3"))).toMatchObject([
      { kind: "attempt-ended", cause: "superseded", final: true },
      { kind: "run-closed", outcome: "failed" },
    ]);
  });
});

describe("a home ends a run", () => {
  it("only behind the history of its last step", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    const effects = bench.result(run, 0, 1);
    const ended = effects.findIndex(
      (effect) =>
        effect.kind === "store" && effect.operations.some(({ key }) => key.startsWith(`event/${run}/`)),
    );
    const closing = effects.findIndex(
      (effect) =>
        effect.kind === "send" &&
        effect.message.kind === "accept" &&
        effect.message.records.some(({ names }) => names.includes(`run/${run}`)),
    );
    expect(ended).toBeGreaterThan(-1);
    expect(closing).toBeGreaterThan(ended);
    expect(bench.disk.has(controlKeys.archive + run)).toBe(true);
    expect(bench.disk.has(controlKeys.bundles + run)).toBe(false);
  });

  it("that is cancelled: stops what runs, grants nothing more, and closes it when the last attempt has ended", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b")]);
    bench.pull();
    const cancelled = bench.tell({ kind: "cancel", run, by: "ada", question: 2 });
    expect(answers(cancelled)).toEqual([{ ok: true }]);
    expect(said(cancelled, "revoke")).toMatchObject([{ cause: "cancelled", lease: { index: 0 } }]);
    expect(said(bench.pull(), "grant")).toEqual([]);
    const held = [{ run, index: 0, token: 1 }];
    const renewed = bench.hear({ kind: "renew", session: "w:1", sentMs: 1, held });
    expect(said(renewed, "revoke")).toMatchObject([{ cause: "cancelled" }]);
    const ended = bench.result(run, 0, 1, reportOf({ outcome: "cancelled", problem: "stopped" }));
    expect(events(ended)).toMatchObject([
      { kind: "attempt-ended" },
      { kind: "run-closed", outcome: "cancelled" },
    ]);
    expect(answers(bench.tell({ kind: "cancel", run, by: "ada", question: 3 }))).toMatchObject([
      { reason: "closed" },
    ]);
    expect(answers(bench.tell({ kind: "cancel", run: "no-such", by: "ada", question: 4 }))).toMatchObject([
      { reason: "no-such-run" },
    ]);
  });

  it("that is cancelled: whoever takes it over tells again who did that", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    bench.tell({ kind: "cancel", run, by: "ada", question: 2 });
    bench.restart();
    expect(toldBy("control0.2", bench)).toMatchObject([
      { kind: "run-admitted" },
      { kind: "cancel-requested", by: "ada" },
      { kind: "attempt-started" },
    ]);
  });

  it("records what a worker reported as the worker signed it", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    bench.result(run, 0, 1);
    const results = [...bench.disk].flatMap(([key, bytes]) => {
      const opened = key.startsWith(controlKeys.entries)
        ? openEntry(bytes, exampleCharter.domain, controlKeysOf)
        : null;
      return opened?.ok === true ? opened.value.results.filter((result) => result !== null) : [];
    });
    const expected = { kind: "result", domain: exampleCharter.domain } as const;
    expect(results.map((result) => openEnvelope(result, expected, workerKeysOf))).toMatchObject([
      { value: { envelope: { signer: worker }, value: { run, step: "a", attempt: 1 } } },
    ]);
  });
});

describe("a run that is cancelled while its last result is decided", () => {
  it("is closed as cancelled, and that only when it is told and kept", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    const result = { kind: "message", from: worker, message: bench.resultOf(run, 0, 1) } as const;
    // Both are under way; by the first of them the run is over.
    const underWay = [
      ...bench.core.decide([result], bench.now),
      ...bench.core.decide([{ kind: "cancel", run, by: "ada", question: 2 }], bench.now),
    ];
    const told = underWay.flatMap((effect) =>
      effect.kind === "send" && effect.to === home ? bench.hear(effect.message, home) : [],
    );
    const tells = told.findIndex(
      (effect) => effect.kind === "recorded" && effect.events.some(({ kind }) => kind === "cancel-requested"),
    );
    const closes = told.findLastIndex(
      (effect) =>
        effect.kind === "send" &&
        effect.message.kind === "accept" &&
        effect.message.records.some(({ names }) => names.includes(`run/${run}`)),
    );
    expect(closes).toBeGreaterThan(tells);
    expect(events(told).map(({ kind }) => kind)).toEqual(["attempt-ended", "cancel-requested", "run-closed"]);
    expect(events(told).at(-1)).toMatchObject({ outcome: "cancelled" });
  });
});

describe("a home among others", () => {
  it("grants nothing to a worker that has gone, and does not call its step lost for that", () => {
    const bench = new Bench();
    bench.pull();
    bench.tell({ kind: "peer-down", peer: worker });
    const { effects } = bench.submit([plannedStep("a")]);
    expect(said(effects, "grant")).toEqual([]);
    expect(events(effects).map(({ kind }) => kind)).toEqual(["run-admitted"]);
  });

  it("refuses a result that another peer signed, and one that is no result", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    const report = reportOf();
    const inputs = inputsDigest({ inputs: [] });
    const result: SignedResult = {
      otto: "result/1",
      run,
      index: 0,
      token: 1,
      step: "a",
      attempt: 1,
      inputs,
      report,
    };
    const other = sealEnvelope("result", exampleCharter.domain, result, simulatedKeys("other"));
    expect(bench.hear({ kind: "result", envelope: other })).toContainEqual({
      kind: "count-refused",
      because: "stranger",
      from: worker,
    });
    const nonsense = sealEnvelope("result", exampleCharter.domain, { otto: "result/1" }, workerKeysOf);
    expect(bench.hear({ kind: "result", envelope: nonsense })).toContainEqual({
      kind: "count-refused",
      because: "malformed",
      from: worker,
    });
  });

  it("takes no result that speaks of another attempt, step or input than was granted", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    const inputs = inputsDigest({ inputs: [] });
    const lease = { otto: "result/1", run, index: 0, token: 1 } as const;
    const granted: SignedResult = { ...lease, step: "a", attempt: 1, inputs, report: reportOf() };
    const others = inputsDigest({ inputs: [{ name: "other", tree: "0" }] });
    for (const other of [{ attempt: 2 }, { step: "b" }, { inputs: others }]) {
      const lie = sealEnvelope("result", exampleCharter.domain, { ...granted, ...other }, workerKeysOf);
      const effects = bench.hear({ kind: "result", envelope: lie });
      expect(effects).toEqual([{ kind: "count-refused", because: "malformed", from: worker }]);
    }
    expect(said(bench.result(run, 0, 1), "ack")).toMatchObject([{ verdict: "accepted" }]);
  });

  it("takes no result under a token that nobody was told of yet", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.tell({ kind: "peer-up", peer: worker, role: "worker" });
    bench.hear({ kind: "session", session: "w:1", labels: [], slots: 1, held: [] });
    const pull = { kind: "pull", session: "w:1", nonce: "w:1/1", slots: 1, again: false } as const;
    const proposed = said(
      bench.core.decide([{ kind: "message", from: worker, message: pull }], bench.now),
      "accept",
    );
    const guessed = bench.hear(bench.resultOf(run, 0, 1));
    expect(guessed).toEqual([{ kind: "count-refused", because: "malformed", from: worker }]);
    const chosen = proposed.flatMap((message) => bench.hear(message, home));
    expect(said(chosen, "grant")).toMatchObject([{ leases: [{ index: 0, token: 1 }] }]);
  });

  it("lets one peer in on one invite", () => {
    const bench = new Bench();
    const use = (peer: string) => answers(bench.tell({ kind: "use-invite", nonce: "i", peer, question: 5 }));
    expect([use("p"), use("p"), use("q")]).toMatchObject([
      [{ ok: true }],
      [{ ok: true }],
      [{ reason: "taken" }],
    ]);
  });
});

describe("a home after a restart", () => {
  it("goes on with its open runs: what is leased stays leased, what is done stays done", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b", ["a"]), plannedStep("c", ["b"])]);
    bench.pull();
    bench.result(run, 0, 1);
    bench.pull();
    bench.restart();
    const done = bench.result(run, 1, 1);
    expect(said(done, "ack")).toMatchObject([{ verdict: "accepted" }]);
    expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ index: 2 }] }]);
  });

  it("tells again what its former life had decided, so that nothing decided stays untold", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b")]);
    bench.pull();
    bench.result(run, 0, 1);
    bench.restart();
    const stored = [...bench.disk.keys()].filter((key) => key.startsWith(`event/${run}/`));
    const logs = new Set(stored.map((key) => key.split("/")[2]));
    expect(logs.size).toBe(2);
  });

  it("tells how attempts ended without checking every result anew: it would keep everybody waiting", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b")]);
    bench.pull();
    bench.result(run, 0, 1, reportOf({ durationMs: 1_234 }));
    const verify = vi.spyOn(controlKeysOf, "verify");
    bench.restart();
    const checked = verify.mock.calls.map(([, bytes]) => new TextDecoder("latin1").decode(bytes));
    verify.mockRestore();
    expect(checked.filter((text) => text.includes("otto/result/1"))).toEqual([]);
    const again = toldBy("control0.2", bench);
    expect(again).toContainEqual(
      expect.objectContaining({ kind: "attempt-ended", report: reportOf({ durationMs: 1_234 }) }),
    );
  });

  it("goes on with a run whose submitter's certificate has expired since it was admitted", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a")]);
    bench.nowMs += 2 * 24 * 60 * 60_000;
    bench.restart();
    expect(said(bench.pull(), "grant")).toHaveLength(1);
    const late = bench.submit([plannedStep("b")], "n2");
    expect(late.effects).toContainEqual({ kind: "count-refused", because: "stranger", from: null });
  });

  it("counts each lease anew", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a")]);
    bench.pull();
    bench.nowMs += reofferAfterMs(exampleCharter.leaseMs) - 1;
    bench.restart();
    expect(events(bench.tick(reofferAfterMs(exampleCharter.leaseMs) - 1))).toEqual([]);
    expect(events(bench.tick(1))).toMatchObject([{ kind: "attempt-ended", cause: "lost" }]);
  });
});

describe("a control peer that is not home", () => {
  const others = [simulatedKeys("control1"), simulatedKeys("control2")];
  const charter = charterOf([controlKeysOf, ...others], 10_000);
  const now = { monotonicMs: 5_000, wallMs: 1_700_000_005_000 };

  function follower(): ControlCore {
    return new ControlCore({ ...memberOf(charter), incarnation: "control0.1", stored: [] }, now);
  }

  it("says that a run is admitted only when it heard so, and passes that on", () => {
    const core = follower();
    const { bundle, submission } = submissionOf([plannedStep("a")], charter, "n1");
    const { run, digest } = submission;
    const announce: ControlInput = {
      kind: "message",
      from: worker,
      message: { kind: "announce", run, bundle: digest },
    };
    core.decide([announce], now);
    core.decide([{ kind: "bundle", run, digest, from: worker, bytes: bundle, question: null }], now);
    expect(said(core.decide([announce], now), "announced")).toEqual([]);
    const admitted: Message = { kind: "announced", run, state: "admitted", reason: "" };
    const [other] = others;
    const told = core.decide([{ kind: "message", from: other?.peer ?? "", message: admitted }], now);
    expect(told).toContainEqual({ kind: "send", to: worker, message: admitted });
    expect(said(core.decide([announce], now), "announced")).toHaveLength(1);
  });

  it("does not believe that from anybody else", () => {
    const core = follower();
    const admitted: Message = { kind: "announced", run: "r", state: "admitted", reason: "" };
    const effects = core.decide([{ kind: "message", from: worker, message: admitted }], now);
    expect(effects).toContainEqual({ kind: "count-refused", because: "role", from: worker });
  });

  it("sends a worker on to the home, or says that it knows none", () => {
    const core = follower();
    const pull: Message = { kind: "pull", session: "w:1", nonce: "w:1/1", slots: 1, again: false };
    const effects = core.decide([{ kind: "message", from: worker, message: pull }], now);
    expect(said(effects, "welcome")).toMatchObject([{ home: null }]);
  });

  it("votes for nobody who speaks in another's name", () => {
    const core = follower();
    const [one, two] = others.map(({ peer }) => peer) as [string, string];
    const ballot = { configuration: 1, epoch: 9, peer: one, incarnation: "x" };
    const effects = core.decide([{ kind: "message", from: two, message: { kind: "prepare", ballot } }], now);
    expect(effects).toContainEqual({ kind: "count-refused", because: "role", from: two });
    expect(said(effects, "promise")).toEqual([]);
  });
});

describe("what a step said", () => {
  const produced = plannedStep("a", [], {
    values: [{ name: "version", type: "string" }],
    outcomes: ["outdated"],
    retry: { attemptsMax: 3, on: ["lost", "failed"] },
  });
  const consumed = plannedStep("b", ["a"], {
    valueInputs: [{ name: "built-version", step: "a", value: "version" }],
  });
  const told = (version: string) => reportOf({ values: { version, more: 1 } });

  it("goes to those that take it with their grant, as the report that counted said it", () => {
    const bench = new Bench();
    const { run } = bench.submit([produced, consumed]);
    bench.pull();
    bench.result(run, 0, 1, { ...reportOf({ outcome: "failed", problem: "no" }) });
    bench.pull();
    bench.result(run, 0, 3, told("1.2"));
    bench.result(run, 0, 1, told("late"));
    const [grant] = said(bench.pull(), "grant");
    expect(grant?.leases).toMatchObject([{ index: 1, values: [{ name: "built-version", value: "1.2" }] }]);
  });

  it("is still known to the next home, also of a grant that nobody had heard", () => {
    const bench = new Bench();
    const { run } = bench.submit([produced, consumed]);
    bench.pull();
    bench.result(run, 0, 1, told("1.2"));
    const [grant] = said(bench.pull(), "grant");
    bench.restart();
    bench.tell({ kind: "peer-up", peer: worker, role: "worker" });
    bench.hear({ kind: "session", session: "w:1", labels: [], slots: 1, held: [] });
    const pull = { kind: "pull", session: "w:1", nonce: grant?.nonce ?? "", slots: 1, again: true } as const;
    expect(said(bench.hear(pull), "grant")).toEqual([grant]);
    expect(grant?.leases[0]?.values).toEqual([{ name: "built-version", value: "1.2" }]);
  });

  it("comes in several messages when it is long, none of which is too long for a frame", () => {
    const bench = new Bench();
    const text = "x".repeat(limits.valuesBytesMax - 200);
    const names = Array.from({ length: 100 }, (_, index) => `p${index}`);
    const producers = names.map((name) => plannedStep(name, [], { values: [{ name: "v", type: "string" }] }));
    const valueInputs = names.map((step) => ({ name: step, step, value: "v" }));
    const consumers = Array.from({ length: 16 }, (_, index) =>
      plannedStep(`c${index}`, names, { valueInputs }),
    );
    const { run } = bench.submit([...producers, ...consumers]);
    bench.pull(100);
    for (const index of names.keys()) bench.result(run, index, 1, reportOf({ values: { v: text } }));
    const grants = said(bench.pull(16), "grant");
    expect(grants.flatMap(({ leases }) => leases)).toHaveLength(16);
    expect(grants.length).toBeGreaterThan(1);
    for (const grant of grants) expect(encodeMessage(grant).length).toBeLessThan(limits.frameBytesMax);
  });

  it("may be an outcome of its own, which later steps branch on and the run does not fail by", () => {
    const bench = new Bench();
    const branch = plannedStep("c", [], { needs: [{ step: "a", outcomes: ["outdated"] }] });
    const { run } = bench.submit([produced, consumed, branch]);
    bench.pull();
    const ended = bench.result(run, 0, 1, reportOf({ ownOutcome: "outdated" }));
    expect(events(ended)).toMatchObject([
      { kind: "attempt-ended", cause: "finished", final: true, report: { ownOutcome: "outdated" } },
      { kind: "step-skipped", step: "b", reason: "a ended as outdated" },
    ]);
    bench.restart();
    expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ index: 2 }] }]);
    expect(events(bench.result(run, 2, 1))).toContainEqual(
      expect.objectContaining({ kind: "run-closed", outcome: "passed" }),
    );
  });

  it("is not believed when the plan does not declare the outcome", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a"), plannedStep("b", ["a"])]);
    bench.pull();
    const ended = bench.result(run, 0, 1, reportOf({ ownOutcome: "outdated" }));
    expect(events(ended)).toMatchObject([
      { kind: "attempt-ended", cause: "failed" },
      { kind: "step-skipped", step: "b", reason: "a failed" },
      { kind: "run-closed", outcome: "failed" },
    ]);
  });
});

describe("a step is tried again", () => {
  const usual = { outcome: "passed", problem: "" } as const;
  for (const outcome of ["failed", "timed-out"] as const) {
    const ends = (bench: Bench, run: string, token: number) =>
      bench.result(run, 0, token, reportOf({ ...usual, outcome, problem: "no" }));

    it(`after it ${outcome === "failed" ? "failed" : "timed out"}, as often as its plan says, when the plan names that`, () => {
      const bench = new Bench();
      const { run } = bench.submit([plannedStep("a", [], { retry: { attemptsMax: 2, on: [outcome] } })]);
      bench.pull();
      expect(events(ends(bench, run, 1))).toMatchObject([{ cause: outcome, final: false }]);
      expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ attempt: 2, token: 3 }] }]);
      expect(events(ends(bench, run, 3))).toMatchObject([
        { cause: outcome, final: true },
        { kind: "run-closed", outcome: "failed" },
      ]);
    });

    it(`not after it ${outcome === "failed" ? "failed" : "timed out"} when the plan names other causes`, () => {
      const bench = new Bench();
      const other = outcome === "failed" ? "timed-out" : "failed";
      const { run } = bench.submit([
        plannedStep("a", [], { retry: { attemptsMax: 2, on: ["lost", other] } }),
      ]);
      bench.pull();
      expect(events(ends(bench, run, 1))[0]).toMatchObject({ cause: outcome, final: true });
    });
  }
});
