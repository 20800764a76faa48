/**
 * A plan that arrives from somebody else, checked before anything believes its shape.
 *
 * Promises: strict (no key more, none less), within `limits`, names unique, every step after everything it needs
 * (so there is no cycle), inputs come from outputs that exist, patterns stay in the workspace. Linear in the
 * size of the plan; written by hand because every peer pays for it at every submission.
 *
 * Each function answers what is wrong first, or null: `a(x) ?? b(x)` asks `b` only if `a` found nothing.
 */

import {
  choiceProblem,
  fieldsOf,
  type Fields,
  isCarried,
  isCount,
  isName,
  isScalar,
  isText,
  isTextOrNull,
  keysProblem,
  listProblem,
  type Problem,
  quoted,
  recordProblem,
  textCharactersMax,
  when,
} from "./checks.ts";
import { failure, type Result, success } from "./errors.ts";
import { limits } from "./limits.ts";
import {
  cellName,
  isCellValue,
  isIdentifier,
  isOutputName,
  isPlainName,
  isRequirement,
  isSafePattern,
  isStepName,
} from "./names.ts";
import { extrasProblem, stepExtras, triggersProblem, usesProblem } from "./plan-check-extras.ts";
import {
  outcomes as allOutcomes,
  type Plan,
  type PlannedStep,
  type PlannedUse,
  type Scalar,
} from "./plan.ts";

const retryCauses = ["lost", "timed-out", "failed"];
/** One that is normal is not said. */
const unusualPriorities: readonly unknown[] = [undefined, "high", "low"];

export function parsePlan(value: unknown): Result<Plan, string> {
  const problem = planProblem(value);
  return problem === null ? success(value as Plan) : failure(problem);
}

function planProblem(value: unknown): Problem {
  const plan = fieldsOf(value);
  if (plan === null) return "not a plan";
  return (
    keysProblem(
      plan,
      "plan",
      ["otto", "pipeline", "origin", "context", "environments", "steps"],
      ["priority", "uses", "triggers"],
    ) ??
    when(plan["otto"] !== 1, "otto: not version 1") ??
    when(!isName(plan["pipeline"], isPlainName), "pipeline: not a name") ??
    when(!unusualPriorities.includes(plan["priority"]), "priority: not high and not low") ??
    originProblem(plan["origin"]) ??
    contextProblem(plan["context"]) ??
    environmentsProblem(plan["environments"]) ??
    (plan["uses"] === undefined ? null : usesProblem(plan["uses"])) ??
    (plan["triggers"] === undefined ? null : triggersProblem(plan["triggers"])) ??
    stepsProblem(plan["steps"], plan["environments"] as Fields, (plan["uses"] ?? []) as readonly PlannedUse[])
  );
}

function originProblem(value: unknown): Problem {
  const origin = fieldsOf(value);
  if (origin?.["kind"] === "file") {
    return (
      keysProblem(origin, "origin", ["kind", "path"]) ??
      when(!isText(origin["path"], textCharactersMax), "origin.path: not a path")
    );
  }
  if (origin?.["kind"] !== "conventions") return "origin: not a file and not conventions";
  return (
    keysProblem(origin, "origin", ["kind", "version", "found"]) ??
    when(!isCount(origin["version"], 1, Number.MAX_SAFE_INTEGER), "origin.version: not a version") ??
    listProblem(origin["found"], "origin.found", 1_000, (found) =>
      when(!isText(found, textCharactersMax), "not a text"),
    )
  );
}

function contextProblem(value: unknown): Problem {
  const context = fieldsOf(value);
  if (context === null) return "context: not a map";
  return (
    keysProblem(context, "context", ["branch", "tag", "commit", "trigger", "parameters"], ["changes"]) ??
    (context["changes"] === undefined ? null : changesProblem(context["changes"])) ??
    when(!isTextOrNull(context["branch"]), "context.branch: not a text") ??
    when(!isTextOrNull(context["tag"]), "context.tag: not a text") ??
    when(!isTextOrNull(context["commit"]), "context.commit: not a text") ??
    when(!isText(context["trigger"], limits.nameCharactersMax), "context.trigger: not a text") ??
    recordProblem(context["parameters"], "context.parameters", {
      isKey: isIdentifier,
      isValue: isScalar,
      countMax: limits.entriesPerStepMax,
    })
  );
}

