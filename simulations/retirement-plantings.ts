/** Mistakes in how closed runs are forgotten (`planted.ts` runs them). One world in five has runs that are. */

import type { Planting } from "./planted.ts";

const acceptor = "protocol/registers/acceptor.ts";
const records = "protocol/registers/records.ts";
const retiring = "node/core/retiring.ts";
const often = { firstSeed: 2, every: 5, seedsMax: 300 } as const;

export const retirementPlantings: readonly Planting[] = [
  {
    name: "a run is forgotten before a majority has heard of its end",
    edits: [
      {
        file: retiring,
        find: 'if (typeof told === "number" && told <= heldThrough) continue;',
        replace: 'if (typeof told === "number") continue;',
      },
    ],
    caughtBy: ["retirement"],
    firstSeed: 2_692,
    every: 5,
    seedsMax: 300,
  },
  {
    name: "a home forgets what an earlier one closed without telling of it",
    edits: [
      {
        file: retiring,
        find: 'this.#closed.set(run, { end, told: "untold" });',
        replace: "this.#closed.set(run, { end, told: 0 });",
      },
    ],
    caughtBy: ["retirement", "progress"],
    firstSeed: 10_142,
    every: 5,
    seedsMax: 300,
    kinds: ["fuse"],
  },
  {
    name: "a run that is about to be closed is forgotten with those that are",
    edits: [
      {
        file: retiring,
        find: "let belowMs = this.#context.endingMs();",
        replace: "let belowMs = Infinity;",
      },
    ],
    caughtBy: ["retirement"],
    ...often,
    firstSeed: 3_022,
  },
  {
    name: "who asks again about a run that is over is told that it comes too late",
    edits: [
      {
        file: "node/core/submissions.ts",
        find: "if (question !== null && !wasJudged && !isTimely(submission, wallMs)) {",
        replace: "if (question !== null && !isTimely(submission, wallMs)) {",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 2_100_004_715,
    every: 1,
    seedsMax: 1,
  },
  {
    name: "what was forgotten is admitted once more",
    edits: [
      {
        file: "protocol/registers/registers.ts",
        find: 'if (isRetired(command, retired)) return refused("expired");',
        replace: "void retired;",
      },
      {
        file: "node/core/submissions.ts",
        find: "if (!this.#context.isGone(submission)) return false;",
        replace: "if (submission.run !== null) return false;",
      },
      {
        file: "node/core/control.ts",
        find: "else if (untilMs !== null && now.wallMs < untilMs)",
        replace: "else if (untilMs !== null)",
      },
    ],
    caughtBy: ["registers", "linearizability"],
    ...often,
    firstSeed: 3_092,
  },
  {
    name: "who is no member any more keeps what the domain will never admit",
    edits: [
      {
        file: "node/core/control.ts",
        find: "if (!this.#isMember) this.#submissions.refused(message.run);",
        replace: "",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 3_092,
    every: 40,
    seedsMax: 60,
  },
  {
    name: "the watermark takes what is open with it",
    edits: [
      {
        file: records,
        find: "comparePositions(record, raised) < 0 && this.#closedRuns.has(run)",
        replace: "comparePositions(record, raised) < 0",
      },
    ],
    caughtBy: ["tables", "registers"],
    ...often,
  },
  {
    name: "who was away keeps what the others have forgotten",
    edits: [{ file: acceptor, find: "if (!found.has(runRegister(run)))", replace: "if (found.has(run))" }],
    caughtBy: ["tables"],
    ...often,
    firstSeed: 3_882,
  },
  {
    name: "who was away is not told what is left below a higher watermark",
    edits: [
      {
        file: records,
        find: "if (isRaised) for (const run of this.retirable(this.#retired)) names.add(runRegister(run));",
        replace: "",
      },
    ],
    caughtBy: ["tables", "registers"],
    ...often,
  },
  {
    name: "who alone took a higher watermark is not sent what it has forgotten",
    edits: [{ file: acceptor, find: " || own.includes(retiredRegister)", replace: "" }],
    caughtBy: ["tables", "registers"],
    ...often,
  },
];
