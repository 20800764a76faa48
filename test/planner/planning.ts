/**
 * What the planner's tests share: planning a text in a usual context. Whatever is planned here is also held to the
 * published schema: an editor must never underline what the planner takes.
 */

import { type Diagnostic, formatDiagnostics, Mistakes, withoutMark } from "../../planner/diagnostics.ts";
import { type Import, type Imports, rootId } from "../../planner/imports.ts";
import { pipelineSchema } from "../../planner/language.ts";
import { planPipeline } from "../../planner/plan.ts";
import { parseYaml, type YamlNode } from "../../planner/yaml.ts";
import type { Plan, PlanContext, PlannedStep } from "../../protocol/plan.ts";
import { sha256Hex } from "../../protocol/values.ts";
import { problemsBy } from "./json-schema-check.ts";

const usualContext: PlanContext = {
  branch: "main",
  tag: null,
  commit: "0123456789abcdef0123456789abcdef01234567",
  trigger: "manual",
  parameters: {},
};

export async function planOf(
  text: string,
  context: Partial<PlanContext> = {},
  imports: Imports = new Map(),
): Promise<Plan> {
  const planned = await planPipeline({
    text,
    path: "otto.yaml",
    context: { ...usualContext, ...context },
    imports,
  });
  if (!planned.ok) throw new Error(formatDiagnostics(planned.problem, text));
  const problems = schemaProblems(text);
  if (problems.length > 0) throw new Error(`planned, and not valid by the schema:\n${problems.join("\n")}`);
  return planned.value;
}

/** The plan of these steps alone. */
export async function stepsOf(
  text: string,
  context: Partial<PlanContext> = {},
): Promise<readonly PlannedStep[]> {
  return (await planOf(`otto: 1\n${text}`, context)).steps;
}

export async function diagnosticsOf(
  text: string | Uint8Array,
  context: Partial<PlanContext> = {},
  imports: Imports = new Map(),
): Promise<readonly Diagnostic[]> {
  const planned = await planPipeline({
    text,
    path: "otto.yaml",
    context: { ...usualContext, ...context },
    imports,
  });
  if (planned.ok) return [];
  const structural = planned.problem.filter(
    ({ code, file }) => structuralCodes.has(code) && file === "otto.yaml",
  );
  if (structural.length > 0 && isChecked(text) && schemaProblems(text).length === 0)
    throw new Error(`valid by the schema, and not planned:\n${formatDiagnostics(structural, text)}`);
  return planned.problem;
}

/** Files of a repository as imports of each other, and of the pipeline; a manifest makes its folder a library. */
export function importsOf(files: Readonly<Record<string, string>>): Imports {
  const sources = new Map<string, Import>();
  for (const [path, text] of Object.entries(files)) {
    const isLibrary = path.endsWith("otto-step.yaml");
    const source = isLibrary ? `./${path.slice(0, path.lastIndexOf("/"))}` : `./${path}`;
    const digest = sha256Hex(Buffer.from(text));
    const kind = isLibrary ? "library" : "template";
    sources.set(source, { kind, id: source, path, text, source, commit: null, digest });
  }
  return new Map([rootId, ...sources.keys()].map((id) => [id, sources]));
}

/** What is wrong in a way that a schema can see. */
const structuralCodes = new Set<string>([
  "pipeline/unknown-key",
  "pipeline/missing-key",
  "pipeline/wrong-type",
  "pipeline/version",
  "pipeline/bad-name",
  "pipeline/bad-retry",
  "pipeline/duplicate-need",
]);

function isChecked(text: string | Uint8Array): text is string {
  return typeof text === "string" && text.length <= charactersCheckedMax;
}

const charactersCheckedMax = 20_000;

/** What an editor would say of a text by the schema; a very long one is taken as valid. */
export function schemaProblems(text: string): readonly string[] {
  if (!isChecked(text)) return [];
  const mistakes = new Mistakes();
  const tree = parseYaml(withoutMark(text), mistakes);
  return tree === null || mistakes.count > 0
    ? ["not the YAML of a pipeline"]
    : problemsBy(pipelineSchema(), valueOf(tree));
}

/** The tree as JSON has it. A key such as `__proto__` is a key like any other. */
export function valueOf(node: YamlNode): unknown {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(valueOf);
    case "map": {
      const value: Record<string, unknown> = {};
      for (const [key, entry] of node.entries)
        Object.defineProperty(value, key, { value: valueOf(entry.value), enumerable: true });
      return value;
    }
  }
}
