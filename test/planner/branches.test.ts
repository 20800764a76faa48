/** Which ways a plan can go, and what in it can never be. */

import { describe, expect, it } from "vitest";
import { branchesOf, type Branches } from "../../planner/branches.ts";
import { explainPlan } from "../../planner/explain.ts";
import { pictureOf } from "../../planner/graph/picture.ts";
import { explainSteps } from "../../planner/step-reasons.ts";
import type { Plan } from "../../protocol/plan.ts";
import { numbersFrom } from "./choices.ts";
import { planOf } from "./planning.ts";

const planned = (steps: string): Promise<Plan> => planOf(`otto: 1\nsteps:\n${steps}`);
const branches = async (steps: string): Promise<Branches> => branchesOf(await planned(steps));
const impossible = async (steps: string) => (await branches(steps)).impossible;

const deployment = `
  production: { run: ./deploy }
  online: { needs: production, wait: { callback: outside, within: 15m } }
  celebrate: { needs: online, run: ./celebrate }
  roll-back: { needs: { online: [failed, timed-out] }, run: ./roll-back }
`;

describe("the branches of a step", () => {
  it("are all of its ways to end, with what runs then", async () => {
    expect(await branches(deployment)).toEqual({
      steps: [
        {
          step: "online",
          branches: [
            { outcomes: ["passed"], next: ["celebrate"] },
            { outcomes: ["failed", "timed-out"], next: ["roll-back"] },
            { outcomes: ["cancelled", "skipped"], next: [] },
          ],
        },
      ],
      impossible: [],
      certain: true,
    });
  });

  it("are said in the explanation of the plan, and of the step", async () => {
    const plan = await planned(deployment);
    expect(explainPlan(plan, "id")).toContain(`
  at most     15m, one attempt
  then        if it passed: celebrate
              if it failed or timed out: roll-back
              if it was cancelled or was skipped: nothing
`);
    const [online] = explainSteps(
      plan,
      plan.steps.filter(({ name }) => name === "online"),
      null,
    );
    expect(online?.branches).toHaveLength(3);
  });

  it("count its own outcomes", async () => {
    const { steps } = await branches(`
  check: { run: x, outcomes: [outdated] }
  update: { run: x, needs: { check: [outdated] } }
`);
    expect(steps[0]?.branches).toEqual([
      { outcomes: ["passed", "failed", "timed-out", "cancelled"], next: [] },
      { outcomes: ["outdated"], next: ["update"] },
    ]);
  });
});

describe("what can never run", () => {
  it.each([
    [
      "a step that waits for another to be skipped, which always runs",
      "{ a: { run: x }, b: { run: x, needs: { a: [skipped] } } }",
      [{ kind: "step", step: "b", because: "a always runs" }],
    ],
    [
      "the same, where it runs because of a condition",
      '{ a: { run: x, when: git.branch == "main" }, b: { run: x, needs: { a: [skipped] } } }',
      [{ kind: "step", step: "b", because: "a is in, and always runs" }],
    ],
    [
      "a step whose needs exclude each other",
      "{ a: { run: x }, b: { run: x, needs: a }, c: { run: x, needs: { a: [failed], b: [passed] } } }",
      [{ kind: "step", step: "c", because: "a ending as failed and b ending as passed exclude each other" }],
    ],
    [
      "the same over several steps",
      "{ a: { run: x }, b: { run: x, needs: a }, c: { run: x, needs: b }, d: { run: x, needs: { a: [failed] } }, e: { run: x, needs: [c, d] } }",
      [{ kind: "step", step: "e", because: "c ending as passed and d ending as passed exclude each other" }],
    ],
    [
      "what needs one that can never run",
      "{ a: { run: x }, b: { run: x, needs: { a: [skipped] } }, c: { run: x, needs: b } }",
      [
        { kind: "step", step: "b", because: "a always runs" },
        { kind: "step", step: "c", because: "b can never run" },
      ],
    ],
    [
      "a branch on the failure of a poll that nothing fails",
      '{ a: { wait: { poll: { http: "http://x", until: response.status == 200 } } }, b: { run: x, needs: { a: [failed] } } }',
      [{ kind: "step", step: "b", because: "a never ends as failed" }],
    ],
    [
      "a part of what a step waits for",
      "{ a: { run: x }, b: { run: x, needs: { a: [passed, skipped] } } }",
      [{ kind: "outcomes", step: "b", need: "a", outcomes: ["skipped"], because: "a always runs" }],
    ],
    [
      "three needs that fit by two and not together",
      "{ a: { run: x, outcomes: [p, q] }, b: { run: x, needs: { a: [p, q] } }, c: { run: x, needs: { a: [p, passed] } }, d: { run: x, needs: { a: [q, passed] } }, e: { run: x, needs: [b, c, d] } }",
      [{ kind: "step", step: "e", because: "its needs exclude each other" }],
    ],
  ])("%s", async (_, steps, expected) => {
    const found = await impossible(`  ${steps}\n`);
    expect(found).toEqual(expected);
  });

  it.each([
    [
      "skipped is possible when a need of it may fail",
      "{ a: { run: x }, b: { run: x, needs: a }, c: { run: x, needs: { b: [skipped] } } }",
    ],
    [
      "both ways of a fork may meet again",
      "{ a: { run: x }, b: { run: x, needs: a }, c: { run: x, needs: { a: [failed] } }, d: { run: x, needs: { b: [passed, skipped], c: [passed, skipped] } } }",
    ],
    [
      "a condition of today may be otherwise tomorrow",
      "{ a: { run: x, when: true }, b: { run: x, needs: { a: [passed, skipped] } } }",
    ],
    [
      "the failure of a poll that something fails",
      '{ a: { wait: { poll: { http: "http://x", until: response.status == 200, fails: response.status == 500 } } }, b: { run: x, needs: { a: [failed] } } }',
    ],
  ])("not: %s", async (_, steps) => {
    expect(await impossible(`  ${steps}\n`)).toEqual([]);
  });
});

