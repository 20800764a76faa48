/**
 * YAML 1.2 text becomes a tree of our own: scalars, lists and maps, each with its place in the text.
 *
 * Promises: no tags, no directives, no nesting beyond `limits.pipelineNestingMax`, no key twice; an alias stands for
 * the very node that its anchor names, so nothing is copied and nothing explodes. Maps are real maps, so a
 * key such as `__proto__` is a key like any other.
 */

import { isAlias, isMap, isScalar, isSeq, type Node, parseDocument, type YAMLMap } from "yaml";
import { limits } from "../protocol/limits.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";

export type ScalarNode = {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  /** As it is written, without quotes: `1.10` stays `1.10`. */
  readonly source: string;
  readonly span: Span;
  /** Where the first character of `source` is, when the text is written in one piece without escapes. */
  readonly textStart: number | null;
  /** True when something was said about the node already: no more needs to be. */
  readonly broken: boolean;
};
type ListNode = { readonly kind: "list"; readonly items: readonly YamlNode[]; readonly span: Span };
export type MapEntry = { readonly key: string; readonly keySpan: Span; readonly value: YamlNode };
export type MapNode = {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, MapEntry>;
  readonly span: Span;
};
export type YamlNode = ScalarNode | ListNode | MapNode;

type Conversion = {
  readonly text: string;
  readonly mistakes: Mistakes;
  readonly anchors: Map<string, { readonly node: YamlNode; readonly size: number }>;
  /** Nodes so far, each alias counted as everything that it stands for. */
  size: number;
};

/** The tree of the only document in the text, or null when it cannot be read at all; mistakes say why. */
export function parseYaml(text: string, mistakes: Mistakes): YamlNode | null {
  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    keepSourceTokens: false,
    prettyErrors: false,
    logLevel: "error",
    // The library compares every key with every other; duplicates are found below, in one pass.
    uniqueKeys: false,
  });
  checkDirectives(text, mistakes);
  let last = -1;
  for (const error of document.errors.slice(0, limits.diagnosticsMax)) {
    const [start, end] = error.pos;
    // What follows at the same place is the same mistake seen from further out.
    if (start === last) continue;
    last = start;
    mistakes.add({
      code: "pipeline/syntax",
      ...syntaxWords(error.code, error.message),
      span: { start, end: Math.max(end, start + 1) },
    });
  }
  if (mistakes.count > 0) return null;
  const conversion: Conversion = { text, mistakes, anchors: new Map(), size: 0 };
  const root = convert(document.contents, { start: 0, end: 0 }, 0, conversion);
  if (conversion.size <= limits.pipelineNodesMax) return root;
  mistakes.add({
    code: "pipeline/alias",
    message: `with its aliases unfolded the file has more than ${limits.pipelineNodesMax} values`,
    help: "use fewer aliases",
    span: { start: 0, end: 0 },
  });
  return null;
}

/** A directive could change the version of YAML, and with it what `yes` or `010` mean. */
function checkDirectives(text: string, mistakes: Mistakes): void {
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    const first = text.slice(start, end).trimStart().charAt(0);
    if (first === "%" && text.startsWith("%", start)) {
      mistakes.add({
        code: "pipeline/syntax",
        message: "a pipeline file has no YAML directives",
        help: "remove the line",
        span: { start, end },
      });
      return;
    }
    if (first !== "" && first !== "#") return;
    start = end + 1;
  }
}

function syntaxWords(code: string, message: string): { readonly message: string; readonly help: string } {
  const help = syntaxHelp(code);
  if (code === "MULTIPLE_DOCS") return { message: "the file holds more than one document", help };
  if (/missing closing .quote/i.test(message)) return { message: "a quote is not closed", help: "close it" };
  return { message: `this is not YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}`, help };
}

function syntaxHelp(code: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "indent with spaces";
    case "BAD_INDENT":
    case "BAD_SCALAR_START":
    case "UNEXPECTED_TOKEN":
    case "MULTILINE_IMPLICIT_KEY":
      return "check the indentation, and put text with special characters in quotes";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "BLOCK_IN_FLOW":
      return "put text that contains `: ` in quotes";
    case "MISSING_CHAR":
      return "close what was opened: a quote, a bracket, or a `:` after a key";
    case "MULTIPLE_DOCS":
      return "remove the `---` line: a file holds one pipeline";
    case "BAD_DQ_ESCAPE":
      return "write `\\\\` for a backslash, or use single quotes";
    default:
      return "correct the YAML; the other parts are checked once it can be read";
  }
}

