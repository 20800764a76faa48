/**
 * Planning: what a pipeline file means in a context. The whole way on one page:
 *
 *   text, imports -> Modules: readSource -> YAML tree -> readPipeline -> checkLinks
 *     -> parameters, conditions -> nestSteps -> cells -> order -> Plan
 *
 * Promises: a pure function of its arguments (no clock, randomness, locale, environment variable or order of
 * keys gets in); either a plan or every mistake of the file, never both, never a thrown error for what a file says.
 */

import { assert, failure, type Result, success } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type {
  Plan,
  PlanContext,
  PlannedEnvironment,
  PlannedStep,
  Priority,
  StepAction,
} from "../protocol/plan.ts";
import { bytesCid, compareText, encodeValue, valueCid } from "../protocol/values.ts";
import { cellsOf, type StepCell } from "./cells.ts";
import { changeAnswers, type ChangedPaths, changesOf } from "./changes.ts";
import { compileConditions } from "./compile.ts";
import type { Condition } from "./conditions.ts";
import type { Diagnostic } from "./diagnostics.ts";
import { valuesOf } from "./given.ts";
import type { Imports } from "./imports.ts";
import { decideInclusion, type OwnInclusion } from "./inclusion.ts";
import { labelsOf } from "./labels.ts";
import { matrixVariable } from "./matrix.ts";
import { type Module, Modules } from "./modules.ts";
import { nestSteps, type Scope, scopesOf } from "./nesting.ts";
import { orderOf } from "./order.ts";
import { type Asked, inclusionOf } from "./own-inclusion.ts";
import { resolveParameters } from "./parameters.ts";
import type { ActionDeclaration, EnvironmentDeclaration } from "./pipeline.ts";
import { plannedUses } from "./planned-uses.ts";
import { parameterVariable } from "./read.ts";

export type PlanRequest = {
  /** The pipeline file; bytes are checked to be UTF-8. */
  readonly text: string | Uint8Array;
  /** The file's name in diagnostics and in the plan, relative to the repository. */
  readonly path: string;
  readonly context: PlanContext;
  /** Which paths changed; asked once at most, and only by a pipeline that says `changed(...)` or `paths`. */
  readonly changes?: () => Promise<ChangedPaths>;
  /** Templates and step libraries that it uses; see `planner/imports.ts`. */
  readonly imports?: Imports;
  /** Digests of images that steps name without one, as a lock file pins them. */
  readonly images?: ReadonlyMap<string, string>;
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
  const modules = new Modules(request.imports ?? new Map());
  const root = await modules.readRoot(request.text, request.path);
  const plan = root === null ? null : await planModules(modules, root, request);
  return plan === null ? failure(modules.diagnostics()) : success(plan);
}

const nobodyLooked: ChangedPaths = { paths: null, because: "nobody looked" };

/** The plan of files that were read; null when there were mistakes. */
async function planModules(modules: Modules, root: Module, request: PlanRequest): Promise<Plan | null> {
  const { file, mistakes } = root;
  const parameters = resolveParameters(mistakes, file.parameters, request.context.parameters);
  const conditions = new Map<Module, ReadonlyMap<string, Condition>>();
  let asksForChanges = false;
  for (const module of modules.read) {
    const compiled = await compileConditions(module.mistakes, module.file);
    conditions.set(module, compiled.conditions);
    asksForChanges ||= compiled.asksForChanges;
  }
  if (modules.mistakeCount > 0) return null;
  const scoped = nestSteps(root, parameters);
  const cells = scoped === null || modules.mistakeCount > 0 ? null : cellsOf(scoped);
  if (scoped === null || cells === null) return null;
  const changed = asksForChanges ? await (request.changes?.() ?? nobodyLooked) : null;
  const { changes: _, ...given } = request.context;
  const context: PlanContext = {
    ...given,
    parameters: Object.fromEntries(parameters),
    ...(changed === null ? {} : { changes: changesOf(changed) }),
  };
  const answers = changeAnswers(changed ?? nobodyLooked);
  const environments = environmentsOf(scopesOf(scoped));
  const uses = plannedUses(modules, file);
  const asked = { cells, conditions, context, environments, answers, uses: uses.names };
  const steps = planSteps(modules, asked);
  if (steps === null) return null;
  const plan: Plan = {
    otto: 1,
    pipeline: file.name,
    ...(file.priority === "normal" ? {} : { priority: file.priority }),
    origin: request.origin ?? { kind: "file", path: request.path },
    context,
    environments: planEnvironments(environments),
    ...(uses.list.length > 0 ? { uses: uses.list } : {}),
    ...(file.triggers.length > 0 ? { triggers: file.triggers } : {}),
    steps: request.images === undefined ? steps : steps.map(pinning(request.images)),
  };
  return fitting(plan, cells);
}

