/** What control peers say to each other about the register table. */

import type { Ballot } from "./ballot.ts";

/** One register's value as it travels: encoded once by the home, stored by every acceptor as it came. */
export type WireRecord = { readonly name: string; readonly value: Uint8Array };

export type PromisedRecord = WireRecord & { readonly ballot: Ballot; readonly round: number };

export type RegisterMessage =
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
