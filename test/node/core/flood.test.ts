/** One worker says everything as fast as it can: it is refused as a flood, and the others are answered as before. */

import { describe, expect, it } from "vitest";
import { Leases, sessionKey } from "../../../node/core/leases.ts";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { Quotas } from "../../../node/core/quotas.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Message } from "../../../protocol/messages.ts";
import { simulatedKeys } from "../../../simulations/keys.ts";
import { plannedStep } from "../view/example.ts";
import { Bench, said } from "./bench.ts";

const flooder = simulatedKeys("flooder").peer;

function floods(effects: readonly ControlEffect[]): number {
  return effects.filter((effect) => effect.kind === "count-refused" && effect.because === "flood").length;
}

/** What a flooder says, one kind after another. */
function noise(count: number): Message {
  const session = `f${count}:1`;
  const lease = { run: `r${count}`, index: 0, token: 1 };
  const all: readonly Message[] = [
    { kind: "session", session, labels: [`label${count}`], slots: 1, held: [] },
    { kind: "pull", session, nonce: `${session}/1`, slots: 1, again: false },
    { kind: "renew", session, sentMs: 0, held: [lease] },
    { kind: "result", envelope: new Uint8Array(200) },
    { kind: "announce", run: `r${count}`, bundle: "f".repeat(64) },
    {
      kind: "output",
      run: "r",
      index: 0,
      attempt: 1,
      offset: 0,
      bytes: new Uint8Array(1_000),
      digest: "d",
      ask: true,
    },
    { kind: "release", leases: [lease], how: "unstarted" },
  ];
  return all[count % all.length] as Message;
}

describe("a flood of one worker", () => {
  it("is refused beyond its share, and a pull of another is answered in the same turn", () => {
    const bench = new Bench();
    bench.tell({ kind: "peer-up", peer: flooder, role: "worker" });
    let refused = 0;
    for (let count = 0; count < 20_000; count += 1) refused += floods(bench.hear(noise(count), flooder));
    expect(refused).toBeGreaterThan(5_000);
    const { run } = bench.submit([plannedStep("honest")]);
    expect(said(bench.pull(), "grant")).toMatchObject([{ leases: [{ run }] }]);
    expect(floods(bench.result(run, 0, 1))).toBe(0);
  });

  it("takes no place from others, with as many sessions as it likes", () => {
    const leases = new Leases(30_000);
    const session = { labels: new Set<string>(), slots: 1 };
    leases.open("honest:1", { ...session, peer: "honest" });
    const forgotten: string[] = [];
    for (let count = 0; count < limits.sessionsPerPeerMax + 2; count += 1) {
      forgotten.push(...leases.makeRoom("flooder", `f${count}:1`));
      leases.open(`f${count}:1`, { ...session, peer: "flooder" });
    }
    expect(forgotten).toEqual(["f0:1", "f1:1"].map((name) => sessionKey("flooder", name)));
    expect([...leases.sessions].length).toBe(limits.sessionsPerPeerMax + 1);
    expect(leases.session(sessionKey("honest", "honest:1"))).toBeDefined();
    expect(leases.closePeer("flooder").length).toBe(limits.sessionsPerPeerMax);
  });

  it("leaves others the fetching of what they announce", () => {
    const bench = new Bench();
    let asked = 0;
    for (let count = 0; count < limits.announcedPerPeerMax + 100; count += 1) {
      bench.nowMs += 10;
      const announce: Message = { kind: "announce", run: `r${count}`, bundle: "f".repeat(64) };
      asked += bench.hear(announce, flooder).filter(({ kind }) => kind === "fetch-bundle").length;
    }
    expect(asked).toBe(limits.announcedPerPeerMax);
    const honest = bench.hear({ kind: "announce", run: "honest", bundle: "a".repeat(64) });
    expect(honest.filter(({ kind }) => kind === "fetch-bundle").length).toBe(1);
    // What nobody had makes room for the next.
    bench.tell({
      kind: "bundle",
      run: "r0",
      digest: "f".repeat(64),
      from: flooder,
      bytes: null,
      question: null,
    });
    const next = bench.hear({ kind: "announce", run: "next", bundle: "b".repeat(64) }, flooder);
    expect(next.filter(({ kind }) => kind === "fetch-bundle").length).toBe(1);
  });
});

describe("a quota", () => {
  const pull = noise(1);
  const result = noise(3);

  it("is full after a silence, is used up, and comes back with time", () => {
    const quotas = new Quotas();
    const most = limits.workPerSecondMax * 2;
    for (let count = 0; count < most; count += 1) expect(quotas.mayAsk("w", pull, 0)).toBe(true);
    expect(quotas.mayAsk("w", pull, 0)).toBe(false);
    expect(quotas.mayAsk("other", pull, 0)).toBe(true);
    expect(quotas.mayAsk("w", pull, 1)).toBe(true);
  });

  it("is used up sooner by what costs more", () => {
    const quotas = new Quotas();
    let count = 0;
    while (quotas.mayAsk("w", result, 0)) count += 1;
    expect(count).toBe((limits.workPerSecondMax * 2) / 10);
  });

  it("is not filled by going away and coming back", () => {
    const quotas = new Quotas();
    while (quotas.mayAsk("w", result, 0)) quotas.forgetSilent(0);
    quotas.forgetSilent(1_000);
    expect(quotas.mayAsk("w", result, 0)).toBe(false);
    quotas.forgetSilent(10_000);
    expect(quotas.mayAsk("w", result, 10_000)).toBe(true);
  });
});
