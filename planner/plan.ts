/**
 * Planning: what a pipeline file means in a context. The whole way on one page:
 *
 *   text -> readSource -> YAML tree -> readPipeline -> checkLinks -> parameters, conditions, cells -> order -> Plan
 *
 * Promises: a pure function of its arguments (no clock, randomness, locale, environment variable or order of
 * keys gets in); either a plan or every mistake of the file, never both, never a thrown error for what a file says.
 */

import { failure, type Result, success } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type {
  Plan,
  PlanContext,
  PlannedEnvironment,
  PlannedStep,
  Scalar,
  StepAction,
} from "../protocol/plan.ts";
import { bytesCid, compareText, encodeValue, valueCid } from "../protocol/values.ts";
import { cellsOf, type StepCell } from "./cells.ts";
import { changeAnswers, type ChangeAnswer, type ChangedPaths, changesOf } from "./changes.ts";
import type { Condition, ConditionTypes, ConditionValues } from "./conditions.ts";
import { type Diagnostic, Mistakes } from "./diagnostics.ts";
import { decideInclusion, type Inclusion, type OwnInclusion } from "./inclusion.ts";
import { labelsOf } from "./labels.ts";
import { checkLinks } from "./links.ts";
import { matrixVariable } from "./matrix.ts";
import { orderOf } from "./order.ts";
import { resolveParameters } from "./parameters.ts";
import type { ActionDeclaration, ParameterType, PipelineFile, StepDeclaration } from "./pipeline.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import { readPipeline, zeroOf } from "./read.ts";
import { readSource } from "./source-text.ts";
import type { YamlNode } from "./yaml.ts";

export type PlanRequest = {
  /** The pipeline file; bytes are checked to be UTF-8. */
  readonly text: string | Uint8Array;
  /** The file's name in diagnostics and in the plan, relative to the repository. */
  readonly path: string;
  readonly context: PlanContext;
  /** Which paths changed; asked once at most, and only by a pipeline that says `changed(...)` or `paths`. */
  readonly changes?: () => Promise<ChangedPaths>;
  /** Where the text comes from when not from the file at `path`. */
  readonly origin?: Plan["origin"];
};

/**
 * Plans a pipeline, or says everything that is wrong with it, sorted by position.
 *
 * A promise only because the full YAML parser and the condition language are loaded when a file needs them, and
 * not before.
 */
export async function planPipeline(request: PlanRequest): Promise<Result<Plan, readonly Diagnostic[]>> {
  const mistakes = new Mistakes();
  const text = readSource(request.text, mistakes);
  if (mistakes.count === 0) {
    const tree = parsePlainYaml(text) ?? (await import("./yaml.ts")).parseYaml(text, mistakes);
    const plan = tree === null ? null : await planTree(mistakes, tree, request);
    if (plan !== null) return success(plan);
  }
  return failure(mistakes.diagnostics({ text, file: request.path }));
}

const nobodyLooked: ChangedPaths = { paths: null, because: "nobody looked" };

/** The plan of a parsed file; null when there were mistakes. */
async function planTree(mistakes: Mistakes, root: YamlNode, request: PlanRequest): Promise<Plan | null> {
  const file = readPipeline(root, mistakes);
  if (file === null) return null;
  checkLinks(mistakes, file);
  const parameters = resolveParameters(mistakes, file.parameters, request.context.parameters);
  const { conditions, asksForChanges } = await compileConditions(mistakes, file);
  if (mistakes.count > 0) return null;
  const cells = cellsOf(mistakes, file);
  if (cells === null) return null;
  const changed = asksForChanges ? await (request.changes?.() ?? nobodyLooked) : null;
  const { changes: _, ...given } = request.context;
  const context: PlanContext = {
    ...given,
    parameters: Object.fromEntries(parameters),
    ...(changed === null ? {} : { changes: changesOf(changed) }),
  };
  const answers = changeAnswers(changed ?? nobodyLooked);
  const steps = planSteps(mistakes, { file, cells, conditions, context, parameters, answers });
  if (steps === null) return null;
  const plan: Plan = {
    otto: 1,
    pipeline: file.name,
    origin: request.origin ?? { kind: "file", path: request.path },
    context,
    environments: planEnvironments(file),
    ...(file.triggers.length > 0 ? { triggers: file.triggers } : {}),
    steps,
  };
  return fitting(mistakes, plan, file);
}

