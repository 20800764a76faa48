/**
 * What a picture of a plan shows, before anything is placed or written: a box for each step, all cells of a matrix
 * in one, and the arrows between them.
 *
 * Left out of the picture are needs that follow from others: where `deploy` needs `test` and `test` needs `build`, an
 * arrow from `build` to `deploy` tells nothing new, unless files are handed over. They are counted.
 *
 * Pure, and the same for the same plan: boxes in the plan's order, arrows in the order of their boxes.
 */

import { assert } from "../../protocol/errors.ts";
import type { Need, Plan, PlannedStep, StepAction } from "../../protocol/plan.ts";
import { branchesOf } from "../branches.ts";
import { outcomeWords } from "../explain.ts";

export type Box = {
  readonly name: string;
  /** What stands under the name: how many cells, which environment, why it is left out, or can never run. */
  readonly details: readonly string[];
  /** For who points at it: every cell with its reason. */
  readonly title: string;
  readonly cells: number;
  readonly kind: "step" | "effect" | "out";
};

export type Arrow = {
  /** Positions in `boxes`: the step that is needed, and the step that needs it. */
  readonly from: number;
  readonly to: number;
  /** `branch`: on another outcome than passed. `out`: one of its ends is left out. */
  readonly kind: "passed" | "branch" | "out";
  /** "failed or timed out"; empty for passed. */
  readonly words: string;
};

export type Picture = {
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** Needs between boxes that are not drawn, because they follow from others. */
  readonly implied: number;
};

const cellsInTitleMax = 12;

export function pictureOf(plan: Plan): Picture {
  const groups = new Map<string, PlannedStep[]>();
  for (const step of plan.steps) {
    const group = groups.get(step.from);
    if (group === undefined) groups.set(step.from, [step]);
    else group.push(step);
  }
  const rankOf = new Map([...groups.keys()].map((name, rank) => [name, rank]));
  const { impossible } = branchesOf(plan);
  const never = new Map(
    impossible.flatMap((entry) => (entry.kind === "step" ? [[entry.step, entry.because]] : [])),
  );
  const boxes = [...groups].map(([name, steps]) => boxOf(name, steps, never));
  return { boxes, ...arrowsOf(plan, rankOf, never) };
}

/** @param never why a step that is in can never run. */
function boxOf(name: string, steps: readonly PlannedStep[], never: ReadonlyMap<string, string>): Box {
  const [first] = steps;
  assert(first !== undefined, "a group has a step");
  const out = steps.filter((step) => !step.included);
  const isMatrix = steps.length > 1 || first.name !== name;
  const details: string[] = [];
  if (isMatrix) {
    const some = out.length > 0 && out.length < steps.length ? `, ${out.length} left out` : "";
    details.push(`${steps.length} ${steps.length === 1 ? "cell" : "cells"} of ${axesOf(steps)}${some}`);
  }
  if (first.action !== undefined) details.push(actionDetail(first.action));
  if (first.environment !== null) details.push(`in ${first.environment}`);
  if (out.length === steps.length) details.push(`left out: ${first.reason}`);
  const isNever = steps.every((step) => never.has(step.name));
  if (isNever) details.push(`can never run: ${never.get(first.name) ?? ""}`);
  const shown = steps.slice(0, cellsInTitleMax).map((step) => {
    return `${step.name}: ${step.included ? "in" : "left out"}, ${step.reason}`;
  });
  const more = steps.length - shown.length;
  return {
    name,
    details,
    title: [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"),
    cells: steps.length,
    kind:
      isNever || out.length === steps.length ? "out" : steps.some((step) => step.effect) ? "effect" : "step",
  };
}

function axesOf(steps: readonly PlannedStep[]): string {
  return [...new Set(steps.flatMap((step) => Object.keys(step.cell)))].join(", ");
}

function arrowsOf(
  plan: Plan,
  rankOf: ReadonlyMap<string, number>,
  never: ReadonlyMap<string, string>,
): { readonly arrows: readonly Arrow[]; readonly implied: number } {
  const byName = new Map(plan.steps.map((step) => [step.name, step]));
  const isImplied = impliedIn(plan);
  const found = new Map<string, Arrow>();
  const implied = new Set<string>();
  for (const step of plan.steps) {
    const handed = new Set(step.inputs.map((input) => input.step));
    for (const [index, need] of step.needs.entries()) {
      const needed = byName.get(need.step);
      const from = rankOf.get(needed?.from ?? "");
      const to = rankOf.get(step.from);
      if (needed === undefined || from === undefined || to === undefined || from === to) continue;
      const words = outcomeWords(need).replace(/^ \((?:if it )?(.*)\)$/, "$1");
      const key = `${to} ${from} ${words}`;
      if (isImplied(step, index) && !handed.has(need.step)) {
        implied.add(key);
        continue;
      }
      const isOut =
        !step.included || never.has(step.name) || (!needed.included && !need.outcomes.includes("skipped"));
      const kind = isOut ? "out" : words === "" ? "passed" : "branch";
      // One cell that goes on is enough for the arrow to be alive.
      if (found.get(key) === undefined || kind !== "out") found.set(key, { from, to, kind, words });
    }
  }
  for (const key of found.keys()) implied.delete(key);
  const arrows = [...found.values()].sort((left, right) => left.to - right.to || left.from - right.from);
  return { arrows, implied: implied.size };
}

/**
 * Tells whether a need follows from the step's other needs: it must have passed, since another need, which must
 * have passed too, needs it. One row of bits for each step says which ones must all have passed before it.
 */
function impliedIn(plan: Plan): (step: PlannedStep, need: number) => boolean {
  const rankOf = new Map(plan.steps.map((step, rank) => [step.name, rank]));
  const words = Math.ceil(plan.steps.length / 32);
  const before = new Uint32Array(words * plan.steps.length);
  const onlyPassed = (need: Need): boolean => need.outcomes.length === 1 && need.outcomes[0] === "passed";
  const rankNeeded = (need: Need): number => rankOf.get(need.step) ?? 0;
  const has = (rank: number, other: number): boolean =>
    (((before[rank * words + (other >> 5)] ?? 0) >>> (other & 31)) & 1) === 1;
  for (const [rank, step] of plan.steps.entries()) {
    for (const need of step.needs.filter(onlyPassed)) {
      const needed = rankNeeded(need);
      for (let word = 0; word <= needed >> 5; word += 1) {
        const at = rank * words + word;
        before[at] = (before[at] ?? 0) | (before[needed * words + word] ?? 0);
      }
      const at = rank * words + (needed >> 5);
      before[at] = (before[at] ?? 0) | (1 << (needed & 31));
    }
  }
  return (step, index) => {
    const need = step.needs[index];
    if (need === undefined || !onlyPassed(need)) return false;
    const needed = rankNeeded(need);
    return step.needs.some((other) => other !== need && onlyPassed(other) && has(rankNeeded(other), needed));
  };
}

function actionDetail(action: StepAction): string {
  switch (action.kind) {
    case "uses":
      return `uses ${action.library}`;
    case "approve":
      return "asks people";
    case "wait":
      return "waits for something outside";
    case "pipeline":
      return "ends with its steps";
  }
}
