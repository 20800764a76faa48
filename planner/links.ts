/**
 * What the parts of a pipeline say about each other: every name that is used is declared, nothing needs itself,
 * not even through others.
 */

import { inputVariable } from "../protocol/names.ts";
import { outcomes } from "../protocol/plan.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";
import { cyclesOf } from "./order.ts";
import type { PipelineFile, StepDeclaration } from "./pipeline.ts";
import { suggestion } from "./suggestions.ts";

const cyclesShownMax = 20;
const membersShownMax = 12;

/** A file with the templates that its steps nest; of one that could not be read there is none. */
export type Linked = {
  readonly file: PipelineFile;
  readonly nested: ReadonlyMap<string, Linked>;
};

export function checkLinks(mistakes: Mistakes, linked: Linked): void {
  const { file } = linked;
  for (const step of file.steps.values()) {
    checkEnvironment(mistakes, step, file);
    checkNeeds(mistakes, step, linked);
    checkInputs(mistakes, step, linked);
    checkLabelAxes(mistakes, step);
    checkNames(mistakes, step);
  }
  checkCycles(mistakes, file);
}

/**
 * The step of that name, `deploy/build` being one of the pipeline that `deploy` nests. Null: there is none;
 * undefined: nobody can know, because what `deploy` nests could not be read.
 */
function findStep({ file, nested }: Linked, name: string): StepDeclaration | null | undefined {
  const slash = name.indexOf("/");
  if (slash === -1) return file.steps.get(name) ?? null;
  const outer = file.steps.get(name.slice(0, slash));
  if (outer?.action.kind !== "pipeline") return null;
  const inner = nested.get(outer.name);
  return inner === undefined ? undefined : findStep(inner, name.slice(slash + 1));
}

/** The step of this file that it is, or is in. */
function outerOf(name: string): string {
  const slash = name.indexOf("/");
  return slash === -1 ? name : name.slice(0, slash);
}

function checkEnvironment(mistakes: Mistakes, step: StepDeclaration, file: PipelineFile): void {
  if (step.environment === null) return;
  const { value, span } = step.environment;
  const environment = file.environments.get(value);
  if (environment?.lock === true && step.lock !== null)
    mistakes.add({
      code: "pipeline/bad-step",
      message: `the environment ${quote(value)} has a lock, and a step can have one`,
      help: `remove \`lock\` from the step or from ${quote(value)}`,
      span: step.lock.span,
    });
  if (environment !== undefined) return;
  mistakes.add({
    code: "pipeline/unknown-environment",
    message: `there is no environment called ${quote(value)}`,
    help: () =>
      file.environments.size === 0
        ? `declare it: \`environments: { ${value}: {} }\``
        : suggestion(value, [...file.environments.keys()], "environment"),
    span,
  });
}

function unknownStep(mistakes: Mistakes, linked: Linked, used: { step: string; span: Span }): void {
  mistakes.add({
    code: "pipeline/unknown-step",
    message: `there is no step called ${quote(used.step)}`,
    help: () => suggestion(used.step, namesNear(linked, used.step), "step"),
    span: used.span,
  });
}

/** The names that a person may have meant: the file's own, or those of the nested pipeline that is named. */
function namesNear({ file, nested }: Linked, name: string): readonly string[] {
  const inner = name.includes("/") ? nested.get(outerOf(name)) : undefined;
  if (inner === undefined) return [...file.steps.keys()];
  const rest = name.slice(outerOf(name).length + 1);
  return namesNear(inner, rest).map((own) => `${outerOf(name)}/${own}`);
}

function selfNeed(mistakes: Mistakes, used: { step: string; span: Span }): void {
  mistakes.add({
    code: "pipeline/self-need",
    message: `the step ${quote(used.step)} needs itself`,
    help: "remove it",
    span: used.span,
  });
}

function checkNeeds(mistakes: Mistakes, step: StepDeclaration, linked: Linked): void {
  for (const need of step.needs) {
    const needed = findStep(linked, need.step);
    if (outerOf(need.step) === step.name) selfNeed(mistakes, { ...need, step: step.name });
    else if (needed === null) unknownStep(mistakes, linked, need);
    if (needed === undefined) continue;
    const declared = needed?.outcomes ?? [];
    for (const { value, span } of need.own) {
      if (declared.includes(value)) continue;
      mistakes.add({
        code: "pipeline/unknown-outcome",
        message: `${quote(value)} is no way for ${quote(need.step)} to end`,
        help: () =>
          value.startsWith("timeout")
            ? "did you mean `timed-out`?"
            : suggestion(value, [...outcomes, ...declared], "outcome"),
        span,
      });
    }
  }
}

