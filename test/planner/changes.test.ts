/** Steps that depend on what changed. */

import { describe, expect, it } from "vitest";
import type { ChangedPaths } from "../../planner/changes.ts";
import { explainPlan } from "../../planner/explain.ts";
import { planId, planPipeline } from "../../planner/plan.ts";
import { explainSteps } from "../../planner/step-reasons.ts";
import { stepsText } from "../../planner/step-words.ts";
import { readWritten } from "../../planner/written.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import type { Plan } from "../../protocol/plan.ts";
import { diagnosticsOf, planOf } from "./planning.ts";

const base = "0123456789abcdef0123456789abcdef01234567";
const known = (...paths: readonly string[]): ChangedPaths => ({
  paths,
  base,
  because: "where topic left main",
});
const context = { branch: "topic", tag: null, commit: base, trigger: "manual", parameters: {} };

async function plan(steps: string, changed: ChangedPaths | null): Promise<Plan> {
  const changes = changed === null ? {} : { changes: () => Promise.resolve(changed) };
  const planned = await planPipeline({
    text: `otto: 1\nsteps:\n${steps}`,
    path: "otto.yaml",
    context,
    ...changes,
  });
  if (!planned.ok) throw new Error(JSON.stringify(planned.problem));
  expect(parsePlan(planned.value)).toMatchObject({ ok: true });
  return planned.value;
}

async function reasons(steps: string, changed: ChangedPaths | null): Promise<Record<string, string>> {
  const { steps: planned } = await plan(steps, changed);
  return Object.fromEntries(
    planned.map(({ name, included, reason }) => [name, `${included ? "in" : "out"}: ${reason}`]),
  );
}

describe("`paths`", () => {
  const steps = "  web: { run: x, paths: [web/**, package.json] }\n";

  it("leaves a step out when nothing changed that fits", async () => {
    expect(await reasons(steps, known("api/a.ts"))).toEqual({
      web: "out: nothing changed that fits web/** or package.json",
    });
  });

  it("names the first path that decided", async () => {
    expect(await reasons(steps, known("api/a.ts", "web/a.ts", "web/b.ts"))).toEqual({
      web: "in: changed web/a.ts",
    });
    // By the order of paths, not of patterns.
    expect(await reasons(steps, known("package.json", "web/a.ts"))).toEqual({
      web: "in: changed package.json",
    });
  });

  it("keeps a step in when what changed is not known, and says why", async () => {
    expect(await reasons(steps, { paths: null, because: "no base, since the clone is shallow" })).toEqual({
      web: "in: what changed is not known: no base, since the clone is shallow",
    });
    expect(await reasons(steps, null)).toEqual({ web: "in: what changed is not known: nobody looked" });
  });

  it("are asked after `when`", async () => {
    const both = (when: string): string => `  web: { run: x, when: ${when}, paths: web/** }\n`;
    expect([
      await reasons(both("true"), known("web/a.ts")),
      await reasons(both("true"), known()),
      await reasons(both("false"), known("web/a.ts")),
    ]).toEqual([
      { web: "in: when true is true, and changed web/a.ts" },
      { web: "out: nothing changed that fits web/**" },
      { web: "out: when false is false" },
    ]);
  });
});

describe("`changed`", () => {
  const when = (condition: string): string => `  a: { run: x, when: '${condition}' }\n`;

  it.each([
    ['changed("web/**")', 'in: when changed("web/**") is true: changed web/a.ts'],
    ['changed("docs/**", "web/a.*")', 'in: when changed("docs/**", "web/a.*") is true: changed web/a.ts'],
    ['changed(["docs/**", "web"])', 'in: when changed(["docs/**", "web"]) is true: changed web/a.ts'],
    ['changed("docs/**")', 'out: when changed("docs/**") is false: nothing changed that fits docs/**'],
    ['!changed("docs/**")', 'in: when !changed("docs/**") is true: nothing changed that fits docs/**'],
    [
      'changed("b") || changed("c")',
      'out: when changed("b") || changed("c") is false: nothing changed that fits b; nothing changed that fits c',
    ],
    ['git.branch == "x" && changed("b")', 'out: when git.branch == "x" && changed("b") is false'],
    [
      'changed("1", "2", "3", "4", "5", "6", "7", "web/**")',
      'in: when changed("1", "2", "3", "4", "5", "6", "7", "web/**") is true: changed web/a.ts',
    ],
  ])("%s", async (condition, reason) => {
    expect(await reasons(when(condition), known("api/a.ts", "web/a.ts"))).toEqual({ a: reason });
  });

  it("is true of everything when what changed is not known", async () => {
    expect(await reasons(when('changed("b")'), { paths: null, because: "no base" })).toEqual({
      a: 'in: when changed("b") is true: what changed is not known: no base',
    });
  });

  it.each([
    ['changed("web/../x")', '"web/../x"', "`web/../x`: a pattern cannot leave the workspace"],
    ['changed("a", "/web")', '"/web"', "`/web`: a pattern is relative to the workspace"],
    ["changed(git.branch)", "git.branch", "`changed` takes patterns that stand there in quotes"],
    ['changed("a" + "b")', '"a" + "b"', "`changed` takes patterns that stand there in quotes"],
    ['true && ["a"].exists(p, changed(p))', "p))", "`changed` takes patterns that stand there in quotes"],
    ['changed(["a", 1])', "1]", "`changed` takes patterns that stand there in quotes"],
    ["changed([])", "changed([])", "`changed` is asked for no pattern"],
  ])("%s is a mistake, at its place", async (condition, wrong, message) => {
    const line = `    when: ${condition}`;
    const [diagnostic] = await diagnosticsOf(`otto: 1\nsteps:\n  a:\n${line}\n    run: x\n`);
    const range = { line: 4, column: line.lastIndexOf(wrong) + 1 };
    expect(diagnostic).toMatchObject({ code: "pipeline/bad-pattern", message, range });
  });

  it("is not there for the answer to a poll", async () => {
    const [diagnostic] = await diagnosticsOf(
      'otto: 1\nsteps: { a: { wait: { poll: { http: "http://a", until: \'changed("a")\' } } } }\n',
    );
    expect(diagnostic?.message).toBe("`changed` is not available in conditions");
  });
});

