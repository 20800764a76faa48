/** Follows one run through one node: every item once, however often the node was lost between. */

import { setTimeout as sleep } from "node:timers/promises";
import { callFor } from "../node/edge/client.ts";
import type { WatchItem } from "../protocol/calls.ts";
import { OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import type { Target } from "./target.ts";

export type Following = {
  /** `submitted`: the run is known to exist, so a node that has not heard of it yet is asked again, too. */
  readonly from: "submitted" | "named";
  /** Where in each attempt's log to begin. */
  readonly offset?: number;
  /** Ends the watching: its reason is thrown. */
  readonly signal?: AbortSignal;
};

/** Watches until the run is closed; a node that is lost is asked again, for a while. */
export async function followRun(
  run: string,
  target: Target,
  { from, offset = 0, signal }: Following,
  show: (item: WatchItem) => void,
): Promise<void> {
  const seen = new Seen();
  let exists = from === "submitted";
  let hangUp = (): void => undefined;
  for (let failures = 0; ;) {
    try {
      const channel = await target.open();
      signal?.throwIfAborted();
      hangUp = () => channel.abort();
      signal?.addEventListener("abort", hangUp);
      const request = {
        call: "watch",
        certificate: target.certificate,
        run,
        output: true,
        follow: true,
        from: offset,
        offsets: seen.offsets,
      } as const;
      for await (const item of callFor(channel, request)) {
        failures = 0;
        if (!isWatchItem(item)) continue;
        const fresh = seen.take(item);
        if (fresh === null) continue;
        exists = true;
        show(fresh);
        if (
          fresh.kind === "event" &&
          (fresh.event.kind === "run-closed" || fresh.event.kind === "run-refused")
        )
          return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      const waits = error instanceof OttoError && mayComeBack(error);
      if (!exists || !waits || failures > limits.watchRetriesMax) throw error;
    } finally {
      signal?.removeEventListener("abort", hangUp);
    }
    signal?.throwIfAborted();
    if (failures === 0) show({ kind: "notice", text: "Connection to the run lost; trying again." });
    failures += 1;
    await pause(Math.min(limits.dialBackoffMsMin * 2 ** failures, limits.dialBackoffMsMax), signal);
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function mayComeBack(error: OttoError): boolean {
  const codes = [
    "OTTO_UNREACHABLE",
    "OTTO_TIMED_OUT",
    "OTTO_NO_NODE",
    "OTTO_NO_SUCH_RUN",
    "OTTO_MESSAGE_INVALID",
  ];
  return codes.includes(error.code);
}

export function isWatchItem(item: { readonly kind: string }): item is WatchItem {
  return item.kind === "plan" || item.kind === "event" || item.kind === "output" || item.kind === "notice";
}

/** What was shown already, so that watching again shows each thing once. */
export class Seen {
  readonly #events = new Set<string>();
  readonly #output = new Map<string, number>();
  #plan = false;

  /** How far the logs are that were shown, for whoever is asked to go on; of very many only the newest. */
  get offsets(): Record<string, number> {
    return Object.fromEntries([...this.#output].slice(-limits.offsetsPerWatchMax));
  }

  /** The part of an item that is new, or null. */
  take(item: WatchItem): WatchItem | null {
    switch (item.kind) {
      case "plan": {
        const known = this.#plan;
        this.#plan = true;
        return known ? null : item;
      }
      case "event": {
        const key = JSON.stringify(item.event);
        if (this.#events.has(key)) return null;
        this.#events.add(key);
        return item;
      }
      case "output": {
        const key = `${item.attempt}/${item.step}`;
        const from = this.#output.get(key) ?? 0;
        const end = item.offset + item.bytes.length;
        if (end <= from) return null;
        this.#output.set(key, end);
        return item.offset >= from
          ? item
          : { ...item, offset: from, bytes: item.bytes.subarray(from - item.offset) };
      }
      case "notice":
        return item;
    }
  }
}
