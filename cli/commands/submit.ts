/** `otto submit`: this folder's pipeline to the mesh, through any peer. */

import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { loadPlan, type LoadOptions } from "../load-plan.ts";
import { type SourceOptions, submitRun, tellNotStarted } from "../submit-run.ts";
import { findTarget, type TargetOptions, targetWords } from "../target.ts";
import { whyUndecided } from "../undecided.ts";
import { durationWords } from "../words.ts";
import { type ShowOptions, watchToEnd } from "../watch-run.ts";

export type SubmitOptions = LoadOptions &
  SourceOptions &
  ShowOptions &
  TargetOptions & { readonly watch?: boolean };

export async function submit(options: SubmitOptions): Promise<ExitCode> {
  const loaded = await loadPlan(options);
  if (loaded.notStarted !== null) return tellNotStarted(loaded.notStarted, options);
  const target = await findTarget(options);
  try {
    const { run, notices } = await submitRun(loaded, target, options);
    for (const notice of notices) process.stderr.write(`otto: ${notice}\n`);
    const undecided = await whyUndecided(target);
    if (undecided !== null) process.stderr.write(keptText(run, undecided, options));
    if (options.watch === true) return await watchToEnd(run, target, options);
    process.stdout.write(
      options.json === true
        ? `${JSON.stringify({ otto: "submitted/1", run, plan: loaded.planId })}\n`
        : `Submitted run ${run} of plan ${loaded.planId}.\nFollow it with: otto logs -f ${run}${targetWords(options)}\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

function keptText(run: string, undecided: string, options: TargetOptions): string {
  return [
    `otto: ${undecided}`,
    `Run ${run} is kept by the peer that was asked, and is admitted when a majority is back within ${durationWords(limits.submissionMsDefault)}; later it is refused.`,
    `Next: Start the control peers that are missing: \`otto peers${targetWords(options)}\` shows which. Submitted again it would be another run.`,
    "",
  ].join("\n");
}
