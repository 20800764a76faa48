/**
 * What a core is told (inputs) and what it asks for (effects).
 *
 * The loop performs the effects of one input in their order: what is stored is durable before anything after it
 * is sent, recorded or answered, except for what may be stored soon.
 */

import type { Allowed } from "../../protocol/allowed.ts";
import type { Verdict } from "../../protocol/answers.ts";
import type { RefusedBecause } from "../../protocol/envelope.ts";
import type { Fork, ForkEvidence } from "../../protocol/fork.ts";
import type { LoggedEvent } from "../../protocol/events.ts";
import type { Charter, Role } from "../../protocol/membership.ts";
import type { Message } from "../../protocol/messages.ts";
import type { Assignment, StopCause, WriteOperation } from "../ports.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { Source } from "../../protocol/manifest.ts";
import type { Poll } from "../../protocol/plan.ts";
import type { EntryRange } from "./history.ts";
import type { Polled } from "./settlements.ts";

export type Now = { readonly monotonicMs: number; readonly wallMs: number };

/** Told to every core. */
type SharedInput =
  | { readonly kind: "tick" }
  /** A newer charter, by word of mouth. */
  | { readonly kind: "charter"; readonly charter: Charter }
  /** `allowed`: what its certificate lets a worker say of itself; null or not there: anything. */
  | {
      readonly kind: "peer-up";
      readonly peer: string;
      readonly role: Role;
      readonly allowed?: Allowed | null;
    }
  | { readonly kind: "peer-down"; readonly peer: string }
  | { readonly kind: "message"; readonly from: string; readonly message: Message }
  /** A bundle that was asked for or submitted here; `bytes` null: nobody had it. */
  | {
      readonly kind: "bundle";
      readonly run: string;
      readonly digest: string;
      readonly from: string | null;
      readonly bytes: Uint8Array | null;
      /** Set when a person submitted it here: answered once it is stored, or refused. */
      readonly question: number | null;
    };

export type ControlInput =
  | SharedInput
  /** The charter that is to follow, as its owner signed it. */
  | { readonly kind: "recharter"; readonly bytes: Uint8Array; readonly question: number }
  /** The files of a run's source are here, or cannot be had now. */
  | { readonly kind: "source"; readonly run: string; readonly problem: string | null }
  | { readonly kind: "cancel"; readonly run: string; readonly by: string; readonly question: number }
  /** A person's answer to a step that waits (`protocol/answers.ts`), with what the bearer of a callback said. */
  | {
      readonly kind: "answer-step";
      readonly bytes: Uint8Array;
      readonly said: { readonly verdict: Verdict; readonly detail: string } | null;
      readonly question: number;
    }
  /** What is kept at a place of a log, and another entry that may contradict it. */
  | { readonly kind: "contested"; readonly evidence: ForkEvidence }
  /** What a poll saw. */
  | { readonly kind: "polled"; readonly polled: Polled }
  | {
      readonly kind: "release-told";
      readonly run: string;
      readonly index: number;
      readonly answer: ReleaseAnswer;
    }
  /** The next version of a document, as it was signed. */
  | { readonly kind: "put-document"; readonly bytes: Uint8Array; readonly question: number }
  | { readonly kind: "use-invite"; readonly nonce: string; readonly peer: string; readonly question: number }
  | {
      readonly kind: "remove-schedule";
      readonly pipeline: string;
      readonly by: string;
      readonly question: number;
    };

export type WorkerInput =
  | SharedInput
  | {
      readonly kind: "step-output";
      readonly assignment: string;
      /** Length of the attempt's log now. */
      readonly end: number;
    }
  | { readonly kind: "step-ended"; readonly assignment: string; readonly report: StepReport }
  /** The report's blobs are safe with the control peers, or not yet. */
  | { readonly kind: "kept"; readonly assignment: string }
  | { readonly kind: "stop" };

export type Answer =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason:
        | "no-such-run"
        | "no-such-schedule"
        | "closed"
        | "taken"
        | "not-home"
        | "refused"
        /** A signature that does not hold. */
        | "stranger"
        /** Somebody else changed it meanwhile. */
        | "stale"
        /** Peers that are needed for it cannot be reached. */
        | "absent"
        /** No more can be kept. */
        | "full"
        /** It may be admitted until a moment (in `detail`) that is past, or too far off for the clock of who was asked. */
        | "expired"
        | "unsupported"
        /** The domain's policy says no. */
        | "forbidden";
      readonly detail: string;
    };

/**
 * Without operations: what follows waits for everything that was to be stored before.
 * `soon`: what follows does not wait for it, but for what tells of it (`tellsOfStored`). It may be lost with the process
 * that said something behind it.
 */
export type Stores = {
  readonly kind: "store";
  readonly operations: readonly WriteOperation[];
  readonly soon?: boolean;
};

const restsOnStored: ReadonlySet<string> = new Set<ControlEffect["kind"]>([
  "recorded",
  "answer",
  "send-entries",
  "compare-entry",
  "send-fork",
]);

