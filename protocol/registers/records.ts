/**
 * The registers as one control peer holds them: one home's whole table, as it was after one round.
 *
 * Each register keeps the (ballot, round) in which it got its value. Of one pair there is one value, whoever holds it; so
 * what has changed between two places in a history is what has a stamp above the first of them, and nothing is compared
 * byte by byte.
 *
 * Steps of a run that is closed are forgotten: nothing is ever granted in a closed run. So is the run itself, once the
 * watermark is raised over the moment until which it could be admitted, in a later round than the one that closed it. Which
 * registers there are follows from that alone, in whatever order they came.
 */

import { decodeValue } from "../values.ts";
import { comparePositions, type Position } from "./ballot.ts";
import type { PromisedRecord } from "./messages.ts";
import {
  isRetired,
  type RegisterValue,
  retiredRegister,
  type RetiredValue,
  runOfStepRegister,
  runRegister,
  type RunValue,
} from "./registers.ts";
import { RegisterMap } from "./register-map.ts";
import { documentOfRegister, type DocumentValue } from "./document.ts";
import { pipelineOfRegister, type ScheduleValue } from "./schedule.ts";
import type { StepsOfRun } from "./stored.ts";

export type AcceptedRecord = Position & { readonly value: Uint8Array };

export class Records {
  readonly #records = new RegisterMap<AcceptedRecord>();
  readonly #closedRuns = new Set<string>();
  readonly #openRuns = new Map<string, string>();
  /** Until when each run could be admitted that there is a register of. */
  readonly #validUntilMs = new Map<string, number>();
  #retired: RetiredValue | null = null;
  readonly #schedules = new Map<string, ScheduleValue>();
  readonly #documents = new Map<string, DocumentValue>();
  #documentChanges = 0;

  get(name: string): AcceptedRecord | undefined {
    return this.#records.get(name);
  }

  get size(): number {
    return this.#records.size;
  }

  names(): Iterable<string> {
    return this.#records.keys();
  }

  all(): PromisedRecord[] {
    return [...this.#records].map(([name, record]) => ({ name, ...record }));
  }

  /** Runs that are open, with the digest of their bundle. */
  get openRuns(): ReadonlyMap<string, string> {
    return this.#openRuns;
  }

  get schedules(): ReadonlyMap<string, ScheduleValue> {
    return this.#schedules;
  }

  /** Documents by topic and name (`document.ts`). */
  get documents(): ReadonlyMap<string, DocumentValue> {
    return this.#documents;
  }

  /** Rises with every change of a document. */
  get documentChanges(): number {
    return this.#documentChanges;
  }

  /** The watermark; null while it was never raised. */
  get retired(): RetiredValue | null {
    return this.#retired;
  }

  /**
   * Everything that has changed since a place in its history, and what is named, with the steps of runs among that. Where
   * the watermark was raised since then it comes first, and with it every run below it that is still there: whoever is
   * told forgets the others.
   */
  changedSince(since: Position, named: readonly string[]): PromisedRecord[] {
    const names = new Set(named);
    for (const name of named)
      if (name.startsWith("run/")) for (const step of this.#records.stepsOf(name.slice(4))) names.add(step);
    const watermark = this.#records.get(retiredRegister);
    const isRaised = watermark !== undefined && comparePositions(watermark, since) > 0;
    if (isRaised) for (const run of this.retirable(this.#retired)) names.add(runRegister(run));
    names.delete(retiredRegister);
    const changed: PromisedRecord[] = isRaised ? [{ name: retiredRegister, ...watermark }] : [];
    for (const [name, record] of this.#records)
      if (name !== retiredRegister && (comparePositions(record, since) > 0 || names.has(name)))
        changed.push({ name, ...record });
    return changed;
  }

  namesSince(since: Position): string[] {
    const names: string[] = [];
    for (const [name, record] of this.#records) if (comparePositions(record, since) > 0) names.push(name);
    return names;
  }

  /** False for a step of a closed run: it is not kept. */
  put(name: string, record: AcceptedRecord): boolean {
    const run = runOfStepRegister(name);
    if (run !== null && this.#closedRuns.has(run)) return false;
    this.#records.set(name, record);
    if (run !== null) return true;
    if (name.startsWith("run/")) {
      const value = decodeValue(record.value) as RegisterValue;
      if (value.kind === "run") this.#noteRun(name.slice(4), value);
    } else if (name === retiredRegister) this.#retired = decodeValue(record.value) as RetiredValue;
    const pipeline = pipelineOfRegister(name);
    if (pipeline !== null) this.#schedules.set(pipeline, decodeValue(record.value) as ScheduleValue);
    const document = documentOfRegister(name);
    if (document !== null) this.#noteDocument(document, decodeValue(record.value) as DocumentValue);
    return true;
  }

  /** False, and none of them is kept, in a closed run. */
  putSteps({ run, places }: StepsOfRun, record: AcceptedRecord): boolean {
    if (this.#closedRuns.has(run)) return false;
    this.#records.setSteps(run, places, record);
    return true;
  }

  drop(name: string): void {
    this.#records.delete(name);
    if (name.startsWith("run/")) {
      this.#closedRuns.delete(name.slice(4));
      this.#openRuns.delete(name.slice(4));
      this.#validUntilMs.delete(name.slice(4));
    } else if (name === retiredRegister) this.#retired = null;
    const pipeline = pipelineOfRegister(name);
    if (pipeline !== null) this.#schedules.delete(pipeline);
    const document = documentOfRegister(name);
    if (document !== null) this.#noteDocument(document, null);
  }

  /** Forgets the steps of a run when its register says that it is closed. Returns the registers that are gone. */
  forgetIfClosed(name: string): readonly string[] {
    const run = name.startsWith("run/") ? name.slice(4) : null;
    if (run === null || !this.#closedRuns.has(run)) return [];
    const steps = this.#records.stepsOf(run);
    this.#records.deleteStepsOf(run);
    return steps;
  }

  /** Runs that could be admitted until a watermark or earlier. */
  *retirable(watermark: RetiredValue | null): Generator<string> {
    for (const [run, validUntilMs] of this.#validUntilMs)
      if (isRetired({ validUntilMs }, watermark)) yield run;
  }

  /** Forgets what was closed before the watermark was raised over it. Returns the registers that are gone. */
  forgetRetired(): readonly string[] {
    const raised = this.#records.get(retiredRegister);
    if (raised === undefined) return [];
    const gone: string[] = [];
    for (const run of this.retirable(this.#retired)) {
      const record = this.#records.get(runRegister(run));
      const isGone =
        record !== undefined && comparePositions(record, raised) < 0 && this.#closedRuns.has(run);
      if (isGone) gone.push(...this.forget(run));
    }
    return gone;
  }

  /** Forgets a run and its steps. Returns the registers that are gone. */
  forget(run: string): readonly string[] {
    const steps = this.#records.stepsOf(run);
    this.#records.deleteStepsOf(run);
    this.drop(runRegister(run));
    return [runRegister(run), ...steps];
  }

  #noteDocument(name: string, value: DocumentValue | null): void {
    this.#documentChanges += 1;
    if (value === null) this.#documents.delete(name);
    else this.#documents.set(name, value);
  }

  /** A close that this peer voted for may not have been chosen: a later home may say that the run is open. */
  #noteRun(run: string, { outcome, envelope, validUntilMs }: RunValue): void {
    this.#validUntilMs.set(run, validUntilMs);
    if (outcome === null) {
      this.#closedRuns.delete(run);
      this.#openRuns.set(run, envelope);
    } else {
      this.#closedRuns.add(run);
      this.#openRuns.delete(run);
    }
  }
}
