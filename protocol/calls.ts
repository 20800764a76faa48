/**
 * Calls: what a command line, a page or another peer asks of a node, over its local socket or over libp2p.
 *
 * One call is one channel: a request frame, then item frames until the callee ends or the caller closes.
 * The first frame of an answer that failed is an `error` item.
 */

import type { ErrorCode } from "./errors.ts";
import type { Event } from "./events.ts";
import type { Plan } from "./plan.ts";

/** What a watcher of one run receives: the plan first, the history, then what happens until the run is closed. */
export type WatchItem =
  | { readonly kind: "plan"; readonly run: string; readonly plan: Plan; readonly planId: string }
  | { readonly kind: "event"; readonly event: Event }
  | {
      readonly kind: "output";
      readonly run: string;
      readonly step: string;
      readonly attempt: number;
      /** Position of the first byte in the attempt's log. A gap means that output was lost on the way. */
      readonly offset: number;
      readonly bytes: Uint8Array;
    }
  /** Something about the watching itself: "Connection to the control peers lost; trying again." */
  | { readonly kind: "notice"; readonly text: string };

export type CallError = {
  readonly kind: "error";
  readonly code: ErrorCode;
  readonly what: string;
  readonly state: string | null;
  readonly next: string;
};

export type RunState = "waiting" | "running" | "passed" | "failed" | "cancelled" | "refused";

export type RunSummary = {
  readonly run: string;
  readonly pipeline: string;
  readonly state: RunState;
  readonly steps: number;
  readonly ended: number;
  readonly failed: number;
  /** Wall clock of the admitting peer, milliseconds since 1970. */
  readonly startedMs: number | null;
  readonly endedMs: number | null;
};
