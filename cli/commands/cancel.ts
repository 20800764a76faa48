/** `otto cancel`: no further step of the run starts, and those that run are stopped. */

import { userInfo } from "node:os";
import { askFor } from "../../node/edge/client.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { findTarget, type TargetOptions, targetWords } from "../target.ts";

export async function cancel(run: string, options: TargetOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const { certificate } = target;
    const by = userInfo().username;
    await askFor(await target.open(), { call: "cancel", certificate, run, by }, "done");
    process.stdout.write(
      `Run ${run} is being cancelled. Follow it with: otto logs -f ${run}${targetWords(options)}\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}
