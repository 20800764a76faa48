/**
 * Files that want to exhaust or mislead the planner, as large as is asked. The tests ask that each ends with words
 * (`test/planner/hostile.test.ts`), the benchmark how soon the largest do (`test/bench/hostile.ts`).
 */

type Text = () => string | Uint8Array;
/** The beginning, so many parts as fit, and the end. */
type Filled = (part: string | ((index: number) => string), before?: string, after?: string) => string;

/** Each is refused with words. By what it is full of. */
export function hostileTexts(size: number): Readonly<Record<string, Text>> {
  const filled: Filled = (part, before = "", after = "") => {
    const parts: string[] = [before];
    let length = before.length + after.length;
    for (let index = 0; ; index += 1) {
      const next = typeof part === "string" ? part : part(index);
      length += next.length;
      if (length > size) return parts.join("") + after;
      parts.push(next);
    }
  };
  return { ...signs(size, filled), ...keysAndAliases(filled), ...steps(filled), ...characters(size, filled) };
}

const head = "otto: 1\nsteps:\n";
const members = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "prototype"];

/** An axis of so many values, with as many cells that are included and excluded. */
function matrix(count: number): string {
  const values = Array.from({ length: count }, (_, n) => n);
  const cells = values.map((n) => `{ a: ${n}, b: ${n} }`).join(", ");
  return `{ a: [${values.join(", ")}], include: [${cells}], exclude: [${cells.replaceAll(/, b: \d+/g, "")}] }`;
}

const withMatrix = `${head}  first: { run: x, matrix: &m ${matrix(120)} }\n`;

const matrixValues = `[${Array.from({ length: 255 }, (_, n) => n).join(", ")}]`;

/** What is no YAML, or is YAML and deep, long or strange. */
const signs = (size: number, filled: Filled): Record<string, Text> => ({
  brackets: () => filled("["),
  braces: () => filled("{a: "),
  "closed brackets": () => "[".repeat(size / 2) + "]".repeat(size / 2),
  dashes: () => filled("- "),
  "question marks": () => filled("? "),
  colons: () => filled(": "),
  anchors: () => filled("&a ", "a: ", "x"),
  "anchors of everything": () => filled((n) => `  - &a${n} x\n`, `${head}  a:\n`),
  directives: () => filled("%A\n"),
  "exclamation marks": () => filled("!"),
  tags: () => filled("  - !!str x\n", "otto: 1\nsteps:\n"),
  "tags without space": () => filled("!a,", "a: [", "]"),
  tabs: () => filled("\t", "a:\n"),
  "tabs in lines": () => filled("\ta: 1\n"),
  spaces: () => filled(" ", "a: [", "x"),
  documents: () => filled("---\n"),
  "ends of documents": () => filled("...\n"),
  comments: () => filled("# x\n"),
  "comments without space": () => filled("[#\n"),
  commas: () => filled(",", "[", "]"),
  ampersands: () => filled("&"),
  asterisks: () => filled("*"),
  "open quotes": () => filled("'", "a: "),
  "an open quote over lines": () => filled("x\n", 'a: "'),
  backslashes: () => filled("\\q", 'a: "', '"'),
  escapes: () => filled("\\x41", 'a: "', '"'),
  "folded lines": () => filled("  x\n\n", "a: >\n"),
  "block headers": () => filled((n) => `a${n}: |9\n x\n`),
  "ever deeper lines": () => filled((n) => `${" ".repeat(n)}a:\n`),
  "ever deeper lists": () => filled((n) => `${" ".repeat(n)}- a:\n`),
  "deep lists in many lines": () => filled(`- ${"- ".repeat(40)}x\n`),
  "multi-line keys": () => filled("a\n"),
  "one word": () => filled("a"),
});

const keysAndAliases = (filled: Filled): Record<string, Text> => ({
  "one hundred thousand keys": () => Array.from({ length: 100_000 }, (_, n) => `k${n}:\n`).join(""),
  keys: () => filled((n) => `k${n}: 1\n`),
  "keys in one line": () => filled((n) => `k${n}: 1, `, "{", "}"),
  "keys of a step": () => filled((n) => `    k${n}: 1\n`, `${head}  a:\n`),
  "short keys": () => filled("a:\n"),
  "empty keys": () => filled(":\n"),
  "keys without value": () => filled((n) => `k${n},`, "{", "}"),
  "duplicate keys": () => filled("a: 1\n"),
  "duplicate steps": () => filled("  a: { run: x }\n", head),
  "duplicate keys in one line": () => filled("a: 1, ", "{", "}"),
  "prototype names": () => filled((n) => `  ${members[n % members.length]}: { run: x }\n`, head),
  "prototype names in one step": () =>
    filled((n) => `    ${members[n % members.length]}: 1\n`, `${head}  a:\n`),
  "prototype names of variables": () => filled("  __proto__: 1\n", "otto: 1\nenv:\n"),
  "merge keys": () => filled("<<: { a: 1 }\n"),
  "aliases of aliases": () =>
    filled((n) =>
      n === 0
        ? "a0: &a0 [x]\n"
        : `a${n}: &a${n} [${Array.from({ length: 10 }, () => `*a${n - 1}`).join(", ")}]\n`,
    ),
  "aliases in steps": () =>
    filled(
      (n) =>
        n < 8
          ? `  a${n}: &a${n} [${Array.from({ length: 10 }, () => (n === 0 ? "x" : `*a${n - 1}`)).join(", ")}]\n`
          : `  b${n}: *a7\n`,
      head,
    ),
  "one alias many times": () => filled("*a,", "a: &a [x,y,z,x,y,z,x,y,z]\nb: [", "]\n"),
  "unknown aliases": () => filled("*a,", "a: [", "]\n"),
  "an alias of what it stands in": () => filled("*a,", "a: &a [", "]\n"),
});

