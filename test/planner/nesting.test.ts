/** Templates: pipelines that are nested in others, as one plan. */

import { describe, expect, it } from "vitest";
import { explainPlan } from "../../planner/explain.ts";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { rootId } from "../../planner/imports.ts";
import { explainSteps, stepsNamed } from "../../planner/step-reasons.ts";
import { readWritten } from "../../planner/written.ts";
import { limits } from "../../protocol/limits.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import { diagnosticsOf, importsOf, planOf } from "./planning.ts";

const every = ["passed", "failed", "timed-out", "cancelled", "skipped"];

const deploy = `otto: 1
parameters:
  target: { type: string, enum: [preprod, production] }
  slow: { type: boolean, default: false }
environments: { production: { settings: { HOST: inner } }, own: { settings: { A: a } } }
env: { FROM: template }
steps:
  build: { run: make, outputs: { site: dist/** } }
  test: { needs: build, run: make test, when: parameters.slow }
  push: { inputs: { site: build.site }, run: ./push, environment: production }
  undo: { needs: { push: [failed, skipped] }, run: ./undo, environment: own }
`;

const root = `otto: 1
uses: { shared: ./ci/deploy.yaml }
environments: { production: { settings: { HOST: outer } } }
env: { FROM: root }
steps:
  prepare: { run: x }
  deploy: { needs: prepare, pipeline: shared, with: { target: production } }
  after: { needs: deploy, inputs: { site: deploy/build.site }, run: y }
  rescue: { needs: { deploy: [failed] }, run: z }
`;

const files = { "ci/deploy.yaml": deploy };

async function nested(text = root, others: Readonly<Record<string, string>> = files): Promise<Plan> {
  const plan = await planOf(text, {}, importsOf(others));
  // Whoever gets the plan checks it again.
  expect(parsePlan(plan)).toMatchObject({ ok: true });
  return plan;
}

function stepOf(plan: Plan, name: string): PlannedStep {
  const step = plan.steps.find((other) => other.name === name);
  if (step === undefined)
    throw new Error(`no ${name} in ${plan.steps.map((other) => other.name).join(", ")}`);
  return step;
}

async function complaints(text: string, others: Readonly<Record<string, string>> = files): Promise<string> {
  const texts = new Map(Object.entries({ "otto.yaml": text, ...others }));
  return `\n${formatDiagnostics(await diagnosticsOf(text, {}, importsOf(others)), texts)}\n`;
}

describe("a step that nests a pipeline", () => {
  it("becomes the steps of that, and a step that ends when they have", async () => {
    const plan = await nested();
    expect(plan.steps.map(({ name }) => name)).toEqual([
      "prepare",
      "deploy/build",
      "deploy/push",
      "deploy/test",
      "deploy/undo",
      "deploy",
      "after",
      "rescue",
    ]);
    const members = ["deploy/build", "deploy/push", "deploy/test", "deploy/undo"];
    expect(stepOf(plan, "deploy")).toMatchObject({
      commands: [],
      action: { kind: "pipeline", members },
      retry: { attemptsMax: 1, on: [] },
      effect: false,
    });
    expect(stepOf(plan, "deploy").needs).toEqual([
      ...members.map((step) => ({ step, outcomes: every })),
      // Were it not started, all its members would be skipped: that is no success.
      { step: "prepare", outcomes: ["passed"] },
    ]);
  });

  it("starts nothing before what it needs itself, also not what may start when others were skipped", async () => {
    const plan = await nested();
    const onPrepare = { step: "prepare", outcomes: ["passed"] };
    expect(stepOf(plan, "deploy/build").needs).toEqual([onPrepare]);
    expect(stepOf(plan, "deploy/push").needs).toEqual([{ step: "deploy/build", outcomes: ["passed"] }]);
    expect(stepOf(plan, "deploy/undo").needs).toEqual([
      { step: "deploy/push", outcomes: ["failed", "skipped"] },
      onPrepare,
    ]);
  });

  it("hands over what its steps leave, and is needed as a whole", async () => {
    const plan = await nested();
    expect(stepOf(plan, "after")).toMatchObject({
      inputs: [{ name: "site", step: "deploy/build", output: "site" }],
      needs: [
        { step: "deploy", outcomes: ["passed"] },
        { step: "deploy/build", outcomes: ["passed"] },
      ],
    });
    expect(explainPlan(plan, "id")).toContain(
      "deploy/build (however it ended), deploy/push (however it ended)",
    );
    expect(stepOf(plan, "rescue").needs).toEqual([{ step: "deploy", outcomes: ["failed"] }]);
  });

  it("gives it parameters, which its conditions and commands see, and no others", async () => {
    const plan = await nested();
    expect(stepOf(plan, "deploy/test")).toMatchObject({
      included: false,
      reason: "when parameters.slow is false",
    });
    expect(stepOf(plan, "deploy/build").variables).toEqual({
      FROM: "template",
      OTTO_PARAMETER_SLOW: "false",
      OTTO_PARAMETER_TARGET: "production",
    });
    expect(stepOf(plan, "prepare").variables).toEqual({ FROM: "root" });
    const slow = await nested(root.replace("production }", "production, slow: true }"));
    expect(stepOf(slow, "deploy/test").included).toBe(true);
  });

  it("hands on its own parameters", async () => {
    const text = `otto: 1
parameters: { where: { type: string, default: preprod } }
steps: { deploy: { pipeline: ./ci/deploy.yaml, with: { target: parameters.where } } }
`;
    const imports = importsOf(files);
    const given = await planOf(text, { parameters: { where: "production" } }, imports);
    expect(stepOf(given, "deploy/build").variables["OTTO_PARAMETER_TARGET"]).toBe("production");
    const wrong = await diagnosticsOf(text, { parameters: { where: "moon" } }, imports);
    expect(wrong).toMatchObject([{ code: "pipeline/bad-parameter", file: "otto.yaml", range: { line: 3 } }]);
  });

  it("is described by the pipeline where both describe an environment", async () => {
    const plan = await nested();
    expect(plan.environments).toEqual({
      own: { domain: null, settings: { A: "a" } },
      production: { domain: null, settings: { HOST: "outer" } },
    });
    expect(stepOf(plan, "deploy/push").variables).toMatchObject({ HOST: "outer", FROM: "template" });
  });
});

