/**
 * The loop: takes inputs, lets the core decide, performs what it asks for, in order.
 *
 * What arrives in one turn of the event loop (the messages of one packet) is decided together: one round, one entry of
 * the log and one sync for all of it.
 *
 * Durable first, audible second: an effect is performed only after everything that was to be stored before it is
 * synced. While a sync is under way further inputs are decided and what they store gathers for the next one (group
 * commit). A storage that fails, or a core that throws, stops the loop: nothing is said that might not be true after
 * a restart. Only what a majority has decided is told at once, since this peer's own disk counts there when it is synced
 * and not before: a home whose disk is slow keeps nobody waiting whom the others' disks suffice.
 *
 * What is stored `soon` waits a little for another sync to travel with, and only what tells of it waits for it. The order
 * of stores is kept: what is on disk is all that was stored up to some moment.
 */

import { limits } from "../../protocol/limits.ts";
import type { Clock, Storage, Timer, WriteOperation } from "../ports.ts";
import { type Now, type Stores, tellsOfDecided, tellsOfStored } from "./effects.ts";

export type LoopOptions<Input, Effect extends { readonly kind: string }> = {
  /** Never called without an input. */
  readonly decide: (inputs: readonly Input[], now: Now) => readonly (Effect | Stores)[];
  /** Performs everything but `store`. Must not throw. */
  readonly perform: (effect: Exclude<Effect, Stores>) => void;
  readonly clock: Clock;
  readonly storage: Storage;
  /** Asked after each decision: how long it may be until the next, should nothing else come. */
  readonly tick: { readonly input: Input; readonly afterMs: (now: Now) => number };
  /** Told once, when storage failed or `decide` threw, and the loop has stopped. */
  readonly failed: (cause: unknown) => void;
};

export class Loop<Input, Effect extends { readonly kind: string }> {
  readonly #options: LoopOptions<Input, Effect>;
  #inputs: Input[] = [];
  #effects: readonly (Effect | Stores)[] = [];
  #awaitingTurn = false;
  #performing = false;
  #stopped = false;
  #failed = false;
  #timer: Timer | null = null;
  /** When it calls back, by the monotonic clock. */
  #timerMs = 0;
  /** What is to be stored soon, and the effects that wait for it. */
  #gathered: WriteOperation[] = [];
  #behind: Effect[] = [];
  #soon: Timer | null = null;
  #idle: (() => void)[] = [];

  constructor(options: LoopOptions<Input, Effect>) {
    this.#options = options;
  }

