/** What the commands of an attempt find in their environment besides what the worker lets through. */

import type { SandboxLevel } from "../../../protocol/plan.ts";
import type { Assignment } from "../../ports.ts";
import type { Workspace } from "./workspaces.ts";

/** The environment of a step is made from nothing; what Otto says of the attempt cannot be overridden. */
export function stepEnvironment(
  assignment: Assignment,
  workspace: Workspace,
  level: SandboxLevel,
): Record<string, string> {
  return {
    ...(level === "S0" ? {} : { HOME: workspace.home }),
    TMPDIR: workspace.temporary,
    ...assignment.variables,
    ...assignment.surroundings,
    OTTO: "true",
    OTTO_RUN: assignment.run,
    OTTO_STEP: assignment.step,
    OTTO_ATTEMPT: String(assignment.attempt),
    ...(assignment.fence === null ? {} : { OTTO_FENCING_TOKEN: String(assignment.fence) }),
  };
}