function changesProblem(value: unknown): Problem {
  const changes = fieldsOf(value);
  if (changes === null) return "context.changes: not a map";
  if (changes["base"] === null) {
    return (
      keysProblem(changes, "context.changes", ["base", "because"]) ??
      when(!isText(changes["because"], textCharactersMax), "context.changes.because: not a text")
    );
  }
  return (
    keysProblem(changes, "context.changes", ["base", "because", "count", "digest"]) ??
    when(!isText(changes["base"], textCharactersMax), "context.changes.base: not a text") ??
    when(!isText(changes["because"], textCharactersMax), "context.changes.because: not a text") ??
    when(!isCount(changes["count"], 0, Number.MAX_SAFE_INTEGER), "context.changes.count: not a count") ??
    when(
      !isName(changes["digest"], (text) => /^[0-9a-f]{64}$/.test(text)),
      "context.changes.digest: not a digest",
    )
  );
}

function environmentsProblem(value: unknown): Problem {
  const environments = fieldsOf(value);
  if (environments === null) return "environments: not a map";
  for (const name of Object.keys(environments)) {
    const place = `environments.${quoted(name)}`;
    const environment = fieldsOf(environments[name]);
    if (environment === null || !isPlainName(name)) return `${place}: not an environment`;
    const problem =
      keysProblem(environment, place, ["domain", "settings"], ["lock"]) ??
      when(environment["lock"] !== undefined && environment["lock"] !== true, `${place}.lock: not true`) ??
      when(
        environment["domain"] !== null && !isName(environment["domain"], isPlainName),
        `${place}.domain: not a name`,
      ) ??
      variablesProblem(environment["settings"], `${place}.settings`);
    if (problem !== null) return problem;
  }
  return null;
}

function stepsProblem(value: unknown, environments: Fields, uses: readonly PlannedUse[]): Problem {
  if (!Array.isArray(value) || value.length === 0) return "steps: not a list of steps";
  if (value.length > limits.stepsPerPlanMax) return `steps: more than ${limits.stepsPerPlanMax}`;
  const earlier = new Map<string, PlannedStep>();
  const libraries = new Set(uses.filter(({ kind }) => kind === "library").map(({ name }) => name));
  let needs = 0;
  for (const [index, entry] of (value as unknown[]).entries()) {
    const fields = fieldsOf(entry);
    if (fields === null) return `steps[${index}]: not a step`;
    const place = `steps[${index}]`;
    const problem = shapeProblem(fields, place);
    if (problem !== null) return problem;
    const step = fields as unknown as PlannedStep;
    const linked = linksProblem(step, place, { earlier, environments, libraries });
    if (linked !== null) return linked;
    needs += step.needs.length;
    if (needs > limits.needsPerPlanMax) return `steps: more than ${limits.needsPerPlanMax} needs`;
    earlier.set(step.name, step);
  }
  return null;
}

const stepKeys = [
  "name",
  "from",
  "cell",
  "included",
  "reason",
  "commands",
  "needs",
  "environment",
  "variables",
  "inputs",
  "outputs",
  "timeoutMs",
  "retry",
  "effect",
  "labels",
];

