/** What a step does besides commands, and what only some steps have, as lines of `otto explain`. */

import { inputVariable } from "../protocol/names.ts";
import {
  leastSandboxOf,
  type Plan,
  type PlannedStep,
  type PlannedTrigger,
  type Scalar,
  type StepAction,
} from "../protocol/plan.ts";
import { credentialForImage } from "../protocol/credentials/image-credential.ts";
import { parseImageName, parseImageTag } from "../protocol/image-name.ts";
import { formatDuration } from "./durations.ts";

/** `key`: what of the step's entry in the file says so. */
type Line = readonly [label: string, text: string, key: string];
type PlanLine = readonly [label: string, text: string];

/** What nobody should miss. */
export const exposedLabel = "EXPOSED";

/** Who does what, who may answer, what is asked. */
export function actionLines(action: StepAction): readonly Line[] {
  switch (action.kind) {
    case "uses":
      return [
        ["uses", `the step library ${action.library}`, "uses"],
        ...Object.entries(action.with).map(([name, value]): Line => [
          "given",
          `${name}=${shown(value)}`,
          "with",
        ]),
      ];
    case "approve": {
      const people = action.by.length === 0 ? "anybody of the domain" : action.by.join(", ");
      const count = action.count === 1 ? "one yes" : `${action.count} people saying yes`;
      return [
        ["asks", action.question, "approve"],
        ["who", `${people}; ${count} is enough, a no ends it as failed`, "approve"],
      ];
    }
    case "wait": {
      const lines: Line[] = [];
      if (action.callback !== null)
        lines.push(["waits for", `the callback ${action.callback}: passed, failed or inconclusive`, "wait"]);
      if (action.poll !== null) {
        const { url, everyMs, until, fails } = action.poll;
        lines.push(["asks", `${url} every ${formatDuration(everyMs)}`, "wait"], ["until", until, "wait"]);
        if (fails !== null) lines.push(["fails if", fails, "wait"]);
        if (action.callback !== null) lines.push(["", "whichever settles it first", "wait"]);
      }
      return lines;
    }
    case "pipeline":
      return [
        ["ends with", `${action.members.join(", ")}: failed when one of them did not pass`, "pipeline"],
      ];
  }
}

/** What most steps do not have. */
export function surroundingLines(step: PlannedStep): readonly Line[] {
  const lines: Line[] = [];
  if (step.lock !== undefined)
    lines.push(["alone", `under the lock ${step.lock}: one step at a time, over all runs`, "lock"]);
  for (const { name, step: from, value } of step.valueInputs ?? [])
    lines.push(["takes", `${name}, the value ${value} of ${from}, as ${inputVariable(name)}`, "inputs"]);
  for (const { name, type } of step.values ?? []) lines.push(["tells", `${name}, a ${type}`, "values"]);
  for (const outcome of step.outcomes ?? []) lines.push(["may end as", outcome, "outcomes"]);
  for (const { name, paths, keyFiles } of step.caches ?? []) {
    const key = keyFiles.length === 0 ? "the same key always" : `the key is made of ${keyFiles.join(", ")}`;
    lines.push(["keeps", `${name}: ${paths.join(", ")}; ${key}`, "caches"]);
  }
  for (const { name, kind, to, expose } of step.credentials ?? [])
    lines.push(
      expose === undefined
        ? ["may use", `the credential ${name}, for ${kind} to ${to} and nothing else`, "credentials"]
        : [
            exposedLabel,
            `the secret ${name} itself, in a ${expose}: its code can do with it what it likes`,
            "credentials",
          ],
    );
  for (const { format, files } of step.reports ?? [])
    lines.push(["reports", `${format}: ${files.join(", ")}`, "reports"]);
  const level = leastSandboxOf(step);
  if (level !== "S0") lines.push(["isolation", `${level} at least`, "requires"]);
  else if (step.credentials !== undefined)
    lines.push([
      "isolation",
      "S2 where its worker reaches it, since it uses credentials: they are all its network then",
      "credentials",
    ]);
  if (step.image !== undefined)
    lines.push(["image", imageWords(step.image) + wayWords(step, step.image), "requires"]);
  return lines;
}

/** By whom it is asked for, where its registry does not give it to everybody. */
function wayWords({ credentials = [] }: PlannedStep, { name }: NonNullable<PlannedStep["image"]>): string {
  const parsed = parseImageName(name) ?? parseImageTag(name);
  const used = parsed === null ? null : credentialForImage(credentials, parsed);
  return used === null ? "" : `; brought by way of the broker, with the credential ${used.name}`;
}

function imageWords({ name, orHost }: NonNullable<PlannedStep["image"]>): string {
  if (!orHost) return name;
  return parseImageName(name) === null
    ? `the worker itself: ${name} has no digest, and could be another one tomorrow (\`otto lock\` pins it)`
    : `${name}, or the worker itself`;
}

const orderWords = {
  high: "before those of other runs",
  low: "after those of other runs, and not for ever after",
} as const;

/** What the plan as a whole has besides steps. */
export function planLines(plan: Plan): readonly PlanLine[] {
  const lines: PlanLine[] = [];
  if (plan.priority !== undefined)
    lines.push(["priority", `${plan.priority}: its steps are given to workers ${orderWords[plan.priority]}`]);
  const { changes } = plan.context;
  if (changes?.base === null) {
    lines.push(["changes", `not known, so everything counts as changed: ${changes.because}`]);
  } else if (changes !== undefined) {
    const count = changes.count === 1 ? "1 path differs" : `${changes.count} paths differ`;
    lines.push(["changes", `${count} from ${changes.base.slice(0, 12)}, ${changes.because}`]);
  }
  for (const { name, source, commit, digest, may = [] } of plan.uses ?? []) {
    const pinned = commit === null ? `digest ${digest.slice(0, 12)}` : `commit ${commit.slice(0, 12)}`;
    lines.push(["made with", `${name}${name === source ? "" : `: ${source}`}, ${pinned}`]);
    for (const words of may) lines.push(["", `it says that it may ${words}`]);
  }
  for (const trigger of plan.triggers ?? []) lines.push(["started by", triggerWords(trigger)]);
  return lines;
}

export function triggerWords(trigger: PlannedTrigger): string {
  switch (trigger.kind) {
    case "push":
      return `a push to ${refs(trigger.branches, "any branch")}`;
    case "pull-request":
      return `a pull request to ${refs(trigger.branches, "any branch")}`;
    case "tag":
      return `a tag: ${refs(trigger.tags, "any")}`;
    case "run":
      return `the end of a run of ${trigger.pipeline} that ${trigger.outcomes.join(" or ")}`;
    case "webhook":
      return `the webhook ${trigger.name}`;
    case "schedule": {
      const missed =
        trigger.missed === "latest" ? "the newest missed slot is made up for" : "missed slots are left out";
      return `the schedule ${trigger.cron} (UTC); ${missed}`;
    }
  }
}

function refs(patterns: readonly string[], all: string): string {
  return patterns.length === 0 ? all : patterns.join(", ");
}

function shown(value: Scalar): string {
  return String(value).split("\n")[0] ?? "";
}
