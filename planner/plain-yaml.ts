/**
 * The plain part of YAML, read directly: block maps and lists, flow, scalars of one line, `|` blocks.
 *
 * The full parser (`planner/yaml.ts`) makes a token of every space, costs a command line more than everything else
 * together, and reads only so many tokens. Most pipelines are plain; for anything here that is not, or is not sure,
 * the answer is null and the full parser decides, which is also the one that says what is no YAML.
 *
 * Promises: what is answered is what the full parser answers, places included (`test/planner/plain-yaml.test.ts`
 * compares them); linear in the text; never throws.
 */

import { limits } from "../protocol/limits.ts";
import type { Span } from "./diagnostics.ts";
import { spanAround, textStartOf, withoutTrailingSpace } from "./yaml-places.ts";
import type { MapEntry, ScalarNode, YamlNode } from "./yaml.ts";

/** A line without its end; `start` is where it begins in the text. */
type Line = { readonly start: number; readonly indent: number; readonly text: string };

/** Where reading is: block parsers move it over the lines that they understood. */
type Cursor = { at: number; readonly lines: Line[]; readonly text: string };

/** What was read and where it ended in the line. */
type Piece = { readonly node: YamlNode; readonly end: number };

/** What a file may not hold to be read here: tabs, lone line ends, and whatever looks like a space and is none. */
const unusual =
  /\r(?!\n)|[^\n\r\x20-\x7e\u00a1-\u167f\u1681-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u2fff\u3001-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]/u;
const keyPattern = /([A-Za-z0-9_][A-Za-z0-9_.-]{0,99}):(?= |$)/y;
const plainStart = /[A-Za-z0-9_./$\u00a1-\uffff]/;
/** What the core schema reads as something else than text, other than what is understood below. */
const special =
  /^(?:null|Null|NULL|True|TRUE|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/;
const simpleNumber = /^(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,10})?$/;

/** The tree of the text, or null when it takes the full parser to say what it is. */
export function parsePlainYaml(text: string): YamlNode | null {
  if (unusual.test(text)) return null;
  const lines = linesOf(text);
  const cursor: Cursor = { at: 0, lines, text };
  skipBlank(cursor);
  if (lines[cursor.at]?.indent !== 0) return null;
  const node = readMap(cursor, 0, 0);
  return node !== null && cursor.at === lines.length ? node : null;
}

function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  for (let start = 0; ;) {
    const found = text.indexOf("\n", start);
    const end = found === -1 ? text.length : found;
    const line = text.slice(start, text.charAt(end - 1) === "\r" && end > start ? end - 1 : end);
    lines.push({ start, indent: afterSpaces(line, 0), text: line });
    if (found === -1) return lines;
    start = found + 1;
  }
}

function skipBlank(cursor: Cursor): void {
  for (let line = cursor.lines[cursor.at]; line !== undefined; line = cursor.lines[cursor.at]) {
    const first = line.text.charAt(line.indent);
    if (first !== "" && first !== "#") return;
    cursor.at += 1;
  }
}

/** A key with its colon; `end` is behind the colon. */
type Key = { readonly key: string; readonly span: Span; readonly end: number };

function readKey(line: Line, at: number): Key | null {
  keyPattern.lastIndex = at;
  const key = keyPattern.exec(line.text)?.[1];
  if (key !== undefined) {
    const start = line.start + at;
    return { key, span: { start, end: start + key.length }, end: at + key.length + 1 };
  }
  const first = line.text.charAt(at);
  const quoted = first === '"' || first === "'" ? readQuoted(line, at, first) : null;
  if (quoted === null || quoted.node.kind !== "scalar") return null;
  const { end, node } = quoted;
  if (line.text.charAt(end) !== ":" || !["", " "].includes(line.text.charAt(end + 1))) return null;
  // A key that comes late in a long line is none.
  if (end - at > 1_000) return null;
  return { key: node.source, span: node.span, end: end + 1 };
}

