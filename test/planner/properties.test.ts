/** What holds for every pipeline, tried with many. */

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { explainSchema } from "../../planner/explain-schema.ts";
import { explainJson, explainPlan } from "../../planner/explain.ts";
import { cyclesOf, orderOf } from "../../planner/order.ts";
import { planId } from "../../planner/plan.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import { outcomes } from "../../protocol/plan.ts";
import { compareText, decodeValue, encodeValue } from "../../protocol/values.ts";
import { membersOf, templateId } from "./generated-imports.ts";
import { generatedPipeline, planGenerated } from "./generated-pipelines.ts";
import { problemsBy } from "./json-schema-check.ts";
import { diagnosticsOf, schemaProblems } from "./planning.ts";
import type { WrittenMap } from "./written-tree.ts";

/** The pipelines of these numbers; others are in `determinism.test.ts`. */
const seeds = Array.from({ length: 200 }, (_, index) => 10_000 + index);

it("a plan is in order, its needs are declared, and every peer accepts it as it arrives", async () => {
  for (const seed of seeds) {
    const { plan } = await planGenerated(seed);
    const seen = new Set<string>();
    for (const step of plan.steps) {
      expect(step.needs.filter((need) => !seen.has(need.step))).toEqual([]);
      seen.add(step.name);
    }
    expect(parsePlan(decodeValue(encodeValue(plan)))).toEqual({ ok: true, value: plan });
  }
});

it("every step of a file is in its plan, to run or left out with a reason, and is explained", async () => {
  for (const seed of seeds) {
    const { plan, text } = await planGenerated(seed);
    const pipeline = generatedPipeline(seed);
    expect(new Set(plan.steps.map(({ from }) => from).filter((from) => !isNotification(from)))).toEqual(
      new Set(namesIn(pipeline)),
    );
    expect(plan.steps.some(({ from }) => isNotification(from))).toBe(pipeline.has("notify"));
    const id = planId(plan);
    // Cells stand together, and what they share is said once.
    const lines = new Set(
      explainPlan(plan, id)
        .split("\n")
        .map((line) => line.trim()),
    );
    for (const { name, included, reason } of plan.steps) {
      const why = `${included ? "in      " : "left out"}    ${reason}`;
      expect([name, lines.has(name), lines.has(why)]).toEqual([name, true, true]);
    }
    expect(schemaProblems(text)).toEqual([]);
    const explained: unknown = JSON.parse(JSON.stringify(explainJson(plan, id)));
    expect(problemsBy(explainSchema(), explained, { closed: true })).toEqual([]);
  }
});

const isNotification = (name: string): boolean => /^notify(?:\/|$)/.test(name);

/** Every step of the file, and of what its steps nest below their names. */
function namesIn(pipeline: WrittenMap): readonly string[] {
  return [...(pipeline.get("steps") as WrittenMap)].flatMap(([name, step]) => {
    const nested = (step as WrittenMap).get("pipeline");
    if (typeof nested !== "string") return [name];
    return [name, ...membersOf(templateId(nested), name).map((member) => member.name)];
  });
}

it("a step that nests others ends after each of them, however they did", async () => {
  let groups = 0;
  for (const seed of seeds) {
    const { plan } = await planGenerated(seed);
    for (const { name, needs, action } of plan.steps) {
      if (action?.kind !== "pipeline" || name === "notify") continue;
      groups += 1;
      const below = plan.steps.filter((step) => step.from.replace(/[^/]*$/, "") === `${name}/`);
      expect(below.length).toBeGreaterThan(0);
      expect([name, [...action.members].sort(compareText)]).toEqual([
        name,
        below.map((step) => step.name).sort(compareText),
      ]);
      for (const member of below) {
        const need = needs.find(({ step }) => step === member.name);
        expect(need?.outcomes).toEqual([...outcomes, ...(member.outcomes ?? [])]);
      }
    }
  }
  expect(groups).toBeGreaterThan(50);
});

const graphs = fc
  .array(fc.uniqueArray(fc.nat(11), { maxLength: 4 }), { minLength: 12, maxLength: 12 })
  .map((needs) => new Map(needs.map((list, index) => [`n${index}`, list.map((other) => `n${other}`)])));

it("a graph has an order or a circle, and the circle is one", () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const order = orderOf(graph);
      const cycles = cyclesOf(graph, 20);
      expect(order.ok).toBe(cycles.length === 0);
      for (const cycle of cycles) {
        for (const [index, name] of cycle.entries()) {
          expect(graph.get(name)).toContain(cycle[(index + 1) % cycle.length]);
        }
      }
    }),
  );
});

it("the order is the smallest by code unit that respects the needs", () => {
  fc.assert(
    fc.property(graphs, (graph) => {
      const order = orderOf(graph);
      if (!order.ok) return;
      const done = new Set<string>();
      for (const name of order.value) {
        const ready = [...graph.keys()].filter(
          (other) => !done.has(other) && (graph.get(other) ?? []).every((need) => done.has(need)),
        );
        expect(name).toBe(ready.sort(compareText)[0]);
        done.add(name);
      }
    }),
  );
});

const anyText = fc.string({ unit: "binary", maxLength: 200 });
const almostYaml = fc
  .array(
    fc.constantFrom(
      ..."otto: 1|steps:|  a:|    run: x|    when: git.branch|    when: 1|needs: [a]|&a |*a|- |? |{|}|[|]|\"|'|\\|!!x |%Y|\t|\r|: |#| |>".split(
        "|",
      ),
      "\n",
      "|",
      "\u0000",
      "\uFEFF",
      "\u2028",
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(""));

it("any text at all is planned or explained, and formatting never throws", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyText, almostYaml), anyText, async (text, other) => {
      const diagnostics = await diagnosticsOf(text);
      expect(formatDiagnostics(diagnostics, text)).not.toMatch(/(?![\t\n])\p{Cc}/u);
      // Even with a text that is not the one that was planned.
      expect(typeof formatDiagnostics(diagnostics, other)).toBe("string");
      for (const { range, help, message } of diagnostics) {
        expect(range.line).toBeGreaterThan(0);
        expect(range.column).toBeGreaterThan(0);
        expect([
          range.endLine > range.line || range.endColumn >= range.column,
          help !== "",
          message !== "",
        ]).toEqual([true, true, true]);
      }
    }),
    { numRuns: 400 },
  );
});

it("any bytes at all are planned or explained", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
      const diagnostics = await diagnosticsOf(bytes);
      expect(diagnostics.length).toBeGreaterThan(0);
    }),
    { numRuns: 200 },
  );
});
