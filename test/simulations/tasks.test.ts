/** A soak ends whatever happens: a task that hangs is ended, and fails. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
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
  const task = { kind: "kept", name: "one that hangs", program: pathToFileURL(program).href, words: [] };
  expect(await runTask({ ...task, secondsMax: 1 })).toMatchObject({ code: 3, totals: null });
});
