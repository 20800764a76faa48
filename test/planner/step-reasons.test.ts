/** What `otto explain --step` says: every reason of a step, with the line that gave it. */

import { describe, expect, it } from "vitest";
import { explainSteps, stepsNamed, type StepReasons } from "../../planner/step-reasons.ts";
import { stepsText } from "../../planner/step-words.ts";
import { readWritten } from "../../planner/written.ts";
import { planOf } from "./planning.ts";

const file = `otto: 1
pipeline: webapp
parameters:
  channel: { type: string, enum: [beta, stable], default: beta }
env: { LANG: C, HOSTNAME: localhost }
environments:
  production: { domain: ops, settings: { HOSTNAME: www.example.org } }
steps:
  build:
    run: make
    outputs: { assets: public/** }

  test:
    needs: build
    matrix: { os: [linux, mac] }
    when: matrix.os == "linux"
    run: make test
    retry: 1
    timeout: 5m
    labels: [os=matrix.os]
  production:
    needs: test
    when: (git.branch == "main" && parameters.channel == "stable") || trigger == "tag"
    environment: production
    inputs: { assets: build.assets }
    run: ./bin/deploy
  roll-back:
    needs: { production: [failed] }
    run: ./bin/roll-back
  tell:
    needs: roll-back
    run: ./bin/tell
`;

async function reasonsOf(name: string, text = file): Promise<StepReasons> {
  const plan = await planOf(text);
  const [reasons] = explainSteps(plan, stepsNamed(plan, name), readWritten(text, "otto.yaml"));
  if (reasons === undefined) throw new Error(`no step ${name}`);
  return reasons;
}

const line = (number: number) => ({ file: "otto.yaml", line: number, endLine: number });

it("tells everything about a step, with the lines that say it", async () => {
  const plan = await planOf(file);
  const steps = explainSteps(plan, stepsNamed(plan, "production"), readWritten(file, "otto.yaml"));
  expect(`\n${stepsText({ otto: "explain-step/1", planId: "the-id", steps })}`).toMatchInlineSnapshot(`
    "
    production
      written     otto.yaml:21-26
      left out    when (git.branch == "main" && parameters.channel == "stable") || trigger == "tag" is false
      condition   (git.branch == "main" && parameters.channel == "stable") || trigger == "tag" is false (otto.yaml:23)
                  git.branch == "main" is true
                  parameters.channel == "stable" is false
                  trigger == "tag" is false
      reads       git.branch, which is "main": as git says
      reads       parameters.channel, which is "beta": its default (otto.yaml:4)
      reads       trigger, which is "manual": what made the plan
      needs       build: hands over \`assets\` (otto.yaml:25)
      needs       test (os=linux): named in \`needs\` (otto.yaml:22)
                  not test (os=mac): left out, and other cells are in
      needed by   roll-back (if it failed), which is left out
      takes       assets, from build (assets: public/**) (otto.yaml:25)
      runs        ./bin/deploy
                  written at otto.yaml:26
      with        HOSTNAME=www.example.org: a setting of production (otto.yaml:7)
                  instead of "localhost": \`env\` of the file (otto.yaml:5)
      with        LANG=C: \`env\` of the file (otto.yaml:5)
      with        OTTO_PARAMETER_CHANNEL=beta: the parameter \`channel\` (otto.yaml:4)
      where       any worker, since the step asks for no labels
      environment production: domain ops, 1 setting (otto.yaml:7)
      effect      reaches outside, so never two attempts at once: it is in an environment (otto.yaml:24)
      timeout     1h an attempt: the default
      attempts    one: the default of a step that reaches outside: a person decides, not a retry
      at most     no time, since it is left out

    plan the-id
    "
  `);
});

it("tells the cell, its labels and what was written instead of a default", async () => {
  const reasons = await reasonsOf("test (os=linux)");
  expect(reasons).toMatchObject({
    place: { line: 13, endLine: 20 },
    cell: { values: { os: "linux" }, cells: 2, place: line(15) },
    labels: [{ label: "os=linux", place: line(20) }],
    timeout: { ms: 300_000, because: "written", place: line(19) },
    retry: { attemptsMax: 2, because: "written", place: line(18) },
    needs: [{ step: "build", included: true, because: "named in `needs`", place: line(14) }],
    neededBy: [{ step: "production", outcomes: ["passed"], included: false }],
    condition: {
      value: true,
      parts: [],
      facts: [{ name: "matrix.os", value: "linux", because: "of this cell", place: line(15) }],
    },
  });
});

it("follows the reason for leaving a step out to the step that began it", async () => {
  const { leftOutBy } = await reasonsOf("tell");
  expect(leftOutBy.map((cause) => cause.step)).toEqual(["roll-back", "production"]);
});

it("takes a step's name for all cells of its matrix, in the plan's order", async () => {
  const plan = await planOf(file);
  expect(stepsNamed(plan, "test").map((step) => step.name)).toEqual(["test (os=linux)", "test (os=mac)"]);
  expect(stepsNamed(plan, "tests")).toEqual([]);
});

it("explains a step that was detected, for which there is no file", async () => {
  const plan = await planOf("otto: 1\nsteps: { a: { run: x, env: { A: b } } }\n");
  const detected = { ...plan, origin: { kind: "conventions", version: 1, found: [] } } as const;
  const becauseOf = (words: string) => [
    { place: null, condition: null, commands: { because: words }, variables: [{ because: words }] },
  ];
  expect(explainSteps(detected, plan.steps, null)).toMatchObject(becauseOf("detected"));
  // A plan that ran comes without the file that it was made from.
  expect(explainSteps(plan, plan.steps, null)).toMatchObject(becauseOf("planned"));
});

describe("the parts of a condition", () => {
  const partsOf = async (when: string) => {
    const text = `otto: 1\nsteps:\n  a:\n    when: >-\n      ${when}\n    run: x\n`;
    return (await reasonsOf("a", text)).condition?.parts.map((part) => [part.text, part.value]);
  };

  it("are what && and || join, however it is bracketed, each with its value", async () => {
    expect(await partsOf(`(trigger == "x" || !(git.branch == "main")) && size(git.tag) == 0`)).toEqual([
      ['trigger == "x"', false],
      ['!(git.branch == "main")', false],
      ["size(git.tag) == 0", true],
    ]);
  });

  it("are not repeated when there is one", async () => {
    expect(await partsOf(`trigger == "manual"`)).toEqual([]);
  });

  it("have no value when they cannot be evaluated by themselves", async () => {
    expect(await partsOf(`git.tag != "" && 1 / size(git.tag) == 1`)).toEqual([
      ['git.tag != ""', false],
      ["1 / size(git.tag) == 1", null],
    ]);
  });
});

it("points at what an alias stands for", async () => {
  const text = "otto: 1\nsteps:\n  a: &a\n    run: x\n    timeout: 1m\n  b: *a\n";
  const reasons = await reasonsOf("b", text);
  expect(reasons.place).toEqual(line(6));
  expect(reasons.timeout.place).toEqual(line(5));
});
