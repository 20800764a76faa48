/** Steps that are kept apart do what others do: the contract of executors holds at every level that is reached here. */

import { it } from "vitest";
import { executorContract } from "../../contracts/executor.ts";
import { Witness } from "../../contracts/witness.ts";
import { isolated, missing } from "../../security/isolated.ts";

for (const level of ["S1", "S2"] as const) {
  const why = missing(level);
  if (why !== null) {
    it.skipIf(true)(`the executor at ${level} keeps the contract (skipped: ${why})`, () => undefined);
    continue;
  }
  executorContract(`the executor of real processes at ${level}`, async (observer) => {
    if (!(observer instanceof Witness)) throw new Error("the contract's own observer is expected");
    const surroundings = await isolated(level, { witness: observer });
    return {
      executor: surroundings.executor,
      emptyTree: surroundings.emptyTree,
      commands: {
        passes: "true",
        failsWith3: "exit 3",
        prints: (text) => `printf '%s' '${text}'`,
        lasts: "echo begun; sleep 600",
      },
      cleanUp: surroundings.close,
    };
  });
}
