/**
 * The live tree on a terminal: redrawn in place while a run goes on, and a compact list of it left behind.
 *
 * Promises: no line wraps, no frame is taller than the screen, at most one frame in `limits.redrawMsMin`, nothing
 * is written while nothing changes. What has no room is counted in the last line. What steps say is stripped of
 * control sequences (`sanitize.ts`), and the cursor comes back however the process ends (`cursor.ts`).
 *
 *   checkout  running  12 s  2 of 6 steps
 *   ▸ test     9 s  attempt 2 · PASS cart.test.ts
 *   ✗ lint   1.2 s  failed: `npm run lint` exited with 1
 *   ○ deploy        waiting for test
 *   3 passed
 */

import { applyItem, newRunView } from "../../node/view/run.ts";
import { summarizeRun } from "../../node/view/summary.ts";
import type { RunView, StepView } from "../../node/view/run.ts";
import type { StepState } from "../../node/view/step-state.ts";
import type { WatchItem } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { mayBeGated } from "../../protocol/plan.ts";
import { countWords, elapsedWords, shellWord } from "../words.ts";
import { guardCursor } from "./cursor.ts";
import { failuresText } from "./failure.ts";
import { paint, paintedWidth } from "./line.ts";
import type { Line } from "./line.ts";
import { OutputStore } from "./output.ts";
import { lastOverwrite, visible } from "./sanitize.ts";
import { columnsFor, countsLine, isFailure, kindsByInterest, stepLine, summaryLine } from "./step.ts";
import type { Out, Renderer, RendererOptions } from "./terminal.ts";
import { exposedText } from "./exposed.ts";
import { testsText } from "./tests.ts";

const escape = "\u001b[";
const noWrap = `${escape}?7l`;
const wrap = `${escape}?7h`;
const clearLine = `${escape}K`;
const clearBelow = `${escape}J`;

/** Frames and the list that stays, as they would be drawn: pure, so that a test can read them. */
export type Frame = {
  readonly view: RunView;
  /** The newest line of output of a running attempt, raw. */
  readonly latest: (step: string, attempt: number) => string;
  readonly notice: string | null;
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
};

export function treeRenderer({ out, now, color, every }: RendererOptions): Renderer {
  const outputs = new OutputStore();
  const screen = new Screen(out);
  let view: RunView | null = null;
  let notice: string | null = null;

  const draw = () => {
    if (view === null && notice === null) return;
    const { columns, rows } = sizeOf(out);
    const frame: Frame = {
      view: view ?? newRunView(""),
      latest: (step, attempt) => outputs.latest(step, attempt),
      notice,
      nowMs: now(),
      columns,
      rows,
    };
    // The last column stays free: after a character there, "clear to the end of the line" would clear it.
    screen.draw(frameLines(frame).map((line) => paint(line, { width: columns - 1, color })));
  };
  const cursor = guardCursor(out, () => screen.forget());
  const stop = every(limits.redrawMsMin, draw);

  return {
    item(item: WatchItem) {
      switch (item.kind) {
        case "notice":
          notice = item.text;
          return;
        case "output":
          outputs.push(item);
          return;
        case "plan":
        case "event":
          notice = null;
          view ??= newRunView(item.kind === "plan" ? item.run : item.event.run);
          applyItem(view, item);
      }
    },
    close(final: RunView) {
      stop();
      outputs.endAll();
      const lines = [...finalLines(final, now(), sizeOf(out).columns), []];
      lines.push(...failuresText(final, (step) => outputs.recent(step)));
      lines.push(...exposedText(final), ...testsText(final), summaryLine(final));
      screen.draw([]);
      for (const line of lines) out.write(`${paint(line, { width: null, color })}\n`);
      cursor.release();
    },
  };
}

/** What a screen of this size shows now: at most `rows - 1` lines, for the cursor stands below them. */
export function frameLines(frame: Frame): readonly Line[] {
  const { view, nowMs } = frame;
  const room = Math.max(1, frame.rows - 1);
  const head = [headLine(view, nowMs)];
  if (frame.notice !== null) head.push([{ text: `! ${frame.notice}`, style: "yellow" }]);
  const asked = view.steps.find(
    ({ state, planned }) =>
      state.kind === "pending" &&
      planned !== null &&
      (planned.action?.kind === "approve" || mayBeGated(planned)),
  );
  if (asked !== undefined) {
    const answer = `otto approve ${view.run} ${shellWord(asked.name)}`;
    head.push([
      {
        text: `? ${visible(asked.name)} waits for a yes; in another terminal: ${visible(answer)}`,
        style: "yellow",
      },
    ]);
  }
  const { shown, hidden } = chooseSteps(view, room - head.length);
  const columns = columnsFor(shown, nowMs, frame.columns);
  const lines = shown.map((step) =>
    stepLine(step, columns, nowMs, lastOverwrite(latestOf(step, frame)).trim()),
  );
  const counts = countsLine(hidden);
  return [...head, ...lines, ...(counts.length > 0 ? [counts] : [])].slice(0, room);
}

