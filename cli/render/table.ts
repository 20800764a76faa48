/**
 * Tables: columns as wide as their widest cell, two spaces between them.
 */

import type { Line, Span, Style } from "./line.ts";
import { fitText, textWidth } from "./line.ts";
import { visible } from "./sanitize.ts";

export type Cell = { readonly text: string; readonly style?: Style };
type Heading = { readonly title: string; readonly side?: "left" | "right" };

/** The lines of a table under its headings; every row has a cell for each heading. */
export function tableLines(
  headings: readonly Heading[],
  rows: readonly (readonly Cell[])[],
): readonly Line[] {
  const shown = rows.map((row) => row.map((cell) => ({ ...cell, text: visible(cell.text) })));
  const widths = headings.map(({ title }, index) =>
    shown.reduce((width, row) => Math.max(width, textWidth(row[index]?.text ?? "")), title.length),
  );
  const lineOf = (cells: readonly Cell[]): Line =>
    cells.flatMap((cell, index): Span[] => {
      const { side } = headings[index] ?? {};
      // Nothing follows the last column: filled up with spaces it would only be cut where the terminal ends.
      const isOpen = index === cells.length - 1 && side !== "right";
      const text = isOpen ? cell.text : fitText(cell.text, widths[index] ?? 0, side);
      return [{ ...cell, text }, ...(index < cells.length - 1 ? [{ text: "  " }] : [])];
    });
  return [lineOf(headings.map(({ title }) => ({ text: title, style: "dim" }))), ...shown.map(lineOf)];
}