describe("a plan", () => {
  const steps = "  web: { run: x, paths: web/** }\n  after: { run: y, needs: web }\n";

  it("says since when, and how much changed, only when a step asks", async () => {
    const changed = known("api/a.ts", "web/a.ts");
    const { context: asked } = await plan(steps, changed);
    expect(asked.changes).toEqual({
      base,
      because: "where topic left main",
      count: 2,
      digest: "f63c07180ec6bc361c32b2967fc28aae039adf068eeb6dd56a700a6c233188b3",
    });
    const unasked = await planPipeline({
      text: "otto: 1\nsteps: { a: { run: x } }\n",
      path: "otto.yaml",
      context: { ...context, changes: { base: null, because: "of another plan" } },
      changes: () => Promise.reject(new Error("asked")),
    });
    expect(unasked.ok && Object.keys(unasked.value.context)).not.toContain("changes");
  });

  it("has another id when other paths changed, even if the same steps are in", async () => {
    const ids = [known("web/a.ts"), known("web/a.ts", "web/b.ts"), known("web/a.ts", "web/c.ts")];
    const plans = await Promise.all(ids.map((changed) => plan(steps, changed)));
    expect(new Set(plans.map(planId)).size).toBe(3);
  });

  it("leaves out what needs a step that nothing changed for", async () => {
    expect(await reasons(steps, known())).toEqual({
      web: "out: nothing changed that fits web/**",
      after: "out: needs web, which is left out: nothing changed that fits web/**",
    });
  });

  it("is explained with the base and with how it was chosen", async () => {
    const lines = async (changed: ChangedPaths): Promise<string | undefined> =>
      explainPlan(await plan(steps, changed), "id")
        .split("\n")
        .find((line) => line.startsWith("  changes"));
    expect(await lines(known("web/a.ts"))).toBe(
      "  changes     1 path differs from 0123456789ab, where topic left main",
    );
    expect(await lines({ paths: null, because: "no base" })).toBe(
      "  changes     not known, so everything counts as changed: no base",
    );
  });
});

it("the reasons of a step have each question with its answer", async () => {
  const text = `otto: 1
steps:
  web:
    run: x
    when: git.branch == "topic" && changed("web/**")
    paths: [web/*.ts]
`;
  const changed = known("web/a.ts");
  const planned = await planPipeline({
    text,
    path: "otto.yaml",
    context,
    changes: () => Promise.resolve(changed),
  });
  if (!planned.ok) throw new Error("not planned");
  const written = readWritten(text, "otto.yaml");
  const steps = explainSteps(planned.value, planned.value.steps, written, changed);
  expect(stepsText({ otto: "explain-step/1", planId: "id", steps }).split("\n").slice(2, 9)).toEqual([
    '  in          when git.branch == "topic" && changed("web/**") is true: changed web/a.ts, and changed web/a.ts',
    '  condition   git.branch == "topic" && changed("web/**") is true (otto.yaml:5)',
    '              git.branch == "topic" is true',
    '              changed("web/**") is true',
    '  reads       git.branch, which is "topic": as git says',
    '  reads       changed("web/**"), which is true: changed web/a.ts',
    "  paths       web/*.ts: changed web/a.ts (otto.yaml:6)",
  ]);
  // Where the list is not at hand, what needs it has no value, and the rest has.
  const [without] = explainSteps(planned.value, planned.value.steps, written);
  expect(without).toMatchObject({ condition: { value: true, parts: [{ value: true }, { value: null }] } });
  expect(without?.condition?.facts).toHaveLength(1);
});

it("a plan from elsewhere says what changed in one of two ways", async () => {
  const good = await planOf("otto: 1\nsteps: { a: { run: x, paths: a } }\n");
  const of = (changes: unknown): unknown => parsePlan({ ...good, context: { ...good.context, changes } });
  expect(good.context.changes).toEqual({ base: null, because: "nobody looked" });
  expect(of({ base: null, because: "x", count: 1 })).toMatchObject({ ok: false });
  expect(of({ base, because: "x", count: 1 })).toMatchObject({ ok: false });
  expect(of({ base, because: "x", count: 1, digest: "0" })).toMatchObject({ ok: false });
  expect(of({ base, because: "x", count: 1, digest: "0".repeat(64) })).toMatchObject({ ok: true });
});
