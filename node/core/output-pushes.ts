/**
 * Who has how much of what running attempts have written: a worker brings it to a majority of the control peers while
 * the step runs, so that it can be followed, and read when the worker is gone.
 *
 *   of one attempt and control peer:   level --the step writes--> behind --a piece is sent--> unsure --asked, kept--> level
 *                                                                   ^                            |
 *                                                                   +---- lost, or not answered -+
 *
 * Pieces are cut from the log on disk when they are sent, and so little of them is unsure at once that, whatever a step
 * writes, nothing queues up. Whether they are kept is asked with one piece of many, since most steps are over before it
 * matters; a control peer that a piece does not fit says at once how much it keeps, be it that it lost some or never had
 * any. A step that is over in a moment sends nothing: all that it wrote is in its report, or goes with it.
 */

import { limits } from "../../protocol/limits.ts";

type Keeper = {
  /** So much it said that it keeps, and so much it was sent. */
  kept: number;
  sent: number;
  sentMs: number;
  /** When it said so, or was sent the first piece. */
  sureMs: number;
  /** It is to say what it keeps before it is sent more. */
  isAsked: boolean;
};

type Attempt = { readonly startedMs: number; end: number; readonly keepers: Map<string, Keeper> };

/** From `offset` to `end`; `ask`: to be answered with what is kept then. */
export type Push = {
  readonly id: string;
  readonly to: string;
  readonly offset: number;
  readonly end: number;
  readonly ask: boolean;
};

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

  kept(id: string, peer: string, end: number, nowMs: number): void {
    const keeper = this.#attempts.get(id)?.keepers.get(peer);
    if (keeper !== undefined) Object.assign(keeper, { kept: end, sent: end, sureMs: nowMs, isAsked: false });
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
        const keeper = keepers.get(to) ?? {
          kept: 0,
          sent: 0,
          sentMs: -Infinity,
          sureMs: nowMs,
          isAsked: false,
        };
        keepers.set(to, keeper);
        const piece = nextPiece(keeper, end, nowMs);
        if (piece !== null) pushes.push({ id, to, ...piece });
      }
    }
    return pushes;
  }
}

function nextPiece(keeper: Keeper, end: number, nowMs: number): Omit<Push, "id" | "to"> | null {
  const isUnsure = keeper.sent > keeper.kept;
  const again = isUnsure && nowMs - keeper.sentMs >= limits.outputAgainMs;
  if (keeper.isAsked && !again) return null;
  const offset = again ? keeper.kept : keeper.sent;
  const pieceEnd = Math.min(end, keeper.kept + limits.outputChunkBytesMax);
  const isWhole = pieceEnd - keeper.kept >= limits.outputChunkBytesMax;
  if (pieceEnd <= offset || (!isWhole && nowMs - keeper.sentMs < limits.outputGatherMs)) return null;
  const ask = isWhole || nowMs - keeper.sureMs >= limits.outputAskMs;
  Object.assign(keeper, { sent: pieceEnd, sentMs: nowMs, isAsked: ask });
  return { offset, end: pieceEnd, ask };
}

/** The home, then whoever has some of it already. */
function chosen(controls: readonly string[], keepers: ReadonlyMap<string, Keeper>, copies: number): string[] {
  const [home, ...others] = controls;
  if (home === undefined) return [];
  const keeping = others.filter((peer) => keepers.has(peer));
  return [home, ...keeping, ...others.filter((peer) => !keepers.has(peer))].slice(0, copies);
}
