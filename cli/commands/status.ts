/** `otto status`: the runs of the domain, or one run step by step. */

import { askFor } from "../../node/edge/client.ts";
import type { RunView } from "../../node/view/run.ts";
import { summarizeRun } from "../../node/view/summary.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { wantsColor } from "../render/renderer.ts";
import { missedLines } from "../render/schedules.ts";
import { runsTable, runText } from "../render/status.ts";
import { viewOf } from "../run-view.ts";
import { findTarget, type Target, type TargetOptions } from "../target.ts";
import { answerCommand } from "./answer.ts";
import { schedulesOf } from "./schedule.ts";
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
    options.json === true
      ? runs.map((summary) => JSON.stringify(summary))
      : [...runsTable(runs, style()), ...missedLines(await schedulesOf(target), style())];
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
      : [...runText(view, style()), ...howToAnswer(view, options)];
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
  return exitCodeOf(view, false);
}

/** For each step that waits for a person's word, how to give it. */
function howToAnswer({ run, steps }: RunView, options: TargetOptions): readonly string[] {
  const commands = steps.flatMap(({ name, planned, state }) => {
    const answer = answerCommand({ run, step: name, planned }, options);
    return state.kind === "pending" && answer !== null ? [`Answer ${name} with: ${answer}`] : [];
  });
  return commands.length === 0 ? [] : ["", ...commands];
}

function plainState(state: RunView["steps"][number]["state"]): object {
  return state.kind === "waiting"
    ? { state: "waiting", for: [...state.for] }
    : { ...state, state: state.kind };
}

function style(): { nowMs: number; color: boolean; columns: number | null } {
  const { stdout } = process;
  return { nowMs: Date.now(), color: wantsColor(stdout), columns: stdout.isTTY ? stdout.columns : null };
}