function readMap(cursor: Cursor, indent: number, depth: number): YamlNode | null {
  if (depth > limits.pipelineNestingMax) return null;
  const entries = new Map<string, MapEntry>();
  let span: Span | null = null;
  for (;;) {
    skipBlank(cursor);
    const line = cursor.lines[cursor.at];
    if (line === undefined || line.indent < indent) break;
    if (line.indent > indent) return null;
    const found = readKey(line, indent);
    if (found === null || entries.has(found.key)) return null;
    const value = readValue(cursor, { start: found.end, indent, depth, key: found.span });
    if (value === null) return null;
    entries.set(found.key, { key: found.key, keySpan: found.span, value });
    span = spanAround(span ?? found.span, value.span);
  }
  return span === null ? null : { kind: "map", entries, span };
}

function readList(cursor: Cursor, indent: number, depth: number): YamlNode | null {
  if (depth > limits.pipelineNestingMax) return null;
  const items: YamlNode[] = [];
  let span: Span | null = null;
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
    const item = readValue(cursor, { start: indent + 1, indent, depth, key: null });
    if (item === null) return null;
    items.push(item);
    const start = line.start + indent;
    span = spanAround(span ?? { start, end: start }, item.span);
  }
  return span === null ? null : { kind: "list", items, span };
}

function isItem(line: Line): boolean {
  return line.text.startsWith("- ", line.indent);
}

type ValuePlace = {
  readonly start: number;
  readonly indent: number;
  readonly depth: number;
  /** Where the key is whose value is read; null for an item of a list. */
  readonly key: Span | null;
};

/** The value that begins on the cursor's line, or below it. Moves the cursor behind the value. */
function readValue(cursor: Cursor, place: ValuePlace): YamlNode | null {
  const { start, indent, depth, key } = place;
  const line = cursor.lines[cursor.at];
  if (line === undefined) return null;
  const at = afterSpaces(line.text, start);
  const first = line.text.charAt(at);
  if (first === "" || first === "#") return key === null ? null : readBelow(cursor, place, key);
  if (first === "|") return readBlock(cursor, at, indent);
  if (key === null && readKey(line, at) !== null) {
    // A map that begins behind the dash: its first key stands as deep as the ones below it.
    cursor.lines[cursor.at] = { ...line, indent: at };
    return readMap(cursor, at, depth + 1);
  }
  const piece = readInline(line, at, { flow: false, depth });
  if (piece === null && (first === "[" || first === "{")) return readLongFlow(cursor, at, place);
  if (piece === null || !isEnd(line.text, piece.end)) return null;
  cursor.at += 1;
  skipBlank(cursor);
  const next = cursor.lines[cursor.at];
  // A deeper line would go on with the value: text over several lines is for the full parser.
  return next !== undefined && next.indent > indent ? null : piece.node;
}

/** A list or map in brackets with the lines below that are deeper than its key: all of them belong to it. */
function readLongFlow(cursor: Cursor, at: number, { indent, depth }: ValuePlace): YamlNode | null {
  const { lines, text } = cursor;
  const first = lines[cursor.at];
  let next = cursor.at + 1;
  for (let line = lines[next]; line !== undefined; line = lines[next]) {
    if (line.indent <= indent && line.indent < line.text.length) break;
    next += 1;
  }
  if (first === undefined || next === cursor.at + 1) return null;
  const joined = { ...first, text: text.slice(first.start, lines[next]?.start ?? text.length) };
  const piece = readInline(joined, at, { flow: false, depth });
  if (piece === null || afterSpaces(joined.text, piece.end) < joined.text.length) return null;
  cursor.at = next;
  return piece.node;
}

/** True when only spaces or a comment follow. */
function isEnd(text: string, at: number): boolean {
  const next = afterSpaces(text, at);
  return next === text.length || (text.charAt(next) === "#" && next > at);
}

