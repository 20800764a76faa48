import { describe, expect, it } from "vitest";
import { type ParkedPull, ReadyQueue } from "../../../node/core/queue.ts";
import { limits } from "../../../protocol/limits.ts";

function pull(session: string, slots: number, ...labels: readonly string[]): ParkedPull {
  return { peer: session, session, nonce: `${session}/1`, labels: new Set(labels), slots };
}

/** What each pull got, as text. */
function matched(queue: ReadyQueue): Record<string, string[]> {
  const entries = queue
    .match()
    .map(({ pull: { session }, steps }) => [session, steps.map(({ run, index }) => `${run}${index}`)]);
  return Object.fromEntries(entries) as Record<string, string[]>;
}

describe("the queue of ready steps", () => {
  it("pairs the oldest pull with the oldest steps, as many as it has slots for", () => {
    const queue = new ReadyQueue();
    for (const index of [0, 1, 2]) queue.push({ run: "r", index }, []);
    queue.park(pull("a", 2));
    queue.park(pull("b", 2));
    expect(matched(queue)).toEqual({ a: ["r0", "r1"], b: ["r2"] });
    expect(queue.length).toBe(0);
  });

  it("gives a step only to a worker that has all its labels", () => {
    const queue = new ReadyQueue();
    queue.push({ run: "r", index: 0 }, ["gpu", "os=linux"]);
    queue.push({ run: "r", index: 1 }, []);
    queue.park(pull("plain", 5, "os=linux"));
    queue.park(pull("large", 5, "gpu", "os=linux"));
    expect(matched(queue)).toEqual({ plain: ["r1"], large: ["r0"] });
  });

  it("keeps a pull that found nothing, and forgets one that was paired or dropped", () => {
    const queue = new ReadyQueue();
    queue.park(pull("a", 1));
    queue.park(pull("gone", 1));
    queue.dropPull("gone");
    expect(matched(queue)).toEqual({});
    for (const index of [0, 1]) queue.push({ run: "r", index }, []);
    expect(matched(queue)).toEqual({ a: ["r0"] });
    expect(queue.hasPull("a")).toBe(false);
  });

  it("holds one pull a session: a later one takes the place of the one before", () => {
    const queue = new ReadyQueue();
    queue.park(pull("a", 1));
    queue.park({ ...pull("a", 3), nonce: "a/2" });
    for (const index of [0, 1, 2]) queue.push({ run: "r", index }, []);
    const [match] = queue.match();
    expect([match?.pull.nonce, match?.steps.length]).toEqual(["a/2", 3]);
  });

  it("refuses more pulls than it may hold, but not a known session's next one", () => {
    const queue = new ReadyQueue();
    for (let count = 0; count < limits.parkedPullsMax; count += 1) queue.park(pull(`s${count}`, 1));
    expect(queue.park(pull("one-too-many", 1))).toBe(false);
    expect(queue.park(pull("s0", 2))).toBe(true);
  });

  it("stays in order over thousands of steps", () => {
    const queue = new ReadyQueue();
    for (let index = 0; index < 5_000; index += 1) queue.push({ run: "r", index }, []);
    const seen: number[] = [];
    while (queue.length > 0) {
      queue.park(pull("a", 7));
      for (const { steps } of queue.match()) seen.push(...steps.map(({ index }) => index));
    }
    expect(seen).toEqual(Array.from({ length: 5_000 }, (_, index) => index));
  });
});
