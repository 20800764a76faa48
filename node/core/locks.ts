/**
 * Environments in which one step runs at a time, over all runs of the domain. Only the home grants, so the home keeps
 * the locks; a new home finds them in the leases of the runs that it takes over, and locks nothing away before it has
 * seen all of them.
 */

import type { ReadyStep } from "./queue/shelf.ts";

export class Locks {
  /** Environment -> the step that holds it, as `run/index`. */
  readonly #held = new Map<string, string>();
  readonly #waiting = new Map<string, ReadyStep[]>();

  /** True when the step has the environment now. */
  take(environment: string, step: ReadyStep): boolean {
    const holder = this.#held.get(environment);
    if (holder !== undefined && holder !== keyOf(step)) return false;
    this.#held.set(environment, keyOf(step));
    return true;
  }

  /** The step is offered again when the environment is free. */
  wait(environment: string, step: ReadyStep): void {
    const waiting = this.#waiting.get(environment) ?? [];
    if (waiting.length === 0) this.#waiting.set(environment, waiting);
    waiting.push(step);
  }

  /** The step does not run any more. Returns those that may try now, in the order in which they came. */
  release(environment: string, step: ReadyStep): readonly ReadyStep[] {
    if (this.#held.get(environment) !== keyOf(step)) return [];
    this.#held.delete(environment);
    const waiting = this.#waiting.get(environment) ?? [];
    this.#waiting.delete(environment);
    return waiting;
  }

  /** Everything that waits may try. */
  wake(): readonly ReadyStep[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    return all;
  }

  clear(): void {
    this.#held.clear();
    this.#waiting.clear();
  }
}

function keyOf({ run, index }: ReadyStep): string {
  return `${run}/${index}`;
}
