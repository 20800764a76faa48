/** Who was revoked: what a control peer takes back, and what it does not take any more. */

import { describe, expect, it } from "vitest";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { sealAnswer } from "../../../protocol/answers.ts";
import { type Document, sealDocument } from "../../../protocol/documents.ts";
import { limits } from "../../../protocol/limits.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { certificateOf, submissionOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { answers, Bench, events, said } from "./bench.ts";
import { exampleCharter, worker } from "./example.ts";

const mia = simulatedKeys("mia");
const owner = { keys: simulatedKeys("owner"), certificate: null };
const policy = {
  "otto-policy": 1,
  people: { mia: mia.peer },
  environments: { production: { approve: { count: 1, by: ["mia"] } } },
};
const deploy = { ...plannedStep("deploy"), environment: "production", effect: true } as const;

let asked = 100;

function put(bench: Bench, topic: Document["topic"], name: string, body: unknown): ControlEffect[] {
  const timeMs = bench.now.wallMs;
  const document: Document = { otto: "document/1", topic, name, version: 1, timeMs, body };
  const bytes = sealDocument(document, exampleCharter.domain, owner);
  return bench.tell({ kind: "put-document", bytes, question: (asked += 1) });
}

function revoke(bench: Bench, peer: string): ControlEffect[] {
  const effects = put(bench, "revocation", peer, { name: "", because: "stolen" });
  expect(answers(effects)).toEqual([{ ok: true }]);
  return effects;
}

/** A person approves what waits. */
function approve(bench: Bench): unknown[] {
  const [gate] = bench.core.closedGates;
  const { run = "", manifest = "", given = "" } = gate ?? {};
  const answer = { otto: "answer/1", run, manifest, step: "deploy", verdict: "passed", detail: "" } as const;
  const certificate = certificateOf(exampleCharter, mia.peer, "person");
  const bytes = sealAnswer({ ...answer, given }, exampleCharter.domain, { keys: mia, certificate });
  return answers(bench.tell({ kind: "answer-step", bytes, said: null, question: (asked += 1) }));
}

const granted = (effects: readonly ControlEffect[]): number =>
  said(effects, "grant").flatMap(({ leases }) => leases).length;

it("takes the place that is kept for it, where a person has filled the domain with secrets", () => {
  const bench = new Bench();
  const certificate = certificateOf(exampleCharter, mia.peer, "person");
  const timeMs = bench.now.wallMs;
  const putting = (name: string) => {
    const document: Document = { otto: "document/1", topic: "secret", name, version: 1, timeMs, body: null };
    const bytes = sealDocument(document, exampleCharter.domain, { keys: mia, certificate });
    return { kind: "put-document", bytes, question: (asked += 1) } as const;
  };
  const secret = (name: string): unknown[] => answers(bench.tell(putting(name)));
  const most = limits.documentsMax - limits.documentsKeptFree;
  bench.tell(...Array.from({ length: most - 1 }, (_, index) => putting(`s${index + 1}`)));
  expect(secret(`s${most}`)).toEqual([{ ok: true }]);
  expect(secret("one-more")).toMatchObject([
    { ok: false, detail: `the domain keeps ${most} documents already` },
  ]);
  revoke(bench, mia.peer);
  expect(secret("s1")).toMatchObject([{ ok: false }]);
});

describe("a worker that is revoked", () => {
  it("loses its step at the next tick, whatever its lease, and is offered no other", () => {
    const bench = new Bench();
    bench.submit([plannedStep("a")]);
    expect(granted(bench.pull())).toBe(1);
    const effects = [...revoke(bench, worker), ...bench.tick(1), ...bench.tick(1_000)];
    expect(events(effects)).toContainEqual(
      expect.objectContaining({ kind: "attempt-ended", worker, cause: "lost" }),
    );
    expect(granted(bench.pull(1, "again"))).toBe(0);
  });

  it("says nothing that is heard, though its link is still there", () => {
    const bench = new Bench();
    const { run } = bench.submit([plannedStep("a")]);
    bench.pull();
    revoke(bench, worker);
    const effects = bench.hear(bench.resultOf(run, 0, 1, undefined));
    expect(effects).toEqual([{ kind: "count-refused", because: "revoked", from: worker }]);
  });
});

describe("a person who is revoked", () => {
  it("approves nothing more, and before that did", () => {
    const before = gated();
    expect(approve(before)).toEqual([{ ok: true }]);
    const bench = gated();
    revoke(bench, mia.peer);
    expect(approve(bench)).toMatchObject([{ ok: false, reason: "stranger", detail: "revoked" }]);
  });

  it("has nothing admitted of what waited for its files", () => {
    const bench = new Bench();
    const { bundle, submission } = submissionOf([plannedStep("a")], exampleCharter, "n1", false);
    const { run, digest } = submission;
    bench.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question: 1 });
    revoke(bench, submission.submitter.peer);
    const effects = [...bench.tell({ kind: "source", run, problem: null }), ...bench.tick(1_000)];
    expect(events(effects)).toContainEqual(
      expect.objectContaining({ kind: "run-refused", reason: "its submitter was revoked" }),
    );
    expect(granted(bench.pull())).toBe(0);
  });

  it("submits nothing more", () => {
    const bench = new Bench();
    const { bundle, submission } = submissionOf([plannedStep("a")], exampleCharter, "n1", false);
    revoke(bench, submission.submitter.peer);
    const { run, digest } = submission;
    const effects = bench.tell({ kind: "bundle", run, digest, from: null, bytes: bundle, question: 1 });
    expect(effects).toContainEqual({ kind: "count-refused", because: "revoked", from: null });
  });
});

/** A run whose deploy waits for mia. */
function gated(): Bench {
  const bench = new Bench();
  expect(answers(put(bench, "policy", "domain", { text: "", policy }))).toEqual([{ ok: true }]);
  bench.submit([deploy]);
  bench.tick(60_000);
  expect(bench.core.closedGates).toHaveLength(1);
  return bench;
}
