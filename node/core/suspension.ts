/**
 * Whether this machine slept: its monotonic clock stood still meanwhile and its wall clock did not, so the two have
 * drifted apart. What was counted in monotonic time before that holds no more. A clock that is set looks the same, and
 * costs a renewal.
 */

import { limits } from "../../protocol/limits.ts";
import type { Now } from "./effects.ts";

export class Suspension {
  #gapMs: number | null = null;

  /** Call with each turn's time. True when the machine slept since the turn before. */
  hasSlept({ wallMs, monotonicMs }: Now): boolean {
    const gapMs = wallMs - monotonicMs;
    const driftMs = this.#gapMs === null ? 0 : Math.abs(gapMs - this.#gapMs);
    this.#gapMs = gapMs;
    return driftMs > limits.suspendMsMax;
  }
}
