/**
 * Who has how much of what running attempts have written: a worker brings it to a majority of the control peers while
 * the step runs, so that it can be followed, and read when the worker is gone.
 *
 *   of one attempt and control peer:   in step --the step writes--> behind --a piece is sent--> in flight --kept--> in step
 *                                                                     ^                            |
 *                                                                     +--- not answered in time ---+
 *
 * One piece is under way to each, cut from the log on disk when it is sent: whatever a step writes, nothing queues up.
 * A control peer says how much it keeps; that it lost some, or never had any, needs no other message. A step that is
 * over in a moment sends nothing: all that it wrote is in its report, or goes with it.
 */

import { limits } from "../../protocol/limits.ts";

type Keeper = { kept: number; sentMs: number; isUnderWay: boolean };

type Attempt = { readonly startedMs: number; end: number; readonly keepers: Map<string, Keeper> };

export type Push = { readonly id: string; readonly to: string; readonly offset: number };

export class OutputPushes {
  readonly #attempts = new Map<string, Attempt>();

  started(id: string, nowMs: number): void {
    this.#attempts.set(id, { startedMs: nowMs, end: 0, keepers: new Map() });
  }

  /** @param end length of the attempt's log now, in bytes. */
  grew(id: string, end: number): void {
    const attempt = this.#attempts.get(id);
    if (attempt !== undefined) attempt.end = Math.max(attempt.end, end);
  }

  kept(id: string, peer: string, end: number): void {
    const keeper = this.#attempts.get(id)?.keepers.get(peer);
    if (keeper === undefined) return;
    keeper.kept = end;
    keeper.isUnderWay = false;
  }

  ended(id: string): void {
    this.#attempts.delete(id);
  }

  /** What was under way to the peer may never arrive. */
  peerDown(peer: string): void {
    for (const { keepers } of this.#attempts.values()) keepers.delete(peer);
  }

  /**
   * What is to be sent now.
   *
   * @param controls that can be reached, the home first; @param copies how many of them keep each log.
   */
  due(controls: readonly string[], copies: number, nowMs: number): Push[] {
    const pushes: Push[] = [];
    for (const [id, { startedMs, end, keepers }] of this.#attempts) {
      if (end === 0 || nowMs - startedMs < limits.outputAfterMs) continue;
      for (const to of chosen(controls, keepers, copies)) {
        const keeper = keepers.get(to) ?? { kept: 0, sentMs: -Infinity, isUnderWay: false };
        keepers.set(to, keeper);
        const isWhole = end - keeper.kept >= limits.outputChunkBytesMax;
        const waitsMs = keeper.isUnderWay ? limits.outputAgainMs : isWhole ? 0 : limits.outputGatherMs;
        if (keeper.kept >= end || nowMs - keeper.sentMs < waitsMs) continue;
        keeper.sentMs = nowMs;
        keeper.isUnderWay = true;
        pushes.push({ id, to, offset: keeper.kept });
      }
    }
    return pushes;
  }
}

/** The home, then whoever has some of it already. */
function chosen(controls: readonly string[], keepers: ReadonlyMap<string, Keeper>, copies: number): string[] {
  const [home, ...others] = controls;
  if (home === undefined) return [];
  const keeping = others.filter((peer) => keepers.has(peer));
  return [home, ...keeping, ...others.filter((peer) => !keepers.has(peer))].slice(0, copies);
}