it("what can never be is said at the end of the explanation, at the step and in the picture", async () => {
  const plan = await planned(
    "  { a: { run: x }, b: { run: x, needs: { a: [skipped] } }, c: { run: x, needs: { a: [passed, skipped] } } }\n",
  );
  expect(explainPlan(plan, "id").split("\n").slice(-4)).toEqual([
    "can never run: b: a always runs",
    "never happens: c waits for a to end as skipped, and a always runs",
    "plan id",
    "",
  ]);
  expect(explainSteps(plan, plan.steps, null).map(({ impossible: never }) => never)).toEqual([
    [],
    ["can never run: b: a always runs"],
    ["never happens: c waits for a to end as skipped, and a always runs"],
  ]);
  const { boxes, arrows } = pictureOf(plan);
  expect(boxes[1]).toMatchObject({ kind: "out", details: ["can never run: a always runs"] });
  expect(arrows.map(({ to, kind }) => [to, kind])).toEqual([
    [1, "out"],
    [2, "branch"],
  ]);
});

/** Every run that there can be, one after the other: what each step ended as. */
function* runsOf(plan: Plan, ended: Map<string, string> = new Map()): Generator<ReadonlyMap<string, string>> {
  const step = plan.steps[ended.size];
  if (step === undefined) {
    yield new Map(ended);
    return;
  }
  const runs =
    step.included && step.needs.every((need) => need.outcomes.includes(ended.get(need.step) ?? ""));
  const ends = runs ? ["passed", "failed", "timed-out", "cancelled", ...(step.outcomes ?? [])] : ["skipped"];
  for (const end of ends) {
    ended.set(step.name, end);
    yield* runsOf(plan, ended);
    ended.delete(step.name);
  }
}

it("what can never run is what no run out of all that there can be has", async () => {
  const next = numbersFrom(7);
  const below = (count: number): number => Math.floor(next() * count);
  const usual = ["passed", "failed", "skipped", "passed"];
  let never = 0;
  for (let round = 0; round < 400; round += 1) {
    const steps = Array.from({ length: 6 }, (_, index) => {
      const needs = Array.from({ length: index }, (_none, other) => other).filter(() => below(100) < 45);
      const outcomes = (): string => usual.filter(() => below(100) < 40).join(", ") || "passed";
      const words = needs.map((other) => `s${other}: [${outcomes()}]`);
      return `  s${index}: { run: x, needs: { ${words.join(", ")} }${below(100) < 15 ? ", when: false" : ""} }`;
    });
    const plan = await planned(`${steps.join("\n")}\n`);
    const seen = new Map<string, Set<string>>(plan.steps.map(({ name }) => [name, new Set()]));
    for (const run of runsOf(plan)) for (const [name, end] of run) seen.get(name)?.add(end);
    const { impossible: found, steps: shown, certain } = branchesOf(plan);
    expect(certain).toBe(true);
    const neverRun = plan.steps.filter(
      ({ name, included }) => included && seen.get(name)?.has("passed") === false,
    );
    never += neverRun.length;
    const said = found.flatMap((entry) => (entry.kind === "step" ? [entry.step] : []));
    expect([steps, said]).toEqual([steps, neverRun.map(({ name }) => name)]);
    for (const { step, branches: ways } of shown)
      expect(new Set(ways.flatMap(({ outcomes }) => outcomes))).toEqual(seen.get(step));
    for (const entry of found)
      if (entry.kind === "outcomes")
        expect(entry.outcomes.filter((outcome) => seen.get(entry.need)?.has(outcome))).toEqual([]);
  }
  expect(never).toBeGreaterThan(50);
});

it("what is impossible is not said where not everything could be tried, and that is said", async () => {
  // Each `v` runs when three steps end in certain ways; that none of them does is asked of 60 steps at once.
  const next = numbersFrom(3);
  const variables = Array.from({ length: 60 }, (_, index) => `x${index}`);
  const lines = variables.map((name) => `  ${name}: { run: x, outcomes: [other] }`);
  const clauses = Array.from({ length: 400 }, (_, index) => `v${index}`);
  for (const name of clauses) {
    const needs = new Map(
      [0, 1, 2].map(() => [
        variables[Math.floor(next() * variables.length)] ?? "",
        next() < 0.5 ? "other" : "passed, failed, timed-out, cancelled",
      ]),
    );
    const words = [...needs].map(([variable, outcomes]) => `${variable}: [${outcomes}]`);
    lines.push(`  ${name}: { run: x, needs: { ${words.join(", ")} } }`);
  }
  const none = clauses.map((name) => `${name}: [skipped]`);
  lines.push(`  last: { run: x, needs: { ${none.join(", ")} } }`);
  const plan = await planned(`${lines.join("\n")}\n`);
  expect(branchesOf(plan)).toMatchObject({ impossible: [], certain: false });
  expect(explainPlan(plan, "id")).toContain(
    "\nnot every way through the plan was tried: more of it may never run\n",
  );
});
