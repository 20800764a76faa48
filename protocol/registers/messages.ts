/** What control peers say to each other about the register table, and about which of them keep it. */

import type { Ballot, Position } from "./ballot.ts";

/**
 * A value as it travels, and the registers that hold it: encoded once by the home, stored by every acceptor as it came.
 * The first leases of one pull are equal, so a pull of many steps is one record for each run that they are of.
 */
export type WireRecord = { readonly names: readonly string[]; readonly value: Uint8Array };

export type PromisedRecord = {
  readonly name: string;
  readonly value: Uint8Array;
  readonly ballot: Ballot;
  readonly round: number;
};

/** A register in a repair: its value, and the round that it has it from. */
export type RepairRecord = {
  readonly name: string;
  readonly value: Uint8Array;
  /** A place in the page's list. */
  readonly ballot: number;
  readonly round: number;
};

/** Of who votes: said whenever a link comes up, and by a peer that waits for its table. */
export type ConfigurationMessage =
  | {
      /** The configuration that the sender has a vote in; 0: none. */
      readonly kind: "configuration";
      readonly configuration: number;
      readonly store: string;
      readonly addresses: readonly string[];
    }
  /** What the receiver begins with in a configuration that was chosen: the charter and a table, in pages. */
  | {
      readonly kind: "install";
      readonly charter: Uint8Array;
      readonly records: readonly PromisedRecord[];
      /** Where in its history that table is, and up to where it is known to be chosen. */
      readonly at: Position;
      readonly chosen: Position;
      readonly first: boolean;
      readonly last: boolean;
    };

export type RegisterMessage =
  /** Asks, and binds nobody: would you promise this ballot? Answered by "willing" or "nack". */
  | { readonly kind: "canvass"; readonly ballot: Ballot }
  | { readonly kind: "willing"; readonly ballot: Ballot }
  | { readonly kind: "prepare"; readonly ballot: Ballot }
  /** `at`: where the table is that this peer holds. */
  | { readonly kind: "promise"; readonly ballot: Ballot; readonly at: Position }
  /** The first round of a reign changes nothing: it is the table that was at `base`. */
  | { readonly kind: "reign"; readonly ballot: Ballot; readonly base: Position }
  | {
      readonly kind: "accept";
      readonly ballot: Ballot;
      readonly round: number;
      /** The last round of this reign that is known to be chosen; 0: none. */
      readonly chosen: number;
      readonly records: readonly WireRecord[];
    }
  | { readonly kind: "accepted"; readonly ballot: Ballot; readonly round: number }
  /**
   * Asks for all that changed since a place in the history that both share, and for the registers that are named: what
   * this peer accepted beyond that place. `ask` names the repair, and its pages have it.
   */
  | {
      readonly kind: "gap";
      readonly ballot: Ballot;
      readonly ask: string;
      readonly since: Position;
      readonly names: readonly string[];
    }
  /** A page of it. The last one makes the receiver's table the sender's as it was at `at`. */
  | {
      readonly kind: "repair";
      readonly ballot: Ballot;
      readonly ask: string;
      readonly page: number;
      readonly last: boolean;
      readonly at: Position;
      readonly chosen: Position;
      /** What `RepairRecord.ballot` is a place in. */
      readonly ballots: readonly Ballot[];
      readonly records: readonly RepairRecord[];
    }
  /** The next page may come. */
  | { readonly kind: "more"; readonly ballot: Ballot; readonly ask: string; readonly page: number }
  /** The ballot is behind what the acceptor promised, or its home is alive and well. */
  | { readonly kind: "nack"; readonly ballot: Ballot; readonly promised: Ballot }
  /** `sentMs`: the home's own monotonic time at sending; echoed by who promised nothing higher. */
  | {
      readonly kind: "heartbeat";
      readonly ballot: Ballot;
      readonly sentMs: number;
      /** The newest round that was sent, and the newest that is known to be chosen. */
      readonly round: number;
      readonly chosen: number;
    }
  | { readonly kind: "heard"; readonly ballot: Ballot; readonly sentMs: number };
