/**
 * Which events start a pipeline: its triggers held against what happened. By hand always works, and a pipeline that
 * names no triggers is started by anything.
 */

import type { Plan, PlannedTrigger } from "../protocol/plan.ts";
import { triggerWords } from "./action-words.ts";
import { printable } from "./diagnostics.ts";
import { fitsOne } from "./name-patterns.ts";
import type { TriggerEvent } from "./trigger-event.ts";

/** Why an event does not start the pipeline, as one sentence; null when it does. */
export function whyNotStarted(plan: Pick<Plan, "pipeline" | "triggers">, event: TriggerEvent): string | null {
  const { pipeline, triggers = [] } = plan;
  const starts =
    event.trigger === "manual" ||
    triggers.length === 0 ||
    triggers.some((trigger) => firesFor(trigger, event));
  if (starts) return null;
  const by = triggers.map(triggerWords).join("; ");
  return printable(`${pipeline} is not started: what starts it is ${by}, and this is ${eventWords(event)}.`);
}

export function firesFor(trigger: PlannedTrigger, event: TriggerEvent): boolean {
  switch (trigger.kind) {
    case "push":
      return event.trigger === "push" && fits(trigger.branches, event.branch);
    case "pull-request":
      return event.trigger === "pull-request" && fits(trigger.branches, event.base);
    case "tag":
      return event.trigger === "tag" && fits(trigger.tags, event.tag);
    case "run":
      return (
        event.trigger === "run" &&
        event.pipeline === trigger.pipeline &&
        event.outcome !== null &&
        trigger.outcomes.includes(event.outcome)
      );
    case "webhook":
      return event.trigger === "webhook" && event.name === trigger.name;
    case "schedule":
      return event.trigger === "schedule";
  }
}

/** What happened, in words. */
function eventWords({ trigger, branch, tag, base, pipeline, outcome, name }: TriggerEvent): string {
  switch (trigger) {
    case "push":
      return `a push to ${branch}`;
    case "pull-request":
      return `a pull request to ${base}`;
    case "tag":
      return `the tag ${tag}`;
    case "run":
      return `the end of a run of ${pipeline} that ${outcome}`;
    case "webhook":
      return `the webhook ${name}`;
    case "schedule":
      return "a schedule";
    case "manual":
      return "a start by hand";
  }
}

/** No pattern at all stands for every name. */
function fits(patterns: readonly string[], name: string | null): boolean {
  if (name === null) return false;
  return patterns.length === 0 || fitsOne(patterns, name);
}
