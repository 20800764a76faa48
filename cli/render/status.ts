/**
 * Runs as text: a table of many, and one with its steps, their attempts and what failed.
 */

import { attemptWords, workerOf } from "../../node/view/attempt.ts";
import type { RunView, StepView } from "../../node/view/run.ts";
import type { RunState, RunSummary } from "../../protocol/calls.ts";
import { agoWords, durationWords, elapsedWords, shortId } from "../words.ts";
import { exposedText } from "./exposed.ts";
import { failuresText } from "./failure.ts";
import { paint } from "./line.ts";
import type { Line, Style } from "./line.ts";
import { columnsFor, stepLine, summaryLine } from "./step.ts";
import { tableLines } from "./table.ts";
import { testsText } from "./tests.ts";

type Options = {
  readonly nowMs: number;
  readonly color: boolean;
  /** Of the terminal; null in a pipe, where nothing is cut. */
  readonly columns: number | null;
};

const stateStyles: Record<RunState, Style> = {
  waiting: "dim",
  running: "cyan",
  passed: "green",
  failed: "red",
  cancelled: "yellow",
  refused: "red",
};

/** The runs in the order given. */
export function runsTable(runs: readonly RunSummary[], options: Options): readonly string[] {
  if (runs.length === 0) return ["No runs yet. Start one with `otto run`."];
  const isAnyExposed = runs.some(({ exposed }) => exposed === true);
  const rows = runs.map((run) => [
    { text: run.run },
    { text: run.pipeline },
    { text: run.state, style: stateStyles[run.state] },
    { text: `${run.ended}/${run.steps}` },
    { text: run.failed === 0 ? "" : String(run.failed), style: "red" as const },
    { text: run.startedMs === null ? "" : agoWords(run.startedMs, options.nowMs) },
    { text: tookWords(run, options.nowMs) },
    ...(isAnyExposed ? [{ text: run.exposed === true ? "exposed" : "", style: "red" as const }] : []),
  ]);
  const headings = [
    { title: "RUN" },
    { title: "PIPELINE" },
    { title: "STATE" },
    { title: "STEPS", side: "right" as const },
    { title: "FAILED", side: "right" as const },
    { title: "STARTED" },
    { title: "TOOK" },
    ...(isAnyExposed ? [{ title: "SECRETS" }] : []),
  ];
  return painted(tableLines(headings, rows), options);
}

/** One run: its steps in the order of the plan, the attempts of each that had trouble, failures, the summary. */
export function runText(view: RunView, options: Options): readonly string[] {
  const columns = columnsFor(view.steps, options.nowMs, options.columns ?? 100);
  const lines: Line[] = [];
  for (const step of view.steps)
    lines.push(stepLine(step, columns, options.nowMs, ""), ...attemptLines(step));
  if (lines.length > 0) lines.push([]);
  lines.push(...failuresText(view, () => []), ...exposedText(view), ...testsText(view), summaryLine(view));
  return painted(lines, { ...options, columns: null });
}

/** What happened to each attempt, when there is more to say than that the only one ended. */
function attemptLines({ attempts }: StepView): readonly Line[] {
  if (attempts.length < 2 && attempts.every(({ refused }) => refused.length === 0)) return [];
  return attempts.map((attempt) => {
    const worker = workerOf(attempt);
    const where = worker === null ? "" : ` on worker ${shortId(worker)}`;
    return [{ text: `    attempt ${attempt.attempt}${where}: ${attemptWords(attempt)}`, style: "dim" }];
  });
}

function tookWords({ startedMs, endedMs }: RunSummary, nowMs: number): string {
  if (startedMs === null) return "";
  return endedMs === null ? elapsedWords(nowMs - startedMs) : durationWords(endedMs - startedMs);
}

function painted(lines: readonly Line[], { columns, color }: Options): readonly string[] {
  return lines.map((line) => paint(line, { width: columns, color }));
}
