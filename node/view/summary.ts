/** One line about a run. */

import type { RunSummary } from "../../protocol/calls.ts";
import { exposuresOf } from "./exposed.ts";
import type { RunView } from "./run.ts";

export function summarizeRun(view: RunView): RunSummary {
  const { counts } = view;
  const failed = counts.failed + counts["timed-out"];
  return {
    run: view.run,
    pipeline: view.pipeline,
    state: view.state,
    steps: view.plan?.steps.length ?? view.admitted?.steps ?? 0,
    ended: counts.passed + counts.ended + failed + counts.cancelled + counts.skipped,
    failed,
    startedMs: view.startedMs,
    endedMs: view.endedMs,
    ...(exposuresOf(view).length === 0 ? {} : { exposed: true }),
  };
}