describe("a nested pipeline", () => {
  it("is left out as a whole, with its reason", async () => {
    const plan = await nested(root.replace("pipeline: shared", 'when: git.branch == "x", pipeline: shared'));
    expect(plan.steps.map(({ name, included, reason }) => [name, included, reason])).toEqual([
      ["prepare", true, "always"],
      ["deploy/build", false, 'in deploy, which is left out: when git.branch == "x" is false'],
      ["deploy/push", false, 'in deploy, which is left out: when git.branch == "x" is false'],
      ["deploy/test", false, 'in deploy, which is left out: when git.branch == "x" is false'],
      ["deploy/undo", false, 'in deploy, which is left out: when git.branch == "x" is false'],
      ["deploy", false, 'when git.branch == "x" is false'],
      ["after", false, 'needs deploy, which is left out: when git.branch == "x" is false'],
      ["rescue", false, 'needs deploy, which is left out: when git.branch == "x" is false'],
    ]);
  });

  it("has the same plan whatever the order of its file", async () => {
    const lines = deploy.trimEnd().split("\n");
    const shuffled = [...lines.slice(0, 7), ...lines.slice(7).reverse()].join("\n");
    const other = await nested(root, { "ci/deploy.yaml": `${shuffled}\n` });
    expect(other.steps).toEqual((await nested()).steps);
  });

  it("may have matrices inside, and may be nested itself", async () => {
    const plan = await nested(
      `otto: 1\nsteps: { a: { pipeline: ./b.yaml }, last: { needs: a/inner, run: x } }`,
      {
        "b.yaml": "otto: 1\nsteps: { inner: { pipeline: ./c.yaml }, then: { needs: inner, run: y } }",
        "c.yaml": "otto: 1\nsteps: { test: { run: z, matrix: { os: [linux, macos] } } }",
      },
    );
    expect(plan.steps.map(({ name, from }) => [name, from])).toEqual([
      ["a/inner/test (os=linux)", "a/inner/test"],
      ["a/inner/test (os=macos)", "a/inner/test"],
      ["a/inner", "a/inner"],
      ["a/then", "a/then"],
      ["a", "a"],
      ["last", "last"],
    ]);
    expect(stepOf(plan, "a").action).toEqual({ kind: "pipeline", members: ["a/inner", "a/then"] });
  });

  it("pins what it is made with, once however often it is used", async () => {
    const twice = root.replace(
      "  after:",
      "  again: { pipeline: ./ci/deploy.yaml, with: { target: preprod } }\n  after:",
    );
    const plan = await nested(twice);
    expect(plan.uses).toMatchObject([
      { name: "shared", source: "./ci/deploy.yaml", commit: null, kind: "template" },
    ]);
    expect(plan.uses?.[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(explainPlan(plan, "id")).toMatch(/made with +shared: \.\/ci\/deploy\.yaml, digest [0-9a-f]{12}\n/);
  });
});

describe("one of its steps", () => {
  it("is explained with the lines of its own file, and of the one that gives it parameters", async () => {
    const plan = await nested();
    const written = readWritten(root, "otto.yaml", importsOf(files));
    const [step] = explainSteps(plan, stepsNamed(plan, "deploy/test"), written);
    expect(step).toMatchObject({
      name: "deploy/test",
      place: { file: "ci/deploy.yaml", line: 9 },
      condition: { facts: [{ name: "parameters.slow", value: false, because: "its default" }] },
      needs: [{ step: "deploy/build", place: { file: "ci/deploy.yaml", line: 9 } }],
    });
    expect(step?.variables).toMatchObject([
      { name: "FROM", because: "`env` of the file", place: { file: "ci/deploy.yaml", line: 6 } },
      { name: "OTTO_PARAMETER_SLOW", place: { file: "ci/deploy.yaml", line: 4 } },
      { name: "OTTO_PARAMETER_TARGET", place: { file: "otto.yaml", line: 7 } },
    ]);
    const [build, push] = explainSteps(
      plan,
      ["deploy/build", "deploy/push"].map((name) => stepOf(plan, name)),
      written,
    );
    expect(build?.needs).toMatchObject([
      { because: "`deploy` needs it", place: { file: "otto.yaml", line: 7 } },
    ]);
    expect(push?.variables.find(({ name }) => name === "HOST")).toMatchObject({
      because: "a setting of production",
      place: { file: "otto.yaml", line: 3 },
    });
  });
});

describe("a mistake", () => {
  it("in a template is shown in its file, with the step that uses it", async () => {
    const broken = deploy.replace("needs: build", "needs: biuld");
    expect(await complaints(root, { "ci/deploy.yaml": broken })).toMatchInlineSnapshot(`
      "
      ci/deploy.yaml:9:18: error: there is no step called \`biuld\` (pipeline/unknown-step)
        9 |   test: { needs: biuld, run: make test, when: parameters.slow }
          |                  ^^^^^
          : the step \`deploy\` uses it (otto.yaml:7:39)
        7 |   deploy: { needs: prepare, pipeline: shared, with: { target: production } }
          |                                       ^^^^^^
          = did you mean \`build\`?
      "
    `);
  });

  it("in what is given to a template is shown where it is given", async () => {
    const given = (words: string): string => root.replace("{ target: production }", words);
    expect(await complaints(given("{ target: 3, tarqet: x, slow: parameters.fast }"))).toMatchInlineSnapshot(`
      "
      otto.yaml:7:63: error: the parameter \`target\` is a string, and this is a number (pipeline/bad-parameter)
        7 |   deploy: { needs: prepare, pipeline: shared, with: { target: 3, tarqet: x, slow: parameters.fast } }
          |                                                               ^
          = put it in quotes: "3"

      otto.yaml:7:66: error: the template \`shared\` has no parameter \`tarqet\` (pipeline/unknown-parameter)
        7 |   deploy: { needs: prepare, pipeline: shared, with: { target: 3, tarqet: x, slow: parameters.fast } }
          |                                                                  ^^^^^^
          = did you mean \`target\`?

      otto.yaml:7:83: error: the file has no parameter \`fast\` (pipeline/unknown-parameter)
        7 |   deploy: { needs: prepare, pipeline: shared, with: { target: 3, tarqet: x, slow: parameters.fast } }
          |                                                                                   ^^^^^^^^^^^^^^^
          = no parameter is declared
      "
    `);
    expect(await complaints(given("{ target: moon }"))).toContain("(pipeline/bad-parameter)");
    expect(await complaints(given("{ target: matrix.os }"))).toContain("the step's matrix has no axis `os`");
    expect(await complaints(given("{}"))).toContain(
      "the template `shared` needs a value for its parameter `target` (pipeline/missing-parameter)",
    );
  });

  it("is a library where a template is wanted, and the other way round", async () => {
    const text = "otto: 1\nuses: { lint: ./lint, shared: ./ci/deploy.yaml }\n";
    const others = { ...files, "lint/otto-step.yaml": "otto-step: 1\nname: lint\nentry: { any: ./lint }" };
    const found = await complaints(`${text}steps: { a: { pipeline: lint }, b: { uses: shared } }`, others);
    expect(found).toContain("`lint` is a step library (pipeline/bad-use)");
    expect(found).toContain("= did you mean `uses: lint`?");
    expect(found).toContain("= did you mean `pipeline: shared`?");
  });

  it("is a step or an output that the nested pipeline does not have", async () => {
    expect(await complaints(root.replace("deploy/build.site", "deploy/biuld.site"))).toContain(
      "= did you mean `deploy/build`?",
    );
    expect(await complaints(root.replace("deploy/build.site", "deploy.site"))).toContain(
      "= name the step of it that has the output: `deploy/STEP.site`",
    );
    expect(await complaints(root.replace("needs: prepare,", "needs: [prepare, deploy/build],"))).toContain(
      "(pipeline/self-need)",
    );
    expect(await complaints(root.replace("prepare: { run", "prepare: { needs: deploy/build, run"))).toContain(
      "in a circle: `deploy` -> `prepare` -> `deploy`",
    );
  });

  it("is a circle of templates, shown whole", async () => {
    const circle = {
      "a.yaml": "otto: 1\nsteps: { b: { pipeline: ./b.yaml } }",
      "b.yaml": "otto: 1\nsteps: { a: { pipeline: ./a.yaml } }",
    };
    expect(await complaints("otto: 1\nsteps: { go: { pipeline: ./a.yaml } }", circle)).toMatchInlineSnapshot(`
      "
      b.yaml:2:25: error: the pipelines use each other in a circle: \`a.yaml\` -> \`b.yaml\` -> \`a.yaml\` (pipeline/cycle)
        2 | steps: { a: { pipeline: ./a.yaml } }
          |                         ^^^^^^^^
          : the step \`b\` uses it (a.yaml:2:25)
        2 | steps: { b: { pipeline: ./b.yaml } }
          |                         ^^^^^^^^
          = let one of them do its work itself
      "
    `);
  });

  it("is a path that leaves the repository, or is none", async () => {
    for (const path of ["./../x.yaml", "./.git/config", "./a//b", "./*.yaml"])
      expect(await complaints(`otto: 1\nsteps: { a: { pipeline: "${path}" } }`)).toContain(
        "(pipeline/bad-use)",
      );
    expect(await complaints("otto: 1\nsteps: { a: { pipeline: ./gone.yaml } }")).toContain(
      "(pipeline/unknown-use)",
    );
  });
});

describe("templates that want to exhaust the planner", () => {
  it("are refused when they are too deep", async () => {
    const deep = (depth: number): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: depth }, (_, index) => [
          `${index}.yaml`,
          index === depth - 1
            ? "otto: 1\nsteps: { end: { run: x } }"
            : `otto: 1\nsteps: { s: { pipeline: ./${index + 1}.yaml } }`,
        ]),
      );
    const text = "otto: 1\nsteps: { s: { pipeline: ./0.yaml } }";
    expect((await nested(text, deep(limits.pipelinesNestedMax))).steps).toHaveLength(6);
    expect(await complaints(text, deep(limits.pipelinesNestedMax + 1))).toContain(
      "are nested more than 5 deep",
    );
  });

  it("are refused before they multiply", async () => {
    const many = (path: string): string =>
      `otto: 1\nsteps:\n${Array.from({ length: 60 }, (_, index) => `  s${index}: { pipeline: ./${path} }`).join("\n")}`;
    const bomb = {
      "b.yaml": many("c.yaml"),
      "c.yaml": many("d.yaml"),
      "d.yaml": "otto: 1\nsteps: { end: { run: x } }",
    };
    expect(await complaints(many("b.yaml"), bomb)).toContain("the plan has more than 10000 steps");
  });

  it("are read once, also with mistakes", async () => {
    const big = { "b.yaml": `otto: 1\nsteps: {}\n#${"x".repeat(limits.pipelineFileBytesMax)}` };
    const text = `otto: 1\nsteps:\n${Array.from({ length: 300 }, (_, index) => `  s${index}: { pipeline: ./b.yaml }`).join("\n")}`;
    const diagnostics = await diagnosticsOf(text, {}, importsOf(big));
    expect(diagnostics).toMatchObject([{ code: "pipeline/too-large", file: "b.yaml" }]);
  });
});

