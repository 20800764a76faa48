/** `otto submit`: this folder's pipeline to the mesh, through any peer. */

import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { loadPlan, type LoadOptions } from "../load-plan.ts";
import { type SourceOptions, submitRun, tellNotStarted } from "../submit-run.ts";
import { findTarget, type TargetOptions, targetWords } from "../target.ts";
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
