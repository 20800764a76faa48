/**
 * The ambient clock, timers and dice of this process, made virtual while a world runs: libp2p and gossipsub take them
 * from the globals. Every timer goes to the world's agenda, every draw is made from its seed.
 *
 * A timer belongs to the life (one run of one simulated process) in which it was set, also through promises; when it is
 * due, it reaches its callback the way that everything reaches that life: later if the process is paused, never if it
 * is dead. So a simulated `kill -9` leaves nothing of a node behind that could still act.
 *
 * One world at a time. What cannot be made virtual: noise's ephemeral keys. They change bytes, not their number.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Agenda, Happening } from "../agenda.ts";
import { Chance } from "../random.ts";
import { startWallMs } from "../workload.ts";

/** How something from outside gets to a life. */
export type Reach = (callback: () => void) => void;

type VirtualTime = { readonly agenda: Agenda; readonly chance: Chance };

const owners = new AsyncLocalStorage<Reach>();
let time: VirtualTime | null = null;

/** Runs the action as part of a life: what it starts, now or later, is that life's. */
export function inLife(reach: Reach, action: () => void): void {
  owners.run(reach, action);
}

/** Makes the globals virtual until the work is done. */
export async function inVirtualTime<Value>(
  agenda: Agenda,
  seed: number,
  work: () => Promise<Value>,
): Promise<Value> {
  if (time !== null) throw new Error("Bug: a world runs in this process already");
  time = { agenda, chance: new Chance(seed, "globals") };
  const restore = replacements.map(({ on, name, value }) => {
    const before = Object.getOwnPropertyDescriptor(on, name);
    Object.defineProperty(on, name, { value, configurable: true, writable: true });
    return () => {
      if (before === undefined) Reflect.deleteProperty(on, name);
      else Object.defineProperty(on, name, before);
    };
  });
  try {
    return await work();
  } finally {
    for (const undo of restore.toReversed()) undo();
    time = null;
  }
}

class VirtualTimer {
  happening: Happening | null = null;

  cancel(): void {
    if (this.happening !== null) this.happening.action = null;
    this.happening = null;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}

type Callback = (...words: unknown[]) => void;

function now(): VirtualTime {
  if (time === null) throw new Error("Bug: a virtual timer is used after its world");
  return time;
}

function nowMs(): number {
  return startWallMs + Math.floor(now().agenda.nowUs / 1_000);
}

function setTimer(callback: Callback, afterUs: number, repeats: boolean, words: unknown[]): VirtualTimer {
  const { agenda } = now();
  const reach = owners.getStore();
  const timer = new VirtualTimer();
  const run = (): void => {
    if (reach === undefined) callback(...words);
    else reach(() => owners.run(reach, callback, ...words));
  };
  const arm = (): void => {
    timer.happening = agenda.in(afterUs, () => {
      timer.happening = null;
      if (repeats) arm();
      run();
    });
  };
  arm();
  return timer;
}

/** As Node does: at least a millisecond, and whole ones. */
function microsecondsOf(delayMs: number | undefined): number {
  return Math.max(1, Math.trunc(Number.isFinite(delayMs) ? (delayMs ?? 0) : 0)) * 1_000;
}

function clear(timer: unknown): void {
  if (timer instanceof VirtualTimer) timer.cancel();
}

class VirtualDate extends Date {
  constructor(...words: [] | [value: number | string | Date]) {
    if (words.length === 0) super(nowMs());
    else super(words[0]);
  }

  static override now(): number {
    return nowMs();
  }
}

function abortAfter(delayMs: number): AbortSignal {
  const controller = new AbortController();
  const late = (): void =>
    controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  setTimer(late, microsecondsOf(delayMs), false, []);
  return controller.signal;
}

function fill<Bytes extends NodeJS.TypedArray>(bytes: Bytes): Bytes {
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < view.length; at += 1) view[at] = now().chance.integer(256);
  return bytes;
}

const replacements: readonly { readonly on: object; readonly name: string; readonly value: unknown }[] = [
  {
    on: globalThis,
    name: "setTimeout",
    value: (callback: Callback, delayMs?: number, ...words: unknown[]) =>
      setTimer(callback, microsecondsOf(delayMs), false, words),
  },
  {
    on: globalThis,
    name: "setInterval",
    value: (callback: Callback, delayMs?: number, ...words: unknown[]) =>
      setTimer(callback, microsecondsOf(delayMs), true, words),
  },
  {
    on: globalThis,
    name: "setImmediate",
    value: (callback: Callback, ...words: unknown[]) => setTimer(callback, 0, false, words),
  },
  { on: globalThis, name: "clearTimeout", value: clear },
  { on: globalThis, name: "clearInterval", value: clear },
  { on: globalThis, name: "clearImmediate", value: clear },
  { on: globalThis, name: "Date", value: VirtualDate },
  { on: AbortSignal, name: "timeout", value: abortAfter },
  { on: performance, name: "now", value: () => now().agenda.nowUs / 1_000 },
  { on: Math, name: "random", value: () => now().chance.integer(2 ** 30) / 2 ** 30 },
  { on: globalThis.crypto, name: "getRandomValues", value: fill },
];
