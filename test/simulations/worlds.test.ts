import { describe, expect, it } from "vitest";
import { allCheckers } from "../../simulations/checkers/all.ts";
import { runWorld } from "../../simulations/world.ts";

/** So many worlds on each run of the tests, always the same; `npm run soak` runs as many as asked. */
const seeds = 100;

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
    for (const seed of [7, 8, 9]) {
      const first = await runWorld({ seed, checkers: [], encoded: false });
      const again = await runWorld({ seed, checkers: [], encoded: false });
      expect({ ...again, seed }).toEqual(first);
      hashes.push(first.traceHash);
    }
    expect(new Set(hashes).size).toBe(3);
  });

  it("run alike whether messages are encoded on the way or handed over", async () => {
    for (const seed of [8, 11]) {
      const handed = await runWorld({ seed, checkers: [], encoded: false });
      const encoded = await runWorld({ seed, checkers: [], encoded: true });
      expect(encoded.traceHash).toBe(handed.traceHash);
    }
  });
});
