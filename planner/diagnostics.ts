/**
 * Diagnostics: what is wrong in a pipeline file, where, and what to write instead.
 *
 * Promises: every code is stable; all mistakes of a file are reported at once, sorted by position, each place
 * and code once; formatting never throws and never lets the file's own control characters reach a terminal.
 *
 *   otto.yaml:7:12: error: there is no step called `biuld` (pipeline/unknown-step)
 *     7 |     needs: biuld
 *       |            ^^^^^
 *       = did you mean `build`?
 */

import { limits } from "../protocol/limits.ts";
import { compareText } from "../protocol/values.ts";

/** Every code, stable for ever: programs and documentation refer to them. */
export const diagnosticCodes = [
  "pipeline/too-large",
  "pipeline/not-utf8",
  "pipeline/control-character",
  "pipeline/empty",
  "pipeline/syntax",
  "pipeline/tag",
  "pipeline/alias",
  "pipeline/too-deep",
  "pipeline/duplicate-key",
  "pipeline/unknown-key",
  "pipeline/missing-key",
  "pipeline/wrong-type",
  "pipeline/version",
  "pipeline/bad-name",
  "pipeline/bad-number",
  "pipeline/bad-duration",
  "pipeline/bad-retry",
  "pipeline/bad-pattern",
  "pipeline/bad-label",
  "pipeline/bad-matrix",
  "pipeline/bad-input",
  "pipeline/bad-step",
  "pipeline/bad-address",
  "pipeline/bad-value",
  "pipeline/bad-outcome",
  "pipeline/bad-credential",
  "pipeline/bad-requirement",
  "pipeline/bad-trigger",
  "pipeline/bad-schedule",
  "pipeline/bad-use",
  "pipeline/secret-in-file",
  "pipeline/bad-parameter",
  "pipeline/missing-parameter",
  "pipeline/unknown-parameter",
  "pipeline/unknown-environment",
  "pipeline/unknown-step",
  "pipeline/unknown-output",
  "pipeline/unknown-use",
  "pipeline/not-locked",
  "pipeline/unknown-outcome",
  "pipeline/duplicate-need",
  "pipeline/self-need",
  "pipeline/cycle",
  "pipeline/condition-syntax",
  "pipeline/condition-name",
  "pipeline/condition-type",
  "pipeline/condition-function",
  "pipeline/condition-failed",
  "pipeline/over-limit",
  "pipeline/too-many-mistakes",
] as const;

export type DiagnosticCode = (typeof diagnosticCodes)[number];

/** A place in a file. Lines and columns count from 1, columns in UTF-16 code units; the end is exclusive. */
export type Range = {
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
  readonly endColumn: number;
};

export type Diagnostic = {
  readonly code: DiagnosticCode;
  readonly message: string;
  /** What to write instead. */
  readonly help: string;
  readonly file: string;
  readonly range: Range;
  /** Other places that take part: the first of two equal keys, the members of a cycle. */
  readonly related?: readonly RelatedPlace[];
};

export type RelatedPlace = {
  readonly message: string;
  readonly range: Range;
  /** Only when it is another file than the mistake's. */
  readonly file?: string;
};

/** Offsets in the text, in UTF-16 code units, the end exclusive. */
export type Span = { readonly start: number; readonly end: number };

export type Mistake = {
  readonly code: DiagnosticCode;
  readonly message: string;
  /** A function where finding the words costs something: it is asked only for mistakes that are shown. */
  readonly help: string | (() => string);
  readonly span: Span;
  readonly related?: readonly { readonly message: string; readonly span: Span }[];
};

/** Collects the mistakes of one file while it is read. Bounded: beyond the limit they are only counted. */
export class Mistakes {
  readonly #found = new Map<string, Mistake>();
  #dropped = 0;