function convert(node: Node | null, fallback: Span, depth: number, conversion: Conversion): YamlNode {
  const { mistakes, anchors } = conversion;
  const sizeBefore = conversion.size;
  conversion.size += 1;
  if (node === null) return nothingAt(fallback, false);
  const span = spanOf(node, fallback);
  if (isAlias(node)) return resolveAlias(node.source, span, conversion);
  if (depth > limits.pipelineNestingMax) {
    mistakes.add({
      code: "pipeline/too-deep",
      message: `nested more than ${limits.pipelineNestingMax} levels deep`,
      help: "a pipeline needs no more than six levels",
      span,
    });
    return nothingAt(span, true);
  }
  if (node.tag !== undefined) {
    mistakes.add({
      code: "pipeline/tag",
      message: "YAML tags are not allowed",
      help: "write the value without `!`; put it in quotes if it should be text",
      span: tagSpan(span, conversion.text),
    });
  }
  const converted = convertContent(node, span, depth, conversion);
  // Only now: an alias inside of what it names is unknown, so a tree never contains itself.
  if ((isScalar(node) || isMap(node) || isSeq(node)) && node.anchor !== undefined) {
    anchors.set(node.anchor, { node: converted, size: conversion.size - sizeBefore });
  }
  return converted;
}

function tagSpan(span: Span, text: string): Span {
  let start = text.lastIndexOf("!", span.start);
  if (start === -1) return span;
  while (start > 0 && text[start - 1] === "!") start -= 1;
  let end = start + 1;
  while (end < text.length && !/[\s,[\]{}]/.test(text.charAt(end))) end += 1;
  return { start, end };
}

function convertContent(node: Node, span: Span, depth: number, conversion: Conversion): YamlNode {
  if (isMap(node)) return convertMap(node, span, depth, conversion);
  if (isSeq(node)) {
    const items = node.items.map((item) => convert(item as Node | null, span, depth + 1, conversion));
    return { kind: "list", items, span };
  }
  if (isScalar(node)) return convertScalar(node.value, node.source, span, conversion.text);
  return nothingAt(span, true);
}

function nothingAt(span: Span, broken: boolean): ScalarNode {
  return { kind: "scalar", value: null, source: "", span, textStart: null, broken };
}

function resolveAlias(name: string, span: Span, conversion: Conversion): YamlNode {
  const { anchors, mistakes } = conversion;
  const target = anchors.get(name);
  if (target !== undefined) {
    conversion.size += target.size;
    return target.node;
  }
  mistakes.add({
    code: "pipeline/alias",
    message: `the alias ${quote(`*${name}`)} names nothing that is complete before it`,
    help: `write \`&${name}\` before an earlier value, or put text that begins with \`*\` in quotes`,
    span,
  });
  return nothingAt(span, true);
}

function convertScalar(value: unknown, source: string | undefined, span: Span, text: string): ScalarNode {
  const known = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  const kept = known ? value : null;
  const written = source ?? (kept === null ? "" : String(kept));
  const textStart = textStartOf(written, span, text);
  return { kind: "scalar", value: kept, source: written, span, textStart, broken: false };
}

function textStartOf(written: string, { start, end }: Span, text: string): number | null {
  if (end - start === written.length && text.startsWith(written, start)) return start;
  if (end - start === written.length + 2 && text.startsWith(written, start + 1)) return start + 1;
  return null;
}

function convertMap(map: YAMLMap, span: Span, depth: number, conversion: Conversion): MapNode {
  const { mistakes } = conversion;
  const entries = new Map<string, MapEntry>();
  for (const pair of map.items) {
    const keyNode = pair.key as Node | null;
    const keySpan = keyNode === null ? span : spanOf(keyNode, span);
    const converted = convert(keyNode, keySpan, depth + 1, conversion);
    if (converted.kind !== "scalar" || isAlias(keyNode)) {
      mistakes.add({
        code: "pipeline/wrong-type",
        message: "a key must be a plain word",
        help: "write `name: value`; put text that begins with `{`, `[`, `*` or `&` in quotes",
        span: keySpan,
      });
      continue;
    }
    const after = { start: keySpan.start, end: keySpan.end };
    const value = convert(pair.value as Node | null, after, depth + 1, conversion);
    const key = typeof converted.value === "string" ? converted.value : converted.source;
    const first = entries.get(key);
    if (first !== undefined) {
      mistakes.add({
        code: "pipeline/duplicate-key",
        message: `the key ${quote(key)} is written twice`,
        help: "keep one of the two",
        span: keySpan,
        related: [{ message: "the first is here", span: first.keySpan }],
      });
      continue;
    }
    entries.set(key, { key, keySpan, value });
  }
  return { kind: "map", entries, span };
}

function spanOf(node: Node, fallback: Span): Span {
  const range = node.range;
  if (range === null || range === undefined) return fallback;
  return { start: range[0], end: Math.max(range[0], range[1]) };
}
