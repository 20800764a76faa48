/** What a worker signs as the result of an attempt: taken in its one shape, and refused in every other. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { parseSignedResult } from "../../protocol/report-check.ts";

type Shape = { [key: string]: unknown };

const ends: readonly Shape[] = [
  { kind: "exit", code: -1 },
  { kind: "signal", signal: "SIGTERM" },
  { kind: "timed-out" },
  { kind: "cancelled" },
  { kind: "not-started", problem: "no such file" },
];

function result(): Shape {
  const commands = ends.map((end) => ({ startedMs: 0.5, durationMs: 1, logOffset: 0, end: { ...end } }));
  const report = {
    outcome: "passed",
    problem: "",
    durationMs: 1.5,
    commands,
    outputs: [{ name: "files", tree: "0".repeat(64), files: 1, bytes: 2 }],
    log: { bytes: 3, droppedBytes: 0, digest: "0".repeat(64) },
    tail: "done",
    values: { a: 1, "b-c": "x", d: false },
    ownOutcome: "outdated",
    tests: { passed: 1, failed: 1, skipped: 0, failures: ["a"] },
  };
  const inputs = "0".repeat(64);
  return { otto: "result/1", run: "r", index: 0, step: "s", token: 1, attempt: 1, inputs, report };
}

/** Every map in it and every list, each with where it is. */
function* partsOf(value: unknown, place: string): Generator<readonly [place: string, part: Shape]> {
  if (typeof value !== "object" || value === null) return;
  yield [place, value as Shape];
  for (const [key, item] of Object.entries(value)) yield* partsOf(item, `${place}.${key}`);
}

const optional = new Set(["values", "ownOutcome", "tests", "unprepared"]);

/** What is wrong wherever it stands. */
const junk = [
  undefined,
  null,
  -1,
  1.5e300,
  Infinity,
  [],
  [[]],
  {},
  { kind: "exit" },
  new Uint8Array(1),
  true,
];

describe("the check of a result", () => {
  it("takes what a worker signs", () => {
    expect(parseSignedResult(result())).toEqual({ ok: true, value: result() });
  });

  it("refuses what is none, whatever it is", () => {
    for (const value of junk) expect(parseSignedResult(value).ok, JSON.stringify(value)).toBe(false);
  });

  it("refuses every map of it that lacks a key, or has one more", () => {
    for (const [place] of partsOf(result(), "result")) {
      // What the worker says as values has names of its own.
      if (place.includes(".values")) continue;
      for (const key of Object.keys(partAt(result(), place))) {
        if (Array.isArray(partAt(result(), place)) || optional.has(key)) continue;
        const without = result();
        delete partAt(without, place)[key];
        expect(parseSignedResult(without).ok, `${place} without ${key}`).toBe(false);
      }
      if (Array.isArray(partAt(result(), place))) continue;
      const more = result();
      partAt(more, place)["more"] = 1;
      expect(parseSignedResult(more).ok, `${place} with more`).toBe(false);
    }
  });

  it("refuses what is of another type, or below zero, wherever that stands", () => {
    for (const [place, part] of partsOf(result(), "result"))
      for (const key of Object.keys(part))
        for (const wrong of junk) {
          const changed = result();
          partAt(changed, place)[key] = wrong;
          const where = `${place}.${key} as ${JSON.stringify(wrong)}`;
          expect(parseSignedResult(changed).ok, where).toBe(isRight(place, key, wrong));
        }
  });

  it("refuses texts and lists that are too long, and counts characters where it does", () => {
    const failing = (failures: string[]): boolean => {
      const changed = result();
      partAt(changed, "result.report.tests")["failures"] = failures;
      return parseSignedResult(changed).ok;
    };
    const most = limits.testNameCharactersMax;
    expect(failing(["a".repeat(most)])).toBe(true);
    expect(failing(["a".repeat(most + 1)])).toBe(false);
    expect(failing(["\u{1f600}".repeat(most)])).toBe(true);
    expect(failing(["\u{1f600}".repeat(most + 1)])).toBe(false);
    expect(failing(Array.from({ length: limits.failedTestsNamedMax }, () => "a"))).toBe(true);
    const changed = result();
    partAt(changed, "result.report")["tail"] = "a".repeat(limits.reportBytesMax + 1);
    expect(parseSignedResult(changed).ok).toBe(false);
  });
});

function partAt(value: unknown, place: string): Shape {
  let part = value as Shape;
  for (const key of place.split(".").slice(1)) part = part[key] as Shape;
  return part;
}

/** Where such a thing may stand after all. */
function isRight(place: string, key: string, value: unknown): boolean {
  if (optional.has(key) && value === undefined) return true;
  if (key === "digest" && value === null) return true;
  if (key === "code" && value === -1) return true;
  if (key === "values" && value instanceof Object && "kind" in value) return true;
  const isTime = key === "durationMs" || key === "startedMs";
  if (isTime && value === 1.5e300) return true;
  if (place.endsWith(".values") && (Number.isFinite(value) || value === true)) return true;
  const isList = key === "commands" || key === "outputs" || key === "failures";
  return isList && Array.isArray(value) && value.length === 0;
}
