/**
 * When a home forgets runs that are closed, so that what a domain remembers does not grow for ever.
 *
 *   closed --this home tells so in its log--> told --a majority holds that entry--> kept --the watermark passes it--> forgotten
 *
 * A run may be forgotten when it can never be admitted again, and when its end is known for good. The watermark sees to the
 * first: nobody admits what could be admitted until that moment or earlier (`evaluate`). For the second a home tells of the
 * closing itself before, and again of what an earlier home closed: that one may have died before it told.
 *
 * The watermark rises to a moment until which a run could be admitted, never to what a clock says. So a home whose clock is
 * ahead forgets early, and still turns away no run that was submitted after those that it forgot.
 */

import { limits } from "../../protocol/limits.ts";
import {
  type RegisterValue,
  retiredRegister,
  runOfRegister,
  type RunOutcome,
  runRegister,
  type RunValue,
} from "../../protocol/registers/registers.ts";
import type { Now } from "./effects.ts";

export type RetireTicket = { readonly kind: "retire" };

export type RetiringContext = {
  propose(
    register: string,
    command: { readonly kind: "retire"; readonly throughMs: number },
    ticket: RetireTicket,
  ): void;
  committed(register: string): RegisterValue | null;
  /** Tells of a run's end. */
  tellClosed(run: string, end: ClosedRun, now: Now): void;
  /** How much of this peer's log a majority of the control peers has said that it holds. */
  heldThrough(): number;
  /** Has the others asked until a majority holds that much of it. */
  wantHeld(seq: number): void;
  /** Until when what is not over, but about to be, could be admitted: the earliest of it. */
  endingMs(): number;
  /** Until when what nobody has admitted yet could be. */
  unadmittedMs(): Iterable<number>;
};

export type ClosedRun = Pick<RunValue, "envelope" | "validUntilMs"> & { readonly outcome: RunOutcome };

type Closed = {
  readonly end: ClosedRun;
  /** The entry of this peer's log that tells of it; "noted" until it is written, "untold" of what an earlier home closed. */
  told: number | "noted" | "untold";
};

export class Retiring {
  readonly #context: RetiringContext;
  readonly #closed = new Map<string, Closed>();
  #noted: Closed[] = [];
  #nextMs = 0;
  #proposedMs = 0;

  constructor(context: RetiringContext) {
    this.#context = context;
  }

  begin(entries: Iterable<readonly [string, RegisterValue]>): void {
    this.end();
    for (const [name, value] of entries) {
      const run = runOfRegister(name);
      const end = value.kind === "run" ? endOf(value) : null;
      if (run !== null && end !== null) this.#closed.set(run, { end, told: "untold" });
    }
  }

  end(): void {
    this.#closed.clear();
    this.#noted = [];
    this.#proposedMs = 0;
  }

  /** This home has told of it, and what it told is about to be written down. */
  closed(run: string, end: ClosedRun): void {
    const closed: Closed = { end, told: "noted" };
    this.#closed.set(run, closed);
    this.#noted.push(closed);
  }

  /** All that was noted is in this peer's log. */
  written(seq: number): void {
    for (const closed of this.#noted.splice(0)) closed.told = seq;
  }

  /** The highest moment that the watermark was raised to, or is about to be. */
  get throughMs(): number {
    const value = this.#context.committed(retiredRegister);
    return Math.max(this.#proposedMs, value?.kind === "retired" ? value.throughMs : 0);
  }

  tick(now: Now): void {
    if (now.monotonicMs < this.#nextMs) return;
    this.#nextMs = now.monotonicMs + limits.retireEveryMs;
    this.#tellAgain(now);
    const heldThrough = this.#context.heldThrough();
    let belowMs = this.#context.endingMs();
    let wanted = 0;
    for (const { end, told } of this.#closed.values()) {
      if (typeof told === "number" && told <= heldThrough) continue;
      belowMs = Math.min(belowMs, end.validUntilMs);
      if (typeof told === "number" && end.validUntilMs <= now.wallMs) wanted = Math.max(wanted, told);
    }
    if (wanted > 0) this.#context.wantHeld(wanted);
    const over = [...this.#closed.values()].map(({ end }) => end.validUntilMs);
    const candidates = [...over, ...this.#context.unadmittedMs()].filter(
      (ms) => ms <= now.wallMs && ms < belowMs,
    );
    if (candidates.length === 0) return;
    // What was open when the watermark passed it, and is closed by now, is forgotten with the next time that it is raised.
    const throughMs = candidates.reduce((most, ms) => Math.max(most, ms), this.throughMs + 1);
    if (throughMs >= belowMs) return;
    this.#proposedMs = throughMs;
    this.#context.propose(retiredRegister, { kind: "retire", throughMs }, { kind: "retire" });
  }

  decided(): void {
    for (const run of this.#closed.keys())
      if (this.#context.committed(runRegister(run)) === null) this.#closed.delete(run);
  }

  #tellAgain(now: Now): void {
    let left: number = limits.retoldAtOnceMax;
    for (const [run, closed] of this.#closed) {
      if (closed.told !== "untold" || closed.end.validUntilMs > now.wallMs) continue;
      if (left === 0) return;
      left -= 1;
      this.#context.tellClosed(run, closed.end, now);
      closed.told = "noted";
      this.#noted.push(closed);
    }
  }
}

/** Null while the run is open. */
export function endOf({ outcome, envelope, validUntilMs }: RunValue): ClosedRun | null {
  return outcome === null ? null : { outcome, envelope, validUntilMs };
}
