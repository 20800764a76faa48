/**
 * What an outsider with perfect sight writes down while a world runs. Checkers read this and nothing else.
 */

import type { Answer, ReleaseAnswer } from "../node/core/effects.ts";
import type { Assignment, StoredEntry } from "../node/ports.ts";
import type { LoggedEvent } from "../protocol/events.ts";
import type { Submission } from "../protocol/manifest.ts";
import type { ExportedRun } from "../protocol/run-export.ts";
import type { Message } from "../protocol/messages.ts";
import type { GateSeen } from "../protocol/calls.ts";
import type { Policy } from "../protocol/policy.ts";
import type { Fault } from "./faults.ts";
import type { Disk } from "./storage.ts";

export type PeerName = string;

export type Observation = { readonly atUs: number; readonly peer: PeerName } & (
  | { readonly kind: "up"; readonly role: "control" | "worker"; readonly life: string; readonly disk: Disk }
  | { readonly kind: "down"; readonly why: "crash" | "fuse" | "storage" }
  | { readonly kind: "paused"; readonly how: "pause" | "suspend" }
  | { readonly kind: "resumed" }
  | { readonly kind: "sent"; readonly to: PeerName; readonly life: string; readonly message: Message }
  | { readonly kind: "published"; readonly bytes: Uint8Array; readonly message: Message }
  /** An announcement was believed to be from that peer. */
  | { readonly kind: "heard-of"; readonly from: PeerName; readonly message: Message }
  /** What a liar says besides; null: bytes that are no message. */
  | { readonly kind: "lied"; readonly to: PeerName | null; readonly message: Message | null }
  | { readonly kind: "received"; readonly from: PeerName; readonly message: Message }
  | { readonly kind: "recorded"; readonly events: readonly LoggedEvent[] }
  /** A person hands a run to a peer for the first time: it may be known to the domain before its answer comes. */
  | { readonly kind: "handed"; readonly submission: Submission }
  /** A person's run or standing order is kept by a peer, or the run of a slot was fired. */
  | { readonly kind: "submitted"; readonly submission: Submission }
  /** A person gives a standing order. */
  | { readonly kind: "ordered"; readonly submission: Submission }
  | { readonly kind: "asked-to-remove"; readonly question: number; readonly pipeline: string }
  | { readonly kind: "asked-to-cancel"; readonly question: number; readonly run: string }
  | { readonly kind: "answered"; readonly question: number; readonly answer: Answer }
  | { readonly kind: "step-started"; readonly assignment: Assignment; readonly effect: boolean }
  | { readonly kind: "step-over"; readonly assignment: string }
  | { readonly kind: "refused"; readonly because: string; readonly from: PeerName | null }
  /** A step has written this. */
  | { readonly kind: "step-wrote"; readonly assignment: string; readonly bytes: Uint8Array }
  /** The peer's machine was replaced, with all the output that it kept. */
  | { readonly kind: "outputs-gone" }
  /** A control peer has taken output that worker `by` brought; `bytes`: all that it keeps of that attempt's. */
  | { readonly kind: "output-kept"; readonly id: string; readonly by: PeerName; readonly bytes: Uint8Array }
  /** Somebody who has a control peer's key has signed a second entry in a place of its log. */
  | { readonly kind: "forged"; readonly log: string; readonly author: PeerName }
  /** `own`: it is the peer's own; `kept`: how many of its entries the peer has. */
  | { readonly kind: "log-frozen"; readonly log: string; readonly own: boolean; readonly kept: number }
  /** The process would not start: what is on its disk is damaged. */
  | { readonly kind: "refused-start" }
  /** What came on a link is no message, or none that this version knows. */
  | { readonly kind: "unreadable"; readonly from: PeerName; readonly because: string }
  /** These peers vote, as this one knows from here on; or, said by the world, from the beginning. */
  | {
      readonly kind: "configured";
      readonly configuration: number;
      readonly members: readonly PeerName[];
      readonly charter: Uint8Array;
    }
  /** The owner has signed a version of the domain's policy; a control peer has said that it is the domain's. */
  | { readonly kind: "policy-signed"; readonly version: number; readonly policy: Policy }
  | { readonly kind: "policy-chosen"; readonly version: number }
  /** A control peer has said that this peer or person is revoked in the domain. */
  | { readonly kind: "revoked"; readonly name: PeerName; readonly id: string }
  /** A person shows what somebody has signed to a control peer: a yes, or a no. */
  | {
      readonly kind: "asked-to-approve";
      readonly question: number;
      readonly run: string;
      readonly step: string;
      readonly isBehind: boolean;
      readonly no: boolean;
      readonly bytes: Uint8Array;
    }
  /** What a control peer tells people to wait at a gate. */
  | { readonly kind: "gates-seen"; readonly gates: readonly GateSeen[] }
  /** A control peer would let a leased step use a credential of its environment. */
  | { readonly kind: "let-use"; readonly run: string; readonly index: number }
  /** Another domain has said how a step is that was released to it. */
  | {
      readonly kind: "crossed";
      readonly to: PeerName;
      readonly release: Uint8Array;
      readonly answer: ReleaseAnswer;
    }
  | { readonly kind: "fault"; readonly text: string; readonly fault: Fault | null }
);

/** How the world stood when it was over. */
export type Ending = {
  /** False when the bound on virtual time was reached with something open. */
  readonly finished: boolean;
  /** What was still open, in words. */
  readonly open: readonly string[];
  /** Runs, those of slots among them. */
  readonly submissions: readonly Submission[];
  readonly orders: readonly Submission[];
  /** Control peers that live: their history, each log with its entries' events in order, and what they keep. */
  readonly controls: readonly {
    readonly peer: PeerName;
    readonly heads: Readonly<Record<string, number>>;
    readonly events: readonly LoggedEvent[];
    readonly keys: readonly string[];
    /** All entries of all logs, by their keys. */
    readonly entries: readonly StoredEntry[];
    /** What it keeps of an attempt's output. */
    readonly output: (id: string) => Uint8Array;
    /** Logs that it calls forked when it is asked. */
    readonly forks: readonly string[];
    /** What a stranger would be given who wants to judge a run. */
    readonly exported: (run: string) => ExportedRun;
  }[];
};

/** Observations of a kind, or of these only those that are about one kind of message. */
type Look = Observation["kind"] | `${"sent" | "received"} ${Message["kind"]}`;

export type Checker = {
  readonly name: string;
  /** All that it wants to be shown; without this, everything. */
  readonly looksAt?: readonly Look[];
  readonly observe: (observation: Observation) => void;
  /** Shown everything of the other domain, in a world of two. */
  readonly observeBeyond?: (observation: Observation) => void;
  readonly finish: (ending: Ending) => void;
};

/** A promise was broken: the world stops at once. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly checker: string;

  constructor(checker: string, what: string) {
    super(`${checker}: ${what}`);
    this.checker = checker;
  }
}
