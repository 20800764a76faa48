/**
 * `otto explain`: everything that a run of this pipeline can do, before anything runs. Reads, and changes nothing.
 */

import { explainJson, explainPlan } from "../../planner/explain.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { loadPlan, PipelineError } from "../load-plan.ts";

export type ExplainOptions = {
  readonly file?: string;
  readonly json?: boolean;
  readonly parameters?: readonly string[];
  readonly folder: string;
};

/** Writes the explanation to standard output; what cannot be explained is an error, with `--json` a value too. */
export async function explain(options: ExplainOptions): Promise<ExitCode> {
  const json = options.json === true;
  try {
    const { plan, planId, detection } = await loadPlan(options);
    await write(
      json
        ? `${JSON.stringify(explainJson(plan, planId, detection), null, 2)}\n`
        : explainPlan(plan, planId, detection),
    );
    return exitCodes.passed;
  } catch (error) {
    if (!json || !(error instanceof OttoError)) throw error;
    const { code, state = null, next } = error;
    const diagnostics = error instanceof PipelineError ? error.diagnostics : [];
    // The mistakes one by one are in `diagnostics`; what they come to is the first line.
    const message = error.message.split("\n", 1)[0] ?? "";
    await write(
      `${JSON.stringify({ otto: "explain/1", code, message, state, next, diagnostics }, null, 2)}\n`,
    );
    return error.exitCode;
  }
}

/** Ends when the text has left this process, or when nobody reads any further (`otto explain | head`). */
function write(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (error === null || error === undefined || ("code" in error && error.code === "EPIPE")) resolve();
      else reject(error);
    });
  });
}
