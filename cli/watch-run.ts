/** Watches one run to its end: shows it, and cancels it on Ctrl-C. */

import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor } from "../node/edge/client.ts";
import { applyItem, newRunView, type RunView } from "../node/view/run.ts";
import { type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { followRun } from "./follow-run.ts";
import { chooseMode, createRenderer } from "./render/renderer.ts";
import { type Target, type TargetOptions, targetWords } from "./target.ts";
import { whyUndecided } from "./undecided.ts";

export type ShowOptions = { readonly json?: boolean; readonly plain?: boolean };

/**
 * For so long a Ctrl-C tries to have the run cancelled: where a majority is reachable, its home may be changing, or the
 * run is not admitted yet. Where none is, links that broke for a moment come back in less.
 */
const cancelTriedMs = 15_000;
const cancelTriedAloneMs = 1_500;
const cancelAgainMs = 200;

/**
 * Shows the run until it is closed. The first Ctrl-C cancels it and waits, but not for a domain that cannot decide that;
 * the second leaves at once.
 *
 * @throws `OTTO_UNREACHABLE` after a Ctrl-C: the run could not be cancelled.
 */
export async function watchToEnd(
  run: string,
  target: Target,
  options: ShowOptions & TargetOptions,
): Promise<ExitCode> {
  const view = newRunView(run);
  const mode = chooseMode(options, process.stdout, process.env);
  const renderer = createRenderer({ mode, out: process.stdout, now: () => Date.now() });
  const leaving = new AbortController();
  let interrupts = 0;
  const interrupted = (): void => {
    interrupts += 1;
    if (interrupts > 1) {
      renderer.close(view);
      process.exit(exitCodes.cancelled);
    }
    renderer.item({
      kind: "notice",
      text: "Cancelling; waiting for the steps to end (Ctrl-C again leaves at once).",
    });
    cancelUntilHeard(view, target, options).catch((error: unknown) => leaving.abort(error));
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  try {
    await followRun(run, target, { from: "submitted", signal: leaving.signal }, (item) => {
      applyItem(view, item);
      renderer.item(item);
    });
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    renderer.close(view);
  }
  return exitCodeOf(view, interrupts > 0);
}

/** Returns when the cancelling is under way, or the run is over; throws when it is given up. */
async function cancelUntilHeard(view: RunView, target: Target, options: TargetOptions): Promise<void> {
  const beganMs = performance.now();
  let asked = askToCancel(view.run, target);
  for (;;) {
    // The node that was asked may wait itself for others that are gone.
    const answer = await Promise.race([asked, sleep(cancelAgainMs, "none yet" as const)]);
    if (answer === "heard") return;
    const triedMs = performance.now() - beganMs;
    const undecided = triedMs > cancelTriedAloneMs ? await whyUndecided(target) : null;
    if (undecided !== null || triedMs > cancelTriedMs)
      throw notCancelled(view, targetWords(options), { undecided, answer });
    if (answer === "none yet") continue;
    await sleep(cancelAgainMs);
    asked = askToCancel(view.run, target);
  }
}

/** What a node says against it is an answer, too. */
async function askToCancel(run: string, target: Target): Promise<"heard" | Error> {
  const by = userInfo().username;
  try {
    const channel = await target.open();
    await askFor(channel, { call: "cancel", certificate: target.certificate, run, by }, "done");
    return "heard";
  } catch (error) {
    if (!(error instanceof OttoError)) throw error;
    return /is over/u.test(error.message) ? "heard" : error;
  }
}

function notCancelled(
  { run, startedMs }: RunView,
  target: string,
  { undecided, answer }: { readonly undecided: string | null; readonly answer: Error | "none yet" },
): OttoError {
  const isSilent = answer === "none yet";
  const why = undecided ?? (isSilent ? "The node that was asked does not answer." : answer.message);
  const kept = "It is kept where it was submitted, and may still begin.";
  return new OttoError("OTTO_UNREACHABLE", {
    what: `Run ${run} could not be cancelled. ${why}`,
    state: startedMs === null ? kept : "It goes on as far as it can.",
    next: `${undecided === null ? "Try again" : "When a majority is back"}: otto cancel ${run}${target}`,
    ...(isSilent ? {} : { cause: answer }),
  });
}

export function exitCodeOf(view: RunView, interrupted: boolean): ExitCode {
  if (view.outcome === "passed") return exitCodes.passed;
  if (view.outcome === "cancelled") return interrupted ? exitCodes.cancelled : exitCodes.failed;
  return view.outcome === null ? exitCodes.stillWaiting : exitCodes.failed;
}
