/**
 * A process that plans and explains one pipeline file, so many times, and says how long each time took: the first from
 * its first import on, the others warm.
 *
 *   node test/bench/plan-once.ts FILE [TIMES]
 */

import { readFileSync } from "node:fs";

/**
 * Milliseconds of one time, and of its parts. Not in `all`: encoding and hashing once more, which `plan` does too, and
 * what `--json` says instead of the text.
 */
export type Planned = {
  readonly all: number;
  /** Of it, what the thread computed: what is left of `all` on a machine that does nothing else. */
  readonly computing: number;
  /** The programs, before they have done anything. */
  readonly loading: number;
  readonly plan: number;
  readonly text: number;
  readonly json: number;
  readonly encoding: number;
  readonly hashing: number;
};

export type PlannedOften = {
  readonly times: readonly Planned[];
  readonly steps: number;
  readonly planId: string;
  /** User time of the process until the first explanation, its own start included; milliseconds. */
  readonly userMs: number;
  /** The most memory that it had until then, bytes. */
  readonly peakBytes: number;
};

const [file = "otto.yaml", rounds = "1"] = process.argv.slice(2);
const context = { branch: "main", tag: null, commit: null, trigger: "manual", parameters: {} } as const;
const bytes = readFileSync(file);
const times: Planned[] = [];
let steps = 0;
let id = "";
let usage: NodeJS.ResourceUsage | undefined;
for (let round = 0; round < Number(rounds); round += 1) {
  const before = process.threadCpuUsage();
  const start = performance.now();
  const [{ planId, planPipeline }, { explainJson, explainPlan }] = await Promise.all([
    import("../../planner/plan.ts"),
    import("../../planner/explain.ts"),
  ]);
  const ready = performance.now();
  const result = await planPipeline({ text: bytes, path: "otto.yaml", context });
  if (!result.ok) throw new Error(JSON.stringify(result.problem[0]));
  const planned = performance.now();
  id = planId(result.value);
  const text = explainPlan(result.value, id);
  const end = performance.now();
  const { user, system } = process.threadCpuUsage(before);
  usage ??= process.resourceUsage();
  const json = JSON.stringify(explainJson(result.value, id), null, 2);
  const written = performance.now();
  const { bytesCid, encodeValue } = await import("../../protocol/values.ts");
  const loaded = performance.now();
  const encoded = encodeValue(result.value);
  const finished = performance.now();
  const again = bytesCid(encoded);
  const hashed = performance.now();
  if (again !== id || !text.includes(id) || !json.includes(id)) throw new Error("the id is another");
  steps = result.value.steps.length;
  times.push({
    all: end - start,
    computing: (user + system) / 1_000,
    loading: ready - start,
    plan: planned - ready,
    text: end - planned,
    json: written - end,
    encoding: finished - loaded,
    hashing: hashed - finished,
  });
}
const { maxRSS, userCPUTime } = usage ?? process.resourceUsage();
const often: PlannedOften = {
  times,
  steps,
  planId: id,
  userMs: userCPUTime / 1_000,
  peakBytes: maxRSS * 1_024,
};
console.log(JSON.stringify(often));
