/**
 * One step as words: its mark, its time, and what there is to say about it. The tree, the final list and
 * `otto status` all say it with these.
 */

import { outcomeOfState, type StepState } from "../../node/view/step-state.ts";
import type { RunView, StepView } from "../../node/view/run.ts";
import { requirementsOf } from "../../protocol/plan.ts";
import { unreachable } from "../../protocol/errors.ts";
import { countWords, durationWords, elapsedWords } from "../words.ts";
import type { Line, Span, Style } from "./line.ts";
import { cut, fitText, textWidth } from "./line.ts";
import { visible } from "./sanitize.ts";

type Kind = StepState["kind"];

const marks: Record<Kind, { readonly mark: string; readonly style: Style }> = {
  running: { mark: "▸", style: "cyan" },
  pending: { mark: "?", style: "yellow" },
  ready: { mark: "○", style: "dim" },
  waiting: { mark: "○", style: "dim" },
  passed: { mark: "✓", style: "green" },
  ended: { mark: "→", style: "cyan" },
  failed: { mark: "✗", style: "red" },
  "timed-out": { mark: "✗", style: "red" },
  cancelled: { mark: "■", style: "yellow" },
  skipped: { mark: "-", style: "dim" },
};

/** Every state in the order in which a person wants to see it. */
export const kindsByInterest: readonly Kind[] = [
  "running",
  "pending",
  "failed",
  "timed-out",
  "cancelled",
  "ready",
  "waiting",
  "ended",
  "passed",
  "skipped",
];

const kindWords: Record<Kind, string> = {
  running: "running",
  pending: "waiting for an answer",
  ready: "queued",
  waiting: "waiting",
  passed: "passed",
  ended: "ended otherwise",
  failed: "failed",
  "timed-out": "timed out",
  cancelled: "cancelled",
  skipped: "skipped",
};

export type Columns = { readonly name: number; readonly time: number };

/** Names and times of these steps in columns, names in at most two fifths of the width. */
export function columnsFor(steps: readonly StepView[], nowMs: number, width: number): Columns {
  const nameMax = Math.max(8, Math.floor(width * 0.4));
  let name = 0;
  let time = 0;
  for (const step of steps) {
    name = Math.max(name, Math.min(nameMax, textWidth(visible(step.name))));
    time = Math.max(time, timeOfStep(step, nowMs).length);
  }
  return { name, time };
}

/** `▸ test    12 s  attempt 2 · PASS cart.test.ts`; `latest` is the newest line of its output, raw. */
export function stepLine(step: StepView, columns: Columns, nowMs: number, latest: string): Line {
  const { mark, style } = marks[step.state.kind];
  const name = visible(step.name);
  const line: Span[] = [
    { text: `${mark} `, style },
    { text: fitText(name, columns.name), ...nameStyle(step.state.kind) },
  ];
  if (columns.time > 0) {
    line.push({ text: `  ${fitText(timeOfStep(step, nowMs), columns.time, "right")}`, style: "dim" });
  }
  const words = [...attemptCount(step), standingWords(step)].filter((word) => word !== "").join(" · ");
  if (words !== "") line.push({ text: `  ${words}`, style });
  if (step.state.kind === "running" && latest !== "") {
    line.push({ text: words === "" ? "  " : " · ", style: "dim" }, { text: latest, style: "dim" });
  }
  return line;
}

/** "3 queued, 12 passed": how many of each, in order of interest; of all steps or of those given. */
export function countsLine(counts: RunView["counts"], kinds: readonly Kind[] = kindsByInterest): Line {
  const line: Span[] = [];
  for (const kind of kinds) {
    if (counts[kind] === 0) continue;
    if (line.length > 0) line.push({ text: ", ", style: "dim" });
    line.push({ text: `${counts[kind]} ${kindWords[kind]}`, style: marks[kind].style });
  }
  return line;
}

/** The last line of a run: "checkout failed: 1 failed, 3 passed in 12.3 s (run run-1)". */
export function summaryLine(view: RunView): Line {
  const state = view.state;
  const style: Style =
    state === "passed"
      ? ["green", "bold"]
      : state === "failed" || state === "refused"
        ? ["red", "bold"]
        : "bold";
  const line: Span[] = [{ text: `${view.pipeline || "run"} ${state}`, style }];
  const counts = countsLine(view.counts);
  if (state === "refused") line.push({ text: `: ${view.refused?.reason ?? "no reason given"}` });
  else if (counts.length > 0) line.push({ text: ": " }, ...counts);
  if (view.startedMs !== null && view.endedMs !== null && state !== "refused") {
    line.push({ text: ` in ${durationWords(view.endedMs - view.startedMs)}` });
  }
  line.push({ text: ` (run ${view.run})`, style: "dim" });
  return line;
}

export function isFailure(state: StepState): boolean {
  return state.kind === "failed" || state.kind === "timed-out";
}

/** A step that is queued for certain workers alone says for which: perhaps there are none. */
function standingWords({ state, planned }: StepView): string {
  const labels = planned === null || planned === undefined ? [] : requirementsOf(planned);
  if (state.kind !== "ready" || labels.length === 0) return stateWords(state);
  return `queued for a worker with the label${labels.length === 1 ? "" : "s"} ${visible(labels.join(", "))}`;
}

/** What the state says beyond its mark and time; empty for a step that passed or just runs. */
export function stateWords(state: StepState): string {
  switch (state.kind) {
    case "running":
      return "";
    case "pending":
      return `waiting for ${firstLine(state.words)}`;
    case "passed":
      return state.report === null ? firstLine(state.reason) : "";
    case "ended":
      return `ended as ${visible(state.outcome)}`;
    case "ready":
      return "queued";
    case "waiting":
      return waitingWords(state.for);
    case "failed":
    case "timed-out":
    case "cancelled":
    case "skipped":
      return state.reason === kindWords[state.kind]
        ? state.reason
        : `${kindWords[state.kind]}: ${firstLine(state.reason)}`;
    default:
      return unreachable(state);
  }
}

function waitingWords(needs: ReadonlySet<string>): string {
  const shown: string[] = [];
  for (const need of needs) {
    if (shown.length === 3) break;
    shown.push(cut(visible(need), 40));
  }
  if (shown.length === 0) return "waiting";
  const more = needs.size - shown.length;
  return `waiting for ${shown.join(", ")}${more > 0 ? ` and ${countWords(more, "other")}` : ""}`;
}

function attemptCount(step: StepView): readonly string[] {
  const latest = step.attempts.at(-1)?.attempt ?? 0;
  return latest > 1 ? [`attempt ${latest}`] : [];
}

function timeOfStep(step: StepView, nowMs: number): string {
  const { state } = step;
  if (state.kind === "running" || state.kind === "pending") return elapsedWords(nowMs - state.sinceMs);
  if (outcomeOfState(state) === null || state.kind === "skipped") return "";
  return "durationMs" in state && state.durationMs !== null ? durationWords(state.durationMs) : "";
}

function nameStyle(kind: Kind): { readonly style?: Style } {
  if (kind === "running" || kind === "failed" || kind === "timed-out") return { style: "bold" };
  return kind === "passed" || kind === "cancelled" ? {} : { style: "dim" };
}

function firstLine(text: string): string {
  const [first = "", ...rest] = text.split("\n");
  return rest.length > 0 ? `${first} …` : first;
}
