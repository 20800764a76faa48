/**
 * The plan of a detected pipeline: the same kind of value that a file gives, with the detector's version and
 * what it found in place of the file's path.
 */

import { assert } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { Plan, PlanContext, PlannedStep } from "../../protocol/plan.ts";
import { compareText } from "../../protocol/values.ts";
import { orderOf } from "../order.ts";
import type { DetectedStep, Found } from "./detect.ts";

/** Steps are in the planner's order: each after what it needs, ties by code unit. */
export function planDetected(detection: Found, context: PlanContext): Plan {
  return {
    otto: 1,
    pipeline: detection.pipeline.name,
    origin: {
      kind: "conventions",
      version: detection.detectorVersion,
      found: [...new Set(detection.matches.map(({ signal }) => signal))].sort(compareText),
    },
    context,
    environments: {},
    steps: inOrder(detection.pipeline.steps).map(toPlannedStep),
  };
}

function inOrder(steps: readonly DetectedStep[]): readonly DetectedStep[] {
  const order = orderOf(new Map(steps.map(({ name, needs }) => [name, needs])));
  assert(order.ok, "detected steps do not need each other in a circle");
  return order.value.flatMap((wanted) => steps.filter(({ name }) => name === wanted));
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
    ...(step.caches.length > 0 ? { caches: step.caches } : {}),
  };
}