/** The shape of one step by itself. */
function shapeProblem(step: Fields, place: string): Problem {
  const { commandsPerStepMax, entriesPerStepMax, stepsPerPlanMax } = limits;
  return (
    keysProblem(step, place, stepKeys, stepExtras) ??
    when(!isName(step["from"], isStepName), `${place}.from: not a name`) ??
    cellProblem(step, place) ??
    when(typeof step["included"] !== "boolean", `${place}.included: not a boolean`) ??
    when(!isText(step["reason"], textCharactersMax), `${place}.reason: not a text`) ??
    listProblem(step["commands"], `${place}.commands`, commandsPerStepMax, (command) =>
      when(!isCarried(command) || command.trim() === "", "not a command"),
    ) ??
    when(
      ((step["commands"] as unknown[]).length === 0) === (step["action"] === undefined),
      `${place}: neither commands nor an action, or both`,
    ) ??
    listProblem(step["needs"], `${place}.needs`, stepsPerPlanMax, needProblem) ??
    when(
      step["environment"] !== null && !isName(step["environment"], isPlainName),
      `${place}.environment: not a name`,
    ) ??
    variablesProblem(step["variables"], `${place}.variables`) ??
    listProblem(step["inputs"], `${place}.inputs`, stepsPerPlanMax, inputProblem) ??
    listProblem(step["outputs"], `${place}.outputs`, entriesPerStepMax, outputProblem) ??
    when(!isCount(step["timeoutMs"], 1, limits.timeoutMsMax), `${place}.timeoutMs: out of bounds`) ??
    retryProblem(step["retry"], `${place}.retry`) ??
    when(typeof step["effect"] !== "boolean", `${place}.effect: not a boolean`) ??
    listProblem(step["labels"], `${place}.labels`, entriesPerStepMax, (label) =>
      when(typeof label !== "string" || !isRequirement(label), "not a label"),
    ) ??
    extrasProblem(step, place)
  );
}

function cellProblem(step: Fields, place: string): Problem {
  const problem = recordProblem(step["cell"], `${place}.cell`, {
    isKey: isIdentifier,
    isValue: (value) => isScalar(value) && isCellValue(value),
    countMax: limits.entriesPerStepMax,
  });
  if (problem !== null) return problem;
  const name = cellName(String(step["from"]), Object.entries(step["cell"] as Record<string, Scalar>));
  return (
    when(step["name"] !== name, `${place}.name: not ${quoted(name)}`) ??
    when(name.length > limits.cellNameCharactersMax, `${place}.name: too long`)
  );
}

function needProblem(value: unknown): Problem {
  const need = fieldsOf(value);
  if (need === null) return "not a need";
  return (
    keysProblem(need, "need", ["step", "outcomes"]) ??
    when(typeof need["step"] !== "string", "step: not a name") ??
    needOutcomesProblem(need["outcomes"]) ??
    when((need["outcomes"] as unknown[]).length === 0, "outcomes: empty")
  );
}

/** The usual outcomes in their order, then others by code unit: a set has one way to be written. */
function needOutcomesProblem(value: unknown): Problem {
  if (!Array.isArray(value)) return "outcomes: not a list";
  const usual: readonly unknown[] = allOutcomes;
  const own = (value as unknown[]).filter((outcome) => !usual.includes(outcome));
  if (!own.every((outcome) => isName(outcome, isPlainName))) return "outcomes: not a name";
  const isSorted = own.every((outcome, index) => index === 0 || String(own[index - 1]) < String(outcome));
  const isLast = own.every((outcome, index) => value[value.length - own.length + index] === outcome);
  if (!isSorted || !isLast) return "outcomes: not in order";
  return choiceProblem(value.slice(0, value.length - own.length), allOutcomes);
}

function inputProblem(value: unknown): Problem {
  const input = fieldsOf(value);
  if (input === null) return "not an input";
  return (
    keysProblem(input, "input", ["name", "step", "output"]) ??
    when(!isName(input["name"], isOutputName), "name: not a name") ??
    when(typeof input["step"] !== "string", "step: not a name") ??
    when(!isName(input["output"], isOutputName), "output: not a name")
  );
}

function outputProblem(value: unknown): Problem {
  const output = fieldsOf(value);
  if (output === null) return "not an output";
  return (
    keysProblem(output, "output", ["name", "files"]) ??
    when(!isName(output["name"], isOutputName), "name: not a name") ??
    listProblem(output["files"], "files", limits.entriesPerStepMax, (pattern) =>
      when(!isText(pattern, textCharactersMax) || !isSafePattern(pattern), "not a safe pattern"),
    ) ??
    when((output["files"] as unknown[]).length === 0, "files: empty")
  );
}

