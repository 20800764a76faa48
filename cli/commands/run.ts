/** `otto run`: this folder's pipeline on the embedded mesh, watched to its end. */

import type { ExitCode } from "../../protocol/errors.ts";
import { requireRepository } from "../../node/edge/snapshot.ts";
import { embeddedMesh } from "../embedded.ts";
import { loadPlan, type LoadOptions } from "../load-plan.ts";
import { type SourceOptions, submitRun, tellNotStarted } from "../submit-run.ts";
import { renewPerson } from "../renew-person.ts";
import { localTarget } from "../target.ts";
import { type ShowOptions, watchToEnd } from "../watch-run.ts";

export type RunOptions = LoadOptions & SourceOptions & ShowOptions;

export async function run(options: RunOptions): Promise<ExitCode> {
  const loaded = await loadPlan(options);
  if (loaded.notStarted !== null) return tellNotStarted(loaded.notStarted, options);
  // Before any process is started.
  if (options.commit === undefined) await requireRepository(loaded.root);
  const { control, notices: before } = await embeddedMesh();
  const target = await renewPerson(localTarget(control), control);
  const { run: id, notices } = await submitRun(loaded, target, { ...options, into: control.blobs });
  for (const notice of [...before, ...notices]) process.stderr.write(`otto: ${notice}\n`);
  return watchToEnd(id, target, options);
}
