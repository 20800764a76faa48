/**
 * Mistakes to plant in the protocol, each with the checker that must find it and how many seeds it may take.
 *
 * A planting is an edit of the source as it is loaded; nothing in the code knows of it. Text that is no longer there
 * exactly once is an error, so a planting cannot quietly stop being one. Run by `planted.ts`.
 */

import type { Planting } from "./planted.ts";
import { logPlantings } from "./log-plantings.ts";
import { configurationPlantings } from "./configuration-plantings.ts";
import { releasePlantings } from "./release-plantings.ts";
import { repairPlantings } from "./repair-plantings.ts";
import { retirementPlantings } from "./retirement-plantings.ts";
import { disturbancePlantings } from "./disturbance-plantings.ts";
import { faultPlantings } from "./fault-plantings.ts";
import { falseHomePlantings } from "./false-home-plantings.ts";
import { gatePlantings } from "./gate-plantings.ts";
import { schedulePlantings } from "./schedule-plantings.ts";
import { schedulingPlantings } from "./scheduling-plantings.ts";

const acceptor = "protocol/registers/acceptor.ts";
const home = "protocol/registers/home.ts";
const registers = "protocol/registers/registers.ts";
const settling = "protocol/registers/settling.ts";
const table = "protocol/registers/table.ts";

