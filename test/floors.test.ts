/** Imports point down, and the pure floors reach no clock, chance or disk: each rule is seen refusing what it is for. */

import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** A file, and a line that must not be in it. */
const refused: readonly (readonly [file: string, line: string])[] = [
  ["protocol/a.ts", 'import "../planner/plan.ts";'],
  ["protocol/registers/a.ts", 'import "../../planner/plan.ts";'],
  ["protocol/b.ts", 'import "../node/ports.ts";'],
  ["protocol/c.ts", 'import "../cli/words.ts";'],
  ["protocol/d.ts", 'import "../simulations/random.ts";'],
  ["protocol/e.ts", 'import "node:fs";'],
  ["protocol/f.ts", 'import "node:fs/promises";'],
  ["protocol/g.ts", "export const now = Date.now();"],
  ["protocol/h.ts", "export const chance = Math.random();"],
  ["protocol/i.ts", "export const { pid } = process;"],
  ["protocol/j.ts", "setTimeout(() => 0, 1);"],
  ["protocol/k.ts", "globalThis.setTimeout(() => 0, 1);"],
  ["planner/a.ts", 'import "../node/ports.ts";'],
  ["planner/conventions/a.ts", 'import "../../cli/words.ts";'],
  ["planner/b.ts", 'import "../simulations/random.ts";'],
  ["planner/c.ts", 'import "node:child_process";'],
  ["planner/d.ts", "export const date = new Date();"],
  ["node/ports.ts", 'import "./edge/clock.ts";'],
  ["node/core/a.ts", 'import "../edge/clock.ts";'],
  ["node/core/b.ts", 'import "../../cli/words.ts";'],
  ["node/core/c.ts", 'import "../../simulations/random.ts";'],
  ["node/core/d.ts", 'import "level";'],
  ["node/core/e.ts", 'import "libp2p";'],
  ["node/core/f.ts", 'import "@libp2p/tcp";'],
  ["node/core/g.ts", 'import "node:timers/promises";'],
  ["node/core/h.ts", 'await fetch("http://[::1]/");'],
  ["node/view/a.ts", 'import "../edge/git.ts";'],
  ["node/view/b.ts", 'import "node:os";'],
  ["node/edge/a.ts", 'import "../../cli/words.ts";'],
  ["node/edge/execution/a.ts", 'import "../../../cli/words.ts";'],
  ["node/edge/b.ts", 'import "../../simulations/random.ts";'],
  ["cli/a.ts", 'import "../simulations/random.ts";'],
  ["cli/commands/a.ts", 'import "../../simulations/random.ts";'],
  ["cli/render/a.ts", 'import "../../test/mesh/mesh.ts";'],
  ["simulations/a.ts", 'import "../cli/words.ts";'],
  ["simulations/checkers/a.ts", 'import "../../node/edge/clock.ts";'],
  ["simulations/chaos/a.ts", 'import "../../test/mesh/mesh.ts";'],
  ["simulations/libp2p/a.ts", 'import "../../cli/words.ts";'],
  ["protocol/circle.ts", 'import "./round.ts";'],
];

const allowed: typeof refused = [
  ["protocol/round.ts", 'import "./circle.ts";\nimport "node:crypto";'],
  ["planner/ok.ts", 'import "../protocol/names.ts";'],
  ["node/core/ok.ts", 'import "../ports.ts";\nimport "../../planner/plan.ts";'],
  ["node/edge/ok.ts", 'import "../core/loop.ts";\nimport "node:fs";\nimport "level";'],
  ["cli/ok.ts", 'import "../node/edge/clock.ts";\nsetTimeout(() => 0, 1);'],
  ["simulations/libp2p/ok.ts", 'import "../../node/edge/network.ts";'],
  ["cli/commands/simulate.ts", 'import "../../simulations/random.ts";'],
  ["simulations/ok.ts", 'import "../node/core/loop.ts";'],
  ["simulations/chaos/ok.ts", 'import "../../node/edge/clock.ts";\nimport "../../cli/words.ts";'],
];

const folder = mkdtempSync(join(tmpdir(), "otto-floors-"));
let told: ReadonlyMap<string, string>;

beforeAll(async () => {
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [file, line] of [...refused, ...allowed]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${line}\n`);
  }
  const { diagnostics } = JSON.parse(await lint()) as {
    diagnostics: readonly { readonly code: string; readonly filename: string }[];
  };
  told = new Map(diagnostics.map(({ filename, code }) => [filename, code]));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The linter ends with a failure here, which is what it is asked for. */
function lint(): Promise<string> {
  const program = join(root, "node_modules/.bin/oxlint");
  const words = ["-c", ".oxlintrc.json", "--format", "json", "."];
  return new Promise((resolve) => {
    execFile(program, words, { cwd: folder }, (_failure, stdout) => resolve(stdout));
  });
}

test.each(refused)("%s must not hold: %s", (file) => {
  expect(told.get(file)).toMatch(/no-restricted-(imports|globals|properties)|no-cycle/);
});

test("what points down, and IO on the edge, are left alone", () => {
  const spoken = allowed.map(([file]) => [file, told.get(file)]).filter(([, code]) => code !== undefined);
  expect(spoken).toEqual([["protocol/round.ts", expect.stringContaining("no-cycle")]]);
});
