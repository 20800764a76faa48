/**
 * Steps that take virtual time and end as the seed says. One step's end depends on the run, the step and the
 * attempt alone, never on which worker runs it or what else happened.
 *
 * A deadline holds also while the worker's process stands still, as with a real one, whose runner keeps it.
 *
 * An unruly step does not stop when it is asked to, but when it is killed; it prints without end, or runs until its time
 * is up. While the machine sleeps so do its steps.
 */

import type { Assignment, Clock, Executor, ExecutorObserver, Timer } from "../node/ports.ts";
import type { Scalar } from "../protocol/plan.ts";
import type { CommandReport, StepReport } from "../protocol/report.ts";
import { sha256Hex } from "../protocol/values.ts";
import type { Agenda, Happening } from "./agenda.ts";
import { hashBetween, hashOf } from "./random.ts";
import { workerStopMs } from "../node/core/leases.ts";

const passed = { kind: "exit", code: 0 } as const;

export type ExecutorOptions = {
  readonly seed: number;
  readonly agenda: Agenda;
  /** The machine's: it goes on while the worker's process is stopped. */
  readonly clock: Pick<Clock, "monotonicMs" | "setTimer">;
  readonly observer: ExecutorObserver;
  /** Of a hundred attempts so many fail, and so many run out of time. */
  readonly failing: { readonly failed: number; readonly timedOut: number };
  readonly durationMsMax: number;
  readonly leaseMs: number;
  /** Asked as a step is started or stopped. */
  readonly isUnruly: () => boolean;
  /** Of these steps, least and most. */
  readonly durationsMs?: Readonly<Record<string, readonly [least: number, most: number]>> | undefined;
  /** How many times as long as elsewhere they take here. */
  readonly slowness?: number | undefined;
};

type Running = {
  readonly startedUs: number;
  readonly report: StepReport;
  /** It was asked to stop: asked again, it is killed no later. */
  readonly isStopping: boolean;
  end: Happening;
};

/** How many pieces an unruly step prints, and how long one is. */
const floodPieces = 60;
const floodBytes = 1_024;

