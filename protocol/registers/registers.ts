/**
 * What registers hold, and the only ways in which they change.
 *
 *   step:   queued --claim--> leased --finish--> done
 *             ^                 |
 *             +-- expire, or ---+      (every change but the last raises the token; it never falls)
 *                 finish again
 *           (`settling.ts` has those of steps that no worker does, `gating.ts` what comes before a guarded one)
 *   run:    open --cancel--> open, cancelled --close--> closed --the watermark passes it--> (absent)
 *   retired: the watermark: a moment that only rises. What could be admitted until then and is closed is forgotten, and
 *           nothing that could be admitted until then is admitted any more
 *   invite: (absent) --use--> used
 *   charter: the configuration that takes the place of this one; the last thing that a configuration decides
 *   fence:  a number --raise--> a higher one: the fencing token of whoever may reach outside, one for the whole domain
 *   schedule: `schedule.ts`
 *   document: `document.ts`
 *
 * A step that nobody has claimed has no record: it is queued under token 0. Pure: a refusal says why and changes nothing.
 */

import { equals } from "uint8arrays/equals";
import { unreachable } from "../errors.ts";
import type { AttemptCause, UnreportedCause } from "../events.ts";
import { evaluateSettling, type Settlement, type SettlingCommand, type StepAnswer } from "./settling.ts";
import { evaluateGating, type GatingCommand, type OpenedGate } from "./gating.ts";
import { type DocumentCommand, type DocumentValue, evaluateDocument } from "./document.ts";
import { evaluateSchedule, type ScheduleCommand, type ScheduleValue } from "./schedule.ts";

/** An attempt that is over, as the step's register remembers it. */
export type PastAttempt = {
  readonly attempt: number;
  readonly token: number;
  readonly worker: string;
  readonly cause: AttemptCause;
};

export type StepValue =
  | {
      readonly kind: "step";
      readonly state: "queued";
      readonly token: number;
      readonly past: readonly PastAttempt[];
      /** Of a guarded step: what lets it be claimed. */
      readonly gate?: OpenedGate;
    }
  | {
      /** The domain's policy demands something before it may be claimed, or before how it ended counts. */
      readonly kind: "step";
      readonly state: "gated";
      readonly token: number;
      readonly past: readonly PastAttempt[];
      /** Wall clock of the home that asked. */
      readonly sinceMs: number;
      readonly approvals: readonly StepAnswer[];
      /** How its last attempt ended, which does not count yet; absent: before the step. */
      readonly ended?: { readonly outcome: string; readonly report: Uint8Array };
      /** What it has for itself until that counts. */
      readonly lock?: string;
    }
  | {
      readonly kind: "step";
      readonly state: "leased";
      readonly token: number;
      readonly past: readonly PastAttempt[];
      readonly attempt: number;
      readonly worker: string;
      readonly session: string;
      /** The pull that won the lease: asked again with it, the same lease is answered. */
      readonly nonce: string;
      /** Of an exclusive step: the token that it shows to whatever it reaches, above that of everybody before it. */
      readonly fence?: number;
      /** What it has for itself while it is leased. */
      readonly lock?: string;
      readonly gate?: OpenedGate;
    }
  | {
      /** A step that no worker does waits for its answer. */
      readonly kind: "step";
      readonly state: "waiting";
      readonly token: number;
      readonly past: readonly PastAttempt[];
      /** Wall clock of the home that began the wait. */
      readonly sinceMs: number;
      /** People who said yes so far. */
      readonly answers: readonly StepAnswer[];
    }
  | {
      readonly kind: "step";
      readonly state: "done";
      readonly token: number;
      /** The last of them is the attempt that decided; none for a step that no worker does. */
      readonly past: readonly PastAttempt[];
      /** One of the usual outcomes, or one of the step's own. */
      readonly outcome: string;
      /** The worker's signed report, or null when no worker lived to give one. */
      readonly report: Uint8Array | null;
      /** What settled a step that no worker does, or that a gate let not begin or not count: then its report is kept and counts for nothing. */
      readonly settlement?: Settlement;
      /** What let the outcome count, where the policy demands something after the step. */
      readonly gate?: OpenedGate;
      /** Of an approved step: who said yes before the last of them did. */
      readonly answers?: readonly StepAnswer[];
    };

export type RunOutcome = "passed" | "failed" | "cancelled";

export type RunValue = {
  readonly kind: "run";
  readonly manifest: string;
  /** Digest of the signed envelope that holds the manifest. */
  readonly envelope: string;
  /** Who cancelled it, or null. */
  readonly cancelledBy: string | null;
  /** Null while the run is open. */
  readonly outcome: RunOutcome | null;
  /** Until when it could be admitted; milliseconds since 1970. */
  readonly validUntilMs: number;
};

type InviteValue = { readonly kind: "invite"; readonly usedBy: string };

