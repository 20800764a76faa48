/**
 * Locks: one step at a time that names the lock, or works in an environment that is locked, over all runs of the domain.
 *
 *   enters --nobody before it--> offered --a worker comes--> holds --its attempt is over--> left
 *      |                            ^
 *      +----> waits ----------------+  when those before it have left
 *
 * A step that has ended well, and that a gate behind it holds back, has the lock until that counts: what is judged there is what it made.
 * Other steps of its run may have it besides, since the gate may wait for them, or what follows may take it back.
 *
 * First come, first served, in a line for each set of labels: one that nobody can run must not stand in the way of those
 * that somebody can. Only the home grants, so only it keeps the lines. Who holds a lock is in the register of the step
 * itself (its lease names the lock), so there is no second truth that could be left behind: a new home reads it there, of
 * runs too whose plans it does not have. Why a late holder does no harm: `claims.ts`, fencing tokens.
 */

import { Fifo } from "./queue/fifo.ts";
import type { ReadyStep } from "./queue/shelf.ts";

type Line = { offered: ReadyStep | null; readonly waiting: Fifo<ReadyStep> };

type Lock = {
  holder: string | null;
  /** Steps of one run, each behind its gate. */
  readonly behind: Set<string>;
  readonly lines: Map<string, Line>;
};

export class Locks {
  readonly #locks = new Map<string, Lock>();

  /** The step is ready. True when it may be offered; else it waits. */
  enter(name: string, step: ReadyStep, labels: readonly string[]): boolean {
    const lock = this.#lock(name);
    const key = labels.join("\n");
    const line = lock.lines.get(key) ?? { offered: null, waiting: new Fifo<ReadyStep>() };
    lock.lines.set(key, line);
    if (lock.holder === null && line.offered === null && mayHave(lock, step)) {
      line.offered = step;
      return true;
    }
    line.waiting.push(step);
    return false;
  }

  /** A worker is there for the step that was offered. False: another has the lock now, and it waits, the first of its line. */
  take(name: string, step: ReadyStep): boolean {
    const lock = this.#lock(name);
    const key = keyOf(step);
    const line = [...lock.lines.values()].find(({ offered }) => offered !== null && keyOf(offered) === key);
    if (line !== undefined) line.offered = null;
    if ((lock.holder !== null && lock.holder !== key) || !mayHave(lock, step)) {
      line?.waiting.putBack(step);
      return false;
    }
    lock.holder = key;
    return true;
  }

  /** The step has the lock by what was decided before this reign. */
  hold(name: string, register: string, isBehind: boolean): void {
    const lock = this.#lock(name);
    if (isBehind) lock.behind.add(register);
    else lock.holder = register;
  }

  /** The step's attempt is over, and a gate behind it holds it back. Returns those that may be offered now. */
  stay(name: string, step: ReadyStep): ReadyStep[] {
    const lock = this.#lock(name);
    lock.behind.add(keyOf(step));
    if (lock.holder === keyOf(step)) lock.holder = null;
    return lock.holder === null ? this.#next(name, lock) : [];
  }

  /** The step's attempt is over, and nothing holds it back. Returns those that may be offered now. */
  leave(name: string, step: ReadyStep): ReadyStep[] {
    const lock = this.#locks.get(name);
    const key = keyOf(step);
    if (lock?.holder === key) lock.holder = null;
    lock?.behind.delete(key);
    return this.pass(name, step);
  }

  /** Whoever was offered it does not want it, or not any more: it may have it already. Returns those that may be offered now. */
  pass(name: string, step: ReadyStep): ReadyStep[] {
    const lock = this.#locks.get(name);
    if (lock === undefined) return [];
    const key = keyOf(step);
    for (const line of lock.lines.values())
      if (line.offered !== null && keyOf(line.offered) === key) line.offered = null;
    return lock.holder === null ? this.#next(name, lock) : [];
  }

  /** The first of each line, of those who may have it. */
  #next(name: string, lock: Lock): ReadyStep[] {
    const next: ReadyStep[] = [];
    for (const [labels, line] of lock.lines) {
      if (line.offered !== null) continue;
      const first = line.waiting.takeFirst((step) => mayHave(lock, step));
      if (first !== undefined) {
        line.offered = first;
        next.push(first);
      } else if (line.waiting.isEmpty) lock.lines.delete(labels);
    }
    if (lock.lines.size === 0 && lock.behind.size === 0) this.#locks.delete(name);
    return next;
  }

  clear(): void {
    this.#locks.clear();
  }

  #lock(name: string): Lock {
    const lock = this.#locks.get(name) ?? {
      holder: null,
      behind: new Set<string>(),
      lines: new Map<string, Line>(),
    };
    this.#locks.set(name, lock);
    return lock;
  }
}

/** False while steps of another run are behind their gates. */
function mayHave({ behind }: Lock, { run }: ReadyStep): boolean {
  return [...behind].every((key) => key.startsWith(`${run}/`));
}

function keyOf({ run, index }: ReadyStep): string {
  return `${run}/${index}`;
}