/** True for what reads what is stored, or says that it is. */
export function tellsOfStored(effect: { readonly kind: string; readonly message?: Message }): boolean {
  return restsOnStored.has(effect.kind) || effect.message?.kind === "events";
}

const restsOnDecisions: ReadonlySet<string> = new Set<Message["kind"]>(["grant", "ack", "revoke"]);

/**
 * True for what tells a worker what the domain has decided: it rests on the disks of a majority, for which this peer's own
 * counts only once it is told itself that it is one of them.
 */
export function tellsOfDecided(effect: { readonly kind: string; readonly message?: Message }): boolean {
  return effect.message !== undefined && restsOnDecisions.has(effect.message.kind);
}

type SharedEffect =
  | Stores
  | { readonly kind: "send"; readonly to: string; readonly message: Message }
  | { readonly kind: "publish"; readonly message: Message }
  | {
      readonly kind: "fetch-bundle";
      readonly run: string;
      readonly digest: string;
      readonly from: string | null;
    }
  | { readonly kind: "answer"; readonly question: number; readonly answer: Answer }
  | { readonly kind: "count-refused"; readonly because: RefusedBecause; readonly from: string | null };

export type ControlEffect =
  | SharedEffect
  | {
      readonly kind: "fetch-source";
      readonly run: string;
      readonly source: Source;
      /** Trees of the step libraries that it uses. */
      readonly libraries: readonly string[];
      readonly from: string | null;
    }
  /** Events are now history: views and watchers are told. */
  | { readonly kind: "recorded"; readonly events: readonly LoggedEvent[] }
  | {
      /** To be answered with `output-kept` as `answerTo` says. */
      readonly kind: "keep-output";
      readonly from: string;
      readonly step: string;
      readonly output: Extract<Message, { kind: "output" }>;
    }
  | {
      readonly kind: "send-entries";
      readonly to: string;
      /** Of these as many as `limits.entriesAnswerBytesMax` allows. */
      readonly ranges: readonly EntryRange[];
    }
  /** To be answered by `contested`, when the entry that is kept there is another one. */
  | {
      readonly kind: "compare-entry";
      readonly log: string;
      readonly seq: number;
      readonly other: Uint8Array;
    }
  /** The evidence that is kept of a fork. */
  | { readonly kind: "send-fork"; readonly to: string; readonly log: string }
  /** A log is taken no further; `own`: it is this process's, which must end. */
  | { readonly kind: "log-frozen"; readonly fork: Fork; readonly own: boolean }
  | { readonly kind: "home-is"; readonly home: string | null }
  /** Documents have changed; the core has them. */
  | { readonly kind: "documents-changed" }
  /** The domain has another charter: others are to hear of it. */
  | { readonly kind: "chartered"; readonly charter: Charter; readonly bytes: Uint8Array }
  | { readonly kind: "poll"; readonly request: PollRequest }
  /** A step that is another domain's: to be told to it, and asked about. To be answered by `release-told`. */
  | { readonly kind: "release"; readonly told: ReleaseTold };

export type ReleaseTold = {
  readonly run: string;
  readonly index: number;
  /** The newest charter that is known of the domain. */
  readonly to: Charter;
  /** What this domain's majority signed, and the charter that it is one by. */
  readonly release: Uint8Array;
  readonly charter: Uint8Array;
  /** Trees that the step needs there. */
  readonly trees: readonly string[];
  /** Control peers of that domain who refuse it: others are asked first. */
  readonly refusedBy: readonly string[];
};

/** What the other domain said. */
export type ReleaseAnswer =
  | { readonly state: "running" | "unreachable"; readonly detail: string }
  /** `by`: the control peer that says so. */
  | { readonly state: "refused"; readonly detail: string; readonly by: string }
  | { readonly state: "done"; readonly outcome: Uint8Array };

/** Something outside that is to be asked once. */
export type PollRequest = Pick<Poll, "url" | "until" | "fails"> & {
  readonly run: string;
  readonly index: number;
  /** The name of the verdict that a gate waits for; absent: the step itself waits. */
  readonly verdictOf?: string;
};

export type WorkerEffect =
  | SharedEffect
  /** `deadlineMs` (monotonic) of an exclusive step: when its lease may be over, and it with it. */
  | { readonly kind: "start-step"; readonly assignment: Assignment; readonly deadlineMs?: number }
  /** The lease of an exclusive step that runs was renewed. */
  | { readonly kind: "set-deadline"; readonly assignment: string; readonly deadlineMs: number }
  | { readonly kind: "stop-step"; readonly assignment: string; readonly cause: StopCause }
  /** Bring the report's blobs to the control peers before the result is told. */
  | { readonly kind: "keep-blobs"; readonly assignment: string; readonly report: StepReport }
  /** The next piece of an attempt's output from here on, to a control peer that keeps it. */
  | {
      readonly kind: "push-output";
      readonly to: string;
      readonly assignment: string;
      readonly attempt: Pick<Extract<Message, { kind: "output" }>, "run" | "index" | "attempt">;
      readonly offset: number;
      readonly end: number;
      /** To be answered with what is kept then. */
      readonly ask: boolean;
    }
  | { readonly kind: "stopped" };
