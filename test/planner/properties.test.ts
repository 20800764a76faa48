/** What holds for every pipeline, tried with many. */

import * as fc from "fast-check";
import { expect, it } from "vitest";
import { stringify } from "yaml";
import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { cyclesOf, orderOf } from "../../planner/order.ts";
import { parsePlan } from "../../protocol/plan-check.ts";
import { compareText, encodeValue } from "../../protocol/values.ts";
import { diagnosticsOf, planOf } from "./planning.ts";

type Step = Record<string, unknown>;

/** Pipelines without mistakes: a step needs and takes only from those before it. */
const pipelines = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat(20), { maxLength: 4 }),
      takes: fc.option(fc.nat(20)),
      out: fc.boolean(),
      cells: fc.uniqueArray(fc.constantFrom("linux", "macos", "windows"), { maxLength: 3 }),
      outcomes: fc.subarray(["passed", "failed", "timed-out", "skipped"], { minLength: 1 }),
      environment: fc.boolean(),
    }),
    { minLength: 1, maxLength: 12 },
  )
  .map((shapes) => {
    const steps: Record<string, Step> = {};
    for (const [index, shape] of shapes.entries()) {
      const earlier = (number: number): string => `s${number % Math.max(1, index)}`;
      const step: Step = { run: ["one", "two"], outputs: { o: "out/**" } };
      if (index > 0 && shape.needs.length > 0) {
        step["needs"] = Object.fromEntries(shape.needs.map((number) => [earlier(number), shape.outcomes]));
      }
      if (index > 0 && shape.takes !== null && shape.outcomes.includes("passed")) {
        step["inputs"] = { i: `${earlier(shape.takes)}.o` };
      }
      // Every matrix has all three systems, so that inputs always find a cell that agrees.
      if (shape.cells.length > 0) step["matrix"] = { os: ["linux", "macos", "windows"] };
      if (shape.out) step["when"] = 'git.branch == "other"';
      if (shape.environment) step["environment"] = "prod";
      step["env"] = { B: "2", A: "1" };
      steps[`s${index}`] = step;
    }
    return { otto: 1, pipeline: "p", environments: { prod: { settings: { X: "1", C: "2" } } }, steps };
  });

function shuffled(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, seed));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, shuffled(item, seed)] as const);
  const rank = (key: string): number =>
    ((key.length * 31 + key.charCodeAt(key.length - 1)) * (seed + 7)) % 101;
  return Object.fromEntries(
    entries.sort(([left], [right]) => rank(left) - rank(right) || compareText(left, right)),
  );
}

it("keys in another order give the same bytes", async () => {
  await fc.assert(
    fc.asyncProperty(pipelines, fc.nat(1_000), async (pipeline, seed) => {
      const plan = await planOf(stringify(pipeline));
      const other = await planOf(stringify(shuffled(pipeline, seed)));
      expect(encodeValue(other)).toEqual(encodeValue(plan));
    }),
    { numRuns: 60 },
  );
});

it("a plan is in order, and every peer accepts it", async () => {
  await fc.assert(
    fc.asyncProperty(pipelines, async (pipeline) => {
      const plan = await planOf(stringify(pipeline));
      const seen = new Set<string>();
      for (const step of plan.steps) {
        expect(step.needs.filter((need) => !seen.has(need.step))).toEqual([]);
        seen.add(step.name);
      }
      expect(parsePlan(plan)).toMatchObject({ ok: true });
    }),
    { numRuns: 60 },
  );
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
