/**
 * A pipeline file with the places of what it says: for explanations that point at the line where something was
 * written. Its other half is `planner/plan.ts`, which says what the same text means.
 *
 * Promises: pure, and never throws for what a file says. A place is where a person would look: what an alias
 * stands for is shown where it was written, not where the alias is.
 */

import { Mistakes, type Span, withoutMark } from "./diagnostics.ts";
import type { PipelineFile } from "./pipeline.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import { readPipeline } from "./read.ts";
import { parseYaml, type YamlNode } from "./yaml.ts";

/** Lines of a file, counted from 1, the last one included. */
export type Place = { readonly file: string; readonly line: number; readonly endLine: number };

export type Written = {
  readonly pipeline: PipelineFile;
  /** The place of the key at this path, with its value; null when the file does not say it. */
  at(...keys: readonly string[]): Place | null;
  placeOf(span: Span): Place;
};

/** Null when the text cannot be read as a pipeline at all. */
export function readWritten(source: string, file: string): Written | null {
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
  return {
    pipeline,
    placeOf,
    at: (...keys) => {
      const span = spanAt(root, keys);
      return span === null ? null : placeOf(span);
    },
  };
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
