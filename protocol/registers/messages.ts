/** What control peers say to each other about the register table, and about which of them keep it. */

import type { Ballot } from "./ballot.ts";

/**
 * A value as it travels, and the registers that hold it: encoded once by the home, stored by every acceptor as it came.
 * The first leases of one pull are equal, so a pull of many steps is one record.
 */
export type WireRecord = { readonly names: readonly string[]; readonly value: Uint8Array };

export type PromisedRecord = {
  readonly name: string;
  readonly value: Uint8Array;
  readonly ballot: Ballot;
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
      readonly first: boolean;
      readonly last: boolean;
    };

export type RegisterMessage =
  /** Asks, and binds nobody: would you promise this ballot? Answered by "willing" or "nack". */
  | { readonly kind: "canvass"; readonly ballot: Ballot }
  | { readonly kind: "willing"; readonly ballot: Ballot }
  | { readonly kind: "prepare"; readonly ballot: Ballot }
  | {
      readonly kind: "promise";
      readonly ballot: Ballot;
      readonly records: readonly PromisedRecord[];
      readonly last: boolean;
    }
  /** The whole table as of a round, in pages; the last page makes the acceptor follow. */
  | {
      readonly kind: "sync";
      readonly ballot: Ballot;
      readonly round: number;
      readonly records: readonly WireRecord[];
      readonly last: boolean;
    }
  | {
      readonly kind: "accept";
      readonly ballot: Ballot;
      readonly round: number;
      readonly records: readonly WireRecord[];
    }
  | { readonly kind: "accepted"; readonly ballot: Ballot; readonly round: number }
  /** The acceptor missed a round: it asks for a sync. */
  | { readonly kind: "gap"; readonly ballot: Ballot }
  /** The ballot is behind what the acceptor promised, or its home is alive and well. */
  | { readonly kind: "nack"; readonly ballot: Ballot; readonly promised: Ballot }
  /** `sentMs`: the home's own monotonic time at sending; echoed by who promised nothing higher. */
  | { readonly kind: "heartbeat"; readonly ballot: Ballot; readonly sentMs: number }
  | { readonly kind: "heard"; readonly ballot: Ballot; readonly sentMs: number };
