/**
 * The plan of a detected pipeline: the same kind of value that a file gives, with the detector's version and
 * what it found in place of the file's path.
 */

import { limits } from "../../protocol/limits.ts";
import type { Plan, PlanContext, PlannedStep } from "../../protocol/plan.ts";
import type { DetectedStep, Found } from "./detect.ts";

/** Steps are in topological order; among those ready at once the smaller name by code unit comes first. */
export function planDetected(detection: Found, context: PlanContext): Plan {
  return {
    otto: 1,
    pipeline: detection.pipeline.name,
    origin: {
      kind: "conventions",
      version: detection.detectorVersion,
      found: [...new Set(detection.matches.map(({ signal }) => signal))].sort(),
    },
    context,
    environments: {},
    steps: inOrder(detection.pipeline.steps).map(toPlannedStep),
  };
}

function inOrder(steps: readonly DetectedStep[]): readonly DetectedStep[] {
  const waiting = [...steps].sort((one, other) => (one.name < other.name ? -1 : 1));
  const ordered: DetectedStep[] = [];
  while (waiting.length > 0) {
    const ready = waiting.findIndex(({ needs }) =>
      needs.every((need) => ordered.some(({ name }) => name === need)),
    );
    const [next] = waiting.splice(ready, 1);
    if (ready === -1 || next === undefined)
      throw new Error("Bug: detected steps need each other in a circle");
    ordered.push(next);
  }
  return ordered;
}

function toPlannedStep(step: DetectedStep): PlannedStep {
  return {
    name: step.name,
    from: step.name,
    cell: {},
    included: true,
    reason: step.reason,
    commands: step.commands,
    needs: step.needs.map((need) => ({ step: need, outcomes: ["passed"] })),
    environment: null,
    variables: step.variables,
    inputs: [],
    outputs: [],
    timeoutMs: limits.timeoutMsDefault,
    retry: { attemptsMax: limits.lostAttemptsMaxDefault, on: ["lost"] },
    effect: false,
    labels: [],
  };
}