it("commands see the parameters of their own file", async () => {
  const text = "otto: 1\nparameters: { n: { type: number, default: 3 } }\nsteps: { a: { run: x } }";
  expect((await planOf(text)).steps[0]?.variables).toEqual({ OTTO_PARAMETER_N: "3" });
  const twice = text.replace("{ n:", "{ N: { type: number, default: 1 }, n:");
  expect(await complaints(twice)).toContain("would both be the variable `OTTO_PARAMETER_N`");
});

it("what is absent is said where it is used, with what to do", async () => {
  const absent = {
    kind: "absent",
    code: "pipeline/not-locked",
    message: "otto.lock does not pin it",
    help: "run `otto lock`",
  } as const;
  const source = "git+https://git.example.org/acme/ci@v1#a.yaml";
  const text = `otto: 1\nuses: { ci: "${source}" }\nsteps: { a: { pipeline: ci } }`;
  const found = await diagnosticsOf(text, {}, new Map([[rootId, new Map([[source, absent]])]]));
  expect(formatDiagnostics(found, text)).toMatchInlineSnapshot(`
    "otto.yaml:2:13: error: otto.lock does not pin it (pipeline/not-locked)
      2 | uses: { ci: "git+https://git.example.org/acme/ci@v1#a.yaml" }
        |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        = run \`otto lock\`"
  `);
});
