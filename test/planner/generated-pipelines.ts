/**
 * Pipelines made from a number: the whole language, and no mistake. The same number gives the same pipeline in every
 * process, and with another order the same keys stand elsewhere.
 *
 * A map is a `Map` here, so that keys such as `10` stay where they are put.
 */

import { formatDiagnostics } from "../../planner/diagnostics.ts";
import { planPipeline } from "../../planner/plan.ts";
import type { Plan, PlanContext } from "../../protocol/plan.ts";
import { compareText } from "../../protocol/values.ts";
import { Choices } from "./choices.ts";
import {
  declaredUses,
  generatedImports,
  libraryStep,
  type Made,
  membersOf,
  nestingStep,
  notifications,
} from "./generated-imports.ts";
import { surroundings, variables } from "./generated-surroundings.ts";
import { map, type Written, type WrittenMap, yamlOf } from "./written-tree.ts";

const usualImports = generatedImports();

/** The plan of the pipeline of this number, however its keys are ordered, in the context of that number. */
export async function planGenerated(
  seed: number,
  pipeline = generatedPipeline(seed),
  imports = usualImports,
): Promise<{ readonly plan: Plan; readonly text: string }> {
  const text = yamlOf(pipeline);
  const paths = generatedChanges(seed);
  const changed =
    paths === null
      ? ({ paths, because: "no base" } as const)
      : { paths: [...paths].sort(compareText), base: "f".repeat(40), because: "where topic left main" };
  const context = generatedContext(seed);
  const planned = await planPipeline({
    text,
    path: "otto.yaml",
    context,
    changes: () => Promise.resolve(changed),
    imports,
  });
  if (!planned.ok) throw new Error(`pipeline ${seed}\n${formatDiagnostics(planned.problem, text)}\n${text}`);
  return { plan: planned.value, text };
}

/** Names that sort differently by code unit, by locale and as numbers. */
const names = "build test lint Zip apple 10 9 a_b a-b a.b B b Ae straSSe i I deploy x1 x10 x2".split(" ");

export function generatedPipeline(seed: number): WrittenMap {
  const pick = new Choices(seed);
  const maybe = <Value>(percent: number, make: () => Value): Value | undefined =>
    pick.often(percent) ? make() : undefined;
  const environments = pick.often(60) ? pick.some(["production", "preprod", "10", "9"]) : [];
  const parameters = pick.often(60) ? pick.some(["channel", "Count", "dry_run"]) : [];
  const steps = new Map<string, Written>();
  const made: Made[] = [];
  const count = 1 + pick.below(7);
  const left = [...names];
  for (let index = 0; index < count; index += 1) {
    const name = left.splice(pick.below(left.length), 1)[0] ?? `s${index}`;
    const place = { name, made, environments, parameters };
    steps.set(name, pick.often(6) ? nesting(pick, place) : step(pick, place));
  }
  return map([
    ["otto", 1],
    ["pipeline", maybe(80, () => pick.of("webapp", "p", "10"))],
    [
      "parameters",
      parameters.length === 0 ? undefined : map(parameters.map((name) => [name, parameter(pick, name)])),
    ],
    [
      "environments",
      environments.length === 0 ? undefined : map(environments.map((name) => [name, environment(pick)])),
    ],
    ["env", maybe(40, () => variables(pick))],
    ["triggers", maybe(30, () => triggers(pick))],
    ["uses", map(Object.entries(declaredUses))],
    ["steps", steps],
    ["notify", maybe(15, () => notifications(pick))],
  ]);
}

function parameter(pick: Choices, name: string): Written {
  if (name === "Count")
    return map([
      ["type", "number"],
      ["default", pick.of(1, 2.5, -3)],
    ]);
  if (name === "dry_run")
    return map([
      ["type", "boolean"],
      ["default", pick.often(50)],
    ]);
  const choices = ["stable", "beta", "Alpha"];
  return map([
    ["type", "string"],
    ["enum", pick.often(50) ? choices : undefined],
    ["default", pick.of(...choices)],
  ]);
}

function environment(pick: Choices): Written {
  return map([
    ["domain", pick.often(50) ? pick.of("dev", "ops") : undefined],
    ["settings", pick.often(60) ? variables(pick) : undefined],
    ["lock", pick.often(40) ? pick.often(70) : undefined],
  ]);
}

