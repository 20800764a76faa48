/** Watches one run to its end: shows it, keeps trying when the node is lost, and cancels it on Ctrl-C. */

import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor, callFor } from "../node/edge/client.ts";
import { applyItem, newRunView, type RunView } from "../node/view/run.ts";
import type { WatchItem } from "../protocol/calls.ts";
import { type ExitCode, exitCodes, OttoError } from "../protocol/errors.ts";
import { limits } from "../protocol/limits.ts";
import { chooseMode, createRenderer } from "./render/renderer.ts";
import type { Target } from "./target.ts";

export type ShowOptions = { readonly json?: boolean; readonly plain?: boolean };

/** Shows the run until it is closed. The first Ctrl-C cancels it and waits; the second leaves at once. */
export async function watchToEnd(run: string, target: Target, options: ShowOptions): Promise<ExitCode> {
  const view = newRunView(run);
  const mode = chooseMode(options, process.stdout, process.env);
  const renderer = createRenderer({ mode, out: process.stdout, now: () => Date.now() });
  let interrupts = 0;
  const interrupted = (): void => {
    interrupts += 1;
    if (interrupts > 1) {
      renderer.close(view);
      process.exit(exitCodes.cancelled);
    }
    renderer.item({
      kind: "notice",
      text: "Cancelling; waiting for the steps to end (Ctrl-C again leaves at once).",
    });
    void cancelUntilHeard(run, target);
  };
  process.on("SIGINT", interrupted);
  process.on("SIGTERM", interrupted);
  try {
    await follow(run, target, view, (item) => renderer.item(item));
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    renderer.close(view);
  }
  return exitCodeOf(view, interrupts > 0);
}

/** Watches until the run is closed; what was seen already is not shown twice when the node was lost between. */
async function follow(
  run: string,
  target: Target,
  view: RunView,
  show: (item: WatchItem) => void,
): Promise<void> {
  const seen = new Seen();
  for (let failures = 0; view.endedMs === null;) {
    try {
      const channel = await target.open();
      const request = {
        call: "watch",
        certificate: target.certificate,
        run,
        output: true,
        follow: true,
      } as const;
      for await (const item of callFor(channel, request)) {
        failures = 0;
        if (!isWatchItem(item)) continue;
        const fresh = seen.take(item);
        if (fresh === null) continue;
        applyItem(view, fresh);
        show(fresh);
      }
      if (view.endedMs !== null) return;
    } catch (error) {
      const waits = error instanceof OttoError && mayComeBack(error);
      if (!waits || failures > limits.watchRetriesMax) throw error;
    }
    if (failures === 0) show({ kind: "notice", text: "Connection to the run lost; trying again." });
    failures += 1;
    await sleep(Math.min(limits.dialBackoffMsMin * 2 ** failures, limits.dialBackoffMsMax));
  }
}

function mayComeBack(error: OttoError): boolean {
  return ["OTTO_UNREACHABLE", "OTTO_NO_NODE", "OTTO_NO_SUCH_RUN", "OTTO_MESSAGE_INVALID"].includes(
    error.code,
  );
}

function isWatchItem(item: { readonly kind: string }): item is WatchItem {
  return item.kind === "plan" || item.kind === "event" || item.kind === "output" || item.kind === "notice";
}

async function cancelUntilHeard(run: string, target: Target): Promise<void> {
  const by = userInfo().username;
  for (let tries = 0; tries < limits.watchRetriesMax; tries += 1) {
    try {
      const channel = await target.open();
      await askFor(channel, { call: "cancel", certificate: target.certificate, run, by }, "done");
      return;
    } catch (error) {
      // Not admitted yet, or its home is changing: the run must still be cancelled.
      if (error instanceof OttoError && /is over/u.test(error.message)) return;
      await sleep(200);
    }
  }
}

/** What was shown already, so that watching again shows each thing once. */
class Seen {
  readonly #events = new Set<string>();
  readonly #output = new Map<string, number>();
  #plan = false;

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

export function exitCodeOf(view: RunView, interrupted: boolean): ExitCode {
  if (view.outcome === "passed") return exitCodes.passed;
  if (view.outcome === "cancelled") return interrupted ? exitCodes.cancelled : exitCodes.failed;
  return view.outcome === null ? exitCodes.stillWaiting : exitCodes.failed;
}