function retryProblem(value: unknown, place: string): Problem {
  const retry = fieldsOf(value);
  if (retry === null) return `${place}: not a map`;
  const on = choiceProblem(retry["on"], retryCauses);
  return (
    keysProblem(retry, place, ["attemptsMax", "on"]) ??
    when(!isCount(retry["attemptsMax"], 1, limits.attemptsMax), `${place}.attemptsMax: out of bounds`) ??
    (on === null ? null : `${place}.on: ${on}`)
  );
}

/** What a step says about others. Only earlier steps count as known: that is what forbids cycles. */
function linksProblem(
  step: PlannedStep,
  place: string,
  plan: {
    readonly earlier: ReadonlyMap<string, PlannedStep>;
    readonly environments: Fields;
    readonly libraries: ReadonlySet<string>;
  },
): Problem {
  if (plan.earlier.has(step.name)) return `${place}.name: ${quoted(step.name)} is there twice`;
  if (step.environment !== null) {
    if (!Object.hasOwn(plan.environments, step.environment)) return `${place}.environment: not declared`;
    if (!step.effect) return `${place}.effect: false in an environment`;
    const { lock } = plan.environments[step.environment] as { readonly lock?: true };
    if (lock === true && step.lock !== undefined) return `${place}.lock: its environment has one`;
  }
  const passed = new Set<string>();
  const needed = new Set<string>();
  for (const need of step.needs) {
    const other = plan.earlier.get(need.step);
    if (other === undefined) return `${place}.needs: ${quoted(need.step)} is no earlier step`;
    if (needed.has(need.step)) return `${place}.needs: ${quoted(need.step)} is there twice`;
    needed.add(need.step);
    const own = need.outcomes.find(
      (outcome) => !isUsual(outcome) && other.outcomes?.includes(outcome) !== true,
    );
    if (own !== undefined) return `${place}.needs: ${quoted(need.step)} cannot end as ${quoted(own)}`;
    if (need.outcomes.includes("passed")) passed.add(need.step);
    if (step.included && !other.included && !need.outcomes.includes("skipped")) {
      return `${place}: included, and needs ${quoted(need.step)}, which is left out`;
    }
  }
  for (const input of step.inputs) {
    if (!passed.has(input.step)) return `${place}.inputs: ${quoted(input.step)} need not have passed`;
    const outputs = plan.earlier.get(input.step)?.outputs ?? [];
    if (!outputs.some((output) => output.name === input.output)) {
      return `${place}.inputs: ${quoted(input.step)} has no output ${quoted(input.output)}`;
    }
  }
  for (const input of step.valueInputs ?? []) {
    if (!passed.has(input.step)) return `${place}.valueInputs: ${quoted(input.step)} need not have passed`;
    const values = plan.earlier.get(input.step)?.values ?? [];
    if (!values.some(({ name }) => name === input.value))
      return `${place}.valueInputs: ${quoted(input.step)} has no value ${quoted(input.value)}`;
  }
  if (step.action?.kind === "uses" && !plan.libraries.has(step.action.library))
    return `${place}.action: the library ${quoted(step.action.library)} is not pinned`;
  if (step.action?.kind === "pipeline")
    for (const member of step.action.members)
      if (!needed.has(member)) return `${place}.action: ${quoted(member)} is not needed`;
  const names = new Set(step.outputs.map((output) => output.name));
  return when(names.size < step.outputs.length, `${place}.outputs: a name is there twice`);
}

function isUsual(outcome: string): boolean {
  return allOutcomes.some((usual) => usual === outcome);
}

function variablesProblem(value: unknown, place: string): Problem {
  return recordProblem(value, place, {
    isKey: (name) => isIdentifier(name) || isLongVariable(name),
    isValue: isCarried,
    // The file's own, the environment's, the step's, the parameters and those of the matrix.
    countMax: 5 * limits.entriesPerStepMax,
  });
}

/** Longer than other names may be: a prefix and the name of an axis or of a parameter. */
function isLongVariable(name: string): boolean {
  const prefix = ["OTTO_MATRIX_", "OTTO_PARAMETER_"].find((known) => name.startsWith(known));
  return prefix !== undefined && isIdentifier(name.slice(prefix.length));
}
