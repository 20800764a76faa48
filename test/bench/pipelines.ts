/** Repositories that the benchmark runs: one `otto.yaml` each, in a git repository of its own. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runToEnd } from "./measure.ts";

/** One step that says a word. */
export async function echoRepository(folder: string): Promise<string> {
  return repository(join(folder, "echo"), "otto: 1\nsteps:\n  hello:\n    run: echo hello\n");
}

/** So many steps that do nothing and need nothing. */
export async function manyStepsRepository(folder: string, steps: number): Promise<string> {
  return repository(join(folder, `steps-${steps}`), manySteps(steps));
}

function manySteps(steps: number): string {
  const lines = Array.from({ length: steps }, (_, index) => `  step-${index + 1}: { run: "true" }`);
  return `otto: 1\nsteps:\n${lines.join("\n")}\n`;
}

async function repository(folder: string, pipeline: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "otto.yaml"), pipeline);
  const git = (...words: string[]) =>
    runToEnd(["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", ...words], { cwd: folder });
  await git("init", "--quiet");
  await git("add", ".");
  await git("commit", "--quiet", "--message", "benchmark");
  return folder;
}