/** Of plans that were made here: encoding them was needed to know whether they fit into a manifest. */
const knownIds = new WeakMap<Plan, string>();

/** The plan's id: the CID of its DAG-CBOR bytes, the one handle on it everywhere. */
export function planId(plan: Plan): string {
  return knownIds.get(plan) ?? valueCid(plan);
}

/** The plan, or null when it has more bytes than a manifest has room for. */
function fitting(mistakes: Mistakes, plan: Plan, file: PipelineFile): Plan | null {
  const bytes = encodeValue(plan);
  if (bytes.length <= limits.planBytesMax) {
    knownIds.set(plan, bytesCid(bytes));
    return plan;
  }
  let room = limits.planBytesMax - (bytes.length - encodeValue(plan.steps).length);
  const beyond = plan.steps.find((step) => (room -= encodeValue(step).length) < 0) ?? plan.steps.at(-1);
  const step = beyond === undefined ? undefined : file.steps.get(beyond.from);
  return step === undefined ? null : tooLarge(mistakes, step);
}

async function compileConditions(
  mistakes: Mistakes,
  file: PipelineFile,
): Promise<{ readonly conditions: ReadonlyMap<string, Condition>; readonly asksForChanges: boolean }> {
  const conditions = new Map<string, Condition>();
  const planned = [...file.steps.values()].filter((step) => step.matrix?.cells.length !== 0);
  const conditional = planned.filter((step) => step.condition !== null);
  const hasPaths = planned.some((step) => step.paths.length > 0);
  await checkPolls(mistakes, file);
  if (conditional.length === 0) return { conditions, asksForChanges: hasPaths };
  const { ConditionCompiler } = await import("./conditions.ts");
  const compiler = new ConditionCompiler(mistakes);
  const parameters = new Map([...file.parameters].map(([name, declared]) => [name, declared.type]));
  for (const step of conditional) {
    const types: ConditionTypes = { parameters, matrix: matrixTypes(step) };
    const condition = step.condition === null ? null : compiler.compile(step.condition, types);
    if (condition !== null) conditions.set(step.name, condition);
  }
  return { conditions, asksForChanges: hasPaths || compiler.asksForChanges };
}

/** What a poll asks of the answer is checked now, and evaluated by the peer that asks. */
async function checkPolls(mistakes: Mistakes, file: PipelineFile): Promise<void> {
  const asked = [...file.steps.values()].flatMap(({ action }) =>
    action.kind !== "wait" || action.poll === null ? [] : [action.poll.until, action.poll.fails],
  );
  if (asked.length === 0) return;
  const { responseCondition } = await import("./response-conditions.ts");
  const { placeIn } = await import("./conditions.ts");
  for (const condition of asked) {
    if (condition === null) continue;
    const compiled = responseCondition(condition.text);
    if (compiled.ok) continue;
    const { range, ...words } = compiled.problem;
    mistakes.add({ ...words, span: placeIn(condition, range) });
  }
}

/** One type for each axis; the matrix was checked to have no more. */
function matrixTypes(step: StepDeclaration): ReadonlyMap<string, ParameterType> | null {
  if (step.matrix === null) return null;
  const types = new Map<string, ParameterType>();
  for (const key of step.matrix.keys) {
    const value = step.matrix.cells.find((cell) => cell.has(key))?.get(key);
    types.set(key, typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "string");
  }
  return types;
}

type Planning = {
  readonly file: PipelineFile;
  readonly cells: readonly StepCell[];
  readonly conditions: ReadonlyMap<string, Condition>;
  readonly context: PlanContext;
  readonly parameters: ReadonlyMap<string, Scalar>;
  readonly answers: (patterns: readonly string[]) => ChangeAnswer;
};

