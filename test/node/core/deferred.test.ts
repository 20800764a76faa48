import { describe, expect, it } from "vitest";
import { Deferred } from "../../../node/core/deferred.ts";
import type { ControlEffect } from "../../../node/core/effects.ts";
import { limits } from "../../../protocol/limits.ts";
import type { TableEffect } from "../../../protocol/registers/table.ts";

const ballot = { configuration: 1, epoch: 1, peer: "a", incarnation: "a.1" };

function round(to: string, number: number, later?: true): TableEffect {
  const message = { kind: "accept", ballot, round: number, chosen: 0, records: [] } as const;
  return later === undefined ? { kind: "send", to, message } : { kind: "send", to, message, later };
}

function heartbeat(to: string): ControlEffect {
  return { kind: "send", to, message: { kind: "heartbeat", ballot, sentMs: 0, round: 9, chosen: 9 } };
}

/** What goes out, a word each. */
function words(effects: readonly ControlEffect[]): string[] {
  return effects.map((effect) => {
    if (effect.kind !== "send") return effect.kind;
    const { message, to } = effect;
    return message.kind === "accept" ? `${to} ${message.round}` : `${to} ${message.kind}`;
  });
}

describe("what may be said later", () => {
  it("is said together when the first of it has waited long enough", () => {
    const deferred = new Deferred();
    expect(words(deferred.ordered([round("b", 1), round("c", 1, true)], 100))).toEqual(["b 1"]);
    expect(deferred.dueMs).toBe(100 + limits.askLaterMs);
    expect(words(deferred.ordered([round("b", 2), round("c", 2, true)], 103))).toEqual(["b 2"]);
    expect(deferred.dueMs).toBe(100 + limits.askLaterMs);
    expect(words(deferred.ordered([], 100 + limits.askLaterMs - 1))).toEqual([]);
    expect(words(deferred.ordered([round("b", 3)], 100 + limits.askLaterMs))).toEqual(["c 1", "c 2", "b 3"]);
    expect(deferred.dueMs).toBe(Infinity);
  });

  it("is overtaken by nothing that is said to the same peer", () => {
    const deferred = new Deferred();
    deferred.ordered([round("c", 1, true), round("d", 1, true)], 100);
    const store: ControlEffect = { kind: "store", operations: [] };
    expect(words(deferred.ordered([heartbeat("b"), store, heartbeat("c")], 101))).toEqual([
      "b heartbeat",
      "store",
      "c 1",
      "c heartbeat",
    ]);
    expect(deferred.dueMs).toBe(100 + limits.askLaterMs);
    expect(words(deferred.ordered([round("d", 2)], 102))).toEqual(["d 1", "d 2"]);
  });

  it("waits no more when a link breaks: to whom it broke it is not said, and to the others at once", () => {
    const deferred = new Deferred();
    deferred.ordered([round("c", 1, true), round("d", 1, true)], 100);
    deferred.peerDown("c");
    expect(words(deferred.ordered([], 101))).toEqual(["d 1"]);
    deferred.ordered([round("c", 2, true)], 200);
    deferred.peerDown("c");
    expect(deferred.dueMs).toBe(Infinity);
    expect(words(deferred.ordered([], 300))).toEqual([]);
  });
});
