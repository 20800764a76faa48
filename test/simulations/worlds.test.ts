import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { allCheckers } from "../../simulations/checkers/all.ts";
import { guarded } from "../../simulations/guards.ts";
import { runWorld } from "../../simulations/world.ts";

/** So many worlds on each run of the tests, always the same: five of each kind. `npm run soak` runs as many as asked. */
const seeds = 40;

describe("simulated worlds", () => {
  it(`keep every promise under the faults of ${seeds} seeds`, async () => {
    const broken: string[] = [];
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { violation } = await runWorld({ seed, checkers: allCheckers(), encoded: seed % 8 === 0 });
      if (violation !== null) broken.push(`seed ${seed}: ${violation.message}`);
    }
    expect(broken).toEqual([]);
  });

  it("run alike from one seed, and differently from another", async () => {
    const hashes: number[] = [];
    for (const seed of [7, 8, 9, 10, 18]) {
      const first = await runWorld({ seed, checkers: [], encoded: false });
      const again = await runWorld({ seed, checkers: [], encoded: false });
      expect({ ...again, seed }).toEqual(first);
      hashes.push(first.traceHash);
    }
    expect(new Set(hashes).size).toBe(5);
  });

  it("run to their end with real keys", async () => {
    for (const seed of [3, 8, 10, 18]) {
      const signed = await runWorld({ seed, checkers: allCheckers(), encoded: true, signed: true });
      expect(signed.violation?.message).toBe(undefined);
      expect(signed.verdict).toBe("passed");
    }
  });

  it("let nobody ask the machine for time or chance, or have it call back", () => {
    const asks: readonly (() => unknown)[] = [
      () => Date.now(),
      () => new Date(),
      () => Math.random(),
      () => performance.now(),
      () => crypto.getRandomValues(new Uint8Array(1)),
      () => randomBytes(1),
      () => setTimeout(() => undefined, 0),
      () => setImmediate(() => undefined),
      () => queueMicrotask(() => undefined),
    ];
    for (const ask of asks) expect(() => guarded(ask), ask.toString()).toThrow("while a world runs");
    expect(guarded(() => new Date(0).getTime())).toBe(0);
    expect(Date.now()).toBeGreaterThan(0);
    expect(new Date().getTime()).toBeGreaterThan(0);
    expect([Math.random(), performance.now(), randomBytes(1).length]).toHaveLength(3);
  });

  it("run alike whether messages are encoded on the way or handed over", async () => {
    for (const seed of [8, 10, 11, 18]) {
      const handed = await runWorld({ seed, checkers: [], encoded: false });
      const encoded = await runWorld({ seed, checkers: [], encoded: true });
      expect(encoded.traceHash).toBe(handed.traceHash);
    }
  });
});
