/**
 * What a register may do, once more and by itself: nothing here is taken from the code that is judged by it.
 *
 * A state is a text, so that states are equal when their texts are; the empty text is a register that nobody has written.
 */

import type { Input, RunInput, ScheduleInput, StepInput } from "./operation.ts";

/** The state after an operation, or null when it cannot happen in this one. */
export function apply(register: string, state: string, input: Input): string | null {
  if (register.startsWith("step/")) return applyStep(state, input as StepInput);
  if (register.startsWith("run/")) return applyRun(state, input as RunInput);
  return applySchedule(state, input as ScheduleInput);
}

/**
 * queued/T, at a gate or not, leased/T/nonce/worker, waiting/T/people, held/T, done/T; behind a bar the tokens under which workers finished,
 * each with its worker.
 */
function applyStep(state: string, input: StepInput): string | null {
  const [now = "", finished = ""] = (state === "" ? "queued/0|" : state).split("|");
  const [phase, tokenText, holder = "", worker = ""] = now.split("/");
  const token = Number(tokenText);
  const isHeld = (by: { readonly token: number; readonly worker: string }) =>
    phase === "leased" && by.token === token && by.worker === worker;
  switch (input.kind) {
    case "claim":
      if (phase !== "queued" || input.token !== token + 1) return null;
      return `leased/${input.token}/${input.nonce.replaceAll("/", ":")}/${input.worker}|${finished}`;
    case "finish": {
      if (!isHeld(input)) return null;
      const ended = input.held === true ? `held/${token}` : `done/${token}`;
      const next = input.again ? `queued/${token + 1}` : ended;
      return `${next}|${finished},${token}:${worker}`;
    }
    case "expire":
      if (phase !== "leased" || input.token !== token) return null;
      return `${input.again ? "queued" : "done"}/${token + 1}|${finished}`;
    case "await":
      return state === "" ? "waiting/1/|" : null;
    case "answer":
      if (phase !== "waiting" || holder.split(",").includes(input.by)) return null;
      return `waiting/${token}/${holder},${input.by}|`;
    case "settle":
      if (phase === "held" || phase === "queued") return `done/${token + 1}|${finished}`;
      return phase === "waiting" ? `done/${token + 1}|` : null;
    case "permit":
      return phase === "held" ? `done/${token}|${finished}` : null;
    case "told-stale":
      return isHeld(input) ? null : state;
    case "told-duplicate":
      // Somebody's result counted under this token; a worker that claims another's is told no more than that.
      return finished.split(",").some((end) => end.startsWith(`${input.token}:`)) ? state : null;
    default:
      return null;
  }
}

/** open, cancelled/by, closed/outcome. */
function applyRun(state: string, input: RunInput): string | null {
  const [phase] = state.split("/");
  switch (input.kind) {
    case "admit":
      return state === "" ? "open" : null;
    case "cancel":
      return phase === "open" ? `cancelled/${input.by}` : null;
    case "close":
      if (phase === "cancelled") return input.outcome === "cancelled" ? "closed/cancelled" : null;
      return phase === "open" ? `closed/${input.outcome}` : null;
    case "told-closed":
      return phase === "closed" ? state : null;
    case "told-absent":
      return state === "" ? state : null;
    default:
      return null;
  }
}

/** revision/order/settled; no order: it was removed. */
function applySchedule(state: string, input: ScheduleInput): string | null {
  const [revisionText = "0", order = "", settledText = "0"] = state === "" ? ["0"] : state.split("/");
  const [revision, settledMs] = [Number(revisionText), Number(settledText)];
  switch (input.kind) {
    case "set":
      if (input.revision <= revision || (order !== "" && input.sinceMs < settledMs)) return null;
      return `${input.revision}/${input.order}/${input.sinceMs}`;
    case "remove":
      return order === "" ? null : `${revision}//${settledMs}`;
    case "fire":
      if (input.order !== order || input.throughMs <= settledMs) return null;
      return `${revision}/${order}/${input.throughMs}`;
    default:
      return null;
  }
}
