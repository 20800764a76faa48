/**
 * Glob patterns, asked whether a path fits: `paths` and `changed(...)` mean by a pattern what the outputs of a step mean
 * (`node/edge/execution/outputs.ts`). A test holds the two to each other.
 *
 * Promises: pure, the same on every system, letters as they are written; the work is bounded by the lengths of the
 * pattern and the path, since nothing is ever tried twice.
 *
 * `*`, `?`, `[a-z]`, `[!a-z]`, `[[:digit:]]`, `{a,b}`, `{1..3}`, `@(a|b)`, `?()`, `*()`, `+()`, `!()` within a name, and
 * `**` for any number of folders. Where a name begins with a point, only a written point stands for it. A pattern that
 * names a folder means everything below it.
 */

import { alternativesOf, closing, codeOf, endOfClass, splitAt } from "../protocol/braces.ts";

/** Whether a path, relative and `/`-separated, fits the pattern. One with too many alternatives fits nothing. */
export function globOf(pattern: string): (path: string) => boolean {
  const globs = (alternativesOf(pattern) ?? []).map((alternative) =>
    alternative
      .replace(/\/$/, "")
      .split("/")
      .map((name) => (name === "**" ? anyFolders : nameOf(name))),
  );
  return (path) => {
    const names = path.split("/");
    return globs.some((glob) => fits(glob, names));
  };
}

const anyFolders = "**";

type Part =
  | { readonly kind: "letter"; readonly letter: string }
  | { readonly kind: "any" | "some" }
  | { readonly kind: "class"; readonly has: (letter: string) => boolean }
  | { readonly kind: "group"; readonly sign: string; readonly options: readonly (readonly Part[])[] };

type Glob = readonly (typeof anyFolders | ((name: string) => boolean))[];