function triggers(pick: Choices): Written {
  return pick.some<Written>([
    map([["push", ["main", "release/*"]]]),
    map([["pull-request", null]]),
    map([["tag", ["v*"]]]),
    map([
      ["run", "library"],
      ["outcomes", pick.some(["passed", "failed", "cancelled"])],
    ]),
    map([["webhook", "registry"]]),
    map([
      ["schedule", "0 3 * * 1-5"],
      ["missed", pick.of("latest", "none")],
    ]),
  ]);
}

type Place = {
  readonly name: string;
  readonly made: Made[];
  readonly environments: readonly string[];
  readonly parameters: readonly string[];
};

function nesting(pick: Choices, place: Place): Written {
  const { name, made, parameters } = place;
  const needs = needsOf(pick, made);
  const { id, said } = nestingStep(pick, parameters);
  made.push({ name, own: [], outputs: [], values: [], axes: [] }, ...membersOf(id, name));
  return map([
    ...said,
    ["needs", needs.written],
    ["when", pick.often(30) ? conditionOf(pick, place, { axes: [], environment: undefined }) : undefined],
    ["paths", pick.often(10) ? ["web/**"] : undefined],
  ]);
}

function step(pick: Choices, place: Place): Written {
  const { name, made } = place;
  const kind = pick.of("run", "run", "run", "run", "approve", "wait");
  const isWork = kind === "run";
  const matrix = isWork && pick.often(35) ? matrixOf(pick) : null;
  const axes = matrix === null ? [] : ["os", "bit"];
  const environment =
    isWork && place.environments.length > 0 && pick.often(40) ? pick.of(...place.environments) : undefined;
  const needs = needsOf(pick, made);
  const inputs = isWork ? inputsOf(pick, { made, needs: needs.outcomes, axes }) : undefined;
  const outputs = isWork && pick.often(40) ? pick.some(["site", "O", "log-1"]) : [];
  const values = isWork && pick.often(25) ? pick.some(["version", "Count"]) : [];
  const own = isWork && pick.often(20) ? pick.some(["outdated", "Blue", "9"]) : [];
  const library = isWork && pick.often(15) ? libraryStep(pick, { parameters: place.parameters, axes }) : null;
  const { leaves } = library ?? { leaves: { own: [], outputs: [], values: [] } };
  made.push({
    name,
    own: [...new Set([...own, ...leaves.own])],
    outputs: [...outputs, ...leaves.outputs],
    values: [...values, ...leaves.values],
    axes,
  });
  const when = pick.often(40) ? conditionOf(pick, place, { axes, environment }) : undefined;
  const done = kind === "run" ? commands(pick) : kind === "approve" ? approve(pick) : wait(pick);
  return map([
    ...(library?.said ?? [[kind, done] as const]),
    ["needs", needs.written],
    ["when", when],
    ["paths", pick.often(15) ? pick.some(["web/**", "*.json", "api/{a,b}/*"]) : undefined],
    ["matrix", matrix ?? undefined],
    ["environment", environment],
    ["inputs", inputs],
    [
      "outputs",
      outputs.length === 0 ? undefined : map(outputs.map((output) => [output, ["dist/**", "*.x"]])),
    ],
    [
      "values",
      values.length === 0
        ? undefined
        : map(values.map((value) => [value, pick.of("string", "number", "boolean")])),
    ],
    ["outcomes", own.length === 0 ? undefined : own],
    ...(isWork ? surroundings(pick, axes) : []),
  ]);
}

function commands(pick: Choices): Written {
  return pick.of<Written>("make", ["one", "two\nthree"]);
}

function matrixOf(pick: Choices): Written {
  const systems = pick.some(["linux", "Macos", "windows"]);
  const numbers = pick.some([1, 2, 10]);
  const isLarge = systems.length * numbers.length > 2;
  return map([
    ["os", systems],
    ["bit", numbers],
    [
      "include",
      pick.often(40)
        ? [
            map([
              ["os", systems[0] ?? ""],
              ["bit", 7],
            ]),
          ]
        : undefined,
    ],
    [
      "exclude",
      isLarge && pick.often(40)
        ? [
            map([
              ["bit", numbers[0] ?? 0],
              ["os", systems[0] ?? ""],
            ]),
          ]
        : undefined,
    ],
  ]);
}

const usual = ["passed", "failed", "timed-out", "cancelled", "skipped"];

