/**
 * What Otto adds to a step: runs of independent no-op steps on a warm embedded mesh with two slots, beside a bare
 * spawn loop and `make -j2` at the same concurrency. A run's own costs (start of the command, snapshot, first pull)
 * are taken out with a run of one step.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Bed, inRounds, type Row, runToEnd } from "./measure.ts";
import { manyStepsRepository } from "./pipelines.ts";

const rounds = 3;
const counts = [250, 1_000, 4_000] as const;

export async function benchSteps(): Promise<Row[]> {
  await using bed = new Bed();
  const one = await manyStepsRepository(bed.folder, 1);
  const repositories = new Map<number, string>();
  for (const count of counts) repositories.set(count, await manyStepsRepository(bed.folder, count));
  const targets = Array.from({ length: 1_000 }, (_, index) => `target-${index}`).join(" ");
  writeFileSync(
    join(bed.folder, "Makefile"),
    `all: ${targets}\n.PHONY: all ${targets}\n${targets}:\n\t@true;\n`,
  );
  const run = async (folder: string): Promise<number> => (await bed.otto(folder, "run", "--plain")).tookMs;
  const steps = (count: number) => () => run(repositories.get(count) ?? one);
  const loop = join(import.meta.dirname, "spawn-loop.ts");
  for (const folder of [one, repositories.get(250) ?? one]) await run(folder);
  const took = await inRounds(rounds, {
    loop: async () => Number((await runToEnd([process.execPath, loop, "1000", "2"])).output),
    make: async () => (await runToEnd(["make", "-j2", "--silent"], { cwd: bed.folder })).tookMs,
    one: () => run(one),
    "250": steps(250),
    "1000": steps(1_000),
    "4000": steps(4_000),
  });
  const loopMs = took("loop") / 1_000;
  const each = (count: number): number => (took(String(count)) - took("one")) / (count - 1);
  const row = (count: number): Row => ({
    name: `otto run, ${count.toLocaleString("en")} no-op steps`,
    value: each(count),
    unit: "ms a step",
    ratio: { value: each(count) / loopMs, of: "spawn loop" },
    ...(count === 1_000 ? { target: { most: 2 } } : {}),
  });
  const growth: Row = {
    name: "growth, 250 to 4,000 steps",
    value: each(4_000) / each(250),
    unit: "times the cost of a step",
    target: { most: 1.2 },
  };
  return [
    { name: "spawn loop, 1,000 at two a time", value: loopMs, unit: "ms a step" },
    { name: "make -j2, 1,000 targets", value: took("make") / 1_000, unit: "ms a step" },
    ...counts.map(row),
    growth,
  ];
}
