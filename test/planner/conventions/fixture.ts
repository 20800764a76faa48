/**
 * A repository for a test: a map of paths to texts, and what is detected in it.
 */

import { detectPipeline, signalFiles } from "../../../planner/conventions/detect.ts";
import type { Detection, Found } from "../../../planner/conventions/detect.ts";
import type { RepositoryFiles } from "../../../planner/conventions/convention.ts";
import { planDetected } from "../../../planner/conventions/plan-detected.ts";
import type { Plan, PlanContext } from "../../../protocol/plan.ts";

export type Files = Readonly<Record<string, string>>;

export const context: PlanContext = {
  branch: "main",
  tag: null,
  commit: null,
  trigger: "hand",
  parameters: {},
};

/** Only signal files have a text, as from the disk. */
export function repositoryOf(files: Files): RepositoryFiles {
  const paths = Object.keys(files).sort();
  const signals = new Set(signalFiles(paths));
  return { paths, read: (path) => (signals.has(path) ? files[path] : undefined) };
}

export function detect(files: Files): Detection {
  return detectPipeline(repositoryOf(files));
}

export function find(files: Files): Found {
  const detection = detect(files);
  if (detection.kind === "nothing") {
    throw new Error(`Nothing was detected: ${JSON.stringify(detection.rejected)}`);
  }
  return detection;
}

export function planOf(files: Files): Plan {
  return planDetected(find(files), context);
}

/** The commands of each step of the plan. */
export function commandsOf(files: Files): Record<string, readonly string[]> {
  return Object.fromEntries(planOf(files).steps.map(({ name, commands }) => [name, commands]));
}

/** `Node: package.json declares the script "test"` for all that was found or set aside. */
export function sentences(matches: Detection["rejected"]): readonly string[] {
  return matches.map(({ ecosystem, signal, reason }) => `${ecosystem}: ${signal} ${reason}`);
}

/** A package.json. */
export function packageJson(fields: object): string {
  return JSON.stringify(fields);
}
