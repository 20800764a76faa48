/**
 * The register of a step before it is given out, where the domain's policy demands something of it first, and of one that has
 * ended well where it demands something before that counts.
 *
 *   (absent), queued --gate--> gated --approve-gate--> gated, one approval more --permit--> queued, with its permit
 *                                 +---- approve-gate that says no, or time ----> done
 *   leased --finish, and it is held--> gated, with how it ended --permit--> done, as it ended
 *                                        +---- no, or time ----> done, as failed or timed out
 *
 * A permit is signed by a majority of the control peers, each of which judged for itself (`protocol/permits.ts`). It is good
 * for minutes; a step that was not claimed until then is gated again, with the approvals that it had.
 */

import type { Refusal, StepValue } from "./registers.ts";
import type { Settlement, StepAnswer } from "./settling.ts";

export type GatingCommand =
  /** @param sinceMs wall clock of the home. */
  | { readonly kind: "gate"; readonly sinceMs: number }
  | ({ readonly kind: "approve-gate"; readonly yes: boolean } & StepAnswer)
  | { readonly kind: "permit"; readonly permit: Uint8Array };

/** What opened the gate of a step. */
export type OpenedGate = { readonly permit: Uint8Array; readonly approvals: readonly StepAnswer[] };

/** The next value of such a register, or why it stays as it is. */
export function evaluateGating(value: StepValue | null, command: GatingCommand): StepValue | Refusal {
  if (value?.state === "done") return "closed";
  if (command.kind === "gate") {
    if (value?.state === "gated") return "duplicate";
    if (value !== null && value.state !== "queued") return "taken";
    const { token = 0, past = [], gate } = value ?? {};
    const approvals = gate?.approvals ?? [];
    return { kind: "step", state: "gated", token, past, sinceMs: command.sinceMs, approvals };
  }
  if (value?.state !== "gated") return "absent";
  const { token, past, approvals, ended } = value;
  if (command.kind === "permit") {
    const gate: OpenedGate = { permit: command.permit, approvals };
    if (ended === undefined) return { kind: "step", state: "queued", token, past, gate };
    return { kind: "step", state: "done", token, past, ...ended, gate };
  }
  const { by, yes, detail, evidence } = command;
  if (approvals.some((approval) => approval.by === by)) return "duplicate";
  if (yes) return { ...value, approvals: [...approvals, { by, detail, evidence }] };
  const settlement: Settlement = { cause: "declined", by, detail, evidence };
  const report = ended?.report ?? null;
  return { kind: "step", state: "done", token: token + 1, past, outcome: "failed", report, settlement };
}