/** Of the register `charter`: who votes next, as the domain's owner signed it. */
export type CharterValue = {
  readonly kind: "charter";
  readonly configuration: number;
  readonly charter: Uint8Array;
};

/** Never falls and never starts anew: a target may remember the highest that it saw. */
type FenceValue = { readonly kind: "fence"; readonly token: number };

/** Of the register `retired`. */
export type RetiredValue = { readonly kind: "retired"; readonly throughMs: number };

export type RegisterValue =
  | StepValue
  | RunValue
  | InviteValue
  | FenceValue
  | ScheduleValue
  | CharterValue
  | RetiredValue
  | DocumentValue;

export type Command =
  | {
      readonly kind: "admit";
      readonly manifest: string;
      readonly envelope: string;
      readonly validUntilMs: number;
    }
  | { readonly kind: "retire"; readonly throughMs: number }
  | { readonly kind: "cancel"; readonly by: string }
  | { readonly kind: "close"; readonly outcome: RunOutcome }
  | {
      readonly kind: "claim";
      readonly worker: string;
      readonly session: string;
      readonly nonce: string;
      readonly fence?: number;
      readonly lock?: string;
    }
  | { readonly kind: "raise"; readonly token: number }
  | {
      readonly kind: "finish";
      readonly token: number;
      readonly worker: string;
      readonly cause: AttemptCause;
      readonly outcome: string;
      readonly report: Uint8Array;
      /** True when the step is to be tried again: back to queued. */
      readonly again: boolean;
      /** Wall clock of the home, when the outcome does not count yet: the policy demands something first. */
      readonly heldSinceMs?: number;
    }
  | {
      readonly kind: "expire";
      readonly token: number;
      readonly cause: UnreportedCause;
      readonly again: boolean;
    }
  | { readonly kind: "use-invite"; readonly peer: string }
  | { readonly kind: "recharter"; readonly configuration: number; readonly charter: Uint8Array }
  | SettlingCommand
  | GatingCommand
  | ScheduleCommand
  | DocumentCommand;

export type Refusal = "stale" | "duplicate" | "taken" | "closed" | "absent" | "expired";

export type Evaluation =
  | { readonly kind: "changed"; readonly value: RegisterValue }
  | { readonly kind: "refused"; readonly reason: Refusal };

export function runRegister(run: string): string {
  return `run/${run}`;
}

export const fenceRegister = "fence";

/** The register of a step, by its place in the plan. */
export function stepRegister(run: string, index: number): string {
  return `step/${run}/${index}`;
}

export function inviteRegister(nonce: string): string {
  return `invite/${nonce}`;
}

/** The one register that says which control peers vote after these. */
export const charterRegister = "charter";

/** The one register that says up to which moment runs are forgotten. */
export const retiredRegister = "retired";

/** The run whose own register it is, or null for any other register. */
export function runOfRegister(name: string): string | null {
  return name.startsWith("run/") ? name.slice("run/".length) : null;
}

/** The run that a step's register belongs to, or null for any other register. */
export function runOfStepRegister(name: string): string | null {
  return name.startsWith("step/") ? name.slice(5, name.lastIndexOf("/")) : null;
}

/**
 * The next value of a register under a command: a function of the last value and, for an admission, of the watermark.
 *
 * @param retired the newest value of the register `retired`.
 */
export function evaluate(
  value: RegisterValue | null,
  command: Command,
  retired: RegisterValue | null = null,
): Evaluation {
  switch (command.kind) {
    case "admit":
      if (value !== null) return refused("duplicate");
      // It may have been admitted before, and be forgotten.
      if (isRetired(command, retired)) return refused("expired");
      return changed({
        kind: "run",
        manifest: command.manifest,
        envelope: command.envelope,
        cancelledBy: null,
        outcome: null,
        validUntilMs: command.validUntilMs,
      });
    case "retire":
      if (value !== null && value.kind !== "retired") return refused("absent");
      if (value !== null && command.throughMs <= value.throughMs) return refused("stale");
      return changed({ kind: "retired", throughMs: command.throughMs });
    case "cancel":
      if (value?.kind !== "run") return refused("absent");
      if (value.outcome !== null) return refused("closed");
      return value.cancelledBy === null
        ? changed({ ...value, cancelledBy: command.by })
        : refused("duplicate");
    case "close":
      if (value?.kind !== "run") return refused("absent");
      if (value.outcome !== null) return refused("duplicate");
      // A cancellation that was accepted is what the run ended by, whatever raced it; and it is told before the run is closed.
      if ((value.cancelledBy === null) === (command.outcome === "cancelled")) return refused("stale");
      return changed({ ...value, outcome: command.outcome });
    case "raise":
      if (value !== null && value.kind !== "fence") return refused("absent");
      if (value !== null && command.token <= value.token) return refused("stale");
      return changed({ kind: "fence", token: command.token });
    case "use-invite":
      if (value === null) return changed({ kind: "invite", usedBy: command.peer });
      return refused(value.kind === "invite" && value.usedBy === command.peer ? "duplicate" : "taken");
    case "recharter": {
      const { configuration, charter } = command;
      if (value?.kind === "charter" && value.configuration >= configuration)
        return refused(equals(value.charter, charter) ? "duplicate" : "stale");
      return changed({ kind: "charter", configuration, charter });
    }
    case "claim":
    case "finish":
    case "expire":
      return evaluateStep(value, command);
    case "await":
    case "answer":
    case "settle": {
      if (value !== null && value.kind !== "step") return refused("absent");
      const evaluated = evaluateSettling(value, command);
      return typeof evaluated === "string" ? refused(evaluated) : changed(evaluated);
    }
    case "gate":
    case "approve-gate":
    case "permit": {
      if (value !== null && value.kind !== "step") return refused("absent");
      const evaluated = evaluateGating(value, command);
      return typeof evaluated === "string" ? refused(evaluated) : changed(evaluated);
    }
    case "set-schedule":
    case "remove-schedule":
    case "fire":
      if (value !== null && value.kind !== "schedule") return refused("absent");
      return evaluateSchedule(value, command);
    case "put-document":
      return evaluateDocument(value, command);
    default:
      return unreachable(command);
  }
}

