/**
 * What a plan will do, for people and for programs: every step in order, why it is in or out, what it waits for
 * and for how long at most, where it may run, what it takes and hands over. A pure function of the plan, so
 * that what is explained is what is run.
 */

import type { Need, Plan, PlannedStep, RetryCause } from "../protocol/plan.ts";
import type { Found } from "./conventions/detect.ts";
import { isSettledByMesh, outcomes as usualOutcomes } from "../protocol/plan.ts";
import { unsupportedIn } from "../protocol/unsupported.ts";
import { actionLines, planLines, surroundingLines } from "./action-words.ts";
import { type Branch, type Branches, branchesOf, type Impossible } from "./branches.ts";
import { groupedLines } from "./explain-groups.ts";
import { printable } from "./diagnostics.ts";
import { formatDuration } from "./durations.ts";
import type { Demands } from "./policy/demands.ts";

/** The longest times, in milliseconds. The wait for a free worker has no bound and is not in them. */
export type StepTimes = {
  readonly name: string;
  /** Until everything that the step needs has ended, every attempt used and as long as allowed. */
  readonly waitMsMax: number;
  /** Of the step itself, all its attempts together. */
  readonly runMsMax: number;
};

export type Explanation = {
  readonly otto: "explain/1";
  readonly planId: string;
  readonly plan: Plan;
  /** One entry a step, in the plan's order. */
  readonly times: readonly StepTimes[];
  readonly branches: Branches;
  /** Why these steps, when no file describes them. */
  readonly detection: Pick<Found, "matches" | "rejected"> | null;
  /** Only where a policy is asked for: what it says. */
  readonly policy?: Demands;
  /** Only with an event that starts nothing: why. */
  readonly notStarted?: string;
};

/** The explanation as a value, for `--json`. */
export function explainJson(plan: Plan, planId: string, detection: Found | null = null): Explanation {
  const found = detection === null ? null : { matches: detection.matches, rejected: detection.rejected };
  return {
    otto: "explain/1",
    planId,
    plan,
    times: longestTimes(plan),
    branches: branchesOf(plan),
    detection: found,
  };
}

/** The explanation as text that is safe on a terminal; ends with the plan's id and a line end. */
export function explainPlan(plan: Plan, planId: string, detection: Found | null = null): string {
  const times = new Map(longestTimes(plan).map((entry) => [entry.name, entry]));
  const lines = [...introduction(plan), ...detectionLines(detection)];
  const branches = branchesOf(plan);
  const after = new Map(branches.steps.map((entry) => [entry.step, branchLines(entry.branches)]));
  const steps = plan.steps.map((step) => ({
    step,
    lines: stepLines(step, times.get(step.name), after.get(step.name) ?? []),
  }));
  lines.push(...groupedLines(steps));
  lines.push("", ...summary(plan, times), ...impossibleLines(branches));
  for (const { step, why } of unsupportedIn(plan, null)) lines.push(`cannot be run yet: ${step}: ${why}`);
  lines.push(`plan ${planId}`, "");
  return lines.map(printable).join("\n");
}

/** For each step of a plan how long it may wait and run; steps that are left out take no time. */
export function longestTimes(plan: Plan): StepTimes[] {
  const endMs = new Map<string, number>();
  return plan.steps.map((step) => {
    const waitMsMax = step.included
      ? step.needs.reduce((longest, need) => Math.max(longest, endMs.get(need.step) ?? 0), 0)
      : 0;
    const isGroup = step.action?.kind === "pipeline";
    const runMsMax = step.included && !isGroup ? step.timeoutMs * step.retry.attemptsMax : 0;
    endMs.set(step.name, waitMsMax + runMsMax);
    return { name: step.name, waitMsMax, runMsMax };
  });
}

function introduction(plan: Plan): string[] {
  const { context, origin } = plan;
  const lines = [`pipeline ${plan.pipeline}`];
  switch (origin.kind) {
    case "file":
      lines.push(field("from", origin.path));
      break;
    case "conventions":
      lines.push(field("from", `conventions, version ${origin.version}: ${origin.found.join(", ")}`));
      break;
  }
  lines.push(field("git", gitWords(plan)), field("trigger", context.trigger));
  const parameters = Object.entries(context.parameters);
  if (parameters.length > 0) {
    lines.push(field("parameters", parameters.map(([name, value]) => `${name}=${value}`).join(", ")));
  }
  lines.push(...planLines(plan).map(([label, text]) => field(label, text)));
  for (const [name, { domain, settings }] of Object.entries(plan.environments)) {
    const names = Object.keys(settings);
    const lock = plan.environments[name]?.lock === true ? ", one step at a time" : "";
    const set = (names.length === 0 ? "no settings" : `sets ${names.join(", ")}`) + lock;
    lines.push(
      field("environment", `${name}: ${domain === null ? "any domain" : `domain ${domain}`}, ${set}`),
    );
  }
  return lines;
}

