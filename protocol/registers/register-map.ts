/**
 * Registers by name. Of a busy domain's hundred thousand nearly all are steps: those of one run are kept together, by their places
 * in its plan, so that finding one looks at little memory, closing the run forgets them all, and their names are nowhere kept.
 */

import { limits } from "../limits.ts";
import { runOfStepRegister, stepRegister } from "./registers.ts";

type Steps<V> = {
  readonly run: string;
  /** What each of their names begins with. */
  readonly prefix: string;
  readonly values: (V | undefined)[];
  /** How many of these there are. */
  count: number;
  /** By name: of places far behind the others or that no plan has, or written otherwise than a home does. */
  readonly others: Map<string, V>;
};

/** So many places may be left empty for one that is behind them: whoever names far places takes no more memory than their names. */
const emptyMax = 64;

export class RegisterMap<V> {
  readonly #others = new Map<string, V>();
  readonly #steps = new Map<string, Steps<V>>();
  /** Whose step was looked at last: the next one often is of the same run. */
  #last: Steps<V> | null = null;

  get size(): number {
    let size = this.#others.size;
    for (const { count, others } of this.#steps.values()) size += count + others.size;
    return size;
  }

  get(name: string): V | undefined {
    const steps = this.#stepsFor(name);
    if (steps === null) return this.#others.get(name);
    if (steps === undefined) return undefined;
    const place = placeIn(name, steps.prefix.length);
    return (place < 0 ? undefined : steps.values[place]) ?? steps.others.get(name);
  }

  set(name: string, value: V): void {
    const steps = this.#stepsFor(name);
    if (steps === null) return void this.#others.set(name, value);
    const known = steps ?? this.#add(runOfStepRegister(name) ?? "");
    put(known, placeIn(name, known.prefix.length), name, value);
  }

  /** Of steps of one run, by their places, the same value. */
  setSteps(run: string, places: readonly number[], value: V): void {
    const steps = this.#steps.get(run) ?? this.#add(run);
    for (const place of places) {
      // Its name is needed only where it is found by that.
      const isNear = place <= steps.values.length + emptyMax && place < limits.stepsPerPlanMax;
      const name = isNear && steps.others.size === 0 ? "" : stepRegister(run, place);
      put(steps, place < limits.stepsPerPlanMax ? place : -1, name, value);
    }
  }

  delete(name: string): void {
    const steps = this.#stepsFor(name);
    if (steps === null) return void this.#others.delete(name);
    if (steps === undefined) return;
    const place = placeIn(name, steps.prefix.length);
    steps.others.delete(name);
    if (place >= 0 && steps.values[place] !== undefined) {
      steps.values[place] = undefined;
      steps.count -= 1;
    }
    if (steps.count === 0 && steps.others.size === 0) this.#forget(steps);
  }

  /** The registers of a run's steps. */
  stepsOf(run: string): string[] {
    const steps = this.#steps.get(run);
    return steps === undefined ? [] : [...stepsIn(steps)].map(([name]) => name);
  }

  /** Forgets the steps of a run. */
  deleteStepsOf(run: string): void {
    const steps = this.#steps.get(run);
    if (steps !== undefined) this.#forget(steps);
  }

  clear(): void {
    this.#others.clear();
    this.#steps.clear();
    this.#last = null;
  }

  *keys(): Generator<string> {
    for (const [name] of this) yield name;
  }

  /** Steps behind all others. */
  *[Symbol.iterator](): Generator<[name: string, value: V]> {
    yield* this.#others;
    for (const steps of this.#steps.values()) yield* stepsIn(steps);
  }

  /** Those of the run whose step it is; undefined: there are none; null: it is no step's. */
  #stepsFor(name: string): Steps<V> | undefined | null {
    if (this.#last !== null && name.startsWith(this.#last.prefix)) {
      // Another run's name may go on behind what this one's prefix is: `step/a/` and `step/a/b/`.
      if (name.indexOf("/", this.#last.prefix.length) < 0) return this.#last;
    }
    const run = runOfStepRegister(name);
    if (run === null) return null;
    const steps = this.#steps.get(run);
    if (steps !== undefined) this.#last = steps;
    return steps;
  }

  #add(run: string): Steps<V> {
    const steps = { run, prefix: `step/${run}/`, values: [], count: 0, others: new Map<string, V>() };
    this.#steps.set(run, steps);
    this.#last = steps;
    return steps;
  }

  #forget(steps: Steps<V>): void {
    this.#steps.delete(steps.run);
    if (this.#last === steps) this.#last = null;
  }
}

/** @param place -1: of none that a plan has. */
function put<V>(steps: Steps<V>, place: number, name: string, value: V): void {
  const { values, others } = steps;
  if (place < 0 || place > values.length + emptyMax) return void others.set(name, value);
  // Without holes it stays an array however many places are left out.
  while (values.length <= place) values.push(undefined);
  if (values[place] === undefined) steps.count += 1;
  values[place] = value;
  if (others.size > 0) others.delete(name);
}

function* stepsIn<V>({ run, values, others }: Steps<V>): Generator<[name: string, value: V]> {
  for (const [place, value] of values.entries())
    if (value !== undefined) yield [stepRegister(run, place), value];
  yield* others;
}

/** The place that a name ends with from there on, if that is a number as a home writes it; -1: it is something else. */
export function placeIn(name: string, from: number): number {
  const digits = name.length - from;
  if (digits < 1 || digits > 6) return -1;
  let place = 0;
  for (let at = from; at < name.length; at += 1) {
    const digit = name.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    place = place * 10 + digit;
  }
  const isWhole = digits === 1 || name.charCodeAt(from) !== 48;
  return isWhole && place < limits.stepsPerPlanMax ? place : -1;
}
