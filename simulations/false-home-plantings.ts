/** Mistakes to plant in what others look at when a home is false: workers, and other control peers (`plantings.ts`). */

import type { Planting } from "./planted.ts";

const endorsing = "node/core/endorsing.ts";

const caughtBy = ["gates"];

export const falseHomePlantings: readonly Planting[] = [
  {
    name: "who is asked for a credential takes any lease for a permitted one",
    edits: [
      {
        file: endorsing,
        find: 'if (permit?.ok !== true) return "a majority of the control peers has signed no permit for it";',
        replace: "if (permit?.ok !== true) return null;",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a worker begins what it is granted without a permit",
    edits: [
      {
        file: "node/core/shown-permits.ts",
        find: 'if (opened?.ok !== true) return "a majority of the control peers has signed no permit for it";',
        replace: "if (opened?.ok !== true) return null;",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a worker does not know what the domain demands",
    edits: [
      {
        file: "node/core/worker.ts",
        find: "if (this.#permits.hear(value, from))",
        replace: "if (this.#permits.hear(new Uint8Array(), from))",
      },
    ],
    caughtBy,
    firstSeed: 10,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a worker begins what needs a step that nothing has let count",
    edits: [
      {
        file: "node/core/shown-permits.ts",
        find: "if (!this.#isLetCount(submission, at, lease)) {",
        replace: "if (at < 0) {",
      },
    ],
    caughtBy,
    firstSeed: 9_658,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "a worker begins what needs a step that the home alone has let count",
    edits: [
      {
        file: "node/core/shown-permits.ts",
        find: "return permit.ok && isToCount(",
        replace: "return !permit.ok || isToCount(",
      },
    ],
    caughtBy,
    firstSeed: 9_658,
    seedsMax: 60,
    every: 16,
  },
  {
    name: "what a home lets count alone counts for the permit of the next step",
    edits: [
      {
        file: endorsing,
        find: "if (!this.isLetCount(run, at)) return `",
        replace: "if (outcome.length > 99 && !this.isLetCount(run, at)) return `",
      },
    ],
    caughtBy,
    firstSeed: 3_082,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a control peer that has not heard of the policy signs whatever it is asked to",
    edits: [
      {
        file: endorsing,
        find: "if (this.policies.gateOf(run.submission, permit.index, phaseOf(run, permit.index)) === null)\n",
        replace: "if (now.wallMs < 0)\n",
      },
    ],
    caughtBy,
    firstSeed: 12,
    seedsMax: 40,
    every: 32,
  },
];
