/** Step libraries: what a manifest says, and what a step that uses one has. */

import { describe, expect, it } from "vitest";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { explainPlan } from "../../planner/explain.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import { diagnosticsOf, importsOf, planOf } from "./planning.ts";

function stepOf(plan: Plan, name: string): PlannedStep {
  const step = plan.steps.find((other) => other.name === name);
  if (step === undefined)
    throw new Error(`no ${name} in ${plan.steps.map((other) => other.name).join(", ")}`);
  return step;
}

const manifest = `otto-step: 1
name: lint
description: Looks for mistakes.
parameters:
  level: { type: number, default: 1 }
  mode: { type: string, enum: [fast, whole], default: fast }
entry: { any: ./lint, linux: ./lint-linux }
outputs: { report: report/** }
values: { mistakes: number }
outcomes: [untidy]
effect: true
may: [read the workspace, ask the registry]
`;
const libraries = importsOf({ "ci/lint/otto-step.yaml": manifest });
const text = `otto: 1
uses: { lint: ./ci/lint }
parameters: { strict: { type: number, default: 7 } }
steps:
  lint: { uses: lint, with: { level: parameters.strict, mode: matrix.mode }, matrix: { mode: [fast, whole] } }
  show: { needs: { plain: [passed, untidy] }, inputs: { report: plain.report, count: plain.mistakes }, run: y }
  plain: { uses: ./ci/lint, outputs: { log: lint.log } }
`;

describe("a step library", () => {
  it("is pinned once, and given its parameters with their defaults", async () => {
    const plan = await planOf(text, {}, libraries);
    expect(parsePlan(plan)).toMatchObject({ ok: true });
    expect(plan.uses).toEqual([
      {
        name: "lint",
        source: "./ci/lint",
        commit: null,
        digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        kind: "library",
        entry: { any: "lint", linux: "lint-linux" },
        may: ["read the workspace", "ask the registry"],
      },
    ]);
    expect(stepOf(plan, "lint (mode=whole)")).toMatchObject({
      commands: [],
      action: { kind: "uses", library: "lint", with: { level: 7, mode: "whole" } },
      effect: true,
      retry: { attemptsMax: 1 },
    });
    expect(stepOf(plan, "plain")).toMatchObject({
      action: { with: { level: 1, mode: "fast" } },
      outputs: [
        { name: "log", files: ["lint.log"] },
        { name: "report", files: ["report/**"] },
      ],
      outcomes: ["untidy"],
      values: [{ name: "mistakes", type: "number" }],
    });
    expect(stepOf(plan, "show")).toMatchObject({
      inputs: [{ name: "report", step: "plain" }],
      valueInputs: [{ name: "count", step: "plain", value: "mistakes" }],
    });
  });

  it("is explained with what it says that it may do", async () => {
    const explained = explainPlan(await planOf(text, {}, libraries), "id");
    expect(explained).toContain("              it says that it may read the workspace\n");
    expect(explained).toContain(
      "  uses        the step library lint\n  given       level=1\n  given       mode=fast\n",
    );
  });

  it("is given what its parameters take, cell by cell", async () => {
    const other = text.replace("mode: [fast, whole]", "mode: [fast, slow]");
    const found = await diagnosticsOf(other, {}, libraries);
    expect(found.map(({ code }) => code)).toContain("pipeline/bad-parameter");
    expect(formatDiagnostics(found, other)).toContain("`slow` is none of the values of the parameter `mode`");
    const numbers = await diagnosticsOf(text.replace("mode: [fast, whole]", "mode: [1, 2]"), {}, libraries);
    expect(formatDiagnostics(numbers, text)).toContain(
      "the parameter `mode` is a string, and `mode` is a number",
    );
  });
});

describe("the manifest of a step library", () => {
  it("with mistakes is shown with them", async () => {
    const broken: readonly (readonly [string, string])[] = [
      ["entry: { any: ./lint, linux: ./lint-linux }", "the key `entry` is missing"],
      ["otto-step: 1", "the key `otto-step` is missing"],
      ["name: lint", "the key `name` is missing"],
    ];
    const of = async (changed: string): Promise<string> => {
      const files = { "ci/lint/otto-step.yaml": changed };
      const found = await diagnosticsOf(text, {}, importsOf(files));
      expect(found.length).toBeGreaterThan(0);
      return formatDiagnostics(found, new Map(Object.entries({ "otto.yaml": text, ...files })));
    };
    for (const [line, words] of broken) expect(await of(manifest.replace(`${line}\n`, ""))).toContain(words);
    expect(await of(manifest.replace("otto-step: 1", "otto-step: 2"))).toContain("manifests of version 1");
    expect(await of(manifest.replace("./lint,", "../lint,"))).toContain("is no file of the library's folder");
    expect(await of(manifest.replace("{ any: ./lint, linux: ./lint-linux }", "{}"))).toContain(
      "no program is named",
    );
    expect(await of(manifest.replace("linux:", "macos:"))).toContain("= did you mean `darwin`?");
    expect(await of(`${manifest}inputs: {}\n`)).toContain("= did you mean `parameters`?");
    expect(await of(manifest.replace("effect: true", "effect: yes"))).toMatch(
      /ci\/lint\/otto-step\.yaml:11:9: error: .*\n.*\n.*\n.*it is used here \(otto\.yaml:5:17\)/,
    );
  });
});
