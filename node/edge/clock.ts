/** The real clock and the real dice. */

import { randomBytes, randomInt } from "node:crypto";
import type { Clock, Random } from "../ports.ts";

export const realClock: Clock = {
  monotonicMs: () => Math.floor(performance.now()),
  wallMs: () => Date.now(),
  setTimer(afterMs, callback) {
    const timer = setTimeout(callback, afterMs);
    return { cancel: () => clearTimeout(timer) };
  },
  afterTurn: (callback) => queueMicrotask(callback),
};

/** Milliseconds by the machine's monotonic clock, which all its processes share, whenever they began. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1_000_000;
}

export const realRandom: Random = {
  integer: (below) => (below <= 1 ? 0 : randomInt(below)),
  bytes: (count) => randomBytes(count),
};