  add(mistake: Mistake): void {
    const key = `${mistake.span.start} ${mistake.code} ${mistake.message}`;
    if (this.#found.has(key)) return;
    // Room for ten times what is shown, so that the first of the file are shown and not the first found.
    if (this.#found.size < limits.diagnosticsMax * 10) this.#found.set(key, mistake);
    else this.#dropped += 1;
  }

  get count(): number {
    return this.#found.size;
  }

  /**
   * Sorted by position, then code, then message; at most `limits.diagnosticsMax`, the last one saying so.
   *
   * @param usedBy where another file uses this one, as a related place of every mistake.
   */
  diagnostics(
    source: { readonly text: string; readonly file: string },
    usedBy: RelatedPlace | null = null,
  ): Diagnostic[] {
    const sorted = [...this.#found.values()].sort(
      (left, right) =>
        left.span.start - right.span.start ||
        left.span.end - right.span.end ||
        compareText(left.code, right.code) ||
        compareText(left.message, right.message),
    );
    const rangeOf = ranges(source.text);
    const shown = sorted.slice(0, limits.diagnosticsMax - (sorted.length > limits.diagnosticsMax ? 1 : 0));
    const result: Diagnostic[] = shown.map((mistake) => {
      const own = (mistake.related ?? []).map(({ message, span }) => ({ message, range: rangeOf(span) }));
      const related: readonly RelatedPlace[] = usedBy === null ? own : [...own, usedBy];
      return {
        code: mistake.code,
        message: mistake.message,
        help: typeof mistake.help === "string" ? mistake.help : mistake.help(),
        file: source.file,
        range: rangeOf(mistake.span),
        ...(mistake.related === undefined && usedBy === null ? {} : { related }),
      };
    });
    const hidden = sorted.length - shown.length + this.#dropped;
    const last = shown.at(-1);
    if (hidden > 0 && last !== undefined) {
      result.push({
        code: "pipeline/too-many-mistakes",
        message: `${hidden} more mistakes are not shown`,
        help: "correct the ones above and check again",
        file: source.file,
        range: rangeOf(last.span),
      });
    }
    return result;
  }
}

/** Turns offsets into lines and columns. The table of lines is made once, and only when something is wrong. */
export function ranges(text: string): (span: Span) => Range {
  const starts = lineStarts(text);
  const place = (offset: number): { line: number; column: number } => {
    const at = Math.max(0, Math.min(offset, text.length));
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (starts[low] ?? 0) + 1 };
  };
  return (span) => {
    const start = place(span.start);
    const end = place(Math.max(span.start, span.end));
    return { line: start.line, column: start.column, endLine: end.line, endColumn: end.column };
  };
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/**
 * Every diagnostic as text for people, separated by empty lines.
 *
 * @param texts the file as it was planned, or each file by its name in the diagnostics; a byte order mark at the
 *   beginning is not counted.
 */
export function formatDiagnostics(
  diagnostics: readonly Diagnostic[],
  texts: string | ReadonlyMap<string, string>,
): string {
  const known = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    const text = typeof texts === "string" ? texts : (texts.get(file) ?? "");
    const lines = known.get(file) ?? withoutMark(text).split("\n");
    known.set(file, lines);
    return lines;
  };
  return diagnostics.map((diagnostic) => formatOne(diagnostic, linesOf)).join("\n\n");
}

/** A byte order mark is no part of the text: every position counts from what follows it. */
export function withoutMark(text: string): string {
  return text.startsWith("\uFEFF") ? text.slice(1) : text;
}

function formatOne(diagnostic: Diagnostic, linesOf: (file: string) => readonly string[]): string {
  const { range, file, code, message, help, related = [] } = diagnostic;
  const last = Math.max(range.line, ...related.map((other) => other.range.line));
  const margin = " ".repeat(String(last).length);
  const parts = [printable(`${file}:${range.line}:${range.column}: error: ${message} (${code})`)];
  parts.push(...excerpt(range, linesOf(file), margin));
  for (const other of related) {
    const { line, column } = other.range;
    const where = other.file === undefined ? `line ${line}` : `${other.file}:${line}:${column}`;
    parts.push(printable(`  ${margin} : ${other.message} (${where})`));
    parts.push(...excerpt(other.range, linesOf(other.file ?? file), margin));
  }
  parts.push(printable(`  ${margin} = ${help}`));
  return parts.join("\n");
}

const excerptCharactersMax = 120;

/** The source line and the squiggle under it; a long line is cut to the part around the place. */
function excerpt(range: Range, lines: readonly string[], margin: string): string[] {
  const line = (lines[range.line - 1] ?? "").replace(/\r$/, "");
  const from = Math.min(range.column - 1, line.length);
  const to =
    range.endLine === range.line ? Math.min(Math.max(range.endColumn - 1, from), line.length) : line.length;
  const cut = line.length > excerptCharactersMax ? Math.max(0, from - 40) : 0;
  const shown = line.slice(cut, cut + excerptCharactersMax);
  const dots = cut > 0 ? "..." : "";
  const pad = (dots + shown.slice(0, from - cut)).replace(/[^\t]/gu, " ");
  const width = shown.slice(from - cut, to - cut).replace(/./gsu, "^").length;
  const number = String(range.line).padStart(margin.length);
  const tail = cut + shown.length < line.length ? "..." : "";
  return [
    `  ${number} | ${printable(dots + shown + tail)}`.trimEnd(),
    `  ${margin} | ${pad}${"^".repeat(Math.max(1, width))}`,
  ];
}

/** Text that cannot steer a terminal: control characters and direction marks become a visible stand-in. */
export function printable(text: string): string {
  if (/^[\t\x20-\x7e]*$/.test(text)) return text;
  return text.toWellFormed().replace(/(?!\t)[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu, "\uFFFD");
}

/** A name or value from the file inside a message: between backticks, shortened. */
export function quote(text: string): string {
  if (text.length <= 60) return `\`${text}\``;
  return `\`${text.slice(0, 57).toWellFormed()}...\``;
}
