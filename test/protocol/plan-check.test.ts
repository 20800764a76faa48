/** A plan from a stranger is believed only when every part of it is sound. */

import { describe, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import type { Plan, PlannedStep } from "../../protocol/plan.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";

const build: PlannedStep = {
  name: "build",
  from: "build",
  cell: {},
  included: true,
  reason: "always",
  commands: ["make"],
  needs: [],
  environment: null,
  variables: { CI: "true" },
  inputs: [],
  outputs: [{ name: "site", files: ["dist/**"] }],
  timeoutMs: 60_000,
  retry: { attemptsMax: 3, on: ["lost"] },
  effect: false,
  labels: ["gpu", "os=linux"],
};
const ship: PlannedStep = {
  ...build,
  name: "ship (os=linux)",
  from: "ship",
  cell: { os: "linux" },
  needs: [{ step: "build", outcomes: ["passed", "failed"] }],
  environment: "prod",
  inputs: [{ name: "web", step: "build", output: "site" }],
  outputs: [],
  effect: true,
};
const plan: Plan = {
  otto: 1,
  pipeline: "web",
  origin: { kind: "file", path: "otto.yaml" },
  context: { branch: "main", tag: null, commit: null, trigger: "manual", parameters: { n: 1.5 } },
  environments: { prod: { domain: "ops", settings: { HOST: "here" } } },
  steps: [build, ship],
};

it("accepts a sound plan, also after it was sent", () => {
  expect(parsePlan(plan)).toEqual({ ok: true, value: plan });
  expect(parsePlan(decodeValue(encodeValue(plan)))).toEqual({ ok: true, value: plan });
});

it("accepts the plan of detected conventions", () => {
  const origin = { kind: "conventions", version: 1, found: ["package.json"] } as const;
  expect(parsePlan({ ...plan, origin })).toMatchObject({ ok: true });
});

const changed = (changes: object): unknown => ({ ...plan, ...changes });
const withBuild = (changes: object): unknown => changed({ steps: [{ ...build, ...changes }, ship] });
const withShip = (changes: object): unknown => changed({ steps: [build, { ...ship, ...changes }] });
const withContext = (changes: object): unknown => changed({ context: { ...plan.context, ...changes } });

const unsound: readonly [string, unknown, string][] = [
  ["no map", null, "not a plan"],
  ["a list", [plan], "not a plan"],
  ["another version", changed({ otto: 2 }), "otto: not version 1"],
  ["a key more", changed({ extra: 1 }), 'plan: "extra" is unknown'],
  ["a key less", { ...plan, steps: undefined, other: 1 }, 'plan: "other" is unknown'],
  ["a name with a slash", changed({ pipeline: "a/b" }), "pipeline: not a name"],
  ["an unknown origin", changed({ origin: { kind: "url" } }), "origin: not a file and not conventions"],
  ["an origin with more", changed({ origin: { kind: "file", path: "x", y: 1 } }), 'origin: "y" is unknown'],
  ["a branch that is a number", withContext({ branch: 1 }), "context.branch: not a text"],
  ["a parameter that is a list", withContext({ parameters: { a: [] } }), "context.parameters.a: not a value"],
  [
    "a number that is none",
    withContext({ parameters: { a: Number.NaN } }),
    "context.parameters.a: not a value",
  ],
  [
    "a parameter by an evil name",
    withContext({ parameters: JSON.parse('{"__proto__": 1}') as unknown }),
    'context.parameters: "__proto__" is not a name',
  ],
  [
    "an environment by an evil name",
    changed({ environments: { "../x": {} } }),
    'environments."../x": not an environment',
  ],
  ["no steps", changed({ steps: [] }), "steps: not a list of steps"],
  ["two steps of one name", changed({ steps: [build, build] }), 'steps[1].name: "build" is there twice'],
  ["steps out of order", changed({ steps: [ship, build] }), 'steps[0].needs: "build" is no earlier step'],
  [
    "a step that needs itself",
    withBuild({ needs: [{ step: "build", outcomes: ["passed"] }] }),
    'steps[0].needs: "build" is no earlier step',
  ],
  ["a name that is not its cell's", withShip({ name: "ship" }), 'steps[1].name: not "ship (os=linux)"'],
  ["a name with a line end", withShip({ cell: { os: "a\nb" } }), "steps[1].cell.os: not a value"],
  ["no command", withBuild({ commands: [] }), "steps[0]: neither commands nor an action, or both"],
  ["a NUL in a command", withBuild({ commands: ["a\0b"] }), "steps[0].commands[0]: not a command"],
  ["a blank command", withBuild({ commands: [" "] }), "steps[0].commands[0]: not a command"],
  [
    "a variable of Otto's",
    withBuild({ variables: { "A=B": "x" } }),
    'steps[0].variables: "A=B" is not a name',
  ],
  ["a variable that is a number", withBuild({ variables: { A: 1 } }), "steps[0].variables.A: not a value"],
  ["no time", withBuild({ timeoutMs: 0 }), "steps[0].timeoutMs: out of bounds"],
  ["all the time", withBuild({ timeoutMs: limits.timeoutMsMax + 1 }), "steps[0].timeoutMs: out of bounds"],
  ["half a millisecond", withBuild({ timeoutMs: 0.5 }), "steps[0].timeoutMs: out of bounds"],
  [
    "no attempt",
    withBuild({ retry: { attemptsMax: 0, on: [] } }),
    "steps[0].retry.attemptsMax: out of bounds",
  ],
  [
    "too many attempts",
    withBuild({ retry: { attemptsMax: limits.attemptsMax + 1, on: [] } }),
    "steps[0].retry.attemptsMax: out of bounds",
  ],
  [
    "an unknown cause",
    withBuild({ retry: { attemptsMax: 1, on: ["x"] } }),
    "steps[0].retry.on: an unknown entry",
  ],
  [
    "a cause that is there twice",
    withBuild({ retry: { attemptsMax: 1, on: ["lost", "lost"] } }),
    "steps[0].retry.on: not in order",
  ],
  [
    "outcomes that are not in order",
    withShip({ needs: [{ step: "build", outcomes: ["failed", "passed"] }] }),
    "steps[1].needs[0]: not in order",
  ],
  [
    "a need of nothing",
    withShip({ needs: [{ step: "build", outcomes: [] }] }),
    "steps[1].needs[0]: outcomes: empty",
  ],
  [
    "a need that is there twice",
    withShip({ needs: [...ship.needs, ...ship.needs] }),
    'steps[1].needs: "build" is there twice',
  ],
  ["an undeclared environment", withShip({ environment: "other" }), "steps[1].environment: not declared"],
  [
    "an environment that every object has",
    withShip({ environment: "toString" }),
    "steps[1].environment: not declared",
  ],
  ["an environment without effect", withShip({ effect: false }), "steps[1].effect: false in an environment"],
  [
    "an input that need not be there",
    withShip({ needs: [{ step: "build", outcomes: ["failed"] }] }),
    'steps[1].inputs: "build" need not have passed',
  ],
  [
    "an input without an output",
    withShip({ inputs: [{ name: "web", step: "build", output: "none" }] }),
    'steps[1].inputs: "build" has no output "none"',
  ],
  [
    "a pattern that leaves the workspace",
    withBuild({ outputs: [{ name: "site", files: ["a/../../b"] }] }),
    "steps[0].outputs[0]: files[0]: not a safe pattern",
  ],
  [
    "an absolute pattern",
    withBuild({ outputs: [{ name: "site", files: ["/etc/*"] }] }),
    "steps[0].outputs[0]: files[0]: not a safe pattern",
  ],
  [
    "two outputs of one name",
    withBuild({ outputs: [...build.outputs, ...build.outputs] }),
    "steps[0].outputs: a name is there twice",
  ],
  ["a label with a space", withBuild({ labels: ["a b"] }), "steps[0].labels[0]: not a label"],
  [
    "a step that can never start",
    changed({ steps: [{ ...build, included: false }, ship] }),
    'steps[1]: included, and needs "build", which is left out',
  ],
  ["bytes for a map", withBuild({ cell: new Uint8Array(1) }), "steps[0].cell: not a map"],
];

describe("refuses", () => {
  it.each(unsound)("%s", (_, value, problem) => {
    expect(parsePlan(value)).toEqual({ ok: false, problem });
  });

  it("more steps than a plan may have, without looking at them", () => {
    const steps = Array.from({ length: limits.stepsPerPlanMax + 1 });
    expect(parsePlan({ ...plan, steps })).toEqual({ ok: false, problem: "steps: more than 10000" });
  });

  it("more needs than a plan may have", () => {
    const first = Array.from({ length: 400 }, (_, n) => ({ ...build, name: `a${n}`, from: `a${n}` }));
    const needs = first.map((step) => ({ step: step.name, outcomes: ["passed"] }));
    const others = Array.from({ length: 300 }, (_, n) => ({ ...build, name: `b${n}`, from: `b${n}`, needs }));
    expect(parsePlan({ ...plan, steps: [...first, ...others] })).toEqual({
      ok: false,
      problem: "steps: more than 100000 needs",
    });
  });
});

it("refuses patterns whose braces are too many, or lead out of the workspace", () => {
  const named = (pattern: string) => parsePlan(withBuild({ outputs: [{ name: "site", files: [pattern] }] }));
  expect(named("dist/{a,b}{1..3}/**")).toMatchObject({ ok: true });
  for (const pattern of ["{a,b}".repeat(16), "{1..9999999}", "{..,a}/**", "a/{b,../../..}/**", "{/etc,a}/**"])
    expect(named(pattern)).toEqual({
      ok: false,
      problem: "steps[0].outputs[0]: files[0]: not a safe pattern",
    });
});

it("refuses an approval that needs more people than may give it", () => {
  const asked = (by: readonly string[], count: number) =>
    parsePlan(withBuild({ commands: [], action: { kind: "approve", question: "?", by, count } }));
  expect(asked([], 3)).not.toMatchObject({ problem: expect.stringContaining("may answer") as string });
  expect(asked(["ann", "bob"], 3)).toMatchObject({ problem: "steps[0].action.count: more than may answer" });
  expect(asked(["ann", "ann"], 2)).toMatchObject({ problem: "steps[0].action.count: more than may answer" });
});
