/**
 * Labels that a worker must have: `gpu`, `os=linux`, or a value taken from the matrix (`os=matrix.os`).
 */

import { limits } from "../protocol/limits.ts";
import { isLabel, isRequirement } from "../protocol/names.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";
import { readTexts, wrongType } from "./fields.ts";
import type { Cell, LabelDeclaration } from "./pipeline.ts";
import type { YamlNode } from "./yaml.ts";

const help = "write `labels: [gpu, os=linux]` or `labels: { os: linux }`";

export function readLabels(mistakes: Mistakes, node: YamlNode): readonly LabelDeclaration[] {
  if (node.kind !== "map") {
    if (node.kind === "list" && node.items.length === 0) return [];
    const texts = readTexts(mistakes, node, {
      what: "`labels`",
      each: "a label",
      help,
      countMax: limits.entriesPerStepMax,
    });
    return texts.flatMap(({ text, node: item }) => {
      const equals = text.indexOf("=");
      const key = equals === -1 ? null : text.slice(0, equals);
      const written = text.slice(equals + 1);
      return checkLabel(mistakes, { key, compare: "=", written, span: item.span });
    });
  }
  return [...node.entries.values()].flatMap(({ key, value }) => {
    if (value.kind !== "scalar" || value.value === null) {
      wrongType(mistakes, value, { what: `the label ${quote(key)}`, wanted: "text", help });
      return [];
    }
    const written = typeof value.value === "string" ? value.value : value.source;
    return checkLabel(mistakes, { key, compare: "=", written, span: value.span });
  });
}

export function checkLabel(
  mistakes: Mistakes,
  label: Pick<LabelDeclaration, "key" | "compare" | "span"> & { readonly written: string },
): LabelDeclaration[] {
  const { key, compare, written, span } = label;
  const axis = /^matrix\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(written)?.[1];
  const text = axis === undefined ? written : "value";
  if (!isLabel(key === null ? text : `${key}=${text}`)) {
    badLabel(mistakes, key === null ? written : `${key}=${written}`, span);
    return [];
  }
  if (axis !== undefined) return [{ key, compare, value: { kind: "axis", axis }, span }];
  return [{ key, compare, value: { kind: "text", text }, span }];
}

function badLabel(mistakes: Mistakes, label: string, span: Span): void {
  mistakes.add({
    code: "pipeline/bad-label",
    message: `${quote(label)} cannot be a label`,
    help: "use letters, digits, `-`, `_`, `.` and `/`, as `key` or `key=value`",
    span,
  });
}

/** The labels of one cell, sorted, each once. An axis that the cell lacks asks for nothing. */
export function labelsOf(
  mistakes: Mistakes,
  declarations: readonly LabelDeclaration[],
  cell: Cell,
): readonly string[] {
  const labels = new Set<string>();
  for (const { key, compare, value, span } of declarations) {
    const found = value.kind === "text" ? value.text : cell.get(value.axis);
    if (found === undefined) continue;
    const label = key === null ? String(found) : `${key}${compare}${found}`;
    if (isRequirement(label)) labels.add(label);
    else badLabel(mistakes, label, span);
  }
  return [...labels].sort(compareText);
}
