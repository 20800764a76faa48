/**
 * The published schemas say what the planner does. That every pipeline which any test of the planner has planned is
 * valid by the schema is asked in `test/planner/planning.ts`.
 */

import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { diffPlans } from "../../planner/diff/plan-diff.ts";
import { explainSchema } from "../../planner/explain-schema.ts";
import { explainJson } from "../../planner/explain.ts";
import { Mistakes } from "../../planner/diagnostics.ts";
import { keysOf, librarySchema, namePatterns, recordNames } from "../../planner/language.ts";
import { planId } from "../../planner/plan.ts";
import { explainSteps } from "../../planner/step-reasons.ts";
import { readWritten } from "../../planner/written.ts";
import { parseYaml } from "../../planner/yaml.ts";
import { isIdentifier, isOutputName, isPlainName } from "../../protocol/names.ts";
import { problemsBy } from "./json-schema-check.ts";
import { diagnosticsOf, importsOf, planOf, schemaProblems, valueOf } from "./planning.ts";

/** A pipeline that says everything that can be said. */
const everything = `otto: 1
pipeline: webapp
priority: high
parameters:
  channel: { type: string, enum: [beta, stable], default: beta }
environments:
  production: { domain: ops, settings: { HOSTNAME: www.example.org } }
  bare:
env: { A: 1.10, B: true }
steps:
  build:
    run: [make, make install]
    outputs: { site: [dist/**, "*.html"] }
    env: { C: c }
    timeout: 1h30m
    labels: [gpu, os=linux]
  test:
    run: make test
    needs: [build]
    matrix: { os: [linux, macos], n: [1], include: [{ os: linux, x: y }], exclude: [{ os: macos }] }
    labels: { os: matrix.os }
    retry: { max: 2, on: [lost, timed-out] }
  deploy:
    run: ./deploy
    needs: { test: [passed, skipped], build: failed }
    when: git.branch == "main"
    environment: production
    retry: 0
  last: { run: x, inputs: { site: build.site }, when: true, needs: test }
  check:
    run: ./check
    paths: [web/**, package.json]
    values: { version: string, count: number }
    outcomes: [outdated]
    caches: { gems: { paths: [vendor, ~/.gem], key: { files: [Gemfile.lock] } } }
    reports: { junit: reports/*.xml }
    effect: true
    lock: database
    credentials: { api: { http: https://api.example.org }, code: { git: https://git.example.org/a } }
    requires:
      { os: linux, arch: x64, labels: [gpu], tools: { ruby: "3.4" }, cores: 2, memory: 8GiB, sandbox: S1, image: ruby, or: host }
  ok: { needs: { check: [outdated] }, approve: { question: Go on?, by: [ann, team/web], count: 2, within: 2d } }
  online:
    needs: ok
    wait:
      callback: outside
      poll: { http: https://www.example.org/health, every: 10s, until: response.status == 200, fails: response.status == 410 }
      within: 15m
triggers:
  - push: [main]
  - pull-request:
  - tag: ["v*"]
  - { run: library, outcomes: [passed, failed] }
  - webhook: registry
  - { schedule: 0 3 * * *, missed: none }
`;

/** Everything that needs something from elsewhere: no plan of it is made here. */
const used = `
uses: { slack: git+https://git.example.org/acme/slack@v1.2.0, shared: ./ci/shared.yaml }
notify: [{ on: [failed, recovered], uses: slack, with: { channel: "#deploys" } }]
steps: { a: { uses: slack, with: { channel: c } }, b: { pipeline: shared }, c: { run: x, environment: x } }
environments: { x: { lock: true } }
`;

const manifest = `otto-step: 1
name: lint
description: Looks for mistakes.
parameters: { level: { type: number, default: 1 } }
entry: { any: ./lint, linux: ./lint-linux, darwin: a, win32: b.exe }
outputs: { report: report/** }
values: { mistakes: number }
outcomes: [untidy]
effect: true
may: [read the workspace]
`;

