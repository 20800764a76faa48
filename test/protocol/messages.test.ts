/** What peers say to each other arrives as it was said, or is refused; it never throws. */

import { anything, assert, dictionary, property, string, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { decodeMessage, encodeMessage, type GrantedLease, type Message } from "../../protocol/messages.ts";
import { encodeValue } from "../../protocol/values.ts";
import { bytes, lease, granted, records, logName, messages } from "./said.ts";

const manyHeads = Object.fromEntries(
  Array.from({ length: limits.logsListedMax + 1 }, (_, index) => [
    index.toString(16).padStart(32, "0"),
    [1, ""] as const,
  ]),
);
const all = Object.values(messages);
const ack = { lease, verdict: "accepted" };

function decode(value: unknown): ReturnType<typeof decodeMessage> {
  return decodeMessage(encodeValue(value));
}

const malformed = { ok: false, problem: "malformed" };

describe("a message", () => {
  it.each(all)("arrives as it was said: $kind", (message) => {
    expect(decodeMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
  });

  it.each(all)("arrives without the fields that this version does not know: $kind", (message) => {
    expect(decode({ ...message, later: 1 })).toEqual({ ok: true, value: message });
  });

  it("arrives without unknown fields of its parts", () => {
    const later = { ...lease, later: true };
    expect(decode({ kind: "release", leases: [later], how: "begun" })).toEqual({
      ok: true,
      value: messages.release,
    });
  });

  it.each([
    { ...messages.pull, atHand: ["cache/checks/modules"] },
    { ...messages.pull, alike: true },
    { ...messages.result, pull: { session: "s", nonce: "n", slots: 1, again: false, atHand: ["tree"] } },
    { ...messages.grant, acks: [{ lease, verdict: "duplicate" as const }] },
  ])("arrives with what it carries besides: $kind", (message) => {
    expect(decodeMessage(encodeMessage(message))).toEqual({ ok: true, value: message });
  });

  describe("a grant of many leases", () => {
    const inputs: GrantedLease["inputs"] = [];
    const lend = (run: string, index: number): GrantedLease => ({ run, index, token: 1, attempt: 1, inputs });
    const row = (count: number) => ({
      run: "r",
      token: 1,
      attempt: 1,
      inputs,
      indexes: Array(count).fill(1),
    });
    const size = (message: Message): number => encodeMessage(message).length;

    it("tells what they have in common once, where it may, and arrives as it was said", () => {
      const leases = [...[1, 2, 3].map((index) => lend("r", index)), lend("s", 4), lend("r", 5)];
      const together: Message = { ...messages.grant, leases, alike: true };
      expect(decodeMessage(encodeMessage(together))).toEqual({ ok: true, value: together });
      const many = Array.from({ length: 50 }, (_, index) => lend("r".repeat(52), index));
      const apart = size({ ...messages.grant, leases: many });
      expect(size({ ...messages.grant, leases: many, alike: true })).toBeLessThan(apart / 15);
    });

    it.each<[string, Partial<GrantedLease>]>([
      ["token", { token: 2 }],
      ["attempt", { attempt: 2 }],
      ["run", { run: "s" }],
      ["inputs", { inputs: granted.inputs }],
      ["values", { values: [{ name: "v", value: 1 }] }],
      ["fence", { fence: 7 }],
      ["permit", { permit: bytes }],
    ])("keeps apart what differs in its %s", (_, other) => {
      const leases = [lend("r", 1), { ...lend("r", 2), ...other }, lend("r", 3)];
      const together: Message = { ...messages.grant, leases, alike: true };
      expect(decodeMessage(encodeMessage(together))).toEqual({ ok: true, value: together });
    });

    it("is refused when it is of more than a pull may ask for", () => {
      const half = limits.pullSlotsMax / 2;
      const most = { ...messages.grant, leases: [], alike: [row(half), row(half)] };
      expect(decode(most)).toMatchObject({ ok: true });
      expect(decode({ ...most, leases: [granted] })).toEqual(malformed);
      expect(decode({ ...most, alike: [row(half), row(half), row(1)] })).toEqual(malformed);
    });
  });

  it.each(all)("is refused without any one of its fields: $kind", (message) => {
    for (const key of Object.keys(message)) {
      const rest = Object.fromEntries(Object.entries(message).filter(([name]) => name !== key));
      expect(decode(rest), key).toEqual(malformed);
    }
  });

  it.each(all)("is refused with any one of its fields of another type: $kind", (message) => {
    for (const key of Object.keys(message))
      expect(decode({ ...message, [key]: { other: 1 } }).ok, key).toBe(false);
  });

  it.each(all)("is refused cut short anywhere: $kind", (message) => {
    const frame = encodeMessage(message);
    for (let length = 0; length < frame.length; length += 1)
      expect(decodeMessage(frame.subarray(0, length)), `${length} bytes`).toEqual(malformed);
  });
});

describe("a frame that is no message", () => {
  it.each<readonly [string, unknown]>([
    ["null", null],
    ["a list", [messages.gap]],
    ["of no kind", { run: "r" }],
    ["of a kind that is no text", { kind: 1 }],
    ["a negative count", { ...messages.output, offset: -1 }],
    ["a count that is no whole number", { ...messages.output, offset: 0.5 }],
    ["a count beyond what is counted exactly", { ...messages.ack, lease: { ...lease, token: 2 ** 53 } }],
    ["an unknown verdict", { ...messages.ack, verdict: "maybe" }],
    ["a name of 513 characters", { ...messages.announce, run: "r".repeat(513) }],
    ["too many slots", { ...messages.pull, slots: limits.pullSlotsMax + 1 }],
    ["too many labels", { ...messages.session, labels: Array.from({ length: 65 }, () => "gpu") }],
    ["too many leases", { ...messages.release, leases: repeated(lease, limits.leasesPerMessageMax + 1) }],
    ["too many grants", { ...messages.grant, leases: repeated(granted, limits.pullSlotsMax + 1) }],
    [
      "too many words about results",
      { ...messages.grant, acks: repeated(ack, limits.leasesPerMessageMax + 1) },
    ],
    [
      "a result with a pull of nobody's",
      { ...messages.result, pull: { nonce: "n", slots: 1, again: false } },
    ],
    ["too many records", { ...messages.accept, records: repeated(records[0], limits.batchRecordsMax + 1) }],
    [
      "too many registers in its records",
      {
        ...messages.accept,
        records: [1, 2].map(() => ({ names: repeated("run/r", limits.batchRecordsMax), value: bytes })),
      },
    ],
    ["too many entries", { kind: "events", entries: repeated(bytes, limits.batchRecordsMax + 1) }],
    ["a vector of texts", { kind: "vector", prefix: "", heads: { [logName]: ["1", ""] }, frozen: [] }],
    ["a vector of what are no logs", { kind: "vector", prefix: "", heads: { log: [1, ""] }, frozen: [] }],
    ["a vector of too many logs", { kind: "vector", prefix: "", heads: manyHeads, frozen: [] }],
    ["parts of what is no region", { kind: "log-parts", prefix: "g", parts: {} }],
    ["more parts than are followed", { kind: "parts-differ", prefixes: ["1", "2", "3", "4", "5"] }],
  ])("is refused: %s", (_, value) => {
    expect(decode(value)).toEqual(malformed);
  });

  it("is told apart when it is one of a later version", () => {
    for (const kind of ["shutdown", "toString"])
      expect(decode({ kind, more: 1 })).toEqual({ ok: false, problem: "unknown" });
  });

  it.each<readonly [string, unknown]>([
    ["a name of 512 characters", { ...messages.announce, run: "r".repeat(512) }],
    ["as many slots as may be", { ...messages.pull, slots: limits.pullSlotsMax }],
    [
      "as many leases as may be",
      { ...messages.release, leases: repeated(lease, limits.leasesPerMessageMax) },
    ],
    [
      "as many records as may be",
      { ...messages.accept, records: repeated(records[0], limits.batchRecordsMax) },
    ],
  ])("is refused only beyond a limit, not at it: %s", (_, value) => {
    expect(decode(value)).toEqual({ ok: true, value });
  });

  it("is oversized beyond the limit of a frame, and looked at up to it", () => {
    const largest = new Uint8Array(limits.frameBytesMax);
    expect(decodeMessage(largest)).toEqual(malformed);
    expect(decodeMessage(new Uint8Array(limits.frameBytesMax + 1))).toEqual({
      ok: false,
      problem: "oversized",
    });
  });

  it("never throws, whatever bytes it has", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (frame) => typeof decodeMessage(frame).ok === "boolean"),
      { numRuns: 1_000 },
    );
  });

  it("never throws with anything in the place of anything", () => {
    const plain = anything({ maxDepth: 2, withBigInt: false, withNullPrototype: false });
    assert(
      property(dictionary(string(), plain), plain, (extra, part) => {
        for (const message of all) {
          for (const key of Object.keys(message)) {
            const frame = encoded({ ...extra, ...message, [key]: part });
            if (frame !== null) expect(typeof decodeMessage(frame).ok).toBe("boolean");
          }
        }
      }),
      { numRuns: 20 },
    );
  });
});

function repeated<Item>(item: Item, count: number): Item[] {
  return Array.from({ length: count }, () => item);
}

function encoded(value: unknown): Uint8Array | null {
  try {
    return encodeValue(value);
  } catch {
    return null;
  }
}
