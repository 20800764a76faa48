/**
 * A worker's execution in a process of its own, for tests that kill it or take its disk away.
 *
 *   node worker-fixture.ts FOLDER ATTEMPT...      each a part of an Assignment in JSON; one after the other
 *
 * With `deadlineMs` it must be over so long after it has first said something.
 *
 * Prints one JSON line for each thing that happens.
 */

import { join } from "node:path";
import { openBlobs } from "../../../node/edge/blobs.ts";
import { startExecutor } from "../../../node/edge/execution/executor.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Assignment } from "../../../node/ports.ts";
import { encodeTree } from "../../../protocol/tree.ts";
import { assignmentOf } from "../../contracts/witness.ts";

const [folder = "", ...scripts] = process.argv.slice(2);
const blobs = await openBlobs(join(folder, "blobs"));
const tree = await blobs.writeBytes(encodeTree([]));
let setEnded = (): void => undefined;
let deadlineMs: number | undefined;

/** A turn later: whoever hears it may stop this process, and what was told to the runner is on its way by then. */
function say(value: unknown): void {
  setImmediate(() => process.stdout.write(`${JSON.stringify(value)}\n`));
}

const executor = await startExecutor({
  folder: join(folder, "execution"),
  blobs,
  fetch: async () => undefined,
  observer: {
    output: (id, offset, bytes) => {
      if (deadlineMs !== undefined) executor.setDeadline(id, performance.now() + deadlineMs);
      deadlineMs = undefined;
      say({ offset, text: Buffer.from(bytes).toString("latin1").slice(0, 200) });
    },
    ended: (_id, report) => {
      say({ report });
      setEnded();
    },
  },
  passVariables: {},
  slots: 2,
  graceMs: limits.killGraceMs,
});
say({ worker: process.pid, runner: executor.runnerPid });
for (const script of scripts) {
  const ended = new Promise<void>((resolve) => {
    setEnded = resolve;
  });
  const attempt = JSON.parse(script) as Partial<Assignment> & { readonly deadlineMs?: number };
  deadlineMs = attempt.deadlineMs;
  executor.start(assignmentOf(tree, [], attempt));
  await ended;
}
await executor.close();
say({ closed: true });
