/**
 * The brackets of a glob pattern: where each closes, and the patterns that its braces come to. They are many soon:
 * `{a,b}{a,b}` are four, and whoever expands them all is held up. So a plan from elsewhere is asked before.
 *
 * Promises: pure; no more alternatives are made than are allowed.
 */

import { limits } from "./limits.ts";

/** The `]` that closes a `[`; one that stands first is a member. */
export function endOfClass(letters: readonly string[], open: number): number {
  const first = letters[open + 1] === "!" || letters[open + 1] === "^" ? open + 2 : open + 1;
  for (let at = first; at < letters.length; at += 1) {
    if (letters[at] === "[" && letters[at + 1] === ":") {
      const end = letters.join("\0").indexOf(":\0]", 2 * at + 3);
      if (end !== -1) at = end / 2 + 1;
    } else if (letters[at] === "]" && at > first) return at;
  }
  return -1;
}

export function codeOf(letter: string): number {
  return letter.codePointAt(0) ?? 0;
}

/** The pattern without braces, once for each of their alternatives; null when there are more than the bound. */
export function alternativesOf(pattern: string): readonly string[] | null {
  const letters = Array.from(pattern);
  const open = letters.findIndex((letter, at) => letter === "{" && closing(letters, at) !== -1);
  if (open === -1) return [pattern];
  const close = closing(letters, open);
  const [before, inside] = [letters.slice(0, open).join(""), letters.slice(open + 1, close)];
  const rest = alternativesOf(letters.slice(close + 1).join(""));
  const options = splitAt(inside, ",");
  const chosen = options.length > 1 ? optionsOf(options) : rangeOf(inside.join(""));
  const middle = chosen === undefined ? optionsOf([inside.join("")])?.map((text) => `{${text}}`) : chosen;
  const countMax = limits.patternAlternativesMax;
  if (rest === null || middle === null || middle === undefined) return null;
  if (middle.length * rest.length > countMax) return null;
  return middle.flatMap((text) => rest.map((ending) => before + text + ending));
}

function optionsOf(options: readonly string[]): readonly string[] | null {
  const all: string[] = [];
  for (const option of options) {
    const some = alternativesOf(option);
    if (some === null || all.length + some.length > limits.patternAlternativesMax) return null;
    all.push(...some);
  }
  return all;
}

/** `1..3`, `01..10`, `a..e`, each with a further `..STEP`; undefined for what is no range, null for one too long. */
function rangeOf(text: string): readonly string[] | null | undefined {
  const [, from, to, step = "1"] =
    /^(-?\d{1,9}|[A-Za-z])\.\.(-?\d{1,9}|[A-Za-z])(?:\.\.(-?\d{1,9}))?$/.exec(text) ?? [];
  if (from === undefined || to === undefined) return undefined;
  const isNumbers = /\d$/.test(from);
  if (isNumbers !== /\d$/.test(to)) return undefined;
  const valueOf = (word: string): number => (isNumbers ? Number(word) : codeOf(word));
  const [first, last] = [valueOf(from), valueOf(to)];
  const by = Math.max(1, Math.abs(Number(step)));
  const count = Math.floor(Math.abs(last - first) / by) + 1;
  if (count > limits.patternAlternativesMax) return null;
  const isPadded = [from, to].some((word) => /^-?0\d/.test(word));
  const width = isPadded ? Math.max(from.length, to.length) : 0;
  return Array.from({ length: count }, (_, index) => {
    const value = first + index * (last < first ? -by : by);
    if (!isNumbers) return String.fromCodePoint(value);
    const digits = String(Math.abs(value)).padStart(value < 0 ? width - 1 : width, "0");
    return value < 0 ? `-${digits}` : digits;
  });
}

const pairs: Readonly<Record<string, string>> = { "{": "}", "(": ")" };

/** The bracket that closes the one at `open`; -1 for none. */
export function closing(letters: readonly string[], open: number): number {
  const opening = letters[open] ?? "";
  let depth = 0;
  for (let at = open; at < letters.length; at += 1) {
    const end = letters[at] === "[" ? endOfClass(letters, at) : -1;
    if (end !== -1) at = end;
    else if (letters[at] === opening) depth += 1;
    else if (letters[at] === pairs[opening]) depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

/** The texts between separators that stand in no bracket. */
export function splitAt(letters: readonly string[], separator: string): string[] {
  const texts = [""];
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters[at] ?? "";
    const isOpen = letter === "{" || letter === "(";
    const end = isOpen ? closing(letters, at) : letter === "[" ? endOfClass(letters, at) : -1;
    if (end !== -1) {
      texts[texts.length - 1] += letters.slice(at, end + 1).join("");
      at = end;
    } else if (letter === separator) texts.push("");
    else texts[texts.length - 1] += letter;
  }
  return texts;
}
