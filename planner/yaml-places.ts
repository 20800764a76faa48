/**
 * Where a value of a YAML text is: said once, so that both ways of reading (`planner/yaml.ts`, `planner/plain-yaml.ts`)
 * point at the same place for the same mistake.
 */

import type { Span } from "./diagnostics.ts";

/** Where the first character of a scalar's text is; null when escapes, folding or a block moved the characters. */
export function textStartOf(written: string, { start, end }: Span, text: string): number | null {
  if (end - start === written.length && text.startsWith(written, start)) return start;
  if (end - start === written.length + 2 && text.startsWith(written, start + 1)) return start + 1;
  return null;
}

/** The span without the spaces and line ends at its end: a block ends where its last character is. */
export function withoutTrailingSpace({ start, end }: Span, text: string): Span {
  let last = end;
  while (last > start && " \n\r\t".includes(text.charAt(last - 1))) last -= 1;
  return { start, end: last };
}

/** From the first to the last of a block's parts. */
export function spanAround(first: Span, last: Span): Span {
  return { start: first.start, end: Math.max(last.end, first.end) };
}
