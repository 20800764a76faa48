/**
 * From declared steps to the cells that are planned: a step without a matrix has one, a need or an input of a
 * step means cells of it.
 *
 * A need on a matrix means all of its cells. An input takes the cells that agree with the consumer's on every
 * axis they share: the same cell where both have the same matrix, every cell where they share nothing.
 */

import { limits } from "../protocol/limits.ts";
import { cellName } from "../protocol/names.ts";
import { type Need, type Scalar, type StepInput, type ValueInput } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { quote } from "./diagnostics.ts";
import type { ScopedStep } from "./nesting.ts";
import type { Cell, InputDeclaration } from "./pipeline.ts";

export type StepCell = ScopedStep & {
  readonly name: string;
  readonly cell: Cell;
  readonly needs: readonly Need[];
  readonly inputs: readonly StepInput[];
  readonly valueInputs: readonly ValueInput[];
};

type NamedCell = { readonly name: string; readonly cell: Cell };

const noAxes: readonly Cell[] = [new Map<string, Scalar>()];

/** Every cell of every step with its needs and inputs; null when there are more than a plan may hold. */
export function cellsOf(steps: ReadonlyMap<string, ScopedStep>): readonly StepCell[] | null {
  const cellsByStep = new Map<string, readonly NamedCell[]>();
  let count = 0;
  for (const scoped of steps.values()) {
    const { step } = scoped;
    const cells = (step.matrix?.cells ?? noAxes).map((cell) => ({ name: cellName(step.name, cell), cell }));
    cellsByStep.set(
      step.name,
      cells.sort((left, right) => compareText(left.name, right.name)),
    );
    count += cells.length;
    if (count > limits.stepsPerPlanMax) return tooMany(scoped, `${limits.stepsPerPlanMax} steps`);
    // A matrix was checked under the name that its step has in its own file.
    if (cells.some(({ name }) => name.length > limits.cellNameCharactersMax)) return tooLong(scoped);
  }
  const planned: StepCell[] = [];
  let needs = 0;
  for (const scoped of steps.values()) {
    for (const { name, cell } of cellsByStep.get(scoped.step.name) ?? []) {
      const links = linksOf({ scoped, cell, cellsByStep, steps });
      needs += links.needs.length;
      if (needs > limits.needsPerPlanMax) return tooMany(scoped, `${limits.needsPerPlanMax} needs`);
      const below = scoped.members.flatMap((member) => cellsByStep.get(member) ?? []);
      const members = below.map((member) => member.name).sort(compareText);
      planned.push({ ...scoped, name, cell, ...links, members });
    }
  }
  return planned;
}

function tooLong({ step, scope }: ScopedStep): null {
  scope.module.mistakes.add({
    code: "pipeline/over-limit",
    message: `the name of a cell has more than ${limits.cellNameCharactersMax} characters in ${quote(step.name)}`,
    help: "use shorter names, fewer axes or shorter values",
    span: step.span,
  });
  return null;
}

function tooMany({ step, scope }: ScopedStep, what: string): null {
  scope.module.mistakes.add({
    code: "pipeline/over-limit",
    message: `with this step the plan has more than ${what}, every cell of a matrix counted`,
    help: "use smaller matrices, or split the pipeline",
    span: step.span,
  });
  return null;
}

function linksOf(place: {
  readonly scoped: ScopedStep;
  readonly cell: Cell;
  readonly cellsByStep: ReadonlyMap<string, readonly NamedCell[]>;
  readonly steps: ReadonlyMap<string, ScopedStep>;
}): Pick<StepCell, "needs" | "inputs" | "valueInputs"> {
  const { scoped, cell, cellsByStep, steps } = place;
  const { step } = scoped;
  const needs = new Map<string, readonly string[]>();
  for (const need of step.needs) {
    for (const { name } of cellsByStep.get(need.step) ?? []) needs.set(name, need.outcomes);
  }
  const inputs: StepInput[] = [];
  const valueInputs: ValueInput[] = [];
  for (const input of step.inputs) {
    const producers = (cellsByStep.get(input.step) ?? []).filter((other) => agree(cell, other.cell));
    if (producers.length === 0) noProducer(scoped, input, cellName(step.name, cell));
    const isValue = steps.get(input.step)?.step.values.some(({ name }) => name === input.output) === true;
    if (isValue && producers.length > 1) severalValues(scoped, input, cellName(step.name, cell));
    for (const { name } of producers) {
      if (isValue) valueInputs.push({ name: input.name, step: name, value: input.output });
      else inputs.push({ name: input.name, step: name, output: input.output });
      if (!needs.has(name)) needs.set(name, ["passed"]);
    }
  }
  const sorted = [...needs].sort(([left], [right]) => compareText(left, right));
  return {
    needs: sorted.map(([step, outcomes]) => ({ step, outcomes })),
    inputs,
    valueInputs,
  };
}

function agree(left: Cell, right: Cell): boolean {
  for (const [key, value] of left) if (right.has(key) && right.get(key) !== value) return false;
  return true;
}

function noProducer({ scope }: ScopedStep, input: InputDeclaration, consumer: string): void {
  scope.module.mistakes.add({
    code: "pipeline/bad-input",
    message: `no cell of ${quote(input.step)} has the values of ${quote(consumer)}`,
    help: "give both steps the same values on the axes they share",
    span: input.span,
  });
}

function severalValues({ scope }: ScopedStep, input: InputDeclaration, consumer: string): void {
  scope.module.mistakes.add({
    code: "pipeline/bad-input",
    message: `several cells of ${quote(input.step)} have the value that ${quote(consumer)} takes`,
    help: "give both steps the same matrix, so that each cell has one",
    span: input.span,
  });
}