/** What is YAML and no pipeline. */
const steps = (filled: Filled): Record<string, Text> => ({
  "steps that are text": () => filled((n) => `  s${n}: x\n`, head),
  "steps that need what is not there": () => filled((n) => `  s${n}: { run: x, needs: t${n} }\n`, head),
  "one step that needs everything": () => filled((n) => `n${n},`, `${head}  a: { run: x, needs: [`, "] }\n"),
  commands: () => filled("x,", `${head}  a: { run: [`, "] }\n"),
  "an axis": () => filled((n) => `${n},`, `${head}  a: { run: x, matrix: { a: [`, "] } }\n"),
  axes: () => filled((n) => `a${n}: [x],`, `${head}  a: { run: x, matrix: {`, "} }\n"),
  "excluded cells": () =>
    filled((n) => `{a: ${n}},`, `${head}  a: { run: x, matrix: { a: [1], exclude: [`, "] } }\n"),
  "aliases of a matrix": () =>
    filled(
      (n) => (n < 400 ? `  s${n}: { run: x, matrix: *m }\n` : `${n === 400 ? "# " : ""}no more of it`),
      withMatrix,
      "  a: {}\n",
    ),
  "matrices with cells of their own": () =>
    filled((n) => `  s${n}: { run: x, matrix: ${matrix(120)} }\n`, head, "  a: {}\n"),
  "matrices of one cell": () =>
    filled(
      (n) =>
        `  s${n}: { run: x, matrix: { ${Array.from({ length: 90 }, (_, a) => `a${a}: [x]`).join(", ")} } }\n`,
      head,
    ),
  "keys of a cell": () =>
    filled((n) => `a${n}: x,`, `${head}  a: { run: x, matrix: { v: ${matrixValues}, include: [{`, "}] } }\n"),
  parameters: () => filled((n) => `  p${n}: { type: strin }\n`, "otto: 1\nparameters:\n"),
  choices: () =>
    filled((n) => `c${n},`, "otto: 1\nparameters: { p: { type: string, default: x, enum: [", "] } }\n"),
  environments: () => filled((n) => `  e${n}: { domain: [] }\n`, "otto: 1\nenvironments:\n"),
  variables: () => filled((n) => `  V${n}: x\n`, `${head}  a: { run: x }\nenv:\n`),
  labels: () => filled((n) => `l ${n},`, `${head}  a: { run: x, labels: [`, "] }\n"),
  conditions: () => filled((n) => `  s${n}: { run: x, when: git.brnch == "${n}" }\n`, head),
  "a long condition": () => filled("1 + ", `${head}  a: { run: x, when: "`, '1" }\n'),
  "a circle of steps": () =>
    filled((n) => `  s${n}: { run: x, needs: s${n + 1} }\n`, head, "  t: { run: x, needs: t2 }\n"),
});

/** What is no text, or not the text that it seems. */
const characters = (size: number, filled: Filled): Record<string, Text> => ({
  "bytes that are not UTF-8": () => wrongBytes(usual(filled), 0xff),
  "half a character": () => wrongBytes(usual(filled), 0xe2, 0x82),
  "bytes of high value": () => new Uint8Array(size).fill(0xff),
  "a NUL at the end": () => `${usual(filled).slice(0, -2)}\0\n`,
  NULs: () => "\0".repeat(size),
  "carriage returns": () => filled("\r", "a: ["),
  "Windows line ends": () =>
    filled((n) => `  s${n}: { run: x, needs: t }\r\n`, head.replaceAll("\n", "\r\n")),
  "byte order marks": () => filled("\uFEFF"),
  "a byte order mark in the middle": () => filled("\uFEFFa: 1\n", "a: 1\n"),
  "separators of lines": () => filled("\u2028", "a: ["),
  "halves of characters": () => filled("\uD800", "a: "),
  "steps and one mistake at the end": () =>
    filled((n) => `s${n}: {run: x},`, "otto: 1\nsteps: {", "}\nstep: x\n"),
});

const usual = (filled: Filled): string =>
  filled((n) => `  step-${n}: { run: [make, make test], needs: [] }\n`, head);

/** Bytes that are not text, at the end. */
function wrongBytes(text: string, ...wrong: readonly number[]): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  bytes.set(wrong, bytes.length - wrong.length - 1);
  return bytes;
}