/** True when what could be admitted until that moment is not admitted any more, and is forgotten once it is over. */
export function isRetired(
  { validUntilMs }: { readonly validUntilMs: number },
  retired: RegisterValue | null,
): boolean {
  return retired?.kind === "retired" && validUntilMs <= retired.throughMs;
}

function evaluateStep(
  found: RegisterValue | null,
  command: Extract<Command, { kind: "claim" | "finish" | "expire" }>,
): Evaluation {
  const value: RegisterValue = found ?? { kind: "step", state: "queued", token: 0, past: [] };
  if (value.kind !== "step") return refused("absent");
  if (command.kind === "claim") {
    if (value.state === "leased" && value.nonce === command.nonce) return refused("duplicate");
    if (value.state !== "queued") return refused("taken");
    const { kind: _, ...lease } = command;
    const attempt = value.past.length + 1;
    const token = value.token + 1;
    return changed({
      kind: "step",
      state: "leased",
      token,
      past: value.past,
      attempt,
      ...lease,
      ...(value.gate === undefined ? {} : { gate: value.gate }),
    });
  }
  if (value.token !== command.token) return refused(wasFinished(value, command) ? "duplicate" : "stale");
  // The token that ended the step; not the one that it was raised to when its last lease ran out.
  if (value.state !== "leased")
    return refused(value.past.at(-1)?.token === command.token ? "duplicate" : "stale");
  if (command.kind === "finish" && value.worker !== command.worker) return refused("stale");
  const ended = { attempt: value.attempt, token: value.token, worker: value.worker, cause: command.cause };
  const past = [...value.past, ended];
  const gate = value.gate === undefined ? {} : { gate: value.gate };
  if (command.again) return changed({ kind: "step", state: "queued", ...gate, token: value.token + 1, past });
  if (command.kind === "finish" && command.heldSinceMs !== undefined) {
    const { heldSinceMs: sinceMs, outcome: as, report: signed } = command;
    const lock = value.lock === undefined ? {} : { lock: value.lock };
    const held = { sinceMs, approvals: [], ended: { outcome: as, report: signed }, ...lock };
    return changed({ kind: "step", state: "gated", token: value.token, past, ...held });
  }
  const report = command.kind === "finish" ? command.report : null;
  const outcome =
    command.kind === "finish" ? command.outcome : command.cause === "cancelled" ? "cancelled" : "failed";
  // Expiry without another attempt also raises the token: a worker that comes back late is told that it is stale.
  const token = command.kind === "finish" ? value.token : value.token + 1;
  return changed({ kind: "step", state: "done", token, past, outcome, report });
}

const reportedCauses: readonly AttemptCause[] = ["finished", "failed", "timed-out", "unprepared"];

/**
 * True when a result of this worker's has ended the attempt under this token. A worker that says something else the second
 * time is told no more than that.
 */
function wasFinished(value: StepValue, command: Extract<Command, { kind: "finish" | "expire" }>): boolean {
  if (command.kind !== "finish") return false;
  const { token, worker } = command;
  const ended = value.past.find((past) => past.token === token && past.worker === worker);
  // A home ends an attempt as cancelled without its worker's word, too; then no report is kept.
  if (ended?.cause === "cancelled") return value.state === "done" && value.report !== null;
  return ended !== undefined && reportedCauses.includes(ended.cause);
}

function changed(value: RegisterValue): Evaluation {
  return { kind: "changed", value };
}

function refused(reason: Refusal): Evaluation {
  return { kind: "refused", reason };
}
