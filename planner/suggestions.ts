/**
 * "Did you mean": the known name that a person most likely wanted to write.
 *
 * Promises: the same answer for the same candidates in any order, and bounded work however long the names are.
 */

import { compareText } from "../protocol/values.ts";

const distanceMax = 3;
const candidatesMax = 1_000;
const charactersMax = 100;

/** The candidate closest to what was written, or null when none is close enough to be worth saying. */
export function closest(written: string, candidates: Iterable<string>): string | null {
  if (written.length > charactersMax) return null;
  const wanted = written.toLowerCase();
  const allowed = Math.min(distanceMax, Math.max(1, Math.floor(written.length / 3)));
  let best: string | null = null;
  let bestDistance = allowed + 1;
  let seen = 0;
  for (const candidate of candidates) {
    seen += 1;
    if (seen > candidatesMax) break;
    if (candidate.length > charactersMax) continue;
    const distance = distanceBetween(wanted, candidate.toLowerCase(), allowed);
    if (distance < bestDistance || (distance === bestDistance && best !== null && candidate < best)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return bestDistance <= allowed ? best : null;
}

/** What to write instead: the closest candidate, else the list of what is possible, shortened. */
export function suggestion(written: string, candidates: readonly string[], noun: string): string {
  const near = closest(written, candidates);
  if (near !== null) return `did you mean \`${near}\`?`;
  if (candidates.length === 0) return `no ${noun} is declared`;
  const shown = [...candidates].sort(compareText).slice(0, 12);
  const more = candidates.length - shown.length;
  const list = shown.map((name) => `\`${name}\``).join(", ");
  return `write one of ${list}${more > 0 ? ` and ${more} more` : ""}`;
}

/**
 * Edits (insert, remove, replace, swap neighbours) from one text to the other, or `allowed + 1` when more.
 *
 * Looks only at a band of `allowed` around the diagonal, and gives up on the first row that is all beyond it:
 * a file may compare its ten thousand names with each other.
 *
 * @source Optimal string alignment; the band after E. Ukkonen, "Algorithms for approximate string matching",
 * Information and Control 64, 1985.
 */
function distanceBetween(left: string, right: string, allowed: number): number {
  const beyond = allowed + 1;
  if (Math.abs(left.length - right.length) > allowed) return beyond;
  let before: number[] = [];
  let row: number[] = [];
  let next: number[] = [];
  for (let column = 0; column <= Math.min(right.length, allowed); column += 1) row[column] = column;
  for (let line = 1; line <= left.length; line += 1) {
    const from = Math.max(1, line - allowed);
    const to = Math.min(right.length, line + allowed);
    next[from - 1] = from === 1 && line <= allowed ? line : beyond;
    let least = next[from - 1] ?? beyond;
    for (let column = from; column <= to; column += 1) {
      const same = left[line - 1] === right[column - 1];
      let edits = Math.min(
        (row[column - 1] ?? beyond) + (same ? 0 : 1),
        // Above the right end of the band the last row has nothing, or something older.
        column < line + allowed ? (row[column] ?? beyond) + 1 : beyond,
        (next[column - 1] ?? beyond) + 1,
      );
      const swapped =
        line > 1 &&
        column > 1 &&
        left[line - 1] === right[column - 2] &&
        left[line - 2] === right[column - 1];
      if (swapped) edits = Math.min(edits, (before[column - 2] ?? beyond) + 1);
      next[column] = Math.min(edits, beyond);
      least = Math.min(least, next[column] ?? beyond);
    }
    if (least > allowed) return beyond;
    [before, row, next] = [row, next, before];
  }
  return row[right.length] ?? beyond;
}
