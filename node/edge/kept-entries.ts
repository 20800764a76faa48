/** The entries of logs that a control peer keeps, as its core asks for them: to send them, and to compare them with others. */

import { equals } from "uint8arrays/equals";
import type { ForkEvidence } from "../../protocol/fork.ts";
import type { Message } from "../../protocol/messages.ts";
import { decodeValue } from "../../protocol/values.ts";
import type { ControlEffect } from "../core/effects.ts";
import { EntriesAnswer } from "../core/entries-answer.ts";
import { entryKey, historyKeys } from "../core/history.ts";
import type { Storage } from "../ports.ts";

type EffectOf<Kind extends ControlEffect["kind"]> = Extract<ControlEffect, { kind: Kind }>;

export type KeptEntriesOptions = {
  readonly storage: Pick<Storage, "get">;
  readonly send: (to: string, message: Message) => void;
  readonly contested: (evidence: ForkEvidence) => void;
  readonly failed: (cause: unknown) => void;
};

export class KeptEntries {
  readonly #options: KeptEntriesOptions;

  constructor(options: KeptEntriesOptions) {
    this.#options = options;
  }

  sendEntries({ to, ranges }: EffectOf<"send-entries">): void {
    const { storage, send } = this.#options;
    const answer = new EntriesAnswer((entries) => send(to, { kind: "events", entries, answer: true }));
    this.#run(async () => {
      for (const { log, from, through } of ranges)
        for (let seq = from; seq <= through && !answer.isFull; seq += 1) {
          const entry = await storage.get(entryKey(log, seq));
          if (entry === undefined) break;
          answer.add(entry);
        }
      answer.end();
    });
  }

  compare({ log, seq, other }: EffectOf<"compare-entry">): void {
    this.#run(async () => {
      const kept = await this.#options.storage.get(entryKey(log, seq));
      if (kept !== undefined && !equals(kept, other)) this.#options.contested([kept, other]);
    });
  }

  sendFork({ to, log }: EffectOf<"send-fork">): void {
    this.#run(async () => {
      const stored = await this.#options.storage.get(historyKeys.forks + log);
      if (stored === undefined) return;
      this.#options.send(to, { kind: "fork", evidence: decodeValue(stored) as ForkEvidence });
    });
  }

  #run(work: () => Promise<void>): void {
    work().catch((cause: unknown) => this.#options.failed(cause));
  }
}
