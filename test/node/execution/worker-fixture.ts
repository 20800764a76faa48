/**
 * A worker's execution in a process of its own, for tests that kill it or take its disk away.
 *
 *   node worker-fixture.ts FOLDER ATTEMPT...      each a part of an Assignment in JSON; one after the other
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

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

const executor = await startExecutor({
  folder: join(folder, "execution"),
  blobs,
  fetch: async () => undefined,
  observer: {
    output: (_id, offset, bytes) =>
      say({ offset, text: Buffer.from(bytes).toString("latin1").slice(0, 200) }),
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
  executor.start(assignmentOf(tree, [], JSON.parse(script) as Partial<Assignment>));
  await ended;
}
await executor.close();
say({ closed: true });