  start(): void {
    this.#timer = null;
    this.post(this.#options.tick.input);
  }

  post(input: Input): void {
    if (this.#stopped) return;
    this.#inputs.push(input);
    if (this.#awaitingTurn) return;
    this.#awaitingTurn = true;
    this.#options.clock.afterTurn(this.#decideAfterTurn);
  }

  /** Stops taking inputs and resolves when what was decided has been performed. */
  async stop(): Promise<void> {
    this.#decide();
    this.#stopped = true;
    this.#timer?.cancel();
    this.#storeGathered();
    if (this.#performing) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #decideAfterTurn = (): void => {
    this.#awaitingTurn = false;
    this.#decide();
  };

  #decide(): void {
    if (this.#stopped || this.#inputs.length === 0) return;
    const inputs = this.#inputs;
    this.#inputs = [];
    const { clock } = this.#options;
    const now = { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
    try {
      const decided = this.#options.decide(inputs, now);
      const effects = this.#performing ? this.#letThrough(decided) : decided;
      this.#effects = this.#effects.length === 0 ? effects : [...this.#effects, ...effects];
    } catch (cause) {
      return this.#fail(cause);
    }
    this.#setTimer(now);
    if (!this.#performing && this.#effects.length > 0) this.#perform();
  }

  /** A timer that is set already and comes no later will do. */
  #setTimer(now: Now): void {
    const { clock, tick } = this.#options;
    const afterMs = tick.afterMs(now);
    if (this.#timer !== null && this.#timerMs <= now.monotonicMs + afterMs) return;
    this.#timer?.cancel();
    this.#timerMs = now.monotonicMs + afterMs;
    this.#timer = clock.setTimer(afterMs, () => this.start());
  }

  /** What was decided and not performed is dropped: it may rest on what was never stored. */
  #fail(cause: unknown): void {
    const first = !this.#failed;
    this.#failed = true;
    this.#stopped = true;
    this.#inputs = [];
    this.#effects = [];
    this.#gathered = [];
    this.#behind = [];
    this.#timer?.cancel();
    this.#soon?.cancel();
    if (first) this.#options.failed(cause);
  }

  /** Performs what was decided, up to the next store; that one calls back. */
  #perform(): void {
    this.#performing = true;
    try {
      while (this.#effects.length > 0) {
        const group = this.#effects;
        this.#effects = [];
        // What comes before the first store depends on nothing new: it is performed at once.
        const next = this.#performUntilStore(group);
        if (next === group.length) continue;
        const operations = [...this.#gathered, ...operationsOf(group, next)];
        const behind = this.#behind;
        this.#gathered = [];
        this.#behind = [];
        this.#forgetSoon();
        const rest = [...behind, ...group.slice(next)];
        return this.#options.storage.commit(operations, (failure) => this.#committed(rest, failure));
      }
    } catch (cause) {
      this.#fail(cause);
    }
    this.#performing = false;
    if (this.#gathered.length > 0) {
      if (this.#stopped) return this.#storeGathered();
      this.#soon ??= this.#options.clock.setTimer(limits.storeSoonMs, this.#storeGathered);
    }
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #forgetSoon(): void {
    this.#soon?.cancel();
    this.#soon = null;
  }

  /** No other sync came by to travel with. */
  readonly #storeGathered = (): void => {
    this.#forgetSoon();
    if (this.#performing || this.#gathered.length === 0) return;
    this.#effects = [...this.#effects, { kind: "store", operations: [] }];
    this.#perform();
  };

  #committed(effects: readonly (Effect | Stores)[], failure: unknown): void {
    try {
      if (failure !== null) this.#fail(failure);
      else
        for (const effect of effects)
          if (!isStore(effect)) this.#options.perform(effect as Exclude<Effect, Stores>);
    } catch (cause) {
      this.#fail(cause);
    }
    this.#perform();
  }

  /** What others have made durable waits for no sync of this peer's. */
  #letThrough(effects: readonly (Effect | Stores)[]): readonly (Effect | Stores)[] {
    return effects.filter((effect) => {
      if (isStore(effect) || !tellsOfDecided(effect)) return true;
      this.#options.perform(effect as Exclude<Effect, Stores>);
      return false;
    });
  }

  /** The place of the first effect that stores and is waited for: what comes before it was performed. */
  #performUntilStore(group: readonly (Effect | Stores)[]): number {
    for (const [index, effect] of group.entries()) {
      if (isStore(effect)) {
        if (effect.soon === true) this.#gathered.push(...effect.operations);
        else if (effect.operations.length > 0 || this.#gathered.length > 0) return index;
      } else if (this.#gathered.length > 0 && tellsOfStored(effect)) this.#behind.push(effect);
      else this.#options.perform(effect as Exclude<Effect, Stores>);
    }
    return group.length;
  }
}

/** All that the effects from this one on store. */
function operationsOf(effects: readonly { readonly kind: string }[], from: number): WriteOperation[] {
  const operations: WriteOperation[] = [];
  for (let index = from; index < effects.length; index += 1) {
    const effect = effects[index];
    if (effect !== undefined && isStore(effect)) operations.push(...effect.operations);
  }
  return operations;
}

function isStore(effect: { readonly kind: string }): effect is Stores {
  return effect.kind === "store";
}
