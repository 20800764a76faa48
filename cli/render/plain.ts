/**
 * A run as plain lines, for a pipe or a log: one line an event, output lines with their step's name before them.
 * Nothing is ever taken back. Lines are stable: `build  passed  1.2 s` can be searched for.
 *
 *   checkout  2 steps (run run-1)
 *   build  started on worker 12D3…abcd (attempt 1)
 *   build | cc -o main main.c
 *   build  passed  1.2 s
 *   deploy  skipped: when git.branch == "main" is false
 */

import { attemptWords } from "../../node/view/attempt.ts";
import { applyItem, newRunView } from "../../node/view/run.ts";
import type { RunView } from "../../node/view/run.ts";
import type { WatchItem } from "../../protocol/calls.ts";
import { unreachable } from "../../protocol/errors.ts";
import type { Event } from "../../protocol/events.ts";
import { mayBeGated } from "../../protocol/plan.ts";
import { awaitedWords, settledWords } from "../../node/view/settling.ts";
import { countWords, durationWords, shellWord, shortId } from "../words.ts";
import { failuresText } from "./failure.ts";
import { paint } from "./line.ts";
import { OutputStore } from "./output.ts";
import { outputLine, visible } from "./sanitize.ts";
import { stateWords, summaryLine } from "./step.ts";
import type { Renderer, RendererOptions } from "./terminal.ts";
import { exposedText } from "./exposed.ts";
import { testsText } from "./tests.ts";

export function plainRenderer({ out, color }: Pick<RendererOptions, "out" | "color">): Renderer {
  const outputs = new OutputStore();
  const said = new Set<string>();
  let view: RunView | null = null;

  const write = (line: string) => out.write(`${line}\n`);
  const writeOutput = (step: string, lines: readonly string[]) => {
    for (const line of lines) write(`${visible(step)} | ${outputLine(line, color)}`);
  };
  /** Says a fact once, however often it is told. */
  const say = (fact: string, line: string) => {
    if (said.has(fact)) return;
    said.add(fact);
    write(visible(line));
  };
  const sayEvent = (event: Event, known: RunView) => {
    if (event.kind === "attempt-ended") writeOutput(event.step, outputs.end(event.step, event.attempt));
    const line = eventLine(event, known);
    if (line !== null) say(factOf(event), line);
  };

  return {
    item(item: WatchItem) {
      switch (item.kind) {
        case "plan": {
          view ??= newRunView(item.run);
          applyItem(view, item);
          const { pipeline, steps } = item.plan;
          say("plan", `${pipeline}  ${countWords(steps.length, "step")} (run ${item.run})`);
          for (const step of steps) {
            if (!step.included) say(skipFact(step.name), `${step.name}  skipped: ${step.reason}`);
          }
          return;
        }
        case "event":
          view ??= newRunView(item.event.run);
          applyItem(view, item);
          sayEvent(item.event, view);
          return;
        case "output":
          writeOutput(item.step, outputs.push(item));
          return;
        case "notice":
          write(`otto: ${visible(item.text)}`);
          return;
        default:
          unreachable(item);
      }
    },
    close(final: RunView) {
      for (const { step, lines } of outputs.endAll()) writeOutput(step, lines);
      write("");
      for (const line of failuresText(final, (step) => outputs.recent(step))) {
        write(paint(line, { width: null, color }));
      }
      for (const line of [...exposedText(final), ...testsText(final)])
        write(paint(line, { width: null, color }));
      write(paint(summaryLine(final), { width: null, color }));
    },
  };
}

/** What makes two tellings one fact: never their time or their author. */
function factOf(event: Event): string {
  switch (event.kind) {
    case "run-admitted":
    case "run-refused":
    case "cancel-requested":
    case "outcome-signed":
    case "run-closed":
      return event.kind;
    case "attempt-started":
    case "attempt-ended":
      return JSON.stringify([event.kind, event.step, event.attempt]);
    case "result-refused":
      return JSON.stringify([event.kind, event.step, event.attempt, event.token, event.worker]);
    case "step-skipped":
      return skipFact(event.step);
    case "step-settled":
      return JSON.stringify([event.kind, event.step]);
    case "step-waiting":
    case "gate-opened":
      return JSON.stringify([event.kind, event.step, event.after ?? false]);
    case "step-answered":
      return JSON.stringify([event.kind, event.step, event.by, event.verdict, event.after ?? false]);
    default:
      return unreachable(event);
  }
}

function skipFact(step: string): string {
  return JSON.stringify(["step-skipped", step]);
}

/** The line of an event; null for one that has none: the plan's first line and the summary say these. */
function eventLine(event: Event, view: RunView): string | null {
  switch (event.kind) {
    case "run-admitted":
    case "outcome-signed":
    case "run-closed":
      return null;
    case "run-refused":
      return `${view.pipeline || "run"}  refused: ${event.reason}`;
    case "cancel-requested":
      return `${view.pipeline || "run"}  cancel requested by ${event.by}`;
    case "attempt-started":
      return `${event.step}  started on worker ${shortId(event.worker)} (attempt ${event.attempt})`;
    case "attempt-ended":
      return attemptEndedLine(event, view);
    case "result-refused":
      return `${event.step}  late result of attempt ${event.attempt} refused (${event.outcome}, worker ${shortId(event.worker)})`;
    case "step-skipped":
      return `${event.step}  skipped: ${event.reason}`;
    case "step-waiting":
      return waitingLine(event, view);
    case "gate-opened":
      return event.after === true
        ? `${event.step}  the gate behind it is open: it counts`
        : `${event.step}  its gate is open`;
    case "step-answered":
      return `${event.step}  ${event.verdict === "passed" ? "a yes" : "inconclusive"} from ${shortId(event.by)}${event.detail === "" ? "" : `: ${event.detail}`}`;
    case "step-settled": {
      const by = event.by === null ? "" : ` by ${shortId(event.by)}`;
      const words = settledWords(event);
      return `${event.step}  ${event.outcome.replace("-", " ")}${by}${words === "" ? "" : `: ${words}`}`;
    }
    default:
      return unreachable(event);
  }
}

/** Also says how it is answered: whoever reads this may be the one to do it. */
function waitingLine({ step, run }: Extract<Event, { kind: "step-waiting" }>, view: RunView): string {
  const known = view.byName.get(step);
  const words =
    known === undefined || known.settling === null ? "" : awaitedWords(known.planned, known.settling);
  const { planned = null } = known ?? {};
  const isApproval = planned !== null && (planned.action?.kind === "approve" || mayBeGated(planned));
  const how = isApproval ? ` (otto approve ${run} ${shellWord(step)})` : "";
  return `${step}  waits for ${words}${how}`;
}

function attemptEndedLine(event: Extract<Event, { kind: "attempt-ended" }>, view: RunView): string {
  const step = view.byName.get(event.step);
  const attempt = step?.attempts.find(({ attempt }) => attempt === event.attempt);
  if (!event.final || step === undefined) {
    const words = attempt === undefined ? event.cause : attemptWords(attempt);
    return `${event.step}  attempt ${event.attempt} ${words}`;
  }
  const { state } = step;
  const time =
    "durationMs" in state && state.durationMs !== null ? `  ${durationWords(state.durationMs)}` : "";
  if (state.kind === "ended") return `${event.step}  ${stateWords(state)}${time}`;
  return state.kind === "passed"
    ? `${event.step}  passed${time}`
    : `${event.step}  ${stateWords(state).replace(":", `${time}:`)}`;
}