function gitWords({ context: { branch, tag, commit } }: Plan): string {
  const known = [
    branch === null ? "" : `branch ${branch}`,
    tag === null ? "" : `tag ${tag}`,
    commit === null ? "" : `commit ${commit.slice(0, 12)}`,
  ].filter((words) => words !== "");
  return known.length === 0 ? "not known" : known.join(", ");
}

function detectionLines(detection: Found | null): string[] {
  if (detection === null) return [];
  const words = (match: Found["matches"][number]): string =>
    `${match.ecosystem}: ${match.signal} ${match.reason}`;
  return [
    ...detection.matches.map((match) => field("counts", words(match))),
    ...detection.rejected.map((match) => field("set aside", words(match))),
  ];
}

/** What runs next, for each way to end. */
export function branchLines(branches: readonly Branch[]): string[] {
  return branches.map(({ outcomes, next }, index) => {
    const steps = next.length === 0 ? "nothing" : next.slice(0, stepsInLineMax).join(", ");
    const more = next.length > stepsInLineMax ? ` and ${next.length - stepsInLineMax} more` : "";
    return field(index === 0 ? "then" : "", `if it ${endingWords(outcomes)}: ${steps}${more}`);
  });
}

const stepsInLineMax = 12;
const impossibleLinesMax = 20;

function impossibleLines({ impossible, certain }: Branches): string[] {
  const lines = impossible.slice(0, impossibleLinesMax).map(impossibleWords);
  const more = impossible.length - lines.length;
  if (more > 0) lines.push(`and ${more} more that can never be (--json has them all)`);
  if (!certain) lines.push("not every way through the plan was tried: more of it may never run");
  return lines;
}

export function impossibleWords(entry: Impossible): string {
  if (entry.kind === "step") return `can never run: ${entry.step}: ${entry.because}`;
  const { step, need, outcomes, because } = entry;
  return `never happens: ${step} waits for ${need} to end as ${outcomes.join(" or ")}, and ${because}`;
}

function stepLines(step: PlannedStep, times: StepTimes | undefined, branches: readonly string[]): string[] {
  const lines = [step.name, field(step.included ? "in" : "left out", step.reason)];
  const cell = Object.entries(step.cell);
  if (cell.length > 0) {
    lines.push(field("cell", `of ${step.from}: ${cell.map(([key, value]) => `${key}=${value}`).join(", ")}`));
  }
  lines.push(field("needs", needsWords(step, times)));
  for (const input of step.inputs)
    lines.push(field("takes", `${input.name}, from ${input.step} (${input.output})`));
  if (step.action !== undefined)
    lines.push(...actionLines(step.action).map(([label, text]) => field(label, oneLine(text))));
  for (const [index, command] of step.commands.entries()) lines.push(...commandLines(command, index));
  const variables = Object.entries(step.variables);
  for (const [name, value] of variables) lines.push(field("with", `${name}=${oneLine(value)}`));
  for (const { name, files } of step.outputs) lines.push(field("hands over", `${name}: ${files.join(", ")}`));
  lines.push(...surroundingLines(step).map(([label, text]) => field(label, oneLine(text))));
  lines.push(field("where", whereWords(step)));
  if (step.environment !== null || step.effect) lines.push(field("environment", environmentWords(step)));
  lines.push(field("at most", limitWords(step, times)), ...branches);
  return lines;
}

export function commandLines(command: string, index: number): string[] {
  const [first = "", ...rest] = command.replace(/\n$/, "").split("\n");
  return [field(index === 0 ? "runs" : "then", first), ...rest.map((line) => field("", line))];
}

function needsWords(step: PlannedStep, times: StepTimes | undefined): string {
  if (step.needs.length === 0) return "nothing";
  const words = step.needs.map((need) => need.step + outcomeWords(need)).join(", ");
  const waitMs = times?.waitMsMax ?? 0;
  return waitMs === 0 ? words : `${words}; waits ${formatDuration(waitMs)} at most`;
}

const outcomePhrases: Readonly<Record<string, string>> = {
  passed: "passed",
  failed: "failed",
  "timed-out": "timed out",
  cancelled: "was cancelled",
  skipped: "was skipped",
};

