import { expect, it } from "vitest";
import { UnknownRuns } from "../../../node/core/unknown-runs.ts";
import { limits } from "../../../protocol/limits.ts";

it("a run that a home does not know is forgotten when a majority has answered what was said since it was heard of", () => {
  const unknown = new UnknownRuns();
  let saidMs = 90;
  const assuredAfter = (sinceMs: number): boolean => saidMs > sinceMs;
  expect(unknown.isForgotten("w", "run", 100, assuredAfter)).toBe(false);
  // Answered by now, and said before.
  saidMs = 100;
  expect(unknown.isForgotten("w", "run", 200, assuredAfter)).toBe(false);
  saidMs = 150;
  expect(unknown.isForgotten("w", "run", 300, assuredAfter)).toBe(true);
  expect(unknown.isForgotten("w", "another", 300, assuredAfter)).toBe(false);
  unknown.clear();
  expect(unknown.isForgotten("w", "run", 400, assuredAfter)).toBe(false);
});

it("whoever names runs without end is not remembered without end, and told nothing false", () => {
  const unknown = new UnknownRuns();
  const assuredAfter = (sinceMs: number): boolean => sinceMs < 1;
  for (let run = 0; run <= limits.leasesPerMessageMax; run += 1)
    expect(unknown.isForgotten("w", String(run), 1, assuredAfter)).toBe(false);
  expect(unknown.isForgotten("w", "0", 1, assuredAfter)).toBe(false);
});

it("whoever names runs without end keeps nobody else from being told", () => {
  const unknown = new UnknownRuns();
  const never = (): boolean => false;
  expect(unknown.isForgotten("honest", "run", 100, never)).toBe(false);
  for (let run = 0; run <= limits.leasesPerMessageMax; run += 1)
    unknown.isForgotten("flood", String(run), 150, never);
  expect(unknown.isForgotten("honest", "run", 200, (sinceMs) => sinceMs < 110)).toBe(true);
  unknown.peerDown("honest");
  expect(unknown.isForgotten("honest", "run", 300, (sinceMs) => sinceMs < 110)).toBe(false);
});
