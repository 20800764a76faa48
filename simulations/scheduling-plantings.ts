/** Mistakes to plant in what a home gives out: locks, fencing tokens, turns (`plantings.ts`). */

import type { Planting } from "./planted.ts";

const claims = "node/core/claims.ts";
const locks = "node/core/locks.ts";
const queue = "node/core/queue/ready-queue.ts";

export const schedulingPlantings: readonly Planting[] = [
  {
    name: "a lock is given to two",
    edits: [
      {
        file: locks,
        find: "if ((lock.holder !== null && lock.holder !== key) || !mayHave(lock, step)) {",
        replace: "if (lock.holder === key) {",
      },
      {
        file: locks,
        find: "if (lock.holder === null && line.offered === null && mayHave(lock, step)) {",
        replace: "if (line.offered === null) {",
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 3,
    seedsMax: 200,
  },
  {
    name: "the next home forgets who has which lock",
    edits: [{ file: locks, find: "else lock.holder = register;", replace: "void [name, register];" }],
    caughtBy: ["effects", "fences"],
    firstSeed: 11,
    seedsMax: 600,
  },
  {
    name: "a fencing token does not rise",
    edits: [{ file: claims, find: "this.#fence += 1;", replace: "this.#fence = Math.max(1, this.#fence);" }],
    caughtBy: ["fences"],
    firstSeed: 3,
    seedsMax: 60,
  },
  {
    name: "fencing tokens start anew with each home",
    edits: [
      {
        file: claims,
        find: 'if (value.kind === "fence") this.#fence = value.token;',
        replace: 'if (value.kind === "fence") this.#fence = 0;',
      },
    ],
    caughtBy: ["fences"],
    firstSeed: 11,
    seedsMax: 300,
  },
  {
    name: "a claim is fenced by a token that no majority holds",
    edits: [
      {
        file: claims,
        find: "this.#context.propose(fenceRegister, ",
        replace: "void (",
      },
    ],
    caughtBy: ["fences"],
    firstSeed: 11,
    seedsMax: 300,
  },
  {
    name: "whoever waits for a lock waits for ever",
    edits: [
      {
        file: locks,
        find: "      next.push(first);\n",
        replace: "",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 3,
    seedsMax: 100,
  },
  {
    name: "a low priority is starved by a step that was held back once",
    edits: [
      {
        file: queue,
        find: "for (const { entry } of this.#held.due(nowMs))\n",
        replace: "for (const { entry } of this.#held.due(nowMs)) if (entry.demand.level < 2)\n",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 182,
    seedsMax: 300,
  },
  {
    name: "what waits behind a gate has left its lock",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "else this.claims.heldBack(run, index);",
        replace: "else this.claims.ended(run, index);",
      },
    ],
    caughtBy: ["held-locks"],
    firstSeed: 746,
    seedsMax: 200,
    every: 16,
  },
  {
    name: "a home that takes over does not know who has a lock behind a gate",
    edits: [
      {
        file: "node/core/claims.ts",
        find: '(value.state !== "leased" && value.state !== "gated")',
        replace: '(value.state !== "leased" || value.token < 0)',
      },
    ],
    caughtBy: ["held-locks"],
    firstSeed: 1_306,
    seedsMax: 400,
    every: 16,
  },
  {
    name: "who was revoked is heard and given steps on",
    edits: [
      {
        file: "node/core/control.ts",
        find: 'if (this.#revocations.all.has(from)) return this.#count("revoked", from);',
        replace: "",
      },
    ],
    caughtBy: ["revocations"],
    firstSeed: 2_718,
    seedsMax: 40,
    every: 32,
  },
  {
    name: "what a person approved counts who was revoked",
    edits: [
      {
        file: "node/core/control.ts",
        find: "charter: () => this.#revocations.roll,\n      document:",
        replace: "charter: () => this.#configurations.charter,\n      document:",
      },
    ],
    caughtBy: ["revocations"],
    firstSeed: 7_774,
    seedsMax: 40,
    every: 32,
  },
];
