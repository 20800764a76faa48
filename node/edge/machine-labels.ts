/** What a worker knows of its own machine, as labels that steps can ask for: `os`, `arch`, `cores`, `memory` in MiB. */

import { availableParallelism, totalmem } from "node:os";
import { sandboxLabel, sandboxLabelKey, type SandboxLevel } from "../../protocol/plan.ts";

/**
 * The person's own labels come first, and count instead of what is known under the same key. How far steps are kept apart
 * is not for a person to say: only levels that were reached are told.
 */
export function withMachineLabels(
  given: readonly string[],
  reached: readonly SandboxLevel[],
): readonly string[] {
  const own = given.filter((label) => label.split("=")[0] !== sandboxLabelKey);
  const known = {
    os: process.platform,
    arch: process.arch,
    cores: availableParallelism(),
    memory: Math.floor(totalmem() / (1_024 * 1_024)),
  };
  const said = new Set(own.map((label) => label.split("=")[0]));
  const more = Object.entries(known).filter(([key]) => !said.has(key));
  const levels = reached.filter((level) => level !== "S0").map(sandboxLabel);
  return [...own, ...more.map(([key, value]) => `${key}=${value}`), ...levels];
}
