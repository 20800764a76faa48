/** What the language says besides commands and needs: that it is planned, and what is said when it is wrong. */

import { describe, expect, it } from "vitest";
import { explainPlan } from "../../planner/explain.ts";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { planId, withPriority } from "../../planner/plan.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import type { PlannedStep } from "../../protocol/plan.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { diagnosticsOf, planOf } from "./planning.ts";

async function stepOf(yaml: string, before = ""): Promise<PlannedStep> {
  const plan = await planOf(`otto: 1\n${before}\nsteps:\n  a: ${yaml}\n`);
  expect(parsePlan(decodeValue(encodeValue(plan)))).toMatchObject({ ok: true });
  const [step] = plan.steps;
  if (step === undefined) throw new Error("no step");
  return step;
}

async function complaint(yaml: string): Promise<string> {
  const text = `otto: 1\n${yaml}\n`;
  return formatDiagnostics(await diagnosticsOf(text), text);
}

describe("a step", () => {
  it("asks people", async () => {
    expect(
      await stepOf("{ approve: { question: Go?, by: [ann, team/web], count: 2, within: 2d } }"),
    ).toMatchObject({
      commands: [],
      action: { kind: "approve", question: "Go?", by: ["ann", "team/web"], count: 2 },
      timeoutMs: 172_800_000,
      retry: { attemptsMax: 1, on: [] },
      effect: false,
    });
    expect((await stepOf("{ approve: Go? }")).action).toMatchObject({ question: "Go?", by: [], count: 1 });
  });

  it("waits for a callback, for a poll, or for whichever is first", async () => {
    const poll = `{ http: "https://a.example/health", every: 5s, until: "response.status == 200" }`;
    expect((await stepOf(`{ wait: { callback: c, poll: ${poll}, within: 15m } }`)).action).toEqual({
      kind: "wait",
      callback: "c",
      poll: { url: "https://a.example/health", everyMs: 5_000, until: "response.status == 200", fails: null },
    });
  });

  it("tells values and outcomes of its own", async () => {
    expect(
      await stepOf("{ run: x, values: { b: number, a: string }, outcomes: [old, fresh] }"),
    ).toMatchObject({
      values: [
        { name: "a", type: "string" },
        { name: "b", type: "number" },
      ],
      outcomes: ["fresh", "old"],
    });
  });

  it("takes a value of another step as it takes a file", async () => {
    const { steps } = await planOf(
      "otto: 1\nsteps:\n  a: { run: x, values: { v: string } }\n  b: { run: y, inputs: { w: a.v } }\n",
    );
    expect(steps[1]?.valueInputs).toEqual([{ name: "w", step: "a", value: "v" }]);
    expect(steps[1]?.needs).toEqual([{ step: "a", outcomes: ["passed"] }]);
  });

  it("branches on an outcome of another step's own", async () => {
    const { steps } = await planOf(
      "otto: 1\nsteps:\n  a: { run: x, outcomes: [old] }\n  b: { run: y, needs: { a: [old, failed] } }\n",
    );
    expect(steps[1]?.needs).toEqual([{ step: "a", outcomes: ["failed", "old"] }]);
  });

  it("keeps folders, binds credentials, hands in reports", async () => {
    const yaml = `{ run: x, caches: { g: { paths: [vendor, ~/.gem], key: { files: [Gemfile.lock] } } },
      credentials: { h: { http: "https://api.example.org" }, l: { http: "https://old.example.org", expose: true } }, reports: { junit: [r/*.xml] } }`;
    expect(await stepOf(yaml)).toMatchObject({
      caches: [{ name: "g", paths: ["vendor", "~/.gem"], keyFiles: ["Gemfile.lock"] }],
      credentials: [
        { name: "h", kind: "http", to: "https://api.example.org" },
        { name: "l", kind: "http", to: "https://old.example.org", expose: "file" },
      ],
      reports: [{ format: "junit", files: ["r/*.xml"] }],
    });
  });

  it("asks for a worker", async () => {
    const yaml =
      '{ run: x, requires: { os: linux, arch: x64, tools: { ruby: "3.4", make: any }, cores: 4, memory: 8GiB, sandbox: S1, image: ruby, or: host } }';
    expect(await stepOf(yaml)).toMatchObject({
      labels: ["arch=x64", "cores>=4", "memory>=8192", "os=linux", "tool.make", "tool.ruby~3.4"],
      sandbox: "S1",
      image: { name: "ruby", orHost: true },
    });
  });

  it("reaches outside when it says so", async () => {
    expect(await stepOf("{ run: x, effect: true }")).toMatchObject({
      effect: true,
      retry: { attemptsMax: 1 },
    });
  });
});

