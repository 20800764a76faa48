/** `otto down`: stops the embedded mesh, or the node of a data folder, and waits until it has stopped. */

import { DataFolder } from "../../node/edge/data-folder.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { embeddedFolders, stopProcess } from "../embedded.ts";

export async function down(options: { readonly node?: string }): Promise<ExitCode> {
  const { control, worker } = embeddedFolders();
  const folders = options.node === undefined ? [worker, control] : [new DataFolder(options.node)];
  let stopped = 0;
  for (const folder of folders) if (await stopProcess(folder)) stopped += 1;
  process.stdout.write(
    stopped === 0
      ? "Nothing was running.\n"
      : `Stopped ${stopped} ${stopped === 1 ? "process" : "processes"}.\n`,
  );
  return exitCodes.passed;
}
