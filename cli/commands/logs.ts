/** `otto logs`: what the steps of a run wrote, and with `-f` what they go on to write. */

import { callFor } from "../../node/edge/client.ts";
import { attemptWords } from "../../node/view/attempt.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import type { WatchItem } from "../../protocol/calls.ts";
import type { AttemptEnded } from "../../protocol/events.ts";
import { followRun, isWatchItem, Seen } from "../follow-run.ts";
import { findTarget, type Target, type TargetOptions } from "../target.ts";

export type LogsOptions = TargetOptions & {
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly offset?: string;
};

/**
 * Of one step the log is written as it is, byte for byte; of a whole run each attempt's begins with a line that
 * names it, and again whenever another one goes on.
 */
export async function logs(run: string, step: string | undefined, options: LogsOptions): Promise<ExitCode> {
  const offset = offsetOf(options.offset);
  const target = await findTarget(options);
  let last = "";
  let known = step === undefined;
  const show = (item: WatchItem): void => {
    if (item.kind === "plan") known ||= item.plan.steps.some(({ name }) => name === step);
    if (item.kind === "notice") process.stderr.write(`otto: ${item.text}\n`);
    if (item.kind === "event" && item.event.kind === "attempt-ended" && item.event.cause !== "finished")
      if (step === undefined || item.event.step === step)
        process.stderr.write(`otto: ${endWords(item.event)}\n`);
    if (item.kind !== "output" || (step !== undefined && item.step !== step)) return;
    const { step: name, attempt, offset, bytes } = item;
    if (options.json === true) {
      const text = Buffer.from(bytes).toString();
      process.stdout.write(`${JSON.stringify({ step: name, attempt, offset, text })}\n`);
      return;
    }
    const heading = `== ${name}${attempt > 1 ? ` (attempt ${attempt})` : ""}\n`;
    if (step === undefined && heading !== last) process.stdout.write(heading);
    last = heading;
    process.stdout.write(bytes);
  };
  try {
    if (options.follow === true) await followRun(run, target, { from: "named", offset }, show);
    else await showSoFar(run, target, show, offset);
  } finally {
    await target.close();
  }
  if (known) return exitCodes.passed;
  throw new OttoError("OTTO_NO_SUCH_STEP", {
    what: `Run ${run} has no step called "${step}".`,
    next: `List its steps with \`otto status ${run}\`.`,
  });
}

function offsetOf(words: string | undefined): number {
  if (words === undefined) return 0;
  const offset = Number(words);
  if (/^\d+$/u.test(words) && Number.isSafeInteger(offset)) return offset;
  throw new OttoError("OTTO_USAGE", {
    what: `"${words}" is no offset: a number of bytes is expected.`,
    next: "Give the offset that `otto logs --json` told last, such as --offset 4096.",
  });
}

/** Why an attempt's log ends where it does. */
function endWords(ended: AttemptEnded): string {
  const { step, attempt } = ended;
  return `${step}, attempt ${attempt}: ${attemptWords({ attempt, started: null, ended, refused: [] })}`;
}

async function showSoFar(
  run: string,
  target: Target,
  show: (item: WatchItem) => void,
  from: number,
): Promise<void> {
  const { certificate } = target;
  const request = { call: "watch", certificate, run, output: true, follow: false, from } as const;
  const seen = new Seen();
  for await (const item of callFor(await target.open(), request)) {
    const fresh = isWatchItem(item) ? seen.take(item) : null;
    if (fresh !== null) show(fresh);
  }
}
