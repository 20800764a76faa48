/** What it costs a control peer with many large runs to list them: when it has started, and from then on. */

import { join } from "node:path";
import { History } from "../../node/core/history.ts";
import { submissionKeys } from "../../node/core/submissions.ts";
import { openBlobs } from "../../node/edge/blobs.ts";
import { identityOfSeed } from "../../node/edge/identity.ts";
import { openStorage } from "../../node/edge/level-storage.ts";
import { Outputs } from "../../node/edge/outputs.ts";
import { Views } from "../../node/edge/views.ts";
import { encodeItem } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import type { Noted } from "../../protocol/log.ts";
import type { Submission } from "../../protocol/manifest.ts";
import { charterOf, submissionOf } from "../../simulations/workload.ts";
import { eventOf, plannedStep, reportOf } from "../node/view/example.ts";
import { Bed, median, type Row } from "./measure.ts";

const runs = 100;
const stepsPerRun = 1_000;
const endedPerRun = 500;
const eventsPerEntry = 10;
const times = 20;

export async function benchStatus(): Promise<Row[]> {
  await using bed = new Bed();
  const keys = identityOfSeed();
  const charter = charterOf([keys], limits.leaseMsDefault);
  const { storage } = await openStorage(join(bed.folder, "db"));
  const history = new History({ domain: charter.domain, incarnation: "1", keys }, []);
  const steps = Array.from({ length: stepsPerRun }, (_, index) => plannedStep(`step-${index + 1}`));
  const open = new Map<string, Submission>();
  for (let count = 0; count < runs; count += 1) {
    const { submission, bundle } = submissionOf(steps, charter, `n${count}`);
    const { run } = submission;
    open.set(run, submission);
    await storage.write([{ kind: "put", key: submissionKeys.bundles + run, value: bundle }]);
    const noted: Noted[] = [{ event: eventOf("run-admitted", { run }), result: null }];
    for (const { name: step } of steps.slice(0, endedPerRun))
      noted.push({ event: eventOf("attempt-ended", { run, step, report: reportOf() }), result: null });
    for (let from = 0; from < noted.length; from += eventsPerEntry)
      await storage.write(history.append(run, noted.slice(from, from + eventsPerEntry)).operations);
  }
  const views = new Views({
    domain: charter.domain,
    storage,
    openRuns: () => open.keys(),
    openPlan: (run) => {
      const { manifest, planId } = open.get(run) ?? {};
      return manifest === undefined || planId === undefined ? null : { plan: manifest.plan, planId };
    },
    blobs: await openBlobs(join(bed.folder, "blobs")),
    outputs: new Outputs(join(bed.folder, "outputs")),
    fetch: () => Promise.reject(new Error("Nobody has it.")),
    outputElsewhere: async function* () {},
  });
  await views.start();
  const took: number[] = [];
  for (let time = 0; time <= times; time += 1) {
    const began = performance.now();
    encodeItem({ kind: "runs", runs: await views.newest(limits.runsListedMax) });
    took.push(performance.now() - began);
  }
  await storage.close();
  const what = `${runs} runs of ${stepsPerRun.toLocaleString("en")} steps`;
  return [
    { name: `a list of ${what}`, value: median(took.slice(1)), unit: "ms" },
    { name: `the first one, ${endedPerRun} of each ended`, value: took[0] ?? Number.NaN, unit: "ms" },
  ];
}
