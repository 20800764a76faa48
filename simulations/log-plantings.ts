/**
 * Mistakes to plant in the logs of control peers, in the output of steps and in how a worker measures time (`plantings.ts`). One
 * seed in eight has a log that forks, others machines that are suspended.
 */

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
    caughtBy: ["forks", "progress"],
    firstSeed: 5_713,
    seedsMax: 40,
    every: 8,
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
    firstSeed: 401,
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
    name: "a worker cuts the next piece of output one byte too early",
    edits: [
      {
        file: "node/core/output-sender.ts",
        find: "const bytes = this.#read(id, offset, end - offset);",
        replace: "const bytes = this.#read(id, Math.max(0, offset - 1), end - offset);",
      },
    ],
    caughtBy: ["outputs"],
    firstSeed: 2,
    seedsMax: 50,
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
    firstSeed: 28,
    seedsMax: 300,
  },
  {
    name: "an entry is told before it is on disk",
    edits: [
      {
        file: "node/core/effects.ts",
        find: ' || effect.message?.kind === "events"',
        replace: "",
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 2,
    seedsMax: 20,
  },
  {
    name: "a peer confirms what it has not on disk",
    edits: [
      {
        file: "node/core/control.ts",
        find: 'this.#store([]);\n    this.#send(from, { kind: "confirmed"',
        replace: 'this.#send(from, { kind: "confirmed"',
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 4_787,
    every: 5,
    seedsMax: 50,
  },
];
