/**
 * A node's process from start to end: tells its parent when it is ready, ends cleanly on SIGTERM and SIGINT, and
 * says in one sentence why it could not start or go on.
 */

import { OttoError } from "../../protocol/errors.ts";
import type { RunningNode } from "./control-node.ts";

/** What a child process tells its parent over the IPC channel, once. */
export type StartReport =
  | { readonly kind: "ready" }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly what: string;
      readonly state: string;
      readonly next: string;
    };

export async function runNodeProcess(start: (folder: string) => Promise<RunningNode>): Promise<void> {
  const [folder = ""] = process.argv.slice(2);
  let node: RunningNode;
  try {
    node = await start(folder);
  } catch (error) {
    tell(failedWith(error));
    report(error);
    return;
  }
  const stop = (): void => void node.stop();
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  tell({ kind: "ready" });
  const cause = await node.stopped;
  if (cause === null) process.exit(0);
  report(cause);
}

/** libp2p keeps timers after it was stopped: the process ends by itself. */
function report(error: unknown): void {
  const { what, next } = failedWith(error);
  process.stderr.write(`otto: ${what}\nNext: ${next}\n`);
  process.exit(error instanceof OttoError ? error.exitCode : 70);
}

function failedWith(error: unknown): Extract<StartReport, { kind: "failed" }> {
  if (error instanceof OttoError) {
    const { code, message: what, state = "", next } = error;
    return { kind: "failed", code, what, state, next };
  }
  const what = `The node stopped on a mistake of its own: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  return { kind: "failed", code: "OTTO_START_FAILED", what, state: "", next: "Report it with these lines." };
}

function tell(message: StartReport): void {
  if (process.send === undefined) return;
  process.send(message, () => {
    if (process.connected) process.disconnect();
  });
}