function readBelow(cursor: Cursor, { indent, depth }: ValuePlace, key: Span): YamlNode | null {
  cursor.at += 1;
  skipBlank(cursor);
  const line = cursor.lines[cursor.at];
  if (line === undefined || line.indent < indent) return nothingAt(key);
  if (isItem(line)) return readList(cursor, line.indent, depth + 1);
  return line.indent === indent ? nothingAt(key) : readMap(cursor, line.indent, depth + 1);
}

/** A literal block: `|` with its lines below, all at least as deep as the first. */
function readBlock(cursor: Cursor, at: number, indent: number): YamlNode | null {
  const { lines, text } = cursor;
  const head = lines[cursor.at];
  const header = head?.text.slice(at) ?? "";
  if (head === undefined || (header !== "|" && header !== "|-")) return null;
  cursor.at += 1;
  const inner = lines[cursor.at]?.indent ?? 0;
  // Blank lines at the beginning have rules of their own.
  if (inner <= indent || lines[cursor.at]?.text.length === inner) return null;
  const content: string[] = [];
  let filled = 0;
  let end = head.start;
  for (let line = lines[cursor.at]; line !== undefined; line = lines[cursor.at]) {
    if (line.text.length > line.indent) {
      if (line.indent < inner) break;
      filled = content.length + 1;
      end = line.start + line.text.length;
    } else if (line.indent > inner) return null;
    content.push(line.text.slice(inner));
    cursor.at += 1;
  }
  // The last line has its end, or the text would have none either.
  if (end === text.length) return null;
  const next = lines[cursor.at];
  if (next !== undefined && (next.indent > indent || next.text.charAt(next.indent) === "#")) return null;
  const value = content.slice(0, filled).join("\n") + (header === "|" ? "\n" : "");
  return scalar(value, value, withoutTrailingSpace({ start: head.start + at, end }, text), text);
}

type Inline = { readonly flow: boolean; readonly depth: number };

function readInline(line: Line, at: number, place: Inline): Piece | null {
  const first = line.text.charAt(at);
  if (first === "[") return readFlowList(line, at, place.depth + 1);
  if (first === "{") return readFlowMap(line, at, place.depth + 1);
  if (first === '"' || first === "'") return readQuoted(line, at, first);
  return plainStart.test(first) ? readPlain(line, at, place.flow) : null;
}

function readQuoted(line: Line, at: number, quote: '"' | "'"): Piece | null {
  const { text } = line;
  const close = quote === "'" ? closeOfSingle(text, at) : closeOfDouble(text, at);
  if (close === -1) return null;
  const raw = text.slice(at + 1, close);
  if (raw.includes("\n")) return null;
  const value = quote === "'" ? raw.replaceAll("''", "'") : unescaped(raw);
  return value === null ? null : { node: inLine(line, at, close + 1, value, value), end: close + 1 };
}

/** Two single quotes are one in the text. */
function closeOfSingle(text: string, at: number): number {
  let close = text.indexOf("'", at + 1);
  while (close !== -1 && text.charAt(close + 1) === "'") close = text.indexOf("'", close + 2);
  return close;
}

function closeOfDouble(text: string, at: number): number {
  let close = text.indexOf('"', at + 1);
  for (; close !== -1; close = text.indexOf('"', close + 1)) {
    let first = close;
    while (text.charAt(first - 1) === "\\") first -= 1;
    if ((close - first) % 2 === 0) break;
  }
  return close;
}

