/** A run as a node knows it now: its plan and history, without waiting for more. */

import { callFor } from "../node/edge/client.ts";
import { applyItem, newRunView, type RunView } from "../node/view/run.ts";
import type { Target } from "./target.ts";

export async function viewOf(run: string, target: Target): Promise<RunView> {
  const view = newRunView(run);
  const { certificate } = target;
  const request = { call: "watch", certificate, run, output: false, follow: false } as const;
  for await (const item of callFor(await target.open(), request)) {
    if (item.kind === "plan" || item.kind === "event") applyItem(view, item);
  }
  return view;
}