describe("the schema of a pipeline file", () => {
  it("takes a pipeline that says everything that can be said, and knows each of its keys", async () => {
    await planOf(everything, { branch: "main" });
    expect(schemaProblems(`otto: 1${used}`)).toEqual([]);
    for (const name of recordNames)
      for (const key of keysOf(name) as readonly string[])
        if (name !== "credential") expect(everything + used + manifest).toMatch(new RegExp(`\\b${key}:`));
  });

  it("takes the pipeline of the README", async () => {
    const page = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8");
    const pipelines = [...page.matchAll(/<<'END'\n(otto: .*?)^END$/gms)].map(([, text]) => text ?? "");
    expect(pipelines.length).toBeGreaterThan(0);
    for (const text of pipelines) await planOf(text);
  });

  const step = (key: string, value: string): string =>
    `otto: 1\nsteps: { a: { run: x, ${key}: ${value} } }\n`;
  const entry = (key: string, value: string): string =>
    `otto: 1\nsteps: { a: { run: x } }\n${key}: { b: ${value} }\n`;
  const places: readonly [string, readonly string[], (key: string, value: string) => string][] = [
    ["file", keysOf("file"), (key, value) => `${key}: ${value}\n`],
    ["step", keysOf("step"), step],
    ["environment", keysOf("environment"), (key, value) => entry("environments", `{ ${key}: ${value} }`)],
    [
      "parameter",
      keysOf("parameter"),
      (key, value) => entry("parameters", `{ type: string, ${key}: ${value} }`),
    ],
    ["retry", keysOf("retry"), (key, value) => step("retry", `{ max: 1, ${key}: ${value} }`)],
    ["matrix", keysOf("matrix"), (key, value) => step("matrix", `{ os: [linux], ${key}: ${value} }`)],
  ];

  it.each(places)("of a %s names only keys that the planner reads", async (_, keys, textOf) => {
    for (const key of keys) {
      // Nothing takes a list of an empty list; whoever reads the key says so.
      const text = textOf(key, "[[]]").replace(/(type: string|max: 1|run: x), (type|max|run):/, "$2:");
      const codes = (await diagnosticsOf(text)).map(({ code }) => code);
      expect([key, codes]).toEqual([key, expect.not.arrayContaining(["pipeline/unknown-key"]) as string[]]);
      expect([key, codes.length > 0, schemaProblems(text).length > 0]).toEqual([key, true, true]);
    }
  });

  it.each([
    ["a key that is not known", "otto: 1\nsteps: { a: { run: x, neds: b } }\n"],
    ["another version", "otto: 2\nsteps: { a: { run: x } }\n"],
    ["no steps", "otto: 1\n"],
    ["no step", "otto: 1\nsteps: {}\n"],
    ["nothing to run", "otto: 1\nsteps: { a: { timeout: 5m } }\n"],
    ["a step that is text", "otto: 1\nsteps: { a: npm test }\n"],
    ["a name with a space", "otto: 1\nsteps: { my step: { run: x } }\n"],
    ["a name that JavaScript knows", "otto: 1\nsteps: { __proto__: { run: x } }\n"],
    ["a variable of Otto's", "otto: 1\nenv: { OTTO_RUN: x }\nsteps: { a: { run: x } }\n"],
    ["an empty list of commands", "otto: 1\nsteps: { a: { run: [] } }\n"],
    ["a blank command", 'otto: 1\nsteps: { a: { run: " " } }\n'],
    ["a duration without a unit", step("timeout", "90")],
    ["a duration of nothing", step("timeout", "0s")],
    ["too many attempts", step("retry", "10")],
    ["a step that does nothing", "otto: 1\nsteps: { a: { needs: b }, b: { run: x } }\n"],
    ["a schedule that is a number", "otto: 1\ntriggers: [{ schedule: 5 }]\nsteps: { a: { run: x } }\n"],
    ["a credential's value", step("credentials", "{ token: abc }")],
    ["a level of isolation that is none", step("requires", "{ sandbox: S9 }")],
    ["a need twice", step("needs", "[b, b]")],
    ["an input of nothing", step("inputs", "{ site: build }")],
    ["an axis without values", step("matrix", "{ os: [] }")],
    ["a matrix without axes", step("matrix", "{}")],
    ["a type that is none", entry("parameters", "{ type: text }")],
  ])("refuses %s, as the planner does", async (_, text) => {
    expect((await diagnosticsOf(text)).length).toBeGreaterThan(0);
    expect(schemaProblems(text)).not.toEqual([]);
  });

  it("knows the names that the planner knows", () => {
    const rules = [
      [namePatterns.plain, isPlainName],
      [namePatterns.identifier, isIdentifier],
      [namePatterns.output, isOutputName],
    ] as const;
    const some = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."aZ09._-/ \n\u00e9".split("")), maxLength: 4 }),
      fc.constantFrom("__proto__", "", "a".repeat(100), "a".repeat(101)),
    );
    fc.assert(
      fc.property(some, (name) => {
        for (const [pattern, fits] of rules) expect(new RegExp(pattern, "u").test(name)).toBe(fits(name));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("the schema of an explanation", () => {
  it("describes every field of one", async () => {
    const plan = await planOf(everything, { branch: "main" });
    const found = {
      matches: [{ ecosystem: "Go", signal: "go.mod", reason: "describes a module" }],
      rejected: [],
    };
    for (const detection of [null, found]) {
      const explanation = { ...explainJson(plan, planId(plan)), detection };
      const value: unknown = JSON.parse(JSON.stringify(explanation));
      expect(problemsBy(explainSchema(), value, { closed: true })).toEqual([]);
    }
  });

  it("describes the reasons of a step, and what differs", async () => {
    const plan = await planOf(everything, { branch: "main" });
    const written = readWritten(everything, "otto.yaml");
    const steps = explainSteps(plan, plan.steps, written);
    expect(steps.some(({ condition, cell }) => condition !== null || cell !== null)).toBe(true);
    const changed = everything.replace("make test", "make check").replace("  last:", "  later:");
    const diff = diffPlans({ plan: await planOf(changed), written: null }, { plan, written });
    expect(new Set(diff.steps.map(({ kind }) => kind))).toEqual(new Set(["added", "removed", "changed"]));
    const base = { name: "main", commit: "0".repeat(40), run: null, planId: null };
    const values = [
      { otto: "explain-step/1", planId: planId(plan), steps },
      { otto: "explain-diff/1", same: false, base, planId: planId(plan), ...diff },
    ];
    for (const value of values) {
      const read: unknown = JSON.parse(JSON.stringify(value));
      expect(problemsBy(explainSchema(), read, { closed: true })).toEqual([]);
    }
  });

  it("describes every field of a diagnostic", async () => {
    const diagnostics = await diagnosticsOf("otto: 1\nsteps:\n  a: { run: x, needs: b }\n  a: { run: y }\n");
    expect(diagnostics.some(({ related }) => related !== undefined)).toBe(true);
    const value: unknown = JSON.parse(
      JSON.stringify({
        otto: "explain/1",
        code: "OTTO_PIPELINE_INVALID",
        message: "",
        state: null,
        next: "",
        diagnostics,
      }),
    );
    expect(problemsBy(explainSchema(), value, { closed: true })).toEqual([]);
    expect(problemsBy(explainSchema(), { otto: "explain/1", diagnostics: [{}] })).not.toEqual([]);
  });
});

it("the schema of a step library takes a manifest that says everything that can be said", async () => {
  const mistakes = new Mistakes();
  const tree = parseYaml(manifest, mistakes);
  expect(tree === null ? null : problemsBy(librarySchema(), valueOf(tree))).toEqual([]);
  const { uses } = await planOf(
    "otto: 1\nsteps: { a: { uses: ./lint, with: { level: 2 } } }",
    {},
    importsOf({ "lint/otto-step.yaml": manifest }),
  );
  expect(uses?.[0]?.entry).toEqual({ any: "lint", linux: "lint-linux", darwin: "a", win32: "b.exe" });
});
