/**
 * The plain part of YAML, read directly: block maps and lists, one-line flow, simple scalars, `|` blocks.
 *
 * The full parser (`planner/yaml.ts`) makes a token of every space and costs a command line more than everything
 * else together. Most pipelines are plain; for anything here that is not, or is not sure, the answer is null and the
 * full parser decides. Its answer is also the only one that mistakes are reported from, so places (spans) are
 * not kept here.
 *
 * Promises: what is answered is what the full parser answers (`test/planner/plain-yaml.test.ts` compares
 * them); linear in the text; never throws.
 */

import { limits } from "../protocol/limits.ts";
import type { MapEntry, ScalarNode, YamlNode } from "./yaml.ts";

type Line = { readonly indent: number; readonly text: string };

/** Where reading is: block parsers move it over the lines that they understood. */
type Cursor = { at: number; readonly lines: readonly Line[] };

/** What was read and where it ended in the line. */
type Piece = { readonly node: YamlNode; readonly end: number };

const nowhere = { start: 0, end: 0 };
const keyPattern = /([A-Za-z_][A-Za-z0-9_.-]{0,99}):(?= |$)/y;
const plainStart = /[A-Za-z0-9_./$]/;
/** What the core schema reads as something else than text, other than what is understood below. */
const special =
  /^(?:null|Null|NULL|True|TRUE|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/;
const simpleNumber = /^(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,10})?$/;

/** The tree of the text, or null when it takes the full parser to say what it is. */
export function parsePlainYaml(text: string): YamlNode | null {
  if (/[^\n\x20-\x7e]/.test(text)) return null;
  const lines = text.split("\n").map((line) => ({ indent: indentOf(line), text: line }));
  const cursor: Cursor = { at: 0, lines };
  skipBlank(cursor);
  if (lines[cursor.at]?.indent !== 0) return null;
  const node = readMap(cursor, 0, 0);
  return node !== null && cursor.at === lines.length ? node : null;
}

function indentOf(line: string): number {
  let indent = 0;
  while (line.charCodeAt(indent) === 0x20) indent += 1;
  return indent;
}

function skipBlank(cursor: Cursor): void {
  for (let line = cursor.lines[cursor.at]; line !== undefined; line = cursor.lines[cursor.at]) {
    const first = line.text.charAt(line.indent);
    if (first !== "" && first !== "#") return;
    cursor.at += 1;
  }
}

function readMap(cursor: Cursor, indent: number, depth: number): YamlNode | null {
  if (depth > limits.pipelineNestingMax) return null;
  const entries = new Map<string, MapEntry>();
  for (;;) {
    skipBlank(cursor);
    const line = cursor.lines[cursor.at];
    if (line === undefined || line.indent < indent) break;
    if (line.indent > indent) return null;
    keyPattern.lastIndex = indent;
    const key = keyPattern.exec(line.text)?.[1];
    if (key === undefined || entries.has(key)) return null;
    const value = readValue(cursor, { start: indent + key.length + 1, indent, depth, inMap: true });
    if (value === null) return null;
    entries.set(key, { key, keySpan: nowhere, value });
  }
  return { kind: "map", entries, span: nowhere };
}

function readList(cursor: Cursor, indent: number, depth: number): YamlNode | null {
  if (depth > limits.pipelineNestingMax) return null;
  const items: YamlNode[] = [];
  for (;;) {
    skipBlank(cursor);
    const line = cursor.lines[cursor.at];
    if (line === undefined || line.indent < indent) break;
    if (!isItem(line)) {
      // After a list that is not indented the next key of the map follows in the same column.
      if (line.indent === indent) break;
      return null;
    }
    if (line.indent > indent) return null;
    const item = readValue(cursor, { start: indent + 1, indent, depth, inMap: false });
    if (item === null) return null;
    items.push(item);
  }
  return { kind: "list", items, span: nowhere };
}

function isItem(line: Line): boolean {
  return line.text.startsWith("- ", line.indent);
}

type ValuePlace = {
  readonly start: number;
  readonly indent: number;
  readonly depth: number;
  readonly inMap: boolean;
};

/** The value that begins on the cursor's line, or below it. Moves the cursor behind the value. */
function readValue(cursor: Cursor, place: ValuePlace): YamlNode | null {
  const { start, indent, depth, inMap } = place;
  const text = cursor.lines[cursor.at]?.text ?? "";
  let at = start;
  while (text.charAt(at) === " ") at += 1;
  const first = text.charAt(at);
  if (first === "" || first === "#") return inMap ? readBelow(cursor, indent, depth) : null;
  if (first === "|") return readBlock(cursor, at, indent);
  const piece = readInline(text, at, { flow: false, depth });
  if (piece === null || !isEnd(text, piece.end)) return null;
  cursor.at += 1;
  skipBlank(cursor);
  const next = cursor.lines[cursor.at];
  // A deeper line would go on with the value: text over several lines is for the full parser.
  return next !== undefined && next.indent > indent ? null : piece.node;
}

/** True when only spaces or a comment follow. */
function isEnd(text: string, at: number): boolean {
  const rest = text.slice(at).trimStart();
  return rest === "" || (rest.startsWith("#") && text.charAt(at) === " ");
}

