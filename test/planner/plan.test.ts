/** What a pipeline file means: order, needs, matrices, conditions, environments, defaults. */

import { describe, expect, it } from "vitest";
import { planId } from "../../planner/plan.ts";
import { limits } from "../../protocol/limits.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import { diagnosticsOf, planOf, stepsOf } from "./planning.ts";

const only = async (step: string): Promise<Awaited<ReturnType<typeof stepsOf>>[number]> => {
  const [first] = await stepsOf(
    `environments: { prod: { settings: { HOST: here, A: setting } } }\nsteps: { s: ${step} }`,
  );
  if (first === undefined) throw new Error("the plan has no step");
  return first;
};

describe("the order of steps", () => {
  it("puts each after everything it needs, and the smaller name by code unit first", async () => {
    const steps = await stepsOf(`steps:
  z: { run: x }
  a: { run: x, needs: z }
  B: { run: x }
  "10": { run: x }
  "9": { run: x, needs: B }
`);
    expect(steps.map((step) => step.name)).toEqual(["10", "B", "9", "z", "a"]);
  });
});

describe("needs", () => {
  it("mean that the step passed, unless outcomes are named", async () => {
    const [, , both] = await stepsOf(`steps:
  a: { run: x }
  b: { run: x }
  c: { run: x, needs: { b: [timed-out, failed], a: skipped } }
`);
    expect(both?.needs).toEqual([
      { step: "a", outcomes: ["skipped"] },
      { step: "b", outcomes: ["failed", "timed-out"] },
    ]);
  });

  it("on a matrix mean all of its cells", async () => {
    const steps = await stepsOf(`steps:
  a: { run: x, matrix: { v: [2, 1] } }
  b: { run: x, needs: a }
`);
    expect(steps.at(-1)?.needs.map((need) => need.step)).toEqual(["a (v=1)", "a (v=2)"]);
  });

  it("come with an input", async () => {
    const steps = await stepsOf(`steps:
  build: { run: x, outputs: { site: [dist/**, "*.html"] } }
  deploy: { run: x, inputs: { web: build.site } }
`);
    expect(steps[1]?.needs).toEqual([{ step: "build", outcomes: ["passed"] }]);
    expect(steps[1]?.inputs).toEqual([{ name: "web", step: "build", output: "site" }]);
  });
});

describe("inputs from a matrix", () => {
  const producer = "build: { run: x, matrix: { os: [linux, macos] }, outputs: { bin: out/** } }";

  it("come from the cells that agree on the axes both have", async () => {
    const steps = await stepsOf(`steps:
  ${producer}
  test: { run: x, matrix: { os: [macos, linux], ruby: ["3.4"] }, inputs: { app: build.bin } }
`);
    expect(steps.slice(2).map(({ name, inputs }) => [name, inputs.map((input) => input.step)])).toEqual([
      ["test (os=linux, ruby=3.4)", ["build (os=linux)"]],
      ["test (os=macos, ruby=3.4)", ["build (os=macos)"]],
    ]);
  });

  it("come from every cell, in order, when the consumer has no such axis", async () => {
    const steps = await stepsOf(`steps:
  ${producer}
  pack: { run: x, inputs: { app: build.bin } }
`);
    expect(steps[2]?.inputs.map((input) => `${input.name} ${input.step}`)).toEqual([
      "app build (os=linux)",
      "app build (os=macos)",
    ]);
  });

  it("are a mistake when no cell agrees", async () => {
    const found = await diagnosticsOf(`otto: 1
steps:
  ${producer}
  test: { run: x, matrix: { os: [windows] }, inputs: { app: build.bin } }
`);
    expect(found.map(({ code, message }) => [code, message])).toEqual([
      ["pipeline/bad-input", "no cell of `build` has the values of `test (os=windows)`"],
    ]);
  });
});