/** The escapes that JSON has too mean the same in YAML; null when there are others. */
function unescaped(raw: string): string | null {
  if (!raw.includes("\\")) return raw;
  if (/\\(?!["/bfnrt]|u[0-9a-fA-F]{4})/.test(raw.replaceAll("\\\\", ""))) return null;
  return JSON.parse(`"${raw}"`) as string;
}

function readPlain(line: Line, at: number, flow: boolean): Piece | null {
  const { text } = line;
  const pattern = flow ? /[,[\]{}\r\n]|: |:$| #/g : /: |:$| #/g;
  pattern.lastIndex = at;
  const stop = pattern.exec(text);
  const end = stop?.index ?? text.length;
  if (stop !== null && stop[0].startsWith(":")) return null;
  // In flow `a:]` and the like are read in ways that surprise.
  if (flow && (stop === null || stop[0] === " #" || text.charAt(end - 1) === ":")) return null;
  const source = text.slice(at, end).trimEnd();
  const value = plainValue(source);
  return value === null
    ? null
    : { node: inLine(line, at, at + source.length, value, source), end: at + source.length };
}

function plainValue(source: string): string | number | boolean | null {
  if (source === "true" || source === "false") return source === "true";
  if (simpleNumber.test(source)) return Number(source);
  // `---` and `...` cannot stand here: they begin a line.
  return special.test(source) ? null : source;
}

function readFlowList(line: Line, start: number, depth: number): Piece | null {
  if (depth > limits.pipelineNestingMax) return null;
  const { text } = line;
  const items: YamlNode[] = [];
  let at = afterSpaces(text, start + 1);
  while (text.charAt(at) !== "]") {
    const piece = readInline(line, at, { flow: true, depth });
    if (piece === null) return null;
    items.push(piece.node);
    const next = afterComma(text, piece.end, "]");
    if (next === null) return null;
    at = next;
  }
  const span = { start: line.start + start, end: line.start + at + 1 };
  return { node: { kind: "list", items, span }, end: at + 1 };
}

function readFlowMap(line: Line, start: number, depth: number): Piece | null {
  if (depth > limits.pipelineNestingMax) return null;
  const { text } = line;
  const entries = new Map<string, MapEntry>();
  let at = afterSpaces(text, start + 1);
  while (text.charAt(at) !== "}") {
    const found = readKey(line, at);
    if (found === null || entries.has(found.key)) return null;
    const piece = readInline(line, afterSpaces(text, found.end), { flow: true, depth });
    if (piece === null) return null;
    entries.set(found.key, { key: found.key, keySpan: found.span, value: piece.node });
    const next = afterComma(text, piece.end, "}");
    if (next === null) return null;
    at = next;
  }
  const span = { start: line.start + start, end: line.start + at + 1 };
  return { node: { kind: "map", entries, span }, end: at + 1 };
}

/** Where the next entry or the closing bracket is, or null when neither follows. */
function afterComma(text: string, end: number, close: string): number | null {
  const at = afterSpaces(text, end);
  if (text.charAt(at) === close) return at;
  if (text.charAt(at) !== ",") return null;
  // The closing bracket may follow: the caller sees it.
  return afterSpaces(text, at + 1);
}

/** Behind spaces, and the line ends that only the text of a long flow has. */
function afterSpaces(text: string, start: number): number {
  let at = start;
  for (let code = text.charCodeAt(at); code === 0x20 || code === 0x0a || code === 0x0d;) {
    at += 1;
    code = text.charCodeAt(at);
  }
  return at;
}

function inLine(
  line: Line,
  from: number,
  to: number,
  value: ScalarNode["value"],
  source: string,
): ScalarNode {
  const span = { start: line.start + from, end: line.start + to };
  // Here places count from the line, there from the file; the line is all that is needed of the text.
  const textStart = textStartOf(source, { start: from, end: to }, line.text);
  return {
    kind: "scalar",
    value,
    source,
    span,
    textStart: textStart === null ? null : line.start + textStart,
    broken: false,
  };
}

function scalar(value: string, source: string, span: Span, text: string): ScalarNode {
  return { kind: "scalar", value, source, span, textStart: textStartOf(source, span, text), broken: false };
}

/** A key without a value: it is the key that is pointed at. */
function nothingAt(span: Span): ScalarNode {
  return { kind: "scalar", value: null, source: "", span, textStart: null, broken: false };
}
