/** Mistakes in how tables are carried from peer to peer, whole or in parts (`planted.ts` runs them). */

import type { Planting } from "./planted.ts";

const acceptor = "protocol/registers/acceptor.ts";
const table = "protocol/registers/table.ts";

export const repairPlantings: readonly Planting[] = [
  {
    name: "a candidate begins with its own table though another's is further",
    edits: [
      { file: table, find: "if (comparePositions(furthest.at, at) <= 0)", replace: "if (at.round >= 0)" },
    ],
    caughtBy: ["registers", "tables"],
    firstSeed: 8,
    seedsMax: 300,
  },
  {
    name: "a repair is written down page by page",
    edits: [
      {
        file: acceptor,
        find: 'return [reply(from, { kind: "more", ballot: gathering.ballot, ask, page: gathering.page })];',
        replace:
          'return [{ kind: "store", operations: [...gathering.found.values()].map(({ name, ...record }) => ({ kind: "put", key: registerKey(name), value: storedRecord(record) })) }, reply(from, { kind: "more", ballot: gathering.ballot, ask, page: gathering.page })];',
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 5,
    seedsMax: 300,
  },
  {
    name: "a voter begins a reign with another table than its home",
    edits: [
      { file: acceptor, find: "if (comparePositions(base, this.#at) !== 0)", replace: "if (base.round < 0)" },
    ],
    caughtBy: ["tables", "registers"],
    firstSeed: 5,
    seedsMax: 300,
  },
  {
    name: "a voter keeps what it accepted and nobody chose",
    edits: [
      {
        file: acceptor,
        find: "this.#records.drop(name);\n      if (!found.has(name))",
        replace: "if (found.has(name) && since.round < 0)",
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 117,
    seedsMax: 300,
  },
  {
    name: "a voter that asks for a run by its name keeps the steps of it when it was retired",
    edits: [
      {
        file: acceptor,
        find: "for (const run of this.#records.retirable(watermark))",
        replace:
          "for (const name of dropped) this.#records.drop(name);\n    for (const run of this.#records.retirable(watermark))",
      },
    ],
    caughtBy: ["tables"],
    base: "steps-left.json",
    firstSeed: 500_006_152,
    seedsMax: 1,
  },
  {
    name: "a home keeps what was proposed of a step behind the closing of its run",
    edits: [
      {
        file: "protocol/registers/home.ts",
        find: "if (!this.#isOfClosed(name)) this.#committed",
        replace: "if (!this.#isOfClosed(name) || name.length > 0) this.#committed",
      },
    ],
    caughtBy: ["tables"],
    base: "closed-in-one-round.json",
    firstSeed: 500_096_908,
    seedsMax: 1,
  },
  {
    name: "a voter takes what it accepted for chosen",
    edits: [
      {
        file: acceptor,
        find: "return this.#moved(operations, { ballot, round }, { ballot, round: chosen });",
        replace:
          "return this.#moved(operations, { ballot, round }, { ballot, round: Math.max(round, chosen) });",
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 107,
    seedsMax: 300,
  },
  {
    name: "a group brings back what a repair took away",
    edits: [
      {
        file: acceptor,
        find: "const operations = this.#takeApart([...dropped, ...found.keys()]);",
        replace: "const operations: Operation[] = [];",
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 101,
    seedsMax: 300,
  },
  {
    name: "a group outlives its run",
    edits: [
      {
        file: acceptor,
        find: "if (run !== null) operations.push(...this.#groups.forget(run));",
        replace: "void run;",
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 7,
    seedsMax: 300,
  },
  {
    name: "who begins with another's table keeps its own groups",
    edits: [
      {
        file: "node/core/control.ts",
        find: "const stale = [...this.#table.registerKeys()];",
        replace:
          'const stale = [...this.#table.registerKeys()].filter((key) => !key.startsWith("register/group/"));',
      },
    ],
    caughtBy: ["tables"],
    firstSeed: 156,
    seedsMax: 300,
  },
];