export class SimulatedExecutor implements Executor {
  readonly #options: ExecutorOptions;
  readonly #running = new Map<string, Running>();
  readonly #deadlines = new Map<string, Timer>();
  /** What each step that was frozen has left to run. */
  #frozen = new Map<string, number>();
  /** All that each has written. */
  readonly #written = new Map<string, Uint8Array>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
  }

  read(id: string, offset: number, bytesMax: number): Uint8Array {
    return (this.#written.get(id) ?? new Uint8Array()).subarray(offset, offset + bytesMax);
  }

  /** True when an attempt that was to be over by then would begin no more. */
  isLate(deadlineMs: number | undefined): boolean {
    return deadlineMs !== undefined && deadlineMs <= this.#options.clock.monotonicMs();
  }

  start(assignment: Assignment, deadlineMs?: number): void {
    const { agenda } = this.#options;
    if (this.isLate(deadlineMs)) return this.#endUnbegun(assignment.id);
    const { id, run, step, attempt } = assignment;
    const durationUs = this.#durationUs(assignment);
    const unruly = this.#options.isUnruly();
    const hangs = unruly && hashOf(this.#options.seed, id, "hangs") % 4 === 0;
    const runsUs = hangs ? assignment.timeoutMs * 1_000 : durationUs;
    const report = this.#reportOf(assignment, runsUs, hangs);
    this.#run(id, { startedUs: agenda.nowUs, report, isStopping: false }, runsUs);
    if (deadlineMs !== undefined) this.setDeadline(id, deadlineMs);
    const said = new TextEncoder().encode(`${step} ${canaryOf(run, step, attempt)}\n`);
    this.#write(id, said);
    agenda.in(Math.floor(durationUs / 2), () => this.#write(id, said));
    if (unruly) this.#flood(id, Math.min(durationUs, 2_000_000));
  }

  #write(id: string, bytes: Uint8Array): void {
    if (!this.#running.has(id) || this.#frozen.has(id)) return;
    const before = this.#written.get(id) ?? new Uint8Array();
    this.#written.set(id, Buffer.concat([before, bytes]));
    this.#options.observer.output(id, before.length, bytes);
  }

  #durationUs({ run, step, attempt, timeoutMs }: Assignment): number {
    const { seed, durationMsMax, durationsMs, slowness = 1 } = this.#options;
    const short = hashOf(seed, run, step, "short") % 3 === 0;
    const [least, most] = durationsMs?.[step] ?? [1, short ? 30 : durationMsMax];
    const durationUs = hashBetween(least * 1_000, most * 1_000, seed, run, step, attempt, "us") * slowness;
    return Math.min(Math.round(durationUs), timeoutMs * 1_000);
  }

  stop(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined || running.isStopping) return;
    running.end.action = null;
    const { agenda, seed, leaseMs, isUnruly } = this.#options;
    // Who does not listen is killed, which takes as long as a worker waits for it.
    const killUs = workerStopMs(leaseMs) * 950;
    const takesUs = isUnruly() ? killUs : hashBetween(0, 200_000, seed, id, "stopping");
    const durationMs = Math.round((agenda.nowUs - running.startedUs) / 1_000);
    const report = emptyReport("cancelled", "stopped", durationMs);
    this.#run(id, { ...running, report, isStopping: true }, takesUs);
  }

  setDeadline(id: string, deadlineMs: number): void {
    this.#deadlines.get(id)?.cancel();
    if (!this.#running.has(id)) return;
    if (this.isLate(deadlineMs)) return this.stop(id);
    const { clock } = this.#options;
    const timer = clock.setTimer(deadlineMs - clock.monotonicMs(), () => this.setDeadline(id, deadlineMs));
    this.#deadlines.set(id, timer);
  }

  /** The machine sleeps: nothing goes on. */
  freeze(): void {
    const { nowUs } = this.#options.agenda;
    for (const [id, { end }] of this.#running) {
      if (end.action === null) continue;
      end.action = null;
      this.#frozen.set(id, end.atUs - nowUs);
    }
  }

  thaw(): void {
    for (const [id, leftUs] of this.#frozen) {
      const running = this.#running.get(id);
      if (running !== undefined) this.#run(id, running, leftUs);
    }
    this.#frozen = new Map();
  }

  close(): Promise<void> {
    for (const { end } of this.#running.values()) end.action = null;
    for (const timer of this.#deadlines.values()) timer.cancel();
    this.#deadlines.clear();
    this.#running.clear();
    this.#frozen.clear();
    this.#written.clear();
    return Promise.resolve();
  }

  #run(id: string, { startedUs, report, isStopping }: Omit<Running, "end">, forUs: number): void {
    const end = this.#options.agenda.in(forUs, () => this.#end(id, report));
    this.#running.set(id, { startedUs, report, isStopping, end });
  }

  #flood(id: string, forUs: number): void {
    const bytes = new Uint8Array(floodBytes).fill(0x2e);
    for (let piece = 1; piece <= floodPieces; piece += 1)
      this.#options.agenda.in((piece * forUs) / floodPieces, () => this.#write(id, bytes));
  }

  #endUnbegun(id: string): void {
    this.#run(
      id,
      { startedUs: this.#options.agenda.nowUs, report: emptyReport("cancelled", "", 0), isStopping: true },
      0,
    );
  }

  #end(id: string, report: StepReport): void {
    this.#deadlines.get(id)?.cancel();
    this.#deadlines.delete(id);
    this.#running.delete(id);
    this.#written.delete(id);
    this.#options.observer.ended(id, report);
  }

  #reportOf(assignment: Assignment, durationUs: number, hangs: boolean): StepReport {
    const { seed, failing } = this.#options;
    const { run, step, attempt, token, outputs, commands, values, outcomes } = assignment;
    const fate = hashBetween(0, 99, seed, run, step, attempt, "fate");
    const durationMs = Math.round(durationUs / 1_000);
    const ended = (last: CommandReport["end"]): CommandReport[] =>
      commands.map((_, index) => {
        const end = index === commands.length - 1 ? last : passed;
        return { startedMs: 0, durationMs, logOffset: 0, end };
      });
    const tail = `${canaryOf(run, step, attempt)}\n`;
    if (fate < failing.failed && !hangs) {
      const report = emptyReport("failed", "`make` exited with 1", durationMs);
      return { ...report, tail, commands: ended({ kind: "exit", code: 1 }) };
    }
    // One that hangs runs until its time is up, too.
    if (fate < failing.failed + failing.timedOut || durationUs >= assignment.timeoutMs * 1_000)
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
      tail,
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

/** What one attempt prints and nobody else may ever say: a stand-in for a secret that a step has. */
function canaryOf(run: string, step: string, attempt: number): string {
  return `canary-${hashOf(run, step, attempt, "canary").toString(16).padStart(8, "0")}`;
}

function emptyReport(outcome: StepReport["outcome"], problem: string, durationMs: number): StepReport {
  const log = { bytes: 0, droppedBytes: 0, digest: null };
  return { outcome, problem, durationMs, commands: [], outputs: [], log, tail: "" };
}
