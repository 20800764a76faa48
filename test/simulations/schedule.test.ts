import { describe, expect, it } from "vitest";
import { gatesUs } from "../../simulations/gated.ts";
import { scheduleOf } from "../../simulations/generate.ts";
import { parseSchedule, readSchedule } from "../../simulations/read-schedule.ts";
import type { Schedule } from "../../simulations/schedule.ts";
import { runWorld } from "../../simulations/world.ts";

const example = scheduleOf(2);
const names = example.peers.map(({ name }) => name);

const falseHome = {
  atUs: 1,
  lastsUs: 1,
  kind: "false-home",
  peer: "control0",
  how: "invents",
  everyUs: 1,
} as const;

function changed(change: Record<string, unknown>): unknown {
  return { ...structuredClone(example), ...change };
}

describe("a schedule", () => {
  it("is the same world from a file as from its seed", async () => {
    // Steps that reach outside, that people settle, rival homes, schedules, guarded steps, and two domains.
    for (const seed of [3, 5, 6, 7, 10, 18]) {
      const read = readSchedule(JSON.stringify(scheduleOf(seed)));
      if (!read.ok) throw new Error(read.problem);
      const { traceHash } = await runWorld({ schedule: read.value, checkers: [], encoded: false });
      expect(traceHash).toBe((await runWorld({ seed, checkers: [], encoded: false })).traceHash);
    }
  });

  it("is accepted whatever seed it was made from", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const read = readSchedule(JSON.stringify(scheduleOf(seed)));
      expect(read.ok ? null : `seed ${seed}: ${read.problem}`).toBeNull();
    }
  });

  it("has a home that is false only where three vote at all times, whoever may be given a vote later", () => {
    const hasFalse = (seed: number): boolean =>
      scheduleOf(seed).faults.some(({ kind }) => kind === "false-home");
    // One votes, and there are two spares or three; then three vote, and there is a spare.
    expect([22_196, 32_300, 500_035_980].filter(hasFalse)).toEqual([]);
    expect(hasFalse(172)).toBe(true);
    expect(scheduleOf(172).spares).toEqual(["control3"]);
  });

  it("has one message later, or not at all, when that is said of it", async () => {
    const calm: Schedule = { ...example, faults: [], lost: [] };
    const first = await runWorld({ schedule: calm, checkers: [], encoded: false });
    const [left, right] = calm.peers;
    if (left === undefined || right === undefined) throw new Error("too few peers");
    for (const fate of [{ fate: "drop" }, { fate: "delay", delayUs: 3_000_000 }] as const) {
      const fates = [{ from: left.name, to: right.name, count: 3, ...fate }];
      const other = await runWorld({ schedule: { ...calm, fates }, checkers: [], encoded: false });
      expect(other.traceHash).not.toBe(first.traceHash);
    }
  });

  it.each([
    ["no JSON", "{", /^not JSON/],
    ["another format", changed({ otto: "schedule/2" }), /^otto: /],
    ["a field that nobody knows", changed({ extra: 1 }), /extra/],
    ["a fault of no kind", changed({ faults: [{ kind: "flood", atUs: 0, lastsUs: 1 }] }), /^faults\.0/],
    [
      "a fault at no time",
      changed({ faults: [{ kind: "crash", atUs: -1, lastsUs: 1, peer: "control0" }] }),
      /^faults\.0\.atUs/,
    ],
    [
      "a fault of nobody",
      changed({ faults: [{ kind: "crash", atUs: 1, lastsUs: 1, peer: "control9" }] }),
      /^faults\.0: there is no peer "control9"/,
    ],
    ["nobody at all", changed({ peers: [] }), /^peers/],
    ["two peers of one name", changed({ peers: [...example.peers, example.peers[0]] }), /two have one name/],
    [
      "no control peer",
      changed({ peers: example.peers.filter(({ role }) => role === "worker") }),
      /none is a control peer/,
    ],
    [
      "a false home that is the only one to vote",
      changed({
        spares: names.filter((name) => name.startsWith("control") && name !== "control0"),
        faults: [falseHome],
      }),
      /^faults: a home is false/,
    ],
    [
      "a false home that others' votes are taken from",
      changed({
        faults: [falseHome, { atUs: 2, lastsUs: 1, kind: "recharter", controls: ["control0", "control1"] }],
      }),
      /^faults: a home is false/,
    ],
    ["a majority that is lost", changed({ lost: names }), /^lost: half/],
    [
      "a plan that is none",
      changed({ runs: [{ ...example.runs[0], plan: { otto: 1 } }] }),
      /^runs\.0\.plan: plan/,
    ],
    [
      "an answer to no step",
      changed({ runs: [{ ...example.runs[0], answers: [{ step: "elsewhere", atUs: 1 }] }] }),
      /no step "elsewhere"/,
    ],
  ])("is refused, with the place, when it has %s", (_, value, problem) => {
    const read = typeof value === "string" ? readSchedule(value) : parseSchedule(value);
    expect(read.ok ? "accepted" : read.problem).toMatch(problem);
  });
});

it("gates are waited for as long as the clocks of all domains allow", () => {
  const peers = [
    { name: "control0", role: "control", labels: [], slots: 1, fastPpm: 0, startUs: 0 },
  ] as const;
  const jump = { atUs: 0, lastsUs: 1, kind: "clock-jump", peer: "control0", byMs: 50_000 } as const;
  const still = { peers, faults: [] };
  expect(gatesUs([still, { peers, faults: [jump] }])).toBe(gatesUs([still]) + 50_000_000);
  expect(gatesUs([{ peers, faults: [jump] }, still])).toBe(gatesUs([still]) + 50_000_000);
});
