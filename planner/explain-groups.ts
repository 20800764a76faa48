/** Cells of a matrix explained together: what they share once, then what is each one's own. */

import type { PlannedStep } from "../protocol/plan.ts";
import { matrixVariable } from "./matrix.ts";

/** A step with its lines; the first is its name, the others are indented by two. */
type Explained = { readonly step: PlannedStep; readonly lines: readonly string[] };

/** The lines of steps in the order of the plan; cells of one step that follow one another are a group. */
export function groupedLines(steps: readonly Explained[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < steps.length;) {
    let end = at + 1;
    while (end < steps.length && steps[end]?.step.from === steps[at]?.step.from) end += 1;
    const group = steps.slice(at, end);
    lines.push("", ...(group.length === 1 ? (group[0]?.lines ?? []) : linesOfGroup(group)));
    at = end;
  }
  return lines;
}

function linesOfGroup(cells: readonly Explained[]): string[] {
  const own = cells.map(({ step, lines }) => ({ step, lines: withoutCell(step, lines) }));
  const sets = own.map(({ lines }) => new Set(lines));
  const [first] = own;
  const shared = (first?.lines ?? []).filter((line) => sets.every((set) => set.has(line)));
  const isShared = new Set(shared);
  const result = [`${first?.step.from ?? ""}: ${cells.length} cells`, ...shared];
  for (const { step, lines } of own)
    result.push(`  ${step.name}`, ...lines.filter((line) => !isShared.has(line)).map((line) => `  ${line}`));
  return result;
}

/** The name says the values of the cell, and their variables follow from it. */
function withoutCell(step: PlannedStep, lines: readonly string[]): readonly string[] {
  const implied = Object.entries(step.cell).map(([key, value]) => `${matrixVariable(key)}=${value}`);
  return lines
    .slice(1)
    .filter(
      (line) => !line.startsWith("  cell ") && !implied.some((text) => line === `  with        ${text}`),
    );
}
