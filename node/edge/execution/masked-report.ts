/**
 * A report without the secrets of its step: what a command failed with may have them in it, as its output may. What the
 * step said, and its tests, are masked where they are read, before anything is cut off them.
 */

import type { Mask } from "../../../protocol/credentials/masker.ts";
import type { StepReport } from "../../../protocol/report.ts";

export function maskReport(report: StepReport, mask: Mask): StepReport {
  const commands = report.commands.map((command) =>
    command.end.kind === "not-started"
      ? { ...command, end: { ...command.end, problem: mask.text(command.end.problem) } }
      : command,
  );
  return { ...report, problem: mask.text(report.problem), commands };
}
