/** `otto down`: stops the embedded mesh, or the node of a data folder, and waits until it has stopped. */

import { setTimeout as sleep } from "node:timers/promises";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { embeddedFolders, isAlive, signal } from "../embedded.ts";

export async function down(options: { readonly node?: string }): Promise<ExitCode> {
  const { control, worker } = embeddedFolders();
  const folders = options.node === undefined ? [worker, control] : [new DataFolder(options.node)];
  let stopped = 0;
  for (const folder of folders) {
    const pid = folder.running()?.pid;
    if (pid === undefined || !signal(pid, "SIGTERM")) continue;
    const deadlineMs = Date.now() + limits.drainMsMax * 2;
    while (isAlive(pid) && Date.now() < deadlineMs) await sleep(20);
    if (isAlive(pid))
      throw new OttoError("OTTO_TIMED_OUT", {
        what: `Process ${pid} of ${folder.path} does not stop.`,
        state: "It still runs.",
        next: `End it with: kill -9 ${pid}`,
      });
    stopped += 1;
  }
  process.stdout.write(
    stopped === 0
      ? "Nothing was running.\n"
      : `Stopped ${stopped} ${stopped === 1 ? "process" : "processes"}.\n`,
  );
  return exitCodes.passed;
}
