/**
 * Lines of a terminal: pieces of text with styles, measured in columns and cut to a width before they are
 * coloured.
 */

import { stripVTControlCharacters, styleText } from "node:util";

import { visible } from "./sanitize.ts";

export type Style = Parameters<typeof styleText>[0];
export type Span = { readonly text: string; readonly style?: Style };
export type Line = readonly Span[];

// Measured generously: what some terminals show in one column and others in two counts as two.
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}\p{Emoji_Presentation}]/u;
const zero = /[\p{Mn}\p{Me}\p{Cf}]/u;
const ascii = /^[ -~]*$/;
/** Asks for the emoji form of the character before it. */
const emojiForm = "\ufe0f";

/** Columns that a text takes; it holds no control characters (see `visible`). */
export function textWidth(text: string): number {
  if (ascii.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The text in at most `width` columns; "…" stands for what was cut. */
export function cut(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  return width <= 0 ? "" : `${beginning(text, width - 1)}…`;
}

/** The text in exactly `width` columns: cut or filled up with spaces. */
export function fitText(text: string, width: number, side: "left" | "right" = "left"): string {
  const short = cut(text, width);
  const spaces = " ".repeat(Math.max(0, width - textWidth(short)));
  return side === "left" ? short + spaces : spaces + short;
}

/** The line as it is written, in at most `width` columns (null: as long as it is); "…" stands for what was cut. */
export function paint(
  line: Line,
  options: { readonly width: number | null; readonly color: boolean },
): string {
  const spans = line.map((span) => ({ ...span, text: visible(span.text) }));
  const width = options.width ?? Number.POSITIVE_INFINITY;
  const fits = spans.reduce((sum, { text }) => sum + textWidth(text), 0) <= width;
  let left = fits ? width : width - 1;
  let painted = "";
  for (const { text, style: format } of spans) {
    const tooLong = textWidth(text) > left;
    const shown = tooLong ? `${beginning(text, left)}…` : text;
    painted += options.color && format !== undefined ? style(format, shown) : shown;
    if (tooLong) break;
    left -= textWidth(text);
  }
  // Spaces at the end would be noise in a file.
  return painted.trimEnd();
}

/** Columns of a line that was painted. */
export function paintedWidth(painted: string): number {
  return textWidth(stripVTControlCharacters(painted));
}

function style(format: Style, text: string): string {
  return text === "" ? "" : styleText(format, text, { validateStream: false });
}

/** As much of the text as `width` columns hold. */
function beginning(text: string, width: number): string {
  let used = 0;
  let kept = "";
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    kept += character;
  }
  return kept;
}

function characterWidth(character: string): number {
  if (character === emojiForm) return 1;
  if (zero.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
}
