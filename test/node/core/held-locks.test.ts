/** What a gate behind a step judges is what that step made: nothing of another run takes its place meanwhile, where a lock says so. */

import { beforeEach, describe, expect, it } from "vitest";
import { sealAnswer } from "../../../protocol/answers.ts";
import { sealDocument } from "../../../protocol/documents.ts";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import type { PlannedStep } from "../../../protocol/plan.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { certificateOf } from "../../../simulations/workload.ts";
import { plannedStep } from "../view/example.ts";
import { Bench, said } from "./bench.ts";
import { exampleCharter } from "./example.ts";

const mia = simulatedKeys("mia");
const policy = {
  "otto-policy": 1,
  people: { mia: mia.peer },
  environments: { production: { after: { approve: { count: 1, by: ["mia"] }, waitMinutes: 60 } } },
};
const lock = "shop";
const deploy: PlannedStep = { ...plannedStep("deploy"), environment: "production", effect: true, lock };
const undo: PlannedStep = {
  ...plannedStep("undo"),
  needs: [{ step: "deploy", outcomes: ["failed", "timed-out"] }],
  effect: true,
  lock,
};

let bench: Bench;
let asked = 100;
let given: string[] = [];
const steps = new Map<string, readonly PlannedStep[]>();

beforeEach(() => {
  bench = new Bench();
  given = [];
  const named = { topic: "policy", name: "domain", version: 1, timeMs: bench.now.wallMs } as const;
  const document = { otto: "document/1", ...named, body: { text: "", policy } } as const;
  const signed = { keys: simulatedKeys("owner"), certificate: null };
  const bytes = sealDocument(document, exampleCharter.domain, signed);
  bench.tell({ kind: "put-document", bytes, question: (asked += 1) });
});

/** A run whose deploy has ended well and waits behind its gate, and another one that wants to deploy. */
function held(all: readonly PlannedStep[] = [deploy]): { readonly first: string; readonly second: string } {
  const first = submit(all, "n1");
  expect(granted()).toEqual([`${first} deploy`]);
  const second = submit([deploy], "n2");
  expect(granted()).toEqual([]);
  ended(first, 0, 1);
  see(bench.tick(limits.gateEveryMs));
  expect(bench.core.closedGates).toMatchObject([
    { run: first, step: "deploy", ended: { outcome: "passed" } },
  ]);
  return { first, second };
}

function ended(run: string, index: number, token: number): void {
  see(bench.result(run, index, token));
}

function submit(all: readonly PlannedStep[], nonce: string): string {
  const { run, effects } = bench.submit(all, nonce);
  steps.set(run, all);
  see(effects);
  return run;
}

function see(effects: readonly ControlEffect[]): void {
  for (const { run, index } of said(effects, "grant").flatMap(({ leases }) => leases))
    given.push(`${run} ${steps.get(run)?.[index]?.name ?? ""}`);
}

/** What was given to workers since this was asked last, and is given to one that asks for much. */
function granted(): string[] {
  see([...bench.tick(1), ...bench.pull(5)]);
  return given.splice(0);
}

function answer(verdict: "passed" | "failed"): void {
  const [gate] = bench.core.closedGates;
  const { run = "", manifest = "", given = "" } = gate ?? {};
  const said = { otto: "answer/1", run, manifest, step: "deploy", verdict, detail: "", given } as const;
  const certificate = certificateOf(exampleCharter, mia.peer, "person");
  const bytes = sealAnswer(said, exampleCharter.domain, { keys: mia, certificate });
  see(bench.tell({ kind: "answer-step", bytes, said: null, question: (asked += 1) }));
  see(bench.tick(limits.gateEveryMs));
}

describe("a lock whose step waits behind a gate", () => {
  it("is given to no other run before that step counts", () => {
    const { second } = held();
    expect(granted()).toEqual([]);
    answer("passed");
    expect(granted()).toEqual([`${second} deploy`]);
  });

  it("is given first to the run's own way back, when it does not come to count", () => {
    const { first, second } = held([deploy, undo]);
    answer("failed");
    expect(granted()).toEqual([`${first} undo`]);
    ended(first, 1, 1);
    expect(granted()).toEqual([`${second} deploy`]);
  });

  it("goes on when the gate was not opened in time", () => {
    const { second } = held();
    see(bench.tick(60 * 60_000));
    expect(granted()).toEqual([`${second} deploy`]);
  });

  it("may be had by the other steps of its run, for which the gate may wait", () => {
    const slow = plannedStep("slow");
    const smoke: PlannedStep = { ...plannedStep("smoke", ["slow"]), lock };
    const first = submit([deploy, slow, smoke], "n1");
    const second = submit([deploy], "n2");
    expect(granted()).toEqual([`${first} deploy`, `${first} slow`]);
    ended(first, 0, 1);
    see(bench.tick(limits.gateEveryMs));
    expect(granted()).toEqual([]);
    ended(first, 1, 1);
    expect(granted()).toEqual([`${first} smoke`]);
    answer("passed");
    expect(granted()).toEqual([]);
    ended(first, 2, 1);
    expect(granted()).toEqual([`${second} deploy`]);
  });

  it("is kept over a change of the home, also before the plan of its run is there", () => {
    const { first, second } = held();
    bench.restart();
    expect(granted()).toEqual([]);
    const bundle = bench.disk.get(`bundle/${first}`);
    bench.disk.delete(`bundle/${first}`);
    bench.restart();
    expect(granted()).toEqual([]);
    bench.disk.set(`bundle/${first}`, bundle ?? new Uint8Array());
    bench.restart();
    answer("passed");
    expect(granted()).toEqual([`${second} deploy`]);
  });

  it("holds up nobody once its run is cancelled", () => {
    const { first, second } = held();
    see(bench.tell({ kind: "cancel", run: first, by: "person", question: 7 }));
    expect(granted()).toEqual([`${second} deploy`]);
  });
});
