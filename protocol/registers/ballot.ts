/**
 * Ballots order the reigns of homes. A ballot has one proposer incarnation: a control peer that restarts proposes
 * under a new incarnation and an epoch above every promise it has on disk.
 */

import { compareText } from "../values.ts";

export type Ballot = { readonly epoch: number; readonly peer: string; readonly incarnation: string };

export const noBallot: Ballot = { epoch: 0, peer: "", incarnation: "" };

/** Negative, zero or positive: epoch first, then peer, then incarnation, by code unit. */
export function compareBallots(left: Ballot, right: Ballot): number {
  return (
    left.epoch - right.epoch ||
    compareText(left.peer, right.peer) ||
    compareText(left.incarnation, right.incarnation)
  );
}
