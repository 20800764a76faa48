/** Real libp2p nodes in virtual time: links come up, break and come back, and what was submitted comes to its end. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { adapterPlantings } from "../../simulations/libp2p/plantings.ts";
import type { Libp2pWorldResult } from "../../simulations/libp2p/world.ts";

const program = fileURLToPath(new URL("../../simulations/libp2p/run.ts", import.meta.url));

/** In a process of its own, whose globals are virtual. */
function worlds(...words: readonly string[]): {
  readonly status: number | null;
  readonly all: Libp2pWorldResult[];
} {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: "utf8" });
  expect(stderr).toBe("");
  const lines = stdout.trim().split("\n");
  return { status, all: lines.map((line) => JSON.parse(line) as Libp2pWorldResult) };
}

describe("a world of real libp2p", () => {
  it("keeps its promises while links break, and is the same world for the same seed", () => {
    const { status, all } = worlds("5", "2");
    expect({ status, violations: all.map(({ violation }) => violation) }).toEqual({
      status: 0,
      violations: [null, null],
    });
    expect(all[0]?.linksBroken).toBeGreaterThan(0);
    expect(all.every(({ announced }) => announced > 0)).toBe(true);
    const [again] = worlds("5", "1").all;
    expect(again?.traceHash).toBe(all[0]?.traceHash);
    expect(all[1]?.traceHash).not.toBe(all[0]?.traceHash);
  });

  it("leaves a worker that gets no CPU for 17 s its links; by default they are cut", () => {
    const [ours] = worlds("starved", "otto").all;
    expect(ours).toMatchObject({ violation: null, linksBroken: 0 });
    const [library] = worlds("starved", "library").all;
    expect(library?.linksBroken).toBeGreaterThan(0);
  });
});

describe("a mistake that is planted in the adapter is seen", () => {
  for (const { name } of adapterPlantings)
    it(name, () => {
      const { status, all } = worlds("planted", name);
      expect({ status, violation: all.at(-1)?.violation }).toMatchObject({ status: 0 });
    });
});
