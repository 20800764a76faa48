/**
 * Registers of steps that no worker does: people, something outside, or other steps settle them.
 *
 *   (absent) --await--> waiting --answer--> waiting, one answer more --the last that is needed--> done
 *       |                  +------------------------settle-------------------------------------> done
 *       +---settle, when its members are all that it waits for--> done
 *
 * One answer a person; a no ends it at once. Whatever comes first is what counts, the rest is refused.
 */

import type { Outcome } from "../plan.ts";
import type { Refusal, StepValue } from "./registers.ts";

/** What decided: people, an outside system, a poll, time, the steps of a nested pipeline, or another domain. */
export type SettleCause = "approved" | "declined" | "callback" | "poll" | "expired" | "members" | "released";

export type Settlement = {
  readonly cause: SettleCause;
  /** The person whose key said so, or gave the right to say so; null: nobody did. */
  readonly by: string | null;
  readonly detail: string;
  /** What that person signed (`protocol/answers.ts`), or the other domain (`protocol/release.ts`). */
  readonly evidence: Uint8Array | null;
};

/** A yes of one person's. */
export type StepAnswer = { readonly by: string; readonly detail: string; readonly evidence: Uint8Array };

export type SettlingCommand =
  /** @param sinceMs wall clock of the home. */
  | { readonly kind: "await"; readonly sinceMs: number }
  | {
      readonly kind: "answer";
      readonly by: string;
      readonly yes: boolean;
      readonly detail: string;
      readonly evidence: Uint8Array;
      /** How many must say yes. */
      readonly needed: number;
    }
  | {
      readonly kind: "settle";
      readonly outcome: Extract<Outcome, "passed" | "failed" | "timed-out">;
      readonly settlement: Settlement;
    };

type DoneValue = Extract<StepValue, { readonly state: "done" }>;
type Evaluated = StepValue | Refusal;

/** The next value of such a register, or why it stays as it is. */
export function evaluateSettling(value: StepValue | null, command: SettlingCommand): Evaluated {
  if (command.kind === "await") {
    if (value !== null) return "duplicate";
    return { kind: "step", state: "waiting", token: 1, past: [], sinceMs: command.sinceMs, answers: [] };
  }
  if (value?.state === "done") return "closed";
  if (command.kind === "settle") return done(value, command.outcome, command.settlement);
  if (value?.state !== "waiting") return "absent";
  const { by, yes, detail, evidence, needed } = command;
  if (value.answers.some((answer) => answer.by === by)) return "duplicate";
  if (!yes) return done(value, "failed", { cause: "declined", by, detail, evidence });
  const answers = [...value.answers, { by, detail, evidence }];
  if (answers.length < needed) return { ...value, answers };
  const approved = done(value, "passed", { cause: "approved", by, detail, evidence });
  return { ...approved, answers: value.answers };
}

function done(value: StepValue | null, outcome: Outcome, settlement: Settlement): DoneValue {
  const token = (value?.token ?? 0) + 1;
  const past = value?.past ?? [];
  const report = value?.state === "gated" ? (value.ended?.report ?? null) : null;
  return { kind: "step", state: "done", token, past, outcome, report, settlement };
}
