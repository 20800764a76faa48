/**
 * A pipeline file with the places of what it says: for explanations that point at the line where something was
 * written. Its other half is `planner/plan.ts`, which says what the same text means.
 *
 * Promises: pure, and never throws for what a file says. A place is where a person would look: what an alias
 * stands for is shown where it was written, not where the alias is.
 */

import type { Plan, Scalar } from "../protocol/plan.ts";
import { Mistakes, type Span, withoutMark } from "./diagnostics.ts";
import { valuesOf } from "./given.ts";
import { type Imports, rootId, sourceOf } from "./imports.ts";
import type { PipelineFile } from "./pipeline.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import { readPipeline } from "./read.ts";
import { parseYaml, type YamlNode } from "./yaml.ts";

/** Lines of a file, counted from 1, the last one included. */
export type Place = { readonly file: string; readonly line: number; readonly endLine: number };

export type Written = {
  readonly pipeline: PipelineFile;
  /** What a step of this file nests, as it is written; null when it is none that was brought along. */
  nested(step: string): Written | null;
  /** The place of the key at this path, with its value; null when the file does not say it. */
  at(...keys: readonly string[]): Place | null;
  placeOf(span: Span): Place;
};

/**
 * Null when the text cannot be read as a pipeline at all.
 *
 * @param imports what it was planned with, `id` being its own id there.
 */
export function readWritten(
  source: string,
  file: string,
  imports: Imports = new Map(),
  id = rootId,
): Written | null {
  const text = withoutMark(source);
  const mistakes = new Mistakes();
  const root = parsePlainYaml(text) ?? parseYaml(text, mistakes);
  const pipeline = root === null ? null : readPipeline(root, mistakes);
  if (root === null || pipeline === null) return null;
  const lineAt = linesOf(text);
  const placeOf = ({ start, end }: Span): Place => {
    const line = lineAt(start);
    return { file, line, endLine: Math.max(line, lineAt(Math.max(start, end - 1))) };
  };
  const read = new Map<string, Written | null>();
  return {
    pipeline,
    nested: (step) => {
      const action = pipeline.steps.get(step)?.action;
      const named = action?.kind === "pipeline" ? sourceOf(pipeline, action.template.value) : null;
      const found = named === null ? undefined : imports.get(id)?.get(named);
      if (found?.kind !== "template") return null;
      const { text: inner, path } = found;
      const known = read.get(found.id);
      if (known !== undefined) return known;
      const decoded = typeof inner === "string" ? inner : new TextDecoder("utf-8").decode(inner);
      const written = readWritten(decoded, path, imports, found.id);
      read.set(found.id, written);
      return written;
    },
    placeOf,
    at: (...keys) => {
      const span = spanAt(root, keys);
      return span === null ? null : placeOf(span);
    },
  };
}

/** The file in which a step of a plan is written, and what holds there. */
export type WrittenScope = {
  readonly written: Written;
  /** What the file calls the step. */
  readonly name: string;
  /** What the plan puts before it: "", or `deploy/`. */
  readonly prefix: string;
  readonly parameters: ReadonlyMap<string, Scalar>;
  /** Of the step that nests the file; null in the pipeline itself. */
  readonly outer: WrittenScope | null;
};

/** Null when no file has the step: it was detected, or Otto added it. */
export function scopeOfStep(plan: Plan, whole: Written, from: string): WrittenScope | null {
  const [first = "", ...rest] = from.split("/");
  const parameters = new Map(Object.entries(plan.context.parameters));
  let scope: WrittenScope = { written: whole, name: first, prefix: "", parameters, outer: null };
  for (const name of rest) {
    const action = scope.written.pipeline.steps.get(scope.name)?.action;
    const written = scope.written.nested(scope.name);
    if (written === null || action?.kind !== "pipeline") return null;
    const taker = { declared: written.pipeline.parameters, given: action.given };
    const known = { parameters: scope.parameters, cell: new Map<string, Scalar>() };
    const values = valuesOf(new Mistakes(), taker, known);
    const prefix = `${scope.prefix}${scope.name}/`;
    scope = { written, name, prefix, parameters: values, outer: scope };
  }
  return scope.written.pipeline.steps.has(scope.name) ? scope : null;
}

function spanAt(root: YamlNode, keys: readonly string[]): Span | null {
  let node = root;
  let span: Span | null = null;
  for (const key of keys) {
    const entry = node.kind === "map" ? node.entries.get(key) : undefined;
    if (entry === undefined) return null;
    node = entry.value;
    const { start, end } = entry.keySpan;
    span = { start, end: node.span.start >= start ? Math.max(end, node.span.end) : end };
  }
  return span;
}

/** From an offset to its line, counted from 1. */
function linesOf(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
