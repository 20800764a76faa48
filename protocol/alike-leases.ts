/** Leases of a grant that are alike: a pull of many steps is granted some of each run, and what they have in common is told once. */

import type { GrantedLease } from "./messages.ts";

/** Leases of steps of one run that differ in nothing but the step's place in the plan. */
export type AlikeLeases = Omit<GrantedLease, "index"> & { readonly indexes: readonly number[] };

/** In the same order. */
export function together(leases: readonly GrantedLease[]): AlikeLeases[] {
  const all: (AlikeLeases & { readonly indexes: number[] })[] = [];
  let last: GrantedLease | null = null;
  for (const lease of leases) {
    if (last !== null && areAlike(last, lease)) all.at(-1)?.indexes.push(lease.index);
    else {
      const { index, ...shared } = lease;
      all.push({ ...shared, indexes: [index] });
    }
    last = lease;
  }
  return all;
}

export function apart(all: readonly AlikeLeases[]): GrantedLease[] {
  return all.flatMap(({ indexes, ...shared }) => indexes.map((index) => ({ ...shared, index })));
}

/** Steps that need nothing share one list of inputs; what others were given is not compared. */
function areAlike(left: GrantedLease, right: GrantedLease): boolean {
  const isSame =
    left.inputs === right.inputs &&
    left.run === right.run &&
    left.token === right.token &&
    left.attempt === right.attempt;
  return isSame && isPlain(left) && isPlain(right);
}

function isPlain({ fence, values, permit, letCount }: GrantedLease): boolean {
  return fence === undefined && values === undefined && permit === undefined && letCount === undefined;
}
