/**
 * Calls: what a command line, a page or another peer asks of a node, over its local socket or over libp2p.
 *
 * One call is one channel: a request frame, then item frames until the callee ends or the caller closes.
 * The first frame of an answer that failed is an `error` item.
 */

import type { EndedWell } from "./attempt-content.ts";
import { errorCodes, type ErrorCode, OttoError } from "./errors.ts";
import type { Event } from "./events.ts";
import type { Fork } from "./fork.ts";
import type { Role } from "./membership.ts";
import type { GivenValue } from "./messages.ts";
import type { Plan } from "./plan.ts";
import type { SignedStatement } from "./provenance/bundle.ts";
import type { ScheduleValue } from "./registers/schedule.ts";
import type { Request } from "./requests.ts";
import type { Revocation } from "./revocation.ts";
import { decodeUntrusted, encodeValue } from "./values.ts";

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
  /** Steps of it were given secrets themselves: that stays with it. */
  readonly exposed?: true;
};

/** A plan, and the newest run that had it. */
export type FoundPlan = { readonly run: string; readonly plan: Plan; readonly planId: string };
/** The schedule of a pipeline; without an order it was removed. */
export type ScheduleSeen = { readonly pipeline: string } & ScheduleValue;

/** One use of a credential, in the book of the control peer that brokered it. */
export type CredentialUse = {
  /** Wall clock of that control peer. */
  readonly atMs: number;
  readonly what: "used" | "refused";
  readonly secret: string;
  readonly run: string;
  readonly step: string;
  readonly attempt: number;
  readonly worker: string;
  readonly submitter: string;
  readonly method: string;
  /** The template of the path; of a refusal its code. */
  readonly template: string;
  readonly status: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
};

/** What one control peer brokered; null: it could not be asked. */
export type UsesSeen = {
  readonly peer: string;
  readonly uses: readonly CredentialUse[] | null;
  /** Only when it was asked for, and then no uses: whether the book is whole, and the newest of it, signed (`node/verify/audit-book.ts`). */
  readonly chain?: ChainSeen;
  readonly book?: { readonly end: Uint8Array; readonly lines: readonly string[] };
};

/** Whether a book of uses is whole; `problem`: where it is not, as the end of a sentence. */
export type ChainSeen = { readonly lines: number; readonly problem: string | null };

/** What control peers signed of an output, and which of them did not. */
export type ProvenanceSeen = SignedStatement & {
  readonly absent: readonly { readonly peer: string; readonly why: string }[];
};

/** One peer as the asked node sees it. */
export type PeerSeen = {
  readonly peer: string;
  readonly name: string;
  readonly role: Role;
  readonly state: "self" | "linked" | "unlinked";
  readonly isHome: boolean;
  readonly addresses: readonly string[];
  /** Wall clock since when the link is up, or null. */
  readonly sinceMs: number | null;
  /** Until when the certificate is good that it showed last; null: it is not linked. */
  readonly untilMs?: number | null;
};

/** A control peer as the asked one sees it: one that votes, or one that could. */
export type ControlSeen = {
  readonly peer: string;
  readonly name: string;
  readonly state: "self" | "linked" | "unlinked";
  readonly isHome: boolean;
  readonly addresses: readonly string[];
  /** The name of its database, once it has said it; else empty. */
  readonly store: string;
  /** The configuration that it votes in; 0: none, or it has not said. */
  readonly configuration: number;
};

/** A gate that is closed, as its home sees it. */
export type GateSeen = {
  readonly run: string;
  readonly step: string;
  readonly environment: string;
  /** What it lacks, each a sentence; empty while control peers are asked to sign. */
  readonly missing: readonly string[];
  /** Control peers that would not sign, and why. */
  readonly refusals: Readonly<Record<string, string>>;
  /** Keys of those who approved. */
  readonly approvedBy: readonly string[];
  /** Wall clock of the home; then the step ends as timed out. */
  readonly untilMs: number;
  /** What an approval must name: `given` follows from what the step is given and, where it has ended, has made (`whatIsJudged`). */
  readonly manifest: string;
  readonly given: string;
  readonly inputs: readonly { readonly name: string; readonly tree: string }[];
  /** Only when it takes some. */
  readonly values?: readonly GivenValue[];
  /** How the step ended, where that does not count yet; absent: it has not begun. */
  readonly ended?: EndedWell;
};

