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
import { type Mistakes, quote } from "./diagnostics.ts";
import type { Cell, InputDeclaration, PipelineFile, StepDeclaration } from "./pipeline.ts";

export type StepCell = {
  readonly name: string;
  readonly step: StepDeclaration;
  readonly cell: Cell;
  readonly needs: readonly Need[];
  readonly inputs: readonly StepInput[];
  readonly valueInputs: readonly ValueInput[];
};

type NamedCell = { readonly name: string; readonly cell: Cell };

const noAxes: readonly Cell[] = [new Map<string, Scalar>()];

/** Every cell of every step with its needs and inputs; null when there are more than a plan may hold. */
export function cellsOf(mistakes: Mistakes, file: PipelineFile): readonly StepCell[] | null {
  const cellsByStep = new Map<string, readonly NamedCell[]>();
  let count = 0;
  for (const step of file.steps.values()) {
    const cells = (step.matrix?.cells ?? noAxes).map((cell) => ({ name: cellName(step.name, cell), cell }));
    cellsByStep.set(
      step.name,
      cells.sort((left, right) => compareText(left.name, right.name)),
    );
    count += cells.length;
    if (count > limits.stepsPerPlanMax) return tooMany(mistakes, step, `${limits.stepsPerPlanMax} steps`);
  }
  const planned: StepCell[] = [];
  let needs = 0;
  for (const step of file.steps.values()) {
    for (const { name, cell } of cellsByStep.get(step.name) ?? []) {
      const links = linksOf(mistakes, { step, cell, cellsByStep, file });
      needs += links.needs.length;
      if (needs > limits.needsPerPlanMax) return tooMany(mistakes, step, `${limits.needsPerPlanMax} needs`);
      planned.push({ name, step, cell, ...links });
    }
  }
  return planned;
}

function tooMany(mistakes: Mistakes, step: StepDeclaration, what: string): null {
  mistakes.add({
    code: "pipeline/over-limit",
    message: `with this step the plan has more than ${what}, every cell of a matrix counted`,
    help: "use smaller matrices, or split the pipeline",
    span: step.span,
  });
  return null;
}

function linksOf(
  mistakes: Mistakes,
  place: {
    readonly step: StepDeclaration;
    readonly cell: Cell;
    readonly cellsByStep: ReadonlyMap<string, readonly NamedCell[]>;
    readonly file: PipelineFile;
  },
): Pick<StepCell, "needs" | "inputs" | "valueInputs"> {
  const { step, cell, cellsByStep, file } = place;
  const needs = new Map<string, readonly string[]>();
  for (const need of step.needs) {
    for (const { name } of cellsByStep.get(need.step) ?? []) needs.set(name, need.outcomes);
  }
  const inputs: StepInput[] = [];
  const valueInputs: ValueInput[] = [];
  for (const input of step.inputs) {
    const producers = (cellsByStep.get(input.step) ?? []).filter((other) => agree(cell, other.cell));
    if (producers.length === 0) noProducer(mistakes, input, cellName(step.name, cell));
    const isValue = file.steps.get(input.step)?.values.some(({ name }) => name === input.output) === true;
    if (isValue && producers.length > 1) severalValues(mistakes, input, cellName(step.name, cell));
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

function noProducer(mistakes: Mistakes, input: InputDeclaration, consumer: string): void {
  mistakes.add({
    code: "pipeline/bad-input",
    message: `no cell of ${quote(input.step)} has the values of ${quote(consumer)}`,
    help: "give both steps the same values on the axes they share",
    span: input.span,
  });
}

function severalValues(mistakes: Mistakes, input: InputDeclaration, consumer: string): void {
  mistakes.add({
    code: "pipeline/bad-input",
    message: `several cells of ${quote(input.step)} have the value that ${quote(consumer)} takes`,
    help: "give both steps the same matrix, so that each cell has one",
    span: input.span,
  });
}
