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

/** What a file says, as a tree. */
export type Written = string | number | boolean | null | readonly Written[] | ReadonlyMap<string, Written>;

/** Numbers from a seed, each below 1. @source "Mulberry32", T. Ettinger, public domain. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The plan of the pipeline of this number, however its keys are ordered, in the context of that number. */
export async function planGenerated(
  seed: number,
  pipeline = generatedPipeline(seed),
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
  });
  if (!planned.ok) throw new Error(`pipeline ${seed}\n${formatDiagnostics(planned.problem, text)}\n${text}`);
  return { plan: planned.value, text };
}

class Choices {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = numbersFrom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  /** True so often of a hundred. */
  often(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<Value>(...values: readonly Value[]): Value {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error("nothing to choose from");
    return value;
  }

  /** At least one of them, in their order. */
  some<Value>(values: readonly Value[]): readonly Value[] {
    const chosen = values.filter(() => this.often(50));
    return chosen.length > 0 ? chosen : [this.of(...values)];
  }
}

/** Names that sort differently by code unit, by locale and as numbers. */
const names = "build test lint Zip apple 10 9 a_b a-b a.b B b Ae straSSe i I deploy x1 x10 x2".split(" ");

type Made = {
  readonly name: string;
  readonly isWork: boolean;
  readonly own: readonly string[];
  readonly outputs: readonly string[];
  readonly values: readonly string[];
  readonly axes: readonly string[];
};

function map(entries: readonly (readonly [string, Written | undefined])[]): ReadonlyMap<string, Written> {
  return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value] as const])));
}

export function generatedPipeline(seed: number): ReadonlyMap<string, Written> {
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
    steps.set(name, step(pick, { name, made, environments, parameters }));
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
    ["steps", steps],
  ]);
}

function variables(pick: Choices): Written {
  return map(
    pick
      .some(["B", "A", "a", "_Z", "HOSTNAME"])
      .map((name) => [name, pick.of<Written>("x", 1.5, true, "é\n2", "$A", "")]),
  );
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
  made.push({ name, isWork, own, outputs, values, axes });
  const when = pick.often(40) ? conditionOf(pick, place, { axes, environment }) : undefined;
  return map([
    [
      kind,
      isWork
        ? pick.of<Written>("make", ["one", "two\nthree"])
        : kind === "approve"
          ? approve(pick)
          : wait(pick),
    ],
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

function surroundings(
  pick: Choices,
  axes: readonly string[],
): readonly (readonly [string, Written | undefined])[] {
  const maybe = (percent: number, make: () => Written): Written | undefined =>
    pick.often(percent) ? make() : undefined;
  return [
    ["env", maybe(30, () => variables(pick))],
    ["timeout", maybe(30, () => pick.of("90s", "1h30m"))],
    [
      "retry",
      maybe(30, () =>
        pick.of<Written>(
          0,
          2,
          map([
            ["max", 1],
            ["on", ["lost", "timed-out"]],
          ]),
        ),
      ),
    ],
    ["effect", maybe(15, () => pick.often(50))],
    [
      "labels",
      maybe(30, () =>
        axes.length > 0
          ? ["gpu", "os=matrix.os"]
          : map([
              ["os", "linux"],
              ["disk", "ssd"],
            ]),
      ),
    ],
    [
      "caches",
      maybe(20, () =>
        map(
          pick.some(["gems", "Npm"]).map((name) => [
            name,
            map([
              ["paths", ["vendor", "~/.cache/x", "apple"]],
              ["key", pick.often(60) ? map([["files", ["Gemfile.lock", "*.lock"]]]) : undefined],
            ]),
          ]),
        ),
      ),
    ],
    [
      "credentials",
      maybe(20, () =>
        map(
          pick
            .some([
              ["api", map([["http", "https://api.example.org"]])] as const,
              ["Code", map([["git", "https://git.example.org/a"]])] as const,
              ["id", map([["oidc", "cloud"]])] as const,
            ])
            .map(([name, bound]) => [name, bound]),
        ),
      ),
    ],
    ["reports", maybe(15, () => map([["junit", ["reports/*.xml", "a.xml"]]]))],
    [
      "requires",
      maybe(25, () =>
        map([
          ["os", pick.often(50) ? "linux" : undefined],
          ["arch", pick.often(30) ? "arm64" : undefined],
          [
            "tools",
            pick.often(50)
              ? map([
                  ["ruby", "3.4"],
                  ["Go", "any"],
                ])
              : undefined,
          ],
          ["cores", pick.often(30) ? 2 : undefined],
          ["memory", pick.often(30) ? "8GiB" : undefined],
          ["sandbox", pick.often(40) ? pick.of("S1", "S2") : undefined],
          ["image", "ruby:3.4"],
          ["or", pick.often(50) ? "host" : undefined],
        ]),
      ),
    ],
  ];
}

/** The same with the keys of every map in another order; lists stay as they are. */
export function shuffled(value: Written, next: () => number): Written {
  if (Array.isArray(value)) return value.map((item: Written) => shuffled(item, next));
  if (!(value instanceof Map)) return value;
  const entries = [...(value as ReadonlyMap<string, Written>)].map(([key, item]) => ({
    key,
    item: shuffled(item, next),
    rank: next(),
  }));
  entries.sort((left, right) => left.rank - right.rank);
  return new Map(entries.map(({ key, item }) => [key, item]));
}

/** As YAML: maps on lines of their own, lists and texts as JSON has them. */
function yamlOf(value: Written, indent = ""): string {
  if (!(value instanceof Map)) return ` ${flow(value)}\n`;
  const lines = [...(value as ReadonlyMap<string, Written>)].map(
    ([key, item]) => `${indent}${JSON.stringify(key)}:${yamlOf(item, `${indent}  `)}`,
  );
  return `${indent === "" ? "" : "\n"}${lines.join("")}`;
}

function flow(value: Written): string {
  if (Array.isArray(value)) return `[${value.map((item: Written) => flow(item)).join(", ")}]`;
  if (!(value instanceof Map)) return JSON.stringify(value);
  const entries = [...(value as ReadonlyMap<string, Written>)];
  return `{ ${entries.map(([key, item]) => `${JSON.stringify(key)}: ${flow(item)}`).join(", ")} }`;
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
