/**
 * Whether a step is in for its own sake, before its needs are asked (`planner/inclusion.ts`): its condition, its `paths`,
 * and what nests it.
 */

import type { PlanContext, Scalar } from "../protocol/plan.ts";
import type { StepCell } from "./cells.ts";
import type { ChangeAnswer } from "./changes.ts";
import type { Condition, ConditionValues } from "./conditions.ts";
import type { Inclusion, OwnInclusion } from "./inclusion.ts";
import { matrixTypes } from "./matrix.ts";
import type { Module } from "./modules.ts";
import { zeroOf } from "./read.ts";

export type Asked = {
  readonly conditions: ReadonlyMap<Module, ReadonlyMap<string, Condition>>;
  readonly context: PlanContext;
  readonly answers: (patterns: readonly string[]) => ChangeAnswer;
};

/** What a step says for itself, unless what nests it says that it is left out. */
export function inclusionOf(
  asked: Asked,
  cell: StepCell,
  byName: ReadonlyMap<string, StepCell>,
): OwnInclusion {
  const outer = cell.scope.outer === null ? undefined : byName.get(cell.scope.outer);
  const whole = outer === undefined ? null : inclusionOf(asked, outer, byName);
  if (outer === undefined || whole === null || whole.included) return ownInclusion(asked, cell);
  const reason = whole.reason.startsWith("in ")
    ? whole.reason
    : `in ${outer.name}, which is left out: ${whole.reason}`;
  return { included: false, reason, from: cell.step.name };
}

const answersShownMax = 3;

/** What the step's condition says, then its `paths`. */
function ownInclusion(asked: Asked, cell: StepCell): OwnInclusion {
  const { name: from, paths } = cell.step;
  const condition = conditionInclusion(asked, cell);
  if (paths.length === 0 || condition?.included === false) {
    return { ...(condition ?? { included: true, reason: "always" }), from };
  }
  const { holds, because } = asked.answers(paths.map(({ value }) => value));
  const reason = holds && condition !== null ? `${condition.reason}, and ${because}` : because;
  return { included: holds, reason, from };
}

function conditionInclusion(asked: Asked, { step, localName, scope, cell }: StepCell): Inclusion | null {
  const { conditions, context, answers } = asked;
  const { parameters } = scope;
  const condition = conditions.get(scope.module)?.get(localName);
  if (condition === undefined || step.condition === null) return null;
  const heard = new Set<string>();
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
      heard.add(because);
      return holds;
    },
  };
  const included = condition(values) === true;
  const words = step.condition.text.trim().replace(/\s+/g, " ");
  const shown = words.length > 200 ? `${words.slice(0, 197).toWellFormed()}...` : words;
  const because = [...heard].slice(0, answersShownMax).join("; ");
  return { included, reason: `when ${shown} is ${included}${because === "" ? "" : `: ${because}`}` };
}
