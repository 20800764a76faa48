/** Watches one run to its end: shows it, and cancels it on Ctrl-C. */

import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor } from "../node/edge/client.ts";
import { applyItem, newRunView, type RunView } from "../node/view/run.ts";
import { type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { followRun } from "./follow-run.ts";
import { chooseMode, createRenderer } from "./render/renderer.ts";
import type { Target } from "./target.ts";

export type ShowOptions = { readonly json?: boolean; readonly plain?: boolean };

/** Shows the run until it is closed. The first Ctrl-C cancels it and waits; the second leaves at once. */
export async function watchToEnd(run: string, target: Target, options: ShowOptions): Promise<ExitCode> {
  const view = newRunView(run);
  const mode = chooseMode(options, process.stdout, process.env);
  const renderer = createRenderer({ mode, out: process.stdout, now: () => Date.now() });
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
    void cancelUntilHeard(run, target);
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  try {
    await followRun(run, target, "submitted", (item) => {
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

async function cancelUntilHeard(run: string, target: Target): Promise<void> {
  const by = userInfo().username;
  for (let tries = 0; tries < limits.watchRetriesMax; tries += 1) {
    try {
      const channel = await target.open();
      await askFor(channel, { call: "cancel", certificate: target.certificate, run, by }, "done");
      return;
    } catch (error) {
      // Not admitted yet, or its home is changing: the run must still be cancelled.
      if (error instanceof OttoError && /is over/u.test(error.message)) return;
      await sleep(200);
    }
  }
}

export function exitCodeOf(view: RunView, interrupted: boolean): ExitCode {
  if (view.outcome === "passed") return exitCodes.passed;
  if (view.outcome === "cancelled") return interrupted ? exitCodes.cancelled : exitCodes.failed;
  return view.outcome === null ? exitCodes.stillWaiting : exitCodes.failed;
}
