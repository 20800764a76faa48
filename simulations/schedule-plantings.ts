/** Mistakes to plant in what a domain does about schedules (`plantings.ts`). */

import type { Planting } from "./planted.ts";

const schedule = "protocol/registers/schedule.ts";

export const schedulePlantings: readonly Planting[] = [
  {
    name: "a home fires from its own memory, and the register lets it",
    edits: [
      {
        file: "node/core/schedules.ts",
        find: "const due = submission === null ? null : dueSlots(value, now.wallMs);",
        replace:
          "const own = { ...value, settledMs: Math.min(value.settledMs, now.wallMs - 70_000) };\n    const due = submission === null ? null : dueSlots(own, now.wallMs);",
      },
      {
        file: "node/core/schedules.ts",
        find: "return now.wallMs >= (this.#nextMs.get(pipeline) ?? Infinity);",
        replace: "return now.wallMs % 20_000 < 200 && this.#nextMs.has(pipeline);",
      },
      {
        file: schedule,
        find: "if (throughMs <= value.settledMs || slotMs <= value.settledMs || slotMs > throughMs)",
        replace: "if (throughMs < 0 || slotMs < 0)",
      },
    ],
    caughtBy: ["registers", "schedules"],
    firstSeed: 7,
    seedsMax: 40,
    every: 8,
  },
  {
    name: "a slot is fired again when the wall clock has stepped back",
    edits: [
      {
        file: schedule,
        find: "if (throughMs <= value.settledMs || slotMs <= value.settledMs || slotMs > throughMs)",
        replace: "if (slotMs > throughMs)",
      },
      {
        file: "node/core/schedules.ts",
        find: "this.#nextMs.set(pipeline, nextMs);",
        replace: "this.#nextMs.set(pipeline, nextMs - 70_000);",
      },
      {
        file: schedule,
        find: "return newest === null || newest <= settledMs ? null : newest;",
        replace: "return newest === null || newest === settledMs ? null : newest;",
      },
    ],
    caughtBy: ["registers", "schedules"],
    firstSeed: 7,
    seedsMax: 400,
    every: 8,
  },
  {
    name: "a new home does not start what was fired before it",
    edits: [
      {
        file: "node/core/schedules.ts",
        find: "      this.#startFired(pipeline, now);\n",
        replace: "",
      },
    ],
    caughtBy: ["progress", "schedules"],
    firstSeed: 1_303,
    seedsMax: 400,
    every: 8,
  },
  {
    name: "slots that were missed are passed over in silence",
    edits: [
      {
        file: "node/core/schedules.ts",
        find: 'if (missed !== null) this.#context.note({ kind: "slots-missed", ...told, ...missed });',
        replace: "void missed;",
      },
    ],
    caughtBy: ["schedules"],
    firstSeed: 39,
    seedsMax: 100,
    every: 8,
  },
  {
    name: "an order that was overtaken is set again",
    edits: [
      {
        file: schedule,
        find: "if (value !== null && revision <= value.revision)",
        replace: "if (value !== null && revision < 0)",
      },
      {
        file: "node/core/schedules.ts",
        find: "return order !== null && value !== undefined && value.revision >= order.revision;",
        replace: "return order !== null && value?.order?.id === submission.run;",
      },
      {
        file: "node/core/control.ts",
        find: 'if (!this.#isOvertaken(submission)) return "no";',
        replace: 'if (submission.run !== "") return "no";',
      },
    ],
    caughtBy: ["registers", "schedules"],
    firstSeed: 39,
    seedsMax: 200,
    every: 8,
  },
];