/** The list that stays on the screen: all steps of a small run; of a large one those that need a look. */
function finalLines(view: RunView, nowMs: number, width: number): readonly Line[] {
  const few = view.steps.length <= limits.shownFinalStepsMax;
  const steps = few ? view.steps : view.steps.filter(needsALook).slice(0, limits.shownFinalStepsMax);
  const columns = columnsFor(steps, nowMs, width);
  const lines = steps.map((step) => stepLine(step, columns, nowMs, ""));
  if (!few) {
    const rest = view.steps.length - steps.length;
    lines.push([{ text: `… and ${countWords(rest, "more step")}`, style: "dim" }]);
  }
  return lines;
}

/** Lines on the screen that are replaced by the next ones. */
class Screen {
  readonly #out: Out;
  #drawn: readonly string[] = [];
  #columns = 0;

  constructor(out: Out) {
    this.#out = out;
  }

  draw(lines: readonly string[]): void {
    const { columns } = sizeOf(this.#out);
    const same = columns === this.#columns && lines.length === this.#drawn.length;
    if (same && lines.every((line, index) => line === this.#drawn[index])) return;
    const body = lines.map((line) => `${line}${clearLine}\n`).join("");
    this.#out.write(`${noWrap}${this.#toTop()}${body}${clearBelow}${wrap}`);
    this.#drawn = lines;
    this.#columns = columns;
  }

  /** Something else was written: the next frame begins where the cursor is. */
  forget(): void {
    this.#drawn = [];
  }

  /**
   * A terminal that became narrower has broken our lines into more rows (nearly all do). One that became lower has
   * scrolled the top away: the cursor stops at the first row by itself.
   */
  #toTop(): string {
    const { columns } = sizeOf(this.#out);
    let up = 0;
    for (const line of this.#drawn) up += Math.max(1, Math.ceil(paintedWidth(line) / columns));
    return up > 0 ? `\r${escape}${up}A` : "\r";
  }
}

function headLine(view: RunView, nowMs: number): Line {
  const { state, steps, ended, exposed } = summarizeRun(view);
  const waiting = view.plan === null || view.startedMs === null;
  const words = view.cancel !== null && view.closed === null ? "cancelling" : state;
  return [
    { text: view.pipeline || "run", style: "bold" },
    { text: `  ${words}` },
    { text: waiting ? "" : `  ${elapsedWords(nowMs - (view.startedMs ?? nowMs))}` },
    { text: steps === 0 ? "" : `  ${ended} of ${countWords(steps, "step")}`, style: "dim" },
    { text: exposed === true ? "  exposed" : "", style: "red" },
  ];
}

/**
 * Running and failed steps are shown as far as there is room. Of the other states each is shown whole or only
 * counted, so that the list does not jump about while it moves through a large plan.
 */
function chooseSteps(
  view: RunView,
  room: number,
): { readonly shown: readonly StepView[]; readonly hidden: RunView["counts"] } {
  const byKind = new Map<StepState["kind"], StepView[]>();
  for (const step of view.steps) {
    const group = byKind.get(step.state.kind);
    if (group === undefined) byKind.set(step.state.kind, [step]);
    else group.push(step);
  }
  const hidden = { ...view.counts };
  const all = view.steps.length <= room;
  // One line is for the counts of what has no room.
  let left = Math.max(0, all ? room : room - 1);
  const shown: StepView[] = [];
  for (const kind of kindsByInterest) {
    const group = byKind.get(kind) ?? [];
    const partly = kind === "running" || kind === "failed" || kind === "timed-out";
    if (group.length > left && !partly) continue;
    const taken = group.slice(0, left);
    shown.push(...taken);
    hidden[kind] -= taken.length;
    left -= taken.length;
  }
  return { shown, hidden };
}

function latestOf({ name, state }: StepView, { latest }: Frame): string {
  return state.kind === "running" ? latest(name, state.attempt) : "";
}

function needsALook({ state, attempts }: StepView): boolean {
  return isFailure(state) || state.kind === "cancelled" || attempts.length > 1;
}

function sizeOf({ columns, rows }: Out): { readonly columns: number; readonly rows: number } {
  // 0 is what some terminals say when they do not know.
  return { columns: columns || 80, rows: rows || 24 };
}