/** The same plan under a priority that somebody asks for in place of the file's: another plan, with an id of its own. */
export function withPriority(plan: Plan, asked: Priority): Plan {
  if (asked !== "normal") return { ...plan, priority: asked };
  const { priority: _written, ...rest } = plan;
  return rest;
}

/** Of plans that were made here: encoding them was needed to know whether they fit into a manifest. */
const knownIds = new WeakMap<Plan, string>();

/** The plan's id: the CID of its DAG-CBOR bytes, the one handle on it everywhere. */
export function planId(plan: Plan): string {
  return knownIds.get(plan) ?? valueCid(plan);
}

/** The plan, or null when it has more bytes than a manifest has room for. */
function fitting(plan: Plan, cells: readonly StepCell[]): Plan | null {
  const bytes = encodeValue(plan);
  if (bytes.length <= limits.planBytesMax) {
    knownIds.set(plan, bytesCid(bytes));
    return plan;
  }
  let room = limits.planBytesMax - (bytes.length - encodeValue(plan.steps).length);
  const beyond = plan.steps.find((step) => (room -= encodeValue(step).length) < 0) ?? plan.steps.at(-1);
  const cell = cells.find(({ name }) => name === beyond?.name);
  assert(cell !== undefined, "a plan has the cells that it was made of");
  return tooLarge(cell);
}

type Planning = Asked & {
  readonly cells: readonly StepCell[];
  readonly environments: ReadonlyMap<string, EnvironmentDeclaration>;
  /** What the plan calls each import, by the import's id. */
  readonly uses: ReadonlyMap<string, string>;
};

function planSteps(modules: Modules, planning: Planning): readonly PlannedStep[] | null {
  const { cells } = planning;
  const byName = new Map(cells.map((cell) => [cell.name, cell]));
  const order = orderOf(new Map(cells.map((cell) => [cell.name, cell.needs.map((need) => need.step)])));
  const own = new Map<string, OwnInclusion>();
  for (const cell of cells) own.set(cell.name, inclusionOf(planning, cell, byName));
  if (modules.mistakeCount > 0 || !order.ok) return null;
  const needsOf = new Map(cells.map((cell) => [cell.name, cell.needs]));
  const inclusion = decideInclusion(order.value, own, needsOf);
  const variables = new Map<Scope, ScopeVariables>();
  const steps: PlannedStep[] = [];
  let characters = 0;
  for (const name of order.value) {
    const cell = byName.get(name);
    const decided = inclusion.get(name);
    if (cell === undefined || decided === undefined) continue;
    const { scope } = cell;
    const given = variables.get(scope) ?? scopeVariables(scope, planning.environments);
    variables.set(scope, given);
    const step = planStep({ cell, decided, variables: given, uses: planning.uses });
    steps.push(step);
    characters += charactersOf(step);
    if (characters > limits.planBytesMax) return tooLarge(cell);
  }
  return modules.mistakeCount > 0 ? null : steps;
}

type Variables = readonly (readonly [string, string])[];

/** What the steps of a scope have: for each environment, and for none (""), and its parameters. */
type ScopeVariables = {
  readonly byEnvironment: ReadonlyMap<string, Variables>;
  readonly parameters: Variables;
};

/** A step in an environment starts with `env` of its file, then the settings. */
function scopeVariables(
  { module, parameters }: Scope,
  environments: ReadonlyMap<string, EnvironmentDeclaration>,
): ScopeVariables {
  const own = [...module.file.variables];
  const byEnvironment = new Map<string, Variables>([["", own]]);
  for (const name of module.file.environments.keys()) {
    byEnvironment.set(name, [...own, ...(environments.get(name)?.settings ?? [])]);
  }
  return {
    byEnvironment,
    parameters: [...parameters].map(([name, value]) => [parameterVariable(name), String(value)] as const),
  };
}