function planSteps(mistakes: Mistakes, planning: Planning): readonly PlannedStep[] | null {
  const { cells, file } = planning;
  const byName = new Map(cells.map((cell) => [cell.name, cell]));
  const order = orderOf(new Map(cells.map((cell) => [cell.name, cell.needs.map((need) => need.step)])));
  const own = new Map<string, OwnInclusion>();
  for (const cell of cells) own.set(cell.name, ownInclusion(planning, cell));
  if (mistakes.count > 0 || !order.ok) return null;
  const needsOf = new Map(cells.map((cell) => [cell.name, cell.needs]));
  const inclusion = decideInclusion(order.value, own, needsOf);
  const environments = environmentVariables(file);
  const steps: PlannedStep[] = [];
  let characters = 0;
  for (const name of order.value) {
    const cell = byName.get(name);
    const decided = inclusion.get(name);
    if (cell === undefined || decided === undefined) continue;
    const step = planStep(mistakes, { cell, decided, environments });
    steps.push(step);
    characters += charactersOf(step);
    if (characters > limits.planBytesMax) return tooLarge(mistakes, cell.step);
  }
  return mistakes.count > 0 ? null : steps;
}

const answersShownMax = 3;

/** What the step's condition says, then its `paths`. */
function ownInclusion(planning: Planning, cell: StepCell): OwnInclusion {
  const { name: from, paths } = cell.step;
  const condition = conditionInclusion(planning, cell);
  if (paths.length === 0 || condition?.included === false) {
    return { ...(condition ?? { included: true, reason: "always" }), from };
  }
  const { holds, because } = planning.answers(paths.map(({ value }) => value));
  const reason = holds && condition !== null ? `${condition.reason}, and ${because}` : because;
  return { included: holds, reason, from };
}

function conditionInclusion(planning: Planning, { step, cell }: StepCell): Inclusion | null {
  const { conditions, context, parameters, answers } = planning;
  const condition = conditions.get(step.name);
  if (condition === undefined || step.condition === null) return null;
  const asked = new Set<string>();
  const matrix = new Map<string, Scalar>();
  for (const [key, type] of matrixTypes(step) ?? []) matrix.set(key, cell.get(key) ?? zeroOf(type));
  const values: ConditionValues = {
    git: { branch: context.branch ?? "", tag: context.tag ?? "", commit: context.commit ?? "" },
    trigger: context.trigger,
    environment: step.environment?.value ?? "",
    parameters,
    matrix,
    changed: (patterns) => {
      const { holds, because } = answers(patterns);
      asked.add(because);
      return holds;
    },
  };
  const included = condition(values) === true;
  const words = step.condition.text.trim().replace(/\s+/g, " ");
  const shown = words.length > 200 ? `${words.slice(0, 197).toWellFormed()}...` : words;
  const because = [...asked].slice(0, answersShownMax).join("; ");
  return { included, reason: `when ${shown} is ${included}${because === "" ? "" : `: ${because}`}` };
}

/** For each environment, and for none (""), what a step in it starts with: `env` of the file, then settings. */
function environmentVariables(
  file: PipelineFile,
): ReadonlyMap<string, readonly (readonly [string, string])[]> {
  const variables = new Map<string, readonly (readonly [string, string])[]>([["", [...file.variables]]]);
  for (const [name, environment] of file.environments) {
    variables.set(name, [...file.variables, ...environment.settings]);
  }
  return variables;
}

function planStep(
  mistakes: Mistakes,
  parts: {
    readonly cell: StepCell;
    readonly decided: { included: boolean; reason: string; needs: PlannedStep["needs"] };
    readonly environments: ReadonlyMap<string, readonly (readonly [string, string])[]>;
  },
): PlannedStep {
  const { cell, decided, environments } = parts;
  const { step } = cell;
  const environment = step.environment?.value ?? null;
  const needed = new Set(decided.needs.map((need) => need.step));
  const isWork = step.action.kind === "run" || step.action.kind === "uses";
  const effect = isWork && (environment !== null || step.effect);
  return {
    name: cell.name,
    from: step.name,
    cell: sortedRecord(cell.cell),
    included: decided.included,
    reason: decided.reason,
    commands: step.commands,
    needs: decided.needs,
    environment,
    variables: sortedRecord([
      ...(environments.get(environment ?? "") ?? []),
      ...step.variables,
      ...[...cell.cell].map(([key, value]) => [matrixVariable(key), String(value)] as const),
    ]),
    inputs: cell.inputs.filter((input) => needed.has(input.step)),
    outputs: step.outputs,
    timeoutMs: step.timeoutMs ?? defaultTimes[step.action.kind],
    retry: step.retry ?? defaultRetry(effect || !isWork),
    effect,
    labels: labelsOf(mistakes, step.labels, cell.cell),
    ...surroundingsOf(cell, needed),
  };
}

