/** An executor whose steps run at a level of isolation, for attacks on it; and whether this machine can do it at all. */

import { spawnSync } from "node:child_process";
import { expect } from "vitest";
import type { SandboxLevel } from "../../protocol/plan.ts";
import type { StepBounds } from "../../node/edge/execution/step-usage.ts";
import { makeSurroundings, type Surroundings } from "../node/execution/surroundings.ts";

type Options = Parameters<typeof makeSurroundings>[0];

/** Why this machine cannot do the level, for the name of a test that is skipped; null when it can. */
export function missing(level: SandboxLevel): string | null {
  if (process.platform !== "linux") return "only Linux isolates steps";
  if (level === "S1" && process.getuid?.() !== 0) return "only root gives slots users of their own";
  if (level !== "S1" && spawnSync("bwrap", ["--version"]).status !== 0) return "bubblewrap is not installed";
  return null;
}

/** Unless it is said otherwise every step runs at the level, also one that does not ask for it. */
export async function isolated(
  level: SandboxLevel,
  options: Options = {},
  { byDefault = level, bounds }: { readonly byDefault?: SandboxLevel; readonly bounds?: StepBounds } = {},
): Promise<Surroundings> {
  const more = bounds === undefined ? {} : { bounds };
  const isolation = { atMost: level, byDefault, visible: [], secrets: [], ...more };
  const surroundings = await makeSurroundings({ isolation, ...options });
  expect(surroundings.executor.reached, JSON.stringify(surroundings.executor.probed)).toContain(level);
  return surroundings;
}
