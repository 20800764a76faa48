import { executorContract } from "../../contracts/executor.ts";
import { Witness } from "../../contracts/witness.ts";
import { makeSurroundings } from "./surroundings.ts";

executorContract("the executor of real processes", async (observer) => {
  if (!(observer instanceof Witness)) throw new Error("the contract's own observer is expected");
  const surroundings = await makeSurroundings({ witness: observer });
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