export const plantings: readonly Planting[] = [
  {
    name: "one person's yes counts each time that it is said",
    edits: [
      {
        file: settling,
        find: "if (value.answers.some((answer) => answer.by === by)) return",
        replace: "if (value.answers.some((answer) => answer.by === `not ${by}`)) return",
      },
    ],
    caughtBy: ["ledger"],
    firstSeed: 37,
    seedsMax: 400,
    every: 8,
  },
  {
    name: "a step that is settled can be settled again",
    edits: [
      {
        file: settling,
        find: 'if (value?.state === "done") return "closed";',
        replace: 'if (value?.state === "leased") return "closed";',
      },
    ],
    caughtBy: ["ledger", "registers"],
    firstSeed: 1_909,
    seedsMax: 400,
    every: 8,
  },
  {
    name: "a step is handed what another attempt said",
    edits: [
      {
        file: "node/core/open-run.ts",
        find: "return given === undefined ? [] : [{ name, value: given }];",
        replace: 'return given === undefined ? [] : [{ name, value: `${given}`.replace(/ 2 /, " 1 ") }];',
      },
    ],
    caughtBy: ["values"],
    firstSeed: 35,
    seedsMax: 50,
  },
  {
    name: "the next home forgets what steps said",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "const { skipped } = run.apply(index, value, made);",
        replace: "const { skipped } = run.apply(index, value, null);",
      },
    ],
    caughtBy: ["values"],
    firstSeed: 117,
    seedsMax: 100,
  },
  {
    name: "an outcome of a step's own lets go on what wants it to have passed",
    edits: [
      {
        file: "node/core/reign.ts",
        find: 'const outcome = isDeclared ? endOfReport(result.report) : "failed";',
        replace: "const { outcome } = result.report;",
      },
    ],
    caughtBy: ["ledger"],
    firstSeed: 8,
    seedsMax: 50,
  },
  {
    name: "a voter accepts under a ballot below its promise",
    edits: [
      {
        file: acceptor,
        find: "const { ballot, round, chosen, records } = message;\n    if (compareBallots(ballot, this.#promised) < 0)",
        replace: "const { ballot, round, chosen, records } = message;\n    if (round < 0)",
      },
    ],
    caughtBy: ["registers", "durability", "ledger", "tokens", "tables", "progress"],
    firstSeed: 1_286,
    seedsMax: 1_000,
    every: 8,
  },
  {
    name: "one vote is a majority",
    edits: [{ file: home, find: "Math.floor(peers.length / 2) + 1", replace: "Math.min(1, peers.length)" }],
    caughtBy: ["registers"],
    firstSeed: 5,
    seedsMax: 50,
  },
  {
    name: "a vote is told before it is stored",
    edits: [
      {
        file: acceptor,
        find: 'effects.push(reply(ballot.peer, { kind: "accepted", ballot, round }));',
        replace: 'effects.unshift(reply(ballot.peer, { kind: "accepted", ballot, round }));',
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 1,
    seedsMax: 20,
  },
  {
    name: "a vote is told while the disk works",
    edits: [
      {
        file: "node/core/effects.ts",
        find: '(["grant", "ack", "revoke"]);',
        replace: '(["grant", "ack", "revoke", "accepted"]);',
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 1,
    seedsMax: 20,
  },
  {
    name: "the loop does not wait for the disk",
    edits: [
      {
        file: "node/core/loop.ts",
        find: "(failure) => this.#committed(rest, failure));",
        replace: "() => undefined), this.#committed(rest, null);",
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 1,
    seedsMax: 20,
  },
  {
    name: "a promise is not stored",
    edits: [
      {
        file: acceptor,
        find: 'effects.push({ kind: "store", operations: [this.#ownEntry()] });',
        replace: "effects.splice(0, 0);",
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 1,
    seedsMax: 20,
  },
  {
    name: "a restarted voter has forgotten its records",
    edits: [
      {
        file: acceptor,
        find: "for (const [name, record] of registers) this.#records.put(name, record);",
        replace: "void registers;",
      },
    ],
    caughtBy: ["registers"],
    firstSeed: 4,
    seedsMax: 100,
  },
  {
    name: "a ballot is used again after a restart",
    edits: [
      {
        file: table,
        find: "this.#highestEpoch = this.#acceptor.promised.epoch;",
        replace: "this.#highestEpoch = 0;",
      },
      {
        file: table,
        find: "incarnation: this.#incarnation,\n    };\n    this.#canvass",
        replace: 'incarnation: this.#incarnation.slice(0, 0) + "again",\n    };\n    this.#canvass',
      },
    ],
    caughtBy: ["ballots"],
    firstSeed: 4,
    seedsMax: 200,
  },
  {
    name: "a home serves before its recovery is chosen",
    edits: [{ file: home, find: 'this.#stage = "recovering";', replace: 'this.#stage = "home";' }],
    caughtBy: ["registers", "progress", "ledger", "tokens", "assertion"],
    firstSeed: 4,
    seedsMax: 100,
  },
  {
    name: "a run is admitted a second time",
    edits: [
      {
        file: registers,
        find: 'if (value !== null) return refused("duplicate");',
        replace: 'if (value !== null && value.kind !== "run") return refused("duplicate");',
      },
      {
        file: "node/core/control.ts",
        find: "if (known.admitted || !this.#submissions.isReady(known) || this.#isAdmitted(run)) continue;",
        replace: "if (!this.#submissions.isReady(known)) continue;",
      },
    ],
    caughtBy: ["registers", "ledger", "progress"],
    firstSeed: 841,
    seedsMax: 600,
  },
  {
    name: "a result is accepted under an old token",
    edits: [
      {
        file: registers,
        find: "if (value.token !== command.token) return",
        replace: 'if (value.token !== command.token && command.kind !== "finish") return',
      },
      {
        file: registers,
        find: 'if (command.kind === "finish" && value.worker !== command.worker) return refused("stale");',
        replace: "",
      },
    ],
    caughtBy: ["tokens", "registers", "ledger", "verification"],
    firstSeed: 445,
    seedsMax: 300,
  },
  {
    name: "a token is not raised",
    edits: [
      {
        file: registers,
        find: "token: value.token + 1, past });",
        replace: "token: value.token, past });",
      },
      {
        file: registers,
        find: "const token = value.token + 1;",
        replace: "const token = Math.max(1, value.token);",
      },
    ],
    caughtBy: ["tokens", "registers"],
    firstSeed: 3,
    seedsMax: 60,
  },
  {
    name: "a control peer calls admitted what it only voted for",
    edits: [
      {
        file: "node/core/control.ts",
        find: 'return this.#table.stage === "home" && this.#table.value(runRegister(run)) !== null;',
        replace: "return this.#table.value(runRegister(run)) !== null;",
      },
    ],
    caughtBy: ["registers", "progress"],
    firstSeed: 488,
    seedsMax: 300,
  },
  {
    name: "a candidate calls itself home before its reign",
    edits: [
      {
        file: table,
        find: "return followed === this.#self ? null : followed;",
        replace: "return followed;",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 48,
    seedsMax: 60,
  },
  {
    name: "a bundle that nobody had is not asked for again",
    edits: [
      {
        file: "node/core/submissions.ts",
        find: "if (!this.#known.has(run)) this.#asked.ask(run, digest, null);",
        replace: "void [run, digest];",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 213,
    seedsMax: 1_000,
  },
  {
    name: "a step that was stopped half done is tried again though it reaches outside",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "const half = begun && run.step(lease.index).effect;",
        replace: "const half = begun && lease.index < 0;",
      },
    ],
    caughtBy: ["ledger"],
    firstSeed: 448,
    seedsMax: 400,
  },
  {
    name: "an author does not chain what it writes of one run",
    edits: [
      {
        file: "node/core/history.ts",
        find: 'if (before !== "" || !isAfterword(events)) this.#newest.set(run, sealed.head.hash);',
        replace: "void events;",
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 1,
    seedsMax: 20,
  },
  {
    name: "a step is not given what the steps before it made",
    edits: [
      {
        file: "node/core/claims.ts",
        find: "      ...given,\n",
        replace: "      ...given,\n      inputs: [],\n",
      },
    ],
    caughtBy: ["verification", "progress"],
    firstSeed: 5,
    seedsMax: 100,
  },
  {
    name: "a home that takes over does not say who cancelled",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "this.chronicle.cancelRequested(submission.run, register.cancelledBy, now);",
        replace: "void now;",
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 304,
    seedsMax: 300,
  },
  {
    name: "a home that takes over does not say who had approved",
    edits: [
      {
        file: "node/core/settlements.ts",
        find: "for (const answer of value.answers ?? []) this.#answered(run, index, answer, now);",
        replace: "",
      },
    ],
    caughtBy: ["ledger", "verification"],
    firstSeed: 861,
    seedsMax: 200,
    every: 8,
  },
  ...schedulingPlantings,
  ...schedulePlantings,
  ...logPlantings,
  ...faultPlantings,
  ...gatePlantings,
  ...falseHomePlantings,
  ...releasePlantings,
  ...disturbancePlantings,
  ...configurationPlantings,
  ...repairPlantings,
  ...retirementPlantings,
];