function checkInputs(mistakes: Mistakes, step: StepDeclaration, linked: Linked): void {
  const variables = new Map<string, Span>();
  for (const input of step.inputs) {
    const producer = findStep(linked, input.step);
    if (producer?.values.some(({ name }) => name === input.output) === true)
      checkVariable(mistakes, variables, input);
    const isOwn = !input.step.includes("/");
    if (input.step === step.name) selfNeed(mistakes, input);
    else if (producer === null) unknownStep(mistakes, linked, input);
    else if (producer === undefined) continue;
    else if (![...producer.outputs, ...producer.values].some(({ name }) => name === input.output)) {
      const names = [...producer.outputs, ...producer.values].map(({ name }) => name);
      mistakes.add({
        code: "pipeline/unknown-output",
        message: `the step ${quote(input.step)} has no output called ${quote(input.output)}`,
        help: () =>
          names.length === 0 ? outputHelp(producer, input) : suggestion(input.output, names, "output"),
        span: input.span,
        ...(isOwn
          ? { related: [{ message: `the step ${quote(input.step)} is here`, span: producer.span }] }
          : {}),
      });
    }
    const need = step.needs.find((other) => other.step === input.step);
    if (need === undefined || need.outcomes.includes("passed")) continue;
    mistakes.add({
      code: "pipeline/bad-input",
      message: `${quote(input.step)} hands over its outputs only when it passed, and this step runs when it did not`,
      help: "add `passed` to its outcomes in `needs`, or remove the input",
      span: input.span,
      related: [{ message: "it is needed here", span: need.span }],
    });
  }
}

/** A value becomes a variable, and two names may become the same one. */
function checkVariable(
  mistakes: Mistakes,
  variables: Map<string, Span>,
  { name, span }: { readonly name: string; readonly span: Span },
): void {
  const variable = inputVariable(name);
  const first = variables.get(variable);
  if (first === undefined) return void variables.set(variable, span);
  mistakes.add({
    code: "pipeline/bad-input",
    message: `two inputs become the variable ${quote(variable)}`,
    help: "give one of them another name",
    span,
    related: [{ message: "the first is here", span: first }],
  });
}

function outputHelp(producer: StepDeclaration, { step, output }: { step: string; output: string }): string {
  return producer.action.kind === "pipeline"
    ? `name the step of it that has the output: \`${step}/STEP.${output}\``
    : `declare it there: \`outputs: { ${output}: dist/** }\``;
}

/** An output and a value share the names that `inputs` says; inputs share those of their variables. */
function checkNames(mistakes: Mistakes, step: StepDeclaration): void {
  const shared = step.values.find(({ name }) => step.outputs.some((output) => output.name === name));
  if (shared === undefined) return;
  mistakes.add({
    code: "pipeline/bad-value",
    message: `${quote(shared.name)} is an output and a value of ${quote(step.name)}`,
    help: "give one of them another name",
    span: step.span,
  });
}

function checkLabelAxes(mistakes: Mistakes, step: StepDeclaration): void {
  if (step.matrix?.cells.length === 0) return;
  const axes = step.matrix?.keys ?? [];
  for (const { value, span } of step.labels) {
    if (value.kind !== "axis" || axes.includes(value.axis)) continue;
    mistakes.add({
      code: "pipeline/bad-label",
      message: `the matrix of ${quote(step.name)} has no axis ${quote(value.axis)}`,
      help: () => suggestion(value.axis, axes, "axis"),
      span,
    });
  }
}

/** Each step with the steps that it needs or takes inputs from, each once, itself and unknown names left out. */
function stepGraph(file: PipelineFile): Map<string, readonly string[]> {
  const graph = new Map<string, readonly string[]>();
  for (const step of file.steps.values()) {
    const needed = new Set([...step.needs, ...step.inputs].map((link) => outerOf(link.step)));
    needed.delete(step.name);
    graph.set(
      step.name,
      [...needed].filter((name) => file.steps.has(name)),
    );
  }
  return graph;
}

function checkCycles(mistakes: Mistakes, file: PipelineFile): void {
  for (const cycle of cyclesOf(stepGraph(file), cyclesShownMax)) {
    const links = cycle.map((name, index) =>
      linkBetween(file, name, cycle[(index + 1) % cycle.length] ?? name),
    );
    const shown = cycle.slice(0, membersShownMax).map((name) => quote(name));
    if (cycle.length > membersShownMax) shown.push(`${cycle.length - membersShownMax} more`);
    const [first, ...others] = links;
    if (first === undefined) continue;
    mistakes.add({
      code: "pipeline/cycle",
      message: `the steps need each other in a circle: ${[...shown, shown[0]].join(" -> ")}`,
      help: "remove one of these needs",
      span: first.span,
      related: others
        .slice(0, membersShownMax)
        .map((link) => ({ message: `and ${quote(link.step)} is needed here`, span: link.span })),
    });
  }
}

function linkBetween(file: PipelineFile, from: string, to: string): { step: string; span: Span } {
  const step = file.steps.get(from);
  const link = [...(step?.needs ?? []), ...(step?.inputs ?? [])].find((other) => outerOf(other.step) === to);
  return { step: to, span: link?.span ?? step?.span ?? { start: 0, end: 0 } };
}
