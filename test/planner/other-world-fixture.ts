/**
 * Plans the generated pipelines in a process where everything is different that must not matter, and prints their ids:
 * the clock, randomness, the order of directories; whoever starts it sets locale, time zone, environment and folder.
 *
 *   node other-world-fixture.ts COUNT FOLDER...
 */

import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [count, ...folders] = process.argv.slice(2);
const { locale, timeZone } = new Intl.DateTimeFormat().resolvedOptions();

const elsewhen = Date.UTC(1999, 11, 31, 23, 59, 59);
Date.now = () => elsewhen;
globalThis.Date = new Proxy(Date, {
  construct: (target, words) => Reflect.construct(target, words.length === 0 ? [elsewhen] : words) as object,
});
Math.random = () => 0.123;
const inOrder = fs.readdirSync;
fs.readdirSync = ((...words: Parameters<typeof inOrder>) =>
  [...inOrder(...words)].reverse()) as typeof inOrder;
syncBuiltinESMExports();

const [
  { generatedPipeline, planGenerated },
  { generatedImports },
  { numbersFrom },
  { shuffled },
  { planId },
  detecting,
  { planDetected },
  reading,
] = await Promise.all([
  import("./generated-pipelines.ts"),
  import("./generated-imports.ts"),
  import("./choices.ts"),
  import("./written-tree.ts"),
  import("../../planner/plan.ts"),
  import("../../planner/conventions/detect.ts"),
  import("../../planner/conventions/plan-detected.ts"),
  import("../../node/edge/repository-files.ts"),
]);

const lines = [`${locale} ${timeZone} ${new Date().toISOString()}`];
for (let seed = 0; seed < Number(count); seed += 1) {
  const next = numbersFrom(seed + 77);
  const pipeline = shuffled(generatedPipeline(seed), next) as ReturnType<typeof generatedPipeline>;
  lines.push(planId((await planGenerated(seed, pipeline, generatedImports(next))).plan));
}
for (const folder of folders) {
  const found = detecting.detectPipeline(await reading.readRepositoryFiles(folder));
  if (found.kind === "nothing") throw new Error(`nothing was detected in ${folder}`);
  const context = { branch: null, tag: null, commit: null, trigger: "manual", parameters: {} };
  lines.push(planId(planDetected(found, context)));
}
process.stdout.write(`${lines.join("\n")}\n`);
