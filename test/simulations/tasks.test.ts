/** A soak ends whatever happens, and says at its end what failed. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { seedOf } from "../../simulations/seeds.ts";
import { summaryOf } from "../../simulations/summary.ts";
import { runTask } from "../../simulations/tasks.ts";

it("ends a task that hangs, with all that it has started, and calls it failed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "otto-tasks-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "hangs.mjs");
  // Whoever keeps its standard output keeps the task from being over.
  writeFileSync(
    program,
    `import { spawn } from "node:child_process";
    spawn("sleep", ["1000"], { stdio: "inherit" });`,
  );
  const task = {
    kind: "kept",
    name: "one that hangs",
    program: pathToFileURL(program).href,
    words: [],
  } as const;
  expect(await runTask({ ...task, secondsMax: 1 })).toMatchObject({ code: 3, totals: null });
});

it("says once more at its end what failed, with the last that it printed", () => {
  const task = { program: "seeds.ts", words: [], secondsMax: 1 };
  const totals = { seeds: 9, violations: 1, messages: 90, nodeHours: 1, cpuSeconds: 3 };
  const kept = {
    task: { ...task, kind: "kept", name: "a.json" },
    code: 0,
    seconds: 1,
    words: "well",
    totals: null,
  } as const;
  const said = [...Array.from({ length: 30 }, (_, line) => `line ${line}`), "again: replay.ts 7"].join("\n");
  const seeds = {
    task: { ...task, kind: "seeds", name: "core 1" },
    code: 1,
    seconds: 2,
    words: said,
    totals,
  } as const;
  const { lines, code } = summaryOf([seeds, kept], 3);
  expect(code).toBe(1);
  expect(lines.slice(1, 6)).toEqual([
    "kept: 1 of 1",
    "seeds: 0 of 1; not: core 1 (exit code 1)",
    "",
    "seeds: core 1 failed:",
    "line 19",
  ]);
  expect(lines.slice(-4)).toEqual(["again: replay.ts 7", "", "3 s", "1 passed, 1 failed"]);
  expect(summaryOf([kept], 3)).toEqual({ lines: ["kept: 1 of 1", "3 s", "1 passed, 0 failed"], code: 0 });
});

it("judges a commit by the same worlds however often it is, and each commit by its own", () => {
  expect(seedOf("a", null)).toBe(seedOf("a", null));
  expect(seedOf("b", null)).not.toBe(seedOf("a", null));
  expect(seedOf("a", "a moment")).not.toBe(seedOf("a", "another"));
});
