/** What a worker knows of its own machine, as labels that steps can ask for: `os`, `arch`, `cores`, `memory` in MiB. */

import { availableParallelism, totalmem } from "node:os";

/** The person's own labels come first, and count instead of what is known under the same key. */
export function withMachineLabels(own: readonly string[]): readonly string[] {
  const known = {
    os: process.platform,
    arch: process.arch,
    cores: availableParallelism(),
    memory: Math.floor(totalmem() / (1_024 * 1_024)),
  };
  const said = new Set(own.map((label) => label.split("=")[0]));
  const more = Object.entries(known).filter(([key]) => !said.has(key));
  return [...own, ...more.map(([key, value]) => `${key}=${value}`)];
}
