/**
 * YAML 1.2 text becomes a tree of our own: scalars, lists and maps, each with its place in the text.
 *
 * Promises: no tags, no directives, no nesting beyond `limits.pipelineNestingMax`, no key twice; an alias stands for
 * the very node that its anchor names, so nothing is copied and nothing explodes. Maps are real maps, so a
 * key such as `__proto__` is a key like any other. Of a text with more than `limits.pipelineTokensMax` tokens no more
 * are read, and what is wrong before that place is said.
 */

import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  type Node,
  Parser,
  type YAMLMap,
} from "yaml";
import { limits } from "../protocol/limits.ts";
import { type Mistake, type Mistakes, quote, type Span } from "./diagnostics.ts";
import { closest } from "./suggestions.ts";
import { spanAround, textStartOf, withoutTrailingSpace } from "./yaml-places.ts";

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
  const { documents, cut } = readTokens(text);
  const [document, second] = composeWithoutTraces(documents, text.length);
  checkDirectives(text, mistakes);
  checkSyntax(mistakes, { document, second, text, cut });
  // A tree from a text that is no YAML would say more about the library than about the file.
  const root = mistakes.count > 0 ? null : convertRoot(document?.contents ?? null, text, mistakes);
  if (cut === null) return root;
  mistakes.add(cut);
  return null;
}

function convertRoot(contents: Node | null, text: string, mistakes: Mistakes): YamlNode | null {
  const conversion: Conversion = { text, mistakes, anchors: new Map(), size: 0 };
  const root = convert(contents, { start: 0, end: 0 }, 0, conversion);
  if (conversion.size <= limits.pipelineNodesMax) return root;
  mistakes.add({
    code: "pipeline/alias",
    message: `with its aliases unfolded the file has more than ${limits.pipelineNodesMax} values`,
    help: "use fewer aliases",
    span: { start: 0, end: 0 },
  });
  return null;
}

type Tokens = { readonly documents: readonly CST.Token[]; readonly cut: Mistake | null };

/**
 * The text as the library's trees of tokens. It ends early, and `cut` says where and why, at what is nested deeper
 * than the library's recursion bears, and after so many tokens.
 */
function readTokens(text: string): Tokens {
  const documents: CST.Token[] = [];
  const parser = new Parser();
  let count = 0;
  let documentsRead = 0;
  let cut: Mistake | null = null;
  for (const lexeme of new Lexer().lex(text)) {
    const span = { start: parser.offset, end: parser.offset + 1 };
    for (const token of parser.next(lexeme)) {
      documents.push(token);
      if (token.type === "document") documentsRead += 1;
    }
    count += 1;
    if (parser.stack.length > tokenNestingMax) cut = tooDeep(span);
    else if (count >= limits.pipelineTokensMax) cut = tooManyTokens(span);
    // The second document is a mistake already; what it says is not asked.
    if (cut !== null || documentsRead > 1) break;
  }
  for (const token of parser.end()) documents.push(token);
  return { documents, cut };
}

/** Each level of the file is one or two of the library's; far more than these it cannot hold on its stack. */
const tokenNestingMax = 4 * limits.pipelineNestingMax;

function tooManyTokens(span: Span): Mistake {
  return {
    code: "pipeline/over-limit",
    message: `the file has more than ${limits.pipelineTokensMax} words and signs, and is read up to here`,
    help: "correct what is said above, write it plainly (no anchors, no text over several lines), or split it",
    span,
  };
}

function tooDeep(span: Span): Mistake {
  return {
    code: "pipeline/too-deep",
    message: `nested more than ${limits.pipelineNestingMax} levels deep`,
    help: "a pipeline needs no more than six levels",
    span,
  };
}

/** The library makes an error for every mistake, and taking its stack each time costs more than all the rest. */
function composeWithoutTraces(tokens: readonly CST.Token[], end: number): readonly Document.Parsed[] {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    const composer = new Composer({
      version: "1.2",
      schema: "core",
      keepSourceTokens: false,
      prettyErrors: false,
      logLevel: "error",
      // The library compares every key with every other; duplicates are found below, in one pass.
      uniqueKeys: false,
    });
    return [...composer.compose(tokens, true, end)];
  } finally {
    Error.stackTraceLimit = before;
  }
}

function checkSyntax(
  mistakes: Mistakes,
  read: {
    readonly document: Document.Parsed | undefined;
    readonly second: Document.Parsed | undefined;
    readonly text: string;
    readonly cut: Mistake | null;
  },
): void {
  const { document, second, text, cut } = read;
  // What is open where reading ended is no mistake of the file.
  const known = cut === null ? text.length + 1 : text.lastIndexOf("\n", cut.span.start);
  let last = -1;
  let count = 0;
  for (const error of document?.errors ?? []) {
    const [start, end] = error.pos;
    // What follows at the same place is the same mistake seen from further out.
    if (start === last || start >= known) continue;
    last = start;
    count += 1;
    if (count > limits.diagnosticsMax) break;
    mistakes.add({
      code: "pipeline/syntax",
      ...syntaxWords(error.code, error.message),
      span: { start, end: Math.max(end, start + 1) },
    });
  }
  if (second === undefined) return;
  const [start, end] = second.range;
  mistakes.add({
    code: "pipeline/syntax",
    ...syntaxWords("MULTIPLE_DOCS", ""),
    span: { start, end: Math.max(end, start + 1) },
  });
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
    mistakes.add(tooDeep(span));
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
    const last = items.at(-1);
    if (node.flow === true || last === undefined) return { kind: "list", items, span };
    // The library counts the line end and comments behind a block to it; nobody means those.
    return { kind: "list", items, span: spanAround({ start: span.start, end: span.start }, last.span) };
  }
  if (isScalar(node)) {
    const isBlock = node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED";
    const place = isBlock ? withoutTrailingSpace(span, conversion.text) : span;
    return convertScalar(node.value, node.source, place, conversion.text);
  }
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
  // Now, since later anchors are no answer; and only for what may be shown.
  const near = mistakes.count < limits.diagnosticsMax ? closest(name, anchors.keys()) : null;
  mistakes.add({
    code: "pipeline/alias",
    message: `the alias ${quote(`*${name}`)} names nothing that is complete before it`,
    help:
      near !== null
        ? `did you mean \`*${near}\`?`
        : `write \`&${name}\` before an earlier value, or put text that begins with \`*\` in quotes`,
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

function convertMap(map: YAMLMap, span: Span, depth: number, conversion: Conversion): MapNode {
  const { mistakes } = conversion;
  const entries = new Map<string, MapEntry>();
  const isFlow = map.flow === true;
  let around: Span | null = null;
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
    const valueNode = isNothing(pair.value as Node | null) ? null : (pair.value as Node);
    const value = convert(valueNode, keySpan, depth + 1, conversion);
    if (!isFlow) around = spanAround(around ?? keySpan, value.span);
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
  return { kind: "map", entries, span: around ?? span };
}

/** A key without a value: it is the key that is pointed at. */
function isNothing(node: Node | null): boolean {
  if (node === null || !isScalar(node) || node.value !== null) return node === null;
  const isEmpty = node.range === null || node.range === undefined || node.range[0] === node.range[1];
  return isEmpty && node.anchor === undefined && node.tag === undefined;
}

function spanOf(node: Node, fallback: Span): Span {
  const range = node.range;
  if (range === null || range === undefined) return fallback;
  return { start: range[0], end: Math.max(range[0], range[1]) };
}
