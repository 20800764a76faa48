/** How an attempt came to its end, in words. */

import { OttoError, unreachable } from "../../../protocol/errors.ts";
import type { SandboxLevel } from "../../../protocol/plan.ts";
import type { StepReport } from "../../../protocol/report.ts";
import type { Assignment } from "../../ports.ts";
import { isDiskFull } from "../blobs.ts";
import { commandProblem, shortCommand } from "./report.ts";
import type { RunnerResult } from "./runner-messages.ts";

/** What is known of an attempt when it is over, before its report is made. */
export type End = {
  readonly outcome: StepReport["outcome"];
  readonly problem: string;
  readonly result: RunnerResult | null;
  /** Nothing of the step had begun, and neither it nor its author is to blame. */
  readonly isUnprepared?: boolean;
};

/** What the step runs in could not be had here and now. */
export class Unprepared extends Error {}

export function endOf(assignment: Assignment, result: RunnerResult | null): End {
  if (result === null) {
    const problem = "The process that ran the step died; whatever was left of the step has been killed.";
    return { outcome: "failed", problem, result };
  }
  const last = result.commands.at(-1);
  const command = assignment.library?.name ?? assignment.commands[result.commands.length - 1] ?? "";
  const problem = last === undefined ? null : commandProblem(command, last.end, assignment.timeoutMs);
  switch (result.end.kind) {
    case "passed":
      return { outcome: "passed", problem: "", result };
    case "failed":
    case "timed-out":
    case "cancelled":
      return { outcome: result.end.kind, problem: problem ?? result.end.kind, result };
    case "limited": {
      const problem = `${shortCommand(command)} was stopped: ${result.end.problem}`;
      return { outcome: "failed", problem, result };
    }
    case "broken":
      return { outcome: "failed", problem: result.end.problem, result };
    default:
      return unreachable(result.end);
  }
}

export function problemOf(error: unknown, folder: string): string {
  if (isDiskFull(error))
    return `The disk that holds ${folder} is full. Free some space there, then try again.`;
  if (error instanceof OttoError) return [error.message, error.next].join(" ");
  return error instanceof Error ? error.message : String(error);
}

/** Of a step that is not run below the level that it asks for. */
export function tooOpen({ sandbox }: Assignment, reached: readonly SandboxLevel[]): End {
  const here = reached.at(-1) ?? "S0";
  const problem = `The step asks for isolation of level ${sandbox}, and this worker reaches ${here}: it was not started.`;
  return { outcome: "failed", problem, result: null };
}
