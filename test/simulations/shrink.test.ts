import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ddmin } from "../../simulations/ddmin.ts";
import type { Fault } from "../../simulations/faults.ts";
import { scheduleOf } from "../../simulations/generate.ts";
import { type Checker, Violation } from "../../simulations/observation.ts";
import { readSchedule } from "../../simulations/read-schedule.ts";
import type { Schedule } from "../../simulations/schedule.ts";
import { shrink } from "../../simulations/shrink.ts";

describe("delta debugging", () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  const least = async (needed: readonly number[]) => {
    let asked = 0;
    const left = await ddmin(items, (part) => {
      asked += 1;
      return Promise.resolve(needed.every((item) => part.includes(item)));
    });
    return { left, asked };
  };

  it("keeps exactly what is needed, in order", async () => {
    for (const needed of [[], [0], [99], [3, 4], [1, 50, 98], [10, 20, 30, 40, 50]])
      expect((await least(needed)).left).toEqual(needed);
    expect((await least(items)).left).toEqual(items);
  });

  it("asks for one item of a hundred about as often as it can be halved", async () => {
    expect((await least([37])).asked).toBeLessThan(25);
  });

  it("keeps one of two that do alike", async () => {
    const left = await ddmin(items, (part) => Promise.resolve(part.includes(7) || part.includes(70)));
    expect(left).toEqual([7]);
  });
});

/** Broken once worker1 is cut off and control0 has crashed since. */
function toyChecker(): Checker {
  let isCutOff = false;
  return {
    name: "toy",
    observe: (observation) => {
      if (observation.kind === "fault" && /"partition".*worker1/.test(observation.text)) isCutOff = true;
      if (isCutOff && observation.kind === "down" && observation.peer === "control0")
        throw new Violation("toy", "cut off, then crashed");
    },
    finish: () => undefined,
  };
}

/** Twenty faults, of which two matter. */
function twentyFaults(): Schedule {
  const schedule = scheduleOf(4);
  const names = ["control0", "control1", "control2", "worker0", "worker1"];
  const peers = names.map((name) => ({
    name,
    role: name.startsWith("c") ? ("control" as const) : ("worker" as const),
    labels: name === "worker0" ? ["gpu"] : [],
    slots: 2,
    fastPpm: 300,
    startUs: 1_000,
  }));
  const faults = Array.from({ length: 20 }, (_, index): Fault => {
    const when = { atUs: 1_000_000 + index * 50_000, lastsUs: 200_000 };
    if (index === 6) return { ...when, kind: "partition", side: ["worker1", "worker0"] };
    if (index === 13) return { ...when, kind: "crash", peer: "control0" };
    const peer = names[1 + (index % 4)] ?? "";
    return index % 2 === 0 ? { ...when, kind: "pause", peer } : { ...when, kind: "slow-disk", peer };
  });
  const runs = schedule.runs.slice(0, 1).map((run) => ({ ...run, at: "control1", submitUs: 0 }));
  const steps = { failed: 0, timedOut: 0, durationMsMax: 100 };
  return { ...schedule, peers, faults, runs, steps, lost: [], overUs: 2_500_000 };
}

describe("a schedule that breaks a promise", () => {
  it("is made as small as the promise allows, and alike each time", async () => {
    const shrunk = await shrink(twentyFaults(), { checkers: () => [toyChecker()] });
    if (shrunk === null) throw new Error("it breaks no promise");
    expect(shrunk.complete).toBe(true);
    expect(shrunk.violation.checker).toBe("toy");
    const { faults, peers, runs } = shrunk.schedule;
    expect(faults.map(({ kind }) => kind)).toEqual(["partition", "crash"]);
    expect(faults[0]).toMatchObject({ side: ["worker1"] });
    expect(peers.map(({ name }) => name).toSorted()).toEqual(["control0", "worker1"]);
    expect(runs).toEqual([]);
    expect(await shrink(twentyFaults(), { checkers: () => [toyChecker()] })).toEqual(shrunk);
  });

  it("keeps three who vote where a home is false: one that votes alone breaks any promise about it", async () => {
    const falseHome: Fault = {
      atUs: 1_500_000,
      lastsUs: 500_000,
      kind: "false-home",
      peer: "control0",
      how: "invents",
      everyUs: 100_000,
    };
    const isFalse: Checker = {
      name: "toy",
      observe: (observation) => {
        if (observation.kind === "fault" && observation.fault?.kind === "false-home")
          throw new Violation("toy", "a home is false");
      },
      finish: () => undefined,
    };
    const shrunk = await shrink(
      { ...twentyFaults(), faults: [falseHome], spares: ["control3"] },
      { checkers: () => [isFalse] },
    );
    expect(shrunk?.schedule.peers.map(({ name }) => name)).toEqual([
      "control0",
      "control1",
      "control2",
      expect.stringMatching(/^worker/),
    ]);
  });

  it("is as small as there was time for when the bound is reached", async () => {
    const shrunk = await shrink(twentyFaults(), { checkers: () => [toyChecker()], happeningsMax: 1 });
    expect(shrunk).toMatchObject({ complete: false, tried: 1 });
    expect(shrunk?.schedule).toEqual(twentyFaults());
  });

  it("is left alone when it breaks none", async () => {
    expect(await shrink({ ...twentyFaults(), faults: [] }, { checkers: () => [toyChecker()] })).toBeNull();
  });

  it("needs one fault at most, and few of its steps, to show that a lease was not waited for", async () => {
    const folder = mkdtempSync(join(tmpdir(), "otto-shrink-"));
    try {
      const file = join(folder, "small.json");
      const said = await replay(
        "3",
        "a step is offered again before its worker gave up",
        "--planted",
        "--shrink",
        file,
      );
      expect(said).toMatchObject({ code: 0 });
      const read = readSchedule(readFileSync(file, "utf8"));
      if (!read.ok) throw new Error(read.problem);
      const { faults, peers, runs } = read.value;
      // Which of several ways is found first changes with what peers say.
      expect(faults.length).toBeLessThanOrEqual(1);
      expect(runs.map(({ plan }) => plan.steps.length)).toEqual([expect.toSatisfy((count) => count <= 4)]);
      expect(peers.length).toBeLessThanOrEqual(3);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const program = fileURLToPath(new URL("../../simulations/replay.ts", import.meta.url));

function replay(...words: readonly string[]): Promise<{ code: number | string; said: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], (failure, stdout, stderr) => {
      resolve({ code: failure?.code ?? 0, said: `${stdout}${stderr}` });
    });
  });
}