export type NodeSeen = {
  readonly domain: string;
  readonly domainName: string;
  readonly formed: boolean;
  /** Control peers that have joined, and how many there will be. */
  readonly controls: number;
  readonly size: number;
  /** What was refused since the node started, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Logs that are frozen, since their authors told different things in them. */
  readonly forks: readonly Fork[];
  /** Peers and people of the domain who are none any more, as far as the node has heard. */
  readonly revoked: readonly Revocation[];
};

/** What a node answers, besides `WatchItem`s and `CallError`. */
export type AnswerItem =
  | { readonly kind: "done" }
  | { readonly kind: "runs"; readonly runs: readonly RunSummary[] }
  | ({ readonly kind: "found-plan" } & FoundPlan)
  | { readonly kind: "schedules"; readonly schedules: readonly ScheduleSeen[] }
  | { readonly kind: "submitted"; readonly run: string }
  | { readonly kind: "peers"; readonly node: NodeSeen; readonly peers: readonly PeerSeen[] }
  /** The charter as its owner signed it, and all control peers that are known. */
  | { readonly kind: "control"; readonly charter: Uint8Array; readonly controls: readonly ControlSeen[] }
  /** How a released step is: `outcome` once a majority has signed how it ended. */
  | {
      readonly kind: "released";
      readonly state: "running" | "refused" | "done";
      readonly detail: string;
      readonly outcome: Uint8Array | null;
    }
  | { readonly kind: "gates"; readonly gates: readonly GateSeen[] }
  | { readonly kind: "document"; readonly version: number; readonly bytes: Uint8Array }
  | ({ readonly kind: "uses" } & UsesSeen)
  | ({ readonly kind: "provenance" } & ProvenanceSeen)
  | { readonly kind: "missing"; readonly digests: readonly string[] }
  /** A blob begins: `size` bytes follow in `chunk` items, or null: the callee does not have it. */
  | { readonly kind: "blob"; readonly digest: string; readonly size: number | null }
  | { readonly kind: "chunk"; readonly bytes: Uint8Array }
  | { readonly kind: "bundle"; readonly bytes: Uint8Array | null }
  | { readonly kind: "certificate"; readonly certificate: Uint8Array }
  /** Each signed by the asked control peer, for itself. */
  | { readonly kind: "certified"; readonly certificates: readonly Uint8Array[] }
  | {
      readonly kind: "joined";
      readonly charter: Uint8Array;
      readonly certificate: Uint8Array;
      /** Null: the invite was for the machine alone. */
      readonly personCertificate: Uint8Array | null;
    };

export type Item = WatchItem | AnswerItem | CallError;

export function encodeRequest(value: Request): Uint8Array {
  return encodeValue(value);
}

export function encodeItem(item: Item): Uint8Array {
  return encodeValue(item);
}

/** An item from the node that was called. Its sender was chosen by the caller; only its frame is checked. */
export function decodeItem(frame: Uint8Array): Item {
  const decoded = decodeUntrusted(frame);
  const item = decoded.ok ? (decoded.value as Item | null) : null;
  if (typeof item?.kind !== "string")
    throw new OttoError("OTTO_MESSAGE_INVALID", {
      what: "The node answered with something that is not Otto's protocol.",
      next: "Check that both sides run compatible versions of Otto.",
    });
  return item;
}

export function errorItem(error: OttoError): CallError {
  const { code, message: what, next } = error;
  return { kind: "error", code, what, state: error.state ?? null, next };
}

export function errorOf(item: CallError): OttoError {
  const { what, next } = item;
  const code = Object.hasOwn(errorCodes, item.code) ? item.code : "OTTO_MESSAGE_INVALID";
  return new OttoError(code, { what, next, ...(item.state === null ? {} : { state: item.state }) });
}
