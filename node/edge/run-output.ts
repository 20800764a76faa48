/**
 * The output of a run's attempts, wherever it is: what was brought here while they ran (`outputs.ts`), what another control
 * peer keeps of one that was lost, and of one that gave a report what is in that, or a blob.
 */

import type { WatchItem } from "../../protocol/calls.ts";
import type { AttemptEnded } from "../../protocol/events.ts";
import type { Blobs } from "./blobs.ts";
import { type AttemptName, attemptKey, type Outputs, parseAttemptKey } from "./outputs.ts";

export type RunOutputOptions = {
  readonly blobs: Blobs;
  readonly outputs: Outputs;
  /** Brings blobs from other peers; throws when nobody has them. */
  readonly fetch: (digests: string[]) => Promise<void>;
  /** What other control peers keep of an attempt's output beyond `offset`, one after the other. */
  readonly outputElsewhere: (name: AttemptName, offset: number) => AsyncIterable<Uint8Array>;
};

export class RunOutput {
  readonly #options: RunOutputOptions;

  constructor(options: RunOutputOptions) {
    this.#options = options;
  }

  /** What is here of a running attempt from `offset` on, at most a chunk; null: no more. */
  next(run: string, key: string, offset: number): Extract<WatchItem, { kind: "output" }> | null {
    const { step, attempt } = parseAttemptKey(key);
    const bytes = this.#options.outputs.read({ run, step, attempt }, offset);
    return bytes.length === 0 ? null : { kind: "output", run, step, attempt, offset, bytes };
  }

  /** What a watcher lacks of the log of an attempt that has ended. */
  async *restOf(
    run: string,
    { step, attempt, report }: AttemptEnded,
    reached: Map<string, number>,
    from: number,
  ): AsyncGenerator<WatchItem, void, void> {
    const key = attemptKey({ step, attempt });
    let offset = reached.get(key) ?? from;
    const item = (bytes: Uint8Array): WatchItem => {
      const told = { kind: "output", run, step, attempt, offset, bytes } as const;
      offset += bytes.length;
      reached.set(key, offset);
      return told;
    };
    if (report === null) {
      for (let next = this.next(run, key, offset); next !== null; next = this.next(run, key, offset))
        yield item(next.bytes);
      for await (const bytes of this.#options.outputElsewhere({ run, step, attempt }, offset))
        yield item(bytes);
      return;
    }
    const { digest, bytes: length } = report.log;
    const tail = Buffer.from(report.tail);
    if (digest === null) {
      if (offset < tail.length) yield item(tail.subarray(offset));
      return;
    }
    if (offset >= length) return;
    const { blobs, fetch } = this.#options;
    try {
      if (!blobs.has(digest)) await fetch([digest]);
      for await (const bytes of blobs.read(digest, offset)) yield item(bytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      yield { kind: "notice", text: `The whole log of ${step} is not here (${why}); its last lines follow.` };
      offset = Math.max(offset, length - tail.length);
      yield item(tail.subarray(offset - (length - tail.length)));
    }
  }

  /** A lost attempt has no log but what was brought here and elsewhere; any other's is in its report, or a blob. */
  async over({ run, step, attempt, report }: AttemptEnded): Promise<void> {
    const { outputs, blobs } = this.#options;
    if (report === null) outputs.seal({ run, step, attempt });
    else await outputs.handOver({ run, step, attempt }, report.log.digest, blobs);
  }
}