/** Most names of a pattern are written out, or `*` alone. */
function nameOf(pattern: string): (name: string) => boolean {
  if (!/[*?[(]/.test(pattern)) return (name) => name === pattern;
  if (pattern === "*") return (name) => !name.startsWith(".");
  const parts = partsOf(pattern);
  return (name) => {
    const letters = Array.from(name);
    return endsOf(parts, letters, 0).has(letters.length);
  };
}

/** Follows every way through the pattern at once; its end, reached at a folder, means all that is in it. */
function fits(glob: Glob, names: readonly string[]): boolean {
  let reached = withSkipped(glob, new Set([0]));
  for (const name of names) {
    if (reached.has(glob.length)) return true;
    const next = new Set<number>();
    for (const at of reached) {
      const part = glob[at];
      if (part === undefined) continue;
      if (part !== anyFolders) {
        if (part(name)) next.add(at + 1);
      } else if (!name.startsWith(".")) next.add(at);
    }
    reached = withSkipped(glob, next);
  }
  return reached.has(glob.length);
}

/** `**` also stands for no folder at all. */
function withSkipped(glob: Glob, reached: Set<number>): Set<number> {
  for (const at of reached) if (glob[at] === anyFolders) reached.add(at + 1);
  return reached;
}

/** Where these parts can end, having begun at a letter of the name. */
function endsOf(parts: readonly Part[], name: readonly string[], from: number): ReadonlySet<number> {
  let reached: ReadonlySet<number> = new Set([from]);
  for (const part of parts) {
    const next = new Set<number>();
    for (const at of reached) for (const end of endsOfPart(part, name, at)) next.add(end);
    reached = next;
  }
  return reached;
}

function endsOfPart(part: Part, name: readonly string[], at: number): Iterable<number> {
  const letter = name[at];
  if (part.kind === "letter") return letter === part.letter ? [at + 1] : [];
  const isHidden = at === 0 && letter === ".";
  switch (part.kind) {
    case "any":
      return letter === undefined || isHidden ? [] : [at + 1];
    case "some":
      return isHidden ? [] : upTo(name.length, at);
    case "class":
      return letter !== undefined && !isHidden && part.has(letter) ? [at + 1] : [];
    case "group":
      return endsOfGroup(part, name, at);
  }
}

function endsOfGroup(
  { sign, options }: Extract<Part, { kind: "group" }>,
  name: readonly string[],
  at: number,
): Iterable<number> {
  const once = (from: number): Set<number> =>
    new Set(options.flatMap((option) => [...endsOf(option, name, from)]));
  const found = once(at);
  if (sign === "@") return found;
  if (sign === "!") {
    const others = upTo(name.length, at).filter((end) => !found.has(end));
    return at === 0 && name[0] === "." ? [] : others;
  }
  if (sign === "?") return found.add(at);
  // A set may grow while it is walked: each end is begun at once.
  for (const end of found) for (const further of once(end)) found.add(further);
  return sign === "*" ? found.add(at) : found;
}

function upTo(end: number, from: number): number[] {
  return Array.from({ length: end - from + 1 }, (_, index) => from + index);
}

function partsOf(pattern: string): readonly Part[] {
  const parts: Part[] = [];
  const letters = Array.from(pattern);
  for (let at = 0; at < letters.length; at += 1) {
    const letter = letters[at] ?? "";
    const close = letters[at + 1] === "(" && "@?*+!".includes(letter) ? closing(letters, at + 1) : -1;
    const end = letter === "[" ? endOfClass(letters, at) : -1;
    if (close !== -1) {
      const options = splitAt(letters.slice(at + 2, close), "|").map(partsOf);
      parts.push({ kind: "group", sign: letter, options });
      at = close;
    } else if (end !== -1) {
      parts.push(classOf(letters.slice(at + 1, end)));
      at = end;
    } else if (letter === "*") {
      if (parts.at(-1)?.kind !== "some") parts.push({ kind: "some" });
    } else if (letter === "?") parts.push({ kind: "any" });
    else parts.push({ kind: "letter", letter });
  }
  return parts;
}

const namedClasses: ReadonlyMap<string, RegExp> = new Map([
  ["alpha", /^\p{L}$/u],
  ["digit", /^\p{Nd}$/u],
  ["alnum", /^[\p{L}\p{Nd}]$/u],
  ["lower", /^\p{Ll}$/u],
  ["upper", /^\p{Lu}$/u],
  ["space", /^[\p{Z}\t\r\n\v\f]$/u],
  ["blank", /^[\p{Zs}\t]$/u],
  ["punct", /^\p{P}$/u],
  ["cntrl", /^\p{Cc}$/u],
  ["xdigit", /^[A-Fa-f0-9]$/],
  ["word", /^[\p{L}\p{Nd}\p{Pc}]$/u],
]);

function classOf(inside: readonly string[]): Part {
  const isNegated = inside[0] === "!" || inside[0] === "^";
  let text = inside.slice(isNegated ? 1 : 0).join("");
  const tests: ((letter: string) => boolean)[] = [];
  text = text.replace(/\[:(\w+):\]/g, (whole, named: string) => {
    const known = namedClasses.get(named);
    if (known === undefined) return whole;
    tests.push((letter) => known.test(letter));
    return "";
  });
  const members = Array.from(text);
  const [only] = members;
  // What stands alone in brackets is written out, also a point.
  if (!isNegated && tests.length === 0 && only !== undefined && members.length === 1)
    return { kind: "letter", letter: only };
  for (let at = 0; at < members.length; at += 1) {
    const from = members[at] ?? "";
    const to = members[at + 1] === "-" ? members[at + 2] : undefined;
    if (to !== undefined) at += 2;
    const [first, last] = [codeOf(from), codeOf(to ?? from)];
    tests.push((letter) => first <= codeOf(letter) && codeOf(letter) <= last);
  }
  return { kind: "class", has: (letter) => tests.some((test) => test(letter)) !== isNegated };
}