function planStep(parts: {
  readonly cell: StepCell;
  readonly decided: { included: boolean; reason: string; needs: PlannedStep["needs"] };
  readonly variables: ScopeVariables;
  readonly uses: ReadonlyMap<string, string>;
}): PlannedStep {
  const { cell, decided, variables } = parts;
  const { step, scope } = cell;
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
      ...(variables.byEnvironment.get(environment ?? "") ?? []),
      ...step.variables,
      ...(isWork ? variables.parameters : []),
      ...[...cell.cell].map(([key, value]) => [matrixVariable(key), String(value)] as const),
    ]),
    inputs: cell.inputs.filter((input) => needed.has(input.step)),
    outputs: step.outputs,
    timeoutMs: step.timeoutMs ?? defaultTimes[step.action.kind],
    retry: step.retry ?? defaultRetry(effect || !isWork),
    effect,
    labels: labelsOf(scope.module.mistakes, step.labels, cell.cell),
    ...surroundingsOf(cell, needed),
    ...actionOf(cell, parts.uses),
  };
}

const defaultTimes: Readonly<Record<ActionDeclaration["kind"], number>> = {
  run: limits.timeoutMsDefault,
  uses: limits.timeoutMsDefault,
  approve: limits.approvalMsDefault,
  wait: limits.waitMsDefault,
  pipeline: limits.timeoutMsMax,
};

/** An image that is named without a digest gets the one that is pinned for that name. */
function pinning(images: ReadonlyMap<string, string>): (step: PlannedStep) => PlannedStep {
  return (step) => {
    const digest = step.image === undefined ? undefined : images.get(step.image.name);
    if (step.image === undefined || digest === undefined) return step;
    return { ...step, image: { ...step.image, name: `${step.image.name}@${digest}` } };
  };
}

/** What most steps do not have: a field is there only when it says something. */
function surroundingsOf({ step, valueInputs }: StepCell, needed: ReadonlySet<string>): Partial<PlannedStep> {
  const taken = valueInputs.filter((input) => needed.has(input.step));
  return {
    ...(step.lock === null ? {} : { lock: step.lock.value }),
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

/** What does the step's work, when no commands do. */
function actionOf(cell: StepCell, uses: ReadonlyMap<string, string>): { readonly action?: StepAction } {
  const { action } = cell.step;
  switch (action.kind) {
    case "run":
      return {};
    case "approve":
      return { action };
    case "wait": {
      if (action.poll === null) return { action: { ...action, poll: null } };
      const { url, everyMs, until, fails } = action.poll;
      const poll = { url, everyMs, until: until.text, fails: fails?.text ?? null };
      return { action: { ...action, poll } };
    }
    case "pipeline":
      return { action: { kind: "pipeline", members: cell.members } };
    case "uses": {
      const { library, scope } = cell;
      assert(library !== null, "a step that uses a library has it");
      const taker = { declared: library.library.parameters, given: action.given };
      const values = valuesOf(scope.module.mistakes, taker, {
        parameters: scope.parameters,
        cell: cell.cell,
      });
      const name = uses.get(library.from.id) ?? library.from.source;
      return { action: { kind: "uses", library: name, with: sortedRecord(values) } };
    }
  }
}

/** A worker that vanished in the middle of a deployment leaves it half done: a person decides, not a retry. */
function defaultRetry(effect: boolean): PlannedStep["retry"] {
  return effect ? { attemptsMax: 1, on: [] } : { attemptsMax: limits.lostAttemptsMaxDefault, on: ["lost"] };
}

/** What the pipeline describes counts; a nested one adds what nobody outside of it described. */
function environmentsOf(scopes: readonly Scope[]): ReadonlyMap<string, EnvironmentDeclaration> {
  const environments = new Map<string, EnvironmentDeclaration>();
  for (const { module } of scopes)
    for (const [name, declared] of module.file.environments)
      if (!environments.has(name)) environments.set(name, declared);
  return environments;
}

function planEnvironments(
  environments: ReadonlyMap<string, EnvironmentDeclaration>,
): Readonly<Record<string, PlannedEnvironment>> {
  return sortedRecord(
    [...environments].map(
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

function tooLarge({ step, scope }: StepCell): null {
  scope.module.mistakes.add({
    code: "pipeline/over-limit",
    message: "with this step the plan has more text than a manifest can hold",
    help: "move long commands into scripts of the repository",
    span: step.span,
  });
  return null;
}
