/**
 * Steps that take virtual time and end as the seed says. One step's end depends on the run, the step and the
 * attempt alone, never on which worker runs it or what else happened.
 */

import type { Assignment, Executor, ExecutorObserver } from "../node/ports.ts";
import type { Scalar } from "../protocol/plan.ts";
import type { CommandReport, StepReport } from "../protocol/report.ts";
import { sha256Hex } from "../protocol/values.ts";
import type { Agenda, Happening } from "./agenda.ts";
import { hashBetween, hashOf } from "./random.ts";

const passed = { kind: "exit", code: 0 } as const;

export type ExecutorOptions = {
  readonly seed: number;
  readonly agenda: Agenda;
  readonly observer: ExecutorObserver;
  /** Of a hundred attempts so many fail, and so many run out of time. */
  readonly failing: { readonly failed: number; readonly timedOut: number };
  readonly durationMsMax: number;
};

export class SimulatedExecutor implements Executor {
  readonly #options: ExecutorOptions;
  readonly #running = new Map<string, { readonly startedUs: number; readonly end: Happening }>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  start(assignment: Assignment): void {
    const { seed, agenda, durationMsMax, observer } = this.#options;
    const { id, run, step, attempt } = assignment;
    const short = hashOf(seed, run, step, "short") % 3 === 0;
    const durationUs = hashBetween(
      1_000,
      (short ? 30 : durationMsMax) * 1_000,
      seed,
      run,
      step,
      attempt,
      "us",
    );
    const report = this.#reportOf(assignment, durationUs);
    const end = agenda.in(durationUs, () => this.#end(id, report));
    this.#running.set(id, { startedUs: agenda.nowUs, end });
    observer.output(id, 0, new TextEncoder().encode(`${step}\n`));
  }

  stop(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.end.action = null;
    const { agenda, seed } = this.#options;
    const takesUs = hashBetween(0, 200_000, seed, id, "stopping");
    const durationMs = Math.round((agenda.nowUs - running.startedUs) / 1_000);
    this.#running.set(id, {
      startedUs: running.startedUs,
      end: agenda.in(takesUs, () => this.#end(id, emptyReport("cancelled", "stopped", durationMs))),
    });
  }

  close(): Promise<void> {
    for (const { end } of this.#running.values()) end.action = null;
    this.#running.clear();
    return Promise.resolve();
  }

  #end(id: string, report: StepReport): void {
    this.#running.delete(id);
    this.#options.observer.ended(id, report);
  }

  #reportOf(assignment: Assignment, durationUs: number): StepReport {
    const { seed, failing } = this.#options;
    const { run, step, attempt, token, outputs, commands, values, outcomes } = assignment;
    const fate = hashBetween(0, 99, seed, run, step, attempt, "fate");
    const durationMs = Math.round(durationUs / 1_000);
    const ended = (last: CommandReport["end"]): CommandReport[] =>
      commands.map((_, index) => {
        const end = index === commands.length - 1 ? last : passed;
        return { startedMs: 0, durationMs, logOffset: 0, end };
      });
    if (fate < failing.failed) {
      const report = emptyReport("failed", "`make` exited with 1", durationMs);
      return { ...report, commands: ended({ kind: "exit", code: 1 }) };
    }
    if (fate < failing.failed + failing.timedOut)
      return { ...emptyReport("timed-out", "too slow", durationMs), commands: ended({ kind: "timed-out" }) };
    const encoder = new TextEncoder();
    // Each attempt says something else: whoever is handed what another attempt said is seen.
    const said = values.map(({ name, type }) => {
      if (type === "string") return [name, [run, step, attempt, token, name].join(" ")];
      const number = hashOf(seed, run, step, attempt, token, name);
      return [name, type === "number" ? number : number % 2 === 0];
    });
    const own = outcomes[hashOf(seed, run, step, attempt, "own outcome") % (outcomes.length + 1)];
    return {
      ...emptyReport("passed", "", durationMs),
      commands: ended(passed),
      ...(said.length > 0 ? { values: Object.fromEntries(said) as Record<string, Scalar> } : {}),
      ...(own === undefined ? {} : { ownOutcome: own }),
      outputs: outputs.map(({ name }) => ({
        name,
        tree: sha256Hex(encoder.encode([run, step, attempt, token, name].join(" "))),
        files: 1,
        bytes: 10,
      })),
    };
  }
}

function emptyReport(outcome: StepReport["outcome"], problem: string, durationMs: number): StepReport {
  const log = { bytes: 0, droppedBytes: 0, digest: null };
  return { outcome, problem, durationMs, commands: [], outputs: [], log, tail: "" };
}
