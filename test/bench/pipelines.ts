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

/** So many steps, each of them needing one that `above` names: the graph of `workspaces.ts`, for Otto. */
export async function treeRepository(folder: string, steps: number): Promise<string> {
  const lines = Array.from({ length: steps }, (_, index) => {
    const needed = above(index + 1);
    return `  part-${index + 1}: { run: "true"${needed === null ? "" : `, needs: part-${needed}`} }`;
  });
  return repository(join(folder, `tree-${steps}`), `otto: 1\nsteps:\n${lines.join("\n")}\n`);
}

/** A binary tree: the number of the part that a part needs; null for the root. */
export function above(number: number): number | null {
  return number === 1 ? null : Math.floor(number / 2);
}

/** So many planned steps of all kinds; a multiple of ten. */
export async function mixedRepository(folder: string, steps: number): Promise<string> {
  return repository(join(folder, `mixed-${steps}`), mixedSteps(steps));
}

function mixedSteps(steps: number): string {
  return `otto: 1
pipeline: parts
parameters:
  channel: { type: string, enum: [beta, stable], default: stable }
environments:
  production: { domain: ops, settings: { HOSTNAME: www.example.org } }
env: { FORCE_COLOR: "1" }
steps:
${Array.from({ length: steps / 10 }, (_, index) => tenSteps(index + 1)).join("")}`;
}

/**
 * Ten planned steps of a part: four are the cells of a matrix, one is left out by its condition and one waits for a
 * failure. As long as it may be for a thousand of them to fit into a pipeline file.
 */
function tenSteps(number: number): string {
  const part = `part-${number}`;
  const needed = above(number);
  return `  build-${number}:
    run: [npm ci, npm run build -w ${part}]${needed === null ? "" : `\n    needs: build-${needed}`}
    outputs: { dist: "${part}/dist/**" }
  lint-${number}: { run: npm run lint -w ${part}, timeout: 10m }
  test-${number}:
    inputs: { built: build-${number}.dist }
    matrix: { os: [linux, macos], node: ["22", "24"] }
    labels: [os=matrix.os]
    run: npm test -w ${part}
    env: { CI: "true" }
    retry: { max: 1, on: [lost, failed] }
  package-${number}:
    needs: [lint-${number}, test-${number}]
    inputs: { built: build-${number}.dist }
    when: trigger != "pull-request"
    run: npm pack -w ${part}
    outputs: { archive: "*.tgz" }
  deploy-${number}:
    inputs: { archive: package-${number}.archive }
    environment: production
    when: git.branch == "main" && parameters.channel == "stable"
    run: ./bin/deploy ${part}
    timeout: 30m
  roll-back-${number}:
    needs: { deploy-${number}: [failed, timed-out] }
    environment: production
    run: ./bin/roll-back ${part}
  docs-${number}:
    needs: build-${number}
    when: git.tag.startsWith("v")
    run: npm run docs -w ${part}
`;
}

async function repository(folder: string, pipeline: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "otto.yaml"), pipeline);
  await commitAll(folder);
  return folder;
}

/** Everything in the folder as the one commit of a git repository, on the branch `main`. */
export async function commitAll(folder: string): Promise<void> {
  const git = (...words: string[]) =>
    runToEnd(["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", ...words], { cwd: folder });
  await git("init", "--quiet", "--initial-branch", "main");
  await git("add", ".");
  await git("commit", "--quiet", "--message", "benchmark");
}