function readBelow(cursor: Cursor, indent: number, depth: number): YamlNode | null {
  cursor.at += 1;
  skipBlank(cursor);
  const line = cursor.lines[cursor.at];
  if (line === undefined || line.indent < indent) return scalar(null, "");
  if (isItem(line)) return readList(cursor, line.indent, depth + 1);
  return line.indent === indent ? scalar(null, "") : readMap(cursor, line.indent, depth + 1);
}

/** A literal block: `|` with its lines below, all at least as deep as the first. */
function readBlock(cursor: Cursor, at: number, indent: number): YamlNode | null {
  const { lines } = cursor;
  const header = lines[cursor.at]?.text.slice(at) ?? "";
  if (header !== "|" && header !== "|-") return null;
  cursor.at += 1;
  const inner = lines[cursor.at]?.indent ?? 0;
  // Blank lines at the beginning and at the end have rules of their own.
  if (inner <= indent || lines[cursor.at]?.text.length === inner) return null;
  const content: string[] = [];
  for (let line = lines[cursor.at]; line !== undefined; line = lines[cursor.at]) {
    if (line.text === "" && cursor.at === lines.length - 1) break;
    if (line.text.length === line.indent) return null;
    if (line.indent < inner) break;
    content.push(line.text.slice(inner));
    cursor.at += 1;
  }
  const next = lines[cursor.at];
  if (next === undefined || (next.indent > indent && next.text !== "")) return null;
  if (next.text.charAt(next.indent) === "#") return null;
  const text = content.join("\n") + (header === "|" ? "\n" : "");
  return scalar(text, text);
}

type Inline = { readonly flow: boolean; readonly depth: number };

function readInline(text: string, at: number, place: Inline): Piece | null {
  const first = text.charAt(at);
  if (first === "[") return readFlowList(text, at, place.depth + 1);
  if (first === "{") return readFlowMap(text, at, place.depth + 1);
  if (first === '"' || first === "'") return readQuoted(text, at, first);
  return plainStart.test(first) ? readPlain(text, at, place.flow) : null;
}

function readQuoted(text: string, at: number, quote: string): Piece | null {
  const close = text.indexOf(quote, at + 1);
  if (close === -1) return null;
  const value = text.slice(at + 1, close);
  if (value.includes("\\") && quote === '"') return null;
  // Two single quotes are one in the text.
  if (text.charAt(close + 1) === quote) return null;
  return { node: scalar(value, value), end: close + 1 };
}

function readPlain(text: string, at: number, flow: boolean): Piece | null {
  const pattern = flow ? /[,[\]{}]|: |:$| #/g : /: |:$| #/g;
  pattern.lastIndex = at;
  const stop = pattern.exec(text);
  const end = stop?.index ?? text.length;
  if (stop !== null && stop[0].startsWith(":")) return null;
  // In flow `a:]` and the like are read in ways that surprise.
  if (flow && (stop === null || stop[0] === " #" || text.charAt(end - 1) === ":")) return null;
  const source = text.slice(at, end).trimEnd();
  const node = plainScalar(source);
  return node === null ? null : { node, end: at + source.length };
}

function plainScalar(source: string): ScalarNode | null {
  if (source === "true" || source === "false") return scalar(source === "true", source);
  if (simpleNumber.test(source)) return scalar(Number(source), source);
  // `---` and `...` cannot stand here: they begin a line.
  return special.test(source) ? null : scalar(source, source);
}

function readFlowList(text: string, start: number, depth: number): Piece | null {
  if (depth > limits.pipelineNestingMax) return null;
  const items: YamlNode[] = [];
  let at = afterSpaces(text, start + 1);
  while (text.charAt(at) !== "]") {
    const piece = readInline(text, at, { flow: true, depth });
    if (piece === null) return null;
    items.push(piece.node);
    const next = afterComma(text, piece.end, "]");
    if (next === null) return null;
    at = next;
  }
  return { node: { kind: "list", items, span: nowhere }, end: at + 1 };
}

function readFlowMap(text: string, start: number, depth: number): Piece | null {
  if (depth > limits.pipelineNestingMax) return null;
  const entries = new Map<string, MapEntry>();
  let at = afterSpaces(text, start + 1);
  while (text.charAt(at) !== "}") {
    keyPattern.lastIndex = at;
    const key = keyPattern.exec(text)?.[1];
    if (key === undefined || entries.has(key)) return null;
    const piece = readInline(text, afterSpaces(text, at + key.length + 1), { flow: true, depth });
    if (piece === null) return null;
    entries.set(key, { key, keySpan: nowhere, value: piece.node });
    const next = afterComma(text, piece.end, "}");
    if (next === null) return null;
    at = next;
  }
  return { node: { kind: "map", entries, span: nowhere }, end: at + 1 };
}

/** Where the next entry or the closing bracket is, or null when neither follows. */
function afterComma(text: string, end: number, close: string): number | null {
  const at = afterSpaces(text, end);
  if (text.charAt(at) === close) return at;
  if (text.charAt(at) !== ",") return null;
  const next = afterSpaces(text, at + 1);
  // A comma before the closing bracket is allowed in YAML, and rare.
  return text.charAt(next) === close ? null : next;
}

function afterSpaces(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === 0x20) at += 1;
  return at;
}

function scalar(value: ScalarNode["value"], source: string): ScalarNode {
  return { kind: "scalar", value, source, span: nowhere, textStart: null, broken: false };
}
