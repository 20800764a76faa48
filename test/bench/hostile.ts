/**
 * How soon a file that wants to exhaust the planner is refused, each as large as a pipeline file may be and in a
 * process of its own: `otto explain` as a person types it.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../protocol/limits.ts";
import { hostileTexts } from "../planner/hostile-texts.ts";
import { Bed, ottoProgram, type Row, runToEnd } from "./measure.ts";

const slowestShown = 5;

export async function benchHostile(): Promise<Row[]> {
  await using bed = new Bed();
  const took: { readonly name: string; readonly ms: number }[] = [];
  for (const [name, text] of Object.entries(hostileTexts(limits.pipelineFileBytesMax))) {
    const folder = join(bed.folder, name);
    mkdirSync(folder);
    writeFileSync(join(folder, "otto.yaml"), text());
    // The exit code of a refused pipeline is 2, and any other is a failure here.
    const command = `"${ottoProgram}" explain > /dev/null 2>&1; test $? -eq 2`;
    const { tookMs } = await runToEnd(["/bin/sh", "-c", command], { cwd: folder, env: bed.environment });
    took.push({ name, ms: tookMs });
  }
  const sorted = took.toSorted((left, right) => right.ms - left.ms);
  return sorted.slice(0, slowestShown).map(({ name, ms }, index) => ({
    name: `refused, 1 MiB of ${name}`,
    value: ms,
    unit: "ms",
    ...(index === 0 ? { target: { most: 1_000 } } : {}),
  }));
}