describe("a matrix", () => {
  it("is a product, without what is excluded, with what is included", async () => {
    const steps = await stepsOf(`steps:
  t:
    run: x
    matrix:
      ruby: ["3.3", "3.4"]
      os: [linux, macos]
      exclude: [{ os: macos, ruby: "3.3" }]
      include: [{ os: linux, fast: true }, { os: windows, ruby: "3.4" }]
`);
    expect(steps.map((step) => step.name)).toEqual([
      "t (fast=true, os=linux, ruby=3.3)",
      "t (fast=true, os=linux, ruby=3.4)",
      "t (os=macos, ruby=3.4)",
      "t (os=windows, ruby=3.4)",
    ]);
    expect(steps[0]?.cell).toEqual({ fast: true, os: "linux", ruby: "3.3" });
  });

  it("reaches the commands as variables, never as text in them", async () => {
    const [step] = await stepsOf(
      `steps: { t: { run: "echo $OTTO_MATRIX_RUBY", matrix: { ruby: ["3.4"] } } }`,
    );
    expect(step?.commands).toEqual(["echo $OTTO_MATRIX_RUBY"]);
    expect(step?.variables).toEqual({ OTTO_MATRIX_RUBY: "3.4" });
  });

  it("gives labels their values", async () => {
    const steps = await stepsOf(
      `steps: { t: { run: x, matrix: { os: [linux, macos] }, labels: { os: matrix.os, gpu: "no" } } }`,
    );
    expect(steps.map((step) => step.labels)).toEqual([
      ["gpu=no", "os=linux"],
      ["gpu=no", "os=macos"],
    ]);
  });

  it("knows an axis that only some cells have: it is empty in the others", async () => {
    const steps = await stepsOf(`steps:
  t: { run: x, matrix: { os: [linux, macos], include: [{ os: macos, slow: true }] }, when: "!matrix.slow" }
`);
    expect(steps.map(({ name, included }) => [name, included])).toEqual([
      ["t (os=linux)", true],
      ["t (os=macos, slow=true)", false],
    ]);
  });
});

describe("conditions", () => {
  it.each([
    ['git.branch == "main"', true],
    ['git.tag != ""', false],
    ["git.tag.startsWith('v')", false],
    ['git.branch in ["main", "next"] && trigger == "manual"', true],
    ["parameters.count == 3 && parameters.count > 2.5", true],
    ["parameters.channel == 'beta' && !parameters.dry", true],
    ["environment == 'prod'", true],
    ['["ma", "re"].exists(start, git.branch.startsWith(start))', true],
    ["true", true],
  ])("%s is %s", async (condition, expected) => {
    const steps = await stepsOf(`
parameters: { count: { type: number, default: 3 }, channel: { type: string, default: beta }, dry: { type: boolean, default: false } }
environments: { prod: {} }
steps:
  s:
    run: x
    environment: prod
    when: ${JSON.stringify(condition)}
`);
    expect([steps[0]?.included, steps[0]?.reason]).toEqual([expected, `when ${condition} is ${expected}`]);
  });

  it("see names that JavaScript objects have by themselves as undeclared", async () => {
    for (const name of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
      const found = await diagnosticsOf(
        `otto: 1\nsteps: { s: { run: x, when: parameters.${name} == "x" } }\n`,
      );
      expect(found.map(({ code }) => code)).toEqual(["pipeline/condition-name"]);
    }
  });

  it("leave out what needs a step that is left out, and say why", async () => {
    const steps = await stepsOf(`steps:
  a: { run: x, when: git.branch == "other" }
  b: { run: x, needs: a }
  c: { run: x, needs: b }
  d: { run: x, needs: { a: [skipped, failed] } }
`);
    expect(steps.map(({ name, included, reason }) => [name, included, reason])).toEqual([
      ["a", false, 'when git.branch == "other" is false'],
      ["b", false, 'needs a, which is left out: when git.branch == "other" is false'],
      ["c", false, 'needs b, which is left out because of a: when git.branch == "other" is false'],
      ["d", true, "always"],
    ]);
  });

  it("that leave out some cells leave the others to be needed", async () => {
    const steps = await stepsOf(`steps:
  t: { run: x, matrix: { os: [linux, macos] }, when: matrix.os == "linux", outputs: { o: out/** } }
  u: { run: x, needs: t, inputs: { i: t.o } }
`);
    expect(steps.at(-1)).toMatchObject({
      included: true,
      needs: [{ step: "t (os=linux)", outcomes: ["passed"] }],
      inputs: [{ name: "i", step: "t (os=linux)", output: "o" }],
    });
  });
});

describe("variables", () => {
  it("of the step win over the environment's, and those over the file's", async () => {
    const [step] = await stepsOf(`env: { A: file, B: file, C: file }
environments: { prod: { settings: { B: setting, C: setting } } }
steps: { s: { run: x, environment: prod, env: { C: step } } }
`);
    expect(step?.variables).toEqual({ A: "file", B: "setting", C: "step" });
  });

  it("are what is written, not what YAML makes of it", async () => {
    const step = await only("{ run: x, env: { VERSION: 1.10, ON: true, HEX: 0x1F, NO: no } }");
    expect(step.variables).toEqual({ HEX: "0x1F", NO: "no", ON: "true", VERSION: "1.10" });
  });
});

