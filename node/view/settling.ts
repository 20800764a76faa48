/** What was told of a step that no worker does, or that waits at a gate: since when, who has answered, what settled it. */

import type { Event, GateOpened, StepAnswered, StepSettled, StepWaiting } from "../../protocol/events.ts";
import { mayBeGated, type PlannedStep } from "../../protocol/plan.ts";
import { earlier } from "./fact.ts";

export type SettlingView = {
  waiting: StepWaiting | null;
  /** One a person and verdict, the earliest telling of each, by time. */
  answers: readonly StepAnswered[];
  settled: StepSettled | null;
  /** The gate of a guarded step. */
  opened: GateOpened | null;
  /** What was told of the gate behind it. */
  behind: { waiting: StepWaiting | null; opened: GateOpened | null };
};

export type SettlingEvent = Extract<
  Event,
  { kind: "step-waiting" | "step-answered" | "step-settled" | "gate-opened" }
>;

export function newSettling(): SettlingView {
  return { waiting: null, answers: [], settled: null, opened: null, behind: { waiting: null, opened: null } };
}

export function applySettling(view: SettlingView, event: SettlingEvent): void {
  switch (event.kind) {
    case "step-waiting":
      gateIn(view, event).waiting = earlier(gateIn(view, event).waiting, event);
      return;
    case "gate-opened":
      gateIn(view, event).opened = earlier(gateIn(view, event).opened, event);
      return;
    case "step-settled":
      view.settled = earlier(view.settled, event);
      return;
    case "step-answered": {
      const same = (fact: StepAnswered): boolean =>
        fact.by === event.by && fact.verdict === event.verdict && fact.after === event.after;
      const best = earlier(view.answers.find(same) ?? null, event);
      const others = view.answers.filter((fact) => !same(fact));
      view.answers = [...others, best].sort(
        (a, b) => a.timeMs - b.timeMs || (a.by < b.by ? -1 : 1) || (a.verdict < b.verdict ? -1 : 1),
      );
    }
  }
}

function gateIn(view: SettlingView, { after }: StepWaiting | GateOpened): SettlingView["behind"] {
  return after === true ? view.behind : view;
}

/** What the step waits for: "approval: Does it look good? (1 of 2)". */
export function awaitedWords(planned: PlannedStep | null, { answers, behind }: SettlingView): string {
  const action = planned?.action;
  if (action?.kind === "approve") {
    const yes = answers.filter(({ verdict }) => verdict === "passed").length;
    const count = action.count > 1 ? ` (${yes} of ${action.count})` : "";
    const who = action.by.length === 0 ? "" : `, by ${action.by.join(" or ")}`;
    return `approval: ${action.question}${count}${who}`;
  }
  if (planned !== null && mayBeGated(planned)) {
    const isBehind = behind.waiting !== null;
    const yes = answers.filter(
      ({ verdict, after = false }) => verdict === "passed" && after === isBehind,
    ).length;
    return `the gate ${isBehind ? "behind it" : `of ${planned.environment}`}${yes === 0 ? "" : ` (${yes} ${yes === 1 ? "approval" : "approvals"} so far)`}`;
  }
  if (action?.kind !== "wait") return "its answer";
  const poll = action.poll === null ? [] : [`${action.poll.url} to answer as it should`];
  const callback = action.callback === null ? [] : [`the callback ${action.callback}`];
  return [...callback, ...poll].join(" or ");
}

/** Why a step ended as it did, without a full stop; empty when there is nothing to say. */
export function settledWords({ cause, outcome, detail }: StepSettled): string {
  const more = detail === "" ? "" : `: ${detail}`;
  switch (cause) {
    case "approved":
      return `approved${more}`;
    case "declined":
      return `declined${more}`;
    case "callback":
      return `the callback said ${outcome}${more}`;
    case "poll":
    case "members":
    case "released":
      return detail;
    case "expired":
      return "nobody settled it in time";
  }
}
