/**
 * Which events start a pipeline: its triggers held against what happened. By hand always works, and a pipeline that
 * names no triggers is started by anything.
 *
 * In patterns of branches and tags `*` stands for anything but `/`, and `**` for anything at all, as people know them
 * from GitHub.
 */

import type { Plan, PlannedTrigger } from "../protocol/plan.ts";
import { triggerWords } from "./action-words.ts";
import { printable } from "./diagnostics.ts";
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
  return patterns.length === 0 || patterns.some((pattern) => matches(pattern, name));
}

/** Keeps every place at which the parts so far can end: the work is bounded however many stars there are. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split(/(\*+)/).filter((part) => part !== "");
  /** Where in the name the parts so far can have ended. */
  let ends = new Set([0]);
  for (const part of parts) {
    const next = new Set<number>();
    if (!part.startsWith("*")) {
      for (const end of ends) if (name.startsWith(part, end)) next.add(end + part.length);
    } else if (part === "*") {
      for (const end of ends) {
        const slash = name.indexOf("/", end);
        for (let at = end; at <= (slash === -1 ? name.length : slash); at += 1) next.add(at);
      }
    } else for (let at = Math.min(...ends); at <= name.length; at += 1) next.add(at);
    if (next.size === 0) return false;
    ends = next;
  }
  return ends.has(name.length);
}
