/** Chaos over real processes: its checkers see what they are for, its faults are data, its proxies do what faults say. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { AttemptEnded, AttemptStarted, Event } from "../../protocol/events.ts";
import { checkAgreement, checkAttempts, checkEffects, claimsIn } from "../../simulations/chaos/checks.ts";
import { chaosFaultKinds, chaosFaults } from "../../simulations/chaos/faults.ts";
import { Growth } from "../../simulations/chaos/growth.ts";
import { Links } from "../../simulations/chaos/links.ts";
import { effectsIn } from "../../simulations/chaos/workload.ts";
import { Chance } from "../../simulations/random.ts";

const run = "aaaaaaaaaaaa";

function started(step: string, attempt: number, token: number, worker: string, timeMs = 0): AttemptStarted {
  return { kind: "attempt-started", run, timeMs, step, attempt, token, worker };
}

/** An exclusive one: its fencing token is another number than its lease's. */
function fenced(step: string, attempt: number, fence: number, worker: string): AttemptStarted {
  return { ...started(step, attempt, 2 * attempt - 1, worker), fence };
}

function finished(step: string, attempt: number, token: number, worker: string): AttemptEnded {
  const end = {
    kind: "attempt-ended",
    run,
    timeMs: 0,
    cause: "finished",
    final: true,
    report: null,
  } as const;
  return { ...end, step, attempt, token, worker };
}

/** What the target took: lines without the run, `begin deploy 1 1 locked 10.00`. */
function lines(...said: readonly string[]): ReturnType<typeof effectsIn> {
  return effectsIn(said.map((line) => line.replace(" ", ` ${run} `)).join("\n"));
}

describe("a checker of what steps left behind", () => {
  const granted = [fenced("deploy", 1, 7, "worker-1"), fenced("deploy", 2, 9, "worker-2")];
  const apart = lines(
    "begin deploy 1 7 locked 10.00",
    "begin deploy 2 9 locked 14.00",
    "end deploy 2 9 locked 14.30",
  );
  const together = lines(
    "begin deploy 1 7 locked 10.00",
    "begin deploy 2 9 locked 14.00",
    "refused deploy 1 7 locked 14.10",
    "end deploy 2 9 locked 14.30",
  );
  const names = (found: ReturnType<typeof checkEffects>) => found.broken.map(({ checker }) => checker);

  it("sees two attempts that overlap, and excuses one whose worker was stopped", () => {
    const events = [...granted, finished("deploy", 2, 3, "worker-2")];
    expect(checkEffects(apart, events, [])).toEqual({ broken: [], excused: 0 });
    expect(names(checkEffects(together, events, []))).toEqual(["overlap"]);
    const asleep = (worker: string, fromSeconds: number, toSeconds: number) => [
      { worker, fromSeconds, toSeconds },
    ];
    expect(checkEffects(together, events, asleep("worker-1", 11, 13.9))).toEqual({ broken: [], excused: 1 });
    expect(names(checkEffects(together, events, asleep("worker-2", 11, 13.9)))).toEqual(["overlap"]);
    expect(names(checkEffects(together, events, asleep("worker-1", 5, 8)))).toEqual(["overlap"]);
  });

  it("sees two steps in one locked environment, and lets others be", () => {
    const two = (kind: string) =>
      lines(`begin a 1 1 ${kind} 1.00`, `begin b 1 2 ${kind} 1.10`, `end a 1 1 ${kind} 1.20`);
    const events = [fenced("a", 1, 1, "worker-1"), fenced("b", 1, 2, "worker-2")];
    expect(names(checkEffects(two("locked"), events, []))).toEqual(["overlap", "tokens"]);
    expect(names(checkEffects(two("outside"), events, []))).toEqual([]);
    const free = lines("begin a 1 0 free 1.00", "begin b 1 0 free 1.10", "end a 1 0 free 1.20");
    const apart = [started("a", 1, 1, "worker-1"), started("b", 1, 1, "worker-2")];
    expect(names(checkEffects(free, apart, []))).toEqual([]);
  });

  it("sees what was taken under an older token after a newer one", () => {
    const late = lines("begin deploy 2 9 outside 14.00", "begin deploy 1 7 outside 15.00");
    expect(names(checkEffects(late, granted, []))).toContain("tokens");
  });

  it("sees what ran without being granted, and what was accepted and never ended", () => {
    expect(names(checkEffects(lines("begin deploy 9 9 outside 1.00"), granted, []))).toEqual(["effects"]);
    const cut = lines("begin deploy 1 7 outside 1.00");
    expect(names(checkEffects(cut, [...granted, finished("deploy", 1, 1, "worker-1")], []))).toEqual([
      "effects",
    ]);
  });

  it("sees a fencing token that is not the one that its attempt was given", () => {
    const other = lines("begin deploy 1 8 outside 1.00");
    expect(names(checkEffects(other, granted, []))).toEqual(["effects"]);
  });
});