const defaultTimes: Readonly<Record<ActionDeclaration["kind"], number>> = {
  run: limits.timeoutMsDefault,
  uses: limits.timeoutMsDefault,
  approve: limits.approvalMsDefault,
  wait: limits.waitMsDefault,
  pipeline: limits.timeoutMsMax,
};

/** What most steps do not have: a field is there only when it says something. */
function surroundingsOf({ step, valueInputs }: StepCell, needed: ReadonlySet<string>): Partial<PlannedStep> {
  const taken = valueInputs.filter((input) => needed.has(input.step));
  const { action } = step;
  return {
    ...(action.kind === "approve" || action.kind === "wait" ? { action: plannedAction(action) } : {}),
    ...(step.outcomes.length > 0 ? { outcomes: step.outcomes } : {}),
    ...(step.values.length > 0 ? { values: step.values } : {}),
    ...(taken.length > 0 ? { valueInputs: taken } : {}),
    ...(step.caches.length > 0 ? { caches: step.caches } : {}),
    ...(step.credentials.length > 0 ? { credentials: step.credentials } : {}),
    ...(step.reports.length > 0 ? { reports: step.reports } : {}),
    ...(step.sandbox === null ? {} : { sandbox: step.sandbox }),
    ...(step.image === null ? {} : { image: step.image }),
  };
}

function plannedAction(action: Extract<ActionDeclaration, { kind: "approve" | "wait" }>): StepAction {
  if (action.kind === "approve" || action.poll === null) {
    return action.kind === "approve" ? action : { ...action, poll: null };
  }
  const { url, everyMs, until, fails } = action.poll;
  return { ...action, poll: { url, everyMs, until: until.text, fails: fails?.text ?? null } };
}

/** A worker that vanished in the middle of a deployment leaves it half done: a person decides, not a retry. */
function defaultRetry(effect: boolean): PlannedStep["retry"] {
  return effect ? { attemptsMax: 1, on: [] } : { attemptsMax: limits.lostAttemptsMaxDefault, on: ["lost"] };
}

function planEnvironments(file: PipelineFile): Readonly<Record<string, PlannedEnvironment>> {
  return sortedRecord(
    [...file.environments].map(
      ([name, { domain, settings, lock }]) =>
        [
          name,
          { domain, settings: sortedRecord(settings), ...(lock ? { lock: true as const } : {}) },
        ] as const,
    ),
  );
}

/** A record whose keys are in the order of code units; of equal keys the last one counts. */
function sortedRecord<Value>(entries: Iterable<readonly [string, Value]>): Record<string, Value> {
  const last = new Map(entries);
  if (last.size < 2) return Object.fromEntries(last);
  return Object.fromEntries([...last].sort(([left], [right]) => compareText(left, right)));
}

/** The step has more bytes than this: aliases and matrices repeat texts that the file has once. */
function charactersOf(step: PlannedStep): number {
  let count = step.name.length + step.reason.length;
  for (const command of step.commands) count += command.length;
  for (const [name, value] of Object.entries(step.variables)) count += name.length + value.length;
  for (const need of step.needs) count += need.step.length;
  for (const input of step.inputs) count += input.name.length + input.step.length + input.output.length;
  for (const output of step.outputs) for (const pattern of output.files) count += pattern.length;
  return count;
}

function tooLarge(mistakes: Mistakes, step: StepDeclaration): null {
  mistakes.add({
    code: "pipeline/over-limit",
    message: "with this step the plan has more text than a manifest can hold",
    help: "move long commands into scripts of the repository",
    span: step.span,
  });
  return null;
}
