/**
 * One process of a peer, from its start to its end: the real core in the real loop, over simulated ports.
 *
 *   running <--resume-- paused        running, paused --crash--> dead (for good: a restart is another life)
 *
 * A paused life hears nothing; what arrives waits in order, its timers too, as with SIGSTOP. A dead life does nothing
 * more, in the middle of whatever it was doing.
 */

import { Loop } from "../node/core/loop.ts";
import type { Now } from "../node/core/effects.ts";
import type { Clock, Storage, Timer, WriteOperation } from "../node/ports.ts";
import type { Agenda } from "./agenda.ts";

/** A machine's clocks: they start anywhere and run a little fast or slow. */
export type ClockTraits = {
  readonly bootMs: number;
  readonly wallMs: number;
  /** Parts per million by which it runs fast. */
  readonly fastPpm: number;
};

/** What happens to a machine's clocks while it runs. Outlives its processes. */
export class MachineTime {
  readonly #agenda: Agenda;
  #sleptUs = 0;
  #asleepSinceUs: number | null = null;
  /** By how much the wall clock was set, each time. */
  readonly #jumps = new Set<{ readonly byMs: number }>();

  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }

  /** Virtual time that the machine was awake. */
  get awakeUs(): number {
    return (this.#asleepSinceUs ?? this.#agenda.nowUs) - this.#sleptUs;
  }

  get setByMs(): number {
    let sum = 0;
    for (const { byMs } of this.#jumps) sum += byMs;
    return sum;
  }

  /** Sets the wall clock. @returns what sets it back. */
  jump(byMs: number): () => void {
    const jump = { byMs };
    this.#jumps.add(jump);
    return () => this.#jumps.delete(jump);
  }

  setRight(): void {
    this.#jumps.clear();
  }

  sleep(): void {
    this.#asleepSinceUs ??= this.#agenda.nowUs;
  }

  wake(): void {
    if (this.#asleepSinceUs !== null) this.#sleptUs += this.#agenda.nowUs - this.#asleepSinceUs;
    this.#asleepSinceUs = null;
  }
}

type Effect = { readonly kind: string };
type Stores = { readonly kind: "store"; readonly operations: readonly WriteOperation[] };

export type LifeOptions<Input, Asked extends Effect> = {
  readonly name: string;
  readonly agenda: Agenda;
  readonly clock: ClockTraits;
  readonly machine: MachineTime;
  readonly openStorage: (completes: (callback: () => void) => void) => Storage;
  readonly syncUs: () => number;
  readonly core: (now: Now) => {
    readonly decide: (inputs: readonly Input[], now: Now) => readonly (Asked | Stores)[];
    readonly tickAfterMs: (now: Now) => number;
  };
  readonly perform: (effect: Exclude<Asked, Stores>, life: Life<Input, Asked>) => void;
  readonly tick: Input;
  /** Told when the fuse has burnt down: the process ends between two effects. */
  readonly burnt: (life: Life<Input, Asked>) => void;
  readonly broken: (cause: unknown) => void;
};

export class Life<Input, Asked extends Effect> {
  readonly name: string;
  readonly #options: LifeOptions<Input, Asked>;
  readonly #loop: Loop<Input, Asked>;
  readonly #clock: Clock;
  readonly #core: object;
  #dead = false;
  #pausedInbox: (() => void)[] | null = null;
  #fuse: number | null = null;

  constructor(options: LifeOptions<Input, Asked>) {
    this.name = options.name;
    this.#options = options;
    const { agenda, machine } = options;
    const clock = simulatedClock(agenda, options.clock, (callback) => this.reach(callback), machine);
    this.#clock = clock;
    const storage = options.openStorage((callback) => this.#later(options.syncUs(), callback));
    const now = () => ({ monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() });
    const core = options.core(now());
    this.#core = core;
    this.#loop = new Loop<Input, Asked>({
      decide: (inputs, at) => (this.#dead ? [] : this.#guard(() => core.decide(inputs, at))),
      perform: (effect) => this.#perform(effect),
      clock,
      storage,
      tick: { input: options.tick, afterMs: (at) => core.tickAfterMs(at) },
      failed: (cause) => options.broken(cause),
    });
  }

  /** What is in the process: its core and its loop. */
  get parts(): { readonly core: object; readonly loop: object } {
    return { core: this.#core, loop: this.#loop };
  }

  get dead(): boolean {
    return this.#dead;
  }

  get wallMs(): number {
    return this.#clock.wallMs();
  }

  get paused(): boolean {
    return this.#pausedInbox !== null;
  }

  start(): void {
    this.#loop.start();
  }

  /** Something reaches the process from outside: at once, or when it is resumed. */
  reach(action: () => void): void {
    if (this.#dead) return;
    if (this.#pausedInbox !== null) this.#pausedInbox.push(action);
    else action();
  }

  post(input: Input): void {
    this.reach(() => this.#loop.post(input));
  }

  pause(): void {
    this.#pausedInbox ??= [];
  }

  resume(): void {
    const waiting = this.#pausedInbox ?? [];
    this.#pausedInbox = null;
    // In one turn of the process's own event loop: whatever reached its sockets meanwhile is read at once.
    for (const action of waiting) this.reach(action);
  }

  crash(): void {
    this.#dead = true;
    this.#pausedInbox = null;
  }

  /** Lights a fuse: the life ends after it has performed so many more effects. */
  light(effects: number): void {
    this.#fuse = effects;
  }

  #perform(effect: Exclude<Asked, Stores>): void {
    if (this.#dead) return;
    if (this.#fuse !== null) {
      this.#fuse -= 1;
      if (this.#fuse < 0) {
        this.#fuse = null;
        return this.#options.burnt(this);
      }
    }
    this.#options.perform(effect, this);
  }

  /** An error in the core is the world's: it must not vanish in the loop's promise. */
  #guard<Value>(decide: () => readonly Value[]): readonly Value[] {
    try {
      return decide();
    } catch (cause) {
      this.#options.broken(cause);
      return [];
    }
  }

  #later(afterUs: number, callback: () => void): void {
    this.#options.agenda.in(afterUs, () => this.reach(callback));
  }
}

/**
 * A machine's clocks on virtual time. While the machine sleeps its monotonic clock and its timers stand still.
 *
 * @param reach how a timer gets to whoever set it.
 */
export function simulatedClock(
  agenda: Agenda,
  traits: ClockTraits,
  reach: (callback: () => void) => void,
  machine: MachineTime = new MachineTime(agenda),
): Clock {
  const rate = 1 + traits.fastPpm / 1_000_000;
  const setTimer = (dueUs: number, callback: () => void): Timer => {
    let happening = agenda.in(Math.ceil(dueUs / rate - machine.awakeUs), () => reach(ring));
    // A process that is awake again is reached by all that rang while it slept.
    const ring = (): void => {
      if (machine.awakeUs * rate >= dueUs - 1) return callback();
      happening = agenda.in(Math.ceil(dueUs / rate - machine.awakeUs), () => reach(ring));
    };
    return {
      cancel: () => {
        happening.action = null;
      },
    };
  };
  return {
    monotonicMs: () => traits.bootMs + Math.floor((machine.awakeUs * rate) / 1_000),
    wallMs: () => traits.wallMs + machine.setByMs + Math.floor((agenda.nowUs * rate) / 1_000),
    setTimer: (afterMs, callback) => setTimer(machine.awakeUs * rate + afterMs * 1_000, callback),
    afterTurn: (callback) => agenda.afterThis(callback),
  };
}
