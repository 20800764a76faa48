/**
 * Whether the book of uses is whole: each line has the digest of the one before, and beside the book stands where it begins and
 * ends. A line that was changed, cut out, put in or moved breaks the chain at its place; what was cut off at the end or at the
 * beginning is not where it should be.
 *
 * What is not seen: there is no key in it, so that whoever may write to the folder of a control peer can put back an earlier book
 * together with its ends, write a new one, or add to its end while the peer is away.
 */

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ChainSeen } from "../../../protocol/calls.ts";
import { beforeIn, digestOf } from "../../verify/audit-book.ts";

/** Digests of the last line, and of the line before the first that is kept; "": there is none. */
export type BookEnds = { readonly last: string; readonly before: string };

export function readLines(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Null: they are not there, or are none. */
export function readEnds(path: string): BookEnds | null {
  try {
    const { last, before } = JSON.parse(readFileSync(path, "utf8")) as Partial<BookEnds>;
    return typeof last === "string" && typeof before === "string" ? { last, before } : null;
  } catch {
    return null;
  }
}

export function writeEnds(path: string, ends: BookEnds): void {
  writeFileSync(`${path}.new`, JSON.stringify(ends), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** @param older the file that was full before. */
export function verifyChain(
  { older, newer }: { readonly older: readonly string[]; readonly newer: readonly string[] },
  ends: BookEnds | null,
): ChainSeen {
  const lines = [...older, ...newer];
  const seen = (problem: string | null): ChainSeen => ({ lines: lines.length, problem });
  if (ends === null) return seen(lines.length === 0 ? null : "it is not known where it begins and ends");
  const placeOf = (index: number): string =>
    index < older.length ? `line ${index + 1} of the older file` : `line ${index - older.length + 1}`;
  let before = ends.before;
  for (const [index, line] of lines.entries()) {
    const named = beforeIn(line);
    if (named === null) return seen(`${placeOf(index)} is none that was written here`);
    if (named !== before)
      return seen(
        index === 0
          ? `its beginning was cut off, or ${placeOf(0)} was changed`
          : `${placeOf(index)} does not follow the one before it: that was changed, or lines between were cut out or put in`,
      );
    before = digestOf(line);
  }
  return seen(before === ends.last ? null : "its end was cut off, or its last line was changed");
}
