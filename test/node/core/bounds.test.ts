/** Bounds hold: what a home does for one pull is the same however much waits, and what cannot be matched costs nothing. */

import { describe, expect, it } from "vitest";
import { Parking } from "../../../node/core/queue/parking.ts";
import { ReadyQueue } from "../../../node/core/queue/ready-queue.ts";
import { Warmth } from "../../../node/core/queue/warmth.ts";
import { limits } from "../../../protocol/limits.ts";
import { messagesIn } from "../../../simulations/quiet-mesh.ts";
import { bytesOf, Fleet } from "./fleet.ts";

/** Counts how often anybody looks at it. */
class Watched extends Set<string> {
  looks = 0;

  override has(label: string): boolean {
    this.looks += 1;
    return super.has(label);
  }

  override [Symbol.iterator](): SetIterator<string> {
    this.looks += 1;
    return super[Symbol.iterator]();
  }
}

const demand = { labels: ["gpu"], level: 1, caches: [], inputs: [], source: "files", avoided: [] };

function pull(session: string, labels: ReadonlySet<string>) {
  return { peer: session, session, nonce: session, labels, slots: 1 };
}

describe("a turn", () => {
  it("costs nothing for 500 workers whose labels fit nothing, each with labels of its own", () => {
    const queue = new ReadyQueue(new Warmth());
    queue.push({ run: "r", index: 0 }, demand);
    const idle = Array.from({ length: 500 }, (_, index) => new Watched(["os=linux", `memory=${index}`]));
    for (const [index, labels] of idle.entries()) queue.park(pull(`idle${index}`, labels));
    for (const labels of idle) labels.looks = 0;
    for (let index = 1; index <= 1_000; index += 1) {
      queue.push({ run: "r", index }, demand);
      queue.park(pull("busy", new Set(["gpu"])));
      expect(queue.match(0, () => true).length).toBe(1);
    }
    expect(idle.reduce((sum, { looks }) => sum + looks, 0)).toBe(0);
  });

  it("looks at no shelf that nobody waits for, whatever is on them", () => {
    const parking = new Parking(1);
    for (let index = 0; index < limits.shelvesKeptMax * 3; index += 1) {
      const shelf = parking.shelfFor([`memory>=${index}`]);
      shelf.size = 1;
      parking.heed(shelf);
    }
    parking.park(pull("small", new Set(["memory=1"])));
    expect([...parking.hot].map(({ labels }) => labels[0])).toEqual(["memory>=0", "memory>=1"]);
  });

  it("forgets sets of labels that nobody has and nobody asks for any more", () => {
    const parking = new Parking(1);
    for (let index = 0; index < limits.shelvesKeptMax * 3; index += 1) {
      parking.shelfFor([`a${index}`]);
      parking.park(pull("w", new Set([`b${index}`])));
      parking.leave("w");
    }
    expect(parking.kept.shelves).toBeLessThanOrEqual(limits.shelvesKeptMax);
    expect(parking.kept.sets).toBeLessThanOrEqual(limits.capabilitySetsKeptMax);
  });
});

describe("a pull", () => {
  it("makes a home write and say as much with 10,000 steps and 200 workers as with 1,000 and 8", () => {
    const bytes = (fleet: Fleet): number => {
      let sum = 0;
      for (let count = 0; count < 50; count += 1) sum += bytesOf(fleet.cycle());
      return sum / 50;
    };
    const small = bytes(new Fleet({ steps: 1_000, workers: 8 }));
    const large = bytes(new Fleet({ steps: 10_000, workers: 200 }));
    expect(large / small).toBeLessThan(1.05);
    expect(small).toBeLessThan(10_000);
  });
});

it.each([
  [30, 150],
  [1_000, 100],
])(
  "a step of up to %i ms takes fewer than 12 messages between peers, with everything counted",
  async (stepMsMax, stepsPerRun) => {
    const mesh = { workers: 8, slots: 2, runs: 2, stepsPerRun, stepMsMax };
    const messages = await messagesIn(mesh);
    let total = 0;
    for (const count of messages.values()) total += count;
    expect(total / (mesh.runs * mesh.stepsPerRun)).toBeLessThan(12);
    for (const kind of ["pull", "grant", "result", "ack", "accept", "accepted", "events"])
      expect([kind, (messages.get(kind) ?? 0) > 0]).toEqual([kind, true]);
  },
);

it("what a round decided is told to each control peer in one message, however many runs it is about", async () => {
  const messages = await messagesIn({ workers: 8, slots: 2, runs: 8, stepsPerRun: 40, stepMsMax: 30 });
  expect(messages.get("events") ?? Infinity).toBeLessThan(1.1 * (messages.get("accept") ?? 0));
});
