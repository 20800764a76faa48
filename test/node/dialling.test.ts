/** Whom a peer dials and when, in virtual time: for ever, each in its own time, never all at once. */

import { describe, expect, it } from "vitest";
import { Dialling } from "../../node/edge/dialling.ts";
import { limits } from "../../protocol/limits.ts";
import { Agenda } from "../../simulations/agenda.ts";
import { simulatedClock } from "../../simulations/life.ts";
import { hashOf } from "../../simulations/random.ts";

type Dial = { readonly peer: string; readonly atMs: number };

/** A dialler whose dials take a while and then lead to a link or not. */
function dialler(seed = 1, takesMs = 10) {
  const agenda = new Agenda();
  const clock = simulatedClock(agenda, { bootMs: 0, wallMs: 0, fastPpm: 0 }, (callback) => callback());
  const dials: Dial[] = [];
  let drawn = 0;
  let inFlight = 0;
  const seen = { inFlightMost: 0 };
  const reachable = new Set<string>();
  const dialling: Dialling = new Dialling({
    clock,
    random: { integer: (below) => hashOf(seed, (drawn += 1), "random") % below },
    dial: (peer) =>
      new Promise((resolve) => {
        dials.push({ peer, atMs: clock.monotonicMs() });
        inFlight += 1;
        seen.inFlightMost = Math.max(seen.inFlightMost, inFlight);
        clock.setTimer(takesMs, () => {
          inFlight -= 1;
          if (reachable.has(peer)) dialling.linked(peer);
          resolve();
        });
      }),
  });
  const pass = (ms: number) => agenda.runDrained(agenda.nowUs + ms * 1_000, () => false);
  return { dialling, dials, reachable, pass, seen, nowMs: () => clock.monotonicMs() };
}

function gaps(dials: readonly Dial[]): number[] {
  return dials.slice(1).map(({ atMs }, index) => atMs - (dials[index]?.atMs ?? 0));
}

describe("a peer that does not answer", () => {
  it("is dialled for ever, ever less often, at least twice in the time of the longest back-off and its half", async () => {
    const { dialling, dials, pass } = dialler();
    dialling.keep("away", false);
    await pass(24 * 60 * 60_000);
    const waits = gaps(dials);
    expect(waits[0]).toBeLessThanOrEqual(limits.dialBackoffMsMin * 1.5 + 10);
    expect(Math.max(...waits)).toBeLessThanOrEqual(limits.dialBackoffMsMax * 1.5 + 10);
    expect(Math.min(...waits.slice(10))).toBeGreaterThanOrEqual(limits.dialBackoffMsMax / 2);
    expect(new Set(waits.slice(10)).size).toBeGreaterThan(100);
    expect(dials.length).toBeGreaterThan((24 * 60 * 60_000) / (limits.dialBackoffMsMax * 1.5 + 10));
  });

  it("is dialled no more once nobody wants a link to it, also when a dial is under way", async () => {
    const { dialling, dials, pass } = dialler();
    dialling.keep("left", false);
    await pass(5);
    dialling.stop("left");
    await pass(600_000);
    expect(dials.length).toBe(1);
    expect(dialling.peers).toEqual([]);
  });

  it("is dialled at once when there is news of where it is", async () => {
    const { dialling, dials, pass, nowMs } = dialler();
    dialling.keep("moved", false);
    await pass(60_000);
    const before = dials.length;
    const heardMs = nowMs();
    dialling.hasten("moved");
    await pass(limits.dialBackoffMsMin);
    expect(dials.length).toBeGreaterThan(before);
    expect((dials[before]?.atMs ?? 0) - heardMs).toBeLessThan(limits.dialBackoffMsMin);
  });
});

describe("a link that breaks", () => {
  it("is dialled again soon, the back-off beginning anew, when it was up for a while", async () => {
    const { dialling, dials, reachable, pass } = dialler();
    dialling.keep("peer", false);
    await pass(60_000);
    reachable.add("peer");
    await pass(30_000);
    const before = dials.length;
    await pass(60_000);
    expect(dials.length).toBe(before);
    reachable.delete("peer");
    dialling.unlinked("peer");
    await pass(limits.dialSpreadMs + limits.dialBackoffMsMin * 2);
    expect(dials.length).toBeGreaterThanOrEqual(before + 2);
  });

  it("is dialled ever less often when it breaks as soon as it is up", async () => {
    const { dialling, dials, reachable, pass } = dialler();
    reachable.add("refuses");
    dialling.keep("refuses", false);
    for (let second = 0; second < 600; second += 1) {
      await pass(100);
      dialling.unlinked("refuses");
      await pass(900);
    }
    expect(dials.length).toBeLessThan(250);
    expect(dials.length).toBeGreaterThan(60);
  });

  it("is not dialled again while the other side has come back by itself", async () => {
    const { dialling, dials, pass } = dialler();
    dialling.keep("peer", true);
    await pass(limits.linkStableMs);
    dialling.unlinked("peer");
    dialling.linked("peer");
    await pass(60_000);
    expect(dials).toEqual([]);
  });
});

describe("after a partition", () => {
  it("one peer that lost a hundred links dials a bounded number at a time, and all of them", async () => {
    const { dialling, dials, pass, seen } = dialler(7, 300);
    const peers = Array.from({ length: 100 }, (_, index) => `peer${index}`);
    for (const peer of peers) dialling.keep(peer, true);
    await pass(limits.linkStableMs);
    for (const peer of peers) dialling.unlinked(peer);
    await pass(30_000);
    expect(seen.inFlightMost).toBe(limits.dialsInFlightMax);
    expect(new Set(dials.map(({ peer }) => peer)).size).toBe(100);
  });

  it("five hundred peers that lost the same one do not come back in the same moment", async () => {
    const all: number[] = [];
    for (let seed = 0; seed < 500; seed += 1) {
      const { dialling, dials, pass, nowMs } = dialler(seed);
      dialling.keep("home", true);
      await pass(limits.linkStableMs);
      const brokeMs = nowMs();
      dialling.unlinked("home");
      await pass(limits.dialSpreadMs);
      all.push((dials[0]?.atMs ?? Number.POSITIVE_INFINITY) - brokeMs);
    }
    const perTenth = Array.from(
      { length: 10 },
      (_, tenth) => all.filter((ms) => Math.floor(ms / (limits.dialSpreadMs / 10)) === tenth).length,
    );
    expect(Math.max(...perTenth)).toBeLessThan(100);
    expect(Math.max(...all)).toBeLessThan(limits.dialSpreadMs);
  });
});
