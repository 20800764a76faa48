/** `otto status`: the runs of the domain, or one run step by step. */

import { askFor, callFor } from "../../node/edge/client.ts";
import { applyItem, newRunView, type RunView, summarizeRun } from "../../node/view/run.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { wantsColor } from "../render/renderer.ts";
import { runsTable, runText } from "../render/status.ts";
import { findTarget, type Target, type TargetOptions } from "../target.ts";
import { exitCodeOf } from "../watch-run.ts";

export type StatusOptions = TargetOptions & { readonly json?: boolean };

export async function status(run: string | undefined, options: StatusOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    return run === undefined ? await listRuns(target, options) : await showRun(run, target, options);
  } finally {
    await target.close();
  }
}

async function listRuns(target: Target, options: StatusOptions): Promise<ExitCode> {
  const { certificate } = target;
  const { runs } = await askFor(await target.open(), { call: "status", certificate }, "runs");
  const lines =
    options.json === true ? runs.map((summary) => JSON.stringify(summary)) : runsTable(runs, style());
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return exitCodes.passed;
}

async function showRun(run: string, target: Target, options: StatusOptions): Promise<ExitCode> {
  const view = await viewOf(run, target);
  const lines =
    options.json === true
      ? [
          JSON.stringify({
            ...summarizeRun(view),
            steps: view.steps.map(({ name, state }) => ({ name, ...plainState(state) })),
          }),
        ]
      : runText(view, style());
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return exitCodeOf(view, false);
}

function plainState(state: RunView["steps"][number]["state"]): object {
  return state.kind === "waiting"
    ? { state: "waiting", for: [...state.for] }
    : { ...state, state: state.kind };
}

/** The run as it is now: its plan and history, without waiting for more. */
async function viewOf(run: string, target: Target): Promise<RunView> {
  const view = newRunView(run);
  const request = {
    call: "watch",
    certificate: target.certificate,
    run,
    output: false,
    follow: false,
  } as const;
  for await (const item of callFor(await target.open(), request)) {
    if (item.kind === "plan" || item.kind === "event") applyItem(view, item);
  }
  return view;
}

function style(): { nowMs: number; color: boolean; columns: number | null } {
  const { stdout } = process;
  return { nowMs: Date.now(), color: wantsColor(stdout), columns: stdout.isTTY ? stdout.columns : null };
}