function needsOf(
  pick: Choices,
  made: readonly Made[],
): { readonly written: Written | undefined; readonly outcomes: ReadonlyMap<string, readonly string[]> } {
  if (made.length === 0 || pick.often(25)) return { written: undefined, outcomes: new Map() };
  const needed = pick.some(made).slice(0, 4);
  const passed = new Map(needed.map(({ name }) => [name, ["passed"]]));
  const first = needed[0]?.name ?? "";
  if (needed.length === 1 && pick.often(50)) return { written: first, outcomes: passed };
  if (pick.often(50)) return { written: [...passed.keys()], outcomes: passed };
  const outcomes = new Map(
    needed.map(({ name, own }) => [name, pick.often(60) ? pick.some([...usual, ...own]) : ["passed"]]),
  );
  return { written: outcomes, outcomes };
}

/** Of steps that may have passed; a value only of one that has no matrix. */
function inputsOf(
  pick: Choices,
  from: {
    readonly made: readonly Made[];
    readonly needs: ReadonlyMap<string, readonly string[]>;
    readonly axes: readonly string[];
  },
): Written | undefined {
  const inputs = new Map<string, Written>();
  for (const { name, outputs, values, axes } of from.made) {
    if (from.needs.get(name)?.includes("passed") === false || pick.often(60)) continue;
    // Cells of two matrices need not agree.
    if (axes.length > 0 && from.axes.length > 0) continue;
    if (outputs.length > 0) inputs.set(`in-${inputs.size}`, `${name}.${pick.of(...outputs)}`);
    if (values.length > 0 && axes.length === 0)
      inputs.set(`IN${inputs.size}`, `${name}.${pick.of(...values)}`);
  }
  return inputs.size === 0 ? undefined : inputs;
}

function conditionOf(
  pick: Choices,
  { parameters }: Place,
  step: { readonly axes: readonly string[]; readonly environment: string | undefined },
): Written {
  const parts = [
    'git.branch == "main"',
    'git.tag.startsWith("v")',
    'trigger in ["manual", "schedule"]',
    'changed("web/**", "api/**")',
    '!changed(["docs/**"])',
    ...(parameters.includes("channel") ? ['parameters.channel != "beta"'] : []),
    ...(parameters.includes("Count") ? ["parameters.Count > 1.0"] : []),
    ...(parameters.includes("dry_run") ? ["!parameters.dry_run"] : []),
    ...(step.axes.length > 0 ? ['matrix.os == "linux"', "matrix.bit == 1"] : []),
    ...(step.environment === undefined ? [] : ['environment == "production"']),
  ];
  if (pick.often(10)) return pick.often(50);
  return pick.some(parts).slice(0, 3).join(pick.of(" && ", " || "));
}

function approve(pick: Choices): Written {
  if (pick.often(30)) return "Go on?";
  const by = pick.often(60) ? pick.some(["ann", "team/web", "Bob", "team/Ops"]) : undefined;
  return map([
    ["question", "Does it look good?"],
    ["by", by],
    ["count", pick.often(40) ? 1 : undefined],
    ["within", pick.often(50) ? "2d" : undefined],
  ]);
}

function wait(pick: Choices): Written {
  const hasCallback = pick.often(60);
  const poll = map([
    ["http", "https://www.example.org/health"],
    ["every", pick.often(50) ? "20s" : undefined],
    ["until", "response.status == 200"],
    ["fails", pick.often(50) ? "response.status == 410" : undefined],
  ]);
  return map([
    ["callback", hasCallback ? "outside" : undefined],
    ["poll", hasCallback && pick.often(50) ? undefined : poll],
    ["within", pick.often(50) ? "15m" : undefined],
  ]);
}

/** What the pipeline of this number is planned with. */
function generatedContext(seed: number): PlanContext {
  const pick = new Choices(seed + 0x5eed);
  return {
    branch: pick.of("main", "topic", null),
    tag: pick.often(20) ? "v1.2" : null,
    commit: "0123456789abcdef0123456789abcdef01234567",
    trigger: pick.of("manual", "schedule", "push"),
    parameters: {},
  };
}

/** Which paths changed; of some it is not known. */
function generatedChanges(seed: number): readonly string[] | null {
  const pick = new Choices(seed + 0xc4a);
  return pick.often(20) ? null : pick.some(["web/a.ts", "package.json", "api/b/c", "docs/x.md", "Z", "é"]);
}
