/** The conditions of one file, checked before anything is evaluated: those of its steps, and those of its polls. */

import type { Condition, ConditionTypes } from "./conditions.ts";
import type { Mistakes } from "./diagnostics.ts";
import { matrixTypes } from "./matrix.ts";
import type { PipelineFile } from "./pipeline.ts";

/** By the step's name. The condition language is loaded only when a step has a condition. */
export async function compileConditions(
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