describe("a checker of what control peers tell", () => {
  const account = (events: readonly Event[], entries: readonly string[] = []) => ({
    control: "control-1",
    run,
    state: "passed",
    events,
    entries,
    broken: [],
  });

  it("sees two accepted ends of a step, and a grant after the end", () => {
    const end = finished("a", 1, 2, "w");
    expect(checkAttempts(account([started("a", 1, 2, "w"), end, end]))).toEqual([]);
    expect(checkAttempts(account([end, finished("a", 2, 3, "w")]))).toHaveLength(1);
    expect(checkAttempts(account([end, started("a", 2, 3, "w")]))).toHaveLength(1);
  });

  it("sees histories that differ", () => {
    expect(checkAgreement([account([], ["a", "b"]), account([], ["a", "b"])])).toEqual([]);
    expect(checkAgreement([account([], ["a", "b"]), account([], ["a"])])).toHaveLength(1);
  });

  it("counts a claim once, whoever tells of it, and finds the longest gap", () => {
    const told = [
      started("a", 1, 1, "w", 1_000),
      started("a", 1, 1, "w", 1_200),
      started("b", 1, 1, "w", 3_000),
    ];
    expect(claimsIn(told)).toEqual({ claims: 2, longestGapMs: 2_000 });
  });
});

describe("a schedule of faults", () => {
  const peers = { controls: ["control-1", "control-2", "control-3"], workers: ["worker-1", "worker-2"] };

  it("is the same for the same seed, is over in time, and mostly holds every kind", () => {
    const full = Array.from({ length: 20 }, (_, seed) => {
      const faults = chaosFaults(new Chance(seed), peers, 60_000);
      expect(chaosFaults(new Chance(seed), peers, 60_000)).toEqual(faults);
      for (const { atMs, lastsMs } of faults) expect(atMs + lastsMs).toBeLessThanOrEqual(60_000);
      return new Set(faults.map(({ kind }) => kind)).size === chaosFaultKinds.length;
    });
    expect(full.filter(Boolean).length).toBeGreaterThan(10);
  });
});

describe("a proxy between two peers", () => {
  const free = { isHeld: false, delayMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY };

  /** A target that answers each chunk with itself, a dialler, and the way between them. */
  async function between(
    links: Links,
  ): Promise<{ readonly client: Socket; readonly received: string[]; end: () => void }> {
    const received: string[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", (chunk) => {
        received.push(chunk.toString());
        socket.write(chunk);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const port = await links.open("a", "b", {
      host: "127.0.0.1",
      port: (server.address() as AddressInfo).port,
    });
    const client = connect(port, "127.0.0.1");
    return { client, received, end: () => void server.close() };
  }

  it("keeps what is sent while its way is held, in one direction alone, and delivers it afterwards", async () => {
    const links = new Links();
    const { client, received, end } = await between(links);
    client.write("1");
    await once(client, "data");
    links.set("b", "a", { ...free, isHeld: true });
    client.write("2");
    let answered = false;
    const answer = once(client, "data").then(([chunk]) => {
      answered = true;
      return String(chunk);
    });
    while (received.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    links.set("b", "a", free);
    expect(await answer).toBe("2");
    await links.close();
    end();
  });

  it("lets no connection through while a way is held, and resets those that are", async () => {
    const links = new Links();
    links.set("a", "b", { ...free, isHeld: true });
    const { client, received, end } = await between(links);
    client.write("early");
    await once(client, "connect");
    expect([links.connections, received]).toEqual([0, []]);
    links.set("a", "b", free);
    expect(String((await once(client, "data"))[0])).toBe("early");
    links.reset("b", "a");
    const [failure] = (await once(client, "error")) as [NodeJS.ErrnoException];
    expect(failure.code).toBe("ECONNRESET");
    await links.close();
    end();
  });
});

it("finds the slope of a heap behind its warm-up", () => {
  let nowMs = 0;
  const growth = new Growth(() => nowMs);
  for (let minute = 0; minute < 65; minute += 1) {
    nowMs = minute * 60_000;
    const heapUsed = minute < 5 ? minute * 10e6 : 50e6 + minute * 50_000;
    growth.add(new Map([["a", { heapUsed, rss: 0, heapTotal: 0, external: 0, arrayBuffers: 0 }]]));
  }
  expect(growth.slope("a")).toBeCloseTo(3e6, 0);
});
