/**
 * Ballots order the reigns of homes. A ballot has one proposer incarnation: a control peer that restarts proposes
 * under a new incarnation and an epoch above every promise it has on disk. It belongs to one configuration, the set of
 * control peers that vote, and every ballot of a later configuration is higher. A place in a table's history is a round of a
 * reign.
 */

import { compareText } from "../values.ts";

export type Ballot = {
  readonly configuration: number;
  readonly epoch: number;
  readonly peer: string;
  readonly incarnation: string;
};

export const noBallot: Ballot = { configuration: 0, epoch: 0, peer: "", incarnation: "" };

/** Negative, zero or positive: configuration first, then epoch, peer and incarnation, text by code unit. */
export function compareBallots(left: Ballot, right: Ballot): number {
  return (
    left.configuration - right.configuration ||
    left.epoch - right.epoch ||
    compareText(left.peer, right.peer) ||
    compareText(left.incarnation, right.incarnation)
  );
}

/** A place in the history of a table: after this round of this reign. */
export type Position = { readonly ballot: Ballot; readonly round: number };

/** Before anything was decided. */
export const origin: Position = { ballot: noBallot, round: 0 };

export function comparePositions(left: Position, right: Position): number {
  return compareBallots(left.ballot, right.ballot) || left.round - right.round;
}
