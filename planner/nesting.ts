/**
 * Pipelines inside of pipelines become one: the step `deploy` that nests a template becomes the template's steps
 * `deploy/build`, `deploy/test` and a step `deploy` that ends when they have.
 *
 *   build --> deploy/build --> deploy/test --> deploy --> announce
 *
 * A step of the template starts only when what `deploy` needs is as it should be: those that wait for nothing else
 * inside get the needs of `deploy`, and the others follow from them. Notifications are nested in the same way: one
 * step that ends when all others have, and one a notification that needs it.
 */

import { limits } from "../protocol/limits.ts";
import { isStepName } from "../protocol/names.ts";
import { outcomes as usualOutcomes, type Scalar } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { valuesOf } from "./given.ts";
import { type Module, notifyName, type UsedLibrary, type UsedNotification } from "./modules.ts";
import type { NeedDeclaration, StepDeclaration } from "./pipeline.ts";

/** One use of a file: its parameters have values, and its steps a name in the plan. */
export type Scope = {
  readonly module: Module;
  readonly parameters: ReadonlyMap<string, Scalar>;
  /** The step that nests it; null for the pipeline itself. */
  readonly outer: string | null;
};

export type ScopedStep = {
  /** With its name in the plan, and those of the steps that it names. */
  readonly step: StepDeclaration;
  /** As its file calls it. */
  readonly localName: string;
  readonly scope: Scope;
  /** Of a step that nests others: those directly below it. */
  readonly members: readonly string[];
  readonly library: UsedLibrary | null;
};

/** Every step by its name in the plan; null after saying that there are too many, or too deep. */
export function nestSteps(
  root: Module,
  parameters: ReadonlyMap<string, Scalar>,
): ReadonlyMap<string, ScopedStep> | null {
  const steps = new Map<string, ScopedStep>();
  const scope: Scope = { module: root, parameters, outer: null };
  if (!addSteps(steps, scope, [])) return null;
  if (root.notifications.length > 0) addNotifications(steps, scope);
  return steps;
}

/** @param inherited the needs of the step that nests these. */
function addSteps(
  steps: Map<string, ScopedStep>,
  scope: Scope,
  inherited: readonly NeedDeclaration[],
): boolean {
  const { module, outer } = scope;
  const full = (name: string): string => (outer === null ? name : `${outer}/${name}`);
  for (const local of module.file.steps.values()) {
    if (steps.size >= limits.stepsPerPlanMax)
      return beyond(scope, local, `the plan has more than ${limits.stepsPerPlanMax} steps`);
    const name = full(local.name);
    if (name.length > limits.cellNameCharactersMax)
      return beyond(scope, local, `a step's name has more than ${limits.cellNameCharactersMax} characters`);
    const step = outer === null ? local : inside(local, full, inherited);
    const inner = module.nested.get(local.name);
    const library = module.libraries.get(local.name) ?? null;
    if (inner === undefined || local.action.kind !== "pipeline") {
      steps.set(name, { step, localName: local.name, scope, members: [], library });
      continue;
    }
    if (!isStepName(`${name}/x`)) {
      return beyond(scope, local, `pipelines are nested more than ${limits.pipelinesNestedMax} deep`);
    }
    const taker = { declared: inner.file.parameters, given: local.action.given };
    const known = { parameters: scope.parameters, cell: new Map<string, Scalar>() };
    const parameters = valuesOf(module.mistakes, taker, known);
    const members = [...inner.file.steps.keys()].map((member) => `${name}/${member}`);
    // Its place is kept before the members have theirs: only its needs say that it ends after them.
    const group: ScopedStep = { step, localName: local.name, scope, members, library: null };
    steps.set(name, group);
    if (!addSteps(steps, { module: inner, parameters, outer: name }, step.needs)) return false;
    steps.set(name, { ...group, step: withMembers(step, members, steps) });
  }
  return true;
}

function beyond({ module }: Scope, { span }: StepDeclaration, what: string): false {
  const help = "nest fewer pipelines, or split the pipeline";
  module.mistakes.add({ code: "pipeline/over-limit", message: `with this step ${what}`, help, span });
  return false;
}

