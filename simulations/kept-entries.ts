/** The entries of logs on a simulated disk, as a control peer's core asks for them (`node/edge/kept-entries.ts` is the real one). */

import { equals } from "uint8arrays/equals";
import type { ControlEffect } from "../node/core/effects.ts";
import { EntriesAnswer } from "../node/core/entries-answer.ts";
import { entryKey, historyKeys } from "../node/core/history.ts";
import type { ForkEvidence } from "../protocol/fork.ts";
import type { Message } from "../protocol/messages.ts";
import { decodeValue } from "../protocol/values.ts";
import type { Disk } from "./storage.ts";

export type Telling = {
  readonly send: (to: string, message: Message) => void;
  readonly contested: (evidence: ForkEvidence) => void;
};

export function fromDisk(
  effect: Extract<ControlEffect, { kind: "send-entries" | "compare-entry" | "send-fork" }>,
  disk: Disk,
  { send, contested }: Telling,
): void {
  if (effect.kind === "compare-entry") {
    const kept = disk.get(entryKey(effect.log, effect.seq));
    if (kept !== undefined && !equals(kept, effect.other)) contested([kept, effect.other]);
    return;
  }
  if (effect.kind === "send-fork") {
    const stored = disk.get(historyKeys.forks + effect.log);
    if (stored === undefined) return;
    return send(effect.to, { kind: "fork", evidence: decodeValue(stored) as ForkEvidence });
  }
  const answer = new EntriesAnswer((entries) => send(effect.to, { kind: "events", entries, answer: true }));
  for (const { log, from, through } of effect.ranges)
    for (let seq = from; seq <= through && !answer.isFull; seq += 1) {
      const stored = disk.get(entryKey(log, seq));
      if (stored === undefined) break;
      answer.add(stored);
    }
  answer.end();
}
