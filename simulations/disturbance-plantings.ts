/**
 * Mistakes that show only where one thing goes wrong: taken out of the seed named here, that fault takes the breach with it.
 *
 * What has no mistake of its own: loss, narrow links and a slow network only make what is said late, or break a link in the
 * end, and clocks, pauses and partitions do that too; what is late from a link that broke shows with `late` alone in the
 * test of a voter that takes no vote back (`test/protocol/late-tables.test.ts`). That a worker leaves time to kill an unruly
 * step shows only with long leases, rarely met by one: `test/node/core/leases.test.ts` has it.
 */

import type { Planting } from "./planted.ts";

const worker = "node/core/worker.ts";

export const disturbancePlantings: readonly Planting[] = [
  {
    name: "a worker says only once that it is there",
    edits: [
      {
        file: worker,
        find: "if (this.#controls.has(peer)) this.#greet(peer);",
        replace: "if (this.#controls.has(peer) && this.#pulls === 0) this.#greet(peer);",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 1,
    seedsMax: 50,
    kinds: ["flap"],
  },
  {
    name: "what a peer kept of submissions is not taken up when it starts",
    edits: [
      {
        file: "node/core/control.ts",
        find: "of [...under(controlKeys.bundles), ...under(controlKeys.orders)])",
        replace: "of under(controlKeys.orders))",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 6,
    seedsMax: 100,
    kinds: ["herd"],
  },
  {
    name: "whoever runs an exclusive step knows no deadline while its worker stands still",
    edits: [
      {
        file: "simulations/executor.ts",
        find: "if (this.isLate(deadlineMs)) return this.stop(id);",
        replace: 'if (id !== "") return;',
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 236,
    seedsMax: 50,
    kinds: ["pause"],
  },
  {
    name: "a worker does not notice that its machine was suspended",
    edits: [
      {
        file: worker,
        find: "if (!this.#suspension.hasSlept(now)) return;",
        replace: "if (now.wallMs > 0) return;",
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 915,
    seedsMax: 200,
    every: 8,
  },
];
