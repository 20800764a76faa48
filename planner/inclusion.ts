/**
 * Which steps of a plan are in, and why: decided by each step's condition, then by what its needs can still be.
 */

import type { Need } from "../protocol/plan.ts";

export type Inclusion = {
  readonly included: boolean;
  readonly reason: string;
};

/** What a step says for itself, before its needs are asked. */
export type OwnInclusion = Inclusion & { readonly from: string };

type Cause = { readonly step: string; readonly reason: string };

/**
 * A step that is left out ends as skipped, so a step that needs another outcome of it can never start and is
 * left out too. Of a matrix the cells that are in decide; only when all are out is the need lost.
 *
 * @param order names, each after everything it needs.
 * @returns for each name whether and why it is in, and the needs that are left: without the cells that are out.
 */
export function decideInclusion(
  order: readonly string[],
  own: ReadonlyMap<string, OwnInclusion>,
  needsOf: ReadonlyMap<string, readonly Need[]>,
): Map<string, Inclusion & { readonly needs: readonly Need[] }> {
  const decided = new Map<string, Inclusion & { readonly needs: readonly Need[] }>();
  const causes = new Map<string, Cause>();
  for (const name of order) {
    const self = own.get(name);
    const needs = needsOf.get(name) ?? [];
    if (self === undefined) continue;
    const left = withoutCellsThatAreOut(needs, own, decided);
    if (!self.included) {
      causes.set(name, { step: name, reason: self.reason });
      decided.set(name, { included: false, reason: self.reason, needs: left });
      continue;
    }
    const lost = left.find(
      (need) => decided.get(need.step)?.included === false && !need.outcomes.includes("skipped"),
    );
    if (lost === undefined) {
      decided.set(name, { included: true, reason: self.reason, needs: left });
      continue;
    }
    const cause = causes.get(lost.step) ?? { step: lost.step, reason: "" };
    causes.set(name, cause);
    const because = cause.step === lost.step ? "" : ` because of ${cause.step}`;
    const reason = `needs ${lost.step}, which is left out${because}: ${cause.reason}`;
    decided.set(name, { included: false, reason, needs: left });
  }
  return decided;
}

function withoutCellsThatAreOut(
  needs: readonly Need[],
  own: ReadonlyMap<string, OwnInclusion>,
  decided: ReadonlyMap<string, Inclusion>,
): readonly Need[] {
  const isOut = (need: Need): boolean =>
    decided.get(need.step)?.included === false && !need.outcomes.includes("skipped");
  if (!needs.some(isOut)) return needs;
  const stepsWithCellsIn = new Set(
    needs.filter((need) => !isOut(need)).map((need) => own.get(need.step)?.from),
  );
  return needs.filter((need) => !isOut(need) || !stepsWithCellsIn.has(own.get(need.step)?.from));
}
