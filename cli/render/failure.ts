/**
 * What a person needs of a step that failed, at the end of a run: which command, how it ended, its last lines,
 * and where all of it is.
 */

import { workerOf } from "../../node/view/attempt.ts";
import type { RunView, StepView } from "../../node/view/run.ts";
import { unreachable } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import type { CommandReport, StepReport } from "../../protocol/report.ts";
import { countWords, durationWords, shellWord, shortId } from "../words.ts";
import type { Line } from "./line.ts";
import { outputLine } from "./sanitize.ts";
import { isFailure } from "./step.ts";

/**
 * The failing steps of a run, at most `limits.shownFailuresMax` of them in full.
 *
 * @param recent the last lines of a step's output as they were watched, raw: for a step that left no report.
 */
export function failuresText(view: RunView, recent: (step: string) => readonly string[]): readonly Line[] {
  const failing = view.steps.filter(({ state }) => isFailure(state));
  const lines: Line[] = [];
  for (const step of failing.slice(0, limits.shownFailuresMax)) {
    lines.push(...failureText(step, view.run, recent(step.name)), []);
  }
  const more = failing.slice(limits.shownFailuresMax).map(({ name }) => name);
  if (more.length > 0) {
    const names = more.slice(0, limits.shownTailLinesMax).join(", ");
    const rest = more.length > limits.shownTailLinesMax ? ", …" : "";
    lines.push([{ text: `${countWords(more.length, "more step")} failed: ${names}${rest}` }], []);
  }
  return lines;
}

/** One failing step. Nothing for a step that did not fail. */
function failureText(step: StepView, run: string, recent: readonly string[]): readonly Line[] {
  const { state } = step;
  if (state.kind !== "failed" && state.kind !== "timed-out") return [];
  const attempt = step.attempts.at(-1);
  const worker = attempt === undefined ? null : workerOf(attempt);
  const circumstances = [
    ...(state.durationMs === null ? [] : [`after ${durationWords(state.durationMs)}`]),
    ...(worker === null ? [] : [`on worker ${shortId(worker)}`]),
    ...(attempt === undefined ? [] : [`(attempt ${attempt.attempt})`]),
  ].join(" ");
  const logs = `otto logs ${shellWord(run)} ${shellWord(step.name)}`;
  const whereItsOutputIs: Line = [{ text: `  All of its output: ${logs}`, style: "dim" }];
  return [
    [
      { text: "✗ ", style: "red" },
      { text: step.name, style: ["red", "bold"] },
      { text: ` ${state.kind === "failed" ? "failed" : "timed out"} ` },
      { text: circumstances, style: "dim" },
    ],
    [{ text: `  ${howItEnded(step, state.report) ?? state.reason}` }],
    ...lastLines(state.report, recent).map((text): Line => [{ text: "  | ", style: "dim" }, { text }]),
    ...(step.settling === null ? [whereItsOutputIs] : []),
  ];
}

/** "`npm test` exited with 1"; null when no command is to blame. */
function howItEnded(step: StepView, report: StepReport | null): string | null {
  const last = report?.commands.at(-1);
  if (report === null || last === undefined) return null;
  const ended = endWords(last, step);
  if (ended === null) return report.problem === "" ? null : report.problem;
  return `\`${commandWords(step, report.commands.length - 1)}\` ${ended}`;
}

function endWords({ end }: CommandReport, step: StepView): string | null {
  switch (end.kind) {
    case "exit":
      return end.code === 0 ? null : `exited with ${end.code}`;
    case "signal":
      return `was ended by ${end.signal}`;
    case "timed-out": {
      const limit =
        step.planned === null ? "" : `: the step may take ${durationWords(step.planned.timeoutMs)}`;
      return `ran out of time${limit}`;
    }
    case "cancelled":
      return "was cancelled";
    case "not-started":
      return `could not be started: ${end.problem}`;
    default:
      return unreachable(end);
  }
}

function commandWords(step: StepView, index: number): string {
  if (step.planned?.action?.kind === "uses") return step.planned.action.library;
  const [first = `command ${index + 1}`, ...rest] = step.planned?.commands[index]?.trim().split("\n") ?? [];
  return rest.length > 0 ? `${first} …` : first;
}

function lastLines(report: StepReport | null, recent: readonly string[]): readonly string[] {
  const raw = report === null || report.tail === "" ? recent : report.tail.replace(/\r?\n$/, "").split("\n");
  const shown = raw
    .map((line) => outputLine(line, false))
    .filter((line, index, all) => {
      // A gap of several empty lines says no more than one.
      return line.trim() !== "" || (all[index - 1] ?? "").trim() !== "";
    });
  return shown.slice(-limits.shownTailLinesMax);
}