/** Nothing for the usual case: that it passed. */
export function outcomeWords({ outcomes }: Pick<Need, "outcomes">): string {
  if (outcomes.length === 1 && outcomes[0] === "passed") return "";
  if (usualOutcomes.every((outcome) => outcomes.includes(outcome))) return " (however it ended)";
  return ` (if it ${endingWords(outcomes)})`;
}

function endingWords(outcomes: readonly string[]): string {
  return outcomes.map((outcome) => outcomePhrases[outcome] ?? `ended as ${outcome}`).join(" or ");
}

function environmentWords({ environment, effect }: PlannedStep): string {
  const name = environment ?? "none";
  return effect ? `${name}; reaches outside, so never two attempts at once` : name;
}

function whereWords(step: PlannedStep): string {
  if (isSettledByMesh(step)) return "no worker is held";
  return step.labels.length === 0 ? "any worker" : `a worker with ${step.labels.join(", ")}`;
}

export const retryPhrases: Record<RetryCause, string> = {
  lost: "its worker is lost",
  "timed-out": "it timed out",
  failed: "it failed",
};

function limitWords(step: PlannedStep, times: StepTimes | undefined): string {
  if (step.action?.kind === "pipeline") return "as long as its steps";
  const each = formatDuration(step.timeoutMs);
  const { attemptsMax, on } = step.retry;
  if (attemptsMax === 1 || on.length === 0) return `${each}, one attempt`;
  const causes = on.map((cause) => retryPhrases[cause]).join(" or ");
  const total =
    times === undefined || times.runMsMax === 0 ? "" : `; ${formatDuration(times.runMsMax)} in all`;
  return `${each} an attempt, ${attemptsMax} attempts if ${causes}${total}`;
}

function summary(plan: Plan, times: ReadonlyMap<string, StepTimes>): string[] {
  const included = plan.steps.filter((step) => step.included);
  const out = plan.steps.length - included.length;
  const asked = included.filter(({ action }) => action?.kind === "approve" || action?.kind === "wait").length;
  const outside = included.filter(({ effect }) => effect).length;
  const counts = [
    `${included.length} ${included.length === 1 ? "step" : "steps"}`,
    ...(asked === 0 ? [] : [`${asked} of them ${asked === 1 ? "holds" : "hold"} no worker`]),
    ...(outside === 0 ? [] : [`${outside} ${outside === 1 ? "reaches" : "reach"} outside`]),
    ...(out === 0 ? [] : [`${out} left out`]),
  ].join(", ");
  const { path, longestMs } = longestPath(plan, times);
  const longest = path.length < 2 ? [] : [`longest path: ${pathWords(path)}`];
  return [
    `${counts}; ${formatDuration(longestMs)} at most, the wait for free workers not counted`,
    ...longest,
  ];
}

/** The steps that, each taking as long as it may, decide how long the run takes at most. */
function longestPath(
  plan: Plan,
  times: ReadonlyMap<string, StepTimes>,
): { readonly path: readonly string[]; readonly longestMs: number } {
  const endOf = (name: string): number => {
    const found = times.get(name);
    return found === undefined ? 0 : found.waitMsMax + found.runMsMax;
  };
  const byName = new Map(plan.steps.map((step) => [step.name, step]));
  const latest = (names: readonly string[]): string | undefined => {
    let best: string | undefined;
    for (const name of names) if (best === undefined || endOf(name) > endOf(best)) best = name;
    return best;
  };
  const path: string[] = [];
  const last = latest(plan.steps.filter((step) => step.included).map(({ name }) => name));
  for (let name = last; name !== undefined;) {
    path.unshift(name);
    name = latest((byName.get(name)?.needs ?? []).map(({ step }) => step).filter((need) => endOf(need) > 0));
  }
  return { path, longestMs: last === undefined ? 0 : endOf(last) };
}

const pathNamesMax = 12;

function pathWords(path: readonly string[]): string {
  if (path.length <= pathNamesMax) return path.join(" > ");
  const half = pathNamesMax / 2;
  const hidden = path.length - pathNamesMax;
  return [...path.slice(0, half), `${hidden} more`, ...path.slice(-half)].join(" > ");
}

export function field(label: string, text: string): string {
  const shown = text.trimEnd();
  return shown === "" ? `  ${label}`.trimEnd() : `  ${label.padEnd(11)} ${shown}`;
}

export function oneLine(value: string): string {
  const [first = "", ...rest] = value.split("\n");
  const shown = first.length > 100 ? `${first.slice(0, 97)}...` : first;
  return rest.length === 0 ? shown : `${shown} (and ${rest.length} more lines)`;
}