describe("a lock", () => {
  it("is a name of a step's own, which leaves it free of effects outside", async () => {
    const step = await stepOf("{ run: x, lock: database }");
    expect(step).toMatchObject({ lock: "database", effect: false, retry: { attemptsMax: 3 } });
    expect(await stepOf("{ run: x }")).not.toHaveProperty("lock");
    const plan = await planOf("otto: 1\nsteps: { a: { run: x, lock: database } }\n");
    expect(explainPlan(plan, planId(plan))).toContain("under the lock database: one step at a time");
    expect(parsePlan(plan).ok).toBe(true);
  });

  it.each([
    ["steps: { a: { run: x, lock: [] } }", "pipeline/wrong-type"],
    ["steps: { a: { run: x, lock: a/b } }", "pipeline/bad-name"],
    ["steps: { a: { approve: Really?, lock: b } }", "pipeline/bad-step"],
    [
      "environments: { p: { lock: true } }\nsteps: { a: { run: x, environment: p, lock: b } }",
      "pipeline/bad-step",
    ],
  ])("is refused: %s", async (text, code) => {
    expect((await diagnosticsOf(`otto: 1\n${text}\n`)).map((diagnostic) => diagnostic.code)).toEqual([code]);
  });

  it("is refused of a stranger's plan where there is another, or nobody to have it", async () => {
    const plan = await planOf(`otto: 1
environments: { p: { lock: true } }
steps: { a: { run: x, environment: p }, b: { approve: Really? } }
`);
    const withLock = (name: string) => ({
      ...plan,
      steps: plan.steps.map((step) => (step.name === name ? { ...step, lock: "b" } : step)),
    });
    expect(parsePlan(withLock("a"))).toMatchObject({ problem: "steps[0].lock: its environment has one" });
    expect(parsePlan(withLock("b"))).toMatchObject({ problem: "steps[1].lock: no worker does it" });
  });
});

describe("a priority", () => {
  it("is in the plan when it is not normal, and can be asked for in its place", async () => {
    const low = await planOf("otto: 1\npriority: low\nsteps: { a: { run: x } }\n");
    const usual = await planOf("otto: 1\nsteps: { a: { run: x } }\n");
    expect(low.priority).toBe("low");
    expect(usual).not.toHaveProperty("priority");
    expect(await planOf("otto: 1\npriority: normal\nsteps: { a: { run: x } }\n")).toEqual(usual);
    expect(planId(withPriority(low, "normal"))).toBe(planId(usual));
    expect(planId(withPriority(usual, "low"))).toBe(planId(low));
    expect(explainPlan(low, planId(low))).toContain("priority    low: its steps are given to workers after");
    expect([parsePlan(low).ok, parsePlan({ ...low, priority: "normal" }).ok]).toEqual([true, false]);
  });

  it("is refused when it is none", async () => {
    const [mistake] = await diagnosticsOf("otto: 1\npriority: hihg\nsteps: { a: { run: x } }\n");
    expect([mistake?.code, mistake?.help]).toEqual(["pipeline/bad-value", expect.stringContaining("high")]);
  });
});

it("a plan says what starts it and what is one at a time", async () => {
  const plan = await planOf(`otto: 1
environments: { production: { lock: true } }
triggers: [{ push: [main] }, { schedule: 0 3 * * 1-5 }, { run: library }]
steps: { a: { run: x, environment: production } }
`);
  expect(plan.triggers).toEqual([
    { kind: "push", branches: ["main"] },
    { kind: "schedule", cron: "0 3 * * 1-5", missed: "latest" },
    { kind: "run", pipeline: "library", outcomes: ["passed"] },
  ]);
  expect(plan.environments["production"]?.lock).toBe(true);
  const text = explainPlan(plan, planId(plan));
  expect(text).toContain("started by  the schedule 0 3 * * 1-5 (UTC); the newest missed slot is made up for");
  expect(text).toContain("one step at a time");
});

