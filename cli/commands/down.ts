/**
 * `otto down`: stops the embedded mesh, or the node of a data folder, and waits until it has stopped. This user's own node is
 * stopped only when it is named: it may serve others.
 */

import { join } from "node:path";
import { DataFolder, ottoHome } from "../../node/edge/data-folder.ts";
import { isAlive } from "../../node/edge/execution/processes.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { embeddedFolders, stopProcess } from "../embedded.ts";
import { shellWord } from "../words.ts";

export async function down(options: { readonly node?: string }): Promise<ExitCode> {
  const { control, worker } = embeddedFolders();
  const folders = options.node === undefined ? [worker, control] : [new DataFolder(options.node)];
  let stopped = 0;
  for (const folder of folders) if (await stopProcess(folder)) stopped += 1;
  const what =
    stopped === 0 ? "Nothing was running." : `Stopped ${stopped} ${stopped === 1 ? "process" : "processes"}.`;
  process.stdout.write(`${what}\n${options.node === undefined ? ownNodeText() : ""}`);
  return exitCodes.passed;
}

function ownNodeText(): string {
  const own = new DataFolder(join(ottoHome(), "node"));
  const pid = own.running()?.pid;
  if (pid === undefined || !isAlive(pid)) return "";
  return `This user's node goes on, as process ${pid}. Stop it with: otto down --node ${shellWord(own.path)}\n`;
}