describe("attempts", () => {
  it("of a step without effect are repeated when the worker is lost", async () => {
    expect((await only("{ run: x }")).retry).toEqual({
      attemptsMax: limits.lostAttemptsMaxDefault,
      on: ["lost"],
    });
  });

  it("of a step in an environment are never repeated by themselves", async () => {
    expect(await only("{ run: x, environment: prod }")).toMatchObject({
      effect: true,
      retry: { attemptsMax: 1, on: [] },
    });
  });

  it.each([
    ["retry: 2", { attemptsMax: 3, on: ["lost", "timed-out", "failed"] }],
    ["retry: 0", { attemptsMax: 1, on: [] }],
    ["retry: 9", { attemptsMax: 10, on: ["lost", "timed-out", "failed"] }],
    ["retry: { max: 1, on: [failed, lost] }", { attemptsMax: 2, on: ["lost", "failed"] }],
    ["retry: { max: 1 }, environment: prod", { attemptsMax: 2, on: ["lost", "timed-out", "failed"] }],
  ])("%s", async (written, retry) => {
    expect((await only(`{ run: x, ${written} }`)).retry).toEqual(retry);
  });
});

describe("time", () => {
  it.each([
    ["90s", 90_000],
    ["10m", 600_000],
    ["2h", 7_200_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
  ])("%s", async (written, timeoutMs) => {
    expect((await only(`{ run: x, timeout: ${written} }`)).timeoutMs).toBe(timeoutMs);
  });

  it.each(["0s", "-1m", "1.5h", "10 m", "7d1s", "m", '""'])("%s is no duration", async (written) => {
    const found = await diagnosticsOf(`otto: 1\nsteps: { s: { run: x, timeout: ${written} } }\n`);
    expect(found.map(({ code }) => code)).toEqual(["pipeline/bad-duration"]);
  });
});

describe("parameters", () => {
  const declared = `otto: 1
parameters:
  channel: { type: string, enum: [beta, stable], default: beta }
  count: { type: number, default: 1 }
  dry: { type: boolean, default: false }
steps: { s: { run: x } }
`;

  it("that are typed on a command line become the declared type", async () => {
    const plan = await planOf(declared, { parameters: { channel: "stable", count: "2.5", dry: "true" } });
    expect(plan.context.parameters).toEqual({ channel: "stable", count: 2.5, dry: true });
  });

  it.each([{ channel: "alpha" }, { count: "many" }, { count: "1e400" }, { dry: "yes" }, { channel: 7 }])(
    "refuse %o",
    async (parameters) => {
      const found = await diagnosticsOf(declared, { parameters });
      expect(found.map(({ code }) => code)).toEqual(["pipeline/bad-parameter"]);
    },
  );

  it("are in the plan with their defaults, and so in its id", async () => {
    const implicit = await planOf(declared);
    expect(planId(implicit)).toBe(planId(await planOf(declared, { parameters: { count: 1 } })));
    expect(planId(implicit)).not.toBe(planId(await planOf(declared, { parameters: { count: 2 } })));
  });
});

it("makes plans that every peer accepts", async () => {
  const plan = await planOf(`otto: 1
pipeline: web.app
environments: { prod: { domain: ops, settings: { A: "1" } } }
env: { CI: true }
steps:
  build: { run: [a, b], outputs: { site: ["dist/{a,b}/**"] }, labels: [gpu, "os=linux"] }
  test: { run: x, matrix: { v: [1, 2.5], w: ["a, b=1"] }, inputs: { s: build.site } }
  ship: { run: x, needs: { test: [passed, failed] }, environment: prod, when: git.branch == "main" }
  not: { run: x, needs: ship, when: git.branch == "other" }
`);
  expect(parsePlan(plan)).toEqual({ ok: true, value: plan });
  expect(planId(plan)).toMatch(/^bafyrei[a-z2-7]{52}$/);
  expect(planId(structuredClone(plan))).toBe(planId(plan));
});

it("as many steps as a plan may have fit into it", async () => {
  const lines = Array.from({ length: limits.stepsPerPlanMax }, (_, n) => `  step-${n}: { run: ./run.sh }`);
  expect(await stepsOf(`steps:\n${lines.join("\n")}\n`)).toHaveLength(limits.stepsPerPlanMax);
});
