/** `otto/notify-webhook`: tells a webhook as JSON what became of a run. */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

type With = { readonly url: string; readonly variable: string; readonly message: string };
type Given = { readonly with: With; readonly run: string; readonly step: string };

const triesMax = 3;

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

const environment = process.env;
const { with: given, run, step } = JSON.parse(readFileSync(environment["OTTO_WITH"] ?? "", "utf8")) as Given;
const url = given.url === "" ? (environment[given.variable] ?? "") : given.url;
if (url === "") fail(`No address: give \`url\`, or start the worker with --pass ${given.variable}.`);

const body = JSON.stringify({
  otto: "notification/1",
  pipeline: environment["OTTO_PIPELINE"] ?? null,
  run,
  step,
  outcome: environment["OTTO_NOTIFIES"] ?? null,
  branch: environment["OTTO_BRANCH"] ?? null,
  commit: environment["OTTO_COMMIT"] ?? null,
  message: given.message,
});

for (let tries = 1; ; tries += 1) {
  const problem = await send();
  if (problem === null) break;
  // The address may be a secret: it is not shown.
  if (tries === triesMax) fail(`The webhook was not told: ${problem}`);
  await sleep(tries * 1_000);
}
console.log("The webhook was told.");

/** Null when it was taken. What was refused for good is not tried again. */
async function send(): Promise<string | null> {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(30_000) });
    await response.body?.cancel();
    if (response.ok) return null;
    if (response.status < 500 && response.status !== 429) fail(`The webhook refused it: ${response.status}`);
    return `it answered ${response.status}`;
  } catch (error) {
    const cause = error instanceof Error ? error.cause : null;
    return cause instanceof Error ? cause.message : error instanceof Error ? error.name : "no answer";
  }
}