it.each([
  ["two actions", "steps: { a: { run: x, approve: ok? } }", "(pipeline/bad-step)"],
  ["commands with parameters", "steps: { a: { run: x, with: { a: 1 } } }", "(pipeline/bad-step)"],
  ["outputs of an approval", "steps: { a: { approve: ok?, outputs: { x: y } } }", "(pipeline/bad-step)"],
  [
    "too few people",
    "steps: { a: { approve: { question: q, by: [ann], count: 2 } } }",
    "(pipeline/bad-step)",
  ],
  ["a wait for nothing", "steps: { a: { wait: {} } }", "(pipeline/missing-key)"],
  [
    "an address with a password",
    'steps: { a: { wait: { poll: { http: "https://u:p@h/", until: "true" } } } }',
    "(pipeline/bad-address)",
  ],
  [
    "a poll that asks what there is not",
    'steps: { a: { wait: { poll: { http: "https://h/", until: "status == 1" } } } }',
    "(pipeline/condition-type)",
  ],
  ["a type of values that is none", "steps: { a: { run: x, values: { v: text } } }", "(pipeline/bad-value)"],
  [
    "a value named as an output",
    "steps: { a: { run: x, values: { v: string }, outputs: { v: y } } }",
    "(pipeline/bad-value)",
  ],
  [
    "two inputs of one variable",
    "steps: { a: { run: x, values: { v: string } }, b: { run: y, inputs: { w-x: a.v, w_x: a.v } } }",
    "(pipeline/bad-input)",
  ],
  ["an own outcome that all have", "steps: { a: { run: x, outcomes: [failed] } }", "(pipeline/bad-outcome)"],
  [
    "an outcome nobody declares",
    "steps: { a: { run: x }, b: { run: y, needs: { a: [old] } } }",
    "(pipeline/unknown-outcome)",
  ],
  [
    "a credential for two things",
    'steps: { a: { run: x, credentials: { c: { http: "https://h/", ssh: h } } } }',
    "(pipeline/bad-credential)",
  ],
  [
    "a key for SSH that a step is to have",
    "steps: { a: { run: x, credentials: { c: { ssh: u@h, expose: true } } } }",
    "(pipeline/bad-credential)",
  ],
  [
    "another way to have a secret than there is",
    'steps: { a: { run: x, credentials: { c: { http: "https://h/", expose: always } } } }',
    "(pipeline/bad-credential)",
  ],
  [
    "a credential that is written down",
    "steps: { a: { run: x, credentials: { c: abcdef } } }",
    "(pipeline/secret-in-file)",
  ],
  [
    "memory without a unit",
    'steps: { a: { run: x, requires: { memory: "8" } } }',
    "(pipeline/bad-requirement)",
  ],
  [
    "a trigger of two kinds",
    "triggers: [{ push: [a], tag: [b] }]\nsteps: { a: { run: x } }",
    "(pipeline/bad-trigger)",
  ],
  [
    "a schedule that never comes",
    "triggers: [{ schedule: 0 0 30 2 * }]\nsteps: { a: { run: x } }",
    "(pipeline/bad-schedule)",
  ],
  [
    "a schedule of four fields",
    "triggers: [{ schedule: 0 0 1 1 }]\nsteps: { a: { run: x } }",
    "(pipeline/bad-schedule)",
  ],
  ["a path out of the repository", "uses: { a: ./../x }\nsteps: { a: { run: x } }", "(pipeline/bad-use)"],
  [
    "a git source without a revision",
    "uses: { a: git+https://h/r }\nsteps: { a: { run: x } }",
    "(pipeline/bad-use)",
  ],
  ["something undeclared", "steps: { a: { uses: slack } }", "(pipeline/unknown-use)"],
])("complains about %s", async (_, yaml, code) => {
  expect(await complaint(yaml)).toContain(code);
});