/** The step as the plan has it: with full names, and with the needs of what nests it unless others see to that. */
function inside(
  local: StepDeclaration,
  full: (name: string) => string,
  inherited: readonly NeedDeclaration[],
): StepDeclaration {
  const needs = local.needs.map((need) => ({ ...need, step: full(need.step) }));
  const inputs = local.inputs.map((input) => ({ ...input, step: full(input.step) }));
  // What was not started ends as skipped. Whoever needs anything else of it is not started either.
  const waits = inputs.length > 0 || needs.some(({ outcomes }) => !outcomes.includes("skipped"));
  return { ...local, name: full(local.name), inputs, needs: waits ? needs : [...needs, ...inherited] };
}

/** A step that ends when others have, however they did. */
function withMembers(
  step: StepDeclaration,
  members: readonly string[],
  steps: ReadonlyMap<string, ScopedStep>,
): StepDeclaration {
  const needs = members.map((member): NeedDeclaration => {
    const own = steps.get(member)?.step.outcomes ?? [];
    return { step: member, outcomes: [...usualOutcomes, ...own], own: [], span: step.span };
  });
  return { ...step, needs: [...step.needs, ...needs] };
}

/** `recovered` is an outcome of its own of the step that stands for the run: it passed, and the run before did not. */
function addNotifications(steps: Map<string, ScopedStep>, scope: Scope): void {
  const { notifications } = scope.module;
  const members = [...scope.module.file.steps.keys()];
  const asksRecovered = notifications.some(({ declared }) => declared.on.includes("recovered"));
  const span = notifications[0]?.declared.library.span ?? { start: 0, end: 0 };
  const template = { value: "", span };
  const whole: StepDeclaration = {
    ...nothing,
    name: notifyName,
    span,
    action: { kind: "pipeline", template, given: [] },
    outcomes: asksRecovered ? ["recovered"] : [],
  };
  const step = withMembers(whole, members, steps);
  steps.set(notifyName, { step, localName: notifyName, scope, members, library: null });
  for (const [index, used] of notifications.entries()) {
    const { on, library, given } = used.declared;
    for (const outcome of on) {
      const name = nameFor(used, { index, outcome }, steps);
      // Who asked to hear of passed alone hears of it also where others hear that it recovered.
      const isEither = outcome === "passed" && asksRecovered && !on.includes("recovered");
      const outcomes = isEither ? ["passed", "recovered"] : [outcome];
      const need: NeedDeclaration = { step: notifyName, outcomes, own: [], span: library.span };
      const action = { kind: "uses", library, given } as const;
      const { outputs, values, outcomes: own, effect } = used.library;
      const parts = { outputs, values, outcomes: own, effect, needs: [need] };
      const variables = new Map([["OTTO_NOTIFIES", outcome]]);
      const step = { ...nothing, ...parts, name, span: library.span, action, variables };
      steps.set(name, { step, localName: name, scope, members: [], library: used });
    }
  }
}

/** `notify/slack-failed` for the library `slack` or `otto/slack`; a number where two would be the same. */
function nameFor(
  { declared }: UsedNotification,
  { index, outcome }: { readonly index: number; readonly outcome: string },
  steps: ReadonlyMap<string, ScopedStep>,
): string {
  const last = declared.library.value.split("/").at(-1) ?? "";
  const library = last.replace(/[^A-Za-z0-9_-]/g, "-").replace(/^-+/, "") || "library";
  const wanted = `${notifyName}/${library.slice(0, limits.nameCharactersMax / 2)}-${outcome}`;
  return steps.has(wanted) ? `${wanted}-${index + 1}` : wanted;
}

const nothing: StepDeclaration = {
  name: "",
  span: { start: 0, end: 0 },
  action: { kind: "run" },
  commands: [],
  paths: [],
  values: [],
  outcomes: [],
  caches: [],
  credentials: [],
  reports: [],
  sandbox: null,
  image: null,
  effect: false,
  lock: null,
  needs: [],
  condition: null,
  matrix: null,
  environment: null,
  variables: new Map(),
  inputs: [],
  outputs: [],
  timeoutMs: null,
  retry: null,
  labels: [],
};

/** The scopes of a plan's steps, the pipeline's own first, then by the name of the step that nests them. */
export function scopesOf(steps: ReadonlyMap<string, ScopedStep>): readonly Scope[] {
  const scopes = new Set([...steps.values()].map(({ scope }) => scope));
  return [...scopes].sort((left, right) => compareText(left.outer ?? "", right.outer ?? ""));
}
