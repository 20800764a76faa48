/** Mistakes in how one configuration of control peers gives place to the next (`planted.ts` runs them). */

import type { Planting } from "./planted.ts";

const home = "protocol/registers/home.ts";
const configurations = "node/core/configurations.ts";

export const configurationPlantings: readonly Planting[] = [
  {
    name: "a home that takes over decides on though the next configuration was chosen",
    edits: [
      {
        file: home,
        find: "if (this.successor === null) continue;",
        replace: "if (this.successor === null || first.round === 1) continue;",
      },
    ],
    caughtBy: ["registers"],
    firstSeed: 252,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a database that was wiped is taken for the one that founded the domain",
    edits: [
      {
        file: configurations,
        find: "return founding && isMember(charter.charter, self, store) ? charter : null;",
        replace: "void [self, store];\n    return founding ? charter : null;",
      },
      {
        file: configurations,
        find: "return charter.controls.some((control) => control.peer === peer && control.store === store);",
        replace: 'return charter.controls.some((control) => control.peer === peer && store !== "");',
      },
    ],
    caughtBy: ["registers", "ledger", "progress", "durability"],
    firstSeed: 740,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a new member is handed the runs without their steps",
    edits: [
      {
        file: home,
        find: "const records = [...this.#committed].map(",
        replace: 'const records = [...this.#committed].filter(([name]) => !name.startsWith("step/")).map(',
      },
    ],
    caughtBy: ["registers", "ledger", "tables"],
    firstSeed: 4,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a configuration begins that was proposed and not chosen",
    edits: [
      {
        file: "protocol/registers/table.ts",
        find: 'return this.#home.stage === "closed" ? this.#home.successor : null;',
        replace: "return this.#home.successor;",
      },
      {
        file: home,
        find: "const value = this.#committed.get(charterRegister);",
        replace: "const value = this.#newest(charterRegister);",
      },
      {
        file: home,
        find: 'assert(this.#stage === "closed", "only what is decided for ever is handed over");',
        replace: "",
      },
    ],
    caughtBy: ["registers", "assertion"],
    firstSeed: 4,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a member that came later does not ask for the plans of runs that were over",
    edits: [
      {
        file: "node/core/backlog.ts",
        find: "ask(run, wanted.digest);",
        replace: "void [ask, wanted];",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 2_308,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a charter is not heard of whose peer ended as soon as it had installed it",
    edits: [
      {
        file: "node/core/control.ts",
        find: "isNewer(installed.charter, heard)",
        replace: "isNewer(heard, installed.charter)",
      },
    ],
    caughtBy: ["registers"],
    base: "charter-unheard.json",
    firstSeed: 6,
    seedsMax: 1,
  },
];
