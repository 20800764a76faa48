/** Mistakes to plant in the logs of control peers (`plantings.ts`): one seed in eight has a log that forks. */

import type { Planting } from "./planted.ts";

const history = "node/core/history.ts";
const antiEntropy = "node/core/anti-entropy.ts";

export const logPlantings: readonly Planting[] = [
  {
    name: "a second entry in a place of a log is taken for the first",
    edits: [
      {
        file: history,
        find: 'if (seq <= head.seq) return { kind: "doubtful", log, seq };',
        replace: 'if (seq <= head.seq) return { kind: "known" };',
      },
    ],
    caughtBy: ["forks"],
    firstSeed: 89,
    seedsMax: 400,
  },
  {
    name: "a frozen log is taken further",
    edits: [
      {
        file: history,
        find: "if (this.#forks.has(log) || this.#isSilenced(signer)) return",
        replace: "if (this.#isSilenced(signer)) return",
      },
      { file: history, find: "    this.#heads.delete(log);\n", replace: "" },
    ],
    caughtBy: ["forks"],
    firstSeed: 89,
    seedsMax: 400,
  },
  {
    name: "the proof of a fork is shown to nobody",
    edits: [
      { file: antiEntropy, find: "if (peer !== from) this.#send", replace: "if (peer === from) this.#send" },
      {
        file: antiEntropy,
        find: "history.forksMissingAt(known)) effect(",
        replace: "history.forksMissingAt(known)) if (log === from) effect(",
      },
    ],
    caughtBy: ["forks", "progress"],
    firstSeed: 33,
    seedsMax: 400,
  },
  {
    name: "a control peer takes another's word into its own log",
    edits: [
      {
        file: history,
        find: 'if (log === this.#own) return { kind: "forged", run: entry.run };',
        replace: "",
      },
    ],
    caughtBy: ["forks", "verification"],
    firstSeed: 57,
    seedsMax: 800,
  },
  {
    name: "whoever likes may write a step's output",
    edits: [
      {
        file: "node/core/control.ts",
        find: "value.worker === from &&\n      value.attempt === attempt;",
        replace: "attempt <= value.attempt;",
      },
    ],
    caughtBy: ["outputs"],
    firstSeed: 1,
    seedsMax: 300,
  },
  {
    name: "peers with many logs do not say where they differ",
    edits: [
      // A world has few logs: here any two are many.
      { file: "protocol/limits.ts", find: "logsListedMax: 8,", replace: "logsListedMax: 1," },
      {
        file: antiEntropy,
        find: "if (differing.length === 0) return;",
        replace: "if (differing.length >= 0) return;",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 23,
    seedsMax: 300,
  },
];
